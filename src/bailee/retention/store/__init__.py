"""The tables of retention, a module for each group of them."""
