"""Retention, legal holds and the end of a contract, from outside: API, command line and console."""

import io
import json
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.functional.browser import age_second_factor
from tests.functional.conftest import Consoles
from tests.functional.instance import Demo, Person, eventually

pytestmark = pytest.mark.functional

DEFINITION = {
    "title": "Invoices", "purpose": "Trade", "subject": "required", "retention": {"for": "P10Y", "after": "created"},
    "fields": {"number": {"type": "string", "category": "none", "searchable": True}},
}  # fmt: skip


@pytest.fixture(scope="module")
def people(demo: Demo) -> tuple[dict[str, str], Person, Person]:
    """A tenant with an invoice of ada, and two people who decide."""
    tenant = demo.new_tenant("Retention", ["records:read", "records:write", "collections:write", "subjects:erase"])
    owner, officer = demo.new_member(tenant["id"], "owner"), demo.new_member(tenant["id"], "privacy_officer")
    with demo.http(tenant["api_key"]) as http:
        http.put("/api/v1/collections/invoices", json=DEFINITION).raise_for_status()
        body = {"subject": "ada", "data": {"number": "R-1"}}
        http.post("/api/v1/collections/invoices/records", json=body).raise_for_status()
    return tenant, owner, officer


def test_a_hold_takes_two_people_and_nothing_ordinary_reaches_it(
    demo: Demo, people: tuple[dict[str, str], Person, Person]
) -> None:
    tenant, owner, officer = people
    until = f"{datetime.now(UTC).date() + timedelta(days=30)}"
    with demo.http(owner.token) as mine, demo.http(officer.token) as theirs:
        asked = mine.post(
            "/api/v1/holds", json={"kind": "tax", "basis": "§ 147 AO", "ends_on": until, "subjects": ["ada"]}
        ).raise_for_status().json()  # fmt: skip
        assert mine.post(f"/api/v1/holds/{asked['id']}/approve").json()["code"] == "second_person_needed"
        theirs.post(f"/api/v1/holds/{asked['id']}/approve").raise_for_status()
        eventually(
            lambda: mine.get(f"/api/v1/holds/{asked['id']}").json()["moved_at"], seconds=30, what="the data is moved"
        )
        with demo.http(tenant["api_key"]) as key:
            listed = key.get("/api/v1/collections/invoices/records").json()["items"]
            found = key.get("/api/v1/collections/invoices/records?where.number=R-1").json()["items"]
            assert (listed, found) == ([], [])
        refused = mine.post(f"/api/v1/holds/{asked['id']}/look", json={"purpose": "legal_claim"})
        assert (refused.status_code, refused.json()["code"]) == (403, "purpose_refused")
        seen = mine.post(f"/api/v1/holds/{asked['id']}/look", json={"purpose": "audit"}).json()
        assert [one["data"] for one in seen["records"]] == [{"number": "R-1"}]
        erased = mine.delete("/api/v1/subjects/ada")
        assert (erased.status_code, erased.json()["state"], erased.json()["bases"]) == (202, "waiting", ["§ 147 AO"])


def test_the_export_of_a_tenant_is_whole(demo: Demo, people: tuple[dict[str, str], Person, Person]) -> None:
    _, owner, _ = people
    with demo.http(owner.token) as http:
        raw = http.post("/api/v1/export").raise_for_status().content
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        manifest: dict[str, Any] = json.loads(archive.read("manifest.json"))
        assert "collections/invoices/map.json" in manifest["entries"]


@pytest.mark.browser
def test_limits_and_holds_in_the_console(
    demo: Demo, consoles: Consoles, people: tuple[dict[str, str], Person, Person]
) -> None:
    _, owner, _ = people
    console = consoles(owner)
    console.go("/retention")
    expect(console.page.get_by_role("heading", name="Retention", exact=True)).to_be_visible()
    console.page.get_by_label("At least").fill("P5Y")
    console.page.get_by_label("Which law says so").fill("§ 257 HGB")
    console.page.get_by_role("button", name="Set the floor").click()
    expect(console.page.get_by_text("The floor holds from now on.")).to_be_visible()
    console.go("/holds")
    expect(console.page.get_by_role("heading", name="Legal holds")).to_be_visible()
    console.go("/termination")
    expect(console.page.get_by_role("button", name="Download everything")).to_be_visible()


