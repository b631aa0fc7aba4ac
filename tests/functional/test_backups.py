"""Backups as people meet them: the recovery key, who may open them, drills; over the API, the CLI and in a browser."""

import json
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.functional.browser import INLINE, TWICE, UNNAMED, age_second_factor
from tests.functional.conftest import Consoles, FreshInstance
from tests.functional.instance import Demo, Instance, StaffPerson, eventually

pytestmark = [pytest.mark.functional, pytest.mark.timeout(300)]

REASON = "The disk of the first machine is gone."
UNKNOWN = "01890000-0000-7000-8000-000000000000"


@pytest.fixture(scope="module")
def officer(demo: Demo) -> StaffPerson:
    return demo.invite_staff(["security_officer"])


@pytest.fixture(scope="module")
def engineer(demo: Demo) -> StaffPerson:
    return demo.invite_staff(["infrastructure"])


@pytest.fixture(scope="module")
def auditor(demo: Demo) -> StaffPerson:
    return demo.invite_staff(["auditor"])


@pytest.fixture(scope="module")
def new_instance(fresh_instance: FreshInstance) -> Instance:
    """One that has an owner, and no recovery key; nothing is taken there but what a test asks for."""
    instance = fresh_instance(BAILEE_BACKUP__SCHEDULED="false")
    instance.set_up().close()
    return instance


@pytest.fixture(scope="module")
def backed_up(demo: Demo) -> None:
    """Waits until the demo has its first backups, which it takes by itself."""
    for server in ("main", "keyring", "objects", "settings"):
        eventually(lambda server=server: _complete(demo, server), seconds=150, what=f"a backup of {server}")  # type: ignore[misc]


def _status(demo: Demo, person: StaffPerson, method: str, path: str, body: Any = None) -> int:
    with demo.http(person.token) as http:
        return http.request(method, f"/api/v1{path}", json=body).status_code


def _requested(demo: Demo, person: StaffPerson) -> str:
    with person.client() as client:
        return client.backups.request_release("disaster_recovery", REASON).id


def _complete(demo: Demo, server: str) -> list[Any]:
    with demo.staff_client() as staff:
        return [one for one in staff.backups.list(server=server) if one.state == "complete"]


# --- the API -------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("backed_up")
def test_the_demo_backs_itself_up_and_keeps_its_kit_to_itself(demo: Demo) -> None:
    kit = demo.data / "demo-recovery-kit.txt"
    assert kit.stat().st_mode & 0o777 == 0o600
    assert "AGE-SECRET-KEY-" in kit.read_text()
    with demo.staff_client() as staff:
        (backup, *_) = staff.backups.list(server="main", page_size=1)
        assert staff.backups.get(backup.id).server == "main"
        assert {one.server for one in staff.backups.points()} == {"main", "keyring"}
        assert [one.retired_at for one in staff.backups.recovery_keys()] == [None]
        assert "AGE-SECRET-KEY-" not in repr(staff.backups.recovery_keys())
        assert staff.backups.restores() == []
        assert "## With the recovery kit" in staff.backups.runbook()
    with demo.http(demo.staff_token) as http:
        answer = http.get("/api/v1/backups/runbook")
        assert answer.headers["content-type"].startswith("text/markdown")
        assert http.get(f"/api/v1/backups/{UNKNOWN}").status_code == 404
        assert http.get("/api/v1/backups", params={"server": "moon"}).status_code == 422


def test_each_role_does_what_is_its_own(
    demo: Demo, officer: StaffPerson, engineer: StaffPerson, auditor: StaffPerson
) -> None:
    support = demo.invite_staff(["support"])
    main = {"server": "main"}
    for method, path, body, expected in (
        ("GET", "/backups", None, {"officer": 200, "engineer": 200, "auditor": 200, "support": 403}),
        ("GET", "/backups/points", None, {"officer": 200, "engineer": 200, "auditor": 200, "support": 403}),
        ("POST", "/backups", main, {"officer": 403, "engineer": 202, "auditor": 403, "support": 403}),
        ("POST", "/backups/verify", None, {"officer": 202, "engineer": 202, "auditor": 403, "support": 403}),
        ("POST", "/recovery-keys", None, {"officer": 403, "engineer": 403, "auditor": 403, "support": 403}),
        ("GET", "/recovery-keys", None, {"officer": 200, "engineer": 200, "auditor": 200, "support": 403}),
        ("GET", "/restores", None, {"officer": 200, "engineer": 200, "auditor": 200, "support": 403}),
    ):
        people = {"officer": officer, "engineer": engineer, "auditor": auditor, "support": support}
        found = {name: _status(demo, person, method, path, body) for name, person in people.items()}
        assert found == expected, (method, path)
    with demo.http(demo.tenants[0]["api_key"]) as http:
        assert http.get("/api/v1/backups").status_code == 403
    assert _status(demo, engineer, "POST", "/backups", {"server": "moon"}) == 422


