"""Legal holds in the console."""

from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.response import Stream, Template

from bailee.access.api.common import id_of
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database, TenantWriter
from bailee.foundation.errors import Error, FieldError, Invalid
from bailee.foundation.http import (
    Cursor,
    attachment,
    decode_id_cursor,
    encode_cursor,
    page_of,
    parse_uuid,
    requires,
)
from bailee.foundation.pages import EMPTY, PAGE_ROWS, Form, page, see
from bailee.foundation.principal import Principal
from bailee.retention.holds import Holds, NewHold
from bailee.retention.model import ADMITS, LIFT_REASONS, ArchivePage, HoldKind, Purpose
from bailee.stores.store import list_waiting

_SOON = timedelta(days=30)
_NOTICES = {
    "asked": "A second person has to approve it.",
    "withdraw": "It is withdrawn.",
    "approve": "It is in force; what it covers is being moved to the archive.",
    "refuse": "It is refused.",
    "change": "A second person has to decide it.",
    "decide": "It is decided.",
}


@get("/holds", **requires("holds.read"))
async def list_holds(
    database: Database, holds: Holds, clock: Clock, principal: Principal, cursor: Cursor = None
) -> Template:  # fmt: skip
    return await _listed(database, holds, clock, principal, cursor=cursor)


@post("/holds", **requires("holds.request", step_up=True))
async def request_hold(
    database: Database, holds: Holds, clock: Clock, form: Form, principal: Principal
) -> Response[Any]:  # fmt: skip
    try:
        new = _new(form)
        async with database.tenant(principal.tenant) as tx:
            made = await holds.request(tx, new, by=principal)
    except Error as error:
        return await _listed(database, holds, clock, principal, form=form, error=error)
    return see(f"/holds/{made.id}?done=asked")


@get("/holds/{hold:str}", **requires("holds.read"))
async def show_hold(database: Database, holds: Holds, hold: str, principal: Principal, done: str = "") -> Template:
    return await _shown(database, holds, hold, principal, notice=_NOTICES.get(done, ""))


@post("/holds/{hold:str}/withdraw", **requires("holds.withdraw"))
async def withdraw(database: Database, holds: Holds, hold: str, principal: Principal) -> Response[Any]:
    return await _act(
        database, holds, hold, principal, "withdraw", lambda tx: holds.withdraw(tx, id_of(hold), by=principal)
    )


@post("/holds/{hold:str}/approve", **requires("holds.approve", step_up=True))
async def approve(database: Database, holds: Holds, hold: str, principal: Principal) -> Response[Any]:
    return await _act(
        database, holds, hold, principal, "approve", lambda tx: holds.approve(tx, id_of(hold), by=principal)
    )


@post("/holds/{hold:str}/refuse", **requires("holds.refuse"))
async def refuse(database: Database, holds: Holds, hold: str, principal: Principal) -> Response[Any]:
    return await _act(
        database, holds, hold, principal, "refuse", lambda tx: holds.refuse(tx, id_of(hold), by=principal)
    )


@post("/holds/{hold:str}/lift", **requires("holds.lift", step_up=True))
async def lift(database: Database, holds: Holds, hold: str, form: Form, principal: Principal) -> Response[Any]:
    return await _act(
        database, holds, hold, principal, "change",
        lambda tx: holds.ask_to_lift(tx, id_of(hold), reason=form.text("reason"), by=principal), form=form,
    )  # fmt: skip


@post("/holds/{hold:str}/extend", **requires("holds.extend", step_up=True))
async def extend(database: Database, holds: Holds, hold: str, form: Form, principal: Principal) -> Response[Any]:
    async def act(tx: TenantWriter) -> object:
        return await holds.ask_to_extend(tx, id_of(hold), ends_on=day_of(form), by=principal)

    return await _act(database, holds, hold, principal, "change", act, form=form)


@post("/holds/{hold:str}/decide", **requires("holds.decide_change", step_up=True))
async def decide(database: Database, holds: Holds, hold: str, form: Form, principal: Principal) -> Response[Any]:
    approved = form.text("decision") == "approve"
    return await _act(
        database, holds, hold, principal, "decide",
        lambda tx: holds.decide_change(tx, id_of(hold), approved=approved, by=principal),
    )  # fmt: skip


@post("/holds/{hold:str}/look", **requires("holds.look", step_up=True))
async def look(database: Database, holds: Holds, hold: str, form: Form, principal: Principal) -> Response[Any]:
    try:
        purpose = purpose_of(form)
        found = await holds.look(
            principal.tenant, id_of(hold), purpose=purpose, after=decode_id_cursor(form.text("cursor") or None),
            limit=PAGE_ROWS, by=principal,
        )  # fmt: skip
    except Error as error:
        return await _shown(database, holds, hold, principal, error=error)
    return archive(f"/holds/{hold}", found, purpose, principal)


