"""Tenants: the customers, each a controller; their lifecycle and what their plan includes (TOM 2.4, 11.1)."""
