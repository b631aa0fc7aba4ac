"""`bailee retention`, `bailee hold` and `bailee termination` against the running product, wrong input too."""

import json
import zipfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.functional.instance import Demo, Person, eventually
from tests.functional.test_command_line import Hands

pytestmark = [pytest.mark.functional, pytest.mark.timeout(240)]

UNKNOWN = "01890000-0000-7000-8000-000000000000"
DEFINITION = {
    "title": "Orders", "purpose": "Trade", "subject": "required", "retention": {"for": "P90D", "after": "changed"},
    "fields": {"number": {"type": "string", "category": "none"}},
}  # fmt: skip


def day(days: int) -> date:
    return datetime.now(UTC).date() + timedelta(days=days)


class Shop:
    """A tenant with three orders, and those who act for it and for the operator at the command line."""

    def __init__(self, demo: Demo, name: str) -> None:
        tenant = demo.new_tenant(name, ["records:read", "records:write", "collections:write", "files:write"])
        self.id = tenant["id"]
        self.demo = demo
        self.owner_person: Person = demo.tenant_owner(self.id)
        self.owner = Hands(demo, self.owner_person)
        self.officer = Hands(demo, demo.new_member(self.id, "privacy_officer"))
        with demo.http(tenant["api_key"]) as http:
            http.put("/api/v1/collections/orders", json=DEFINITION).raise_for_status()
            for subject in ("ada", "bob", "carol"):
                body = {"subject": subject, "data": {"number": f"N-{subject}"}}
                http.post("/api/v1/collections/orders/records", json=body).raise_for_status()
            http.put("/api/v1/files/doc.txt?subject=ada", content=b"a contract").raise_for_status()

    def state(self, hold: str) -> dict[str, Any]:
        (found,) = self.owner.ask("hold", "show", hold)
        shown: dict[str, Any] = found
        return shown


@pytest.fixture(scope="module")
def shop(demo: Demo) -> Shop:
    return Shop(demo, "Commands")


@pytest.fixture(scope="module")
def staff(demo: Demo) -> Hands:
    return Hands(demo, demo.invite_staff(["data_protection"]))


def test_rules_are_previewed_and_executed(demo: Demo, shop: Shop) -> None:
    (outlook,) = shop.owner.ask("retention", "preview")
    assert (outlook["collection"], outlook["rule"], outlook["records"], outlook["due"]) == (
        "orders", "P90D after changed", 3, 0,
    )  # fmt: skip
    assert "P90D after changed" in shop.owner.do("retention", "preview")
    assert "Nothing was due." in shop.owner.do("retention", "run")
    demo.sql(
        "UPDATE records SET updated_at = now() - interval '91 days' WHERE tenant_id = %s AND record_id ="
        " (SELECT max(record_id::text)::uuid FROM records WHERE tenant_id = %s)",
        (shop.id, shop.id),
    )
    assert shop.owner.ask("retention", "preview")[0]["due"] == 1
    assert shop.owner.ask("retention", "run")["collections"] == {"orders": 1}
    assert shop.owner.ask("retention", "preview")[0]["records"] == 2


def test_limits_are_set_listed_and_removed(shop: Shop, staff: Hands) -> None:
    assert "at_least" in shop.owner.refused("retention", "floor", "set", "orders", "ten years", "--basis", "§ 147 AO")
    assert "limit_contradicted" in shop.owner.refused(
        "retention", "floor", "set", "orders", "P1Y", "--basis", "§ 147 AO"
    )
    assert "P30D" in shop.owner.do("retention", "floor", "set", "orders", "P30D", "--basis", "§ 147 AO")
    assert "P3Y" in staff.do("retention", "ceiling", "set", shop.id, "*", "P3Y", "--basis", "Contract, section 7")
    found = {(one["kind"], one["collection"], one["duration"]) for one in shop.owner.ask("retention", "limits")}
    assert found == {("floor", "orders", "P30D"), ("ceiling", "*", "P3Y")}
    assert len(staff.ask("retention", "limits", "--tenant", shop.id)) == 2
    assert "removed" in staff.do("retention", "ceiling", "remove", shop.id, "*")
    assert "removed" in shop.owner.do("retention", "floor", "remove", "orders")
    assert "No limit." in shop.owner.do("retention", "limits")
    assert "not_found" in shop.owner.refused("retention", "floor", "remove", "orders")
    assert "not_found" in staff.refused("retention", "ceiling", "remove", UNKNOWN, "*")
    assert "forbidden" in shop.owner.refused("retention", "ceiling", "set", shop.id, "*", "P3Y", "--basis", "x")


