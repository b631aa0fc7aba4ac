"""The console in a real browser: the way in, the pages, and the attacks on both."""

import re
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pyotp
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Response, expect, sync_playwright

pytestmark = [pytest.mark.browser, pytest.mark.functional, pytest.mark.timeout(240)]

_STEP = 30
_EVIL = "<script>document.title='owned'</script><img src=x onerror=alert(1)>\"'{{7*7}}"
_INLINE = """[...document.querySelectorAll('*')].filter(e => e.tagName === 'STYLE' || e.hasAttribute('style')
  || (e.tagName === 'SCRIPT' && (!e.hasAttribute('src') || e.textContent))
  || [...e.attributes].some(a => a.name.startsWith('on') || a.value.startsWith('javascript:'))).map(e => e.outerHTML)"""
_PASSWORD = "a long sentence for the console"


class Console:
    """A page of its own, which notes whatever the content security policy or a script complains about."""

    def __init__(self, page: Page, base_url: str) -> None:
        self.page = page
        self.base_url = base_url
        self.violations: list[str] = []
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.violations.append(str(error)))
        page.on("dialog", lambda dialog: self.violations.append(f"dialog: {dialog.message}"))

    def _note(self, message: ConsoleMessage) -> None:
        # An error status is logged by the browser too; what matters here is what it refused to run.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.violations.append(message.text)

    def go(self, path: str) -> Response:
        answer = self.page.goto(self.base_url + path)
        assert answer is not None
        return answer

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def sign_in(self, staff: dict[str, str], password: str, code: str) -> None:
        self.page.get_by_label("E-mail").fill(staff["email"])
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_label("Code").fill(code)
        self.press("Sign in")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield made
        made.close()


def _open(browser: Browser, base_url: str, state: Any = None) -> Console:
    context = browser.new_context(ignore_https_errors=True, storage_state=state)
    return Console(context.new_page(), base_url)


@pytest.fixture(scope="module")
def signed_in(browser: Browser, demo: Any) -> Any:
    """The cookies of one signed-in stay: a code works once, so the tests share it."""
    console = _open(browser, demo.base_url)
    console.go("/sign-in")
    console.sign_in(demo.staff, demo.staff["password"], demo.next_code())
    expect(console.page).to_have_url(re.compile(r"/toms$"))
    state = console.page.context.storage_state()
    assert console.violations == []
    console.page.context.close()
    return state


@pytest.fixture
def console(browser: Browser, demo: Any, signed_in: Any) -> Iterator[Console]:
    made = _open(browser, demo.base_url, signed_in)
    yield made
    made.page.context.close()
    assert made.violations == []


@pytest.fixture
def stranger(browser: Browser, demo: Any) -> Iterator[Console]:
    made = _open(browser, demo.base_url)
    yield made
    made.page.context.close()
    assert made.violations == []


def _wrong_code(secret: str) -> str:
    now = int(time.time()) // _STEP
    good = {pyotp.TOTP(secret).at(step * _STEP) for step in range(now - 3, now + 4)}
    return next(code for code in ("000000", "000001", "000002", *map(str, range(100000, 100010))) if code not in good)


def _make_tenant(console: Console, name: str) -> None:
    console.go("/tenants/new")
    console.page.get_by_label("Name").fill(name)
    console.press("Make the tenant")
    expect(console.page.get_by_role("status")).to_contain_text("has been made")


# --- the way in -------------------------------------------------------------------------------------


