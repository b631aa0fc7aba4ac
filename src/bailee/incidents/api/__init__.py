"""Incidents, breaches and notices over REST."""

from bailee.incidents.api.incidents import router as incidents_router
from bailee.incidents.api.notices import router as notices_router

routers = [incidents_router, notices_router]

__all__ = ["routers"]
