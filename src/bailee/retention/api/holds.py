"""Legal holds over REST."""

from datetime import date
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Router, get, post
from litestar.params import QueryParameter
from litestar.response import Stream

from bailee.access.api.common import id_of
from bailee.foundation.database import Database
from bailee.foundation.http import (
    MAX_LIMIT,
    Cursor,
    Limit,
    Page,
    attachment,
    decode_id_cursor,
    encode_cursor,
    page_of,
    problems,
    requires,
)
from bailee.foundation.principal import Principal
from bailee.retention.holds import Holds, NewHold
from bailee.retention.model import ArchivedView, ArchivePage, Hold, Purpose
from bailee.stores.model import CollectionRecord
from bailee.stores.store import WaitingErasure, list_waiting

Which = Annotated[
    str | None,
    QueryParameter(
        name="state", pattern="^(requested|active|ending|lifting|ended|lifted|refused|withdrawn)$",
        description="Holds in this state.",
    ),
]  # fmt: skip


class Lift(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why: `placed_in_error`, `basis_ended` or `scope_too_wide`."""

    reason: str


class Extension(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The later last day, in UTC."""

    ends_on: date


class Decision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    approved: bool


class Look(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What for, and where to go on."""

    purpose: Purpose
    cursor: str | None = None
    limit: int = 100

    @property
    def rows(self) -> int:
        """As many as a page may have."""
        return max(1, min(self.limit, MAX_LIMIT))


class ArchiveView(msgspec.Struct, frozen=True):
    """A page of what a hold covers; files come with the first."""

    records: list[CollectionRecord]
    files: list[ArchivedView]
    next: str | None

    @classmethod
    def of(cls, found: ArchivePage) -> "ArchiveView":
        return cls(found.records, found.files, encode_cursor(found.following) if found.following else None)


class WaitingView(msgspec.Struct, frozen=True):
    """An erasure that waits for what the archive holds of the person, until when at the latest, and why."""

    id: UUID
    began_at: str
    until: date
    bases: list[str]

    @classmethod
    def of(cls, one: WaitingErasure) -> "WaitingView":
        return cls(one.erasure_id, one.began_at.isoformat(), one.waits_until, one.bases)


@get("/holds", summary="Legal holds, newest first", operation_id="listHolds", responses=problems(),
     **requires("holds.read"))  # fmt: skip
async def list_holds(
    database: Database, holds: Holds, principal: Principal, limit: Limit = 100, cursor: Cursor = None,
    which: Which = None,
) -> Page[Hold]:  # fmt: skip
    async with database.tenant_read(principal.tenant) as tx:
        rows = await holds.page(tx, state=which, before=decode_id_cursor(cursor), limit=limit + 1)
    return page_of(rows, limit, lambda one: one.id)


@post("/holds", summary="Ask for a legal hold", operation_id="requestHold", responses=problems(),
      **requires("holds.request", step_up=True))  # fmt: skip
async def request_hold(database: Database, holds: Holds, data: NewHold, principal: Principal) -> Hold:
    async with database.tenant(principal.tenant) as tx:
        return await holds.request(tx, data, by=principal)


@get("/holds/{hold:str}", summary="One legal hold", operation_id="getHold", responses=problems(),
     **requires("holds.read"))  # fmt: skip
async def get_hold(database: Database, holds: Holds, hold: str, principal: Principal) -> Hold:
    async with database.tenant_read(principal.tenant) as tx:
        return await holds.get(tx, id_of(hold))


@post("/holds/{hold:str}/withdraw", summary="Take back what was asked for", operation_id="withdrawHold",
      status_code=200, responses=problems(409), **requires("holds.withdraw"))  # fmt: skip
async def withdraw_hold(database: Database, holds: Holds, hold: str, principal: Principal) -> Hold:
    async with database.tenant(principal.tenant) as tx:
        return await holds.withdraw(tx, id_of(hold), by=principal)


@post("/holds/{hold:str}/approve", summary="Put it into force, as a second person", operation_id="approveHold",
      status_code=200, responses=problems(409), **requires("holds.approve", step_up=True))  # fmt: skip
async def approve_hold(database: Database, holds: Holds, hold: str, principal: Principal) -> Hold:
    async with database.tenant(principal.tenant) as tx:
        return await holds.approve(tx, id_of(hold), by=principal)


@post("/holds/{hold:str}/refuse", summary="Do not put it into force", operation_id="refuseHold", status_code=200,
      responses=problems(409), **requires("holds.refuse"))  # fmt: skip
async def refuse_hold(database: Database, holds: Holds, hold: str, principal: Principal) -> Hold:
    async with database.tenant(principal.tenant) as tx:
        return await holds.refuse(tx, id_of(hold), by=principal)


@post("/holds/{hold:str}/lift", summary="Ask to lift a hold that was placed in error", operation_id="liftHold",
      status_code=200, responses=problems(409), **requires("holds.lift", step_up=True))  # fmt: skip
async def lift_hold(database: Database, holds: Holds, hold: str, data: Lift, principal: Principal) -> Hold:
    async with database.tenant(principal.tenant) as tx:
        return await holds.ask_to_lift(tx, id_of(hold), reason=data.reason, by=principal)


@post("/holds/{hold:str}/extend", summary="Ask for a later last day", operation_id="extendHold", status_code=200,
      responses=problems(409), **requires("holds.extend", step_up=True))  # fmt: skip
async def extend_hold(database: Database, holds: Holds, hold: str, data: Extension, principal: Principal) -> Hold:
    async with database.tenant(principal.tenant) as tx:
        return await holds.ask_to_extend(tx, id_of(hold), ends_on=data.ends_on, by=principal)


@post("/holds/{hold:str}/decide", summary="Decide what was asked for, as a second person",
      operation_id="decideHoldChange", status_code=200, responses=problems(409),
      **requires("holds.decide_change", step_up=True))  # fmt: skip
async def decide_change(
    database: Database, holds: Holds, hold: str, data: Decision, principal: Principal
) -> Hold:  # fmt: skip
    async with database.tenant(principal.tenant) as tx:
        return await holds.decide_change(tx, id_of(hold), approved=data.approved, by=principal)


@post("/holds/{hold:str}/look", summary="Look into the archive, for a purpose", operation_id="lookIntoHold",
      status_code=200, responses=problems(409), **requires("holds.look", step_up=True))  # fmt: skip
async def look(holds: Holds, hold: str, data: Look, principal: Principal) -> ArchiveView:
    found = await holds.look(
        principal.tenant, id_of(hold), purpose=data.purpose, after=decode_id_cursor(data.cursor),
        limit=data.rows, by=principal,
    )  # fmt: skip
    return ArchiveView.of(found)


@post("/holds/{hold:str}/files/{file:str}/look", summary="An archived file's content, for a purpose",
      operation_id="openHeldFile", status_code=200, media_type="application/octet-stream", responses=problems(409),
      **requires("holds.open_file", step_up=True))  # fmt: skip
async def open_file(holds: Holds, hold: str, file: str, data: Look, principal: Principal) -> Stream:
    opened, content = await holds.open_file(
        principal.tenant, id_of(hold), id_of(file), purpose=data.purpose, by=principal
    )  # fmt: skip
    return Stream(content, media_type="application/octet-stream", headers=attachment(opened.id))


@get("/erasures", summary="Erasures that wait for the archive", operation_id="listWaitingErasures",
     responses=problems(), **requires("holds.read"))  # fmt: skip
async def list_erasures(database: Database, principal: Principal) -> list[WaitingView]:
    async with database.tenant_read(principal.tenant) as tx:
        return [WaitingView.of(one) for one in await list_waiting(tx)]


router = Router(
    "/",
    route_handlers=[
        list_holds, request_hold, get_hold, withdraw_hold, approve_hold, refuse_hold, lift_hold, extend_hold,
        decide_change, look, open_file, list_erasures,
    ],
    tags=["Legal holds"],
)  # fmt: skip
