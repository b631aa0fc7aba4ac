"""The tables of incidents, breaches and notices."""
