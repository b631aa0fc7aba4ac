"""Incidents in the console, and notices in the customers' portal."""

from bailee.incidents.pages import breach, incidents, notices, settings

routes = [*incidents.routes, *breach.routes, *notices.routes, *settings.routes]

__all__ = ["routes"]