def test_the_calendar_is_of_a_person_or_of_a_customer(shop: Shop, staff: Hands) -> None:
    assert shop.owner.ask("retention", "calendar", "ada")["until"] is None
    assert "since" in staff.ask("retention", "calendar", "--tenant", shop.id)
    assert "Name a data subject" in shop.owner.refused("retention", "calendar")
    assert "not_found" in shop.owner.refused("retention", "calendar", "nobody")
    assert "not_found" in staff.refused("retention", "calendar", "--tenant", UNKNOWN)


def test_a_hold_from_the_asking_to_the_lifting(demo: Demo, shop: Shop, tmp_path: Path) -> None:
    until = ("--until", f"{day(30)}")
    basis = ("--basis", "Case 7 O 12/26")
    asked = shop.owner.do("hold", "request", "litigation", *basis, *until, "--subject", "ada", "--subject", "bob")
    hold = shop.owner.ask("hold", "list", "--state", "requested")[0]["id"]
    assert hold in asked
    assert "second_person_needed" in shop.owner.refused("hold", "approve", hold)
    assert "active" in shop.officer.do("hold", "approve", hold)
    eventually(lambda: shop.state(hold)["moved_at"], seconds=30, what="the data is moved")
    page = json.loads(_said(demo, shop.owner_person, "hold", "look", hold, "--purpose", "legal_claim"))
    assert "N-ada" in {one["data"]["number"] for one in page["records"]}
    out = tmp_path / "doc.txt"
    file = page["files"][0]["archive_id"]
    shop.owner.do("hold", "file", hold, file, "--purpose", "legal_claim", "--out", str(out))
    assert out.read_bytes() == b"a contract"
    assert "purpose_refused" in shop.owner.refused("hold", "look", hold, "--purpose", "audit")
    shop.owner.do("subject", "erase", "ada", "--yes")
    (waiting,) = shop.owner.ask("hold", "waiting")
    assert waiting["bases"] == ["Case 7 O 12/26"]
    assert waiting["id"] in shop.owner.do("hold", "waiting")
    assert "extend asked for" in shop.owner.do("hold", "extend", hold, "--until", f"{day(60)}")
    assert f"{day(60)}" in shop.officer.do("hold", "decide", hold, "--approve")
    assert "lift asked for" in shop.officer.do("hold", "lift", hold, "--reason", "placed_in_error")
    assert "second_person_needed" in shop.officer.refused("hold", "decide", hold, "--approve")
    shop.owner.do("hold", "decide", hold, "--approve")
    eventually(lambda: shop.state(hold)["state"] == "lifted", seconds=30, what="the data is back")
    eventually(lambda: shop.owner.ask("hold", "waiting") == [], seconds=30, what="the erasure has gone on")


@pytest.mark.parametrize(
    "arguments, said",
    [
        (("request", "curiosity", "--basis", "x", "--until", "2030-12-31", "--everything"), "kind"),
        (("request", "tax", "--basis", " ", "--until", "2030-12-31", "--everything"), "basis"),
        (("request", "tax", "--basis", "x", "--until", "2000-01-01", "--everything"), "ends_on"),
        (("request", "tax", "--basis", "x", "--until", "2100-01-01", "--everything"), "ends_on"),
        (("request", "tax", "--basis", "x", "--until", "2030-12-31"), "everything"),
        (("request", "tax", "--basis", "x", "--until", "2030-12-31", "--everything", "--subject", "ada"), "everything"),
        (("request", "tax", "--basis", "x", "--until", "2030-12-31", "--record", "x"), "records"),
        (("show", "x"), "not_found"), (("show", UNKNOWN), "not_found"), (("approve", UNKNOWN), "not_found"),
        (("refuse", UNKNOWN), "not_found"), (("withdraw", UNKNOWN), "not_found"),
        (("lift", UNKNOWN, "--reason", "because"), "placed_in_error"),
        (("extend", UNKNOWN, "--until", "2000-01-01"), "not_found"), (("decide", UNKNOWN, "--approve"), "not_found"),
        (("look", UNKNOWN, "--purpose", "audit"), "not_found"), (("look", UNKNOWN, "--purpose", "x"), "purpose"),
        (("list", "--state", "perhaps"), "requested|active"), (("customers",), "forbidden"),
        (("look", UNKNOWN, "--purpose", "audit", "--tenant", UNKNOWN), "forbidden"),
    ],
)  # fmt: skip
def test_what_a_hold_cannot_be_is_said_in_words(shop: Shop, arguments: tuple[str, ...], said: str) -> None:
    assert said in shop.owner.refused("hold", *arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        ("hold", "request", "tax", "--basis", "x", "--until", "soon", "--everything"), ("hold", "decide", UNKNOWN),
        ("hold", "look", UNKNOWN), ("hold", "extend", UNKNOWN),
        ("hold", "file", UNKNOWN, UNKNOWN, "--purpose", "audit"),
        ("retention", "floor", "set", "orders"), ("retention", "ceiling", "set", "orders"),
        ("termination", "request", UNKNOWN, "--ended", "yesterday"), ("termination", "export"),
    ],
)  # fmt: skip
def test_a_command_that_is_not_whole_does_nothing(demo: Demo, shop: Shop, arguments: tuple[str, ...]) -> None:
    answer = demo.cli(*arguments, env={"BAILEE_TOKEN": shop.owner_person.token})
    assert answer.returncode != 0
    assert "Traceback" not in answer.stderr + answer.stdout


