"""Every operation, on both clients: the request that `docs` promise, and a result of the right type."""

import ast
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

import bailee.client
from bailee.client import (
    ApiKey,
    Collection,
    Definition,
    ErasureReceipt,
    Measure,
    Record,
    Report,
    Session,
    SetupStarted,
    Tenant,
)
from bailee.client.binding import Batch, Group, Operation, Paged, Streamed
from bailee.client.groups import Surface
from tests.unit.client.conftest import RigOf
from tests.unit.client.harness import Rig, record

NOW = "2026-01-02T03:04:05Z"
COLLECTION = {
    "name": "people",
    "title": "People",
    "purpose": "Contracts",
    "subject": "required",
    "retention": "P3Y",
    "fields": {"email": {"type": "email", "category": "contact", "searchable": "email"}},
    "version": 1,
    "records": 0,
    "created_at": NOW,
    "updated_at": NOW,
}
TENANT = {"id": "t1", "name": "Acme", "state": "active", "plan": "standard", "features": []}
KEY = {"id": "k1", "name": "ci", "permissions": ["records:read"], "created_at": NOW, "token": "bailee_x"}
ACCOUNT = {"id": "a1", "email": "a@example.org", "name": "Ada", "role": "operator"}
SESSION = {"token": "bst_x", "expires_at": NOW, "account": ACCOUNT}
SETUP = {"account": ACCOUNT, "totp_secret": "S", "totp_uri": "otpauth://x", "confirmation": "c"}
RECEIPT = {"subject": "ada", "erased_at": NOW, "records": 2, "files": 1, "keys": 1, "event": "e1", "ledger_index": None}

type Act = Callable[[Any], Any]
type Case = tuple[str, Act, str, Any, type]

MEASURE = {"id": "1.1", "title": "Policies", "status": "holds"}

SINGLE: list[Case] = [
    (
        "PUT /api/v1/collections/people",
        lambda c: c.collections.put("people", Definition(title="People", purpose="Contracts", fields={})),
        '{"subject":"required","title":"People","purpose":"Contracts","fields":{}}',
        COLLECTION,
        Collection,
    ),
    ("GET /api/v1/collections/people", lambda c: c.collections.get("people"), "", COLLECTION, Collection),
    ("DELETE /api/v1/collections/people", lambda c: c.collections.delete("people"), "", None, type(None)),
    (
        "POST /api/v1/collections/people/records",
        lambda c: c.records.create("people", {"n": 1}, subject="ada"),
        '{"subject":"ada","data":{"n":1}}',
        record(),
        Record,
    ),
    ("GET /api/v1/collections/people/records/1", lambda c: c.records.get("people", "1"), "", record(), Record),
    (
        "PUT /api/v1/collections/people/records/1",
        lambda c: c.records.replace("people", "1", {"n": 2}, if_match=1),
        '{"data":{"n":2}}',
        record(),
        Record,
    ),
    (
        "PATCH /api/v1/collections/people/records/1",
        lambda c: c.records.patch("people", "1", {"n": 2}),
        '{"data":{"n":2}}',
        record(),
        Record,
    ),
    ("DELETE /api/v1/collections/people/records/1", lambda c: c.records.delete("people", "1"), "", None, type(None)),
    ("DELETE /api/v1/subjects/ada", lambda c: c.subjects.erase("ada"), "", RECEIPT, ErasureReceipt),
    ("DELETE /api/v1/files/a", lambda c: c.files.delete("a"), "", None, type(None)),
    ("GET /api/v1/measures/1.1", lambda c: c.measures.get("1.1"), "", MEASURE, Measure),
    ("GET /api/v1/measures", lambda c: c.measures.report(), "", {"measures": [MEASURE]}, Report),
    (
        "POST /api/v1/keys",
        lambda c: c.keys.create("ci", ["records:read"]),
        '{"name":"ci","permissions":["records:read"]}',
        KEY,
        ApiKey,
    ),
    ("DELETE /api/v1/keys/k1", lambda c: c.keys.revoke("k1"), "", None, type(None)),
    ("GET /api/v1/tenant", lambda c: c.tenants.own(), "", TENANT, Tenant),
    (
        "POST /api/v1/tenants",
        lambda c: c.tenants.create("Acme"),
        '{"name":"Acme","plan":"standard"}',
        TENANT,
        Tenant,
    ),
    ("GET /api/v1/tenants/t1", lambda c: c.tenants.get("t1"), "", TENANT, Tenant),
    ("PATCH /api/v1/tenants/t1", lambda c: c.tenants.change("t1", plan="pro"), '{"plan":"pro"}', TENANT, Tenant),
    ("POST /api/v1/tenants/t1/suspend", lambda c: c.tenants.suspend("t1"), "", TENANT, Tenant),
    ("POST /api/v1/tenants/t1/resume", lambda c: c.tenants.resume("t1"), "", TENANT, Tenant),
    ("POST /api/v1/tenants/t1/terminate", lambda c: c.tenants.terminate("t1"), "", TENANT, Tenant),
    ("POST /api/v1/tenants/t1/rotate-key", lambda c: c.tenants.rotate_key("t1"), "", None, type(None)),
    (
        "POST /api/v1/tenants/t1/keys",
        lambda c: c.tenants.keys.create("t1", "ci", []),
        '{"name":"ci","permissions":[]}',
        KEY,
        ApiKey,
    ),
    ("DELETE /api/v1/tenants/t1/keys/k1", lambda c: c.tenants.keys.revoke("t1", "k1"), "", None, type(None)),
    (
        "POST /api/v1/session",
        lambda c: c.session.sign_in("a@example.org", "p", "123456"),
        '{"email":"a@example.org","password":"p","code":"123456"}',
        SESSION,
        Session,
    ),
    ("GET /api/v1/session", lambda c: c.session.get(), "", SESSION, Session),
    ("DELETE /api/v1/session", lambda c: c.session.sign_out(), "", None, type(None)),
    (
        "POST /api/v1/setup",
        lambda c: c.setup.start("t", email="a@example.org", name="Ada", password="p"),
        '{"token":"t","email":"a@example.org","name":"Ada","password":"p"}',
        SETUP,
        SetupStarted,
    ),
    (
        "POST /api/v1/setup/confirm",
        lambda c: c.setup.confirm("c", "123456"),
        '{"confirmation":"c","code":"123456"}',
        SESSION,
        Session,
    ),
    ("GET /api/v1/ledger/proof?event=e1", lambda c: c.ledger.proof("e1"), "", {"items": []}, dict),
    ("POST /api/v1/ledger/bundle", lambda c: c.ledger.bundle(["e1"]), '{"events":["e1"]}', {"items": []}, dict),
    ("GET /health", lambda c: c.health(), "", {"status": "ok"}, dict),
]