def test_setup_from_the_link_makes_the_only_owner_and_works_once(browser: Browser, fresh_instance: Any) -> None:
    started = fresh_instance()
    instance = next(started) if isinstance(started, Iterator) else started
    console = _open(browser, instance.base_url)
    page = console.page
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    token = instance.setup_url.partition("#")[2]

    page.goto(instance.base_url + "/")
    expect(page).to_have_url(re.compile(r"/setup$"))

    page.goto(instance.setup_url)
    expect(page).to_have_url(re.compile(r"/setup$"))  # the token has left the address
    page.get_by_label("Your name").fill("First Owner")
    page.get_by_label("E-mail").fill("owner@example.com")
    page.get_by_label("Password", exact=True).fill(_PASSWORD)
    page.get_by_label("Password again").fill(_PASSWORD + "!")
    console.press("Continue")
    expect(page.get_by_role("alert")).to_contain_text("differ")
    assert page.get_by_label("E-mail").input_value() == "owner@example.com"
    assert page.get_by_label("Password", exact=True).input_value() == ""

    page.get_by_label("Password", exact=True).fill(_PASSWORD)
    page.get_by_label("Password again").fill(_PASSWORD)
    console.press("Continue")
    secret = page.locator("#totp-secret").inner_text().replace(" ", "")
    assert page.locator("img.qr").evaluate("image => image.naturalWidth") > 0

    page.get_by_label("Code").fill(_wrong_code(secret))
    console.press("Finish setup")
    expect(page.get_by_role("alert")).to_contain_text("The code is wrong")
    assert page.locator("#totp-secret").inner_text().replace(" ", "") == secret

    page.get_by_label("Code").fill(pyotp.TOTP(secret).now())
    console.press("Finish setup")
    expect(page).to_have_url(re.compile(r"/toms$"))
    assert console.violations == []
    assert not any(token in url.partition("#")[0] for url in requested)
    page.context.close()

    again = _open(browser, instance.base_url)
    again.page.goto(instance.setup_url)
    expect(again.page).to_have_url(re.compile(r"/sign-in(#.*)?$"))
    again.page.context.close()
    form = {"token": token, "name": "X", "email": "x@example.com", "password": _PASSWORD, "repeat": _PASSWORD}
    answer = _post(instance, "/setup", form, origin=instance.base_url)
    assert answer.status_code == 403
    assert "Setup is over" in answer.text


def test_sign_in_leads_to_the_page_asked_for_and_sign_out_ends_the_session(stranger: Console, demo: Any) -> None:
    stranger.go("/events?action=session")
    assert "/sign-in?next=" in stranger.page.url
    stranger.sign_in(demo.staff, demo.staff["password"], demo.next_code())
    expect(stranger.page).to_have_url(re.compile(r"/events\?action=session$"))
    [cookie] = stranger.page.context.cookies()
    assert cookie.get("name") == "__Host-bailee"
    assert cookie.get("httpOnly")
    assert cookie.get("secure")
    assert cookie.get("sameSite") == "Strict"

    stranger.press("Sign out")
    expect(stranger.page).to_have_url(re.compile(r"/sign-in$"))
    assert stranger.page.context.cookies() == []
    kept = {"Cookie": f"__Host-bailee={cookie.get('value')}"}
    answer = _get(demo, "/toms", headers=kept)
    assert answer.status_code == 303  # the session itself is over, not only the cookie


def test_wrong_password_and_replayed_code_get_the_same_answer(stranger: Console, demo: Any) -> None:
    code = demo.next_code()
    stranger.go("/sign-in")
    stranger.sign_in(demo.staff, "not the password", code)
    wrong_password = stranger.page.get_by_role("alert").inner_text()
    assert stranger.page.get_by_label("E-mail").input_value() == demo.staff["email"]
    assert stranger.page.get_by_label("Password").input_value() == ""

    stranger.sign_in(demo.staff, demo.staff["password"], code)
    expect(stranger.page).to_have_url(re.compile(r"/toms$"))
    stranger.press("Sign out")
    stranger.sign_in(demo.staff, demo.staff["password"], code)
    assert stranger.page.get_by_role("alert").inner_text() == wrong_password


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example/", "/\\evil.example/", "javascript:alert(1)"]
)
def test_next_never_leads_to_another_site(demo: Any, target: str) -> None:
    answer = _get(demo, "/sign-in", params={"next": target})
    assert answer.status_code == 200
    assert 'name="next" value="/toms"' in answer.text


# --- other sites ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/sign-in", "/setup", "/setup/confirm", "/sign-out", "/tenants/new", "/toms/3.1/check"]
)
@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost", None])
def test_post_from_another_site_is_refused(demo: Any, signed_in: Any, path: str, origin: str | None) -> None:
    value = signed_in["cookies"][0]["value"]
    answer = _post(demo, path, {"name": "Planted", "plan": "standard"}, origin=origin, session=value)
    assert answer.status_code == 403
    assert "did not come from one of our pages" in answer.text
    assert "set-cookie" not in answer.headers


