"""Events of a customer's own product: in closed schemas, all or none, theirs alone, and looked at by the rules."""

from typing import Any

import pytest

from tests.functional.instance import Demo, eventually

pytestmark = [pytest.mark.functional, pytest.mark.timeout(180)]

SCHEMA = {
    "title": "A sign-in",
    "fields": {
        "attempts": {"type": "number"}, "mobile": {"type": "flag"},
        "way": {"type": "choice", "values": ["password", "link"]}, "device": {"type": "reference"},
    },
}  # fmt: skip
EVENT = {
    "type": "sign_in", "outcome": "refused", "user": "ada@customer.example", "address": "192.0.2.44",
    "values": {"attempts": 3, "mobile": True, "way": "password", "device": "Ada's phone, 0151 1234"},
}  # fmt: skip


@pytest.fixture(scope="module")
def tenant(demo: Demo) -> dict[str, str]:
    made = demo.new_tenant(
        "With a product", ["events:read", "events:write", "event_types:read", "event_types:write", "alerts:read"]
    )
    with demo.http(made["api_key"]) as http:
        assert http.put("/api/v1/event-types/sign_in", json=SCHEMA).status_code == 200
    return made


def test_they_are_recorded_proven_and_hold_nothing_readable(demo: Demo, tenant: dict[str, str]) -> None:
    with demo.http(tenant["api_key"]) as http:
        answer = http.post("/api/v1/events", json={"events": [EVENT, {"type": "sign_in"}]})
        assert (answer.status_code, answer.json()) == (201, {"recorded": 2})
        found = http.get("/api/v1/events", params={"action": "product.event"}).json()["items"]
        told = next(one for one in found if one["outcome"] == "refused")
    assert told["details"]["values"]["attempts"] == 3
    assert told["details"]["address"] == "192.0.2.44"
    assert told["address"] == "127.0.0.1"  # of the product itself
    assert len(told["object"]["id"]) >= 32
    with demo.open(tenant["api_key"]) as client:
        eventually(lambda: _proof(client, told["id"]), seconds=20, what="its proof")
    everything = demo.sql("SELECT count(*) FROM events WHERE position('Ada'::bytea IN body) > 0")
    assert everything == [(0,)]
    assert demo.sql("SELECT count(*) FROM events WHERE position('ada@customer'::bytea IN body) > 0") == [(0,)]


def _proof(client: Any, event: str) -> bool:
    try:
        return bool(client.ledger.proof(event))
    except Exception:  # noqa: BLE001  not there yet
        return False


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "unknown"}, {"type": "sign_in", "values": {"extra": 1}},
        {"type": "sign_in", "values": {"attempts": "3"}},
        {"type": "sign_in", "values": {"attempts": True}}, {"type": "sign_in", "values": {"attempts": -1}},
        {"type": "sign_in", "values": {"way": "other"}}, {"type": "sign_in", "values": {"mobile": 1}},
        {"type": "sign_in", "address": "somewhere"}, {"type": "sign_in", "user": ""},
        {"type": "sign_in", "user": "a\nb"}, {"type": "sign_in", "user": "x" * 257},
        {"type": "sign_in", "outcome": "odd"}, {"type": "sign_in", "note": "free text"},
    ],
)  # fmt: skip
def test_one_wrong_event_and_none_is_recorded(demo: Demo, tenant: dict[str, str], wrong: dict[str, Any]) -> None:
    count = "SELECT count(*) FROM events WHERE action = 'product.event'"
    before = demo.sql(count)
    with demo.http(tenant["api_key"]) as http:
        answer = http.post("/api/v1/events", json={"events": [EVENT, wrong]})
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"]
    assert demo.sql(count) == before


def test_schemas_are_closed_and_bounded(demo: Demo, tenant: dict[str, str]) -> None:
    with demo.http(tenant["api_key"]) as http:
        for name, schema in (
            ("Bad-Name", SCHEMA), ("x", {"title": "", "fields": {}}),
            ("x", {"title": "x", "fields": {"A": {"type": "flag"}}}),
            ("x", {"title": "x", "fields": {"a": {"type": "text"}}}),
            ("x", {"title": "x", "fields": {"a": {"type": "choice"}}}),
            ("x", {"title": "x", "fields": {"a": {"type": "flag", "values": ["yes"]}}}),
            ("x", {"title": "x", "fields": {f"f{n}": {"type": "flag"} for n in range(21)}}),
        ):  # fmt: skip
            assert http.put(f"/api/v1/event-types/{name}", json=schema).status_code == 422, schema
        assert http.post("/api/v1/events", json={"events": []}).status_code == 422
        assert http.post("/api/v1/events", json={"events": [{"type": "sign_in"}] * 501}).status_code == 422
        assert http.delete("/api/v1/event-types/nothing").status_code == 404
    reader = demo.new_tenant("Reading only", ["events:read", "event_types:read"])
    with demo.http(reader["api_key"]) as http:
        assert http.get("/api/v1/event-types").json() == []
        assert http.post("/api/v1/events", json={"events": [EVENT]}).status_code == 403
        assert http.get("/api/v1/events", params={"action": "product.event"}).json()["items"] == []


def test_the_rules_look_at_them(demo: Demo, tenant: dict[str, str]) -> None:
    with demo.http(tenant["api_key"]) as http:
        events = [EVENT | {"user": f"user {n}", "address": "192.0.2.77"} for n in range(12)]
        assert http.post("/api/v1/events", json={"events": events}).is_success

        def alerts() -> list[Any]:
            found = http.get("/api/v1/alerts").json()["items"]
            return [one for one in found if one["title"] == "A customer's product refuses many users from one address"]

        (alert,) = eventually(alerts, seconds=20, what="an alert of the product's events")
    assert alert["grouped_by"]["details.address"] == "192.0.2.77"
