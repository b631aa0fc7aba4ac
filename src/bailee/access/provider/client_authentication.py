"""Client authentication at the endpoints that programs call (RFC 6749 §2.3)."""

import base64
import binascii
import hashlib
from urllib.parse import unquote_plus
from uuid import UUID

import msgspec

from bailee.access.errors import TooManyAttempts
from bailee.access.provider import store as rows
from bailee.access.provider.errors import InvalidClient, OAuthError
from bailee.access.provider.model import ClientKind, KnownClient
from bailee.access.sign_in import throttle_key
from bailee.access.store import sessions as session_rows
from bailee.access.tokens import CLIENT_SECRET, same
from bailee.events import Events, Object
from bailee.events.catalogue import ClientRefused
from bailee.events.model import Outcome
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database
from bailee.foundation.http import parse_uuid
from bailee.foundation.pages import Form
from bailee.foundation.principal import ActorKind, Principal

_PER_ADDRESS, _PER_CLIENT = 50, 20


class Presented(msgspec.Struct, frozen=True):
    """What a client has sent to say who it is."""

    client_id: str
    secret: str | None = None


class Authenticated(msgspec.Struct, frozen=True):
    """A client that has proven who it is, and as whom it acts."""

    client: KnownClient
    secret_id: UUID | None
    by: Principal


class ClientAuthentication:
    """Knows clients by their secrets."""

    def __init__(self, database: Database, events: Events, clock: Clock) -> None:
        self._database = database
        self._events = events
        self._clock = clock

    async def find(self, client_id: str) -> KnownClient | None:
        """A client that may be used at present, by what it calls itself; nothing is proven by that."""
        found = parse_uuid(client_id)
        if found is None:
            return None
        async with self._database.operator_read() as tx:
            client = await rows.find_known(tx, found)
        return client if client is not None and client.is_open else None

    async def authenticate(self, presented: Presented, *, by: Principal) -> Authenticated:
        """The client whose secret was presented, or a public one by its name. Raises InvalidClient, TooManyAttempts.

        A right secret is never refused for what strangers have tried: it has 256 bits, so failures are counted to
        bound their noise, not their luck.
        """
        claimed = parse_uuid(presented.client_id)
        secret = CLIENT_SECRET.parse(presented.secret) if presented.secret else None
        async with self._database.operator_read() as tx:
            client = await rows.find_known(tx, claimed) if claimed else None
            kept = await rows.find_secret(tx, client.tenant_id, client.id, secret.id) if client and secret else None
        # An unknown client and an unknown secret are compared too, so that they take as long.
        matches = same(secret.digest if secret else bytes(32), kept.digest if kept else bytes(32))
        lasting = kept is not None and (kept.expires_at is None or kept.expires_at > self._clock.now())
        proven = client is not None and (
            (matches and lasting) if client.kind is ClientKind.CONFIDENTIAL else presented.secret is None
        )
        if client is None or not proven or not client.is_open:
            await self._refuse(presented.client_id, client, by)
            raise InvalidClient
        tenant = None if client.is_operators else client.tenant_id
        actor = Principal(
            ActorKind.CLIENT, str(client.id), tenant_id=tenant, address=by.address, request_id=by.request_id
        )
        return Authenticated(client, secret.id if secret else None, actor)

    async def _refuse(self, client_id: str, client: KnownClient | None, by: Principal) -> None:
        address = throttle_key(by.address)
        digest = hashlib.sha256(f"client\0{client_id}\0{address}".encode("utf-8", "replace")).digest()
        async with self._database.operator() as tx:
            attempt = await session_rows.begin_attempt(
                tx, f"client {address}", digest, None, per_address=_PER_ADDRESS, per_account=_PER_CLIENT
            )
            if attempt is not None:
                on = Object("client", str(client.id)) if client else None
                tenant = client.tenant_id if client and not client.is_operators else None
                await self._events.record(tx, ClientRefused(), by=by, on=on, tenant=tenant, outcome=Outcome.REFUSED)
        if attempt is None:
            raise TooManyAttempts("Too many failed attempts from this address. Wait 15 minutes.", retry_after=900)


def presented_by(form: Form, authorization: str | None) -> Presented:
    """The credentials of a request: HTTP Basic, or fields of the form; never both. Raises OAuthError."""
    named, secret = form.text("client_id"), form.text("client_secret") or None
    if authorization is None:
        if not named:
            raise InvalidClient
        return Presented(named, secret)
    basic = _basic(authorization)
    if basic is None:
        raise InvalidClient
    if secret is not None or (named and named != basic.client_id):
        raise OAuthError("invalid_request", "Send the client's credentials in one way only.")
    return basic


def _basic(header: str) -> Presented | None:
    """RFC 6749 §2.3.1: both parts are form-urlencoded before they are joined."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, secret = base64.b64decode(value.strip(), validate=True).decode("ascii").partition(":")
    except (binascii.Error, ValueError):
        return None
    return Presented(unquote_plus(name), unquote_plus(secret) or None) if colon else None
