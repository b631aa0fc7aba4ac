"""OAuth clients: registered, changed, given new secrets with an overlap, revoked."""

import unicodedata
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from bailee.access.keys import EXPIRY_RULE, LONGEST_LIFE, is_expiry
from bailee.access.permissions import SCOPES, expand, may_hand_out
from bailee.access.provider import redirects
from bailee.access.provider import store as rows
from bailee.access.provider.model import PERSON_SCOPES, Client, ClientFields, ClientKind, ClientSecret, IssuedClient
from bailee.access.tokens import CLIENT_SECRET
from bailee.events import Events, Object, verb
from bailee.events.catalogue import ClientChanged, ClientRegistered, ClientRevoked, ClientSecretRotated
from bailee.foundation.clock import Clock
from bailee.foundation.database import Reader, TenantReader, Writer
from bailee.foundation.errors import Conflict, FieldError, Invalid, NotFound
from bailee.foundation.ids import OPERATOR, TenantId, new_id
from bailee.foundation.principal import Forbidden, Principal
from bailee.foundation.revocation import announce

_MAX_NAME = 100
_MAX_CLIENTS = 100
_LONGEST_OVERLAP = 720


class Clients:
    """The clients of one tenant at a time, or in an operator's transaction the operator's own."""

    def __init__(self, events: Events, clock: Clock) -> None:
        self._events = events
        self._clock = clock

    @verb(ClientRegistered, permission="clients.register", step_up=True, lasting=True)
    async def register(
        self, tx: Writer, *, kind: ClientKind, fields: ClientFields, secret_expires_at: datetime | None, by: Principal
    ) -> IssuedClient:
        """A new client; a confidential one with the secret that is never shown again.

        Raises Invalid, Conflict, and Forbidden when it would get API scopes that `by` does not hold.
        """
        owner = _owner(tx, by)
        fields = _verified(fields, kind, owner)
        self._verify_expiry(secret_expires_at, kind)
        _verify_held(fields.scopes, by)
        if await rows.count_clients(tx, owner) >= _MAX_CLIENTS:
            raise Conflict(f"There are at most {_MAX_CLIENTS} clients at a time. Revoke one that is not used.")
        client_id = new_id()
        await rows.insert_client(tx, owner, client_id, kind, fields)
        secret = None
        if kind is ClientKind.CONFIDENTIAL:
            secret = await self._new_secret(tx, owner, client_id, secret_expires_at)
        details = ClientRegistered(kind.value, fields.scopes, len(fields.redirect_uris))
        await self._events.record(tx, details, by=by, on=Object("client", str(client_id)))
        return _issued(await self.get(tx, client_id), secret)

    @verb(ClientChanged, permission="clients.change", step_up=True, lasting=True)
    async def change(self, tx: Writer, client_id: UUID, fields: ClientFields, *, by: Principal) -> Client:
        """Changes what a registration says; tokens lose the scopes that the client loses, at once.

        Raises NotFound, Invalid, Conflict, and Forbidden for API scopes that `by` does not hold.
        """
        owner = _owner(tx, by)
        client = await self.get(tx, client_id)
        fields = _verified(fields, client.kind, owner)
        _verify_held([*fields.scopes, *client.scopes], by)
        if not await rows.update_client(tx, owner, client_id, fields):
            raise Conflict("That client is revoked. Register a new one.")
        await announce(tx)
        details = ClientChanged(fields.scopes, len(fields.redirect_uris))
        await self._events.record(tx, details, by=by, on=Object("client", str(client_id)))
        return await self.get(tx, client_id)

    @verb(ClientSecretRotated, permission="clients.rotate_secret", step_up=True, lasting=True)
    async def rotate_secret(self, tx: Writer, client_id: UUID, *, overlap_hours: int, by: Principal) -> IssuedClient:
        """A new secret; the one before goes on for `overlap_hours` (0 to 720), any older one ends now.

        The new one lasts as long as the one before was made for. Raises NotFound, Conflict, Invalid, Forbidden.
        """
        owner = _owner(tx, by)
        if not 0 <= overlap_hours <= _LONGEST_OVERLAP:
            message = f"Choose 0 to {_LONGEST_OVERLAP} hours."
            raise Invalid("The rotation is not valid.", errors=[FieldError("overlap_hours", message)])
        client = await self.get(tx, client_id)
        if client.kind is ClientKind.PUBLIC:
            raise Conflict("A public client has no secret.")
        if client.revoked_at is not None:
            raise Conflict("That client is revoked. Register a new one.")
        _verify_held(client.scopes, by)
        now = self._clock.now()
        last = client.secrets[0] if client.secrets else None
        lasting = await rows.find_secret_life(tx, owner, client_id)
        await rows.end_secrets(tx, owner, client_id, last.id if last else None, now + timedelta(hours=overlap_hours))
        secret = await self._new_secret(tx, owner, client_id, now + min(lasting, LONGEST_LIFE) if lasting else None)
        on = Object("client", str(client_id))
        await self._events.record(tx, ClientSecretRotated(overlap_hours), by=by, on=on)
        return _issued(await self.get(tx, client_id), secret)

    @verb(ClientRevoked, permission="clients.revoke")
    async def revoke(self, tx: Writer, client_id: UUID, *, by: Principal) -> None:
        """Ends a client: from the commit on nothing accepts it, nor any token of it. Raises NotFound or Conflict."""
        owner = _owner(tx, by)
        await self.get(tx, client_id)
        if not await rows.revoke_client(tx, owner, client_id):
            raise Conflict("That client is revoked already.")
        await rows.end_secrets(tx, owner, client_id, None, self._clock.now())
        await announce(tx)
        await self._events.record(tx, ClientRevoked(), by=by, on=Object("client", str(client_id)))

    async def get(self, tx: Reader, client_id: UUID) -> Client:
        """Raises NotFound."""
        owner = _place(tx)
        client = await rows.find_client(tx, owner, client_id)
        if client is None:
            raise NotFound
        return (await _with_secrets(tx, owner, [client]))[0]

    async def page(self, tx: Reader, *, after: UUID | None = None, limit: int = 100) -> list[Client]:
        """Clients in the order they were registered, revoked ones among them."""
        owner = _place(tx)
        return await _with_secrets(tx, owner, await rows.list_clients(tx, owner, after=after, limit=limit))

    # --- inside ---------------------------------------------------------------------------------------

    async def _new_secret(self, tx: Writer, owner: TenantId, client_id: UUID, expires_at: datetime | None) -> str:
        secret_id = new_id()
        secret, digest = CLIENT_SECRET.new(secret_id)
        await rows.insert_secret(tx, owner, client_id, secret_id, digest, expires_at)
        return secret

    def _verify_expiry(self, expires_at: datetime | None, kind: ClientKind) -> None:
        if expires_at is None:
            return
        message = ""
        if kind is ClientKind.PUBLIC:
            message = "A public client has no secret that could expire."
        elif not is_expiry(expires_at, self._clock.now()):
            message = EXPIRY_RULE
        if message:
            raise Invalid("The client is not valid.", errors=[FieldError("secret_expires_at", message)])


