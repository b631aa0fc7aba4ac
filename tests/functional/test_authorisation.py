"""One tenant's key against another tenant's things; test_authorisation_matrix.py tries who may call which route."""

import json
import re
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from bailee.access.permissions import SCOPES
from tests.functional.instance import Demo

OF_STAFF = re.compile(
    r"^/api/v1/(tenants|staff|incidents|support-cases/\{case\}/records|measures/\{measure\}/(history|check))(/|$)"
)
UNKNOWN = "01890000-0000-7000-8000-000000000000"
METHODS = ("get", "put", "post", "patch", "delete", "head")

type Operation = tuple[str, str, str]


@pytest.fixture(scope="module")
def tenants(demo: Demo) -> tuple[dict[str, str], dict[str, str]]:
    """One that has something, and one that is after it."""
    own, foreign = (demo.new_tenant(name, sorted(SCOPES)) for name in ("Own", "Foreign"))
    return own, foreign


def _operations(http: httpx2.Client) -> list[Operation]:
    answer = http.get("/api/v1/openapi.json")
    assert answer.status_code == 200
    return [
        (method, path, operation["operationId"])
        for path, item in answer.json()["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    ]


def _call(http: httpx2.Client, operation: Operation, token: str, places: dict[str, str]) -> int:
    method, path, name = operation
    for part in re.findall(r"\{(\w+)\}", path):
        default = {"action": "suspend", "measure": "3.1", "name": "none"}.get(part, UNKNOWN)
        path = path.replace(f"{{{part}}}", places.get(part, default))
    headers = {"Content-Type": "application/x-ndjson"} if name.startswith("batch") else {}
    headers["Authorization"] = f"Bearer {token}"
    content = b"{}\n" if method in ("post", "put", "patch") else None
    return http.request(method, path, headers=headers, content=content).status_code


def test_foreign_key_finds_nothing_of_another_tenant(
    demo: Demo, tenants: tuple[dict[str, str], dict[str, str]]
) -> None:
    own, foreign = (tenant["api_key"] for tenant in tenants)
    definition: dict[str, Any] = {
        "title": "T", "purpose": "P", "subject": "optional",
        "fields": {"a": {"type": "string", "category": "identity"}},
    }  # fmt: skip
    with demo.open(own) as owner, demo.http() as http:
        owner.collections.put("secret", definition)
        record = owner.records.create("secret", {"a": "x"}, subject="person")
        owner.files.put("secret.txt", b"x", subject="person")
        key = owner.keys.create("kept", ["records:read"])
        event = owner.events.page(limit=1).items[0]
        places = {"name": "secret", "record": record.id, "file": "secret.txt", "subject": "person", "key": key.id}
        concerned = [
            one for one in _operations(http)
            if re.search(r"\{(record|file|subject|key|name)\}", one[1]) and not OF_STAFF.match(one[1])
            and one[2] not in {"defineCollection", "storeFile", "defineEventType"}
            and one[2] not in {"removeRetentionFloor", "openHeldFile"}  # for people alone: no scope of a key has them
        ]  # fmt: skip
        answers = {one[2]: _call(http, one, foreign, places) for one in concerned}
        proof = http.get(
            "/api/v1/ledger/proof", params={"event": event.id}, headers={"Authorization": f"Bearer {foreign}"}
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


def test_tenant_in_the_body_is_no_way_in(demo: Demo, tenants: tuple[dict[str, str], dict[str, str]]) -> None:
    own, foreign = tenants
    with demo.http(foreign["api_key"]) as http:
        body = {"name": "x", "permissions": ["records:read"], "tenant_id": own["id"]}
        assert http.post("/api/v1/keys", json=body).status_code == 422
        events = http.get("/api/v1/events", params={"tenant": own["id"]})
    assert events.json().get("items", []) == []


def _slowly(demo: Demo, token: str, change: Callable[[], object]) -> str:
    """The status of a request whose last byte comes after `change`, and more than a second after the others."""
    body = json.dumps({"email": "slow@people.example", "name": "Slow", "roles": ["auditor"]}).encode()
    head = (
        f"POST /api/v1/staff/invitations HTTP/1.1\r\nHost: localhost:{demo.port}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    context = ssl.create_default_context(cafile=str(demo.ca_file))
    with (
        socket.create_connection(("127.0.0.1", demo.port), 5) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as tls,
    ):
        tls.sendall(head.encode() + body[:-1])
        time.sleep(1.2)
        change()
        tls.sendall(body[-1:])
        return tls.recv(4096).partition(b"\r\n")[0].decode().split()[1]


def test_rights_that_are_lost_while_a_body_is_on_its_way_are_lost(demo: Demo) -> None:
    """Else somebody about to be dismissed opens a hundred requests, and finishes them afterwards."""
    assert _slowly(demo, demo.invite_staff(["security_officer"]).token, lambda: None) == "201"
    gone = demo.invite_staff(["security_officer"])
    with demo.staff_client() as owner:
        assert _slowly(demo, gone.token, lambda: owner.staff.disable(gone.id)) == "401"
    late = demo.invite_staff(["security_officer"])
    stale = "UPDATE sessions SET mfa_at = now() - interval '6 minutes' WHERE account_id = %s"

    def age() -> None:
        demo.sql(stale, (late_id,))
        demo.sql("SELECT pg_notify('bailee_access', '')")
        time.sleep(1)  # a commit of the product is heard at once where it was made; this one comes from outside

    late_id = late.id
    assert _slowly(demo, late.token, age) in ("401", "403")
