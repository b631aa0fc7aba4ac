"""Retention, legal holds and ends of contracts on both clients: the request of each operation, and its result."""

from collections.abc import Callable
from datetime import date
from typing import Any

import httpx2
import pytest

from bailee.client import (
    ArchivePage,
    Certificate,
    Conflict,
    CustomerHold,
    Executed,
    Forbidden,
    Hold,
    Invalid,
    NotFound,
    RetentionLimit,
    RotationCalendar,
    Termination,
)
from bailee.client.binding import Operation, Paged, Streamed
from bailee.client.groups import Holds, Retention, Terminations
from tests.unit.client.conftest import RigOf
from tests.unit.client.harness import problem, record

NOW = "2026-01-02T03:04:05Z"
DAY = date(2030, 12, 31)
OUTLOOK = {"collection": "people", "rule": "P3Y after created", "records": 5, "due": 2, "due_soon": 3, "oldest": NOW}
LIMIT = {"kind": "floor", "collection": "*", "duration": "P10Y", "basis": "§ 147 AO", "set_by": "a1", "set_at": NOW}
HOLD = {
    "id": "h1", "tenant_id": "t1", "kind": "tax", "basis": "§ 147 AO", "ends_on": "2030-12-31", "state": "active",
    "everything": False, "collections": ["people"], "subjects": 2, "records": [], "key_id": "k1", "items": 7,
    "change": "extend", "change_to": "2031-12-31",
}  # fmt: skip
SEEN = {"hold": HOLD, "tenant_name": "Acme", "alone": True, "ended": False}
ARCHIVED = {
    "archive_id": "f1",
    "file": {
        "id": "doc", "version": 1, "subject": "ada", "size": 7, "content_type": "text/plain", "sha256": "00",
        "created_at": NOW, "updated_at": NOW,
    },
}  # fmt: skip
PAGE = {"records": [record()], "files": [ARCHIVED], "next": "c"}
ERASURE = {"id": "e1", "began_at": NOW, "until": "2030-12-31", "bases": ["§ 147 AO"]}
ENDING = {
    "id": "x1", "tenant_id": "t1", "side": "tenant", "state": "requested", "delete_from": NOW, "tenant_name": "Acme",
    "counts": {"records": 3},
}  # fmt: skip
CERTIFICATE = {"format": "x/v1", "certificate": {"number": 1}, "note": "n", "evidence": {}}
CALENDAR = {
    "since": NOW, "until": None, "unreadable_from": NOW, "gone_by": NOW, "backups_taken": True,
    "backups": [{"id": None, "server": "main", "kind": "wal", "taken_at": NOW, "expires_at": NOW}],
}  # fmt: skip
OF_T1 = "/api/v1/tenants/t1/holds/h1"

type Act = Callable[[Any], Any]
type Case = tuple[str, str, Act, str, Any, type]
"""The operation, the request line, the call, the body, the answer, and the type of the result."""

