"""Rules and limits of retention over REST."""

import msgspec
from litestar import Router, delete, get, post, put

from bailee.foundation.database import Database
from bailee.foundation.http import problems, requires
from bailee.foundation.principal import Principal
from bailee.retention.limits import Limits
from bailee.retention.model import Executed, Limit, Outlook
from bailee.retention.rules import Rules
from bailee.tenants.api import tenant_id_of
from bailee.tenants.model import Tenant
from bailee.tenants.service import Tenants


class NewFloor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For how long the law has a collection kept, `*` for all, and which law."""

    collection: str
    at_least: str
    basis: str


class NewCeiling(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For how long the contract lets a collection be kept, `*` for all, and where it says so."""

    collection: str
    at_most: str
    basis: str


@get("/retention", summary="What the rules would delete, now and within 30 days", operation_id="previewRetention",
     responses=problems(), **requires("retention.read"))  # fmt: skip
async def preview(database: Database, rules: Rules, principal: Principal) -> list[Outlook]:
    async with database.tenant_read(principal.tenant) as tx:
        return await rules.preview(tx)


@post("/retention/run", summary="Execute the rules now", operation_id="runRetention", status_code=200,
      responses=problems(409), **requires("retention.run", step_up=True))  # fmt: skip
async def run(rules: Rules, principal: Principal) -> Executed:
    return await rules.run(principal.tenant, by=principal)


@get("/retention/limits", summary="Floors set by law, ceilings set by contract", operation_id="listRetentionLimits",
     responses=problems(), **requires("retention.read"))  # fmt: skip
async def list_limits(database: Database, limits: Limits, principal: Principal) -> list[Limit]:
    async with database.tenant_read(principal.tenant) as tx:
        return await limits.every(tx)


@put("/retention/floors", summary="Set a floor", operation_id="setRetentionFloor", responses=problems(409),
     **requires("retention.set_floor", step_up=True))  # fmt: skip
async def set_floor(database: Database, limits: Limits, data: NewFloor, principal: Principal) -> Limit:
    async with database.tenant(principal.tenant) as tx:
        return await limits.set_floor(
            tx, collection=data.collection, at_least=data.at_least, basis=data.basis, by=principal
        )


@delete("/retention/floors/{name:str}", summary="Remove a floor", operation_id="removeRetentionFloor",
        responses=problems(), **requires("retention.remove_floor", step_up=True))  # fmt: skip
async def remove_floor(database: Database, limits: Limits, name: str, principal: Principal) -> None:
    async with database.tenant(principal.tenant) as tx:
        await limits.remove_floor(tx, name, by=principal)


# --- for staff ------------------------------------------------------------------------------------------


@get("/tenants/{tenant:str}/retention-limits", summary="A customer's floors and ceilings",
     operation_id="listTenantRetentionLimits", responses=problems(), **requires("tenants.read"))  # fmt: skip
async def list_tenant_limits(database: Database, tenants: Tenants, limits: Limits, tenant: str) -> list[Limit]:
    async with database.tenant_read((await _tenant(database, tenants, tenant)).id) as tx:
        return await limits.every(tx)


@put("/tenants/{tenant:str}/retention-ceilings", summary="Set a ceiling", operation_id="setRetentionCeiling",
     responses=problems(409), **requires("retention.set_ceiling", step_up=True))  # fmt: skip
async def set_ceiling(
    database: Database, tenants: Tenants, limits: Limits, tenant: str, data: NewCeiling, principal: Principal
) -> Limit:
    async with database.tenant((await _tenant(database, tenants, tenant)).id) as tx:
        return await limits.set_ceiling(
            tx, collection=data.collection, at_most=data.at_most, basis=data.basis, by=principal
        )


@delete("/tenants/{tenant:str}/retention-ceilings/{name:str}", summary="Remove a ceiling",
        operation_id="removeRetentionCeiling", responses=problems(),
        **requires("retention.remove_ceiling", step_up=True))  # fmt: skip
async def remove_ceiling(
    database: Database, tenants: Tenants, limits: Limits, tenant: str, name: str, principal: Principal
) -> None:
    async with database.tenant((await _tenant(database, tenants, tenant)).id) as tx:
        await limits.remove_ceiling(tx, name, by=principal)


async def _tenant(database: Database, tenants: Tenants, tenant: str) -> Tenant:
    async with database.operator_read() as tx:
        return await tenants.get(tx, tenant_id_of(tenant))


router = Router(
    "/",
    route_handlers=[
        preview, run, list_limits, set_floor, remove_floor, list_tenant_limits, set_ceiling, remove_ceiling,
    ],
    tags=["Retention"],
)  # fmt: skip
