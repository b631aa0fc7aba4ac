"""Single sign-on, domains and OAuth clients as people set them up: in a real browser, and on the command line."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, expect

from tests.dns import DnsServer, dns_server
from tests.functional.browser import INLINE, UNNAMED, Console, age_second_factor
from tests.functional.conftest import FreshInstance
from tests.functional.instance import Instance, MemberPerson, Person
from tests.oidc_server import CLIENT_ID, CLIENT_SECRET, OidcServer, oidc_server

pytestmark = [pytest.mark.browser, pytest.mark.functional, pytest.mark.timeout(240)]

_EVIL = "<img src=x onerror=alert(1)>"
_BACK = "https://portal.example.com/callback"


@pytest.fixture(scope="module")
def names() -> Iterator[DnsServer]:
    with dns_server() as server:
        yield server


@pytest.fixture(scope="module")
def provider() -> Iterator[OidcServer]:
    with oidc_server() as server:
        yield server


@pytest.fixture(scope="module")
def instance(
    names: DnsServer, provider: OidcServer, fresh_instance: FreshInstance, tmp_path_factory: pytest.TempPathFactory
) -> Instance:
    settings = tmp_path_factory.mktemp("federation") / "bailee.toml"
    settings.write_text(
        f'[access]\ndns_servers = ["{names.address}"]\nsso_allow_private = true\nsso_ca_file = "{provider.ca_file}"\n'
    )
    made = fresh_instance(BAILEE_CONFIG=str(settings))
    made.set_up().close()
    return made


@pytest.fixture
def console(browser: Browser, instance: Instance) -> Iterator[Console]:
    made = Console(browser, instance.base_url)
    yield made
    made.close()


def _tenant(instance: Instance, plan: str) -> str:
    return instance.new_tenant(f"Company on {plan}", ["records:read"], plan=plan)["id"]


@pytest.fixture(scope="module")
def tenant(instance: Instance) -> str:
    return _tenant(instance, "enterprise")


@pytest.fixture(scope="module")
def owner(instance: Instance, tenant: str) -> MemberPerson:
    return instance.tenant_owner(tenant)


def _fits(console: Console, *paths: str) -> None:
    """What holds for every page: it fits a narrow screen, its fields are labelled, and nothing is inline."""
    console.page.set_viewport_size({"width": 320, "height": 640})
    for path in paths:
        console.go(path)
        assert console.page.evaluate("document.documentElement.scrollWidth") <= 320, path
        assert console.page.locator("h1").count() == 1, path
        assert console.page.evaluate(UNNAMED) == 0, path
        assert console.page.evaluate(INLINE) == [], path


# --- domains ----------------------------------------------------------------------------------------------


def test_a_domain_is_added_proven_by_its_record_and_removed(
    console: Console, instance: Instance, owner: MemberPerson, names: DnsServer
) -> None:
    console.as_person(owner)
    console.go("/domains")
    expect(console.page.get_by_text("There is no domain yet.")).to_be_visible()
    console.fill("Domain", "company.example/path")
    console.press("Add the domain")
    console.sees("alert", "Give a domain such as example.com")
    assert console.page.get_by_label("Domain", exact=True).input_value() == "company.example/path"
    console.fill("Domain", "Console.Example.")
    console.press("Add the domain")
    console.sees("status", "Publish its TXT record")

    row = console.page.get_by_role("row").filter(has_text="console.example")
    expect(row.locator(".status")).to_contain_text("not verified yet")
    name, value = row.locator("code").all_inner_texts()
    console.press("Verify console.example now")
    console.sees("alert", "Publish the record as shown")
    names.publish(name, value)
    console.press("Verify console.example now")
    console.sees("status", "The domain is verified")
    expect(row.locator("time").first).to_be_visible()

    instance.sql("UPDATE tenant_domains SET failing_since = now() WHERE domain = 'console.example'")
    _fits(console, "/domains")
    expect(row.locator(".status")).to_contain_text("failing")

    age_second_factor(instance, owner)
    console.go("/domains")
    expect(console.page.get_by_role("button", name="Remove console.example")).to_have_count(0)
    expect(console.page.get_by_role("link", name="Confirm with your second factor")).to_be_visible()
    owner.keep(owner.sign_in())
    console.as_person(owner)
    console.go("/domains")
    console.press("Remove console.example")
    console.sees("status", "The domain is removed")


# --- the identity provider --------------------------------------------------------------------------------


def test_an_identity_provider_is_set_up_tried_out_switched_off_and_removed(
    console: Console, owner: MemberPerson, provider: OidcServer, instance: Instance
) -> None:
    console.as_person(owner)
    console.go("/sso")
    expect(console.page.get_by_text("No identity provider is set up.")).to_be_visible()
    assert console.page.locator("#redirect-uri").inner_text() == f"{instance.base_url}/sso/callback"
    console.fill("Issuer", f"{provider.issuer}/nowhere")
    console.fill("Client id", CLIENT_ID)
    console.fill("Client secret", CLIENT_SECRET)
    console.page.get_by_label("Role of people who are new").select_option("editor")
    console.press("Save the identity provider")
    console.sees("alert", "identity provider")
    assert console.page.get_by_label("Issuer").input_value() == f"{provider.issuer}/nowhere"
    assert console.page.get_by_label("Role of people who are new").input_value() == "editor"
    assert CLIENT_SECRET not in console.page.content()

    console.fill("Issuer", provider.issuer)
    console.fill("Client secret", CLIENT_SECRET)
    console.press("Save the identity provider")
    console.sees("status", "The identity provider is saved")
    assert CLIENT_SECRET not in console.page.content()
    console.press("Test the connection")
    console.sees("status", f"{provider.issuer}/authorize")
    console.is_at("/sso/test")
    _fits(console, "/sso", "/sso/test")

    console.page.get_by_label("People can sign in through it").uncheck()
    console.press("Save the identity provider")
    console.sees("status", "switched off")
    expect(console.page.locator("dl .status")).to_contain_text("disabled")
    console.press("Remove the identity provider")
    console.sees("status", "is removed")
    assert CLIENT_SECRET not in instance.logs()


def test_what_the_plan_lacks_is_shown_as_available(browser: Browser, instance: Instance, console: Console) -> None:
    console.as_person(instance.tenant_owner(_tenant(instance, "standard")))
    for path in ("/sso", "/domains"):
        console.go(path)
        expect(console.page.get_by_text("available with the plan enterprise")).to_be_visible()
        assert console.page.locator("main form").count() == 0


def test_who_only_reads_is_offered_nothing_to_change(console: Console, instance: Instance, tenant: str) -> None:
    console.as_person(instance.new_member(tenant, "auditor", enrol=False))
    for path in ("/sso", "/domains", "/clients"):
        assert console.go(path).status == 200
        assert console.page.locator("main form").count() == 0
    assert console.go("/clients/new").status == 403


# --- clients ----------------------------------------------------------------------------------------------


def test_a_client_is_registered_gets_tokens_rotates_and_is_revoked(
    console: Console, instance: Instance, owner: MemberPerson
) -> None:
    page = console.page
    console.as_person(owner)
    console.go("/clients")
    expect(page.get_by_text("There is no OAuth client yet.")).to_be_visible()
    page.get_by_role("link", name="Register a client").click()
    console.fill("Name", _EVIL)
    page.get_by_label("openid").check()
    page.get_by_label("records:read").check()
    console.fill("Redirect addresses", "https://portal.example.com/*")
    console.press("Register the client")
    console.sees("alert", "without a fragment")
    assert page.get_by_label("Redirect addresses").input_value() == "https://portal.example.com/*"
    expect(page.get_by_label("records:read")).to_be_checked()
    console.fill("Redirect addresses", f"{_BACK}\n https://portal.example.com/other \n")
    console.press("Register the client")
    client_id, secret = page.locator("#client-id").inner_text(), page.locator("#client-secret").inner_text()
    assert _token(instance, client_id, secret) == 200
    page.get_by_role("link", name="I have kept it").click()
    assert secret not in page.content()
    expect(page.get_by_role("heading", level=1)).to_have_text(_EVIL)

    console.fill("Name", "Portal")
    console.fill("Redirect addresses", _BACK)
    page.get_by_label("openid").uncheck()
    console.press("Save the client")
    console.sees("alert", "has no redirect address")
    expect(page.get_by_label("openid")).not_to_be_checked()
    page.get_by_label("openid").check()
    console.press("Save the client")
    console.sees("status", "The client is saved")
    assert page.get_by_label("Redirect addresses").input_value() == _BACK

    console.fill("Hours that the old secret goes on", "soon")
    console.press("Rotate the secret")
    console.sees("alert", "Enter a whole number")
    assert page.get_by_label("Name", exact=True).input_value() == "Portal"
    console.fill("Hours that the old secret goes on", "1")
    console.press("Rotate the secret")
    expect(page.get_by_text("The secret before it is good until")).to_be_visible()
    newer = page.locator("#client-secret").inner_text()
    assert (_token(instance, client_id, secret), _token(instance, client_id, newer)) == (200, 200)

    _fits(console, "/clients", "/clients/new", f"/clients/{client_id}")
    page.get_by_text("End the client for good").click()
    console.press("Revoke the client")
    console.sees("status", "The client is revoked")
    assert _token(instance, client_id, newer) == 401
    console.go(f"/clients/{client_id}")
    assert page.locator("main form").count() == 0
    for shown in (secret, newer):
        assert shown not in instance.logs()


def test_nobody_is_offered_or_given_a_scope_that_they_lack(console: Console, instance: Instance, tenant: str) -> None:
    console.as_person(instance.new_member(tenant, "administrator"))
    console.go("/clients/new")
    expect(console.page.get_by_label("subjects:erase")).to_be_disabled()
    expect(console.page.get_by_label("records:read")).to_be_enabled()


def test_many_clients_come_in_pages(console: Console, instance: Instance) -> None:
    other = _tenant(instance, "business")
    instance.sql(
        "INSERT INTO oauth_clients (tenant_id, client_id, name, kind, redirect_uris, post_logout_redirect_uris, scopes)"
        " SELECT %s, id::uuid, 'Client', 'public', '{https://a.example/}', '{}', '{openid}'"
        " FROM unnest(%s::text[]) AS id",
        (other, [str(uuid4()) for _ in range(51)]),
    )
    console.as_person(instance.tenant_owner(other))
    console.go("/clients")
    expect(console.page.locator("tbody tr")).to_have_count(50)
    console.page.get_by_role("link", name="Next page").click()
    expect(console.page.locator("tbody tr")).to_have_count(1)


def test_staff_register_the_clients_of_the_operators_product_and_see_no_tenants(
    console: Console, instance: Instance, owner: MemberPerson
) -> None:
    with owner.client() as client:
        foreign = client.clients.register("A tenant's own", ["records:read"])
    page = console.page
    console.as_person(instance.owner)
    assert console.go(f"/clients/{foreign.id}").status == 404
    console.go("/clients")
    expect(page.get_by_text("A tenant's own")).to_have_count(0)
    console.go("/clients/new")
    expect(page.get_by_label("records:read")).to_have_count(0)
    console.fill("Name", "Our app")
    page.get_by_label("Kind").select_option("public")
    page.get_by_label("openid").check()
    console.fill("Redirect addresses", _BACK)
    console.press("Register the client")
    console.sees("status", "It has no secret")
    expect(page.get_by_role("heading", name="Secrets")).to_have_count(0)
    assert console.go("/sso").status == 403
    with owner.client() as client:
        assert "Our app" not in {one.name for one in client.clients.list()}


def _token(instance: Instance, client_id: str, secret: str) -> int:
    """What the token endpoint answers the client."""
    with instance.http() as http:
        form = {"grant_type": "client_credentials", "scope": "records:read"}
        return http.post("/oidc/token", data=form, auth=(client_id, secret)).status_code


# --- the command line -------------------------------------------------------------------------------------


class _Hands:
    """Somebody at the command line."""

    def __init__(self, instance: Instance, person: Person) -> None:
        self._instance = instance
        self._person = person

    def run(self, *arguments: str, code: int = 0) -> tuple[str, str]:
        answer = self._instance.cli(*arguments, env={"BAILEE_TOKEN": self._person.token})
        assert answer.returncode == code, answer.stderr
        assert "Traceback" not in answer.stderr
        return answer.stdout, answer.stderr

    def ask(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json")[0])

    def refused(self, *arguments: str) -> str:
        said, why = self.run(*arguments, code=1)
        assert said == ""
        return why


@pytest.fixture(scope="module")
def hands(instance: Instance, owner: MemberPerson) -> _Hands:
    return _Hands(instance, owner)


def test_domains_and_the_identity_provider_are_set_up_by_commands(
    hands: _Hands, provider: OidcServer, names: DnsServer, tmp_path: Path
) -> None:
    (added,) = hands.ask("domain", "add", "command.example")["items"]
    assert "TXT record was not found" in hands.refused("domain", "verify", "command.example")
    names.publish(added["record_name"], added["record_value"])
    (verified,) = hands.ask("domain", "verify", "Command.example")["items"]
    assert verified["verified_at"]
    assert "verified" in hands.run("domain", "list")[0]
    assert "not among yours" in hands.refused("domain", "verify", "other.example")

    assert "No identity provider" in hands.refused("sso", "show")
    assert "--issuer" in hands.refused("sso", "set", "--no-enabled")
    where = ("--issuer", provider.issuer, "--client-id", CLIENT_ID)
    assert "--secret-file" in hands.refused("sso", "set", *where)
    assert "cannot be read" in hands.refused("sso", "set", *where, "--secret-file", str(tmp_path / "missing"))
    (tmp_path / "secret").write_bytes(b"\xff\n")
    assert "not UTF-8" in hands.refused("sso", "set", *where, "--secret-file", str(tmp_path / "secret"))
    (tmp_path / "secret").write_text(f"{CLIENT_SECRET}\n")
    made = hands.ask("sso", "set", *where, "--secret-file", str(tmp_path / "secret"))
    assert (made["enabled"], made["default_role"]) == (True, "viewer")
    assert "answers" in hands.run("sso", "test")[1]
    off = hands.ask("sso", "set", "--no-enabled", "--default-role", "editor")
    assert (off["enabled"], off["default_role"], off["issuer"]) == (False, "editor", provider.issuer)
    assert CLIENT_SECRET not in hands.run("sso", "show")[0]
    assert "--help" in hands.refused("sso", "set")
    hands.run("sso", "remove", "--yes")
    hands.run("domain", "remove", "command.example", "--yes")
    assert hands.ask("domain", "list")["items"] == []


def test_clients_are_registered_rotated_and_revoked_by_commands(hands: _Hands, instance: Instance) -> None:
    made = hands.ask("client", "register", "Batch", "--scope", "records:read", "--scope", "files:read", "--days", "30")
    assert _token(instance, made["id"], made["secret"]) == 200
    secret, said = hands.run("client", "rotate-secret", made["id"], "--overlap-hours", "0")
    assert "shown once" in said
    assert [_token(instance, made["id"], one) for one in (made["secret"], secret.strip())] == [401, 200]
    public = ("--public", "--scope", "openid", "--redirect-uri", _BACK)
    assert "has no secret" in hands.run("client", "register", "App", *public)[1]
    assert "redirect_uris" in hands.refused("client", "register", "App", "--scope", "openid")
    hands.run("client", "revoke", made["id"])
    known = {one["id"]: one for one in hands.ask("client", "list")["items"]}
    assert known[made["id"]]["revoked_at"]
    assert "App" in hands.run("client", "list")[0]