CASES: list[Case] = [
    ("retention.preview", "GET /api/v1/retention", lambda c: c.retention.preview(), "", [OUTLOOK], list),
    (
        "retention.run", "POST /api/v1/retention/run", lambda c: c.retention.run(), "",
        {"collections": {"people": 2}, "keys": 1}, Executed,
    ),
    ("retention.limits", "GET /api/v1/retention/limits", lambda c: c.retention.limits(), "", [LIMIT], list),
    (
        "retention.set_floor", "PUT /api/v1/retention/floors",
        lambda c: c.retention.set_floor("*", "P10Y", "§ 147 AO"),
        '{"collection":"*","at_least":"P10Y","basis":"§ 147 AO"}', LIMIT, RetentionLimit,
    ),
    (
        "retention.remove_floor", "DELETE /api/v1/retention/floors/%2A", lambda c: c.retention.remove_floor("*"), "",
        None, type(None),
    ),
    (
        "retention.limits_of", "GET /api/v1/tenants/t1/retention-limits", lambda c: c.retention.limits_of("t1"), "",
        [LIMIT], list,
    ),
    (
        "retention.set_ceiling", "PUT /api/v1/tenants/t1/retention-ceilings",
        lambda c: c.retention.set_ceiling("t1", "people", "P3Y", "Contract, section 7"),
        '{"collection":"people","at_most":"P3Y","basis":"Contract, section 7"}', LIMIT, RetentionLimit,
    ),
    (
        "retention.remove_ceiling", "DELETE /api/v1/tenants/t1/retention-ceilings/people",
        lambda c: c.retention.remove_ceiling("t1", "people"), "", None, type(None),
    ),
    ("holds.get", "GET /api/v1/holds/h1", lambda c: c.holds.get("h1"), "", HOLD, Hold),
    (
        "holds.request", "POST /api/v1/holds",
        lambda c: c.holds.request("tax", "§ 147 AO", DAY, subjects=["ada"], records=("r1",)),
        '{"kind":"tax","basis":"§ 147 AO","ends_on":"2030-12-31","everything":false,"collections":[],'
        '"subjects":["ada"],"records":["r1"]}',
        HOLD, Hold,
    ),
    ("holds.withdraw", "POST /api/v1/holds/h1/withdraw", lambda c: c.holds.withdraw("h1"), "", HOLD, Hold),
    ("holds.approve", "POST /api/v1/holds/h1/approve", lambda c: c.holds.approve("h1"), "", HOLD, Hold),
    ("holds.refuse", "POST /api/v1/holds/h1/refuse", lambda c: c.holds.refuse("h1"), "", HOLD, Hold),
    (
        "holds.lift", "POST /api/v1/holds/h1/lift", lambda c: c.holds.lift("h1", "placed_in_error"),
        '{"reason":"placed_in_error"}', HOLD, Hold,
    ),
    (
        "holds.extend", "POST /api/v1/holds/h1/extend", lambda c: c.holds.extend("h1", DAY),
        '{"ends_on":"2030-12-31"}', HOLD, Hold,
    ),
    (
        "holds.decide", "POST /api/v1/holds/h1/decide", lambda c: c.holds.decide("h1", approved=False),
        '{"approved":false}', HOLD, Hold,
    ),
    (
        "holds.look", "POST /api/v1/holds/h1/look", lambda c: c.holds.look("h1", "audit", cursor="c"),
        '{"purpose":"audit","cursor":"c"}', PAGE, ArchivePage,
    ),
    ("holds.waiting", "GET /api/v1/erasures", lambda c: c.holds.waiting(), "", [ERASURE], list),
    ("holds.get_for", f"GET {OF_T1}", lambda c: c.holds.get_for("t1", "h1"), "", SEEN, CustomerHold),
    ("holds.approve_for", f"POST {OF_T1}/approve", lambda c: c.holds.approve_for("t1", "h1"), "", HOLD, Hold),
    ("holds.refuse_for", f"POST {OF_T1}/refuse", lambda c: c.holds.refuse_for("t1", "h1"), "", HOLD, Hold),
    (
        "holds.decide_for", f"POST {OF_T1}/decide", lambda c: c.holds.decide_for("t1", "h1", approved=True),
        '{"approved":true}', HOLD, Hold,
    ),
    (
        "holds.lift_for", f"POST {OF_T1}/lift", lambda c: c.holds.lift_for("t1", "h1", "basis_ended"),
        '{"reason":"basis_ended"}', HOLD, Hold,
    ),
    (
        "holds.extend_for", f"POST {OF_T1}/extend", lambda c: c.holds.extend_for("t1", "h1", DAY),
        '{"ends_on":"2030-12-31"}', HOLD, Hold,
    ),
    (
        "holds.look_for", f"POST {OF_T1}/look", lambda c: c.holds.look_for("t1", "h1", "audit"),
        '{"purpose":"audit","cursor":null}', PAGE, ArchivePage,
    ),
    (
        "terminations.get_own", "GET /api/v1/termination", lambda c: c.terminations.get_own(), "", ENDING, Termination,
    ),
    (
        "terminations.request_own", "POST /api/v1/termination", lambda c: c.terminations.request_own(), "", ENDING,
        Termination,
    ),
    (
        "terminations.cancel_own", "POST /api/v1/termination/cancel", lambda c: c.terminations.cancel_own(), "", ENDING,
        Termination,
    ),
    ("terminations.list", "GET /api/v1/terminations", lambda c: c.terminations.list(), "", [ENDING], list),
    (
        "terminations.get", "GET /api/v1/tenants/t1/termination", lambda c: c.terminations.get("t1"), "", ENDING,
        Termination,
    ),
    (
        "terminations.request", "POST /api/v1/tenants/t1/termination",
        lambda c: c.terminations.request("t1", DAY, grace_days=0),
        '{"contract_ended_on":"2030-12-31","grace_days":0}', ENDING, Termination,
    ),
    (
        "terminations.cancel", "POST /api/v1/tenants/t1/termination/cancel", lambda c: c.terminations.cancel("t1"), "",
        ENDING, Termination,
    ),
    (
        "terminations.close", "POST /api/v1/tenants/t1/termination/close", lambda c: c.terminations.close("t1"), "",
        ENDING, Termination,
    ),
    (
        "terminations.certificate", "POST /api/v1/tenants/t1/certificates/2",
        lambda c: c.terminations.certificate("t1", 2), "", CERTIFICATE, Certificate,
    ),
    (
        "terminations.calendar", "GET /api/v1/rotation-calendar?subject=a%2Fb%20%C3%A9",
        lambda c: c.terminations.calendar("a/b é"), "", CALENDAR, RotationCalendar,
    ),
    (
        "terminations.calendar_of", "GET /api/v1/tenants/t1/rotation-calendar",
        lambda c: c.terminations.calendar_of("t1"), "", CALENDAR, RotationCalendar,
    ),
]  # fmt: skip
LISTS: list[tuple[str, str, Act, Any]] = [
    ("holds.list", "/api/v1/holds?state=active&limit=7", lambda c: c.holds.list(state="active", page_size=7), HOLD),
    (
        "holds.customers", "/api/v1/tenant-holds?waiting=true&tenant=t1",
        lambda c: c.holds.customers(waiting=True, tenant_id="t1"), SEEN,
    ),
]  # fmt: skip
STREAMS: list[tuple[str, str, Act, str]] = [
    (
        "holds.open_file", "POST /api/v1/holds/h1/files/f1/look", lambda c: c.holds.open_file("h1", "f1", "audit"),
        '{"purpose":"audit"}',
    ),
    (
        "holds.open_file_for", f"POST {OF_T1}/files/f1/look",
        lambda c: c.holds.open_file_for("t1", "h1", "f1", "audit"), '{"purpose":"audit"}',
    ),
    ("terminations.export", "POST /api/v1/export", lambda c: c.terminations.export(), ""),
    (
        "terminations.certificate_pdf", "POST /api/v1/tenants/t1/certificates/1/pdf",
        lambda c: c.terminations.certificate_pdf("t1"), "",
    ),
]  # fmt: skip


