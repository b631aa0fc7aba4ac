"""Logging and monitoring (TOM 4.1, 4.3): events and their proofs, shown to whom they concern."""
