"""Tenants over REST, for staff; and a tenant's view of itself."""

from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Router, get, patch, post
from litestar.params import QueryParameter

from bailee.foundation.database import Database
from bailee.foundation.errors import NotFound
from bailee.foundation.http import Cursor, Limit, Page, decode_id_cursor, page_of, parse_uuid, problems, requires
from bailee.foundation.principal import Principal
from bailee.tenants.model import Tenant, TenantState
from bailee.tenants.service import Tenants


class TenantView(Tenant, frozen=True, kw_only=True):
    """A tenant with what its plan includes."""

    features: list[str]  # type: ignore[assignment]  # the property, as a value to send


class NewTenant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A tenant to make."""

    name: str
    plan: str = "standard"


class TenantChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to change of a tenant."""

    name: str | None = None
    plan: str | None = None


class KeyVersion(msgspec.Struct, frozen=True):
    """The tenant key's new version; data keys move under it in the background."""

    version: int


_ACTIONS = {
    "suspend": TenantState.SUSPENDED,
    "resume": TenantState.ACTIVE,
}


def shown(tenant: Tenant) -> TenantView:
    return TenantView(**msgspec.structs.asdict(tenant), features=sorted(tenant.features))


def tenant_id_of(text: str) -> UUID:
    """A tenant's id in a path. Raises NotFound."""
    found = parse_uuid(text)
    if found is None:
        raise NotFound
    return found


@get("/", summary="Tenants", operation_id="listTenants", responses=problems(), **requires("tenants.read"))
async def list_tenants(
    database: Database, tenants: Tenants, limit: Limit = 100, cursor: Cursor = None,
    search: Annotated[str, QueryParameter(name="search", max_length=200)] = "",
) -> Page[TenantView]:  # fmt: skip
    async with database.operator_read() as tx:
        rows = await tenants.page(
            tx, search=search.replace("\x00", ""), after=decode_id_cursor(cursor), limit=limit + 1
        )
    return page_of([shown(row) for row in rows], limit, lambda tenant: tenant.id)


@post("/", summary="Make a tenant", operation_id="createTenant", responses=problems(), **requires("tenants.create"))
async def create_tenant(database: Database, tenants: Tenants, data: NewTenant, principal: Principal) -> TenantView:
    async with database.operator() as tx:
        return shown(await tenants.create(tx, name=data.name, plan=data.plan, by=principal))


@get("/{tenant:str}", summary="One tenant", operation_id="getTenant", responses=problems(), **requires("tenants.read"))
async def get_tenant(database: Database, tenants: Tenants, tenant: str) -> TenantView:
    async with database.operator_read() as tx:
        return shown(await tenants.get(tx, tenant_id_of(tenant)))


@patch("/{tenant:str}", summary="Rename a tenant, or change its plan", operation_id="changeTenant",
       responses=problems(), **requires("tenants.change"))  # fmt: skip
async def change_tenant(
    database: Database, tenants: Tenants, tenant: str, data: TenantChange, principal: Principal
) -> TenantView:
    async with database.operator() as tx:
        return shown(await tenants.change(tx, tenant_id_of(tenant), name=data.name, plan=data.plan, by=principal))


@post("/{tenant:str}/{action:str}", summary="Suspend or resume a tenant", operation_id="moveTenant",
      responses=problems(409), status_code=200, **requires("tenants.move"))  # fmt: skip
async def move_tenant(
    database: Database, tenants: Tenants, tenant: str, action: str, principal: Principal
) -> TenantView:
    if action not in _ACTIONS:
        raise NotFound
    async with database.operator() as tx:
        return shown(await tenants.move(tx, tenant_id_of(tenant), to=_ACTIONS[action], by=principal))


@post("/{tenant:str}/rotate-key", summary="Rotate a tenant's encryption key", operation_id="rotateTenantKey",
      responses=problems(409), status_code=202, **requires("tenants.rotate_key", step_up=True))  # fmt: skip
async def rotate_key(database: Database, tenants: Tenants, tenant: str, principal: Principal) -> KeyVersion:
    async with database.operator() as tx:
        return KeyVersion(await tenants.rotate_key(tx, tenant_id_of(tenant), by=principal))


@get("/tenant", summary="The caller's own tenant", operation_id="getOwnTenant", responses=problems(),
     **requires("tenant.read"))  # fmt: skip
async def get_own_tenant(database: Database, tenants: Tenants, principal: Principal) -> TenantView:
    async with database.tenant_read(principal.tenant) as tx:
        return shown(await tenants.get(tx, principal.tenant))


router = Router(
    "/tenants",
    route_handlers=[list_tenants, create_tenant, get_tenant, change_tenant, rotate_key, move_tenant],
    tags=["Tenants"],
)
