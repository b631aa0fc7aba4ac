"""Opening backups over REST: one asks, another decides."""

import msgspec
from litestar import Router, get, post

from bailee.access.api.common import id_of
from bailee.backup.model import Release
from bailee.backup.releases import Releases
from bailee.foundation.database import Database
from bailee.foundation.http import Cursor, Limit, Page, decode_id_cursor, page_of, problems, requires
from bailee.foundation.principal import Principal


class NewRelease(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What for (`disaster_recovery` or `legal_retention`), and why, in 10 to 500 characters."""

    purpose: str
    reason: str


@get("/backup-releases", summary="Requests to open backups, newest first", operation_id="listBackupReleases",
     responses=problems(), **requires("backups.read"))  # fmt: skip
async def list_releases(
    database: Database, releases: Releases, limit: Limit = 100, cursor: Cursor = None
) -> Page[Release]:  # fmt: skip
    async with database.operator_read() as tx:
        rows = await releases.page(tx, before=decode_id_cursor(cursor), limit=limit + 1)
    return page_of(rows, limit, lambda one: one.id)


@post("/backup-releases", summary="Ask to open backups", operation_id="requestBackupRelease", responses=problems(),
      **requires("backup_releases.request", step_up=True))  # fmt: skip
async def request_release(database: Database, releases: Releases, data: NewRelease, principal: Principal) -> Release:
    async with database.operator() as tx:
        return await releases.request(tx, purpose=data.purpose, reason=data.reason, by=principal)


@post("/backup-releases/{release:str}/approve", summary="Approve somebody else's request",
      operation_id="approveBackupRelease", status_code=200, responses=problems(409),
      **requires("backup_releases.decide", step_up=True))  # fmt: skip
async def approve_release(database: Database, releases: Releases, release: str, principal: Principal) -> Release:
    async with database.operator() as tx:
        return await releases.decide(tx, id_of(release), approve=True, by=principal)


@post("/backup-releases/{release:str}/refuse", summary="Refuse somebody else's request",
      operation_id="refuseBackupRelease", status_code=200, responses=problems(409),
      **requires("backup_releases.decide", step_up=True))  # fmt: skip
async def refuse_release(database: Database, releases: Releases, release: str, principal: Principal) -> Release:
    async with database.operator() as tx:
        return await releases.decide(tx, id_of(release), approve=False, by=principal)


router = Router(
    "/", route_handlers=[list_releases, request_release, approve_release, refuse_release], tags=["Backups"]
)  # fmt: skip