def test_what_was_asked_for_is_taken_and_read_again(demo: Demo, engineer: StaffPerson) -> None:
    before = {one.id for one in _complete(demo, "keyring")}
    with engineer.client() as client:
        client.backups.take("keyring")
        taken = eventually(
            lambda: [one for one in _complete(demo, "keyring") if one.id not in before], seconds=120, what="a backup"
        )
        client.backups.verify()
        found = eventually(
            lambda: [one for one in _complete(demo, "keyring") if one.id == taken[0].id and one.verified_at],
            seconds=120, what="it was read again",
        )  # fmt: skip
    assert found[0].fault == ""


@pytest.mark.usefixtures("backed_up")
def test_a_release_takes_two_people_and_is_used_once(demo: Demo, engineer: StaffPerson, officer: StaffPerson) -> None:
    assert _status(demo, engineer, "POST", "/backup-releases", {"purpose": "curiosity", "reason": REASON}) == 422
    assert _status(demo, engineer, "POST", "/backup-releases", {"purpose": "drill", "reason": REASON}) == 422
    assert _status(demo, engineer, "POST", "/backup-releases", {"purpose": "legal_retention", "reason": "So."}) == 422
    release = _requested(demo, engineer)
    assert _status(demo, engineer, "POST", f"/backup-releases/{release}/approve") == 403  # decides nothing at all
    unused = demo.cli("restore", "--release", release, "--list")
    assert unused.returncode == 1, unused.stdout
    with officer.client() as client:
        assert client.backups.decide_release(release, approve=True).state == "approved"
    assert _status(demo, officer, "POST", f"/backup-releases/{release}/refuse") == 409
    listed = demo.cli("restore", "--release", release, "--list", "--json")
    assert listed.returncode == 0, listed.stderr
    assert {one["server"] for one in json.loads(listed.stdout)["points"]} == {"main", "keyring"}
    target, second = demo.output / "restored", demo.output / "restored-again"
    first = demo.cli("restore", "--release", release, "--to", str(target), seconds=240)
    assert first.returncode == 0, first.stderr
    assert (target / "main" / "PG_VERSION").exists()
    with officer.client() as client:
        (found,) = [one for one in client.backups.releases() if one.id == release]
        assert (found.state, found.decided_by) == ("used", officer.id)
    again = demo.cli("restore", "--release", release, "--to", str(second))
    assert again.returncode == 1
    assert "used once" in again.stderr
    assert not second.exists()
    assert demo.check("backup.opened_for_recovery_alone")["verdict"] == "holds"


def test_nobody_decides_on_their_own_request(demo: Demo, officer: StaffPerson) -> None:
    release = _requested(demo, officer)
    for act in ("approve", "refuse"):
        assert _status(demo, officer, "POST", f"/backup-releases/{release}/{act}") == 403
    with demo.owner.client() as client:
        assert client.backups.decide_release(release, approve=False).state == "refused"
    assert _status(demo, demo.owner, "POST", f"/backup-releases/{release}/approve") == 409
    assert _status(demo, demo.owner, "POST", f"/backup-releases/{UNKNOWN}/approve") == 404
    answer = demo.cli("restore", "--release", release, "--list")
    assert (answer.returncode, "refused" in answer.stderr) == (1, True)


def test_without_a_recovery_key_nothing_is_taken_and_it_is_said_why(new_instance: Instance) -> None:
    with new_instance.http(new_instance.staff_token) as http:
        answer = http.post("/api/v1/backups", json={"server": "main"})
        assert answer.status_code == 409
        assert "recovery key" in answer.json()["detail"]
        assert http.get("/api/v1/backups/points").json() == []


# --- the console ---------------------------------------------------------------------------------------------


