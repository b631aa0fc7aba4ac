"""The main path of the API, as a customer's product takes it."""

import hashlib
import json
import random
import uuid
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from bailee.access.permissions import SCOPES
from bailee.client import Client, Conflict, Invalid, NotFound, Unauthorized, VersionMismatch
from tests.functional.instance import Demo

PEOPLE: dict[str, Any] = {
    "title": "People",
    "purpose": "Tests",
    "subject": "optional",
    "fields": {
        "name": {"type": "string", "category": "identity", "required": True, "searchable": True},
        "email": {"type": "email", "category": "contact", "searchable": True},
        "age": {"type": "integer", "category": "demographic", "minimum": 0},
    },
}


@pytest.fixture(scope="module")
def tenant(demo: Demo) -> dict[str, str]:
    return demo.new_tenant("API test", sorted(SCOPES))


@pytest.fixture
def client(demo: Demo, tenant: dict[str, str]) -> Iterator[Client]:
    with demo.open(tenant["api_key"]) as opened:
        opened.collections.put("people", PEOPLE)
        yield opened


@pytest.fixture
def http(demo: Demo, tenant: dict[str, str]) -> Iterator[httpx2.Client]:
    with demo.http(tenant["api_key"]) as opened:
        yield opened


def test_collection_lives_and_ends_only_when_empty(client: Client) -> None:
    assert client.collections.put("things", PEOPLE).version == 1
    assert client.collections.put("things", PEOPLE).version == 1
    assert "things" in [one.name for one in client.collections.list()]
    record = client.records.create("things", {"name": "Ada"})
    with pytest.raises(Conflict):
        client.collections.delete("things")
    client.records.delete("things", record.id)
    client.collections.delete("things")
    with pytest.raises(NotFound):
        client.collections.get("things")


def test_record_is_changed_only_at_the_version_seen(client: Client) -> None:
    record = client.records.create("people", {"name": "Ada", "age": 36}, subject="ada")
    changed = client.records.patch("people", record.id, {"age": None}, if_match=1)
    assert (changed.version, changed.data) == (2, {"name": "Ada"})
    for act in (client.records.patch, client.records.replace):
        with pytest.raises(VersionMismatch) as stale:
            act("people", record.id, {"name": "Eve"}, if_match=1)
        assert stale.value.code == "version_mismatch"
    with pytest.raises(VersionMismatch):
        client.records.delete("people", record.id, if_match=1)
    assert client.records.replace("people", record.id, {"name": "Grace"}, if_match="*").version == 3
    client.records.delete("people", record.id, if_match=3)
    with pytest.raises(NotFound):
        client.records.get("people", record.id)


def test_known_version_is_not_sent_again(client: Client, http: httpx2.Client) -> None:
    record = client.records.create("people", {"name": "Ada"})
    path = f"/api/v1/collections/people/records/{record.id}"
    first = http.get(path)
    assert first.headers["ETag"] == '"1"'
    again = http.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert http.get(path, headers={"If-None-Match": '"9"'}).status_code == 200