def _place(tx: Reader) -> TenantId:
    return tx.tenant if isinstance(tx, TenantReader) else OPERATOR


def _owner(tx: Reader, by: Principal) -> TenantId:
    """Whose clients a transaction changes. Raises Forbidden for a tenant's person or machine at the operator's."""
    owner = _place(tx)
    if owner == OPERATOR and by.tenant_id is not None:
        raise Forbidden("These are the clients of whoever runs the service.")
    return owner


def _verified(fields: ClientFields, kind: ClientKind, owner: TenantId) -> ClientFields:
    """The fields as they are stored. Raises Invalid."""
    name, scopes = fields.name.strip(), sorted(set(fields.scopes))
    for_people = "openid" in scopes
    available = [*PERSON_SCOPES, *(sorted(SCOPES) if owner != OPERATOR else ())]
    errors = []
    if not name or len(name) > _MAX_NAME or any(unicodedata.category(c).startswith("C") for c in name):
        errors.append(FieldError("name", f"Give a name of 1 to {_MAX_NAME} printable characters."))
    if not scopes or not set(scopes) <= set(available):
        errors.append(FieldError("scopes", f"Choose at least one of: {', '.join(available)}."))
    elif not for_people and not set(scopes).isdisjoint(PERSON_SCOPES):
        errors.append(FieldError("scopes", "A client that signs people in needs the scope openid."))
    elif kind is ClientKind.PUBLIC and not set(scopes) <= set(PERSON_SCOPES):
        errors.append(FieldError("scopes", "A public client cannot keep a secret: it gets no scope of the API."))
    if not redirects.are_registrable(fields.redirect_uris) or bool(fields.redirect_uris) != for_people:
        message = redirects.RULE if fields.redirect_uris else "Give the address that people come back to."
        if fields.redirect_uris and not for_people:
            message = "A client that signs nobody in (without the scope openid) has no redirect address."
        errors.append(FieldError("redirect_uris", message))
    if not redirects.are_registrable(fields.post_logout_redirect_uris):
        errors.append(FieldError("post_logout_redirect_uris", redirects.RULE))
    if errors:
        raise Invalid("The client is not valid.", errors=errors)
    return msgspec.structs.replace(fields, name=name, scopes=scopes)


def _verify_held(scopes: list[str], by: Principal) -> None:
    """Whoever gives a client a scope, or gets a secret that is worth one, holds it. Raises Forbidden."""
    if not may_hand_out(expand(scope for scope in scopes if scope in SCOPES), by):
        raise Forbidden("A client cannot be given scopes that whoever registers or changes it does not hold.")


def _issued(client: Client, secret: str | None) -> IssuedClient:
    return IssuedClient(**msgspec.structs.asdict(client), secret=secret)


async def _with_secrets(tx: Reader, owner: TenantId, clients: list[Client]) -> list[Client]:
    found: dict[UUID, list[ClientSecret]] = {}
    for row in await rows.list_secrets(tx, owner, [client.id for client in clients]):
        secret = ClientSecret(row.id, row.created_at, row.expires_at, row.last_used_at)
        found.setdefault(row.client_id, []).append(secret)
    return [msgspec.structs.replace(client, secrets=found.get(client.id, [])) for client in clients]
