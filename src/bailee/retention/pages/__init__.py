"""Retention in the console."""

from bailee.retention.pages import holds, rules

routes = [*rules.routes, *holds.routes]

__all__ = ["routes"]
