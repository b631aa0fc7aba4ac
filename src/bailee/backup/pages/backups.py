"""What there is to restore from, in the console, and the recovery key."""

from datetime import datetime, timedelta
from typing import Annotated, Any

from litestar import Response, get, post
from litestar.params import QueryParameter
from litestar.response import Template

from bailee.assurance.service import Assurance
from bailee.assurance.store import Result
from bailee.backup.api.common import joined, spans_of, written_runbook
from bailee.backup.backups import Backups
from bailee.backup.drills import Drills
from bailee.backup.keys import BackupKeys
from bailee.backup.model import POSTGRES, SERVERS
from bailee.backup.pages.common import age
from bailee.backup.replay import Replay
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database, OperatorReader
from bailee.foundation.errors import Error, NotFound
from bailee.foundation.http import Cursor, decode_id_cursor, download, page_of, requires
from bailee.foundation.pages import EMPTY, PAGE_ROWS, Form, page, see
from bailee.foundation.principal import Principal
from bailee.foundation.settings import Settings

Which = Annotated[str, QueryParameter(name="server", max_length=20)]
_NOTICES = {
    "taken": "A worker takes the backup now; it stands in the table when it is complete.",
    "verified": "A worker reads everything in the repository again now; what it finds stands beside each backup.",
}
_MEASURE, _CHECK = "6.1", "backup.fresh_and_verified"
_TOLD = "seconds_to_lose_of_"
_OLD = timedelta(minutes=45)
"""A look that is three times as old as the next is due says nothing of now."""


@get("/backups", **requires("backups.read"))
async def list_backups(
    database: Database, backups: Backups, backup_keys: BackupKeys, assurance: Assurance, settings: Settings,
    clock: Clock, principal: Principal, cursor: Cursor = None, which: Which = "", done: str = "",
) -> Template:  # fmt: skip
    return await _listed(
        database, backups, backup_keys, assurance, settings, clock, principal, cursor=cursor, which=which,
        notice=_NOTICES.get(done, ""),
    )  # fmt: skip


@post("/backups", **requires("backups.take"))
async def take(
    database: Database, backups: Backups, backup_keys: BackupKeys, assurance: Assurance, settings: Settings,
    clock: Clock, form: Form, principal: Principal,
) -> Response[Any]:  # fmt: skip
    try:
        async with database.operator() as tx:
            await backups.ask(tx, form.text("take"), by=principal)
    except Error as error:
        return await _listed(
            database, backups, backup_keys, assurance, settings, clock, principal, form=form, error=error
        )
    return see("/backups?done=taken")


@post("/backups/verify", **requires("backups.verify"))
async def verify(database: Database, backups: Backups, principal: Principal) -> Response[Any]:
    async with database.operator() as tx:
        await backups.ask_verification(tx, by=principal)
    return see("/backups?done=verified")


@post("/backups/recovery-key", **requires("backups.make_recovery_key", step_up=True))
async def make_recovery_key(database: Database, backup_keys: BackupKeys, principal: Principal) -> Template:
    """The only page that ever shows the kit: it is stored nowhere."""
    async with database.operator() as tx:
        kit = await backup_keys.make_recovery_key(tx, by=principal)
    return page("backups_kit.html", principal, status=201, kit=kit)


@get("/backups/points", **requires("backups.read"))
async def show_points(
    database: Database, backups: Backups, backup_keys: BackupKeys, replay: Replay, principal: Principal
) -> Template:
    async with database.operator_read() as tx:
        restores = await replay.page(tx)
    try:
        spans = await spans_of(backups, backup_keys)
    except Error as error:
        return page("backups_points.html", principal, error=error, spans=[], stretches=[], restores=restores)
    return page("backups_points.html", principal, spans=spans, stretches=joined(spans), restores=restores)


@get("/backups/runbook", **requires("backups.read"))
async def show_runbook(
    settings: Settings, database: Database, backups: Backups, drills: Drills, principal: Principal
) -> Template:
    return page("backups_runbook.html", principal, text=await written_runbook(settings, database, backups, drills))


@get("/backups/runbook.md", **requires("backups.read"))
async def keep_runbook(settings: Settings, database: Database, backups: Backups, drills: Drills) -> Response[bytes]:
    text = await written_runbook(settings, database, backups, drills)
    return download("restore-runbook.md", text.encode(), "text/markdown; charset=utf-8")


# --- the pages themselves ------------------------------------------------------------------------------------


async def _listed(
    database: Database, backups: Backups, backup_keys: BackupKeys, assurance: Assurance, settings: Settings,
    clock: Clock, principal: Principal, *, cursor: str | None = None, which: str = "", notice: str = "",
    form: Form = EMPTY, error: Error | None = None,
) -> Template:  # fmt: skip
    which = which if which in SERVERS else ""
    async with database.operator_read() as tx:
        rows = await backups.page(
            tx, server=which or None, before=decode_id_cursor(cursor), limit=PAGE_ROWS + 1, looks=which == "objects"
        )
        newest = await backups.newest(tx)
        keys = await backup_keys.every(tx)
        fresh = await _last_look(tx, assurance)
        busy = cursor is None and await backups.is_busy(tx)
    now = clock.now()
    return page(
        "backups_list.html", principal, notice=notice, error=error, which=which, servers=list(backups.servers),
        form=Form({"server": [which], "take": [form.text("take") or "main"]}), later=cursor is not None,
        backups=page_of(rows, PAGE_ROWS, lambda one: one.id), newest=newest, fresh=fresh,
        ages={name: age(one.taken_at, now) for name, one in newest.items() if one and one.taken_at},
        key=next((one for one in keys if one.retired_at is None), None),
        retired=[one for one in keys if one.retired_at is not None],
        place=backups.place.repository.place, offsite=settings.backup.offsite is not None,
        busy=busy, rpo=_rpo_state(fresh, now), rpo_seconds=settings.backup.rpo_seconds,
    )  # fmt: skip


async def _last_look(tx: OperatorReader, assurance: Assurance) -> Result | None:
    """What the check of freshness has found last; nothing where the document does not ask for it, or before."""
    try:
        runs = await assurance.history(tx, _MEASURE)
    except NotFound:
        return None
    return next((one for one in runs if one.name == _CHECK), None)


def _rpo_state(look: Result | None, now: datetime) -> str:
    """Whether what is written is stored in time, as the check has measured it: the rest of its verdict aside."""
    told = [value for name, value in look.facts.items() if name.startswith(_TOLD)] if look else []
    if look is None or now - look.checked_at > _OLD or len(told) < len(POSTGRES):
        return "unknown"
    return "broken" if any(value == "over the limit" for value in told) else "holds"


routes: list[Any] = [
    list_backups, take, verify, make_recovery_key, show_points, show_runbook, keep_runbook,
]  # fmt: skip
