"""Retention in the console."""

from bailee.retention.pages import rules

routes = [*rules.routes]

__all__ = ["routes"]