def test_api_key_in_the_cookie_opens_no_page(demo: Any) -> None:
    headers = {"Cookie": f"__Host-bailee={demo.tenants[0]['api_key']}"}
    assert _get(demo, "/events", headers=headers).status_code == 303


def test_body_that_is_no_form_is_refused_without_a_fault(demo: Any) -> None:
    headers = {"Origin": demo.base_url, "Content-Type": "application/x-www-form-urlencoded"}
    with _client(demo) as http:
        for body, status in ((b"email=%00", 400), (b"email=%ff", 400), (b"\xff", 400), (b"a=" + b"x" * 70_000, 413)):
            answer = http.post(demo.base_url + "/sign-in", content=body, headers=headers)
            assert answer.status_code == status, body[:20]


# --- the pages --------------------------------------------------------------------------------------


def test_tom_page_shows_every_measure_and_runs_checks(console: Console) -> None:
    console.go("/toms")
    expect(console.page.locator("li.measure")).to_have_count(35)
    console.page.get_by_role("link", name=re.compile(r"^3\.1 ")).click()
    before = console.page.locator("table tbody tr").count()
    console.press("Check now")
    expect(console.page.locator("table tbody tr")).to_have_count(min(before + 1, 50))


def test_tenant_is_made_renamed_suspended_and_resumed(console: Console) -> None:
    page = console.page
    _make_tenant(console, "Console Test")
    page.get_by_label("Name").fill("   ")
    page.get_by_label("Plan").select_option("business")
    console.press("Save")
    expect(page.get_by_role("alert")).to_contain_text("Give a name")
    assert page.get_by_label("Plan").input_value() == "business"
    page.get_by_label("Name").fill("Console Test Renamed")
    console.press("Save")
    expect(page.get_by_role("heading", level=1)).to_have_text("Console Test Renamed")
    console.press("Suspend")
    expect(page.locator("dl .status")).to_contain_text("suspended")
    console.press("Resume")
    expect(page.locator("dl .status")).to_contain_text("active")
    console.press("Rotate the key")
    expect(page.get_by_role("status")).to_contain_text("new encryption key")


def test_closing_a_tenant_takes_its_name(console: Console) -> None:
    page = console.page
    _make_tenant(console, "To Be Closed")
    console.press("Terminate")
    page.get_by_text("Close for good").click()
    page.get_by_label("To confirm").fill("Something Else")
    console.press("Close and destroy the keys")
    expect(page.get_by_role("alert")).to_contain_text("exactly")
    expect(page.locator("dl .status")).to_contain_text("terminating")
    page.get_by_label("To confirm").fill("To Be Closed")
    console.press("Close and destroy the keys")
    expect(page.locator("dl .status")).to_contain_text("terminated")


def test_key_is_shown_once_works_and_dies_when_revoked(console: Console, demo: Any) -> None:
    page = console.page
    _make_tenant(console, "Key Test")
    page.get_by_role("link", name="API keys").click()
    page.get_by_label("Name").fill("one key")
    console.press("Issue the key")
    expect(page.get_by_role("alert")).to_contain_text("Choose at least one")
    assert page.get_by_label("Name").input_value() == "one key"
    page.get_by_label("collections:read").check()
    console.press("Issue the key")
    token = page.locator("#token").inner_text()
    bearer = {"Authorization": f"Bearer {token}"}
    with _client(demo) as http:
        assert http.get(demo.base_url + "/api/v1/collections", headers=bearer).status_code == 200
        page.get_by_role("link", name="I have kept it").click()
        assert token not in page.content()
        console.press("Revoke one key")
        expect(page.locator("tbody .status")).to_contain_text("revoked")
        assert http.get(demo.base_url + "/api/v1/collections", headers=bearer).status_code == 401


