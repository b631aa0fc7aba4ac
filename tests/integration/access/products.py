"""Products that sign people in with Bailee: what their servers and their users' browsers send, over the real app."""

import base64
import hashlib
import secrets
import warnings
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

import httpx2
import msgspec
from joserfc import jwt
from joserfc.jwk import KeySet
from litestar.exceptions import LitestarDeprecationWarning

from bailee.access.model import SessionKind, StartedSession
from bailee.access.provider.model import ClientFields, ClientKind, IssuedClient
from bailee.assembly import Services
from bailee.foundation.ids import TenantId
from bailee.foundation.pages import COOKIE
from bailee.web.app import create_app
from tests.integration.access.people import Person, nobody, secret
from tests.integration.rig import SYSTEM

CALLBACK = "https://app.example.com/callback"
GONE = "https://app.example.com/gone"
EVERYTHING = ["openid", "profile", "email", "offline_access"]


class Product(msgspec.Struct):
    """A client with its secret, and a way to the app."""

    services: Services
    http: httpx2.AsyncClient
    client: IssuedClient
    verifier: str = "v" * 64

    @property
    def issuer(self) -> str:
        return self.services.settings.base_url

    async def ask(
        self, person: Person | None = None, *, came_from: str | None = None, **changes: str | None
    ) -> httpx2.Response:
        """What a browser gets that the product sends to the authorisation endpoint; None leaves a parameter out.

        `came_from` is what the browser says of the page that led here, such as `cross-site`.
        """
        asked: dict[str, str | None] = {
            "response_type": "code", "client_id": str(self.client.id), "redirect_uri": CALLBACK,
            "scope": " ".join(EVERYTHING), "state": "the-state", "nonce": "the-nonce",
            "code_challenge": challenge_of(self.verifier), "code_challenge_method": "S256",
        }  # fmt: skip
        sent = {name: value for name, value in (asked | changes).items() if value is not None}
        cookies = {"Cookie": f"{COOKIE}={person.token}"} if person else {}
        site = {"Sec-Fetch-Site": came_from} if came_from else {}
        return await self.http.get("/oidc/authorize", params=sent, headers={**cookies, **site})

    async def code(self, person: Person, **changes: str | None) -> str:
        answer = answer_of(await self.ask(person, **changes))
        assert "code" in answer, answer
        return answer["code"]

    async def send(
        self, path: str, form: Mapping[str, str], *, secret: str | None = None, basic: bool = True
    ) -> httpx2.Response:
        """A form from the product's server, with its credentials."""
        secret = secret or self.client.secret
        if secret is None or not basic:
            own = {"client_id": str(self.client.id)} | ({"client_secret": secret} if secret else {})
            return await self.http.post(path, data={**own, **form})
        return await self.http.post(path, data=dict(form), auth=(str(self.client.id), secret))

    async def exchange(self, code: str, **changes: str) -> httpx2.Response:
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": self.verifier,
        }  # fmt: skip
        return await self.send("/oidc/token", form | changes)

    async def tokens(self, person: Person, **changes: str | None) -> dict[str, Any]:
        """Signs a person in."""
        answer = await self.exchange(await self.code(person, **changes))
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def refresh(self, token: str, **changes: str) -> httpx2.Response:
        return await self.send("/oidc/token", {"grant_type": "refresh_token", "refresh_token": token} | changes)

    async def userinfo(self, token: str) -> httpx2.Response:
        return await self.http.get("/oidc/userinfo", headers={"Authorization": f"Bearer {token}"})

    async def claims(self, id_token: str) -> dict[str, Any]:
        """An ID token's claims, verified with the published keys."""
        keys = KeySet.import_key_set((await self.http.get("/oidc/jwks")).json())
        return dict(jwt.decode(id_token, keys, algorithms=["RS256"]).claims)


def challenge_of(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def answer_of(response: httpx2.Response) -> dict[str, str]:
    """The parameters that a redirect to the product carries."""
    assert response.status_code == 303, response.text
    parts = urlsplit(response.headers["location"])
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" in (CALLBACK, GONE), response.headers["location"]
    return dict(parse_qsl(parts.query))


@asynccontextmanager
async def browser_of(services: Services) -> AsyncIterator[httpx2.AsyncClient]:
    """The app, reached as over the network."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LitestarDeprecationWarning)  # of the next major version, which is not taken
        app = create_app(services)
    transport = httpx2.ASGITransport(app=cast("Any", app), client=(f"192.0.2.{secrets.randbelow(250) + 1}", 1))
    async with httpx2.AsyncClient(transport=transport, base_url=services.settings.base_url) as http:
        yield http


async def register(
    services: Services, http: httpx2.AsyncClient, tenant: TenantId | None = None, *,
    kind: ClientKind = ClientKind.CONFIDENTIAL, scopes: list[str] | None = None, redirect_uris: list[str] | None = None,
) -> Product:  # fmt: skip
    """A product of the operator's, or of a tenant."""
    scopes = EVERYTHING if scopes is None else scopes
    uris = [CALLBACK] if redirect_uris is None else redirect_uris
    fields = ClientFields(
        "The product", uris if "openid" in scopes else [], [GONE] if "openid" in scopes else [], scopes
    )
    async with services.database.operator() if tenant is None else services.database.tenant(tenant) as tx:
        made = await services.provider.clients.register(tx, kind=kind, fields=fields, secret_expires_at=None, by=SYSTEM)
    return Product(services, http, made)


async def sign_in(services: Services, person: Person) -> Person:
    """The person, in a browser; with a code of the app, or a recovery code once those of the moment are used."""
    code = person.recovery_codes.pop() if person.recovery_codes else None
    found = await services.access.sign_in.by_password(
        email=person.email, password=secret(person.password), code=code, kind=SessionKind.BROWSER, by=nobody()
    )
    assert isinstance(found, StartedSession)
    person.token = found.token
    return person
