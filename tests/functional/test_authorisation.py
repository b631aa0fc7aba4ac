"""Who may call what: every operation of the OpenAPI document, as everybody who should not.

The operations come from the document that the product serves, so a new route is covered by itself.
"""

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from bailee.access.permissions import TENANT_PERMISSIONS
from tests.functional.instance import Demo

OPEN = {
    "beginSetup",
    "confirmSetup",
    "signIn",
    "getHealth",
    "getCheckpoint",
    "getLedgerKeys",
    "getTile",
    "proveConsistency",
}
SESSION = {"getSession", "signOut"}
STAFF_ONLY = re.compile(r"^/api/v1/(tenants|measures/\{measure\}/(history|check))(/|$)")
BOTH = {"listEvents", "proveEvent", "bundleEvents", "listMeasures", "getMeasure"}
UNKNOWN = "01890000-0000-7000-8000-000000000000"
METHODS = ("get", "put", "post", "patch", "delete", "head")

type Operation = tuple[str, str, str]


@pytest.fixture(scope="module")
def people(demo: Demo) -> dict[str, str]:
    """The tokens of everybody that tries."""
    tenant = demo.new_tenant("Matrix", sorted(TENANT_PERMISSIONS))
    other = demo.new_tenant("Foreign", sorted(TENANT_PERMISSIONS))
    with demo.open(tenant["api_key"]) as client:
        narrow = client.keys.create("narrow", ["files:read"])
        revoked = client.keys.create("revoked", sorted(TENANT_PERMISSIONS))
        client.keys.revoke(revoked.id)
        soon = datetime.now(UTC) + timedelta(seconds=2)
        expired = client.keys.create("expired", sorted(TENANT_PERMISSIONS), expires_at=soon)
    time.sleep(2.2)
    return {
        "own": tenant["api_key"], "foreign": other["api_key"], "narrow": narrow.token or "",
        "revoked": revoked.token or "", "expired": expired.token or "", "tenant_id": tenant["id"],
    }  # fmt: skip


