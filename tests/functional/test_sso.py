"""A company's sign-in in a real browser: out to the identity provider on another site, and back signed in."""

import re
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.dns import dns_server
from tests.functional.conftest import FreshInstance
from tests.functional.instance import Instance
from tests.oidc_server import CLIENT_ID, CLIENT_SECRET, OidcServer, oidc_server

pytestmark = [pytest.mark.browser, pytest.mark.functional, pytest.mark.timeout(240)]

DOMAIN = "company.example"


@pytest.fixture(scope="module")
def provider() -> Iterator[OidcServer]:
    """For a browser, 127.0.0.1 is another site than localhost."""
    with oidc_server("127.0.0.1") as server:
        yield server


@pytest.fixture(scope="module")
def instance(
    provider: OidcServer, fresh_instance: FreshInstance, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Instance]:
    """An instance with a tenant whose members sign in through `provider`."""
    with dns_server() as names:
        settings = tmp_path_factory.mktemp("sso") / "bailee.toml"
        settings.write_text(
            f'[access]\ndns_servers = ["{names.address}"]\n'
            f'sso_allow_private = true\nsso_ca_file = "{provider.ca_file}"\n'
        )
        made = fresh_instance(BAILEE_CONFIG=str(settings))
        made.set_up()
        with made.http(made.staff_token) as http:
            tenant = _json(http.post("/api/v1/tenants", json={"name": "Company", "plan": "enterprise"}))
        with made.http(made.tenant_owner(tenant["id"]).token) as http:
            domain = _json(http.post("/api/v1/domains", json={"domain": DOMAIN}))
            assert http.post(f"/api/v1/domains/{domain['id']}/verify").status_code == 409
            names.publish(domain["record_name"], domain["record_value"])
            _json(http.post(f"/api/v1/domains/{domain['id']}/verify"))
            assert [one["domain"] for one in _json(http.get("/api/v1/domains"))] == [DOMAIN]
            assert http.get("/api/v1/sso").status_code == 404
            wanted = {
                "issuer": provider.issuer, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET,
                "default_role": "administrator",
            }  # fmt: skip
            configured = _json(http.put("/api/v1/sso", json=wanted))
            assert configured["redirect_uri"] == f"{made.base_url}/sso/callback"
            assert "client_secret" not in configured
            assert _json(http.post("/api/v1/sso/test"))["signing_keys"] == 1
        yield made


@pytest.fixture
def page(instance: Instance) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser: Browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield browser.new_context(ignore_https_errors=True).new_page()
        browser.close()


def _json(answer: httpx2.Response) -> Any:
    assert answer.is_success, answer.text
    return answer.json()


def _company(page: Page, instance: Instance, email: str) -> None:
    page.goto(f"{instance.base_url}/sign-in?next=/members")
    form = page.locator('form[action="/sso/start"]')
    form.locator('input[name="email"]').fill(email)
    form.get_by_role("button").click()


def test_a_person_goes_out_to_the_company_and_comes_back_signed_in(
    page: Page, instance: Instance, provider: OidcServer
) -> None:
    provider.person("subject", f"ann@{DOMAIN}", name="Ann of the Company")
    _company(page, instance, f"ann@{DOMAIN}")
    expect(page).to_have_url(re.compile(r"/members$"))
    expect(page.get_by_text("Ann of the Company").first).to_be_visible()
    kept: list[Any] = list(page.context.cookies(instance.base_url))
    cookies = {cookie["name"]: cookie for cookie in kept}
    assert "__Host-bailee-sso" not in cookies
    assert (cookies["__Host-bailee"]["sameSite"], cookies["__Host-bailee"]["httpOnly"]) == ("Strict", True)


def test_an_unknown_company_leads_back_to_the_password(page: Page, instance: Instance) -> None:
    _company(page, instance, "somebody@unknown.example")
    expect(page.get_by_role("alert")).to_contain_text("Sign in with your password")
    expect(page.locator('form[action="/sign-in"] input[name="password"]')).to_be_visible()


def test_an_answer_that_this_browser_did_not_ask_for_signs_nobody_in(
    page: Page, instance: Instance, provider: OidcServer
) -> None:
    """Login CSRF: a stranger sends the victim an answer of their own."""
    provider.person("stranger", f"stranger@{DOMAIN}")
    with instance.http() as http:
        started = http.post("/sso/start", data={"email": f"stranger@{DOMAIN}"}, headers={"Origin": instance.base_url})
    assert started.status_code == 200
    cookie = started.headers["set-cookie"]
    assert re.search(r"(?i)__Host-bailee-sso=\S+;.*HttpOnly.*SameSite=lax.*Secure", cookie), cookie
    away = re.search(r'content="0; url=([^"]+)"', started.text)
    assert away is not None
    answer = page.goto(provider.authorize(away[1].replace("&amp;", "&")))
    assert answer is not None
    assert answer.status == 403
    assert not [one for one in page.context.cookies() if one["name"] == "__Host-bailee"]
    with instance.http() as http:
        assert http.post("/sso/start", data={"email": f"stranger@{DOMAIN}"}).status_code == 403


def test_nothing_of_the_way_stands_in_the_logs(instance: Instance, provider: OidcServer) -> None:
    said = instance.logs()
    assert CLIENT_SECRET not in said
    assert DOMAIN not in said
    assert "bsi_" not in said
    assert "bsb_" not in said
