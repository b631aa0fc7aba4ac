"""API keys: a tenant's own, and staff for a tenant. Issue, rotate, revoke."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.response import Template

from bailee.access.api.common import id_of
from bailee.access.keys import ApiKeys
from bailee.access.model import IssuedApiKey
from bailee.access.pages.common import end_of_day, moved, number_of
from bailee.access.permissions import SCOPES
from bailee.foundation.database import Database
from bailee.foundation.errors import Error
from bailee.foundation.http import Cursor, decode_id_cursor, page_of, requires
from bailee.foundation.ids import TenantId
from bailee.foundation.pages import PAGE_ROWS, Form, page, see
from bailee.foundation.principal import Principal
from bailee.tenants.api import tenant_id_of
from bailee.tenants.model import Tenant
from bailee.tenants.service import Tenants

# --- a tenant's own -----------------------------------------------------------------------------------


@get("/keys", **requires("keys.read"))
async def list_own_keys(database: Database, keys: ApiKeys, principal: Principal, cursor: Cursor = None) -> Template:
    return await _listing(database, keys, None, principal, after=decode_id_cursor(cursor))


@post("/keys", **requires("keys.issue", step_up=True))
async def issue_own_key(database: Database, keys: ApiKeys, form: Form, principal: Principal) -> Response[Any]:
    """Answers with the token itself: a redirect would have to keep it somewhere."""
    try:
        async with database.tenant(principal.tenant) as tx:
            issued = await keys.issue(
                tx,
                name=form.text("name"),
                permissions=form.all("permissions"),
                expires_at=end_of_day(form, "expires_at"),
                by=principal,
            )
    except Error as error:
        return await _listing(database, keys, None, principal, form=form, error=error)
    return _issued(principal, None, issued)


@post("/keys/{key:str}/rotate", **requires("keys.rotate", step_up=True))
async def rotate_own_key(
    database: Database, keys: ApiKeys, key: str, form: Form, principal: Principal
) -> Response[Any]:
    try:
        overlap = number_of(form, "overlap_hours")
        async with database.tenant(principal.tenant) as tx:
            issued = await keys.rotate(tx, id_of(key), overlap_hours=overlap, by=principal)
    except Error as error:
        at_it = moved(error, {"overlap_hours": f"overlap-{key}"})
        return await _listing(database, keys, None, principal, error=at_it)
    return _issued(principal, None, issued)


@post("/keys/{key:str}/revoke", **requires("keys.revoke"))
async def revoke_own_key(database: Database, keys: ApiKeys, key: str, principal: Principal) -> Response[Any]:
    try:
        async with database.tenant(principal.tenant) as tx:
            await keys.revoke(tx, id_of(key), by=principal)
    except Error as error:
        return await _listing(database, keys, None, principal, error=error)
    return see("/keys")


# --- staff for a tenant -------------------------------------------------------------------------------


@get("/tenants/{tenant:str}/keys", **requires("tenant_keys.read"))
async def list_keys(
    database: Database, tenants: Tenants, keys: ApiKeys, tenant: str, principal: Principal, cursor: Cursor = None
) -> Template:
    found = await _tenant(database, tenants, tenant)
    return await _listing(database, keys, found, principal, after=decode_id_cursor(cursor))


@post("/tenants/{tenant:str}/keys", **requires("tenant_keys.provision", step_up=True))
async def issue_key(
    database: Database, tenants: Tenants, keys: ApiKeys, tenant: str, form: Form, principal: Principal
) -> Response[Any]:
    """Answers with the token itself: a redirect would have to keep it somewhere."""
    found = await _tenant(database, tenants, tenant)
    try:
        async with database.tenant(found.id) as tx:
            issued = await keys.provision(
                tx,
                name=form.text("name"),
                permissions=form.all("permissions"),
                expires_at=end_of_day(form, "expires_at"),
                by=principal,
            )
    except Error as error:
        return await _listing(database, keys, found, principal, form=form, error=error)
    return _issued(principal, found, issued)


@post("/tenants/{tenant:str}/keys/{key:str}/revoke", **requires("tenant_keys.withdraw"))
async def revoke_key(
    database: Database, tenants: Tenants, keys: ApiKeys, tenant: str, key: str, principal: Principal
) -> Response[Any]:
    found = await _tenant(database, tenants, tenant)
    try:
        async with database.tenant(found.id) as tx:
            await keys.withdraw(tx, id_of(key), by=principal)
    except Error as error:
        return await _listing(database, keys, found, principal, error=error)
    return see(f"/tenants/{found.id}/keys")


# --- inside -------------------------------------------------------------------------------------------


async def _tenant(database: Database, tenants: Tenants, tenant: str) -> Tenant:
    async with database.operator_read() as tx:
        return await tenants.get(tx, tenant_id_of(tenant))


def _issued(principal: Principal, tenant: Tenant | None, key: IssuedApiKey) -> Template:
    return page("keys_issued.html", principal, status=201, tenant=tenant, path=_path(tenant), key=key)


def _path(tenant: Tenant | None) -> str:
    return f"/tenants/{tenant.id}/keys" if tenant else "/keys"


async def _listing(
    database: Database, keys: ApiKeys, tenant: Tenant | None, principal: Principal, *,
    after: UUID | None = None, form: Form | None = None, error: Error | None = None,
) -> Template:  # fmt: skip
    """The keys of a tenant as staff see them, or of the caller's own."""
    place: TenantId = tenant.id if tenant else principal.tenant
    async with database.tenant_read(place) as tx:
        rows = await keys.page(tx, after=after, limit=PAGE_ROWS + 1)
        may_issue = await keys.may_provision(tx, by=principal) if tenant else principal.may("keys.issue")
    return page(
        "keys_list.html",
        principal,
        form=form or Form(),
        error=error,
        tenant=tenant,
        path=_path(tenant),
        may_issue=may_issue,
        may_rotate=tenant is None and principal.may("keys.rotate"),
        may_revoke=principal.may("tenant_keys.withdraw" if tenant else "keys.revoke"),
        keys=page_of(rows, PAGE_ROWS, lambda key: key.id),
        now=datetime.now(UTC),
        later=after is not None,
        permissions=sorted(SCOPES),
    )


routes = [
    list_own_keys, issue_own_key, rotate_own_key, revoke_own_key, list_keys, issue_key, revoke_key,
]  # fmt: skip
