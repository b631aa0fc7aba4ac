"""A product signs its users in with Bailee: Apache with mod_auth_openidc, which none of us wrote, and a real browser.

The product lives on 127.0.0.1 and Bailee on localhost, which are two sites to a browser.
"""

import contextlib
import os
import re
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.functional.instance import Instance, eventually, free_port

pytestmark = [pytest.mark.browser, pytest.mark.functional, pytest.mark.timeout(240)]

_APACHE, _MODULES = Path("/usr/sbin/apache2"), Path("/usr/lib/apache2/modules")
_EMAIL, _PASSWORD = "ada@customer.example", "nine slow owls over the lake"
_CLAIMS = ("iss", "sub", "email", "name", "tenant", "tenant_name", "roles", "acr", "amr", "auth_time")
_SIGN_IN = re.compile(r"/sign-in\?next=")
_CONFIGURATION = """
ServerRoot {root}
ServerName 127.0.0.1
Listen 127.0.0.1:{port}
PidFile {root}/pid
ErrorLog {root}/errors
LogLevel warn auth_openidc:info
DefaultRuntimeDir {root}
{user}
{modules}
DocumentRoot {root}/pages
<Location />
  Require all granted
  Options +Includes
  ForceType text/html
  SetOutputFilter INCLUDES
</Location>
OIDCProviderMetadataURL {issuer}/.well-known/openid-configuration
OIDCCABundlePath {root}/ca.pem
OIDCSSLValidateServer On
OIDCClientID {client_id}
OIDCClientSecret {client_secret}
OIDCRedirectURI {base}/app/callback
OIDCCryptoPassphrase {passphrase}
OIDCScope "openid profile email offline_access"
OIDCPKCEMethod S256
OIDCPassClaimsAs environment
OIDCPassRefreshToken On
<Location /app>
  AuthType openid-connect
  Require valid-user
</Location>
<Location /app/owners>
  Require claim roles:owner
</Location>
"""


class Product(msgspec.Struct):
    """Apache, a page behind the module, and the client that it is registered as."""

    base: str
    root: Path
    client_id: str
    tenant_id: str


@pytest.fixture(scope="module")
def instance(fresh_instance: Callable[..., Instance]) -> Instance:
    made = fresh_instance()
    made.set_up().close()
    return made


@pytest.fixture(scope="module")
def product(instance: Instance) -> Iterator[Product]:
    missing = [path for path in (_APACHE, _MODULES / "mod_auth_openidc.so") if not path.exists()]
    assert not missing, f"run `tools/bootstrap test`: there is no {missing}"
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    root = Path(tempfile.mkdtemp(prefix="bft-apache-", dir="/tmp"))
    root.chmod(0o755)  # its workers are somebody else than root
    with instance.http(instance.staff_token) as staff:
        tenant = _made(staff.post("/api/v1/tenants", json={"name": "Customer"}))
        _join(instance, _made(staff.post(
            f"/api/v1/tenants/{tenant['id']}/owner-invitation", json={"email": _EMAIL, "name": "Ada"}
        ))["link"])  # fmt: skip
        client = _made(staff.post("/api/v1/clients", json={
            "name": "The product", "scopes": ["openid", "profile", "email", "offline_access"],
            "redirect_uris": [f"{base}/app/callback"], "post_logout_redirect_uris": [f"{base}/gone/"],
        }))  # fmt: skip
    _write(root, instance, base, port, client)
    with (root / "said").open("wb") as said:
        server = subprocess.Popen(
            [str(_APACHE), "-f", str(root / "conf"), "-D", "FOREGROUND"], stdin=subprocess.DEVNULL, stdout=said,
            stderr=said, start_new_session=True,
        )  # fmt: skip
    try:
        eventually(lambda: _answers(server, base, root), seconds=20, what="Apache serves")
        yield Product(base, root, client["id"], tenant["id"])
    finally:
        server.terminate()
        server.wait(20)
        shutil.rmtree(root, ignore_errors=True)


def _made(answer: httpx2.Response) -> dict[str, Any]:
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def _join(instance: Instance, link: str) -> None:
    with instance.http() as http:
        body = {"token": link.partition("#")[2], "name": "Ada Sample", "password": _PASSWORD}
        _made(http.post("/api/v1/invitation/accept", json=body))


