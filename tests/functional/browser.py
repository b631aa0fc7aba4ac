"""A real browser on the console: Chromium, and what a person does with it."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyotp
from playwright.sync_api import Browser, ConsoleMessage, Page, Response, expect, sync_playwright

from tests.functional.instance import Authenticator, Instance, Person

INLINE = """[...document.querySelectorAll('*')].filter(e => e.tagName === 'STYLE' || e.hasAttribute('style')
  || (e.tagName === 'SCRIPT' && (!e.hasAttribute('src') || e.textContent))
  || [...e.attributes].some(a => a.name.startsWith('on') || a.value.startsWith('javascript:'))).map(e => e.outerHTML)"""
UNNAMED = (
    "[...document.querySelectorAll('input:not([type=hidden]),select,textarea')].filter(e => !e.labels.length).length"
)
TWICE = "[...document.querySelectorAll('[id]')].map(e => e.id).filter((id, at, all) => all.indexOf(id) !== at)"
_STEP = 30
_TOKEN = re.compile(r"\bb[a-z]*_[a-z2-7]{20,}")


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser, as long as it is needed."""
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield made
        made.close()


class Console:
    """A page in a browser of its own, which notes whatever the content security policy or a script complains about,
    and every address that was asked for.
    """

    def __init__(self, browser: Browser, base_url: str, state: Any = None) -> None:
        self.page: Page = browser.new_context(ignore_https_errors=True, storage_state=state).new_page()
        self.base_url = base_url
        self.violations: list[str] = []
        self.requested: list[str] = []
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.violations.append(str(error)))
        self.page.on("dialog", lambda dialog: self.violations.append(f"dialog: {dialog.message}"))
        self.page.on("request", lambda request: self.requested.append(request.url.partition("#")[0]))

    def _note(self, message: ConsoleMessage) -> None:
        # An error status is logged by the browser too; what matters here is what it refused to run.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.violations.append(message.text)

    def close(self) -> None:
        """Ends it; nothing was to be complained about, and no address was to hold a token."""
        self.page.context.close()
        assert self.violations == []
        assert [url for url in self.requested if _TOKEN.search(url)] == []

    # --- what a person does --------------------------------------------------------------------------

    def go(self, path: str) -> Response:
        answer = self.page.goto(self.base_url + path)
        assert answer is not None
        return answer

    def open_link(self, url: str) -> None:
        """A link as mail brings it, in a page that shows nothing else yet: what stands behind its # counts."""
        self.page.goto("about:blank")
        self.page.goto(url)

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def fill(self, label: str, text: str, *, exact: bool = True) -> None:
        self.page.get_by_label(label, exact=exact).fill(text)

    def sees(self, role: str, text: str) -> None:
        """A notice (`status`), a fault (`alert`) or a `heading` with this text."""
        expect(self.page.get_by_role(role).filter(has_text=text).first).to_be_visible()  # type: ignore[arg-type]

    def is_at(self, path: str) -> None:
        expect(self.page).to_have_url(re.compile(re.escape(self.base_url + path) + "$"))

    def sign_in(self, person: Person, code: str | None = None) -> None:
        """Both steps; the second by a recovery code where there is one left, since those need no waiting."""
        self.show_password(person)
        self.fill("Code", code or (person.recovery_codes.pop() if person.recovery_codes else person.next_code()))
        self.press("Continue")

    def show_password(self, person: Person, password: str | None = None) -> None:
        self.fill("E-mail", person.email)
        self.fill("Password", password or person.password)
        self.press("Sign in")

    def enrol_app(self, person: Person) -> None:
        """Sets an app up, on the page of second factors, and keeps what is shown once."""
        self.press("Set up an app")
        person.app = Authenticator(self.page.locator("#totp-secret").inner_text().replace(" ", ""))
        self.fill("Code", person.next_code())
        self.press("Add the app")
        person.recovery_codes = self.page.locator("#recovery-codes").inner_text().split()
        self.page.get_by_role("link", name="I have kept them").click()

    def as_person(self, person: Person) -> None:
        """Goes on with a session of the person's: for tests that are not about the way in."""
        self.put_cookie(person.token)

    def put_cookie(self, token: str) -> None:
        self.page.context.add_cookies([
            {"name": "__Host-bailee", "value": token, "url": self.base_url, "secure": True, "httpOnly": True}
        ])  # fmt: skip

    def cookie(self, name: str = "__Host-bailee") -> dict[str, Any] | None:
        found = [dict(one) for one in self.page.context.cookies() if one.get("name") == name]
        return found[0] if found else None


def age_second_factor(instance: Instance, person: Person) -> None:
    """Lets ten minutes pass since the person's sessions showed a second factor."""
    instance.sql(
        "UPDATE sessions SET mfa_at = mfa_at - interval '10 minutes' "
        "WHERE account_id = (SELECT account_id FROM accounts WHERE email = %s)",
        (person.email,),
    )
    instance.sql("NOTIFY bailee_access")


def wrong_code(secret: str) -> str:
    """A code that is good at no moment around now."""
    now = int(time.time()) // _STEP
    good = {pyotp.TOTP(secret).at(step * _STEP) for step in range(now - 3, now + 4)}
    return next(code for code in ("000000", "000001", "000002", *map(str, range(100000, 100010))) if code not in good)
