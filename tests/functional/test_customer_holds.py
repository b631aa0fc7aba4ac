"""Legal holds that the operator has a part in: what waits for a second person, and the archive of a customer whose
contract has ended. Over the API, in the console, and on the command line.
"""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from playwright.sync_api import expect

from tests.functional.browser import INLINE, TWICE, UNNAMED, Console, age_second_factor
from tests.functional.conftest import Consoles
from tests.functional.instance import Demo, Person, eventually
from tests.functional.test_command_line import Hands

pytestmark = [pytest.mark.functional, pytest.mark.timeout(300)]

UNKNOWN = "01890000-0000-7000-8000-000000000000"
DEFINITION = {
    "title": "Invoices", "purpose": "Trade", "subject": "required",
    "fields": {"number": {"type": "string", "category": "none"}},
}  # fmt: skip
FILE = b"<script>alert(1)</script>"


def day(days: int) -> date:
    return datetime.now(UTC).date() + timedelta(days=days)


class Customer(msgspec.Struct):
    """A customer with an invoice and a file of ada, and its only owner."""

    id: str
    name: str
    owner: Person
    hold: str = ""

    @property
    def path(self) -> str:
        return f"/tenants/{self.id}/holds/{self.hold}"


def customer(demo: Demo, name: str) -> Customer:
    tenant = demo.new_tenant(name, ["records:read", "records:write", "collections:write", "files:write"])
    with demo.http(tenant["api_key"]) as http:
        http.put("/api/v1/collections/invoices", json=DEFINITION).raise_for_status()
        body = {"subject": "ada", "data": {"number": "R-1"}}
        http.post("/api/v1/collections/invoices/records", json=body).raise_for_status()
        headers = {"Content-Type": "text/html"}
        http.put("/api/v1/files/a.b-1.html?subject=ada", content=FILE, headers=headers).raise_for_status()
    return Customer(tenant["id"], name, demo.tenant_owner(tenant["id"]))


def ask(demo: Demo, made: Customer, kind: str = "tax") -> str:
    wanted = {"kind": kind, "basis": "§ 147 AO", "ends_on": f"{day(60)}", "subjects": ["ada"]}
    with demo.http(made.owner.token) as http:
        made.hold = http.post("/api/v1/holds", json=wanted).raise_for_status().json()["id"]
    return made.hold


@pytest.fixture(scope="module")
def officer(demo: Demo) -> Person:
    return demo.invite_staff(["data_protection"])


@pytest.fixture(scope="module")
def colleague(demo: Demo) -> Person:
    return demo.invite_staff(["data_protection"])


@pytest.fixture(scope="module")
def over(demo: Demo, officer: Person) -> Customer:
    """A customer whose contract has ended, and of whom a hold keeps the archive."""
    made = customer(demo, "Over")
    ask(demo, made)
    with demo.http(officer.token) as http:
        http.post(f"/api/v1{made.path}/approve").raise_for_status()
        eventually(
            lambda: http.get(f"/api/v1{made.path}").json()["hold"]["moved_at"], seconds=30, what="the data is moved"
        )
        path = f"/api/v1/tenants/{made.id}/termination"
        http.post(path, json={"contract_ended_on": "2026-01-01", "grace_days": 0}).raise_for_status()
        demo.sql("UPDATE terminations SET delete_from = now() WHERE tenant_id = %s", (made.id,))
        eventually(lambda: http.get(path).json()["state"] == "held", seconds=100, what="all but the archive is deleted")
    return made


# --- over the API -----------------------------------------------------------------------------------------


