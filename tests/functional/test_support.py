"""Support cases: nobody of the staff sees anything without a grant, nor after its end, nor beside its scope."""

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.functional.browser import INLINE, TWICE, UNNAMED
from tests.functional.conftest import Consoles
from tests.functional.instance import Demo, MemberPerson, Person, StaffPerson

pytestmark = [pytest.mark.functional, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def helper(demo: Demo) -> StaffPerson:
    return demo.invite_staff(["support"])


@pytest.fixture(scope="module")
def customer(demo: Demo) -> dict[str, Any]:
    """A customer with two collections, and a record of each of two people in both."""
    tenant: dict[str, Any] = demo.new_tenant("In trouble", ["records:read", "records:write", "collections:write"])
    definition = {
        "title": "x", "purpose": "Being looked at.", "subject": "required",
        "fields": {"name": {"type": "string", "category": "identity"}},
    }  # fmt: skip
    with demo.open(tenant["api_key"]) as client:
        for name in ("people", "orders"):
            client.collections.put(name, definition)
            for subject in ("ada", "grace"):
                data = {"name": f"{subject} in {name}"}
                tenant[f"{name}/{subject}"] = client.records.create(name, data, subject=subject).id
    return tenant


def _ask(demo: Demo, helper: Person, customer: dict[str, Any], **scope: Any) -> str:
    body = {"tenant": customer["id"], "reason": "Ticket 7: the import is stuck.", "hours": 2, **scope}
    with demo.http(helper.token) as http:
        answer = http.post("/api/v1/support-cases", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def _act(demo: Demo, person: Person, case: str, verb: str, body: dict[str, Any] | None = None) -> int:
    with demo.http(person.token) as http:
        return http.post(f"/api/v1/support-cases/{case}/{verb}", json=body or {}).status_code


def _names(demo: Demo, person: Person, case: str) -> list[str] | int:
    """What somebody reads within a case, or how they are refused."""
    with demo.http(person.token) as http:
        answer = http.get(f"/api/v1/support-cases/{case}/records")
    return sorted(one["data"]["name"] for one in answer.json()["items"]) if answer.is_success else answer.status_code


def test_staff_see_exactly_what_was_granted_and_for_as_long(
    demo: Demo, helper: StaffPerson, customer: dict[str, Any]
) -> None:
    owner = demo.tenant_owner(customer["id"])
    case = _ask(
        demo, helper, customer, collections=["people"], subjects=["ada"], records=[customer["orders/grace"]]
    )  # fmt: skip
    assert _names(demo, helper, case) == 409
    assert _act(demo, owner, case, "grant", {"collections": [], "hours": 1}) == 200
    assert _names(demo, helper, case) == ["ada in orders", "ada in people", "grace in orders"]
    with demo.http(helper.token) as http:
        place = f"/api/v1/support-cases/{case}/records"
        assert http.get(f"{place}/{customer['people/ada']}").json()["subject"] == "ada"
        assert http.get(f"{place}/{customer['people/grace']}").status_code == 404
        # By no other way, with or without a case.
        assert http.get(f"/api/v1/collections/people/records/{customer['people/ada']}").status_code == 403
    colleague = demo.invite_staff(["support"])
    assert _names(demo, colleague, case) == 404
    assert _names(demo, demo.owner, case) == 404  # whoever has not asked, whatever their role
    with owner.client() as client:
        actions = [(one.action, one.actor.kind if one.actor else "") for one in client.events.list(action="support")]
    assert ("support.record_read", "staff") in actions
    assert ("support.records_listed", "staff") in actions
    assert _act(demo, owner, case, "end") == 200
    assert _names(demo, helper, case) == 409


def test_a_case_ends_by_itself(demo: Demo, helper: StaffPerson, customer: dict[str, Any]) -> None:
    case = _ask(demo, helper, customer, collections=["people"])
    assert _act(demo, demo.tenant_owner(customer["id"]), case, "grant") == 200
    assert isinstance(_names(demo, helper, case), list)
    demo.sql("UPDATE support_cases SET expires_at = now() WHERE case_id = %s", (case,))
    assert _names(demo, helper, case) == 409
    with demo.http(helper.token) as http:
        assert http.get(f"/api/v1/support-cases/{case}").json()["state"] == "ended"


@pytest.mark.parametrize(
    "body",
    [
        {"hours": 3}, {"hours": 0}, {"collections": ["people", "orders"]}, {"subjects": ["grace"]},
        {"collections": [], "subjects": []}, {"records": ["01890000-0000-7000-8000-000000000000"]},
    ],
)  # fmt: skip
def test_a_grant_only_narrows(demo: Demo, helper: StaffPerson, customer: dict[str, Any], body: dict[str, Any]) -> None:
    case = _ask(demo, helper, customer, collections=["people"], subjects=["ada"])
    assert _act(demo, demo.tenant_owner(customer["id"]), case, "grant", body) == 422
    assert _names(demo, helper, case) == 409


def test_who_may_decide_and_ask(demo: Demo, helper: StaffPerson, customer: dict[str, Any]) -> None:
    case = _ask(demo, helper, customer, collections=["people"])
    viewer: MemberPerson = demo.new_member(customer["id"], "viewer")
    auditor: MemberPerson = demo.new_member(customer["id"], "auditor")
    neighbour = demo.tenant_owner(demo.new_tenant("Beside", ["records:read"])["id"])
    for person, expected in ((viewer, 403), (auditor, 403), (helper, 403), (neighbour, 404)):
        assert _act(demo, person, case, "grant") == expected
    assert _act(demo, neighbour, case, "end") == 404
    with demo.http(neighbour.token) as http:
        assert http.get(f"/api/v1/support-cases/{case}").status_code == 404
        assert case not in http.get("/api/v1/support-cases").text
    body = {"tenant": customer["id"], "reason": "x", "hours": 1, "collections": ["people"]}
    with demo.http(demo.invite_staff(["infrastructure"]).token) as http:
        assert http.post("/api/v1/support-cases", json=body).status_code == 403
    with demo.http(helper.token) as http:
        wrong: list[dict[str, Any]] = [
            {"hours": 169}, {"hours": "x"}, {"collections": []}, {"reason": " "}, {"subjects": ["a\u0000"]},
            {"records": ["x"]}, {"subjects": [f"s{n}" for n in range(101)]},
        ]  # fmt: skip
        for changed in wrong:
            assert http.post("/api/v1/support-cases", json=body | changed).status_code in (400, 422), changed
        unknown = body | {"tenant": "01890000-0000-7000-8000-000000000000"}
        assert http.post("/api/v1/support-cases", json=unknown).status_code == 404
    assert _act(demo, demo.tenant_owner(customer["id"]), case, "refuse") == 200
    assert _act(demo, demo.tenant_owner(customer["id"]), case, "grant") == 409


@pytest.mark.browser
def test_the_customer_grants_a_part_and_watches_it(
    demo: Demo, helper: StaffPerson, customer: dict[str, Any], consoles: Consoles
) -> None:
    console, portal = consoles(helper), consoles(demo.tenant_owner(customer["id"]))
    console.go("/support/new")
    console.fill("Customer’s id", customer["id"])
    console.fill("Why", "Ticket 8: names are garbled.\n<i>Really.</i>")
    console.fill("Hours", "2")
    console.fill("Collections", "people\norders")
    console.fill("Data subjects", "grace")
    console.press("Ask")
    console.sees("status", "The customer is asked")
    path = console.page.url.removeprefix(demo.base_url).partition("?")[0]
    portal.go("/support")
    portal.page.locator(f"a[href='{path}']").click()
    expect(portal.page.get_by_text("<i>Really.</i>")).to_be_visible()
    portal.page.get_by_label("orders").uncheck()
    portal.press("Let them see it")
    portal.sees("status", "They can see it now")
    console.go(path)
    console.page.get_by_role("link", name="Read within it").click()
    expect(console.page.get_by_text("grace in orders")).to_be_visible()
    expect(console.page.get_by_text("ada in people")).to_be_visible()
    expect(console.page.get_by_text("ada in orders")).to_have_count(0)
    # Without a reload, within seconds.
    expect(portal.page.get_by_text("support.records_listed").first).to_be_visible(timeout=10_000)
    portal.press("End it now")
    portal.sees("status", "It is over")
    assert console.go(f"{path}/records").status == 409
    for one, pages in ((console, ["/support", "/support/new", path]), (portal, ["/support", path])):
        one.page.set_viewport_size({"width": 320, "height": 640})
        for page in pages:
            assert one.go(page).status == 200, page
            assert one.page.evaluate("document.documentElement.scrollWidth") <= 320, page
            assert one.page.locator("h1").count() == 1, page
            assert one.page.evaluate(UNNAMED) == 0, page
            assert one.page.evaluate(INLINE) == [], page
            assert one.page.evaluate(TWICE) == [], page