@pytest.mark.browser
def test_the_kit_is_shown_once_to_an_owner_with_a_fresh_factor(new_instance: Instance, consoles: Consoles) -> None:
    owner = new_instance.owner
    console = consoles(owner, new_instance)
    age_second_factor(new_instance, owner)
    console.go("/backups")
    console.sees("alert", "there is no recovery key")
    expect(console.page.get_by_text("then the first backups are taken within minutes")).to_be_visible()
    expect(console.page.get_by_role("button", name="Make the recovery key")).to_have_count(0)
    console.page.get_by_role("link", name="Confirm with your second factor").click()
    console.fill("Code", owner.recovery_codes.pop() if owner.recovery_codes else owner.next_code())
    console.press("Confirm")
    console.is_at("/backups")
    console.press("Make the recovery key")
    console.sees("heading", "The recovery kit")
    console.sees("status", "nobody can show it again")
    expect(console.page.get_by_role("button", name="Print it")).to_be_visible()
    assert console.page.evaluate(INLINE) == []
    kit = console.page.locator("#recovery-kit").inner_text()
    secret = next(line for line in kit.splitlines() if line.startswith("AGE-SECRET-KEY-"))
    console.page.emulate_media(media="print")
    expect(console.page.locator("#recovery-kit")).to_be_visible()
    expect(console.page.get_by_role("navigation", name="Console")).to_be_hidden()
    console.page.emulate_media(media="screen")
    console.page.get_by_role("link", name="It is locked away").click()
    console.is_at("/backups")
    for path in ("/backups", "/backups/points", "/backups/releases", "/backups/drills", "/backups/runbook"):
        console.go(path)
        assert secret not in console.page.content(), path
    console.go("/backups")
    assert secret not in new_instance.logs()
    dump = new_instance.sql("SELECT recipient FROM recovery_keys")
    assert len(dump) == 1
    console.page.get_by_text("Make another recovery key").first.click()
    console.press("Make another recovery key")
    assert secret not in console.page.content()
    console.page.get_by_role("link", name="It is locked away").click()
    console.sees("heading", "Recovery keys from before")


@pytest.mark.browser
def test_a_release_by_two_people_in_the_browser(
    demo: Demo, officer: StaffPerson, engineer: StaffPerson, auditor: StaffPerson, consoles: Consoles
) -> None:
    one = consoles(officer)
    one.go("/backups/releases")
    one.page.get_by_label("What for").select_option("legal_retention")
    one.fill("Why", "short")
    one.press("Ask for it")
    one.sees("alert", "Give a reason")
    one.fill("Why", "A court <b>asks</b> for the books of last year.")
    one.press("Ask for it")
    one.sees("status", "A second person has to approve it")
    row = one.page.get_by_role("row").filter(has_text="A court <b>asks</b>")
    expect(row).to_contain_text("requested")
    expect(row).to_contain_text("A second person decides")
    expect(row.get_by_role("button")).to_have_count(0)

    reader = consoles(auditor)
    reader.go("/backups/releases")
    expect(reader.page.get_by_role("row").filter(has_text="A court").get_by_role("button")).to_have_count(0)
    expect(reader.page.get_by_role("heading", name="Ask to open backups")).to_have_count(0)

    other = consoles(demo.owner)
    other.go("/backups/releases")
    other.page.get_by_role("row").filter(has_text="A court").get_by_role("button", name="Approve").click()
    other.sees("status", "can be used once within four hours")
    expect(other.page.get_by_role("row").filter(has_text="A court")).to_contain_text("approved")
    one.go("/backups/releases")
    expect(one.page.get_by_role("row").filter(has_text="A court")).to_contain_text("lapses")


@pytest.mark.browser
@pytest.mark.usefixtures("backed_up")
def test_history_of_drills_after_two_real_ones(demo: Demo, engineer: StaffPerson, consoles: Consoles) -> None:
    taken = demo.cli("backup", "take", "--json", seconds=240)
    assert taken.returncode == 0, taken.stderr
    told = []
    for _ in range(2):
        answer = demo.cli("backup", "drill", "--json", seconds=240)
        assert answer.returncode == 0, answer.stdout + answer.stderr
        told.append(json.loads(answer.stdout))
    assert all(one["rows"] > 500 and one["samples"] and one["rto_seconds"] for one in told)
    with engineer.client() as client:
        newest, *_ = client.backups.drills(page_size=1)
        assert client.backups.get_drill(newest.id).state == "passed"
    console = consoles(engineer)
    console.go("/backups/drills")
    row = console.page.get_by_role("row").filter(has_text=f"{told[-1]['rows']:,}").first
    expect(row).to_contain_text("passed")
    expect(console.page.get_by_role("img", name="Until it served again (RTO)")).to_be_visible()
    expect(console.page.get_by_role("img", name="What would have been lost (RPO)")).to_be_visible()
    console.press("Rehearse a restore now")
    console.sees("status", "A worker rehearses a restore now")
    console.page.evaluate("window.kept = true")

    def ran() -> bool:
        with engineer.client() as client:
            found, *_ = client.backups.drills(page_size=1)
        return found.id != newest.id and found.state == "passed"

    eventually(ran, seconds=150, what="the worker's drill passes")
    # the page shows it, without having been loaded again, and rests when nothing runs any more
    rows = console.page.get_by_role("region", name="Drills").get_by_role("row")

    def is_shown() -> bool:  # the schedule may have rehearsed one, too
        with engineer.client() as client:
            passed = [one for one in client.backups.drills() if one.state == "passed"]
        return len(passed) > len(told) and rows.filter(has_text="passed").count() == len(passed)

    eventually(is_shown, seconds=20, what="every drill that passed is shown")
    expect(rows.nth(1)).to_contain_text("passed", timeout=20_000)
    expect(console.page.locator("[data-live]")).to_have_count(0, timeout=60_000)
    assert console.page.evaluate("window.kept") is True


