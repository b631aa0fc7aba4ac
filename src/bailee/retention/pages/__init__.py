"""Retention in the console."""

from bailee.retention.pages import holds, rules, terminations

routes = [*rules.routes, *holds.routes, *terminations.routes]

__all__ = ["routes"]