LISTS: list[tuple[str, Act, Any]] = [
    ("/api/v1/collections?limit=7", lambda c: c.collections.list(page_size=7), COLLECTION),
    ("/api/v1/keys", lambda c: c.keys.list(), KEY),
    ("/api/v1/tenants", lambda c: c.tenants.list(), TENANT),
    ("/api/v1/tenants/t1/keys", lambda c: c.tenants.keys.list("t1"), KEY),
    ("/api/v1/tenants/t1/collections", lambda c: c.tenants.collections("t1"), {"name": "people", "records": 3}),
    (
        "/api/v1/files?subject=ada",
        lambda c: c.files.list(subject="ada"),
        {"id": "a", "version": 1, "size": 1, "created_at": NOW, "updated_at": NOW},
    ),
]


@pytest.mark.parametrize("case", SINGLE, ids=[line for line, *_ in SINGLE])
async def test_operation_sends_its_request_and_reads_its_answer(rig_of: RigOf, case: Case) -> None:
    request_line, act, body, answer, kind = case
    rig = rig_of(httpx2.Response(204) if answer is None else httpx2.Response(200, json=answer))
    result = await rig.one(act(rig.client))
    (request,) = rig.script.requests
    assert f"{request.method} {request.url.raw_path.decode()}" == request_line
    assert request.content.decode() == body
    assert isinstance(result, kind)


@pytest.mark.parametrize("target, act, item", LISTS, ids=[target for target, *_ in LISTS])
async def test_list_asks_for_its_items(rig_of: RigOf, target: str, act: Act, item: Any) -> None:
    rig = rig_of(httpx2.Response(200, json={"items": [item], "next": None}))
    assert len(await rig.every(act(rig.client))) == 1
    assert rig.script.requests[0].url.raw_path.decode() == target


async def test_checkpoint_is_text(rig_of: RigOf) -> None:
    rig = rig_of(httpx2.Response(200, text="bailee.test/ledger\n7\n"))
    assert await rig.one(rig.client.ledger.checkpoint()) == "bailee.test/ledger\n7\n"


def _operations(surface: Surface[Any]) -> dict[str, Operation[..., Any] | Paged[..., Any] | Any]:
    found = {}
    groups = {"": surface} | {name: value for name, value in vars(surface).items() if isinstance(value, Group)}
    groups["tenants.keys"] = surface.tenants.keys
    for prefix, group in groups.items():
        for name, value in inspect.getmembers_static(type(group)):
            if isinstance(value, Operation | Paged | Batch | Streamed):
                found[f"{prefix}.{name}".lstrip(".")] = value
    return found


async def test_every_operation_is_documented_and_keeps_its_parameters() -> None:
    rig = Rig("blocking")
    operations = _operations(rig.client)
    assert len(operations) > 45
    for name, operation in operations.items():
        method = rig.client
        for part in name.split("."):
            method = getattr(method, part)
        assert operation.__doc__, f"{name} has no docstring"
        assert inspect.signature(method).parameters == inspect.signature(operation.build).parameters
    await rig.close()


def test_client_imports_nothing_of_the_server() -> None:
    for path in Path(bailee.client.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                assert not any(alias.name.startswith("bailee") for alias in node.names), path
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("bailee"):
                assert (node.module or "").startswith("bailee.client."), path
