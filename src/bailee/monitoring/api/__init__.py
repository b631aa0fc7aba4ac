"""Events, ledger proofs, alerts, support cases and webhooks over REST."""

from bailee.monitoring.api import alerts, events, intake, support, webhooks

routers = [events.router, alerts.router, support.router, webhooks.router, intake.router]

__all__ = ["routers"]
