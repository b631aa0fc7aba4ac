"""The console in a real browser: the way in, the pages, and the attacks on both."""

import re
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pyotp
import pytest
from playwright.sync_api import Browser, expect

from tests.functional.browser import INLINE, UNNAMED, Console, wrong_code
from tests.functional.conftest import FreshInstance
from tests.functional.instance import Demo, Instance, Person

pytestmark = [pytest.mark.browser, pytest.mark.functional, pytest.mark.timeout(240)]

_EVIL = "<script>document.title='owned'</script><img src=x onerror=alert(1)>\"'{{7*7}}"
_PASSWORD = "a long sentence for the console"


@pytest.fixture(scope="module")
def colleague(demo: Demo) -> Person:
    """Another owner, whose recovery codes spare the tests the wait for the next code of an app."""
    return demo.invite_staff(["owner"])


@pytest.fixture(scope="module")
def signed_in(browser: Browser, demo: Demo, colleague: Person) -> Any:
    """The cookies of one signed-in stay, which the tests share."""
    console = Console(browser, demo.base_url)
    console.go("/sign-in")
    console.sign_in(colleague)
    console.is_at("/toms")
    state = console.page.context.storage_state()
    console.close()
    return state


@pytest.fixture
def console(browser: Browser, demo: Demo, signed_in: Any) -> Iterator[Console]:
    made = Console(browser, demo.base_url, signed_in)
    yield made
    made.close()


@pytest.fixture
def stranger(browser: Browser, demo: Demo) -> Iterator[Console]:
    made = Console(browser, demo.base_url)
    yield made
    made.close()


def _make_tenant(console: Console, name: str) -> None:
    console.go("/tenants/new")
    console.page.get_by_label("Name").fill(name)
    console.press("Make the tenant")
    expect(console.page.get_by_role("status")).to_contain_text("has been made")


# --- the way in -------------------------------------------------------------------------------------


def test_setup_from_the_link_makes_the_only_owner_and_works_once(
    browser: Browser, fresh_instance: FreshInstance
) -> None:
    instance = fresh_instance()
    console = Console(browser, instance.base_url)
    page = console.page
    token = instance.setup_url.partition("#")[2]

    console.go("/")
    console.is_at("/setup")

    console.open_link(instance.setup_url)
    console.is_at("/setup")  # the token has left the address
    console.fill("Your name", "First Owner")
    console.fill("E-mail", "owner@example.com")
    console.fill("Password", _PASSWORD)
    console.fill("Password again", _PASSWORD + "!")
    console.press("Continue")
    console.sees("alert", "differ")
    assert page.get_by_label("E-mail").input_value() == "owner@example.com"
    assert page.get_by_label("Password", exact=True).input_value() == ""

    console.fill("Password", _PASSWORD)
    console.fill("Password again", _PASSWORD)
    console.press("Continue")
    secret = page.locator("#totp-secret").inner_text().replace(" ", "")
    assert page.locator("img.qr").evaluate("image => image.naturalWidth") > 0

    console.fill("Code", wrong_code(secret))
    console.press("Finish setup")
    console.sees("alert", "The code is wrong")
    assert page.locator("#totp-secret").inner_text().replace(" ", "") == secret

    code = pyotp.TOTP(secret).now()
    console.fill("Code", f"{code[:3]} {code[3:]}")  # as apps show it
    console.press("Finish setup")
    codes = page.locator("#recovery-codes").inner_text().split()
    assert len(set(codes)) == 10
    with page.expect_download() as download:
        page.get_by_role("link", name="Download them as text").click()
    assert all(one in download.value.path().read_text() for one in codes)
    page.get_by_role("link", name="I have kept them").click()
    console.is_at("/toms")
    assert not any(token in url for url in console.requested)
    console.close()

    again = Console(browser, instance.base_url)
    again.open_link(instance.setup_url)
    expect(again.page).to_have_url(re.compile(r"/sign-in(#.*)?$"))
    again.close()
    form = {"token": token, "name": "X", "email": "x@example.com", "password": _PASSWORD, "repeat": _PASSWORD}
    answer = _post(instance, "/setup", form, origin=instance.base_url)
    assert answer.status_code == 403
    assert "Setup is over" in answer.text