@pytest.mark.browser
@pytest.mark.usefixtures("backed_up")
def test_backups_are_taken_filtered_and_the_runbook_kept(
    demo: Demo, engineer: StaffPerson, consoles: Consoles
) -> None:  # fmt: skip
    console = consoles(engineer)
    console.go("/backups")
    console.page.get_by_label("Beside the schedule").select_option("objects")
    console.press("Take a backup")
    console.sees("status", "A worker takes the backup now")
    console.press("Read everything again")
    console.sees("status", "reads everything in the repository again")
    expect(console.page.get_by_role("button", name="Make another recovery key")).to_have_count(0)
    console.page.get_by_label("Of what").select_option("main")
    console.press("Show")
    rows = console.page.get_by_role("region", name="Backups").get_by_role("row")
    expect(rows.nth(1)).to_contain_text("Main database")
    expect(rows.filter(has_text="Keyring")).to_have_count(0)
    console.go("/backups/points")
    expect(console.page.get_by_role("region", name="Stretches of time")).to_contain_text("Main database")
    console.go("/backups/runbook")
    with console.page.expect_download() as download:
        console.page.get_by_role("link", name="Download it as Markdown").click()
    assert download.value.suggested_filename == "restore-runbook.md"
    assert download.value.path().read_text().startswith("# Restoring ")


@pytest.mark.browser
@pytest.mark.usefixtures("backed_up")
def test_the_page_follows_a_backup_and_keeps_what_somebody_chooses_meanwhile(
    demo: Demo, engineer: StaffPerson, consoles: Consoles
) -> None:
    console = consoles(engineer)
    console.go("/backups?server=keyring")
    rows = console.page.get_by_role("region", name="Backups").get_by_role("row")
    before = {one.id for one in _complete(demo, "keyring")}
    held = rows.count()
    with engineer.client() as client:
        client.backups.take("keyring")
    console.go("/backups?server=keyring")
    expect(console.page.locator("[data-live]")).to_have_count(2)
    console.page.evaluate("window.kept = true")
    console.page.get_by_label("Beside the schedule").select_option("settings")
    eventually(lambda: {one.id for one in _complete(demo, "keyring")} - before, seconds=120, what="a backup")
    expect(rows).to_have_count(held + 1, timeout=20_000)
    expect(rows.nth(1)).to_contain_text("complete", timeout=20_000)
    expect(console.page.get_by_label("Beside the schedule")).to_have_value("settings")
    expect(console.page.locator("[data-live]")).to_have_count(0, timeout=60_000)
    assert console.page.evaluate("window.kept") is True


@pytest.mark.browser
def test_its_pages_fit_are_named_and_have_no_inline_code(
    demo: Demo, engineer: StaffPerson, new_instance: Instance, consoles: Consoles
) -> None:
    for console in (consoles(engineer), consoles(new_instance.owner, new_instance)):
        console.page.set_viewport_size({"width": 320, "height": 640})
        for path in ("/backups", "/backups?server=settings", "/backups/points", "/backups/releases", "/backups/drills",
                     "/backups/runbook"):  # fmt: skip
            answer = console.go(path)
            assert answer.status == 200, path
            assert "unsafe" not in answer.headers["content-security-policy"]
            assert console.page.evaluate("document.documentElement.scrollWidth") <= 320, path
            assert console.page.locator("h1").count() == 1, path
            assert console.page.evaluate(UNNAMED) == 0, path
            assert console.page.evaluate(INLINE) == [], path
            assert console.page.evaluate(TWICE) == [], path
