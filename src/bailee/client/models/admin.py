"""Events, measures, keys and tenants."""

from datetime import datetime
from typing import Any

import msgspec

from bailee.client.models.base import Model, Reference

type Bundle = dict[str, Any]
"""Evidence in the format `bailee-evidence/v1`, kept as the server wrote it, for a verifier."""


class Event(Model, frozen=True, kw_only=True):
    """One security event."""

    id: str
    time: datetime
    action: str
    outcome: str
    tenant: str | None = None
    actor: Reference | None = None
    object: Reference | None = None
    address: str | None = None
    request_id: str | None = None
    details: dict[str, Any] = msgspec.field(default_factory=dict)
    ledger_index: int | None = None


class CheckStatus(Model, frozen=True, kw_only=True):
    """How one check of a measure stands."""

    name: str
    verdict: str
    summary: str = ""
    checked_at: datetime | None = None
    facts: dict[str, Any] = msgspec.field(default_factory=dict)


class Measure(Model, frozen=True, kw_only=True):
    """One measure. `status`: holds, attention, broken, unknown or not_evidenced."""

    id: str
    title: str
    status: str
    section: int | None = None
    commitment: str = ""
    checked_at: datetime | None = None
    checks: tuple[CheckStatus, ...] = ()


class Report(Model, frozen=True, kw_only=True):
    """The whole TOM document as it stands."""

    title: str = ""
    measures: tuple[Measure, ...]


class ApiKey(Model, frozen=True, kw_only=True):
    """An API key; `token` is there only in the answer that issues it. It may take over from another, `replaces`."""

    hidden = frozenset({"token"})

    id: str
    name: str
    permissions: tuple[str, ...] = ()
    expires_at: datetime | None = None
    created_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    replaces: str | None = None
    token: str | None = None


class Tenant(Model, frozen=True, kw_only=True):
    """A tenant; `features` are those of its plan."""

    id: str
    name: str
    state: str
    plan: str
    features: tuple[str, ...] = ()


class CollectionSummary(Model, frozen=True, kw_only=True):
    """What staff may know of a tenant's collection: its name and how much is in it."""

    name: str
    records: int = 0