def test_sign_in_leads_to_the_page_asked_for_and_sign_out_ends_the_session(
    stranger: Console, demo: Demo, colleague: Person
) -> None:
    stranger.go("/events?action=session")
    assert "/sign-in?next=" in stranger.page.url
    stranger.sign_in(colleague)
    stranger.is_at("/events?action=session")
    cookie, device = stranger.cookie(), stranger.cookie("__Host-bailee-device")
    assert cookie is not None
    assert device is not None
    for one in (cookie, device):
        assert one["httpOnly"]
        assert one["secure"]
        assert one["sameSite"] == "Strict"
        assert one["path"] == "/"

    stranger.press("Sign out")
    stranger.sees("status", "You are signed out")
    assert stranger.cookie() is None
    assert stranger.cookie("__Host-bailee-device") is not None  # the browser stays a known one
    kept = {"Cookie": f"__Host-bailee={cookie['value']}"}
    answer = _get(demo, "/toms", headers=kept)
    assert answer.status_code == 303  # the session itself is over, not only the cookie


def test_wrong_password_and_unknown_account_get_the_same_answer(stranger: Console, colleague: Person) -> None:
    stranger.go("/sign-in")
    stranger.show_password(colleague, "not the password")
    wrong_password = stranger.page.get_by_role("alert").inner_text()
    assert stranger.page.get_by_label("E-mail", exact=True).input_value() == colleague.email
    assert stranger.page.get_by_label("Password").input_value() == ""
    stranger.fill("E-mail", "nobody@bailee.example")
    stranger.fill("Password", colleague.password)
    stranger.press("Sign in")
    assert stranger.page.get_by_role("alert").inner_text() == wrong_password


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example/", "/\\evil.example/", "javascript:alert(1)"]
)
def test_next_never_leads_to_another_site(demo: Demo, target: str) -> None:
    answer = _get(demo, "/sign-in", params={"next": target})
    assert answer.status_code == 200
    assert 'name="next" value="/"' in answer.text


# --- other sites ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/sign-in",
        "/sign-in/code",
        "/sign-in/passkey",
        "/step-up",
        "/setup",
        "/setup/confirm",
        "/sign-out",
        "/password",
        "/password/link",
        "/invitation",
        "/account/password",
        "/account/factors/totp",
        "/staff/invitations",
        "/break-glass",
        "/tenants/new",
        "/toms/3.1/check",
    ],
)
@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost", None])
def test_post_from_another_site_is_refused(demo: Demo, signed_in: Any, path: str, origin: str | None) -> None:
    value = next(one["value"] for one in signed_in["cookies"] if one["name"] == "__Host-bailee")
    answer = _post(demo, path, {"name": "Planted", "plan": "standard"}, origin=origin, session=value)
    assert answer.status_code == 403
    assert "did not come from one of our pages" in answer.text
    assert "set-cookie" not in answer.headers


def test_api_key_in_the_cookie_opens_no_page(demo: Demo) -> None:
    headers = {"Cookie": f"__Host-bailee={demo.tenants[0]['api_key']}"}
    assert _get(demo, "/events", headers=headers).status_code == 303


def test_body_that_is_no_form_is_refused_without_a_fault(demo: Demo) -> None:
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
    expect(console.page.get_by_role("button", name="Check now")).to_be_visible()
    rows = console.page.locator("table tbody tr")
    before = rows.count()
    console.press("Check now")
    expect(rows.nth(min(before, 49))).to_be_visible()  # or more: the schedule runs checks meanwhile, as at every start