def _write(root: Path, instance: Instance, base: str, port: int, client: dict[str, Any]) -> None:
    for place in ("gone", "app", "app/owners"):
        (root / "pages" / place).mkdir(parents=True)
        lines = [f'<p id="{name}"><!--#echo var="OIDC_CLAIM_{name}" --></p>' for name in _CLAIMS]
        lines.append('<p id="refresh"><!--#echo var="OIDC_refresh_token" --></p>')
        (root / "pages" / place / "index.html").write_text(f"<h1>{place}</h1>{''.join(lines)}")
    shutil.copy(instance.ca_file, root / "ca.pem")
    names = ("mpm_event", "authn_core", "authz_core", "authz_user", "dir", "include", "auth_openidc")
    modules = "\n".join(f"LoadModule {name}_module {_MODULES}/mod_{name}.so" for name in names)
    (root / "conf").write_text(_CONFIGURATION.format(
        root=root, port=port, base=base, issuer=instance.base_url, modules=modules, client_id=client["id"],
        client_secret=client["secret"], passphrase=secrets.token_urlsafe(),
        user="User www-data\nGroup www-data" if os.geteuid() == 0 else "",
    ) + "\nDirectoryIndex index.html\n")  # fmt: skip


def _answers(server: subprocess.Popen[bytes], base: str, root: Path) -> bool:
    assert server.poll() is None, (root / "said").read_text()
    with contextlib.suppress(httpx2.TransportError):
        return httpx2.get(f"{base}/gone/", trust_env=False).status_code == 200
    return False


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(ignore_https_errors=True)
    yield context.new_page()
    context.close()


def _sign_in(page: Page) -> None:
    expect(page).to_have_url(_SIGN_IN)
    page.get_by_label("E-mail", exact=True).fill(_EMAIL)
    page.get_by_label("Password", exact=True).fill(_PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


def test_the_products_page_opens_after_sign_in_and_sees_who_where_and_how(
    page: Page, product: Product, instance: Instance
) -> None:
    page.goto(f"{product.base}/app/")
    _sign_in(page)
    expect(page).to_have_url(f"{product.base}/app/")
    claims = {name: page.locator(f"#{name}").inner_text() for name in _CLAIMS}
    assert claims["iss"] == instance.base_url
    assert claims["email"] == _EMAIL
    assert claims["name"] == "Ada Sample"
    assert claims["tenant"] == product.tenant_id
    assert claims["tenant_name"] == "Customer"
    assert claims["roles"] == "owner"
    assert claims["acr"] == "urn:bailee:acr:single"
    assert claims["amr"] == "pwd"
    assert page.locator("#refresh").inner_text().startswith("brt_")
    page.goto(f"{product.base}/app/owners/")
    expect(page.get_by_role("heading")).to_have_text("app/owners")


def test_whoever_is_signed_in_opens_the_product_without_a_form_even_from_another_site(
    page: Page, product: Product
) -> None:
    page.goto(f"{product.base}/app/")
    _sign_in(page)
    expect(page).to_have_url(f"{product.base}/app/")
    page.context.clear_cookies(domain="127.0.0.1")  # the product forgets; Bailee does not
    seen: list[str] = []
    page.on("framenavigated", lambda frame: seen.append(frame.url))
    page.goto(f"{product.base}/app/")
    expect(page).to_have_url(f"{product.base}/app/")
    expect(page.locator("#email")).to_have_text(_EMAIL)
    assert not any("/sign-in" in url for url in seen), seen


def test_logout_of_the_product_ends_the_session_here(page: Page, product: Product, instance: Instance) -> None:
    page.goto(f"{product.base}/app/")
    _sign_in(page)
    expect(page).to_have_url(f"{product.base}/app/")
    page.goto(f"{product.base}/app/callback?logout={product.base}/gone/")
    expect(page).to_have_url(re.compile(re.escape(f"{product.base}/gone/")))
    page.goto(f"{product.base}/app/")
    expect(page).to_have_url(_SIGN_IN)
    page.goto(f"{instance.base_url}/account")
    expect(page).to_have_url(_SIGN_IN)


def test_no_code_token_or_secret_is_in_any_log(page: Page, product: Product, instance: Instance) -> None:
    page.goto(f"{product.base}/app/")
    _sign_in(page)
    expect(page).to_have_url(f"{product.base}/app/")
    said = instance.logs()
    assert not re.findall(r"\b(?:bac|bat|brt|bcs|bst)_[a-z2-7]{20}", said)
    found = instance.sql(
        "SELECT count(*) FROM bailee.events WHERE encode(body, 'escape') ~ '(bac|bat|brt|bcs|bst)_[a-z2-7]{20}'"
    )
    assert found == [(0,)]
    assert instance.sql("SELECT count(*) > 0 FROM bailee.events WHERE action = 'client.authorised'") == [(True,)]