def test_a_hold_is_withdrawn_or_refused(shop: Shop) -> None:
    wanted = ("hold", "request", "tax", "--basis", "§ 147 AO", "--until", f"{day(30)}", "--collection", "orders")
    shop.owner.do(*wanted)
    first = shop.owner.ask("hold", "list", "--state", "requested")[0]["id"]
    assert "withdrawn" in shop.owner.do("hold", "withdraw", first)
    shop.owner.do(*wanted)
    second = shop.owner.ask("hold", "list", "--state", "requested")[0]["id"]
    assert "refused" in shop.officer.do("hold", "refuse", second)
    assert "conflict" in shop.officer.refused("hold", "approve", second)


def test_the_end_of_a_contract_is_asked_for_shown_and_cancelled(demo: Demo, staff: Hands, tmp_path: Path) -> None:
    shop = Shop(demo, "Ending by command")
    assert "not_found" in shop.owner.refused("termination", "show")
    out = tmp_path / "everything.zip"
    assert "SHA-256" in shop.owner.do("termination", "export", str(out))
    with zipfile.ZipFile(out) as archive:
        assert archive.testzip() is None
        assert len(archive.read("collections/orders/records.ndjson").splitlines()) == 3
    out.unlink()
    assert "forbidden" in shop.officer.refused("termination", "export", str(out))
    assert list(tmp_path.iterdir()) == []
    assert "requested" in shop.owner.do("termination", "request")
    assert "forbidden" in shop.owner.refused("termination", "request")  # an ended contract only lets take along
    assert shop.owner.ask("termination", "show")[0]["side"] == "tenant"
    assert shop.id in {one["tenant_id"] for one in staff.ask("termination", "list")}
    assert "cancelled" in shop.owner.do("termination", "cancel")
    assert "not_found" in shop.owner.refused("termination", "cancel")
    assert "--ended" in staff.refused("termination", "request", shop.id)
    assert "grace_days" in staff.refused(
        "termination", "request", shop.id, "--ended", "2026-12-31", "--grace-days", "366"
    )
    assert "requested" in staff.do("termination", "request", shop.id, "--ended", "2026-12-31", "--grace-days", "365")
    assert "conflict" in shop.owner.refused("termination", "cancel")  # the operator has ended it
    assert "forbidden" in staff.refused("termination", "close", shop.id, "--yes")
    assert "cancelled" in staff.do("termination", "cancel", shop.id)
    assert "not_found" in staff.refused("termination", "show", shop.id)
    assert "not_found" in staff.refused("termination", "certificate", shop.id)
    for command in ("show", "cancel", "certificate"):
        assert "not_found" in staff.refused("termination", command, UNKNOWN)
    assert "forbidden" in shop.owner.refused("termination", "list")


def test_a_certificate_that_is_none_is_not_verified(demo: Demo, tmp_path: Path) -> None:
    file = tmp_path / "certificate.json"
    for content in (b"", b"{}", b"\xff\xfe", b'{"format": "bailee-deletion/v1"}', b"[" * 100_000):
        file.write_bytes(content)
        answer = demo.cli("verify-certificate", str(file))
        assert answer.returncode != 0
        assert "Traceback" not in answer.stderr
    missing = demo.cli("verify-certificate", str(tmp_path / "missing.json"))
    assert (missing.returncode, "could not be read" in missing.stderr) == (1, True)


def _said(demo: Demo, person: Person, *arguments: str) -> str:
    answer = demo.cli(*arguments, env={"BAILEE_TOKEN": person.token})
    assert answer.returncode == 0, answer.stderr
    return answer.stdout
