"""Events, ledger proofs and alerts over REST."""

from bailee.monitoring.api import alerts, events

routers = [events.router, alerts.router]

__all__ = ["routers"]
