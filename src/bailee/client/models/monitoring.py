"""Support cases, webhooks, and the schemas of a product's own events."""

from datetime import datetime
from typing import ClassVar

from bailee.client.models.base import Model


class SupportCase(Model, frozen=True, kw_only=True):
    """What a customer lets somebody of the staff see. `state`: requested, granted, refused or ended."""

    id: str
    tenant_id: str
    state: str
    reason: str = ""
    asked_by: str = ""
    asked_at: datetime | None = None
    hours: int = 0
    collections: tuple[str, ...] = ()
    subjects: int = 0
    records: tuple[str, ...] = ()
    decided_by: str | None = None
    decided_at: datetime | None = None
    expires_at: datetime | None = None
    ended_at: datetime | None = None
    ended_by: str | None = None


class Webhook(Model, frozen=True, kw_only=True):
    """An address that is told of things; `secret` is there once, when it is added."""

    hidden: ClassVar[frozenset[str]] = frozenset({"secret"})

    id: str
    url: str
    topics: tuple[str, ...] = ()
    tenant_id: str = ""
    created_by: str = ""
    created_at: datetime | None = None
    secret: str | None = None


class WebhookDelivery(Model, frozen=True, kw_only=True):
    """Something on its way. `state`: waiting, delivered, or dead when nobody took it."""

    id: str
    webhook_id: str
    topic: str
    state: str
    attempts: int = 0
    reason: str = ""
    tenant_id: str = ""
    created_at: datetime | None = None
    ended_at: datetime | None = None


class EventField(Model, frozen=True, kw_only=True):
    """What a field holds. `type`: number, flag, choice (of `values`) or reference."""

    type: str
    values: tuple[str, ...] = ()


class EventType(Model, frozen=True, kw_only=True):
    """The closed schema of a kind of a product's own events."""

    name: str
    title: str
    fields: dict[str, EventField]
    changed_at: datetime | None = None
