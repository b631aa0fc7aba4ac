"""An event: who did what to which thing, when, from where, and how it ended."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

from bailee.events.catalogue import Details
from bailee.foundation.ids import TenantId
from bailee.foundation.principal import Principal


class Outcome(StrEnum):
    """How the act ended."""

    SUCCESS = "success"
    REFUSED = "refused"
    FAILURE = "failure"


class Object(msgspec.Struct, frozen=True):
    """What was acted on. `id` is an identifier of ours, or a blind index where the tenant chose the name."""

    kind: str
    id: str


class Actor(msgspec.Struct, frozen=True):
    """Who acted."""

    kind: str
    id: str


class Event(msgspec.Struct, frozen=True):
    """One event as it is shown, stored and committed to. Times are RFC 3339 in UTC with microseconds."""

    id: str
    time: str
    tenant: str | None
    actor: Actor
    action: str
    object: Object | None
    outcome: Outcome
    address: str | None
    request_id: str | None
    details: dict[str, Any]
    session: str | None = None
    """Of a signed-in person. Events from before it was kept have none."""


def rfc3339(moment: datetime) -> str:
    """UTC, microseconds, Z."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def make_event(
    *, event_id: UUID, time: datetime, tenant: TenantId | None, by: Principal, details: Details,
    object_: Object | None, outcome: Outcome,
) -> Event:  # fmt: skip
    """The event, its details checked against their closed schema. Raises msgspec.ValidationError: a bug of ours."""
    fields = msgspec.to_builtins(details)
    msgspec.convert(fields, type(details))
    return Event(
        id=str(event_id),
        time=rfc3339(time),
        tenant=str(tenant) if tenant else None,
        actor=Actor(by.kind.value, by.id),
        action=details.action,
        object=object_,
        outcome=outcome,
        address=by.address,
        request_id=str(by.request_id) if by.request_id else None,
        details=fields,
        session=str(by.session_id) if by.session_id else None,
    )
