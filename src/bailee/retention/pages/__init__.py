"""Retention in the console."""

from bailee.retention.pages import calendar, holds, rules, terminations

routes = [*rules.routes, *calendar.routes, *holds.routes, *terminations.routes]

__all__ = ["routes"]
