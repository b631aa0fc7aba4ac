"""Alerts: what rules have found in the events."""

from datetime import datetime
from typing import Any

from bailee.client.models.base import Model


class Alert(Model, frozen=True, kw_only=True):
    """A rule that has held, `matches` times since it was opened. `status`: open, acknowledged or closed."""

    id: str
    tenant_id: str
    rule_id: str
    title: str
    level: str
    status: str
    grouped_by: dict[str, Any]
    reason: str = ""
    assignee: str | None = None
    resolution: str | None = None
    matches: int = 1
    metric: float | None = None
    first_at: datetime | None = None
    last_at: datetime | None = None
    opened_at: datetime | None = None
    closed_at: datetime | None = None


class AlertNote(Model, frozen=True, kw_only=True):
    """What somebody wrote about an alert."""

    id: str
    author: str
    note: str
    written_at: datetime | None = None


class AlertDetails(Model, frozen=True, kw_only=True):
    """An alert with the events it is about, newest first, and its notes."""

    alert: Alert
    event_ids: tuple[str, ...] = ()
    notes: tuple[AlertNote, ...] = ()


class Suppression(Model, frozen=True, kw_only=True):
    """That a rule is not told for a while; `matches` is how often it would have been."""

    id: str
    rule_id: str
    title: str
    of_one_group: bool
    reason: str
    created_by: str
    created_at: datetime | None = None
    expires_at: datetime | None = None
    in_force: bool = False
    matches: int = 0