def test_every_operation_of_this_section_has_a_case() -> None:
    groups = {"retention": Retention, "holds": Holds, "terminations": Terminations}
    found = {
        f"{group}.{name}"
        for group, kind in groups.items()
        for name, value in vars(kind).items()
        if isinstance(value, Operation | Paged | Streamed)
    }
    assert found == {case[0] for case in [*CASES, *LISTS, *STREAMS]}


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
async def test_operation_sends_its_request_and_reads_its_answer(rig_of: RigOf, case: Case) -> None:
    _, request_line, act, body, answer, kind = case
    rig = rig_of(httpx2.Response(204) if answer is None else httpx2.Response(200, json=answer))
    result = await rig.one(act(rig.client))
    (request,) = rig.script.requests
    assert f"{request.method} {request.url.raw_path.decode()}" == request_line
    assert request.content.decode() == body
    assert isinstance(result, kind)


@pytest.mark.parametrize("case", LISTS, ids=[case[0] for case in LISTS])
async def test_list_goes_from_page_to_page(rig_of: RigOf, case: tuple[str, str, Act, Any]) -> None:
    _, target, act, item = case
    rig = rig_of(
        httpx2.Response(200, json={"items": [item], "next": "n"}),
        httpx2.Response(200, json={"items": [], "next": None}),
    )
    assert len(await rig.every(act(rig.client))) == 1
    assert [one.url.raw_path.decode() for one in rig.script.requests] == [target, f"{target}&cursor=n"]


@pytest.mark.parametrize("case", STREAMS, ids=[case[0] for case in STREAMS])
async def test_stream_is_read_by_whoever_opens_it(rig_of: RigOf, case: tuple[str, str, Act, str]) -> None:
    _, request_line, act, body = case
    rig = rig_of(httpx2.Response(200, content=b"whole", headers={"Content-Type": "application/octet-stream"}))
    head, content = await rig.streamed(act(rig.client))
    (request,) = rig.script.requests
    assert f"{request.method} {request.url.raw_path.decode()}" == request_line
    assert request.content.decode() == body
    assert (head.content_type, content) == ("application/octet-stream", b"whole")


async def test_what_a_hold_covers_and_what_was_asked_of_it_is_read_whole(rig_of: RigOf) -> None:
    rig = rig_of(httpx2.Response(200, json=SEEN), httpx2.Response(200, json=PAGE))
    seen = await rig.one(rig.client.holds.get_for("t1", "h1"))
    assert (seen.tenant_name, seen.alone, seen.hold.change, seen.hold.change_to) == (
        "Acme", True, "extend", date(2031, 12, 31),
    )  # fmt: skip
    page = await rig.one(rig.client.holds.look("h1", "audit"))
    assert (page.records[0].subject, page.files[0].archive_id, page.files[0].file.id, page.next) == (
        "ada", "f1", "doc", "c",
    )  # fmt: skip


@pytest.mark.parametrize(
    "status, code, error",
    [
        (403, "purpose_refused", Forbidden), (403, "step_up_required", Forbidden), (404, "not_found", NotFound),
        (409, "second_person_needed", Conflict), (409, "customer_decides", Conflict), (422, "invalid", Invalid),
    ],
)  # fmt: skip
async def test_refusals_are_errors_of_their_kind_and_are_not_sent_again(
    rig_of: RigOf, status: int, code: str, error: type[Exception]
) -> None:
    rig = rig_of(problem(status, code))
    with pytest.raises(error, match=code):
        await rig.one(rig.client.holds.look_for("t1", "h1", "audit"))
    rig = rig_of(problem(status, code))
    with pytest.raises(error, match=code):
        await rig.streamed(rig.client.holds.open_file_for("t1", "h1", "f1", "audit"))


@pytest.mark.parametrize("empty", [("", "h1"), ("t1", "")])
async def test_an_empty_id_reaches_no_other_thing(rig_of: RigOf, empty: tuple[str, str]) -> None:
    rig = rig_of()
    with pytest.raises(ValueError, match="empty"):
        await rig.one(rig.client.holds.look_for(*empty, "audit"))
