"""A breach over REST, for staff: its verification, its blast radius, and the notices to customers."""

from datetime import datetime

import msgspec
from litestar import Response, Router, get, post, put

from bailee.access.api.common import id_of
from bailee.foundation.database import Database
from bailee.foundation.http import download, problems, requires
from bailee.foundation.principal import Principal
from bailee.incidents.breaches import Breaches
from bailee.incidents.bulk import Bulk, BulkResult
from bailee.incidents.model import Breach, Delivery, Incident, Notice, Reach, Reading, Scope
from bailee.incidents.notices import Notices
from bailee.incidents.pdf import render_notice


class BreachView(msgspec.Struct, frozen=True):
    """A verified breach and its clock: seconds passed and left of the 24 hours, whatever clocks were set to."""

    verified_at: datetime
    verified_by: str
    facts: str
    due_at: datetime
    elapsed_seconds: int
    left_seconds: int
    reminded_percent: int
    told_at: datetime | None

    @classmethod
    def of(cls, breach: Breach) -> "BreachView":
        return cls(
            breach.verified_at, breach.verified_by, breach.facts, breach.due_at, int(breach.elapsed.total_seconds()),
            int(breach.left.total_seconds()), breach.reminded, breach.told_at,
        )  # fmt: skip


class NoticeDetails(msgspec.Struct, frozen=True):
    """Every version of a notice, oldest first, how it went out, and who has read it."""

    versions: list[Notice]
    missing: list[str]
    """The parts of the latest version that say nothing yet."""
    deliveries: list[Delivery]
    readings: list[Reading]