def test_what_waits_is_listed_with_who_decides_it(demo: Demo, officer: Person) -> None:
    first, second = customer(demo, "Waits alone"), customer(demo, "Waits with two")
    demo.new_member(second.id, "privacy_officer")
    ids = {ask(demo, first): True, ask(demo, second): False}
    with demo.http(officer.token) as http:
        seen: dict[str, dict[str, Any]] = {}
        cursor: str | None = ""
        while cursor is not None:
            query = {"waiting": "true", "limit": "1"} | ({"cursor": cursor} if cursor else {})
            page = http.get("/api/v1/tenant-holds", params=query).raise_for_status().json()
            seen |= {one["hold"]["id"]: one for one in page["items"]}
            cursor = page["next"]
        assert {one: seen[one]["alone"] for one in ids} == ids
        assert seen[first.hold]["tenant_name"] == "Waits alone"
        mine = http.get("/api/v1/tenant-holds", params={"tenant": first.id}).json()["items"]
        assert [one["hold"]["id"] for one in mine] == [first.hold]
        refused = http.post(f"/api/v1{second.path}/refuse")
        assert (refused.status_code, "second person of its own" in refused.json()["detail"]) == (403, True)
        third = customer(demo, "Waits for nothing")
        for tenant in (third.id, UNKNOWN):
            other = f"/api/v1/tenants/{tenant}/holds/{first.hold}"
            assert http.get(other).status_code == 404
            assert http.post(f"{other}/approve").status_code == 404
        assert http.post(f"/api/v1{first.path}/refuse").json()["state"] == "refused"
        assert http.post(f"/api/v1{first.path}/refuse").status_code == 409  # the same again
    with demo.http(first.owner.token) as http:
        for path in ("/api/v1/tenant-holds", f"/api/v1{first.path}"):
            assert http.get(path).status_code == 403


def test_in_the_grace_period_the_customer_extends_a_hold_and_adds_nothing(demo: Demo, officer: Person) -> None:
    made = customer(demo, "In its last days")
    second = demo.new_member(made.id, "privacy_officer")
    hold = f"/api/v1/holds/{ask(demo, made)}"
    with demo.http(made.owner.token) as owner, demo.http(second.token) as other, demo.http(officer.token) as staff:
        other.post(f"{hold}/approve").raise_for_status()
        eventually(lambda: owner.get(hold).json()["moved_at"], seconds=30, what="the data is moved")
        staff.post(
            f"/api/v1/tenants/{made.id}/termination", json={"contract_ended_on": "2026-01-01"}
        ).raise_for_status()  # fmt: skip
        owner.post(f"{hold}/extend", json={"ends_on": f"{day(400)}"}).raise_for_status()
        other.post(f"{hold}/decide", json={"approved": True}).raise_for_status()
        assert owner.get(hold).json()["ends_on"] == f"{day(400)}"
        assert len(owner.post(f"{hold}/look", json={"purpose": "audit"}).json()["records"]) == 1
        for path, wanted in ((f"{hold}/lift", {"reason": "basis_ended"}), ("/api/v1/holds", {
            "kind": "tax", "basis": "§ 147 AO", "ends_on": f"{day(60)}", "subjects": ["ada"],
        })):  # fmt: skip
            assert owner.post(path, json=wanted).status_code == 403


@pytest.mark.parametrize(
    "query",
    [{"waiting": "perhaps"}, {"state": "x"}, {"tenant": "x"}, {"limit": "0"}, {"limit": "1001"}, {"cursor": "x"}],
)
def test_a_question_that_makes_no_sense_is_refused(demo: Demo, officer: Person, query: dict[str, str]) -> None:
    with demo.http(officer.token) as http:
        assert http.get("/api/v1/tenant-holds", params=query).status_code in (400, 422)


def test_the_archive_of_an_ended_customer_opens_for_its_purpose_alone(
    demo: Demo, over: Customer, officer: Person
) -> None:
    with demo.http(officer.token) as http:
        place = f"/api/v1{over.path}"
        seen = http.get(place).json()
        assert (seen["ended"], seen["alone"]) == (True, True)
        page = http.post(f"{place}/look", json={"purpose": "audit", "limit": 10**12}).raise_for_status().json()
        assert [(one["subject"], one["data"]) for one in page["records"]] == [("ada", {"number": "R-1"})]
        file = page["files"][0]["archive_id"]
        got = http.post(f"{place}/files/{file}/look", json={"purpose": "audit"})
        assert (got.content, got.headers["content-type"]) == (FILE, "application/octet-stream")
        assert got.headers["content-disposition"] == "attachment; filename*=UTF-8''a.b-1.html"
        for path in ("look", f"files/{file}/look"):
            refused = http.post(f"{place}/{path}", json={"purpose": "legal_claim"})
            assert (refused.status_code, refused.json()["code"]) == (403, "purpose_refused")
        wrong: list[dict[str, Any]] = [
            {}, {"purpose": "curiosity"}, {"purpose": "audit", "tenant": UNKNOWN}, {"purpose": ["audit"]},
        ]  # fmt: skip
        for body in wrong:
            assert http.post(f"{place}/look", json=body).status_code in (400, 422)
        for cursor in ("x", "a" * 10_000):
            assert http.post(f"{place}/look", json={"purpose": "audit", "cursor": cursor}).status_code == 400
        assert http.post(f"{place}/files/{UNKNOWN}/look", json={"purpose": "audit"}).status_code == 404
        events = http.get("/api/v1/events", params={"action": "archive.read", "tenant": over.id}).json()["items"]
        found = [(one["actor"]["kind"], one["details"]["purpose"], one["outcome"]) for one in events]
        assert found[-4:] == [
            ("staff", "legal_claim", "refused"), ("staff", "legal_claim", "refused"), ("staff", "audit", "success"),
            ("staff", "audit", "success"),
        ]  # fmt: skip
    for role in ("support", "infrastructure", "security_officer", "auditor"):
        with demo.http(demo.invite_staff([role]).token) as http:
            assert http.post(f"{place}/look", json={"purpose": "audit"}).status_code == 403, role
    stale = demo.invite_staff(["data_protection"])
    with demo.http(stale.token) as http:
        age_second_factor(demo, stale)
        eventually(
            lambda: http.post(f"{place}/look", json={"purpose": "audit"}).status_code == 403, seconds=10, what="it ages"
        )


