"""Notices of breaches in the customer's portal."""

from typing import Any

from litestar import Response, get
from litestar.response import Template

from bailee.access.api.common import id_of
from bailee.foundation.database import Database
from bailee.foundation.http import Cursor, decode_id_cursor, download, encode_cursor, page_of, requires
from bailee.foundation.pages import PAGE_ROWS, page
from bailee.foundation.principal import Principal
from bailee.incidents.api.common import decode_holder_cursor
from bailee.incidents.model import PARTS
from bailee.incidents.pdf import render_notice
from bailee.incidents.services import IncidentServices


@get("/notices", **requires("notices.read"))
async def list_notices(
    database: Database, incident_services: IncidentServices, principal: Principal, cursor: Cursor = None
) -> Template:
    async with database.tenant_read(principal.tenant) as tx:
        rows = await incident_services.notices.sent(tx, before=decode_id_cursor(cursor), limit=PAGE_ROWS + 1)
    return page(
        "notices_list.html", principal, notices=page_of(rows, PAGE_ROWS, lambda one: one.incident_id),
        later=cursor is not None,
    )  # fmt: skip


@get("/notices/{incident:str}", **requires("notices.open"))
async def show_notice(
    database: Database, incident_services: IncidentServices, incident: str, principal: Principal
) -> Template:  # fmt: skip
    async with database.tenant(principal.tenant) as tx:
        versions = await incident_services.notices.open(tx, id_of(incident), by=principal)
        reached = await incident_services.notices.reached(tx, id_of(incident), versions[-1].version)
    return page("notices_show.html", principal, versions=versions, latest=versions[-1], reached=reached, parts_of=PARTS)


@get("/notices/{incident:str}/subjects", **requires("notices.list_subjects"))
async def list_subjects(
    database: Database, incident_services: IncidentServices, incident: str, principal: Principal,
    cursor: Cursor = None, sureness: str = "certain",
) -> Template:  # fmt: skip
    sureness = sureness if sureness in ("certain", "possible") else "certain"
    after = decode_holder_cursor(cursor)
    async with database.tenant(principal.tenant) as tx:
        subjects, following = await incident_services.notices.list_subjects(
            tx, id_of(incident), sureness=sureness, after=after, limit=PAGE_ROWS, by=principal,
        )  # fmt: skip
    return page(
        "notice_subjects.html", principal, incident=incident, subjects=subjects, sureness=sureness,
        pages={"next": encode_cursor(following.hex()) if following else None}, later=cursor is not None,
    )  # fmt: skip


@get("/notices/{incident:str}/{version:int}/pdf", **requires("notices.open"))
async def notice_pdf(
    database: Database, incident_services: IncidentServices, incident: str, version: int, principal: Principal
) -> Response[bytes]:
    async with database.tenant(principal.tenant) as tx:
        await incident_services.notices.open(tx, id_of(incident), by=principal)
        notice, reached = await incident_services.notices.version(tx, tx.tenant, id_of(incident), version)
    return download(f"notice-{notice.number}-{version}.pdf", await render_notice(notice, reached), "application/pdf")


routes: list[Any] = [list_notices, show_notice, list_subjects, notice_pdf]
