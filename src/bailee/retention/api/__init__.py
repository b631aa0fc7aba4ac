"""Retention over REST."""

from bailee.retention.api.holds import router as holds_router
from bailee.retention.api.rules import router as rules_router
from bailee.retention.api.tenant_holds import router as tenant_holds_router
from bailee.retention.api.terminations import router as terminations_router

routers = [rules_router, holds_router, tenant_holds_router, terminations_router]

__all__ = ["routers"]