def test_repeated_request_is_done_once(client: Client, http: httpx2.Client) -> None:
    key = {"Idempotency-Key": str(uuid.uuid4())}
    path = "/api/v1/collections/people/records"
    first = http.post(path, json={"data": {"name": "Once"}}, headers=key)
    assert first.status_code == 201
    assert first.headers["Location"] == f"{path}/{first.json()['id']}"
    again = http.post(path, json={"data": {"name": "Once"}}, headers=key)
    assert again.status_code == 201
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json() == first.json()
    other = http.post(path, json={"data": {"name": "Twice"}}, headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")
    assert len(list(client.records.search("people", where={"name": "Once"}))) == 1


def test_search_finds_by_equality_and_refuses_unsearchable_fields(client: Client) -> None:
    wanted = client.records.create("people", {"name": "Katherine", "email": "Kat@Example.com"}, subject="kat")
    client.records.create("people", {"name": "Katherine", "email": "other@example.com"})
    found = list(client.records.search("people", where={"name": "Katherine", "email": "kat@example.com"}))
    assert [one.id for one in found] == [wanted.id]
    assert [one.id for one in client.records.search("people", subject="kat")] == [wanted.id]
    with pytest.raises(Invalid):
        list(client.records.search("people", where={"age": 3}))


def test_batch_stores_good_lines_and_explains_bad_ones_and_pages_show_each_once(client: Client) -> None:
    client.collections.put("many", PEOPLE)
    lines: list[dict[str, Any]] = [{"data": {"name": f"n{number}"}} for number in range(1100)]
    lines[3] = {"data": {"name": 5}}
    lines[1050] = {"data": {"unknown": 1}}
    results = list(client.records.batch_write("many", lines))
    assert [one.line for one in results if one.error] == [4, 1051]
    assert all(one.error.code == "invalid" for one in results if one.error)
    stored = {one.id for one in results if one.id}
    seen = [one.id for one in client.records.search("many", page_size=97)]
    assert len(seen) == 1098
    assert set(seen) == stored
    read = list(client.records.batch_read("many", [*seen[:5], str(uuid.uuid4())]))
    assert [one.record is not None for one in read] == [True] * 5 + [False]


@pytest.mark.parametrize("subject", ["a/b", "..", "a/../b", ".", "käthe", "👩", "a b+c%2Fd", "x?y#z", "'; --"])
def test_subject_of_any_spelling_is_viewed_and_erased(client: Client, subject: str) -> None:
    client.records.create("people", {"name": "Somebody"}, subject=subject)
    view = client.subjects.get(subject)
    assert view.subject == subject
    assert [one.subject for one in view.records] == [subject]
    receipt = client.subjects.erase(subject)
    assert (receipt.subject, receipt.records, receipt.keys) == (subject, 1, 1)
    with pytest.raises(NotFound):
        client.subjects.get(subject)


@pytest.mark.parametrize("subject", [" a", "a\n", "a\u202eb", "a\x00b", "a" * 257, ""])
def test_subject_that_cannot_be_shown_safely_is_refused(client: Client, subject: str) -> None:
    with pytest.raises(Invalid):
        client.records.create("people", {"name": "Somebody"}, subject=subject)


def test_erasure_takes_records_and_files_and_its_event_reaches_the_ledger(client: Client) -> None:
    client.records.create("people", {"name": "Gone"}, subject="gone")
    client.files.put("gone.txt", b"gone", subject="gone")
    receipt = client.subjects.erase("gone")
    assert (receipt.records, receipt.files, receipt.keys) == (1, 1, 1)
    assert receipt.ledger_index is not None
    proof = client.ledger.proof(receipt.event)
    assert proof["items"][0]["index"] == receipt.ledger_index
    with pytest.raises(NotFound):
        client.files.head("gone.txt")


def test_file_is_streamed_both_ways_in_parts_and_under_conditions(client: Client, http: httpx2.Client) -> None:
    content = random.Random(1).randbytes(5_000_000)
    stored = client.files.put("big.bin", content, subject="ada", content_type="image/png")
    assert (stored.size, stored.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    with client.files.get("big.bin") as download:
        assert download.read() == content
    assert client.files.head("big.bin").size == len(content)
    path = "/api/v1/files/big.bin"
    for asked, start, end in (("0-0", 0, 1), ("4999990-", 4_999_990, 5_000_000), ("-7", 4_999_993, 5_000_000),
                              ("65530-65545", 65_530, 65_546), ("4999999-9999999", 4_999_999, 5_000_000)):  # fmt: skip
        part = http.get(path, headers={"Range": f"bytes={asked}"})
        assert (part.status_code, part.content) == (206, content[start:end])
        assert part.headers["Content-Range"] == f"bytes {start}-{end - 1}/{len(content)}"
    beyond = http.get(path, headers={"Range": "bytes=5000000-"})
    assert (beyond.status_code, beyond.headers["Content-Type"]) == (416, "application/problem+json")
    assert http.put(path, content=b"x", headers={"If-Match": '"9"'}).status_code == 412
    assert http.get(path, headers={"If-None-Match": '"1"'}).status_code == 304
    assert http.put(path, content=b"second").json()["version"] == 2
    assert http.get(path, headers={"If-Match": '"1"'}).status_code == 412
    assert [one.id for one in client.files.list()] == ["big.bin"]
    client.files.delete("big.bin")


def test_events_say_who_did_what(client: Client, tenant: dict[str, str]) -> None:
    record = client.records.create("people", {"name": "Seen"})
    event = client.events.page(action="record.created", limit=1).items[0]
    assert event.object
    assert (event.object.id, event.outcome, event.tenant) == (record.id, "success", tenant["id"])
    assert event.actor
    assert event.actor.kind == "key"


def test_measures_are_the_whole_document(client: Client) -> None:
    report = client.measures.report()
    assert len(report.measures) == 35
    assert client.measures.get("3.1").id == "3.1"


def test_key_works_until_it_is_revoked(demo: Demo, client: Client) -> None:
    issued = client.keys.create("short", ["records:read"])
    with demo.open(issued.token) as narrow:
        list(narrow.records.search("people"))
        client.keys.revoke(issued.id)
        with pytest.raises(Unauthorized):
            list(narrow.records.search("people"))
    assert issued.id in [one.id for one in client.keys.list() if one.revoked_at]


def test_problem_document_has_its_members(http: httpx2.Client) -> None:
    answers = [
        http.get("/api/v1/nothing"), http.get("/api/v1/collections/none"), http.post("/api/v1/measures", json={}),
        http.get("/api/v1/tenants"), http.put("/api/v1/collections/x", json={}),
        http.get("/api/v1/events", headers={"Authorization": "Bearer x"}),
        http.put("/api/v1/collections/x", content=b"{"),
    ]  # fmt: skip
    assert [answer.status_code for answer in answers] == [404, 404, 405, 403, 422, 401, 400]
    for answer in answers:
        assert answer.headers["Content-Type"] == "application/problem+json"
        problem = json.loads(answer.content)
        assert {"type", "title", "status", "detail", "code", "request_id"} <= problem.keys()
        assert problem["status"] == answer.status_code
        assert problem["request_id"] == answer.headers["X-Request-Id"]
