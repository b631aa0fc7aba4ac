"""Elevations: a role for a time, asked for with a reason and decided by a second person."""

from typing import Any

from litestar import Response, get, post
from litestar.response import Template

from bailee.access.api.common import id_of
from bailee.access.elevations import Elevations
from bailee.access.pages.common import number_of
from bailee.access.permissions import STAFF_ROLES
from bailee.foundation.database import Database
from bailee.foundation.errors import Error
from bailee.foundation.http import Cursor, decode_id_cursor, page_of, requires
from bailee.foundation.pages import PAGE_ROWS, Form, page, see
from bailee.foundation.principal import Principal

_NOTICES = {
    "requested": "Your request waits for a second person.",
    "approved": "The elevation is approved, and has begun.",
    "refused": "The request is refused.",
    "ended": "The elevation is over.",
}
_BEGUN = Form({"minutes": ["60"]})


@get("/elevations", **requires("elevations.request"))
async def list_elevations(
    database: Database, elevations: Elevations, principal: Principal, cursor: Cursor = None, done: str = ""
) -> Template:
    return await _shown(database, elevations, principal, cursor=cursor, notice=_NOTICES.get(done, ""))


@post("/elevations", **requires("elevations.request", step_up=True))
async def request_elevation(
    database: Database, elevations: Elevations, form: Form, principal: Principal
) -> Response[Any]:
    try:
        minutes = number_of(form, "minutes")
        async with database.operator() as tx:
            await elevations.request(
                tx, role=form.text("role"), reason=form.text("reason"), minutes=minutes, by=principal
            )
    except Error as error:
        return await _shown(database, elevations, principal, form=form, error=error)
    return see("/elevations?done=requested")


@post("/elevations/{elevation:str}/approve", **requires("elevations.decide", step_up=True))
async def approve(database: Database, elevations: Elevations, elevation: str, principal: Principal) -> Response[Any]:
    return await _decide(database, elevations, elevation, principal, approve=True)


@post("/elevations/{elevation:str}/refuse", **requires("elevations.decide", step_up=True))
async def refuse(database: Database, elevations: Elevations, elevation: str, principal: Principal) -> Response[Any]:
    return await _decide(database, elevations, elevation, principal, approve=False)


@post("/elevations/{elevation:str}/end", **requires("elevations.end"))
async def end(database: Database, elevations: Elevations, elevation: str, principal: Principal) -> Response[Any]:
    try:
        async with database.operator() as tx:
            await elevations.end(tx, id_of(elevation), by=principal)
    except Error as error:
        return await _shown(database, elevations, principal, error=error)
    return see("/elevations?done=ended")


async def _decide(
    database: Database, elevations: Elevations, elevation: str, principal: Principal, *, approve: bool
) -> Response[Any]:
    try:
        async with database.operator() as tx:
            await elevations.decide(tx, id_of(elevation), approve=approve, by=principal)
    except Error as error:
        return await _shown(database, elevations, principal, error=error)
    return see(f"/elevations?done={'approved' if approve else 'refused'}")


async def _shown(
    database: Database, elevations: Elevations, principal: Principal, *, cursor: str | None = None,
    notice: str = "", form: Form = _BEGUN, error: Error | None = None,
) -> Template:  # fmt: skip
    async with database.operator_read() as tx:
        rows = await elevations.page(tx, before=decode_id_cursor(cursor), limit=PAGE_ROWS + 1)
    return page(
        "elevations.html", principal, form=form, error=error, notice=notice,
        elevations=page_of(rows, PAGE_ROWS, lambda one: one.id), later=cursor is not None,
        roles={name: role.title for name, role in STAFF_ROLES.items()},
    )  # fmt: skip


routes = [list_elevations, request_elevation, approve, refuse, end]
