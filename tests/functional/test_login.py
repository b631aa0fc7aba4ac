"""`bailee login` against the running product: by a real browser, at a terminal, and what is kept of it."""

import json
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from bailee.client import Forbidden, Unauthorized
from tests.functional.instance import Demo, Person, StaffPerson
from tests.functional.terminal import Terminal

pytestmark = [pytest.mark.browser, pytest.mark.functional, pytest.mark.timeout(240)]

CODE = re.compile(r"\b[B-Z]{4}-[B-Z]{4}\b")


class Machine:
    """A machine at which somebody uses the command line: what is kept there is kept nowhere else."""

    def __init__(self, demo: Demo, home: Path) -> None:
        self.demo = demo
        self.file = home / "bailee" / "login.json"
        self.environment = {"XDG_CONFIG_HOME": str(home), "HOME": str(home)}
        self._terminals: list[Terminal] = []

    def run(self, *arguments: str) -> Any:
        return self.demo.cli(*arguments, env=self.environment)

    def terminal(self, *arguments: str) -> Terminal:
        self._terminals.append(Terminal({**self.demo.environment, **self.environment}, *arguments))
        return self._terminals[-1]

    def keep(self, token: str, email: str) -> None:
        """What an earlier version has kept."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text(json.dumps({"url": self.demo.base_url, "token": token, "email": email}))

    def kept(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.file.read_text())
        return found

    def end(self) -> None:
        for terminal in self._terminals:
            terminal.end()


@pytest.fixture
def machine(demo: Demo, tmp_path: Path) -> Iterator[Machine]:
    made = Machine(demo, tmp_path)
    yield made
    made.end()


@pytest.fixture(scope="module")
def person(demo: Demo) -> StaffPerson:
    return demo.invite_staff(["infrastructure"])


@pytest.fixture(scope="module")
def page(browser: Browser, demo: Demo, person: StaffPerson) -> Iterator[Page]:
    """Somebody's browser, sent to sign in by the page that the command line names."""
    context = browser.new_context(ignore_https_errors=True)
    made = context.new_page()
    made.goto(f"{demo.base_url}/device")
    expect(made).to_have_url(re.compile(r"/sign-in\?next=%2Fdevice$"))
    made.get_by_label("E-mail").first.fill(person.email)
    made.get_by_label("Password").fill(person.password)
    made.get_by_role("button", name="Sign in", exact=True).click()
    made.get_by_label("Code").fill(person.next_code())
    made.get_by_role("button", name="Continue").click()
    expect(made).to_have_url(f"{demo.base_url}/device")
    yield made
    context.close()


def user_code(terminal: Terminal) -> str:
    """The code that the terminal shows."""
    match = CODE.search(terminal.expect("Waiting"))
    assert match, terminal.seen
    return match.group()


def enter(page: Page, demo: Demo, code: str) -> None:
    page.goto(f"{demo.base_url}/device")
    page.get_by_label("Code").fill(code)
    page.get_by_role("button", name="Continue").click()


def age_factors(demo: Demo, person: Person) -> None:
    """Lets ten minutes pass since the person's last second factor."""
    demo.sql(
        """
        UPDATE sessions SET mfa_at = mfa_at - interval '10 minutes'
        WHERE account_id = (SELECT account_id FROM accounts WHERE email = %s)
        """,
        (person.email,),
    )
    demo.sql("NOTIFY bailee_access")


def test_a_sign_in_approved_in_the_browser_serves_until_it_is_signed_out(
    demo: Demo, machine: Machine, page: Page, person: StaffPerson
) -> None:
    terminal = machine.terminal("login", "--url", demo.base_url)
    code = user_code(terminal)
    assert f"{demo.base_url}/device" in terminal.seen
    assert "\\u000a" not in terminal.seen
    enter(page, demo, "BBBB-BBBB")
    expect(page.get_by_role("alert")).to_contain_text("not, or no longer, good")
    enter(page, demo, code.lower())
    expect(page.locator("#device-address")).to_have_text("127.0.0.1")
    expect(page.locator("#device-label")).not_to_be_empty()
    expect(page.get_by_text("Approve only if you started")).to_be_visible()
    assert code not in page.url
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("heading", name="Approved")).to_be_visible()
    assert terminal.finish()[0] == 0

    kept = machine.kept()
    assert (kept["url"], kept["email"], kept["in_keyring"]) == (demo.base_url, person.email, False)
    assert stat.S_IMODE(machine.file.stat().st_mode) == 0o600
    assert kept["token"] not in terminal.seen

    who = json.loads(machine.run("whoami", "--json").stdout)["session"]
    assert (who["account"]["email"], who["stepped_up"]) == (person.email, True)
    assert machine.run("tenant", "create", "By device flow").returncode == 0
    with demo.open(kept["token"]) as client:
        (mine,) = [one for one in client.sessions.list() if one.current]
    assert (mine.kind, set(mine.factors)) == ("cli", {"password", "totp", "device"})
    assert mine.device.startswith("Command line on ")

    assert machine.run("logout").returncode == 0
    assert not machine.file.exists()
    with demo.open(kept["token"]) as client, pytest.raises(Unauthorized):
        client.session.get()
    refused = machine.run("whoami")
    assert (refused.returncode, "bailee login" in refused.stderr) == (1, True)


