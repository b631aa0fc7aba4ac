"""Retention, legal holds and the end of a contract, from outside: API, command line and console."""

import io
import json
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

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
