"""What a legal hold keeps is out of reach of everything ordinary: every route that gives out what a tenant stores,
tried before a hold and during it.

The routes come from the program itself (`bailee authorisation`), and which of them give out data from the events that
their verbs record: a new one that is neither tried here nor exempt for a reason fails.
"""

import io
import json
import secrets
import sys
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import httpx2
import msgspec
import pytest

import bailee.web.app  # noqa: F401  imported for what it imports: every service
from bailee.access.permissions import STAFF_PERMISSIONS, TENANT_PERMISSIONS, TENANT_ROLES
from bailee.events.catalogue import catalogue
from bailee.events.verbs import PLACES, find_verbs
from tests.functional.instance import Demo, Person, eventually

pytestmark = [pytest.mark.functional, pytest.mark.timeout(240)]

UNKNOWN = "01890000-0000-7000-8000-000000000000"
NDJSON = {"Content-Type": "application/x-ndjson"}
MERGE = {"Content-Type": "application/merge-patch+json"}
DEFINITION = {
    "title": "Letters", "purpose": "Trade", "subject": "required",
    "fields": {
        "text": {"type": "string", "category": "free_text", "searchable": True},
        "read": {"type": "boolean", "category": "none"},
    },
}  # fmt: skip


class World(msgspec.Struct):
    """A tenant that stores a record and a file of one person, and those who look for them."""

    tenant: str
    owner: Person
    helper: Person
    """Of the operator's staff, with a case that covers all of it."""
    officer: Person
    """The operator's data protection."""
    case: str
    subject: str
    text: str
    """Stands in the record and nowhere else."""
    content: str
    """Stands in the file and nowhere else."""
    file: str
    """What the file is called."""
    record: str = ""
    hold: str = ""

    @property
    def marks(self) -> list[str]:
        return [self.text, self.content, self.file]


type Requests = Callable[[World], list[dict[str, Any]]]
"""What to send to a route, so that its answer would hold something of the person; `by` is whoever sends it."""


def _owner(path: str, **of: Any) -> dict[str, Any]:
    return {"by": "owner", "url": path, **of}


def _helper(path: str) -> dict[str, Any]:
    return {"by": "helper", "url": path}


RECORDS = "/api/v1/collections/letters/records"
CASES: dict[str, Requests] = {
    "GET /api/v1/collections/{name:str}/records": lambda w: [
        _owner(RECORDS), _owner(f"{RECORDS}?{urlencode({'where.text': w.text})}"),
        _owner(f"{RECORDS}?{urlencode({'subject': w.subject})}"),
    ],
    "GET /api/v1/collections/{name:str}/records/{record:str}": lambda w: [_owner(f"{RECORDS}/{w.record}")],
    "POST /api/v1/collections/{name:str}/records/read": lambda w: [
        _owner(f"{RECORDS}/read", content=json.dumps({"id": w.record}).encode() + b"\n", headers=NDJSON)
    ],
    "PATCH /api/v1/collections/{name:str}/records/{record:str}": lambda w: [
        _owner(f"{RECORDS}/{w.record}", content=b'{"data": {"read": true}}', headers=MERGE)
    ],
    "GET /api/v1/files": lambda w: [
        _owner("/api/v1/files"), _owner(f"/api/v1/files?{urlencode({'subject': w.subject})}"),
    ],
    "GET /api/v1/files/{file:str}": lambda w: [
        _owner(f"/api/v1/files/{w.file}"), _owner(f"/api/v1/files/{w.file}", headers={"Range": "bytes=0-99"}),
    ],
    "GET /api/v1/subjects/{subject:path}": lambda w: [_owner(f"/api/v1/subjects/{w.subject}")],
    "POST /api/v1/export": lambda _: [_owner("/api/v1/export")],
    "POST /termination/export": lambda _: [_owner("/termination/export", data={"x": "y"})],
    "GET /api/v1/support-cases/{case:str}/records": lambda w: [_helper(f"/api/v1/support-cases/{w.case}/records")],
    "GET /api/v1/support-cases/{case:str}/records/{record:str}": lambda w: [
        _helper(f"/api/v1/support-cases/{w.case}/records/{w.record}")
    ],
    "GET /support/{case:str}/records": lambda w: [_helper(f"/support/{w.case}/records")],
}  # fmt: skip
_SENT = "answers with what was sent"
_REMOVES = "gives nothing out"
_ARCHIVE = "the way into the archive itself: for a purpose, on record"
_DATES = "the dates of backups, and nothing of the person"
EXEMPT = {
    "POST /api/v1/collections/{name:str}/records": _SENT,
    "POST /api/v1/collections/{name:str}/records/batch": "answers with ids",
    "PUT /api/v1/collections/{name:str}/records/{record:str}": _SENT,
    "PUT /api/v1/files/{file:str}": _SENT,
    "DELETE /api/v1/collections/{name:str}/records/{record:str}": _REMOVES,
    "DELETE /api/v1/files/{file:str}": _REMOVES,
    "DELETE /api/v1/subjects/{subject:path}": _REMOVES,
    "GET /api/v1/rotation-calendar": _DATES,
    "GET /retention/calendar": _DATES,
    "POST /retention/calendar": _DATES,
    **{
        f"POST {place}{way}": _ARCHIVE
        for place, ways in {
            "/api/v1/holds/{hold:str}": ("/look", "/files/{file:str}/look"),
            "/api/v1/tenants/{tenant:str}/holds/{hold:str}": ("/look", "/files/{file:str}/look"),
            "/holds/{hold:str}": ("/look", "/files/{file:str}"),
            "/tenants/{tenant:str}/holds/{hold:str}": ("/look", "/files/{file:str}"),
        }.items()
        for way in ways
    },
}
"""Routes that could be thought to give out data, and why they do not, or may."""


