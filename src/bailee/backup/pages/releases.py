"""Opening backups, in the console: one asks, another decides."""

from typing import Any

from litestar import Response, get, post
from litestar.response import Template

from bailee.access.accounts import Accounts
from bailee.access.api.common import id_of
from bailee.backup.model import PURPOSES, Purpose
from bailee.backup.pages.common import names_of
from bailee.backup.releases import Releases
from bailee.foundation.database import Database
from bailee.foundation.errors import Error
from bailee.foundation.http import Cursor, decode_id_cursor, page_of, requires
from bailee.foundation.pages import EMPTY, PAGE_ROWS, Form, attempt, page
from bailee.foundation.principal import Principal

_NOTICES = {
    "requested": "The request is made. A second person has to approve it within a day.",
    "approved": "It is approved, and can be used once within four hours.",
    "refused": "It is refused.",
}
_BY_PEOPLE = {name: title for name, title in PURPOSES.items() if name != Purpose.DRILL}


@get("/backups/releases", **requires("backups.read"))
async def list_releases(
    database: Database, releases: Releases, accounts: Accounts, principal: Principal, cursor: Cursor = None,
    done: str = "",
) -> Template:  # fmt: skip
    return await _listed(database, releases, accounts, principal, cursor=cursor, notice=_NOTICES.get(done, ""))


@post("/backups/releases", **requires("backup_releases.request", step_up=True))
async def request(
    database: Database, releases: Releases, accounts: Accounts, form: Form, principal: Principal
) -> Response[Any]:
    return await attempt(
        database,
        lambda tx: releases.request(tx, purpose=form.text("purpose"), reason=form.text("reason"), by=principal),
        lambda error: _listed(database, releases, accounts, principal, form=form, error=error),
        "/backups/releases?done=requested",
    )


@post("/backups/releases/{release:str}/approve", **requires("backup_releases.decide", step_up=True))
async def approve(
    database: Database, releases: Releases, accounts: Accounts, release: str, principal: Principal
) -> Response[Any]:
    return await attempt(
        database,
        lambda tx: releases.decide(tx, id_of(release), approve=True, by=principal),
        lambda error: _listed(database, releases, accounts, principal, error=error),
        "/backups/releases?done=approved",
    )


@post("/backups/releases/{release:str}/refuse", **requires("backup_releases.decide", step_up=True))
async def refuse(
    database: Database, releases: Releases, accounts: Accounts, release: str, principal: Principal
) -> Response[Any]:
    return await attempt(
        database,
        lambda tx: releases.decide(tx, id_of(release), approve=False, by=principal),
        lambda error: _listed(database, releases, accounts, principal, error=error),
        "/backups/releases?done=refused",
    )


async def _listed(
    database: Database, releases: Releases, accounts: Accounts, principal: Principal, *, cursor: str | None = None,
    notice: str = "", form: Form = EMPTY, error: Error | None = None,
) -> Template:  # fmt: skip
    async with database.operator_read() as tx:
        rows = await releases.page(tx, before=decode_id_cursor(cursor), limit=PAGE_ROWS + 1)
        names = await names_of(tx, accounts)
    return page(
        "backups_releases.html", principal, notice=notice, form=form, error=error, names=names, purposes=PURPOSES,
        by_people=_BY_PEOPLE, releases=page_of(rows, PAGE_ROWS, lambda one: one.id), later=cursor is not None,
    )  # fmt: skip


routes: list[Any] = [list_releases, request, approve, refuse]
