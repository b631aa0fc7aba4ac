"""A tenant's API keys, for staff: issue, list, revoke."""

from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.response import Template

from bailee.access.keys import ApiKeys
from bailee.access.permissions import TENANT_PERMISSIONS
from bailee.foundation.database import Database
from bailee.foundation.errors import Error
from bailee.foundation.http import Cursor, decode_id_cursor, page_of, requires
from bailee.foundation.pages import PAGE_ROWS, Form, page, see
from bailee.foundation.principal import Principal
from bailee.tenants.api import tenant_id_of
from bailee.tenants.model import Tenant
from bailee.tenants.service import Tenants


@get("/tenants/{tenant:str}/keys", **requires("tenant_keys:read"))
async def list_keys(
    database: Database, tenants: Tenants, keys: ApiKeys, tenant: str, principal: Principal, cursor: Cursor = None
) -> Template:
    found = await _tenant(database, tenants, tenant)
    return await _listing(database, keys, found, principal, after=decode_id_cursor(cursor))


@post("/tenants/{tenant:str}/keys", **requires("tenant_keys:write"))
async def issue_key(
    database: Database, tenants: Tenants, keys: ApiKeys, tenant: str, form: Form, principal: Principal
) -> Response[Any]:
    """Answers with the token itself: a redirect would have to keep it somewhere."""
    found = await _tenant(database, tenants, tenant)
    try:
        async with database.tenant(found.id) as tx:
            issued = await keys.issue(
                tx, name=form.text("name"), permissions=form.all("permissions"), expires_at=None, by=principal
            )
    except Error as error:
        return await _listing(database, keys, found, principal, form=form, error=error)
    return page("keys_issued.html", principal, status=201, tenant=found, key=issued)


@post("/tenants/{tenant:str}/keys/{key:str}/revoke", **requires("tenant_keys:write"))
async def revoke_key(
    database: Database, tenants: Tenants, keys: ApiKeys, tenant: str, key: str, principal: Principal
) -> Response[Any]:
    found = await _tenant(database, tenants, tenant)
    try:
        async with database.tenant(found.id) as tx:
            await keys.revoke(tx, tenant_id_of(key), by=principal)
    except Error as error:
        return await _listing(database, keys, found, principal, error=error)
    return see(f"/tenants/{found.id}/keys")


async def _tenant(database: Database, tenants: Tenants, tenant: str) -> Tenant:
    async with database.operator_read() as tx:
        return await tenants.get(tx, tenant_id_of(tenant))


async def _listing(
    database: Database, keys: ApiKeys, tenant: Tenant, principal: Principal, *,
    after: UUID | None = None, form: Form | None = None, error: Error | None = None,
) -> Template:  # fmt: skip
    async with database.tenant_read(tenant.id) as tx:
        rows = await keys.page(tx, after=after, limit=PAGE_ROWS + 1)
    return page(
        "keys_list.html",
        principal,
        form=form or Form(),
        error=error,
        tenant=tenant,
        keys=page_of(rows, PAGE_ROWS, lambda key: key.id),
        permissions=sorted(TENANT_PERMISSIONS),
    )
