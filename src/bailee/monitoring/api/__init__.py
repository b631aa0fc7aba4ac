"""Events, ledger proofs, alerts and support cases over REST."""

from bailee.monitoring.api import alerts, events, support

routers = [events.router, alerts.router, support.router]

__all__ = ["routers"]
