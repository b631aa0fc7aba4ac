"""The tables of backups."""