@pytest.mark.browser
def test_archived_files_are_downloaded_in_the_console_for_the_chosen_purpose(
    demo: Demo, consoles: Consoles
) -> None:  # fmt: skip
    tenant = demo.new_tenant("Archived files", ["records:read", "records:write", "collections:write", "files:write"])
    owner, officer = demo.tenant_owner(tenant["id"]), demo.new_member(tenant["id"], "privacy_officer")
    content = b"<script>alert(1)</script>" * 10_000
    with demo.http(tenant["api_key"]) as http:
        http.put("/api/v1/collections/invoices", json=DEFINITION).raise_for_status()
        body = {"subject": "grace", "data": {"number": "R-7"}}
        for _ in range(51):  # more than a page
            http.post("/api/v1/collections/invoices/records", json=body).raise_for_status()
        headers = {"Content-Type": "text/html"}
        http.put("/api/v1/files/a.b-1.html?subject=grace", content=content, headers=headers).raise_for_status()
    until = f"{datetime.now(UTC).date() + timedelta(days=90)}"
    wanted = {"kind": "tax", "basis": "§ 147 AO", "ends_on": until, "subjects": ["grace"]}
    with demo.http(owner.token) as mine, demo.http(officer.token) as theirs:
        hold = mine.post("/api/v1/holds", json=wanted).raise_for_status().json()["id"]
        theirs.post(f"/api/v1/holds/{hold}/approve").raise_for_status()
        eventually(lambda: mine.get(f"/api/v1/holds/{hold}").json()["moved_at"], seconds=30, what="the data is moved")
    console, path = consoles(officer), f"/holds/{hold}"
    console.go(path)
    console.page.get_by_label("What for; each look is on record").select_option("audit")
    console.press("Look")
    expect(console.page.get_by_text("text/html")).to_be_visible()
    with console.page.expect_download() as started:
        console.press("Download a.b-1.html")
    assert started.value.suggested_filename == "a.b-1.html"
    assert Path(started.value.path()).read_bytes() == content
    file = console.page.locator("form[action*='/files/']").get_attribute("action")
    assert file is not None
    console.press("Look at the next page")
    expect(console.page.get_by_role("heading", name="invoices")).to_have_count(1)
    assert console.go(f"{path}/look").status == 200
    console.is_at(path)

    def post(person: Person, form: dict[str, str], origin: str = demo.base_url, place: str = file) -> Any:
        with demo.http() as http:
            http.headers["Cookie"] = f"__Host-bailee={person.token}"
            return http.post(place, data=form, headers={"Origin": origin}, follow_redirects=False)

    got = post(officer, {"purpose": "audit"})
    assert (got.content, got.headers["content-type"]) == (content, "application/octet-stream")
    assert got.headers["content-disposition"] == "attachment; filename*=UTF-8''a.b-1.html"
    assert got.headers["x-content-type-options"] == "nosniff"
    refused = post(officer, {"purpose": "legal_claim"})
    assert (refused.status_code, "looked at for nothing else" in refused.text) == (403, True)
    wrong: list[dict[str, str]] = [{"y": "z"}, {"purpose": "x"}, {"purpose": ""}]
    for form in wrong:
        assert post(officer, form).status_code == 422
    assert post(officer, {"purpose": "audit"}, "https://evil.example").status_code == 403
    missing = file.rpartition("/")[0] + "/01890000-0000-7000-8000-000000000000"
    assert post(officer, {"purpose": "audit"}, place=missing).status_code == 404
    for role in ("administrator", "editor", "viewer", "auditor"):
        assert post(demo.new_member(tenant["id"], role), {"purpose": "audit"}).status_code == 403, role
    neighbour = demo.tenant_owner(demo.new_tenant("Beside the archive", ["records:read"])["id"])
    assert post(neighbour, {"purpose": "audit"}).status_code == 404
    stale = demo.new_member(tenant["id"], "privacy_officer")
    age_second_factor(demo, stale)
    asked = eventually(
        lambda: (one := post(stale, {"purpose": "audit"})).status_code == 303 and one, seconds=10, what="it ages"
    )
    assert asked.headers["location"].startswith("/step-up?")
    with demo.http(owner.token) as http:
        events = http.get("/api/v1/events", params={"action": "archive.read"}).json()["items"]
    assert [(one["details"]["purpose"], one["outcome"], one["details"]["count"]) for one in events] == [
        ("legal_claim", "refused", 0), ("audit", "success", 1), ("audit", "success", 1), ("audit", "success", 1),
        ("audit", "success", 51),
    ]  # fmt: skip


