"""Alerts as people meet them: told within seconds, in the console, at the command line, and by one tenant alone."""

import json
import time
from typing import Any

import pytest
from playwright.sync_api import expect

from bailee.client import Alert, Conflict, Forbidden, Invalid, NotFound
from tests.functional.browser import INLINE, TWICE, UNNAMED
from tests.functional.conftest import Consoles
from tests.functional.instance import Demo, MemberPerson

pytestmark = [pytest.mark.functional, pytest.mark.timeout(240)]

_DELETED = "A collection was deleted"
_WITHIN = 10.0


@pytest.fixture(scope="module")
def owner(demo: Demo) -> MemberPerson:
    tenant = demo.new_tenant("Watched", ["records:read"], plan="enterprise")
    return demo.new_member(tenant["id"], "owner")


def _delete_a_collection(demo: Demo, person: MemberPerson, name: str) -> None:
    definition = {
        "title": "Fleeting", "purpose": "Being deleted.", "subject": "optional",
        "fields": {"name": {"type": "string", "category": "identity"}},
    }  # fmt: skip
    with demo.http(person.token) as http:
        http.put(f"/api/v1/collections/{name}", json=definition).raise_for_status()
        http.delete(f"/api/v1/collections/{name}").raise_for_status()


def _wait(demo: Demo, person: MemberPerson, matches: int) -> Alert:
    """The unfinished alert about deleted collections, once it has come so often."""
    until = time.monotonic() + _WITHIN
    while True:
        with person.client() as client:
            found = [one for one in client.alerts.list(status="unfinished") if one.title == _DELETED]
        if found and found[0].matches >= matches:
            (alert,) = found
            return alert
        assert time.monotonic() < until, found
        time.sleep(0.2)


@pytest.mark.browser
def test_an_alert_is_told_worked_on_and_closed(demo: Demo, owner: MemberPerson, consoles: Consoles) -> None:
    _delete_a_collection(demo, owner, "fleeting_1")
    alert = _wait(demo, owner, 1)
    console = consoles(owner)
    console.go("/alerts")
    console.page.get_by_label("Level").select_option("critical")
    console.press("Show")
    expect(console.page.get_by_text("There is none.")).to_be_visible()
    console.page.get_by_label("Level").select_option("medium")
    console.press("Show")
    console.page.get_by_role("link", name=_DELETED).click()
    console.is_at(f"/alerts/{alert.id}")
    expect(console.page.get_by_text("collection.deleted").first).to_be_visible()
    console.press("I am at it")
    console.sees("status", "You are at it")
    console.press("Assign it to me")
    console.sees("status", "The alert is yours")
    console.fill("Note", "Called the product team.\n<b>They</b> meant it.")
    console.press("Add the note")
    console.sees("status", "The note is kept")
    expect(console.page.get_by_text("<b>They</b> meant it.")).to_be_visible()
    console.page.get_by_label("What it was").select_option("expected")
    console.press("Close the alert")
    console.sees("status", "The alert is closed")
    with owner.client() as client:
        closed = client.alerts.get(alert.id)
        assert (closed.alert.status, closed.alert.resolution) == ("closed", "expected")
        assert closed.alert.assignee == owner.id
        assert [one.author for one in closed.notes] == [owner.id]
        with pytest.raises(Conflict):
            client.alerts.close(alert.id, "handled")
        for event_id in closed.event_ids:
            assert client.ledger.proof(event_id)


@pytest.mark.browser
def test_a_rule_is_quiet_until_it_is_told_again(demo: Demo, owner: MemberPerson, consoles: Consoles) -> None:
    _delete_a_collection(demo, owner, "fleeting_2")
    alert = _wait(demo, owner, 1)
    console = consoles(owner)
    console.go(f"/alerts/{alert.id}")
    console.fill("Days", "0")
    console.fill("Reason", "The product team moves its data this week.")
    console.press("Be quiet")
    console.sees("alert", "Choose 1 to 90 days")
    console.fill("Days", "7")
    console.press("Be quiet")
    console.sees("status", "The rule is quiet until then")
    _delete_a_collection(demo, owner, "fleeting_3")
    until = time.monotonic() + _WITHIN
    with owner.client() as client:
        while not (quiet := next(iter(client.alerts.suppressions()))).matches:
            assert time.monotonic() < until
            time.sleep(0.2)
        assert (quiet.title, quiet.in_force, client.alerts.get(alert.id).alert.matches) == (_DELETED, True, 1)
    console.go("/suppressions")
    console.page.get_by_role("button", name=f"Tell it again: {_DELETED}").click()
    console.sees("status", "The rule is told again")
    _delete_a_collection(demo, owner, "fleeting_4")
    assert _wait(demo, owner, 2).id == alert.id


