"""What docs/asvs.md promises of answers and cookies, tried on a running instance."""

import re
from collections.abc import Iterator
from http.cookies import SimpleCookie
from typing import Any

import httpx2
import pytest

from bailee.foundation.ids import new_id
from tests.functional.instance import Demo, MemberPerson

EVIL = "https://evil.example"
PAGES = ("/sign-in", "/password", "/account", "/nothing-here")
PROGRAMS = (
    "/health", "/api/v1/session", "/api/v1/collections", "/api/v1/openapi.json", "/ledger/checkpoint", "/scim/v2/Users",
    "/.well-known/openid-configuration", "/oidc/jwks", "/oidc/userinfo",
)  # fmt: skip
YEAR = 31_536_000


@pytest.fixture(scope="module")
def member(demo: Demo) -> MemberPerson:
    """Somebody without a second factor, so that a sign-in is one form."""
    tenant = demo.new_tenant("Browser", ["records:read"])
    return demo.new_member(tenant["id"], "viewer", enrol=False)


@pytest.fixture
def browser(demo: Demo) -> Iterator[httpx2.Client]:
    with demo.http() as client:
        client.headers["Origin"] = demo.base_url
        yield client


def _sign_in(browser: httpx2.Client, person: MemberPerson) -> httpx2.Response:
    return browser.post("/sign-in", data={"email": person.email, "password": person.password, "next": "/account"})


def _cookies(answer: httpx2.Response) -> dict[str, Any]:
    found: SimpleCookie = SimpleCookie()
    for line in answer.headers.get_list("set-cookie"):
        found.load(line)
    return dict(found)


def test_every_cookie_is_of_this_host_alone_and_out_of_scripts_reach(
    browser: httpx2.Client, member: MemberPerson
) -> None:
    answer = _sign_in(browser, member)
    assert answer.status_code == 303, answer.text
    cookies = _cookies(answer)
    assert cookies.keys() == {"__Host-bailee", "__Host-bailee-device"}
    for cookie in cookies.values():
        assert (cookie["secure"], cookie["httponly"], cookie["path"], cookie["domain"]) == (True, True, "/", "")
        assert cookie["samesite"].lower() == "strict"
    token = cookies["__Host-bailee"].value
    account = browser.get("/account")
    assert account.status_code == 200
    assert token not in account.text + str(answer.headers.get("location")), "it travels in Set-Cookie alone"


def test_sign_in_from_another_site_is_refused_and_sets_no_cookie(browser: httpx2.Client, member: MemberPerson) -> None:
    for headers in ({"Origin": EVIL}, {"Origin": "null"}, {"Origin": "", "Sec-Fetch-Site": "cross-site"}):
        browser.headers.update(headers)
        answer = _sign_in(browser, member)
        assert (answer.status_code, _cookies(answer)) == (403, {})


def test_form_without_an_origin_counts_only_where_the_browser_says_same_origin(
    browser: httpx2.Client, member: MemberPerson
) -> None:
    del browser.headers["Origin"]
    assert _sign_in(browser, member).status_code == 403
    for site in ("same-site", "none", "cross-site"):
        browser.headers["Sec-Fetch-Site"] = site
        assert _sign_in(browser, member).status_code == 403
    browser.headers["Sec-Fetch-Site"] = "same-origin"
    assert _sign_in(browser, member).status_code == 303


def test_signing_out_ends_the_token_and_clears_the_browser(browser: httpx2.Client, member: MemberPerson) -> None:
    token = _cookies(_sign_in(browser, member))["__Host-bailee"].value
    answer = browser.post("/sign-out")
    gone = _cookies(answer)["__Host-bailee"]
    assert (gone.value, gone["max-age"]) == ("", "0")
    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
    browser.cookies.clear()
    again = browser.get("/account", headers={"Cookie": f"__Host-bailee={token}"})
    assert (again.status_code, again.headers["location"]) == (303, "/sign-in?next=%2Faccount")


@pytest.mark.parametrize("path", [*PAGES, *PROGRAMS])
def test_no_answer_lets_another_origin_read_it(demo: Demo, path: str) -> None:
    with demo.http() as client:
        asked = {
            "Origin": EVIL,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization",
        }
        for answer in (client.get(path, headers={"Origin": EVIL}), client.options(path, headers=asked)):
            assert not [name for name in answer.headers if name.lower().startswith("access-control-")]
            assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
            assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"


@pytest.mark.parametrize("path", [*PAGES, *PROGRAMS, "/static/style.css"])
def test_every_answer_says_how_a_browser_may_use_it(demo: Demo, path: str) -> None:
    with demo.http() as client:
        answer = client.get(path)
    hsts = answer.headers["Strict-Transport-Security"]
    age = re.match(r"max-age=(\d+); includeSubDomains", hsts)
    assert age
    assert int(age[1]) >= YEAR
    policy = {part.split()[0]: part.split()[1:] for part in answer.headers["Content-Security-Policy"].split("; ")}
    for directive in ("default-src", "object-src", "base-uri", "frame-ancestors"):
        assert policy[directive] == ["'none'"]
    assert ("sandbox" in policy) == (path in PROGRAMS)
    assert policy.get("script-src", ["'self'"]) == ["'self'"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    if path in PAGES or path.startswith("/api/v1/session"):
        assert answer.headers["Cache-Control"] == "no-store"


def test_stored_page_is_handed_out_as_a_file_that_can_do_nothing(demo: Demo) -> None:
    tenant = demo.new_tenant("Files", ["files:read", "files:write"])
    path = f"/api/v1/files/{new_id()}"
    with demo.http(tenant["api_key"]) as client:
        put = client.put(path, content=b"<script>alert(1)</script>", headers={"Content-Type": "text/html"})
        assert put.is_success, put.text
        answer = client.get(path)
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert "sandbox" in answer.headers["Content-Security-Policy"].split("; ")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_cookie_is_worth_nothing_to_the_api(browser: httpx2.Client, member: MemberPerson) -> None:
    """So the API has no forged requests to fear: what it takes, no browser sends by itself."""
    _sign_in(browser, member)
    assert browser.get("/account").status_code == 200
    for path in ("/api/v1/session", "/api/v1/account", "/api/v1/collections"):
        assert browser.get(path).status_code == 401


def test_session_in_the_address_is_no_session(demo: Demo, member: MemberPerson) -> None:
    with demo.http() as client:
        for name in ("token", "access_token", "__Host-bailee"):
            assert client.get("/api/v1/account", params={name: member.token}).status_code == 401
            assert client.get("/account", params={name: member.token}).status_code == 303
