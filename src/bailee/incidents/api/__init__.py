"""Incidents, breaches and notices over REST."""

from bailee.incidents.api.breach import router as breach_router
from bailee.incidents.api.incidents import router as incidents_router
from bailee.incidents.api.notices import router as notices_router
from bailee.incidents.api.settings import router as settings_router

routers = [incidents_router, breach_router, settings_router, notices_router]

__all__ = ["routers"]