def giving() -> frozenset[str]:
    """The permissions of whatever gives out what is stored: by the events of their verbs, and by their names."""
    kinds = catalogue()
    modules = [module for name, module in list(sys.modules.items()) if name.startswith("bailee.")]
    specs = [spec for module in modules for spec in find_verbs(module) if spec.permission not in PLACES]
    by_event = {spec.permission for spec in specs if any(kinds[action].reach is not None for action in spec.actions)}
    everything = STAFF_PERMISSIONS | TENANT_PERMISSIONS
    return frozenset(by_event | {one for one in everything if one.split(".")[0] in ("records", "files", "subjects")})


@pytest.fixture(scope="module")
def routes(demo: Demo) -> list[dict[str, Any]]:
    answer = demo.cli("authorisation", "--json")
    assert answer.returncode == 0, answer.stderr
    found: list[dict[str, Any]] = json.loads(answer.stdout)["routes"]
    return found


@pytest.fixture(scope="module")
def world(demo: Demo) -> World:
    mark = secrets.token_hex(8)
    tenant = demo.new_tenant("Held data", ["records:read"])["id"]
    owner, helper = demo.tenant_owner(tenant), demo.invite_staff(["support"])
    made = World(
        tenant, owner, helper, demo.invite_staff(["data_protection"]), "", f"person-{mark}", f"text{mark}",
        f"content{mark}", f"file-{mark}",
    )  # fmt: skip
    with demo.http(owner.token) as http:
        http.put("/api/v1/collections/letters", json=DEFINITION).raise_for_status()
        body = {"subject": made.subject, "data": {"text": made.text, "read": False}}
        made.record = http.post(RECORDS, json=body).raise_for_status().json()["id"]
        query = urlencode({"subject": made.subject})
        http.put(f"/api/v1/files/{made.file}?{query}", content=made.content.encode()).raise_for_status()
    with demo.http(helper.token) as http:
        wanted = {"tenant": tenant, "reason": "Looking for it.", "hours": 2, "collections": ["letters"]}
        made.case = http.post("/api/v1/support-cases", json=wanted).raise_for_status().json()["id"]
    with demo.http(owner.token) as http:
        http.post(f"/api/v1/support-cases/{made.case}/grant", json={}).raise_for_status()
    return made


def _as(demo: Demo, person: Person, url: str) -> httpx2.Client:
    """Somebody who asks for a route of the API, or for a page."""
    if url.startswith("/api/"):
        return demo.http(person.token)
    http = demo.http()
    http.headers["Cookie"] = f"__Host-bailee={person.token}"
    http.headers["Origin"] = demo.base_url
    return http


def _send(demo: Demo, world: World, method: str, request: dict[str, Any]) -> httpx2.Response:
    by, url, rest = request["by"], request["url"], {name: request[name] for name in request.keys() - {"by", "url"}}
    with _as(demo, getattr(world, by), url) as http:
        return http.request(method, url, follow_redirects=False, **rest)


def _said(answer: httpx2.Response) -> bytes:
    """All of it, what is packed too."""
    if answer.headers.get("content-type") != "application/zip":
        return answer.content
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        return b"\n".join([name.encode() + archive.read(name) for name in archive.namelist()])


def _found(answer: httpx2.Response, world: World) -> list[str]:
    said = _said(answer)
    return [mark for mark in world.marks if mark.encode() in said]


def test_every_route_that_gives_out_data_is_tried_or_exempt(routes: list[dict[str, Any]]) -> None:
    permissions = giving()
    assert {"records.read", "files.open", "subjects.view", "support_cases.list_records", "tenant.export"} <= permissions
    given = {f"{one['method']} {one['path']}" for one in routes if not permissions.isdisjoint(one["permissions"])}
    assert given == CASES.keys() | EXEMPT.keys()
    assert CASES.keys().isdisjoint(EXEMPT)


def test_before_a_hold_each_of_them_gives_it_out(demo: Demo, world: World) -> None:
    """Or the next test would prove nothing."""
    assert not world.hold
    for route, requests in CASES.items():
        for request in requests(world):
            answer = _send(demo, world, route.partition(" ")[0], request)
            assert answer.is_success, f"{route}: {answer.status_code} {answer.text[:200]}"
            assert _found(answer, world), f"{route} gives nothing of it out: {request}"


