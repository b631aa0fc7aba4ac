"""Notices of breaches over REST, for the customer that they are sent to."""

from typing import Annotated

import msgspec
from litestar import Response, Router, get
from litestar.params import QueryParameter

from bailee.access.api.common import id_of
from bailee.foundation.database import Database
from bailee.foundation.http import (
    Cursor,
    Limit,
    Page,
    decode_id_cursor,
    download,
    encode_cursor,
    page_of,
    problems,
    requires,
)
from bailee.foundation.principal import Principal
from bailee.incidents.api.common import decode_holder_cursor
from bailee.incidents.model import Notice, ReachedCollection
from bailee.incidents.notices import Notices, NoticeSubject
from bailee.incidents.pdf import render_notice

Sure = Annotated[
    str, QueryParameter(name="sureness", pattern="^(certain|possible)$", description="How sure it is that they are.")
]


class SentNotice(msgspec.Struct, frozen=True):
    """Every version that was sent, oldest first, and what of your data the latest is about."""

    versions: list[Notice]
    reached: list[ReachedCollection]


@get("/notices", summary="Notices of breaches, newest first", operation_id="listNotices", responses=problems(),
     **requires("notices.read"))  # fmt: skip
async def list_notices(
    database: Database, notices: Notices, principal: Principal, limit: Limit = 100, cursor: Cursor = None
) -> Page[Notice]:
    async with database.tenant_read(principal.tenant) as tx:
        rows = await notices.sent(tx, before=decode_id_cursor(cursor), limit=limit + 1)
    return page_of(rows, limit, lambda one: one.incident_id)


@get("/notices/{incident:str}", summary="One notice; that it was read is on record", operation_id="getNotice",
     responses=problems(), **requires("notices.open"))  # fmt: skip
async def get_notice(database: Database, notices: Notices, incident: str, principal: Principal) -> SentNotice:
    incident_id = id_of(incident)
    async with database.tenant(principal.tenant) as tx:
        versions = await notices.open(tx, incident_id, by=principal)
        return SentNotice(versions, await notices.reached(tx, incident_id, versions[-1].version))


@get("/notices/{incident:str}/{version:int}/pdf", summary="One version as PDF", operation_id="getNoticePdf",
     responses=problems(), **requires("notices.open"))  # fmt: skip
async def get_notice_pdf(
    database: Database, notices: Notices, incident: str, version: int, principal: Principal
) -> Response[bytes]:  # fmt: skip
    async with database.tenant(principal.tenant) as tx:
        await notices.open(tx, id_of(incident), by=principal)
        notice, reached = await notices.version(tx, tx.tenant, id_of(incident), version)
    return download(f"notice-{notice.number}-{version}.pdf", await render_notice(notice, reached), "application/pdf")


@get("/notices/{incident:str}/subjects", summary="The people whom it concerns", operation_id="listNoticeSubjects",
     responses=problems(), **requires("notices.list_subjects"))  # fmt: skip
async def list_subjects(
    database: Database, notices: Notices, incident: str, principal: Principal, limit: Limit = 100,
    cursor: Cursor = None, sureness: Sure = "certain",
) -> Page[NoticeSubject]:  # fmt: skip
    after = decode_holder_cursor(cursor)
    async with database.tenant(principal.tenant) as tx:
        found, following = await notices.list_subjects(
            tx, id_of(incident), sureness=sureness, after=after, limit=limit, by=principal,
        )  # fmt: skip
    return Page(found, encode_cursor(following.hex()) if following else None)


router = Router(
    "/", route_handlers=[list_notices, get_notice, get_notice_pdf, list_subjects], tags=["Notices"]
)  # fmt: skip
