"""Events, the ledger and alerts in the console."""

from bailee.monitoring.pages import alerts, events

routes = [*events.routes, *alerts.routes]

__all__ = ["routes"]
