"""Ends of contracts over REST: terminations, the return of data, certificates, the rotation calendar."""

from datetime import date
from typing import Annotated

import msgspec
from litestar import Response, Router, get, post
from litestar.params import QueryParameter
from litestar.response import Stream

from bailee.foundation.database import Database
from bailee.foundation.http import problems, requires
from bailee.foundation.principal import Principal
from bailee.retention.calendar import Calendar, CalendarView
from bailee.retention.certificate import SignedCertificate
from bailee.retention.certificates import Certificates
from bailee.retention.export import Export
from bailee.retention.model import Termination
from bailee.retention.pdf import render_certificate
from bailee.retention.terminations import Terminations
from bailee.tenants.api import tenant_id_of


class NewTermination(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """On which day the contract ends, and for how many days after it the data can be taken along."""

    contract_ended_on: date
    grace_days: int | None = None


class Link(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    token: Annotated[str, msgspec.Meta(max_length=200)]


_Subject = Annotated[str, QueryParameter(name="subject", max_length=256, description="The data subject's identifier.")]


@get("/termination", summary="The end of one's own contract", operation_id="getOwnTermination", responses=problems(),
     **requires("tenant.read"))  # fmt: skip
async def get_own(database: Database, terminations: Terminations, principal: Principal) -> Termination:
    async with database.tenant_read(principal.tenant) as tx:
        return await terminations.get(tx, principal.tenant)


@post("/termination", summary="End one's own contract", operation_id="requestOwnTermination", responses=problems(409),
      **requires("tenant.terminate", step_up=True))  # fmt: skip
async def request_own(terminations: Terminations, principal: Principal) -> Termination:
    return await terminations.request_own(by=principal)


@post("/termination/cancel", summary="Have one's own contract go on", operation_id="cancelOwnTermination",
      status_code=200, responses=problems(409), **requires("tenant.cancel_termination", step_up=True))  # fmt: skip
async def cancel_own(terminations: Terminations, principal: Principal) -> Termination:
    return await terminations.cancel_own(by=principal)


@post("/export", summary="Take all data along, as one ZIP", operation_id="exportTenant", status_code=200,
      media_type="application/zip", responses=problems(),
      **requires("tenant.export", step_up=True))  # fmt: skip
async def export_tenant(database: Database, export: Export, principal: Principal) -> Stream:
    async with database.tenant(principal.tenant) as tx:
        opened = await export.open(tx, by=principal)
    headers = {"Content-Disposition": f'attachment; filename="export-{opened.at:%Y-%m-%d}.zip"'}
    return Stream(export.content(opened), media_type="application/zip", headers=headers)


@get("/rotation-calendar", summary="Which backups hold a data subject, and until when",
     operation_id="getSubjectCalendar", responses=problems(), **requires("subjects.view"))  # fmt: skip
async def subject_calendar(calendar: Calendar, subject: _Subject, principal: Principal) -> CalendarView:
    return await calendar.of_subject(principal.tenant, subject)


# --- for staff ------------------------------------------------------------------------------------------


@get("/terminations", summary="Ends of contracts, newest first", operation_id="listTerminations",
     responses=problems(), **requires("terminations.read"))  # fmt: skip
async def list_terminations(database: Database, terminations: Terminations) -> list[Termination]:
    async with database.operator_read() as tx:
        return await terminations.every(tx)


@get("/tenants/{tenant:str}/termination", summary="The end of a customer's contract", operation_id="getTermination",
     responses=problems(), **requires("terminations.read"))  # fmt: skip
async def get_termination(database: Database, terminations: Terminations, tenant: str) -> Termination:
    async with database.operator_read() as tx:
        return await terminations.get(tx, tenant_id_of(tenant))


@post("/tenants/{tenant:str}/termination", summary="End a customer's contract", operation_id="requestTermination",
      responses=problems(409), **requires("tenants.terminate", step_up=True))  # fmt: skip
async def request_for(
    database: Database, terminations: Terminations, tenant: str, data: NewTermination, principal: Principal
) -> Termination:
    async with database.operator() as tx:
        return await terminations.request_for(
            tx, tenant_id_of(tenant), contract_ended_on=data.contract_ended_on, grace_days=data.grace_days,
            by=principal,
        )  # fmt: skip


@post("/tenants/{tenant:str}/termination/cancel", summary="Have a customer's contract go on",
      operation_id="cancelTermination", status_code=200, responses=problems(409),
      **requires("tenants.cancel_termination", step_up=True))  # fmt: skip
async def cancel_for(database: Database, terminations: Terminations, tenant: str, principal: Principal) -> Termination:
    async with database.operator() as tx:
        return await terminations.cancel_for(tx, tenant_id_of(tenant), by=principal)


@post("/tenants/{tenant:str}/termination/close", summary="End a grace period that the operator has given, at once",
      operation_id="closeTenant", status_code=200, responses=problems(409),
      **requires("tenants.close", step_up=True))  # fmt: skip
async def hasten(database: Database, terminations: Terminations, tenant: str, principal: Principal) -> Termination:
    async with database.operator() as tx:
        return await terminations.hasten(tx, tenant_id_of(tenant), by=principal)


@post("/tenants/{tenant:str}/certificates/{version:int}", summary="A certificate of deletion, signed and proven",
      operation_id="getCertificate", status_code=200, responses=problems(409),
      **requires("terminations.read_certificate"))  # fmt: skip
async def open_certificate(
    database: Database, certificates: Certificates, tenant: str, version: int, principal: Principal
) -> SignedCertificate:
    async with database.operator() as tx:
        return await certificates.open(tx, tenant_id_of(tenant), version, by=principal)


@post("/tenants/{tenant:str}/certificates/{version:int}/pdf", summary="A certificate of deletion as PDF",
      operation_id="getCertificatePdf", status_code=200, media_type="application/pdf", responses=problems(409),
      **requires("terminations.read_certificate"))  # fmt: skip
async def open_pdf(
    database: Database, certificates: Certificates, tenant: str, version: int, principal: Principal
) -> Response[bytes]:
    async with database.operator() as tx:
        signed = await certificates.open(tx, tenant_id_of(tenant), version, by=principal)
    return Response(await render_certificate(signed), media_type="application/pdf")


@get("/tenants/{tenant:str}/rotation-calendar", summary="Which backups hold a customer, and until when",
     operation_id="getTenantCalendar", responses=problems(), **requires("tenants.read"))  # fmt: skip
async def tenant_calendar(database: Database, calendar: Calendar, tenant: str) -> CalendarView:
    async with database.operator_read() as tx:
        return await calendar.of_tenant(tx, tenant_id_of(tenant))


# --- for whoever was a customer ---------------------------------------------------------------------------


@post("/certificate", summary="The certificate behind a link, once", operation_id="openCertificateLink",
      status_code=200, responses=problems(409))  # fmt: skip
async def open_link(
    database: Database, certificates: Certificates, data: Link, principal: Principal
) -> SignedCertificate:  # fmt: skip
    async with database.operator() as tx:
        return await certificates.open_link(tx, data.token, by=principal)


router = Router(
    "/",
    route_handlers=[
        get_own, request_own, cancel_own, export_tenant, subject_calendar, list_terminations, get_termination,
        request_for, cancel_for, hasten, open_certificate, open_pdf, tenant_calendar, open_link,
    ],
    tags=["Terminations"],
)  # fmt: skip
