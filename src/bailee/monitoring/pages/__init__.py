"""Events, the ledger, alerts, support cases and webhooks in the console."""

from bailee.monitoring.pages import alerts, events, support, webhooks

routes = [*events.routes, *alerts.routes, *support.routes, *webhooks.routes]

__all__ = ["routes"]