def test_staff_pages_never_show_record_content(console: Console, demo: Any) -> None:
    tenant = demo.tenants[0]
    bearer = {"Authorization": f"Bearer {tenant['api_key']}"}
    with _client(demo) as http:
        collections = http.get(demo.base_url + "/api/v1/collections", headers=bearer).json()["items"]
        content: set[str] = set()
        for collection in collections:
            url = f"{demo.base_url}/api/v1/collections/{collection['name']}/records"
            answer = http.get(url, headers=bearer, params={"limit": 20})
            assert answer.status_code == 200
            for record in answer.json()["items"]:
                content |= {text for text in _texts(record["data"]) if "@" in text or text.startswith("+1")}
    assert content
    at = f"/tenants/{tenant['id']}"
    for path in (at, f"{at}/collections", f"{at}/keys", f"/events?tenant={tenant['id']}", "/events", "/ledger"):
        console.go(path)
        shown = console.page.content()
        assert not [text for text in content if text in shown], path
    console.go(f"{at}/collections")
    expect(console.page.locator("tbody tr")).to_have_count(len(collections))


def test_script_in_a_tenants_name_is_text(console: Console) -> None:
    _make_tenant(console, _EVIL)
    expect(console.page.get_by_role("heading", level=1)).to_have_text(_EVIL)
    for path in ("/tenants", f"/tenants?search={_EVIL[:8]}", "/events"):
        console.go(path)
        assert "owned" not in console.page.title()
        assert console.page.locator("main script, main img").count() == 0


def test_events_are_filtered_paged_and_proven(console: Console, tmp_path: Path) -> None:
    page = console.page
    console.go("/events")
    page.get_by_role("link", name="Next page").click()
    assert page.locator("tbody tr").count() > 0
    page.get_by_label("Action").fill("tenant")
    console.press("Filter")
    actions = page.locator("tbody td:nth-child(3)").all_inner_texts()
    assert actions
    assert all(action.startswith("tenant.") for action in actions)
    with page.expect_download() as download:
        page.locator("tbody a[download]").last.click()
    download.value.save_as(tmp_path / "proof.json")
    assert "bailee-evidence/v1" in (tmp_path / "proof.json").read_text()
    console.go("/events?action=NOT+one")
    expect(page.get_by_role("alert")).to_contain_text("The filter is not valid")


def test_every_page_fits_a_narrow_screen_and_is_named(console: Console, demo: Any) -> None:
    console.page.set_viewport_size({"width": 320, "height": 640})
    at = f"/tenants/{demo.tenants[0]['id']}"
    paths = (
        "/toms",
        "/toms/3.1",
        "/tenants",
        "/tenants/new",
        at,
        f"{at}/keys",
        f"{at}/collections",
        "/events",
        "/ledger",
    )
    for path in (*paths, "/nowhere"):
        console.go(path)
        assert console.page.evaluate("document.documentElement.scrollWidth") <= 320, path
        assert re.fullmatch(r".+ – Bailee", console.page.title())
        assert console.page.locator("html[lang]").count() == 1
        assert console.page.locator("h1").count() == 1, path
        unnamed = (
            "[...document.querySelectorAll('input:not([type=hidden]),select')].filter(e => !e.labels.length).length"
        )
        assert console.page.evaluate(unnamed) == 0, path


def test_no_page_has_inline_script_or_style(console: Console, demo: Any) -> None:
    at = f"/tenants/{demo.tenants[0]['id']}"
    for path in ("/toms", "/toms/3.1", "/tenants", at, f"{at}/keys", "/events", "/ledger", "/nowhere"):
        answer = console.go(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert console.page.evaluate(_INLINE) == [], path


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _texts(one)


def _client(instance: Any) -> httpx2.Client:
    return httpx2.Client(verify=ssl.create_default_context(cafile=str(instance.ca_file)))


def _get(instance: Any, path: str, **more: Any) -> httpx2.Response:
    with _client(instance) as http:
        return http.get(instance.base_url + path, **more)


def _post(
    instance: Any, path: str, form: dict[str, str], *, origin: str | None, session: str | None = None
) -> httpx2.Response:
    headers = {"Origin": origin} if origin else {}
    if session:
        headers["Cookie"] = f"__Host-bailee={session}"
    with _client(instance) as http:
        return http.post(instance.base_url + path, data=form, headers=headers)
