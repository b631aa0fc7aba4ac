"""Alerts as values."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

import msgspec

from bailee.foundation.ids import TenantId

type Level = Literal["informational", "low", "medium", "high", "critical"]
type Resolution = Literal["handled", "expected", "false_alarm"]
RESOLUTIONS: dict[str, str] = {
    "handled": "It was what it looked like, and was dealt with.",
    "expected": "It happened, and was meant to.",
    "false_alarm": "The rule was wrong.",
}


class AlertStatus(StrEnum):
    """Where an alert is in its life."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    """Somebody is at it."""
    CLOSED = "closed"


class Alert(msgspec.Struct, frozen=True):
    """A rule that has held, as often as it did since; one is open for each rule and group at a time."""

    tenant_id: TenantId
    """The tenant whose events it is about; the all-zero id for the operator's, or for several tenants' together."""
    id: UUID
    rule_id: UUID
    title: str
    level: Level
    grouped_by: dict[str, Any]
    """What the events of it share."""
    reason: str
    """Why it was told, in numbers where there are some."""
    status: AlertStatus
    assignee: UUID | None
    resolution: Resolution | None
    matches: int
    metric: float | None
    first_at: datetime
    last_at: datetime
    opened_at: datetime
    closed_at: datetime | None


class AlertNote(msgspec.Struct, frozen=True):
    """What somebody wrote about an alert. `author` is an account or a key."""

    id: UUID
    author: str
    note: str
    written_at: datetime


class CaseState(StrEnum):
    """Where a support case is in its life."""

    REQUESTED = "requested"
    GRANTED = "granted"
    REFUSED = "refused"
    ENDED = "ended"


class EventField(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a field of a tenant's own event holds. A `reference` is kept as a blind index."""

    type: Literal["number", "flag", "choice", "reference"]
    values: list[str] = []
    """Those of a choice."""


class EventType(msgspec.Struct, frozen=True):
    """The closed schema of a kind of a tenant's own events."""

    name: str
    title: str
    fields: dict[str, EventField]
    changed_at: datetime | None = None


class ReportedEvent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An event that a tenant's product reports. `user` and `address` are of whoever acted there."""

    type: str
    outcome: Literal["success", "refused", "failure"] = "success"
    user: str | None = None
    address: str | None = None
    values: dict[str, int | bool | str] = {}


TOPICS: dict[str, str] = {
    "alerts": "Alerts, as they are opened",
    "notices": "Notices of breaches of personal data",
    "support": "Support cases that are asked for",
}
"""What webhooks are told of."""


class Webhook(msgspec.Struct, frozen=True):
    """An address that is told of things."""

    tenant_id: TenantId
    id: UUID
    url: str
    topics: list[str]
    created_by: str
    created_at: datetime


class WebhookDelivery(msgspec.Struct, frozen=True):
    """Something on its way to a webhook. `dead`: nobody took it after the last attempt."""

    tenant_id: TenantId
    id: UUID
    webhook_id: UUID
    topic: str
    state: Literal["waiting", "delivered", "dead"]
    attempts: int
    reason: str
    created_at: datetime
    ended_at: datetime | None


class SupportCase(msgspec.Struct, frozen=True):
    """What a tenant lets somebody of the operator's staff see, until when, and why they have asked."""

    tenant_id: TenantId
    id: UUID
    reason: str
    asked_by: UUID
    asked_at: datetime
    hours: int
    collections: list[str]
    subjects: int
    """Of how many data subjects everything is in it."""
    records: list[UUID]
    state: CaseState
    """As it is now: a granted case whose time is up has ended."""
    decided_by: str | None
    decided_at: datetime | None
    expires_at: datetime | None
    ended_at: datetime | None
    ended_by: str | None


class Suppression(msgspec.Struct, frozen=True):
    """That a rule is not to be told for a while, of everything or of one group."""

    id: UUID
    rule_id: UUID
    title: str
    """The rule's, as its alert said it."""
    of_one_group: bool
    reason: str
    created_by: str
    created_at: datetime
    expires_at: datetime
    in_force: bool
    matches: int
    """How often it would have been told."""
