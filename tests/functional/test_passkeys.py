"""Passkeys in a real browser, with Chromium's virtual authenticator: enrolled, alone, as second step, for step-up."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, CDPSession, expect

from tests.functional.browser import Console, age_second_factor
from tests.functional.instance import Demo, StaffPerson

pytestmark = [pytest.mark.browser, pytest.mark.functional, pytest.mark.timeout(240)]

_FORGED = '{"id":"AAAA","rawId":"AAAA","type":"public-key","response":{}}'


class Key:
    """A security key in a browser: it keeps what it makes, and knows its user."""

    def __init__(self, console: Console) -> None:
        self._session: CDPSession = console.page.context.new_cdp_session(console.page)
        self._session.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
            "isUserVerified": True, "automaticPresenceSimulation": True,
        }  # fmt: skip
        made = self._session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        self._id: str = made["authenticatorId"]

    def credentials(self) -> list[dict[str, Any]]:
        found = self._session.send("WebAuthn.getCredentials", {"authenticatorId": self._id})
        credentials: list[dict[str, Any]] = found["credentials"]
        return credentials

    def add(self, credential: dict[str, Any]) -> None:
        """Puts a credential into it, as somebody would who has copied another key."""
        self._session.send("WebAuthn.addCredential", {"authenticatorId": self._id, "credential": credential})

    def know_user(self, verified: bool) -> None:
        """Whether it is shown the right finger from now on."""
        self._session.send("WebAuthn.setUserVerified", {"authenticatorId": self._id, "isUserVerified": verified})


@pytest.fixture(scope="module")
def person(demo: Demo) -> StaffPerson:
    return demo.invite_staff(["infrastructure"])


@pytest.fixture(scope="module")
def held(browser: Browser, demo: Demo, person: StaffPerson) -> Iterator[tuple[Console, Key]]:
    """The person's browser, signed in, with a passkey that was added there."""
    console = Console(browser, demo.base_url)
    key = Key(console)
    console.as_person(person)
    console.go("/account/factors")
    console.fill("Name of the passkey", "my laptop")
    console.press("Add a passkey")
    console.sees("status", "It is added")
    yield console, key
    console.close()


@pytest.fixture
def console(held: tuple[Console, Key]) -> Console:
    """The same browser, signed out; the key is in it."""
    made = held[0]
    made.page.context.clear_cookies(name="__Host-bailee")
    return made


def test_passkey_is_listed_and_renamed(held: tuple[Console, Key], person: StaffPerson) -> None:
    console, key = held
    page = console.page
    [credential] = key.credentials()
    assert credential["isResidentCredential"]
    cookie = console.cookie()
    assert cookie is not None
    assert cookie["value"] != person.token  # the session goes on under a new token
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody tr")).to_contain_text("my laptop")
    page.get_by_text("Rename", exact=True).first.click()
    page.get_by_label("New name").fill("   ")
    console.press("Rename my laptop")
    console.sees("alert", "Give a name")
    page.get_by_label("New name").fill("the old laptop")
    console.press("Rename my laptop")
    console.sees("status", "The name is changed")
    expect(page.locator("tbody tr")).to_contain_text("the old laptop")
    person.keep(cookie["value"])


def test_passkey_alone_signs_in_and_counts_as_a_second_factor(console: Console) -> None:
    console.go("/sign-in?next=/account/factors")
    console.press("Sign in with a passkey")
    console.is_at("/account/factors")
    console.sees("heading", "Your second factors")
    expect(console.page.get_by_role("button", name="Remove the app")).to_have_count(1)  # stepped up
    assert console.cookie("__Host-bailee-device") is not None


def test_passkey_is_the_second_step_after_a_password(console: Console, person: StaffPerson) -> None:
    console.go("/sign-in?next=/account")
    console.show_password(person)
    console.press("Use a passkey")
    console.is_at("/account")


def test_passkey_that_does_not_know_its_user_does_not_sign_in(
    console: Console, held: tuple[Console, Key], person: StaffPerson
) -> None:
    held[1].know_user(False)
    try:
        console.go("/sign-in")
        console.press("Sign in with a passkey")
        console.sees("alert", "No passkey answered")
        assert console.cookie() is None
    finally:
        held[1].know_user(True)


def test_passkey_confirms_a_delicate_act(console: Console, demo: Demo, person: StaffPerson) -> None:
    console.as_person(person)
    age_second_factor(demo, person)
    console.go("/account/factors")
    console.page.get_by_role("link", name="Confirm with your second factor to change this").click()
    before = console.cookie()
    console.press("Use a passkey")
    console.is_at("/account/factors")
    after = console.cookie()
    assert before is not None
    assert after is not None
    assert before["value"] != after["value"]
    expect(console.page.get_by_role("button", name="Remove the app")).to_have_count(1)
    person.keep(after["value"])


def test_forged_answer_and_answer_to_no_challenge_are_refused(console: Console, demo: Demo) -> None:
    forms = [
        {"challenge_id": "", "answer": ""},
        {"challenge_id": "01890000-0000-7000-8000-000000000000", "answer": _FORGED},
        {"challenge_id": "01890000-0000-7000-8000-000000000000", "answer": "[" * 9000},
    ]
    with demo.http() as http:
        begun = http.post("/sign-in/passkey/options", data={"next": "/"}, headers={"Origin": demo.base_url})
        assert begun.status_code == 200
        forms.append({"challenge_id": begun.json()["challenge_id"], "answer": _FORGED})
        for form in forms:
            answer = http.post("/sign-in/passkey", data=form, headers={"Origin": demo.base_url})
            assert answer.status_code == 401
            assert "set-cookie" not in answer.headers
            assert "Sign-in refused" in answer.text


def test_copied_passkey_is_noticed_by_its_counter(browser: Browser, demo: Demo, console: Console, held: Any) -> None:
    [credential] = held[1].credentials()
    console.go("/sign-in")
    console.press("Sign in with a passkey")
    console.is_at("/toms")
    thief = Console(browser, demo.base_url)
    Key(thief).add({**credential, "backupEligibility": False, "backupState": False})
    thief.go("/sign-in")
    thief.press("Sign in with a passkey")
    thief.sees("alert", "Sign-in refused")
    assert thief.cookie() is None
    thief.close()


def test_first_factor_can_be_a_passkey_and_a_removed_one_opens_nothing(browser: Browser, demo: Demo) -> None:
    member = demo.new_member(demo.tenants[1]["id"], "auditor", enrol=False)
    console = Console(browser, demo.base_url)
    Key(console)
    console.as_person(member)
    console.go("/account/factors")
    console.fill("Name of the passkey", "only one")
    console.press("Add a passkey")
    console.sees("heading", "Your recovery codes")
    assert len(console.page.locator("#recovery-codes").inner_text().split()) == 10
    console.page.get_by_role("link", name="I have kept them").click()
    console.go("/account/factors")
    console.press("Remove only one")
    console.sees("status", "It is removed")
    console.press("Sign out")
    console.press("Sign in with a passkey")
    console.sees("alert", "Sign-in refused")
    console.close()
