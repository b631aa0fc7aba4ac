"""Tenants in the console."""

from typing import Annotated, Any

from litestar import Response, get, post
from litestar.params import QueryParameter
from litestar.response import Template

from bailee.foundation.database import Database
from bailee.foundation.errors import Error, Invalid
from bailee.foundation.http import Cursor, decode_id_cursor, page_of, requires
from bailee.foundation.pages import EMPTY, PAGE_ROWS, Form, page, see
from bailee.foundation.principal import Principal
from bailee.tenants.api import tenant_id_of
from bailee.tenants.model import PLANS, TRANSITIONS, Tenant, TenantState
from bailee.tenants.service import Tenants

_NOTICES = {
    "created": "The tenant has been made, with keys of its own.",
    "changed": "The change is saved.",
    "moved": "The tenant’s state has changed.",
    "rotated": "The tenant has a new encryption key; its data keys move under it in the background.",
}

# A plain alias: Litestar does not look into `type` statements.
Search = Annotated[str, QueryParameter(name="search", max_length=200)]


@get("/tenants", **requires("tenants.read"))
async def list_tenants(
    database: Database, tenants: Tenants, principal: Principal, search: Search = "", cursor: Cursor = None
) -> Template:
    search = search.replace("\x00", "").strip()
    async with database.operator_read() as tx:
        rows = await tenants.page(tx, search=search, after=decode_id_cursor(cursor), limit=PAGE_ROWS + 1)
    found = page_of(rows, PAGE_ROWS, lambda tenant: tenant.id)
    return page("tenants_list.html", principal, tenants=found, search=search, later=cursor is not None)


@get("/tenants/new", **requires("tenants.create"))
async def new_tenant(principal: Principal) -> Template:
    return page("tenants_new.html", principal, plans=list(PLANS))


@post("/tenants/new", **requires("tenants.create"))
async def create_tenant(database: Database, tenants: Tenants, form: Form, principal: Principal) -> Response[Any]:
    try:
        async with database.operator() as tx:
            tenant = await tenants.create(tx, name=form.text("name"), plan=form.text("plan"), by=principal)
    except Error as error:
        return page("tenants_new.html", principal, form=form, error=error, plans=list(PLANS))
    return see(f"/tenants/{tenant.id}?done=created")


@get("/tenants/{tenant:str}", **requires("tenants.read"))
async def show_tenant(
    database: Database, tenants: Tenants, tenant: str, principal: Principal, done: str = ""
) -> Template:
    return _shown(principal, await _get(database, tenants, tenant), notice=_NOTICES.get(done, ""))


@post("/tenants/{tenant:str}", **requires("tenants.change"))
async def change_tenant(
    database: Database, tenants: Tenants, tenant: str, form: Form, principal: Principal
) -> Response[Any]:
    """Name and plan have a form each: only one of them asks for a second factor."""
    found = await _get(database, tenants, tenant)
    name, plan = (form.text(one) if one in form.values else None for one in ("name", "plan"))
    try:
        async with database.operator() as tx:
            await tenants.change(tx, found.id, name=name, plan=plan, by=principal)
    except Error as error:
        return _shown(principal, found, form=form, error=error)
    return see(f"/tenants/{found.id}?done=changed")


@post("/tenants/{tenant:str}/state", **requires("tenants.move"))
async def move_tenant(
    database: Database, tenants: Tenants, tenant: str, form: Form, principal: Principal
) -> Response[Any]:
    found = await _get(database, tenants, tenant)
    try:
        state = _state(form)
        async with database.operator() as tx:
            await tenants.move(tx, found.id, to=state, by=principal)
    except Error as error:
        return _shown(principal, await _get(database, tenants, tenant), error=error)
    return see(f"/tenants/{found.id}?done=moved")


@post("/tenants/{tenant:str}/rotate-key", **requires("tenants.rotate_key", step_up=True))
async def rotate_key(database: Database, tenants: Tenants, tenant: str, principal: Principal) -> Response[Any]:
    found = await _get(database, tenants, tenant)
    try:
        async with database.operator() as tx:
            await tenants.rotate_key(tx, found.id, by=principal)
    except Error as error:
        return _shown(principal, found, error=error)
    return see(f"/tenants/{found.id}?done=rotated")


async def _get(database: Database, tenants: Tenants, tenant: str) -> Tenant:
    async with database.operator_read() as tx:
        return await tenants.get(tx, tenant_id_of(tenant))


def _state(form: Form) -> TenantState:
    """The state asked for. Raises Invalid."""
    try:
        return TenantState(form.text("to"))
    except ValueError:
        raise Invalid("There is no such state.") from None


def _shown(
    principal: Principal, tenant: Tenant, *, notice: str = "", form: Form = EMPTY, error: Error | None = None
) -> Template:
    return page(
        "tenants_show.html",
        principal,
        form=Form({"name": [tenant.name], "plan": [tenant.plan], **form.values}),
        error=error,
        tenant=tenant,
        ways={state.value for state in TRANSITIONS[tenant.state]},
        plans=list(PLANS),
        notice=notice,
    )


routes = [list_tenants, new_tenant, create_tenant, show_tenant, change_tenant, move_tenant, rotate_key]