# --- in the console -----------------------------------------------------------------------------------------


def _is_sound(console: Console, path: str) -> None:
    console.page.set_viewport_size({"width": 320, "height": 640})
    assert console.go(path).status == 200, path
    assert console.page.evaluate("document.documentElement.scrollWidth") <= 320, path
    assert console.page.locator("h1").count() == 1, path
    assert console.page.evaluate(UNNAMED) == 0, path
    assert console.page.evaluate(INLINE) == [], path
    assert console.page.evaluate(TWICE) == [], path
    console.page.set_viewport_size({"width": 1280, "height": 900})


@pytest.mark.browser
def test_staff_see_what_waits_and_decide_where_the_customer_is_alone(
    demo: Demo, consoles: Consoles, officer: Person
) -> None:
    alone, settled = customer(demo, "Console alone"), customer(demo, "Console with two")
    demo.new_member(settled.id, "privacy_officer")
    ask(demo, alone)
    ask(demo, settled)
    console = consoles(officer)
    console.go("/toms")
    console.page.get_by_role("link", name="Legal holds", exact=True).click()
    console.is_at("/tenant-holds")
    row = console.page.get_by_role("row").filter(has_text="Console alone")
    expect(row).to_contain_text("you: it has no second person")
    expect(console.page.get_by_role("row").filter(has_text="Console with two")).to_contain_text("the customer")
    row.get_by_role("link").click()
    console.is_at(alone.path)
    console.press("Put it into force")
    console.sees("status", "It is in force")
    console.go("/tenant-holds")
    expect(console.page.get_by_role("row").filter(has_text="Console alone")).to_have_count(0)
    console.go(settled.path)
    expect(console.page.get_by_role("button", name="Put it into force")).to_have_count(0)
    expect(console.page.get_by_text("has a second person of its own")).to_be_visible()
    # Whoever sends the form all the same is told why not.
    answer = console.page.request.post(
        f"{demo.base_url}{settled.path}/approve", form={"x": "y"}, headers={"Origin": demo.base_url}
    )
    assert (answer.status, "second person of its own" in answer.text()) == (403, True)
    for path in ("/tenant-holds", f"/tenant-holds?show=all&tenant={alone.id}", alone.path, settled.path):
        _is_sound(console, path)
    assert console.go("/holds").status == 403  # those are of one's own tenant
    console.go(f"/tenants/{alone.id}")
    console.page.get_by_role("link", name="Legal holds").last.click()
    expect(console.page.get_by_role("row").filter(has_text="Console alone")).to_be_visible()


