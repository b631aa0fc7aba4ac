"""Customers' legal holds in the console, for the operator's data protection: what waits for a second person, and what
is kept of customers whose contract has ended.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from litestar import Response, get, post
from litestar.params import QueryParameter
from litestar.response import Stream, Template

from bailee.access.api.common import id_of
from bailee.foundation.database import Database, TenantWriter
from bailee.foundation.errors import Error
from bailee.foundation.http import Cursor, attachment, decode_id_cursor, page_of, parse_uuid, requires
from bailee.foundation.ids import TenantId
from bailee.foundation.pages import EMPTY, PAGE_ROWS, Form, page, see
from bailee.foundation.principal import Principal
from bailee.retention.customers import CustomerHolds
from bailee.retention.model import ADMITS, LIFT_REASONS
from bailee.retention.pages.holds import archive, day_of, purpose_of
from bailee.tenants.api import tenant_id_of
from bailee.tenants.service import Tenants

_PLACE = "/tenants/{tenant:str}/holds/{hold:str}"
_NOTICES = {
    "approve": "It is in force; what it covers is being moved to the archive.",
    "refuse": "It is refused.",
    "change": "A second person has to decide it.",
    "decide": "It is decided.",
}
Show = Annotated[str, QueryParameter(name="show", max_length=20)]
Whose = Annotated[str, QueryParameter(name="tenant", max_length=36)]


@get("/tenant-holds", **requires("tenant_holds.read"))
async def list_holds(
    database: Database, customer_holds: CustomerHolds, principal: Principal, cursor: Cursor = None, show: Show = "",
    whose: Whose = "",
) -> Template:  # fmt: skip
    everything = show == "all"
    query = {"show": "all"} if everything else {}
    concerned = parse_uuid(whose)
    if concerned is not None:
        query["tenant"] = str(concerned)
    async with database.operator_read() as tx:
        rows = await customer_holds.page(
            tx, waiting=not everything, tenant=concerned, before=decode_id_cursor(cursor), limit=PAGE_ROWS + 1
        )
    return page(
        "tenant_holds_list.html", principal, holds=page_of(rows, PAGE_ROWS, lambda one: one.hold.id),
        later=cursor is not None, everything=everything, concerned=concerned, query=query,
    )  # fmt: skip


@get(_PLACE, **requires("tenant_holds.read"))
async def show_hold(
    database: Database, customer_holds: CustomerHolds, tenant: str, hold: str, principal: Principal, done: str = ""
) -> Template:
    return await _shown(database, customer_holds, tenant, hold, principal, notice=_NOTICES.get(done, ""))


@post(f"{_PLACE}/approve", **requires("holds.approve_for", step_up=True))
async def approve(
    database: Database, tenants: Tenants, customer_holds: CustomerHolds, tenant: str, hold: str, principal: Principal
) -> Response[Any]:
    return await _act(
        database, tenants, customer_holds, tenant, hold, principal, "approve",
        lambda tx: customer_holds.approve(tx, id_of(hold), by=principal),
    )  # fmt: skip


@post(f"{_PLACE}/refuse", **requires("holds.refuse_for", step_up=True))
async def refuse(
    database: Database, tenants: Tenants, customer_holds: CustomerHolds, tenant: str, hold: str, principal: Principal
) -> Response[Any]:
    return await _act(
        database, tenants, customer_holds, tenant, hold, principal, "refuse",
        lambda tx: customer_holds.refuse(tx, id_of(hold), by=principal),
    )  # fmt: skip


@post(f"{_PLACE}/decide", **requires("holds.decide_change_for", step_up=True))
async def decide(
    database: Database, tenants: Tenants, customer_holds: CustomerHolds, tenant: str, hold: str, form: Form,
    principal: Principal,
) -> Response[Any]:  # fmt: skip
    approved = form.text("decision") == "approve"
    return await _act(
        database, tenants, customer_holds, tenant, hold, principal, "decide",
        lambda tx: customer_holds.decide_change(tx, id_of(hold), approved=approved, by=principal),
    )  # fmt: skip


@post(f"{_PLACE}/lift", **requires("holds.lift_for", step_up=True))
async def lift(
    database: Database, tenants: Tenants, customer_holds: CustomerHolds, tenant: str, hold: str, form: Form,
    principal: Principal,
) -> Response[Any]:  # fmt: skip
    return await _act(
        database, tenants, customer_holds, tenant, hold, principal, "change",
        lambda tx: customer_holds.ask_to_lift(tx, id_of(hold), reason=form.text("reason"), by=principal), form=form,
    )  # fmt: skip


@post(f"{_PLACE}/extend", **requires("holds.extend_for", step_up=True))
async def extend(
    database: Database, tenants: Tenants, customer_holds: CustomerHolds, tenant: str, hold: str, form: Form,
    principal: Principal,
) -> Response[Any]:  # fmt: skip
    async def act(tx: TenantWriter) -> object:
        return await customer_holds.ask_to_extend(tx, id_of(hold), ends_on=day_of(form), by=principal)

    return await _act(database, tenants, customer_holds, tenant, hold, principal, "change", act, form=form)


@post(f"{_PLACE}/look", **requires("holds.look_for", step_up=True))
async def look(
    database: Database, tenants: Tenants, customer_holds: CustomerHolds, tenant: str, hold: str, form: Form,
    principal: Principal,
) -> Response[Any]:  # fmt: skip
    try:
        purpose = purpose_of(form)
        found = await customer_holds.look(
            await _customer(database, tenants, tenant), id_of(hold), purpose=purpose,
            after=decode_id_cursor(form.text("cursor") or None), limit=PAGE_ROWS, by=principal,
        )  # fmt: skip
    except Error as error:
        return await _shown(database, customer_holds, tenant, hold, principal, error=error)
    return archive(f"/tenants/{tenant}/holds/{hold}", found, purpose, principal)


@get(f"{_PLACE}/look", **requires("tenant_holds.read"))
async def leave(tenant: str, hold: str) -> Response[Any]:
    """Whoever comes back to what was looked at, as after showing a second factor, chooses the purpose again."""
    return see(f"/tenants/{tenant_id_of(tenant)}/holds/{id_of(hold)}")


@post(f"{_PLACE}/files/{{file:str}}", **requires("holds.open_file_for", step_up=True))
async def open_file(
    database: Database, tenants: Tenants, customer_holds: CustomerHolds, tenant: str, hold: str, file: str, form: Form,
    principal: Principal,
) -> Response[Any]:  # fmt: skip
    try:
        opened, content = await customer_holds.open_file(
            await _customer(database, tenants, tenant), id_of(hold), id_of(file), purpose=purpose_of(form),
            by=principal,
        )  # fmt: skip
    except Error as error:
        return await _shown(database, customer_holds, tenant, hold, principal, error=error)
    return Stream(content, media_type="application/octet-stream", headers=attachment(opened.id))


async def _act(
    database: Database, tenants: Tenants, customer_holds: CustomerHolds, tenant: str, hold: str, principal: Principal,
    done: str, act: Callable[[TenantWriter], Awaitable[object]], *, form: Form = EMPTY,
) -> Response[Any]:  # fmt: skip
    try:
        async with database.tenant(await _customer(database, tenants, tenant)) as tx:
            await act(tx)
    except Error as error:
        return await _shown(database, customer_holds, tenant, hold, principal, form=form, error=error)
    return see(f"/tenants/{tenant}/holds/{hold}?done={done}")


async def _shown(
    database: Database, customer_holds: CustomerHolds, tenant: str, hold: str, principal: Principal, *,
    notice: str = "", form: Form = EMPTY, error: Error | None = None,
) -> Template:  # fmt: skip
    async with database.operator_read() as tx:
        found = await customer_holds.get(tx, tenant_id_of(tenant), id_of(hold))
    return page(
        "tenant_holds_show.html", principal, one=found, hold=found.hold, notice=notice, form=form, error=error,
        reasons=LIFT_REASONS, purposes=sorted(ADMITS[found.hold.kind]),
    )  # fmt: skip


async def _customer(database: Database, tenants: Tenants, tenant: str) -> TenantId:
    async with database.operator_read() as tx:
        return (await tenants.get(tx, tenant_id_of(tenant))).id


routes: list[Any] = [
    list_holds, show_hold, approve, refuse, decide, lift, extend, look, leave, open_file,
]  # fmt: skip