def test_tenant_is_made_renamed_suspended_and_resumed(console: Console) -> None:
    page = console.page
    _make_tenant(console, "Console Test")
    page.get_by_label("Name").fill("   ")
    console.press("Save")
    expect(page.get_by_role("alert")).to_contain_text("Give a name")
    page.get_by_label("Plan").select_option("business")
    console.press("Change the plan")
    expect(page.get_by_role("status")).to_contain_text("The change is saved")
    assert page.get_by_label("Plan").input_value() == "business"
    assert page.get_by_label("Name").input_value() == "Console Test"
    page.get_by_label("Name").fill("Console Test Renamed")
    console.press("Save")
    expect(page.get_by_role("heading", level=1)).to_have_text("Console Test Renamed")
    console.press("Suspend")
    expect(page.locator("dl .status")).to_contain_text("suspended")
    console.press("Resume")
    expect(page.locator("dl .status")).to_contain_text("active")
    console.press("Rotate the key")
    expect(page.get_by_role("status")).to_contain_text("new encryption key")


def test_closing_a_tenant_takes_an_elevation_and_its_name(console: Console, demo: Demo, colleague: Person) -> None:
    page = console.page
    _make_tenant(console, "To Be Closed")
    page.get_by_role("link", name="End of contract").click()
    console.fill("The contract ends on", "2026-01-01")
    console.press("End the contract")
    page.get_by_text("Delete now").click()
    page.get_by_role("link", name="ask to be a superuser for a while").click()
    page.get_by_label("Role").select_option("superuser")
    console.fill("Reason", "The contract has ended, and the customer has taken the data along.")
    console.press("Ask for it")
    console.sees("status", "waits for a second person")
    with demo.staff_client() as owner:
        [asked] = [one for one in owner.elevations.list() if one.email == colleague.email and one.state == "requested"]
        owner.elevations.approve(asked.id)
    console.go("/tenants?search=To+Be+Closed")
    page.get_by_role("link", name="To Be Closed").click()
    page.get_by_role("link", name="End of contract").click()
    page.get_by_text("Delete now").click()
    page.get_by_label("To confirm").fill("Something Else")
    console.press("Delete everything now")
    expect(page.get_by_role("alert")).to_contain_text("exactly")
    page.get_by_label("To confirm").fill("To Be Closed")
    console.press("Delete everything now")
    console.sees("status", "Deletion begins now.")
    console.go("/elevations")
    console.press(f"End {colleague.email} as Superuser")
    console.sees("status", "The elevation is over")


def test_key_is_shown_once_works_and_dies_when_revoked(console: Console, demo: Demo) -> None:
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


def test_of_a_tenant_with_an_owner_staff_are_told_who_issues_its_keys(console: Console, demo: Demo) -> None:
    console.go(f"/tenants/{demo.tenants[0]['id']}/keys")
    expect(console.page.get_by_role("main")).to_contain_text("its own people issue its keys")
    expect(console.page.get_by_role("button", name="Issue the key")).to_have_count(0)


def test_staff_pages_never_show_record_content(console: Console, demo: Demo) -> None:
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


def test_every_page_fits_a_narrow_screen_and_is_named(console: Console, demo: Demo) -> None:
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
        assert console.page.evaluate(UNNAMED) == 0, path


def test_no_page_has_inline_script_or_style(console: Console, demo: Demo) -> None:
    at = f"/tenants/{demo.tenants[0]['id']}"
    for path in ("/toms", "/toms/3.1", "/tenants", at, f"{at}/keys", "/events", "/ledger", "/nowhere"):
        answer = console.go(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert console.page.evaluate(INLINE) == [], path


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _texts(one)


def _client(instance: Instance) -> httpx2.Client:
    return httpx2.Client(verify=ssl.create_default_context(cafile=str(instance.ca_file)))


def _get(instance: Instance, path: str, **more: Any) -> httpx2.Response:
    with _client(instance) as http:
        return http.get(instance.base_url + path, **more)


def _post(
    instance: Instance, path: str, form: dict[str, str], *, origin: str | None, session: str | None = None
) -> httpx2.Response:
    headers = {"Origin": origin} if origin else {}
    if session:
        headers["Cookie"] = f"__Host-bailee={session}"
    with _client(instance) as http:
        return http.post(instance.base_url + path, data=form, headers=headers)