@pytest.mark.browser
def test_staff_look_into_the_archive_of_an_ended_customer_and_extend_its_hold(
    demo: Demo, consoles: Consoles, over: Customer, officer: Person, colleague: Person
) -> None:
    console, other = consoles(officer), consoles(colleague)
    console.go(over.path)
    console.page.get_by_label("What for; each look is on record").select_option("audit")
    console.press("Look")
    expect(console.page.get_by_text("R-1")).to_be_visible()
    with console.page.expect_download() as started:
        console.press("Download a.b-1.html")
    assert started.value.suggested_filename == "a.b-1.html"
    assert Path(started.value.path()).read_bytes() == FILE
    assert console.go(f"{over.path}/look").status == 200  # whoever reloads is back at the hold
    console.is_at(over.path)
    console.fill("New last day", f"{day(90)}")
    console.press("Ask for the extension")
    console.sees("status", "A second person has to decide it")
    console.press("Approve")
    console.sees("alert", "another person has to decide")
    other.go("/tenant-holds")
    other.page.get_by_role("row").filter(has_text="Over").get_by_role("link").click()
    other.press("Approve")
    other.sees("status", "It is decided")
    expect(other.page.get_by_text(f"{day(90)}")).to_be_visible()
    _is_sound(console, over.path)
    answer = console.page.request.post(
        f"{demo.base_url}{over.path}/look", form={"purpose": "curiosity"}, headers={"Origin": demo.base_url}
    )
    assert (answer.status, "Choose a purpose" in answer.text()) == (422, True)


@pytest.mark.browser
def test_without_a_fresh_second_factor_the_console_asks_for_one(
    demo: Demo, consoles: Consoles, over: Customer
) -> None:  # fmt: skip
    person = demo.invite_staff(["data_protection"])
    console = consoles(person)
    age_second_factor(demo, person)
    console.go(over.path)
    expect(console.page.get_by_role("button", name="Look")).to_have_count(0)
    answer = console.page.request.post(
        f"{demo.base_url}{over.path}/look", form={"purpose": "audit"}, max_redirects=0,
        headers={"Origin": demo.base_url, "Referer": f"{demo.base_url}{over.path}"},
    )  # fmt: skip
    assert (answer.status, answer.headers["location"].startswith("/step-up?")) == (303, True)
    assert "R-1" not in answer.text()


# --- on the command line --------------------------------------------------------------------------------------


def test_the_command_line_does_all_of_it(
    demo: Demo, over: Customer, officer: Person, colleague: Person, tmp_path: Path
) -> None:
    mine, theirs = Hands(demo, officer), Hands(demo, colleague)
    of = ("--tenant", over.id)
    alone = customer(demo, "By command")
    ask(demo, alone)
    waiting = mine.ask("hold", "customers", "--waiting")
    assert alone.hold in {one["hold"]["id"] for one in waiting}
    assert "you: it has nobody else" in mine.do("hold", "customers", "--tenant", alone.id)
    assert "refused" in mine.do("hold", "refuse", alone.hold, "--tenant", alone.id)
    assert "refused" in mine.refused("hold", "approve", alone.hold, "--tenant", alone.id)
    (seen,) = mine.ask("hold", "show", over.hold, *of)
    assert seen["ended"] is True
    page = json.loads(_said(demo, officer, "hold", "look", over.hold, *of, "--purpose", "audit"))
    assert page["records"][0]["data"] == {"number": "R-1"}
    out = tmp_path / "file.html"
    file = page["files"][0]["archive_id"]
    assert "on record" in mine.do("hold", "file", over.hold, file, *of, "--purpose", "audit", "--out", str(out))
    assert out.read_bytes() == FILE
    out.unlink()
    assert "purpose_refused" in mine.refused(
        "hold", "file", over.hold, file, *of, "--purpose", "legal_claim", "--out", str(out)
    )
    assert list(tmp_path.iterdir()) == []
    assert "extend asked for" in mine.do("hold", "extend", over.hold, *of, "--until", f"{day(120)}")
    assert "another person" in mine.refused("hold", "decide", over.hold, *of, "--approve")
    assert f"{day(120)}" in theirs.do("hold", "decide", over.hold, *of, "--approve")
    assert "Choose one of" in mine.refused("hold", "lift", over.hold, *of, "--reason", "because")
    assert "lift asked for" in mine.do("hold", "lift", over.hold, *of, "--reason", "basis_ended")
    assert "active" in theirs.do("hold", "decide", over.hold, *of, "--no-approve")
    look = ("hold", "look", alone.hold, "--tenant", alone.id, "--purpose", "audit")
    assert "customer_decides" in mine.refused(*look)


def _said(demo: Demo, person: Person, *arguments: str) -> str:
    answer = demo.cli(*arguments, env={"BAILEE_TOKEN": person.token})
    assert answer.returncode == 0, answer.stderr
    return answer.stdout