@pytest.mark.browser
def test_the_calendar_of_a_person_is_looked_up_by_a_form(
    demo: Demo, consoles: Consoles, people: tuple[dict[str, str], Person, Person]
) -> None:
    tenant, owner, _ = people
    console, subject = consoles(owner), "calendar-person-7"
    with demo.http(tenant["api_key"]) as http:
        body = {"subject": subject, "data": {"number": "R-9"}}
        http.post("/api/v1/collections/invoices/records", json=body).raise_for_status()
    console.go("/retention")
    console.page.get_by_role("link", name="Which backups still hold a data subject").click()
    console.is_at("/retention/calendar")
    console.fill("Data subject", f" {subject} ")
    console.press("Look it up")
    console.is_at("/retention/calendar")
    expect(console.page.get_by_text("not yet: the dates are those of an erasure now")).to_be_visible()
    console.fill("Data subject", "nobody-here-7")
    console.press("Look it up")
    console.sees("alert", "There is nothing here that you may see.")
    console.fill("Data subject", "x" * 257)
    console.press("Look it up")
    console.sees("alert", "An identifier is 1 to 256 printable characters")
    assert [url for url in console.requested if subject in url or "nobody-here" in url] == []
    logs = demo.logs()
    assert subject not in logs
    assert "nobody-here-7" not in logs
    console.page.set_viewport_size({"width": 320, "height": 640})
    assert console.go("/retention/calendar").status == 200
    assert console.page.evaluate("document.documentElement.scrollWidth") <= 320
    # Only for those who may see what is held on a person, each within their own tenant.
    neighbour = consoles(demo.tenant_owner(demo.new_tenant("Beside the calendar", ["records:read"])["id"]))
    neighbour.go("/retention/calendar")
    neighbour.fill("Data subject", subject)
    neighbour.press("Look it up")
    neighbour.sees("alert", "There is nothing here that you may see.")
    viewer = consoles(demo.new_member(tenant["id"], "viewer"))
    assert viewer.go("/retention/calendar").status == 403


@pytest.mark.timeout(300)  # the schedule comes by once a minute, and the instance is stopped after it
def test_a_contract_ends_with_a_certificate_that_verifies_offline(demo: Demo, tmp_path: Path) -> None:
    tenant = demo.new_tenant("Ending", ["records:read"])
    officer = demo.invite_staff(["data_protection"])
    with demo.http(officer.token) as http:
        path = f"/api/v1/tenants/{tenant['id']}"
        body = {"contract_ended_on": "2026-01-01", "grace_days": 0}
        http.post(f"{path}/termination", json=body).raise_for_status()
        demo.sql("UPDATE terminations SET delete_from = now() WHERE tenant_id = %s", (tenant["id"],))
        eventually(
            lambda: http.get(f"{path}/termination").json()["state"] == "completed", seconds=100, what="all is deleted"
        )
        eventually(lambda: http.post(f"{path}/certificates/1").is_success, seconds=20, what="the ledger has it")
        file = tmp_path / "certificate.json"
        file.write_bytes(http.post(f"{path}/certificates/1").content)
    with demo.http() as anybody:
        keys = tmp_path / "log.keys"
        keys.write_text(anybody.get("/ledger/keys").text)
    answer = demo.cli("verify-certificate", str(file), "--key", str(keys), "--json")
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["verified"] is True
