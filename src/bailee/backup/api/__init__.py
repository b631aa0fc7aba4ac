"""Backups over REST, for staff."""

from bailee.backup.api.backups import router as backups_router
from bailee.backup.api.drills import router as drills_router
from bailee.backup.api.releases import router as releases_router

routers = [backups_router, releases_router, drills_router]

__all__ = ["routers"]
