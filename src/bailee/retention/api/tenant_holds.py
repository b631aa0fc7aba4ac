"""Customers' legal holds over REST, for the operator's data protection."""

from typing import Annotated

from litestar import Router, get, post
from litestar.params import QueryParameter
from litestar.response import Stream

from bailee.access.api.common import id_of
from bailee.foundation.database import Database
from bailee.foundation.errors import FieldError, Invalid
from bailee.foundation.http import (
    Cursor,
    Limit,
    Page,
    attachment,
    decode_id_cursor,
    page_of,
    parse_uuid,
    problems,
    requires,
)
from bailee.foundation.ids import TenantId
from bailee.foundation.principal import Principal
from bailee.retention.api.holds import ArchiveView, Decision, Extension, Lift, Look, Which
from bailee.retention.customers import CustomerHolds
from bailee.retention.model import CustomerHold, Hold
from bailee.tenants.api import tenant_id_of
from bailee.tenants.service import Tenants

Waiting = Annotated[
    bool, QueryParameter(name="waiting", description="Only what waits for a second person, in whatever state.")
]
_PLACE = "/tenants/{tenant:str}/holds/{hold:str}"


@get("/tenant-holds", summary="Customers' legal holds, newest first", operation_id="listCustomerHolds",
     responses=problems(), **requires("tenant_holds.read"))  # fmt: skip
async def list_holds(
    database: Database, customer_holds: CustomerHolds, *, waiting: Waiting = False, limit: Limit = 100,
    cursor: Cursor = None, which: Which = None, tenant: str | None = None,
) -> Page[CustomerHold]:  # fmt: skip
    concerned = parse_uuid(tenant) if tenant else None
    if tenant and concerned is None:
        raise Invalid("The query is not valid.", errors=[FieldError("tenant", "Give a tenant's id.")])
    async with database.operator_read() as tx:
        rows = await customer_holds.page(
            tx, waiting=waiting, state=which, tenant=concerned, before=decode_id_cursor(cursor), limit=limit + 1
        )
    return page_of(rows, limit, lambda one: one.hold.id)


@get(_PLACE, summary="One of a customer's holds", operation_id="getCustomerHold", responses=problems(),
     **requires("tenant_holds.read"))  # fmt: skip
async def get_hold(database: Database, customer_holds: CustomerHolds, tenant: str, hold: str) -> CustomerHold:
    async with database.operator_read() as tx:
        return await customer_holds.get(tx, tenant_id_of(tenant), id_of(hold))


# --- as the second person of a customer that has none -----------------------------------------------------


@post(f"{_PLACE}/approve", summary="Put a customer's hold into force", operation_id="approveHoldFor", status_code=200,
      responses=problems(409), **requires("holds.approve_for", step_up=True))  # fmt: skip
async def approve(
    database: Database, tenants: Tenants, customer_holds: CustomerHolds, tenant: str, hold: str, principal: Principal
) -> Hold:
    async with database.tenant(await _customer(database, tenants, tenant)) as tx:
        return await customer_holds.approve(tx, id_of(hold), by=principal)


@post(f"{_PLACE}/refuse", summary="Do not put a customer's hold into force", operation_id="refuseHoldFor",
      status_code=200, responses=problems(409), **requires("holds.refuse_for", step_up=True))  # fmt: skip
async def refuse(
    database: Database, tenants: Tenants, customer_holds: CustomerHolds, tenant: str, hold: str, principal: Principal
) -> Hold:
    async with database.tenant(await _customer(database, tenants, tenant)) as tx:
        return await customer_holds.refuse(tx, id_of(hold), by=principal)


@post(f"{_PLACE}/decide", summary="Decide what was asked for of a customer's hold",
      operation_id="decideHoldChangeFor", status_code=200, responses=problems(409),
      **requires("holds.decide_change_for", step_up=True))  # fmt: skip
async def decide(
    database: Database, tenants: Tenants, customer_holds: CustomerHolds, tenant: str, hold: str, data: Decision,
    principal: Principal,
) -> Hold:  # fmt: skip
    async with database.tenant(await _customer(database, tenants, tenant)) as tx:
        return await customer_holds.decide_change(tx, id_of(hold), approved=data.approved, by=principal)


# --- in the place of a customer that has nobody any more --------------------------------------------------


@post(f"{_PLACE}/lift", summary="Ask to lift the hold of a customer whose contract has ended",
      operation_id="liftHoldFor", status_code=200, responses=problems(409),
      **requires("holds.lift_for", step_up=True))  # fmt: skip
async def lift(
    database: Database, tenants: Tenants, customer_holds: CustomerHolds, tenant: str, hold: str, data: Lift,
    principal: Principal,
) -> Hold:  # fmt: skip
    async with database.tenant(await _customer(database, tenants, tenant)) as tx:
        return await customer_holds.ask_to_lift(tx, id_of(hold), reason=data.reason, by=principal)


@post(f"{_PLACE}/extend", summary="Ask for a later last day of the hold of a customer whose contract has ended",
      operation_id="extendHoldFor", status_code=200, responses=problems(409),
      **requires("holds.extend_for", step_up=True))  # fmt: skip
async def extend(
    database: Database, tenants: Tenants, customer_holds: CustomerHolds, tenant: str, hold: str, data: Extension,
    principal: Principal,
) -> Hold:  # fmt: skip
    async with database.tenant(await _customer(database, tenants, tenant)) as tx:
        return await customer_holds.ask_to_extend(tx, id_of(hold), ends_on=data.ends_on, by=principal)


@post(f"{_PLACE}/look", summary="Look into the archive of a customer whose contract has ended, for a purpose",
      operation_id="lookIntoHoldFor", status_code=200, responses=problems(409),
      **requires("holds.look_for", step_up=True))  # fmt: skip
async def look(
    database: Database, tenants: Tenants, customer_holds: CustomerHolds, tenant: str, hold: str, data: Look,
    principal: Principal,
) -> ArchiveView:  # fmt: skip
    found = await customer_holds.look(
        await _customer(database, tenants, tenant), id_of(hold), purpose=data.purpose,
        after=decode_id_cursor(data.cursor), limit=data.rows, by=principal,
    )  # fmt: skip
    return ArchiveView.of(found)


@post(f"{_PLACE}/files/{{file:str}}/look", summary="An archived file of such a customer, for a purpose",
      operation_id="openHeldFileFor", status_code=200, media_type="application/octet-stream", responses=problems(409),
      **requires("holds.open_file_for", step_up=True))  # fmt: skip
async def open_file(
    database: Database, tenants: Tenants, customer_holds: CustomerHolds, tenant: str, hold: str, file: str, data: Look,
    principal: Principal,
) -> Stream:  # fmt: skip
    opened, content = await customer_holds.open_file(
        await _customer(database, tenants, tenant), id_of(hold), id_of(file), purpose=data.purpose, by=principal
    )
    return Stream(content, media_type="application/octet-stream", headers=attachment(opened.id))


async def _customer(database: Database, tenants: Tenants, tenant: str) -> TenantId:
    async with database.operator_read() as tx:
        return (await tenants.get(tx, tenant_id_of(tenant))).id


router = Router(
    "/",
    route_handlers=[list_holds, get_hold, approve, refuse, decide, lift, extend, look, open_file],
    tags=["Legal holds"],
)
