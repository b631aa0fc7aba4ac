"""Backups in the console, for staff."""

from bailee.backup.pages import backups, drills, releases

routes = [*backups.routes, *releases.routes, *drills.routes]

__all__ = ["routes"]
