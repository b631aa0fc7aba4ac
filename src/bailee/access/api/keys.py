"""API keys over REST: a tenant's own, and staff for a tenant."""

from datetime import datetime

import msgspec
from litestar import Router, delete, get, post

from bailee.access.api.common import id_of
from bailee.access.keys import ApiKeys
from bailee.access.model import ApiKey, IssuedApiKey
from bailee.foundation.database import Database
from bailee.foundation.http import Cursor, Limit, Page, decode_id_cursor, page_of, problems, requires
from bailee.foundation.principal import Principal
from bailee.tenants.api import tenant_id_of
from bailee.tenants.service import Tenants


class NewKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key to issue: `permissions` are scopes such as `records:read`, or single permissions."""

    name: str
    permissions: list[str]
    expires_at: datetime | None = None


class KeyRotation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long the old key goes on beside the new one."""

    overlap_hours: int = 24


@get("/keys", summary="The tenant's API keys", operation_id="listKeys", responses=problems(), **requires("keys.read"))
async def list_keys(
    database: Database, keys: ApiKeys, principal: Principal, limit: Limit = 100, cursor: Cursor = None
) -> Page[ApiKey]:
    async with database.tenant_read(principal.tenant) as tx:
        rows = await keys.page(tx, after=decode_id_cursor(cursor), limit=limit + 1)
    return page_of(rows, limit, lambda key: key.id)


@post(
    "/keys",
    summary="Issue an API key",
    operation_id="issueKey",
    responses=problems(),
    **requires("keys.issue", step_up=True),
)
async def issue_key(database: Database, keys: ApiKeys, data: NewKey, principal: Principal) -> IssuedApiKey:
    async with database.tenant(principal.tenant) as tx:
        return await keys.issue(
            tx, name=data.name, permissions=data.permissions, expires_at=data.expires_at, by=principal
        )


@delete("/keys/{key:str}", summary="Revoke an API key", operation_id="revokeKey", responses=problems(409),
        **requires("keys.revoke"))  # fmt: skip
async def revoke_key(database: Database, keys: ApiKeys, key: str, principal: Principal) -> None:
    async with database.tenant(principal.tenant) as tx:
        await keys.revoke(tx, id_of(key), by=principal)


@post("/keys/{key:str}/rotate", summary="Rotate an API key, with an overlap", operation_id="rotateKey",
      responses=problems(409), **requires("keys.rotate", step_up=True))  # fmt: skip
async def rotate_key(
    database: Database, keys: ApiKeys, key: str, data: KeyRotation, principal: Principal
) -> IssuedApiKey:
    async with database.tenant(principal.tenant) as tx:
        return await keys.rotate(tx, id_of(key), overlap_hours=data.overlap_hours, by=principal)


@get("/tenants/{tenant:str}/keys", summary="A tenant's API keys", operation_id="listTenantKeys", responses=problems(),
     **requires("tenant_keys.read"))  # fmt: skip
async def list_tenant_keys(
    database: Database, tenants: Tenants, keys: ApiKeys, tenant: str, limit: Limit = 100, cursor: Cursor = None
) -> Page[ApiKey]:
    async with database.operator_read() as operator:
        found = await tenants.get(operator, tenant_id_of(tenant))
    async with database.tenant_read(found.id) as tx:
        rows = await keys.page(tx, after=decode_id_cursor(cursor), limit=limit + 1)
    return page_of(rows, limit, lambda key: key.id)


@post("/tenants/{tenant:str}/keys", summary="Issue an API key to a tenant that has no owner yet",
      operation_id="issueTenantKey", responses=problems(409),
      **requires("tenant_keys.provision", step_up=True))  # fmt: skip
async def issue_tenant_key(
    database: Database, tenants: Tenants, keys: ApiKeys, tenant: str, data: NewKey, principal: Principal
) -> IssuedApiKey:
    async with database.operator_read() as operator:
        found = await tenants.get(operator, tenant_id_of(tenant))
    async with database.tenant(found.id) as tx:
        return await keys.provision(
            tx, name=data.name, permissions=data.permissions, expires_at=data.expires_at, by=principal
        )


@delete("/tenants/{tenant:str}/keys/{key:str}", summary="Revoke a tenant's API key", operation_id="revokeTenantKey",
        responses=problems(409), **requires("tenant_keys.withdraw"))  # fmt: skip
async def revoke_tenant_key(
    database: Database, tenants: Tenants, keys: ApiKeys, tenant: str, key: str, principal: Principal
) -> None:
    async with database.operator_read() as operator:
        found = await tenants.get(operator, tenant_id_of(tenant))
    async with database.tenant(found.id) as tx:
        await keys.withdraw(tx, id_of(key), by=principal)


router = Router(
    "/",
    route_handlers=[
        list_keys, issue_key, rotate_key, revoke_key, list_tenant_keys, issue_tenant_key, revoke_tenant_key,
    ],
    tags=["Access"],
)  # fmt: skip