def test_nobody_else_sees_or_hides_it(demo: Demo, owner: MemberPerson) -> None:
    _delete_a_collection(demo, owner, "fleeting_5")
    alert = _wait(demo, owner, 1)
    neighbour = demo.new_member(demo.new_tenant("Not watching", ["records:read"])["id"], "owner")
    viewer = demo.new_member(demo.tenants[0]["id"], "viewer")
    with neighbour.client() as client:
        assert alert.id not in [one.id for one in client.alerts.list()]
        for act in (
            lambda: client.alerts.get(alert.id),
            lambda: client.alerts.acknowledge(alert.id),
            lambda: client.alerts.note(alert.id, "mine"),
            lambda: client.alerts.suppress(alert.id, days=1, reason="Hiding what they do."),
        ):
            with pytest.raises(NotFound):
                act()
    with viewer.client() as client, pytest.raises(Forbidden):
        next(iter(client.alerts.list()), None)
    with demo.staff_client() as staff:
        assert staff.alerts.get(alert.id).alert.title == _DELETED
    demo.sql("UPDATE alerts SET level = 'high' WHERE alert_id = %s", (alert.id,))
    with owner.client() as client, pytest.raises(Conflict, match="operator"):
        client.alerts.suppress(alert.id, days=1, reason="Hiding it from the operator.")
    demo.sql("UPDATE alerts SET level = 'medium' WHERE alert_id = %s", (alert.id,))


def test_it_is_given_only_to_whoever_may_see_it(demo: Demo, owner: MemberPerson) -> None:
    _delete_a_collection(demo, owner, "fleeting_8")
    alert = _wait(demo, owner, 1)
    with owner.client() as client:
        tenant = client.alerts.get(alert.id).alert.tenant_id
    viewer, auditor = demo.new_member(tenant, "viewer"), demo.new_member(tenant, "auditor")
    support = demo.invite_staff(["support"])
    with owner.client() as client:
        for stranger in (viewer.id, support.id, demo.owner.id):
            with pytest.raises(Invalid):
                client.alerts.assign(alert.id, stranger)
        assert client.alerts.assign(alert.id, auditor.id).assignee == auditor.id
    with demo.staff_client() as staff:
        for stranger in (viewer.id, support.id):
            with pytest.raises(Invalid):
                staff.alerts.assign(alert.id, stranger)
        assert staff.alerts.assign(alert.id, demo.owner.id).assignee == demo.owner.id


def test_the_command_line_does_all_of_it(demo: Demo, owner: MemberPerson) -> None:
    _delete_a_collection(demo, owner, "fleeting_6")
    alert = _wait(demo, owner, 1)

    def do(*arguments: str) -> Any:
        answer = demo.cli("alert", *arguments, env={"BAILEE_TOKEN": owner.token})
        assert answer.returncode == 0, answer.stderr
        return json.loads(answer.stdout) if "--json" in arguments else answer.stdout

    assert alert.id in [one["id"] for one in do("list", "--level", "medium", "--json")["items"]]
    do("acknowledge", alert.id)
    do("assign", alert.id, owner.id)
    do("note", alert.id, "Looked into it.")
    assert "Looked into it." in do("show", alert.id)
    (quiet,) = do("suppress", alert.id, "--days", "1", "--reason", "Moving house this week.", "--json")["items"]
    assert _DELETED in do("suppressions")
    do("end-suppression", quiet["id"])
    assert "closed" in do("close", alert.id, "--resolution", "handled")
    refused = demo.cli("alert", "show", "nothing", env={"BAILEE_TOKEN": owner.token})
    assert (refused.returncode, "Traceback" in refused.stderr) == (1, False)


@pytest.mark.browser
def test_its_pages_fit_are_named_and_have_no_inline_code(demo: Demo, owner: MemberPerson, consoles: Consoles) -> None:
    _delete_a_collection(demo, owner, "fleeting_7")
    alert = _wait(demo, owner, 1)
    console = consoles(owner)
    console.page.set_viewport_size({"width": 320, "height": 640})
    for path in (
        "/alerts",
        "/alerts?status=closed&level=medium",
        "/alerts?status=none&level=none",
        f"/alerts/{alert.id}",
        "/suppressions",
    ):
        assert console.go(path).status == 200, path
        assert console.page.evaluate("document.documentElement.scrollWidth") <= 320, path
        assert console.page.locator("h1").count() == 1, path
        assert console.page.evaluate(UNNAMED) == 0, path
        assert console.page.evaluate(INLINE) == [], path
        assert console.page.evaluate(TWICE) == [], path


def test_the_rules_that_ship_pass_their_trials(demo: Demo) -> None:
    for command in ("lint", "test"):
        answer = demo.cli("rules", command)
        assert answer.returncode == 0, answer.stdout + answer.stderr
    listed = json.loads(demo.cli("rules", "list", "--json").stdout)["items"]
    assert len(listed) > 30
