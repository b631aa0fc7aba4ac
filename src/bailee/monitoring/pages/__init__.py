"""Events, the ledger, alerts and support cases in the console."""

from bailee.monitoring.pages import alerts, events, support

routes = [*events.routes, *alerts.routes, *support.routes]

__all__ = ["routes"]
