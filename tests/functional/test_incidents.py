"""An incident as people live through it: opened, handled, verified as a breach, its customers told, and read there."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.functional.browser import INLINE, TWICE, UNNAMED
from tests.functional.conftest import Consoles
from tests.functional.instance import Demo, MemberPerson, Person, StaffPerson, eventually

pytestmark = [pytest.mark.functional, pytest.mark.timeout(300)]

PARTS = {
    "What happened, and whose data of which kinds it concerns": "A key was stolen, and used to read records.",
    "What is likely to follow from it": "Unwanted mail.",
    "What has been done about it": "The key is revoked.",
    "What is going to be done": "Keys are bound to networks.\n<b>All</b> of them.",
    "Who answers questions": "Ada Example, privacy@operator.example",
}
TEXT = {
    "nature": "a", "impact": "b", "mitigation_taken": "c", "mitigation_planned": "d", "contact": "e",
}  # fmt: skip


@pytest.fixture(scope="module")
def officer(demo: Demo) -> StaffPerson:
    return demo.invite_staff(["security_officer"])


@pytest.fixture(scope="module")
def reader(demo: Demo) -> StaffPerson:
    return demo.invite_staff(["data_protection"])


@pytest.fixture(scope="module")
def robbed(demo: Demo) -> dict[str, str]:
    """A customer whose key was used by a thief to read one record of each of three people."""
    tenant = demo.new_tenant("Robbed & Sons", ["records:read", "records:write", "collections:write", "keys:read"])
    definition = {
        "title": "People", "purpose": "Being robbed.", "subject": "required",
        "fields": {"name": {"type": "string", "category": "identity"}},
    }  # fmt: skip
    with demo.open(tenant["api_key"]) as client:
        client.collections.put("people", definition)
        for name in ("ada", "grace", "linus"):
            client.records.get("people", client.records.create("people", {"name": name}, subject=name).id)
        (key,) = [one.id for one in client.keys.list() if one.name == "test"]
    return {**tenant, "key": key}


def _post(demo: Demo, person: Person, path: str, body: dict[str, Any], method: str = "POST") -> Any:
    with demo.http(person.token) as http:
        answer = http.request(method, f"/api/v1{path}", json=body)
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None


def _scope(tenant: dict[str, str]) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "since": (now - timedelta(hours=1)).isoformat(), "until": (now + timedelta(minutes=1)).isoformat(),
        "keys": [tenant["key"]],
    }  # fmt: skip


def _told(demo: Demo, writer: Person, reader: Person, tenant: dict[str, str]) -> str:
    """An incident of which the customer has been told; its id."""
    words = {"title": "A stolen key", "summary": "It was used.", "impact": "serious", "extent": "one"}
    incident = _post(demo, writer, "/incidents", words)["id"]
    _post(demo, writer, f"/incidents/{incident}/reach", _scope(tenant))
    _post(demo, writer, f"/incidents/{incident}/breach", {"facts": "Seen in the log."})
    place = f"/incidents/{incident}/notices/{tenant['id']}/1"
    _post(demo, writer, place, TEXT, "PUT")
    _post(demo, reader, f"{place}/approve", {})
    _post(demo, writer, f"{place}/send", {})
    return str(incident)


@pytest.mark.browser
def test_from_the_first_line_to_the_customers_eyes(
    demo: Demo, officer: StaffPerson, reader: StaffPerson, robbed: dict[str, str],
    consoles: Consoles,
) -> None:  # fmt: skip
    console = consoles(officer)
    console.go("/incidents")
    console.page.get_by_role("link", name="Open an incident").click()
    console.fill("Title", "Strange reading at night")
    console.fill("What has happened", "Somebody reads.\n<script>alert(1)</script>")
    console.page.get_by_label("Impact", exact=True).select_option("serious")
    console.page.get_by_label("Extent", exact=True).select_option("one")
    console.press("Open the incident")
    console.sees("status", "The incident is open")
    path = console.page.url.removeprefix(demo.base_url).partition("?")[0]
    expect(console.page.get_by_text("<script>alert(1)</script>").first).to_be_visible()

    # It goes nowhere without an owner.
    console.fill("What was done, or has turned up", "Looked at the log of last night.")
    console.press("Take it there")
    console.sees("alert", "name an owner")
    console.go(f"{path}/edit")
    console.page.get_by_label("Owner").select_option(officer.id)
    console.page.get_by_label("Deputy").select_option(reader.id)
    console.press("Keep the people")
    console.sees("status", "The incident is changed")
    console.page.get_by_label("Playbook").select_option("stolen-credentials")
    console.press("Follow it")
    console.sees("status", "Its boxes are tasks now")
    console.page.get_by_role(
        "button", name="Done: End every session of the account, and disable it; revoke the key"
    ).click()
    console.sees("status", "Noted in the timeline too")
    console.fill("What was done, or has turned up", "Looked at the log of last night.")
    console.press("Take it there")
    console.sees("status", "another phase")
    console.page.get_by_label("A file, up to 6 MiB").set_input_files(
        {"name": "mail ü.txt", "mimeType": "text/html", "buffer": b"<script>alert(2)</script>"}
    )
    console.press("Keep it")
    console.sees("status", "The file is kept")
    with console.page.expect_download() as download:
        console.page.get_by_role("link", name="mail ü.txt").click()
    assert download.value.suggested_filename == "mail ü.txt"
    assert download.value.path().read_bytes() == b"<script>alert(2)</script>"

    # Whom it concerns, and that it is a breach.
    console.page.get_by_role("link", name="Breach and blast radius").click()
    console.fill("API keys and clients", "nobody")
    console.press("Compute the blast radius")
    console.sees("alert", "Give ids as they are shown")
    console.fill("API keys and clients", robbed["key"])
    console.fill("To (UTC)", f"{datetime.now(UTC) + timedelta(minutes=2):%Y-%m-%dT%H:%M}")
    console.press("Compute the blast radius")
    console.sees("status", "The blast radius is computed")
    expect(console.page.get_by_text("3 people for certain")).to_be_visible()
    console.fill("On what facts", "The key's owner was asleep.")
    console.press("It is a breach of personal data")
    console.sees("status", "The clock runs")
    expect(console.page.get_by_role("timer")).to_contain_text("23 h 59 min left")

    # The notice: not by one person, not with a part missing.
    console.page.get_by_role("link", name="Notices", exact=True).click()
    console.page.get_by_role("link", name="Robbed & Sons").click()
    notice_path = console.page.url.removeprefix(demo.base_url)
    for label, text in PARTS.items():
        console.fill(label, text)
    console.fill("Who answers questions", "")
    console.press("Keep the draft")
    console.press("Send the notice")
    console.sees("alert", "Say it: who answers questions")
    for label, text in PARTS.items():
        console.fill(label, text)
    console.press("Keep the draft")
    console.press("I have read it, and approve")
    console.sees("alert", "Somebody else has to read and approve it")
    other = consoles(reader)
    other.go(notice_path)
    other.press("I have read it, and approve")
    other.sees("status", "can be sent")
    other.press("Send the notice")
    other.sees("status", "The notice is sent")
    other.sees("heading", "How it went out")
    other.go(path)
    expect(other.page.get_by_text("Everybody concerned was told")).to_be_visible()

    # The customer: reads it, sees by name who it is about, and keeps the PDF.
    customer = consoles(demo.tenant_owner(robbed["id"]))
    customer.go("/notices")
    customer.page.get_by_role("link", name="Incident").first.click()
    for text in PARTS.values():
        expect(customer.page.get_by_text(text.partition("\n")[0]).first).to_be_visible()
    expect(customer.page.get_by_text("72 hours from when we told you")).to_be_visible()
    with customer.page.expect_download() as download:
        customer.page.get_by_role("link", name="PDF of version 1").click()
    assert download.value.path().read_bytes().startswith(b"%PDF-")
    customer.page.get_by_role("link", name="The people who were reached for certain").click()
    for name in ("ada", "grace", "linus"):
        expect(customer.page.get_by_text(name, exact=True)).to_be_visible()
    other.go(notice_path)
    expect(other.page.get_by_text("Nobody of the customer has opened it")).to_have_count(0)

    # A supplement, the post-mortem, the end.
    other.press("Draft a supplement")
    other.sees("status", "The draft is made")
    other.page.get_by_text("Throw the draft away").click()
    other.fill("Why", "Nothing more is known.")
    other.press("Throw it away")
    other.sees("status", "The draft is gone")
    other.go(f"{path}/postmortem")
    other.fill("What it came from", "A key in a repository.")
    other.fill("What was learnt", "Keys do not belong there.")
    other.fill("What is to be done about it", "Scan repositories\nRotate keys")
    other.press("Keep the post-mortem")
    other.sees("alert", "Mitigate it first")
    other.go(path)
    other.fill("What was done, or has turned up", "The key is revoked, sessions ended.")
    other.press("Take it there")
    other.sees("status", "another phase")
    other.go(f"{path}/postmortem")
    other.fill("What it came from", "A key in a repository.")
    other.fill("What was learnt", "Keys do not belong there.")
    other.fill("What is to be done about it", "Scan repositories\nRotate keys")
    other.press("Keep the post-mortem")
    other.sees("status", "The post-mortem is kept")
    expect(other.page.get_by_text("Scan repositories").first).to_be_visible()


@pytest.mark.browser
def test_alerts_open_an_incident_once(
    demo: Demo, officer: StaffPerson, consoles: Consoles
) -> None:  # fmt: skip
    console = consoles(officer)
    console.go("/incident-triggers")
    console.press("Set it")
    console.sees("alert", "Give either a rule or a level")
    console.page.get_by_label("Or those of one rule").select_option(label="A collection was deleted")
    console.page.get_by_label("Playbook to follow").select_option("service-down")
    console.page.get_by_label("Impact", exact=True).select_option("limited")
    console.press("Set it")
    console.sees("status", "open an incident from now on")
    tenant = demo.new_tenant("Deleting", ["collections:write"])
    definition = {
        "title": "x",
        "purpose": "x",
        "subject": "none",
        "fields": {"a": {"type": "string", "category": "none"}},
    }
    with demo.open(tenant["api_key"]) as client:
        for name in ("one", "two"):
            client.collections.put(name, definition)
            client.collections.delete(name)

    def opened() -> list[Any]:
        with demo.http(officer.token) as http:
            found = http.get("/api/v1/incidents", params={"search": "A collection was deleted"}).json()["items"]
        return [one for one in found if one["opened_by"] == "alerts"]

    (incident,) = eventually(opened, seconds=20, what="an incident of the alert")
    time.sleep(1)
    assert len(opened()) == 1
    with demo.http(officer.token) as http:
        details = http.get(f"/api/v1/incidents/{incident['id']}").json()
    assert [one["title"] for one in details["alerts"]] == ["A collection was deleted"]
    assert len(details["tasks"]) > 5
    console.go("/incident-triggers")
    console.press("Remove")
    console.sees("status", "open none any more")


@pytest.mark.browser
def test_people_exercise_and_a_drill_passes(
    demo: Demo, officer: StaffPerson, consoles: Consoles
) -> None:  # fmt: skip
    console = consoles(officer)
    console.go("/exercises")
    console.press("Run a drill")
    console.sees("status", "The drill has passed")
    console.press("Begin a tabletop exercise")
    console.sees("status", "The incident is open")
    expect(console.page.get_by_text("Nothing of it leaves the house")).to_be_visible()
    console.press("End the exercise")
    console.sees("status", "The exercise is over")
    console.go("/exercises")
    expect(console.page.get_by_text("The breach was not verified.")).to_be_visible()


def test_a_customer_learns_nothing_of_anothers(
    demo: Demo, officer: StaffPerson, reader: StaffPerson, robbed: dict[str, str]
) -> None:
    incident = _told(demo, officer, reader, robbed)
    neighbour = demo.new_tenant("Next door", ["notices:read"])
    with demo.http(neighbour["api_key"]) as http:
        assert http.get("/api/v1/notices").json()["items"] == []
        for path in ("", "/1/pdf", "/subjects"):
            assert http.get(f"/api/v1/notices/{incident}{path}").status_code == 404
    with demo.http(robbed["api_key"]) as http:  # its scopes say nothing of notices
        assert http.get("/api/v1/notices").status_code == 403
    viewer: MemberPerson = demo.new_member(robbed["id"], "viewer")
    auditor: MemberPerson = demo.new_member(robbed["id"], "auditor")
    for person, expected in ((viewer, 403), (auditor, 200)):
        with demo.http(person.token) as http:
            assert http.get(f"/api/v1/notices/{incident}").status_code == expected
            assert http.get(f"/api/v1/notices/{incident}/subjects").status_code == 403
            assert http.get(f"/api/v1/incidents/{incident}").status_code == 403
    with demo.http(officer.token) as http:  # staff do not see who the people are
        assert http.get(f"/api/v1/notices/{incident}/subjects").status_code == 403
        assert "grace" not in http.get(f"/api/v1/incidents/{incident}").text


def test_wrong_input_is_told_and_changes_nothing(demo: Demo, officer: StaffPerson, robbed: dict[str, str]) -> None:
    good = {"title": "Wrong input", "summary": "x", "impact": "none", "extent": "one"}
    incident = _post(demo, officer, "/incidents", good)["id"]
    with demo.http(officer.token) as http:
        for changed in (
            {"title": ""},
            {"title": "a\u0000b"},
            {"title": "x" * 201},
            {"impact": "huge"},
            {"extent": None},
        ):
            assert http.post("/api/v1/incidents", json=good | changed).status_code in (400, 422), changed
        place = f"/api/v1/incidents/{incident}"
        assert http.put(place, json={"title": "b", "summary": "b", "version": 7}).status_code == 409
        assert http.post(f"{place}/move", json={"to": "closed", "reason": "It is over now."}).status_code == 409
        assert http.post(f"{place}/move", json={"to": "nowhere", "reason": "It is over now."}).status_code == 422
        assert http.post(f"{place}/timeline", json={"text": "x", "event": incident}).status_code == 422
        assert http.post(f"{place}/alerts", json={"alert": incident}).status_code == 404
        assert http.post(f"{place}/notices/{robbed['id']}").status_code == 409  # nobody has verified anything
        assert http.put(f"{place}/evidence/..%2Fx", content=b"x").status_code in (404, 422)
        assert http.put(f"{place}/evidence/big", content=b"x" * (6 * 1024 * 1024 + 1)).status_code == 413
        details = http.get(place).json()
    assert [one["kind"] for one in details["timeline"]] == ["opened"]
    assert details["attachments"] == []


@pytest.mark.browser
def test_its_pages_fit_are_named_and_have_no_inline_code(
    demo: Demo, officer: StaffPerson, reader: StaffPerson, robbed: dict[str, str], consoles: Consoles
) -> None:
    incident = _told(demo, officer, reader, robbed)
    console, customer = consoles(officer), consoles(demo.tenant_owner(robbed["id"]))
    base = f"/incidents/{incident}"
    for one, paths in (
        (console, ["/incidents", "/incidents?state=closed&search=zzz", "/incidents/new", base, f"{base}/edit",
                   f"{base}/breach", f"{base}/notices", f"{base}/notices/{robbed['id']}", f"{base}/postmortem",
                   "/incident-triggers", "/playbooks", "/exercises"]),
        (customer, ["/notices", f"/notices/{incident}", f"/notices/{incident}/subjects",
                    f"/notices/{incident}/subjects?sureness=possible"]),
    ):  # fmt: skip
        one.page.set_viewport_size({"width": 320, "height": 640})
        for path in paths:
            assert one.go(path).status == 200, path
            assert one.page.evaluate("document.documentElement.scrollWidth") <= 320, path
            assert one.page.locator("h1").count() == 1, path
            assert one.page.evaluate(UNNAMED) == 0, path
            assert one.page.evaluate(INLINE) == [], path
            assert one.page.evaluate(TWICE) == [], path


@pytest.mark.browser
def test_many_customers_are_told_at_once(
    demo: Demo, officer: StaffPerson, reader: StaffPerson, consoles: Consoles
) -> None:
    words = {"title": "Many", "summary": "Two are concerned.", "impact": "limited", "extent": "some"}
    incident = _post(demo, officer, "/incidents", words)["id"]
    _post(demo, officer, f"/incidents/{incident}/breach", {"facts": "Seen."})
    for name in ("Many one", "Many two"):
        _post(demo, officer, f"/incidents/{incident}/notices/{demo.new_tenant(name, ['records:read'])['id']}", {})
    console, other = consoles(officer), consoles(reader)
    console.go(f"/incidents/{incident}/notices")
    console.page.get_by_text("Write the same into every draft").click()
    for label, text in PARTS.items():
        console.fill(label, text)
    console.press("Write it into 2 drafts")
    console.sees("status", "Done with 2 notices.")
    console.press("I have read them, and approve all that are complete")
    console.sees("status", "and not with 2")
    other.go(f"/incidents/{incident}/notices")
    other.press("I have read them, and approve all that are complete")
    other.sees("status", "Done with 2 notices.")
    other.press("Send all that are approved")
    other.sees("status", "Done with 2 notices.")
    expect(other.page.get_by_text("Everybody concerned was told")).to_be_visible()
