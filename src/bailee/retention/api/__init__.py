"""Retention over REST."""

from bailee.retention.api.rules import router as rules_router

routers = [rules_router]

__all__ = ["routers"]