@pytest.fixture(scope="module")
def operations(demo: Demo, people: dict[str, str]) -> list[Operation]:
    with demo.http(people["own"]) as http:
        answer = http.get("/api/v1/openapi.json")
    assert answer.status_code == 200
    found = [
        (method, path, operation["operationId"])
        for path, item in answer.json()["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    ]
    assert len(found) > 40
    return found


@pytest.fixture(scope="module")
def http(demo: Demo) -> Iterator[httpx2.Client]:
    with demo.http() as opened:
        yield opened


def _call(http: httpx2.Client, operation: Operation, token: str | None, places: dict[str, str] | None = None) -> int:
    method, path, name = operation
    for part in re.findall(r"\{(\w+)\}", path):
        default = {"action": "suspend", "measure": "3.1", "name": "none"}.get(part, UNKNOWN)
        path = path.replace(f"{{{part}}}", (places or {}).get(part, default))
    headers = {"Content-Type": "application/x-ndjson"} if name.startswith("batch") else {}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    content = b"{}\n" if method in ("post", "put", "patch") else None
    return http.request(method, path, headers=headers, content=content).status_code


def _closed(operations: list[Operation]) -> list[Operation]:
    return [one for one in operations if one[2] not in OPEN]


@pytest.mark.parametrize("who", ["nobody", "revoked", "expired", "garbage"])
def test_nobody_gets_in_without_a_good_token(
    http: httpx2.Client, operations: list[Operation], people: dict[str, str], who: str
) -> None:
    token = {"nobody": None, "garbage": "bailee_garbage"}.get(who, people.get(who))
    answers = {one[2]: _call(http, one, token) for one in _closed(operations)}
    assert {name: status for name, status in answers.items() if status != 401} == {}


def test_key_without_the_permission_is_forbidden(
    http: httpx2.Client, operations: list[Operation], people: dict[str, str]
) -> None:
    answers = {one[2]: _call(http, one, people["narrow"]) for one in _closed(operations)}
    allowed = {"getFile", "headFile", "listFiles"}
    assert {name: answers.pop(name) for name in allowed} == {"getFile": 404, "headFile": 404, "listFiles": 200}
    assert {name: answers.pop(name) for name in SESSION} == dict.fromkeys(SESSION, 401)
    assert {name: status for name, status in answers.items() if status != 403} == {}


def test_staff_reach_no_route_of_a_tenant(
    demo: Demo, http: httpx2.Client, operations: list[Operation], people: dict[str, str]
) -> None:
    tenants_routes = [
        one for one in _closed(operations) if not STAFF_ONLY.match(one[1]) and one[2] not in BOTH | SESSION
    ]
    assert len(tenants_routes) > 20
    answers = {one[2]: _call(http, one, demo.staff_token) for one in tenants_routes}
    assert {name: status for name, status in answers.items() if status != 403} == {}


def test_tenant_key_reaches_no_route_of_staff(
    http: httpx2.Client, operations: list[Operation], people: dict[str, str]
) -> None:
    staff_routes = [one for one in operations if STAFF_ONLY.match(one[1])]
    assert len(staff_routes) > 10
    places = {"tenant": people["tenant_id"]}
    answers = {one[2]: _call(http, one, people["own"], places) for one in staff_routes}
    assert {name: status for name, status in answers.items() if status != 403} == {}


def test_foreign_key_finds_nothing_of_another_tenant(
    demo: Demo, http: httpx2.Client, operations: list[Operation], people: dict[str, str]
) -> None:
    definition: dict[str, Any] = {
        "title": "T", "purpose": "P", "subject": "optional",
        "fields": {"a": {"type": "string", "category": "identity"}},
    }  # fmt: skip
    with demo.open(people["own"]) as owner:
        owner.collections.put("secret", definition)
        record = owner.records.create("secret", {"a": "x"}, subject="person")
        owner.files.put("secret.txt", b"x", subject="person")
        key = owner.keys.create("kept", ["records:read"])
        event = owner.events.page(limit=1).items[0]
        places = {"name": "secret", "record": record.id, "file": "secret.txt", "subject": "person", "key": key.id}
        concerned = [
            one for one in _closed(operations)
            if re.search(r"\{(record|file|subject|key|name)\}", one[1]) and not STAFF_ONLY.match(one[1])
            and one[2] not in {"defineCollection", "storeFile"}
        ]  # fmt: skip
        answers = {one[2]: _call(http, one, people["foreign"], places) for one in concerned}
        proof = http.get(
            "/api/v1/ledger/proof", params={"event": event.id}, headers={"Authorization": f"Bearer {people['foreign']}"}
        )
        assert proof.status_code == 404
        # Bodies of `{}` are refused before anything is looked for; everything else names nothing.
        assert {name: status for name, status in answers.items() if status not in (404, 422)} in (
            {}, {"batchWriteRecords": 200, "batchReadRecords": 200}, {"batchReadRecords": 200},
            {"eraseSubject": 200, "batchReadRecords": 200}, {"eraseSubject": 200},
        )  # fmt: skip
        assert owner.records.get("secret", record.id).version == 1
        assert owner.files.head("secret.txt").size == 1
        assert len(owner.subjects.get("person").records) == 1
        assert not next(one for one in owner.keys.list() if one.id == key.id).revoked_at


def test_tenant_in_the_body_is_no_way_in(demo: Demo, people: dict[str, str]) -> None:
    with demo.http(people["foreign"]) as http:
        body = {"name": "x", "permissions": ["records:read"], "tenant_id": people["tenant_id"]}
        assert http.post("/api/v1/keys", json=body).status_code == 422
        events = http.get("/api/v1/events", params={"tenant": people["tenant_id"]})
    assert events.json().get("items", []) == []
