"""Rehearsals of restores over REST."""

from litestar import Router, get, post

from bailee.access.api.common import id_of
from bailee.backup.drills import Drills
from bailee.backup.model import Drill
from bailee.foundation.database import Database
from bailee.foundation.http import Cursor, Limit, Page, decode_id_cursor, page_of, problems, requires
from bailee.foundation.principal import Principal


@get("/backup-drills", summary="Rehearsals of restores, newest first", operation_id="listBackupDrills",
     responses=problems(), **requires("backups.read"))  # fmt: skip
async def list_drills(database: Database, drills: Drills, limit: Limit = 100, cursor: Cursor = None) -> Page[Drill]:
    async with database.operator_read() as tx:
        rows = await drills.page(tx, before=decode_id_cursor(cursor), limit=limit + 1)
    return page_of(rows, limit, lambda one: one.id)


@post("/backup-drills", summary="Have a restore rehearsed now", operation_id="drillBackups", status_code=202,
      responses=problems(409), **requires("backups.drill"))  # fmt: skip
async def ask_drill(database: Database, drills: Drills, principal: Principal) -> None:
    async with database.operator() as tx:
        await drills.ask(tx, by=principal)


@get("/backup-drills/{drill:str}", summary="One rehearsal", operation_id="getBackupDrill", responses=problems(),
     **requires("backups.read"))  # fmt: skip
async def get_drill(database: Database, drills: Drills, drill: str) -> Drill:
    async with database.operator_read() as tx:
        return await drills.get(tx, id_of(drill))


router = Router("/", route_handlers=[list_drills, ask_drill, get_drill], tags=["Backups"])