def test_a_sign_in_refused_in_the_browser_signs_nobody_in(demo: Demo, machine: Machine, page: Page) -> None:
    terminal = machine.terminal("login", "--url", demo.base_url)
    enter(page, demo, user_code(terminal))
    page.get_by_role("button", name="Refuse").click()
    expect(page.get_by_role("heading", name="Refused")).to_be_visible()
    assert terminal.finish() == (1, "")
    assert "refused in the browser" in terminal.seen
    assert not machine.file.exists()


def test_an_old_second_factor_is_shown_again_before_the_code_can_be_typed(
    demo: Demo, page: Page, person: StaffPerson
) -> None:
    age_factors(demo, person)
    page.goto(f"{demo.base_url}/device")
    expect(page).to_have_url(re.compile(r"/step-up\?next=%2Fdevice$"))
    page.get_by_label("Code").fill(person.next_code())
    page.get_by_role("button", name="Confirm").click()
    expect(page).to_have_url(f"{demo.base_url}/device")


def test_the_terminal_asks_for_a_code_and_repeats_the_command(
    demo: Demo, machine: Machine, person: StaffPerson
) -> None:
    old = person.sign_in(person.recovery_codes.pop())
    machine.keep(old, person.email)  # in the layout of earlier versions
    age_factors(demo, person)
    silent = machine.run("tenant", "create", "Not made")
    assert (silent.returncode, "bailee login" in silent.stderr) == (0, False), "making a tenant needs no fresh factor"
    tenant = json.loads(machine.run("tenant", "list", "--search", "Not made", "--json").stdout)["items"][0]["id"]
    issue = ("key", "issue", "k", "records:read", "--tenant", tenant, "--json")
    refused = machine.run(*issue)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "nobody is here" in refused.stderr

    terminal = machine.terminal(*issue)
    terminal.expect("Code:")
    terminal.send(person.recovery_codes.pop())
    code, printed = terminal.finish()
    assert code == 0, terminal.seen
    assert json.loads(printed)["token"].startswith("bailee_")
    assert len(json.loads(machine.run("key", "list", "--tenant", tenant, "--json").stdout)["items"]) == 1

    new = machine.kept()["token"]
    assert new != old
    assert stat.S_IMODE(machine.file.stat().st_mode) == 0o600
    with demo.open(old) as client, pytest.raises(Unauthorized):
        client.session.get()
    with demo.open(new) as client:
        assert client.session.get().stepped_up


def test_a_wrong_code_at_the_terminal_changes_nothing(demo: Demo, machine: Machine, person: StaffPerson) -> None:
    machine.keep(person.sign_in(person.recovery_codes.pop()), person.email)
    age_factors(demo, person)
    before = machine.kept()
    terminal = machine.terminal("tenant", "rotate-key", demo.tenants[0]["id"])
    terminal.expect("Code:")
    terminal.send("000000")
    assert terminal.finish()[0] == 1
    assert "Nothing was done" in terminal.seen
    assert machine.kept() == before
    assert machine.run("whoami").returncode == 0


def test_a_token_of_the_environment_is_never_replaced(demo: Demo, machine: Machine, person: StaffPerson) -> None:
    token = person.sign_in(person.recovery_codes.pop())
    age_factors(demo, person)
    machine.environment["BAILEE_TOKEN"] = token
    terminal = machine.terminal("tenant", "rotate-key", demo.tenants[0]["id"])
    assert terminal.finish()[0] == 1
    assert "Code:" not in terminal.seen
    with demo.open(token) as client:
        with pytest.raises(Forbidden):
            client.tenants.rotate_key(demo.tenants[0]["id"])
        assert client.session.get().account.email == person.email


def test_signing_in_by_password_takes_two_steps(demo: Demo, machine: Machine, person: StaffPerson) -> None:
    terminal = machine.terminal("login", "--url", demo.base_url, "--password", person.email)
    terminal.expect("Password:")
    terminal.send(person.password)
    terminal.expect("Code of your app")
    terminal.send(person.recovery_codes.pop())
    assert terminal.finish()[0] == 0, terminal.seen
    assert person.password not in terminal.seen
    first = machine.kept()["token"]

    again = machine.terminal("login", "--password", person.email)  # to where the last sign-in was
    again.expect("Password:")
    again.send(person.password)
    again.expect("Code of your app")
    again.send(person.recovery_codes.pop())
    assert again.finish()[0] == 0, again.seen
    with demo.open(first) as client, pytest.raises(Unauthorized):
        client.session.get()


def test_a_member_of_two_tenants_switches_between_them(demo: Demo, machine: Machine) -> None:
    home, other = demo.tenants[0]["id"], demo.new_tenant("Second", ["records:read"])["id"]
    member = demo.new_member(home, "viewer", enrol=False)
    with demo.tenant_owner(other).client() as owner:
        link = owner.members.invitations.create(member.email, "Member Sample", "editor").token
    assert link is not None
    with member.client() as client:
        assert client.invitation.join(link) == other
    machine.keep(member.token, member.email)
    assert machine.run("switch", other).returncode == 0
    shown = json.loads(machine.run("whoami", "--json").stdout)
    assert shown["session"]["tenant"] == other
    assert {one["id"] for one in shown["tenants"]} == {home, other}
    assert machine.run("switch", demo.tenants[1]["id"]).returncode == 1
    assert json.loads(machine.run("whoami", "--json").stdout)["session"]["tenant"] == other