@pytest.fixture(scope="module")
def held(demo: Demo, world: World) -> World:
    """The same with everything in the archive."""
    second = demo.new_member(world.tenant, "privacy_officer")
    until = f"{datetime.now(UTC).date() + timedelta(days=90)}"
    wanted = {"kind": "litigation", "basis": "Case 1", "ends_on": until, "subjects": [world.subject]}
    with demo.http(world.owner.token) as mine, demo.http(second.token) as theirs:
        world.hold = mine.post("/api/v1/holds", json=wanted).raise_for_status().json()["id"]
        path = f"/api/v1/holds/{world.hold}"
        theirs.post(f"{path}/approve").raise_for_status()
        eventually(lambda: mine.get(path).json()["moved_at"], seconds=30, what="the data is moved")
        assert mine.get(path).json()["items"] == 2
    return world


def test_during_a_hold_none_of_them_gives_anything_of_it_out(demo: Demo, held: World) -> None:
    faults = []
    for route, requests in CASES.items():
        for request in requests(held):
            answer = _send(demo, held, route.partition(" ")[0], request)
            if answer.status_code >= 500 or _found(answer, held):
                faults.append(f"{route} {request}: {answer.status_code} {_found(answer, held)}")
    assert not faults, "\n".join(faults)


def test_during_a_hold_nobody_changes_replaces_or_deletes_it(demo: Demo, held: World) -> None:
    body = {"data": {"text": "other", "read": True}}
    with demo.http(held.owner.token) as http:
        place = f"{RECORDS}/{held.record}"
        answers = [
            http.put(place, json=body), http.patch(place, content=json.dumps(body), headers=MERGE), http.delete(place),
            http.delete(f"/api/v1/files/{held.file}"),
        ]  # fmt: skip
        assert [one.status_code for one in answers] == [404] * 4
        seen = http.post(f"/api/v1/holds/{held.hold}/look", json={"purpose": "legal_claim"}).json()
    assert [one["data"]["text"] for one in seen["records"]] == [held.text]
    assert [one["file"]["id"] for one in seen["files"]] == [held.file]


def _filled(path: str, known: dict[str, str]) -> str:
    """A route's path with something in the place of each parameter."""
    for part in path.split("{")[1:]:
        parameter = part.partition("}")[0]
        name, _, kind = parameter.partition(":")
        path = path.replace("{" + parameter + "}", "1" if kind == "int" else known.get(name, UNKNOWN))
    return path


def _shows(http: httpx2.Client, path: str, world: World) -> list[str]:
    """What is wrong with an answer; what stood in the question may stand in it."""
    answer = http.get(path, follow_redirects=False)
    marks = [mark for mark in _found(answer, world) if mark not in path]
    return [f"{path}: {answer.status_code} {marks}"] if answer.status_code >= 500 or marks else []


def test_nothing_else_that_can_be_read_shows_any_of_it(
    demo: Demo, held: World, routes: list[dict[str, Any]]
) -> None:  # fmt: skip
    """Every GET of the API and of the console, as the customer's owner, as the helper and as data protection."""
    known = {
        "name": "letters", "collection": "letters", "record": held.record, "file": held.file, "subject": held.subject,
        "tenant": held.tenant, "hold": held.hold, "case": held.case, "account": held.owner.id,
    }  # fmt: skip
    paths = [
        _filled(route["path"], known)
        for route in routes
        if route["method"] == "GET" and route["access"] != "anyone"
    ]  # fmt: skip
    tried, faults = 0, []
    for by in ("owner", "helper", "officer"):
        for start in ("/api/", "/"):
            with _as(demo, getattr(held, by), start) as http:
                for path in paths:
                    if path.startswith("/api/") is (start == "/api/"):
                        tried += 1
                        faults += [f"as {by}: {fault}" for fault in _shows(http, path, held)]
    assert tried > 300
    assert not faults, "\n".join(faults)


def test_the_export_lists_the_hold_and_nothing_of_what_it_keeps(demo: Demo, held: World) -> None:
    answer = _send(demo, held, "POST", {"by": "owner", "url": "/api/v1/export"})
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        holds = [json.loads(line) for line in archive.read("holds.ndjson").splitlines()]
        assert [one["id"] for one in holds] == [held.hold]
        assert archive.read("collections/letters/records.ndjson") == b""
        assert archive.read("files.ndjson") == b""
        assert held.subject.encode() not in _said(answer)


def test_the_archive_is_for_those_who_hold_the_permission(demo: Demo, held: World) -> None:
    """And for nobody of the operator, as long as the customer has people of its own."""
    look = {"purpose": "legal_claim"}
    for role in TENANT_ROLES.keys() - {"owner", "privacy_officer"}:
        with demo.http(demo.new_member(held.tenant, role).token) as http:
            assert http.post(f"/api/v1/holds/{held.hold}/look", json=look).status_code == 403, role
    with demo.http(held.officer.token) as http:
        answer = http.post(f"/api/v1/tenants/{held.tenant}/holds/{held.hold}/look", json=look)
        assert (answer.status_code, answer.json()["code"]) == (409, "customer_decides")
        assert _found(answer, held) == []
