"""How rehearsals of restores went, in the console."""

from typing import Any

from litestar import Response, get, post
from litestar.response import Template

from bailee.backup.drills import Drills
from bailee.backup.pages.trend import HEIGHT, WIDTH, trends_of
from bailee.foundation.database import Database
from bailee.foundation.errors import Error
from bailee.foundation.http import Cursor, decode_id_cursor, page_of, requires
from bailee.foundation.pages import PAGE_ROWS, attempt, page
from bailee.foundation.principal import Principal
from bailee.foundation.settings import Settings

_NOTICES = {"asked": "A worker rehearses a restore now; how it went stands in the table when it is over."}


@get("/backups/drills", **requires("backups.read"))
async def list_drills(
    database: Database, drills: Drills, settings: Settings, principal: Principal, cursor: Cursor = None, done: str = ""
) -> Template:
    return await _listed(database, drills, settings, principal, cursor=cursor, notice=_NOTICES.get(done, ""))


@post("/backups/drills", **requires("backups.drill"))
async def ask(database: Database, drills: Drills, settings: Settings, principal: Principal) -> Response[Any]:
    return await attempt(
        database,
        lambda tx: drills.ask(tx, by=principal),
        lambda error: _listed(database, drills, settings, principal, error=error),
        "/backups/drills?done=asked",
    )


async def _listed(
    database: Database, drills: Drills, settings: Settings, principal: Principal, *, cursor: str | None = None,
    notice: str = "", error: Error | None = None,
) -> Template:  # fmt: skip
    async with database.operator_read() as tx:
        rows = await drills.page(tx, before=decode_id_cursor(cursor), limit=PAGE_ROWS + 1)
        busy = cursor is None and await drills.is_busy(tx)
    shown = page_of(rows, PAGE_ROWS, lambda one: one.id)
    return page(
        "backups_drills.html", principal, notice=notice, error=error, drills=shown, later=cursor is not None,
        busy=busy, trends=trends_of(shown.items, settings.backup.rpo_seconds), width=WIDTH, height=HEIGHT,
        drill_days=settings.backup.drill_days, rpo_seconds=settings.backup.rpo_seconds,
    )  # fmt: skip


routes: list[Any] = [list_drills, ask]
