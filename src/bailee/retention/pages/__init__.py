"""Retention in the console."""

from bailee.retention.pages import calendar, holds, rules, tenant_holds, terminations

routes = [*rules.routes, *calendar.routes, *holds.routes, *tenant_holds.routes, *terminations.routes]

__all__ = ["routes"]
