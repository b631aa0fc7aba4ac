"""Access control over REST: first-run setup, sessions, API keys."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Router, delete, get, post

from bailee.access.accounts import Accounts
from bailee.access.keys import ApiKeys
from bailee.access.model import Account, ApiKey, IssuedApiKey, StartedSession
from bailee.foundation.database import Database
from bailee.foundation.http import Cursor, Limit, Page, decode_id_cursor, page_of, parse_uuid, problems, requires
from bailee.foundation.principal import ActorKind, Principal, Unauthenticated
from bailee.foundation.secrets import Secret
from bailee.tenants.api import tenant_id_of
from bailee.tenants.service import Tenants

type Email = Annotated[str, msgspec.Meta(max_length=254)]
type Password = Annotated[str, msgspec.Meta(max_length=1024)]
type Short = Annotated[str, msgspec.Meta(max_length=200)]

_SMALL = 16 * 1024


class SetupRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The first account."""

    token: Short
    email: Email
    name: Short
    password: Password


class SetupConfirmation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The first code."""

    confirmation: Short
    code: Short


class SignIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Password and second factor, together: neither is answered alone."""

    email: Email
    password: Password
    code: Short


class SetupView(msgspec.Struct, frozen=True):
    """What the app needs, and what the second step asks for. Shown once."""

    account: Account
    totp_secret: str
    totp_uri: str
    confirmation: str


class SessionView(msgspec.Struct, frozen=True):
    """Who is signed in, and until when at most."""

    expires_at: datetime
    account: Account


class NewKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key to issue."""

    name: str
    permissions: list[str]
    expires_at: datetime | None = None


# --- setup and sessions ---------------------------------------------------------------------------


@post(
    "/setup",
    request_max_body_size=_SMALL,
    summary="First-run setup: the owner's account",
    operation_id="beginSetup",
    responses=problems(),
)
async def begin_setup(database: Database, accounts: Accounts, data: SetupRequest, principal: Principal) -> SetupView:
    async with database.operator() as tx:
        started = await accounts.begin_setup(
            tx, token=data.token, email=data.email, name=data.name, password=secret_of(data.password), by=principal
        )
    return SetupView(**msgspec.structs.asdict(started))


@post(
    "/setup/confirm",
    request_max_body_size=_SMALL,
    summary="First-run setup: the first code",
    operation_id="confirmSetup",
    responses=problems(),
)
async def confirm_setup(
    database: Database, accounts: Accounts, data: SetupConfirmation, principal: Principal
) -> StartedSession:
    async with database.operator() as tx:
        return await accounts.confirm_setup(tx, confirmation=data.confirmation, code=data.code, by=principal)


@post("/session", request_max_body_size=_SMALL, summary="Sign in", operation_id="signIn", responses=problems())
async def sign_in(database: Database, accounts: Accounts, data: SignIn, principal: Principal) -> StartedSession:
    return await accounts.sign_in(
        database, email=data.email, password=secret_of(data.password), code=data.code, by=principal
    )


@get("/session", summary="The caller's session", operation_id="getSession", responses=problems())
async def get_session(database: Database, accounts: Accounts, principal: Principal) -> SessionView:
    async with database.operator_read() as tx:
        account = await accounts.get(tx, _staff_id(principal))
        return SessionView(await accounts.session_end(tx, by=principal), account)


@delete("/session", summary="Sign out", operation_id="signOut", responses=problems())
async def sign_out(database: Database, accounts: Accounts, principal: Principal) -> None:
    _staff_id(principal)
    async with database.operator() as tx:
        await accounts.sign_out(tx, by=principal)


def secret_of(text: str) -> Secret:
    """A password as it was sent; one that is no Unicode text fits no account."""
    return Secret(text.encode("utf-8", "surrogatepass"))


def _staff_id(principal: Principal) -> UUID:
    found = parse_uuid(principal.id)
    if principal.kind is not ActorKind.STAFF or found is None:
        raise Unauthenticated("Sign in first: this is about your own account.")
    return found


# --- API keys: a tenant's own, and staff for a tenant -------------------------------------------------


@get("/keys", summary="The tenant's API keys", operation_id="listKeys", responses=problems(), **requires("keys:read"))
async def list_keys(
    database: Database, keys: ApiKeys, principal: Principal, limit: Limit = 100, cursor: Cursor = None
) -> Page[ApiKey]:
    async with database.tenant_read(principal.tenant) as tx:
        rows = await keys.page(tx, after=decode_id_cursor(cursor), limit=limit + 1)
    return page_of(rows, limit, lambda key: key.id)


@post("/keys", summary="Issue an API key", operation_id="issueKey", responses=problems(), **requires("keys:write"))
async def issue_key(database: Database, keys: ApiKeys, data: NewKey, principal: Principal) -> IssuedApiKey:
    async with database.tenant(principal.tenant) as tx:
        return await keys.issue(
            tx, name=data.name, permissions=data.permissions, expires_at=data.expires_at, by=principal
        )


@delete("/keys/{key:str}", summary="Revoke an API key", operation_id="revokeKey", responses=problems(409),
        **requires("keys:write"))  # fmt: skip
async def revoke_key(database: Database, keys: ApiKeys, key: str, principal: Principal) -> None:
    async with database.tenant(principal.tenant) as tx:
        await keys.revoke(tx, tenant_id_of(key), by=principal)


@get("/tenants/{tenant:str}/keys", summary="A tenant's API keys", operation_id="listTenantKeys", responses=problems(),
     **requires("tenant_keys:read"))  # fmt: skip
async def list_tenant_keys(
    database: Database, tenants: Tenants, keys: ApiKeys, tenant: str, limit: Limit = 100, cursor: Cursor = None
) -> Page[ApiKey]:
    async with database.operator_read() as operator:
        found = await tenants.get(operator, tenant_id_of(tenant))
    async with database.tenant_read(found.id) as tx:
        rows = await keys.page(tx, after=decode_id_cursor(cursor), limit=limit + 1)
    return page_of(rows, limit, lambda key: key.id)


@post("/tenants/{tenant:str}/keys", summary="Issue an API key to a tenant", operation_id="issueTenantKey",
      responses=problems(), **requires("tenant_keys:write"))  # fmt: skip
async def issue_tenant_key(
    database: Database, tenants: Tenants, keys: ApiKeys, tenant: str, data: NewKey, principal: Principal
) -> IssuedApiKey:
    async with database.operator_read() as operator:
        found = await tenants.get(operator, tenant_id_of(tenant))
    async with database.tenant(found.id) as tx:
        return await keys.issue(
            tx, name=data.name, permissions=data.permissions, expires_at=data.expires_at, by=principal
        )


@delete("/tenants/{tenant:str}/keys/{key:str}", summary="Revoke a tenant's API key", operation_id="revokeTenantKey",
        responses=problems(409), **requires("tenant_keys:write"))  # fmt: skip
async def revoke_tenant_key(
    database: Database, tenants: Tenants, keys: ApiKeys, tenant: str, key: str, principal: Principal
) -> None:
    async with database.operator_read() as operator:
        found = await tenants.get(operator, tenant_id_of(tenant))
    async with database.tenant(found.id) as tx:
        await keys.revoke(tx, tenant_id_of(key), by=principal)


router = Router(
    "/",
    route_handlers=[
        begin_setup, confirm_setup, sign_in, get_session, sign_out,
        list_keys, issue_key, revoke_key, list_tenant_keys, issue_tenant_key, revoke_tenant_key,
    ],
    tags=["Access"],
)  # fmt: skip
