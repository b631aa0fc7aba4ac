"""Clients over REST: a tenant's own, and for staff the operator's; and the rotation of the provider's keys."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Router, delete, get, patch, post

from bailee.access.api.common import Short, id_of
from bailee.access.provider.clients import Clients
from bailee.access.provider.model import Client, ClientFields, ClientKind, IssuedClient
from bailee.access.provider.signing import Signing
from bailee.foundation.database import Database
from bailee.foundation.http import Cursor, Limit, Page, decode_id_cursor, page_of, problems, requires
from bailee.foundation.principal import ActorKind, Principal

type Address = Annotated[str, msgspec.Meta(max_length=1000)]
type Addresses = Annotated[list[Address], msgspec.Meta(max_length=20)]
type Scopes = Annotated[list[Short], msgspec.Meta(max_length=50)]


class NewClient(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A client to register. Scopes of the API are for the client itself, `openid` and its like for people."""

    name: Short
    scopes: Scopes
    kind: ClientKind = ClientKind.CONFIDENTIAL
    redirect_uris: Addresses = []
    post_logout_redirect_uris: Addresses = []
    secret_expires_at: datetime | None = None


class ClientPatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to change; what is left out stays."""

    name: Short | None = None
    scopes: Scopes | None = None
    redirect_uris: Addresses | None = None
    post_logout_redirect_uris: Addresses | None = None


class SecretRotation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long the old secret goes on beside the new one."""

    overlap_hours: int = 24


class KeyRotation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether what the present keys have signed is void, as after a leak."""

    withdraw: bool = False


class CurrentKey(msgspec.Struct, frozen=True):
    """The key that signs from now on."""

    key_id: UUID


@get("/clients", summary="OAuth clients", operation_id="listClients", responses=problems(), **requires("clients.read"))
async def list_clients(
    database: Database, clients: Clients, principal: Principal, limit: Limit = 100, cursor: Cursor = None
) -> Page[Client]:
    after = decode_id_cursor(cursor)
    if _is_staff(principal):
        async with database.operator_read() as operator:
            rows = await clients.page(operator, after=after, limit=limit + 1)
    else:
        async with database.tenant_read(principal.tenant) as tx:
            rows = await clients.page(tx, after=after, limit=limit + 1)
    return page_of(rows, limit, lambda client: client.id)


@get("/clients/{client:str}", summary="One OAuth client", operation_id="getClient", responses=problems(),
     **requires("clients.read"))  # fmt: skip
async def get_client(database: Database, clients: Clients, client: str, principal: Principal) -> Client:
    if _is_staff(principal):
        async with database.operator_read() as operator:
            return await clients.get(operator, id_of(client))
    async with database.tenant_read(principal.tenant) as tx:
        return await clients.get(tx, id_of(client))


@post("/clients", summary="Register an OAuth client", operation_id="registerClient", responses=problems(409),
      **requires("clients.register", step_up=True))  # fmt: skip
async def register_client(database: Database, clients: Clients, data: NewClient, principal: Principal) -> IssuedClient:
    fields = ClientFields(data.name, data.redirect_uris, data.post_logout_redirect_uris, data.scopes)
    async with database.operator() if _is_staff(principal) else database.tenant(principal.tenant) as tx:
        return await clients.register(
            tx, kind=data.kind, fields=fields, secret_expires_at=data.secret_expires_at, by=principal
        )


@patch("/clients/{client:str}", summary="Change an OAuth client", operation_id="changeClient", responses=problems(409),
       **requires("clients.change", step_up=True))  # fmt: skip
async def change_client(
    database: Database, clients: Clients, client: str, data: ClientPatch, principal: Principal
) -> Client:
    async with database.operator() if _is_staff(principal) else database.tenant(principal.tenant) as tx:
        found = await clients.get(tx, id_of(client))
        fields = ClientFields(
            found.name if data.name is None else data.name,
            found.redirect_uris if data.redirect_uris is None else data.redirect_uris,
            found.post_logout_redirect_uris if data.post_logout_redirect_uris is None
            else data.post_logout_redirect_uris,
            found.scopes if data.scopes is None else data.scopes,
        )  # fmt: skip
        return await clients.change(tx, found.id, fields, by=principal)


@post("/clients/{client:str}/rotate-secret", summary="A new secret for a client, with an overlap",
      operation_id="rotateClientSecret", responses=problems(409),
      **requires("clients.rotate_secret", step_up=True))  # fmt: skip
async def rotate_client_secret(
    database: Database, clients: Clients, client: str, data: SecretRotation, principal: Principal
) -> IssuedClient:
    async with database.operator() if _is_staff(principal) else database.tenant(principal.tenant) as tx:
        return await clients.rotate_secret(tx, id_of(client), overlap_hours=data.overlap_hours, by=principal)


@delete("/clients/{client:str}", summary="Revoke an OAuth client", operation_id="revokeClient", responses=problems(409),
        **requires("clients.revoke"))  # fmt: skip
async def revoke_client(database: Database, clients: Clients, client: str, principal: Principal) -> None:
    async with database.operator() if _is_staff(principal) else database.tenant(principal.tenant) as tx:
        await clients.revoke(tx, id_of(client), by=principal)


@post("/provider/rotate-keys", summary="Rotate the keys that ID tokens are signed with",
      operation_id="rotateProviderKeys", responses=problems(), status_code=200,
      **requires("provider.rotate_keys", step_up=True))  # fmt: skip
async def rotate_keys(signing: Signing, data: KeyRotation, principal: Principal) -> CurrentKey:
    return CurrentKey(await signing.rotate(withdraw=data.withdraw, by=principal))


def _is_staff(principal: Principal) -> bool:
    return principal.kind is ActorKind.STAFF


router = Router(
    "/",
    route_handlers=[
        list_clients, get_client, register_client, change_client, rotate_client_secret, revoke_client, rotate_keys,
    ],
    tags=["Access"],
)  # fmt: skip