@get("/holds/{hold:str}/look", **requires("holds.read"))
async def leave(hold: str) -> Response[Any]:
    """Whoever comes back to what was looked at, as after showing a second factor, chooses the purpose again."""
    return see(f"/holds/{id_of(hold)}")


@post("/holds/{hold:str}/files/{file:str}", **requires("holds.open_file", step_up=True))
async def open_file(
    database: Database, holds: Holds, hold: str, file: str, form: Form, principal: Principal
) -> Response[Any]:  # fmt: skip
    try:
        opened, content = await holds.open_file(
            principal.tenant, id_of(hold), id_of(file), purpose=purpose_of(form), by=principal
        )
    except Error as error:
        return await _shown(database, holds, hold, principal, error=error)
    return Stream(content, media_type="application/octet-stream", headers=attachment(opened.id))


async def _act(
    database: Database, holds: Holds, hold: str, principal: Principal, done: str,
    act: Callable[[TenantWriter], Awaitable[object]], *, form: Form = EMPTY,
) -> Response[Any]:  # fmt: skip
    try:
        async with database.tenant(principal.tenant) as tx:
            await act(tx)
    except Error as error:
        return await _shown(database, holds, hold, principal, form=form, error=error)
    return see(f"/holds/{hold}?done={done}")


async def _listed(
    database: Database, holds: Holds, clock: Clock, principal: Principal, *, cursor: str | None = None,
    form: Form = EMPTY, error: Error | None = None,
) -> Template:  # fmt: skip
    async with database.tenant_read(principal.tenant) as tx:
        rows = await holds.page(tx, before=decode_id_cursor(cursor), limit=PAGE_ROWS + 1)
        waiting = await list_waiting(tx)
    return page(
        "holds_list.html", principal, holds=page_of(rows, PAGE_ROWS, lambda one: one.id), later=cursor is not None,
        form=form, error=error, kinds=[kind.value for kind in HoldKind], waiting=waiting,
        soon=clock.now().date() + _SOON,
    )  # fmt: skip


async def _shown(
    database: Database, holds: Holds, hold: str, principal: Principal, *, notice: str = "", form: Form = EMPTY,
    error: Error | None = None,
) -> Template:  # fmt: skip
    async with database.tenant_read(principal.tenant) as tx:
        found = await holds.get(tx, id_of(hold))
    return page(
        "holds_show.html", principal, hold=found, notice=notice, form=form, error=error, reasons=LIFT_REASONS,
        purposes=sorted(ADMITS[found.kind]),
    )  # fmt: skip


def archive(path: str, found: ArchivePage, purpose: Purpose, principal: Principal) -> Template:
    """A page of the archive, on the way of the hold at `path`."""
    following = encode_cursor(found.following) if found.following else ""
    return page(
        "holds_archive.html", principal, hold_path=path, found=found, purpose=purpose.value, following=following
    )  # fmt: skip


def purpose_of(form: Form) -> Purpose:
    """What somebody looks for. Raises Invalid."""
    try:
        return Purpose(form.text("purpose"))
    except ValueError:
        raise Invalid("Nothing was opened.", errors=[FieldError("purpose", "Choose a purpose.")]) from None


def _new(form: Form) -> NewHold:
    """Raises Invalid."""
    records = [parse_uuid(one) for one in form.text("records").split()]
    if None in records:
        raise Invalid("The hold is not asked for.", errors=[FieldError("records", "Give records' ids, one a line.")])
    document = {
        "kind": form.text("kind"), "basis": form.text("basis"), "ends_on": day_of(form),
        "everything": form.text("everything") == "yes", "collections": form.text("collections").split(),
        "subjects": [line.strip() for line in form.text("subjects").splitlines() if line.strip()], "records": records,
    }  # fmt: skip
    try:
        return msgspec.convert(document, NewHold)
    except msgspec.ValidationError:
        raise Invalid("The hold is not asked for.", errors=[FieldError("kind", "Choose a kind.")]) from None


def day_of(form: Form) -> date:
    """A last day. Raises Invalid."""
    try:
        return date.fromisoformat(form.text("ends_on").strip())
    except ValueError:
        raise Invalid("The form is not valid.", errors=[FieldError("ends_on", "Give a day, as 2030-12-31.")]) from None


routes: list[Any] = [
    list_holds, request_hold, show_hold, withdraw, approve, refuse, lift, extend, decide, look, leave, open_file,
]  # fmt: skip