class Verification(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """On what facts, and when it was verified, if that was not at this moment."""

    facts: str
    at: datetime | None = None


class Why(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    reason: str


class NoticeText(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parts of a notice; those that are left out stay as they are."""

    nature: str | None = None
    impact: str | None = None
    mitigation_taken: str | None = None
    mitigation_planned: str | None = None
    contact: str | None = None
    late_reason: str | None = None


@post("/incidents/{incident:str}/breach", summary="Verify that it is a breach of personal data",
      operation_id="verifyBreach", responses=problems(409),
      **requires("breaches.verify", step_up=True))  # fmt: skip
async def verify_breach(
    database: Database, breaches: Breaches, incident: str, data: Verification, principal: Principal
) -> BreachView:
    async with database.operator() as tx:
        breach = await breaches.verify(tx, id_of(incident), facts=data.facts, at=data.at, by=principal)
    return BreachView.of(breach)


@post("/incidents/{incident:str}/breach/dismiss", summary="Say that it is none", operation_id="dismissBreach",
      status_code=200, responses=problems(409), **requires("breaches.dismiss", step_up=True))  # fmt: skip
async def dismiss_breach(
    database: Database, breaches: Breaches, incident: str, data: Why, principal: Principal
) -> Incident:  # fmt: skip
    async with database.operator() as tx:
        return await breaches.dismiss(tx, id_of(incident), reason=data.reason, by=principal)


@post("/incidents/{incident:str}/reach", summary="Compute its blast radius", operation_id="traceIncident",
      responses=problems(409), **requires("breaches.trace"))  # fmt: skip
async def trace_incident(breaches: Breaches, incident: str, data: Scope, principal: Principal) -> Reach:
    return await breaches.trace(id_of(incident), data, by=principal)


# --- notices ---------------------------------------------------------------------------------------------


@get("/incidents/{incident:str}/notices/{tenant:str}", summary="A customer's notice, in all versions",
     operation_id="getIncidentNotice", responses=problems(), **requires("incidents.read"))  # fmt: skip
async def get_notice(database: Database, notices: Notices, incident: str, tenant: str) -> NoticeDetails:
    async with database.operator_read() as tx:
        versions = await notices.get(tx, id_of(incident), id_of(tenant))
        place = (versions[0].incident_id, versions[0].tenant_id)
        return NoticeDetails(
            versions, versions[-1].missing, await notices.deliveries(tx, *place), await notices.readings(tx, *place)
        )


@get("/incidents/{incident:str}/notices/{tenant:str}/{version:int}/pdf", summary="One version as PDF",
     operation_id="getIncidentNoticePdf", responses=problems(), **requires("incidents.read"))  # fmt: skip
async def get_notice_pdf(
    database: Database, notices: Notices, incident: str, tenant: str, version: int
) -> Response[bytes]:  # fmt: skip
    async with database.operator_read() as tx:
        notice, reached = await notices.version(tx, id_of(tenant), id_of(incident), version)
    return download(f"notice-{notice.number}-{version}.pdf", await render_notice(notice, reached), "application/pdf")


@post("/incidents/{incident:str}/notices/{tenant:str}", summary="Draft a notice, or a supplement to one that was sent",
      operation_id="draftNotice", responses=problems(409), **requires("notices.draft"))  # fmt: skip
async def draft_notice(
    database: Database, notices: Notices, incident: str, tenant: str, principal: Principal
) -> Notice:  # fmt: skip
    async with database.operator() as tx:
        return await notices.draft(tx, id_of(incident), id_of(tenant), by=principal)


@put("/incidents/{incident:str}/notices/{tenant:str}/{version:int}", summary="Write a draft", operation_id="editNotice",
     responses=problems(409), **requires("notices.edit"))  # fmt: skip
async def edit_notice(
    database: Database, notices: Notices, incident: str, tenant: str, version: int, data: NoticeText,
    principal: Principal,
) -> Notice:  # fmt: skip
    text = {name: value for name, value in msgspec.structs.asdict(data).items() if value is not None}
    async with database.operator() as tx:
        return await notices.edit(tx, id_of(incident), id_of(tenant), version, text=text, by=principal)


@post("/incidents/{incident:str}/notices/{tenant:str}/{version:int}/discard", summary="Throw a draft away",
      operation_id="discardNotice", status_code=204, responses=problems(409),
      **requires("notices.discard"))  # fmt: skip
async def discard_notice(
    database: Database, notices: Notices, incident: str, tenant: str, version: int, data: Why, principal: Principal
) -> None:
    async with database.operator() as tx:
        await notices.discard(tx, id_of(incident), id_of(tenant), version, reason=data.reason, by=principal)


@post("/incidents/{incident:str}/notices/{tenant:str}/{version:int}/approve", summary="Find a draft right",
      operation_id="approveNotice", status_code=200, responses=problems(409),
      **requires("notices.approve", step_up=True))  # fmt: skip
async def approve_notice(
    database: Database, notices: Notices, incident: str, tenant: str, version: int, principal: Principal
) -> Notice:
    async with database.operator() as tx:
        return await notices.approve(tx, id_of(incident), id_of(tenant), version, by=principal)


@post("/incidents/{incident:str}/notices/{tenant:str}/{version:int}/send", summary="Send an approved version",
      operation_id="sendNotice", status_code=200, responses=problems(409),
      **requires("notices.send", step_up=True))  # fmt: skip
async def send_notice(
    database: Database, notices: Notices, incident: str, tenant: str, version: int, principal: Principal
) -> Notice:
    async with database.operator() as tx:
        return await notices.send(tx, id_of(incident), id_of(tenant), version, by=principal)


@put("/incidents/{incident:str}/notices", summary="Write the same into every draft", operation_id="editNotices",
     responses=problems(409), **requires("notices.edit"))  # fmt: skip
async def edit_notices(bulk: Bulk, incident: str, data: NoticeText, principal: Principal) -> BulkResult:
    text = {name: value for name, value in msgspec.structs.asdict(data).items() if value is not None}
    return await bulk.edit(id_of(incident), text=text, by=principal)


@post("/incidents/{incident:str}/approve-notices", summary="Find every complete draft right",
      operation_id="approveNotices", status_code=200, responses=problems(409),
      **requires("notices.approve", step_up=True))  # fmt: skip
async def approve_notices(bulk: Bulk, incident: str, principal: Principal) -> BulkResult:
    return await bulk.approve(id_of(incident), by=principal)


@post("/incidents/{incident:str}/send-notices", summary="Send every approved version", operation_id="sendNotices",
      status_code=200, responses=problems(409), **requires("notices.send", step_up=True))  # fmt: skip
async def send_notices(bulk: Bulk, incident: str, principal: Principal) -> BulkResult:
    return await bulk.send(id_of(incident), by=principal)


router = Router(
    "/",
    route_handlers=[
        verify_breach, dismiss_breach, trace_incident, get_notice, get_notice_pdf, draft_notice, edit_notice,
        discard_notice, approve_notice, send_notice, edit_notices, approve_notices, send_notices,
    ],
    tags=["Incidents"],
)  # fmt: skip
