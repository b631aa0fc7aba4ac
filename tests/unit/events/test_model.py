from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import msgspec
import pytest
import rfc8785

from bailee.events.catalogue import (
    AuthorisationFailed,
    CheckCompleted,
    Details,
    MfaEnrolled,
    RecordRead,
    RecordsListed,
    SystemFailed,
)
from bailee.events.model import Event, Object, Outcome, make_event, rfc3339
from bailee.foundation.ids import OPERATOR, TenantId, new_id
from bailee.foundation.principal import ActorKind, Principal
from bailee.ledger.commitment import canonical

TIME = datetime(2026, 3, 1, 12, 30, 0, 7, UTC)
TENANT = TenantId(new_id())
BY = Principal(ActorKind.KEY, "key-1", address="192.0.2.7", request_id=UUID(int=5))


def event_of(details: Details, tenant: TenantId | None = TENANT) -> Event:
    return make_event(
        event_id=UUID(int=1), time=TIME, tenant=tenant, by=BY, details=details, object_=Object("record", "7"),
        outcome=Outcome.SUCCESS,
    )  # fmt: skip


def test_event_says_who_did_what_when_and_from_where() -> None:
    assert msgspec.to_builtins(event_of(RecordRead("people"))) == {
        "id": str(UUID(int=1)),
        "time": "2026-03-01T12:30:00.000007Z",
        "tenant": str(TENANT),
        "actor": {"kind": "key", "id": "key-1"},
        "action": "record.read",
        "object": {"kind": "record", "id": "7"},
        "outcome": "success",
        "address": "192.0.2.7",
        "request_id": str(UUID(int=5)),
        "details": {"collection": "people"},
        "session": None,
    }


def test_event_has_a_canonical_form() -> None:
    body = msgspec.to_builtins(event_of(RecordsListed("people", 3, ["email", "name.last"])))
    assert canonical(body) == rfc8785.dumps(body)


def test_operator_event_names_no_tenant() -> None:
    assert event_of(RecordRead("people"), None).tenant is None
    assert str(OPERATOR) == "00000000-0000-0000-0000-000000000000"


@pytest.mark.parametrize(
    "details",
    [
        RecordRead("Ada Lovelace"),
        RecordRead("people\n"),
        RecordRead(""),
        RecordRead("x" * 129),
        RecordsListed("people", -1, []),
        RecordsListed("people", 2**53, []),
        RecordsListed("people", 1, ["where.email=ada@example.org"]),
        RecordsListed("people", 1.5, []),  # type: ignore[arg-type]  # what the schema must catch
        AuthorisationFailed("GET /a path", 403),
        AuthorisationFailed("GET /x?email=ada", 403),
        CheckCompleted("a.b", "1.1", "holds", "no digest"),
        SystemFailed("ValueError: ada@example.org"),
        MfaEnrolled("sms"),  # type: ignore[arg-type]  # the same
    ],
)
def test_details_outside_their_schema_are_refused(details: Details) -> None:
    with pytest.raises(msgspec.ValidationError):
        event_of(details)


def test_times_are_utc_with_microseconds() -> None:
    local = datetime(2026, 3, 1, 14, 30, tzinfo=timezone(timedelta(hours=2)))
    assert rfc3339(local) == "2026-03-01T12:30:00.000000Z"
