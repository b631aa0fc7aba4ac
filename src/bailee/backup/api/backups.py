"""Backups over REST: what there is, what can be restored, and the recovery keys."""

from typing import Annotated

import msgspec
from litestar import Response, Router, get, post
from litestar.params import QueryParameter

from bailee.access.api.common import id_of
from bailee.backup.api.common import spans_of, written_runbook
from bailee.backup.backups import Backups
from bailee.backup.drills import Drills
from bailee.backup.keys import BackupKeys
from bailee.backup.model import Backup, RecoveryKey, RestoreNote
from bailee.backup.planning import Span
from bailee.backup.replay import Replay
from bailee.foundation.database import Database
from bailee.foundation.http import Cursor, Limit, Page, decode_id_cursor, page_of, problems, requires
from bailee.foundation.principal import Principal
from bailee.foundation.settings import Settings

OfServer = Annotated[
    str | None,
    QueryParameter(name="server", pattern="^(main|keyring|objects|settings)$", description="Of what; else of all."),
]
_MARKDOWN = "text/markdown; charset=utf-8"


class NewBackup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of what: main, keyring, objects or settings."""

    server: str


class Kit(msgspec.Struct, frozen=True):
    """The recovery kit as text. Nobody can show it again."""

    kit: str


@get("/backups", summary="Backups, newest first", operation_id="listBackups", responses=problems(),
     **requires("backups.read"))  # fmt: skip
async def list_backups(
    database: Database, backups: Backups, limit: Limit = 100, cursor: Cursor = None, server: OfServer = None
) -> Page[Backup]:
    async with database.operator_read() as tx:
        rows = await backups.page(tx, server=server, before=decode_id_cursor(cursor), limit=limit + 1)
    return page_of(rows, limit, lambda one: one.id)


@post("/backups", summary="Have a backup taken now", operation_id="takeBackup", status_code=202,
      responses=problems(409), **requires("backups.take"))  # fmt: skip
async def take_backup(database: Database, backups: Backups, data: NewBackup, principal: Principal) -> None:
    async with database.operator() as tx:
        await backups.ask(tx, data.server, by=principal)


@post("/backups/verify", summary="Have everything in the repository read again", operation_id="verifyBackups",
      status_code=202, responses=problems(), **requires("backups.verify"))  # fmt: skip
async def verify_backups(database: Database, backups: Backups, principal: Principal) -> None:
    async with database.operator() as tx:
        await backups.ask_verification(tx, by=principal)


@get("/backups/points", summary="Which spans of time can be restored", operation_id="listRestorePoints",
     responses=problems(), **requires("backups.read"))  # fmt: skip
async def list_points(backups: Backups, backup_keys: BackupKeys) -> list[Span]:
    return await spans_of(backups, backup_keys)


@get("/backups/runbook", summary="How this instance is restored", operation_id="getRestoreRunbook",
     responses=problems(), media_type=_MARKDOWN, **requires("backups.read"))  # fmt: skip
async def get_runbook(settings: Settings, database: Database, backups: Backups, drills: Drills) -> Response[str]:
    return Response(await written_runbook(settings, database, backups, drills), media_type=_MARKDOWN)


@get("/backups/{backup:str}", summary="One backup", operation_id="getBackup", responses=problems(),
     **requires("backups.read"))  # fmt: skip
async def get_backup(database: Database, backups: Backups, backup: str) -> Backup:
    async with database.operator_read() as tx:
        return await backups.get(tx, id_of(backup))


@get("/recovery-keys", summary="Recovery keys, their public halves, newest first", operation_id="listRecoveryKeys",
     responses=problems(), **requires("backups.read"))  # fmt: skip
async def list_recovery_keys(database: Database, backup_keys: BackupKeys) -> list[RecoveryKey]:
    async with database.operator_read() as tx:
        return await backup_keys.every(tx)


@post("/recovery-keys", summary="Make the recovery key, and see its kit once", operation_id="makeRecoveryKey",
      responses=problems(), **requires("backups.make_recovery_key", step_up=True))  # fmt: skip
async def make_recovery_key(database: Database, backup_keys: BackupKeys, principal: Principal) -> Kit:
    async with database.operator() as tx:
        return Kit(await backup_keys.make_recovery_key(tx, by=principal))


@get("/restores", summary="The restores that this instance has come from, newest first", operation_id="listRestores",
     responses=problems(), **requires("backups.read"))  # fmt: skip
async def list_restores(database: Database, replay: Replay) -> list[RestoreNote]:
    async with database.operator_read() as tx:
        return await replay.page(tx)


router = Router(
    "/",
    route_handlers=[
        list_backups, take_backup, verify_backups, list_points, get_runbook, get_backup, list_recovery_keys,
        make_recovery_key, list_restores,
    ],
    tags=["Backups"],
)  # fmt: skip
