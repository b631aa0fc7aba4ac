"""The SQL of access control, one module for each kind of row."""
