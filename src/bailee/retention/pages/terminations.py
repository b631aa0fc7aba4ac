"""Ends of contracts in the console: the tenant's own, a customer's for staff, and the certificate behind a link."""

import contextlib
from datetime import date
from typing import Annotated, Any

import msgspec
from litestar import Response, get, post
from litestar.params import QueryParameter
from litestar.response import Stream, Template

from bailee.foundation.database import Database
from bailee.foundation.errors import Error, FieldError, Invalid, NotFound
from bailee.foundation.http import requires
from bailee.foundation.pages import EMPTY, Form, page, see
from bailee.foundation.principal import Principal
from bailee.ledger.errors import LedgerPending
from bailee.retention.calendar import Calendar
from bailee.retention.certificates import Certificates
from bailee.retention.export import Export
from bailee.retention.model import Termination
from bailee.retention.pdf import render_certificate
from bailee.retention.terminations import Terminations
from bailee.tenants.api import tenant_id_of
from bailee.tenants.service import Tenants

_NOTICES = {"asked": "The end is asked for.", "cancelled": "The contract goes on.", "hastened": "Deletion begins now."}
Token = Annotated[str, QueryParameter(name="token", max_length=200)]


@get("/termination", **requires("tenant.read"))
async def show_own(
    database: Database, terminations: Terminations, principal: Principal, done: str = ""
) -> Template:  # fmt: skip
    return await _own(database, terminations, principal, notice=_NOTICES.get(done, ""))


@post("/termination", **requires("tenant.terminate", step_up=True))
async def request_own(database: Database, terminations: Terminations, principal: Principal) -> Response[Any]:
    try:
        await terminations.request_own(by=principal)
    except Error as error:
        return await _own(database, terminations, principal, error=error)
    return see("/termination?done=asked")


@post("/termination/cancel", **requires("tenant.cancel_termination", step_up=True))
async def cancel_own(database: Database, terminations: Terminations, principal: Principal) -> Response[Any]:
    try:
        await terminations.cancel_own(by=principal)
    except Error as error:
        return await _own(database, terminations, principal, error=error)
    return see("/termination?done=cancelled")


@post("/termination/export", **requires("tenant.export", step_up=True))
async def export_tenant(database: Database, export: Export, principal: Principal) -> Stream:
    async with database.tenant(principal.tenant) as tx:
        opened = await export.open(tx, by=principal)
    headers = {"Content-Disposition": f'attachment; filename="export-{opened.at:%Y-%m-%d}.zip"'}
    return Stream(export.content(opened), media_type="application/zip", headers=headers)


# --- for staff ----------------------------------------------------------------------------------------------


@get("/tenants/{tenant:str}/termination", **requires("terminations.read"))
async def show_for(
    database: Database, tenants: Tenants, terminations: Terminations, certificates: Certificates, calendar: Calendar,
    tenant: str, principal: Principal, done: str = "",
) -> Template:  # fmt: skip
    return await _theirs(
        database, tenants, terminations, certificates, calendar, tenant, principal, notice=_NOTICES.get(done, "")
    )


@post("/tenants/{tenant:str}/termination", **requires("tenants.terminate", step_up=True))
async def request_for(
    database: Database, tenants: Tenants, terminations: Terminations, certificates: Certificates, calendar: Calendar,
    tenant: str, form: Form, principal: Principal,
) -> Response[Any]:  # fmt: skip
    try:
        day, grace = _day(form), form.text("grace_days").strip()
        async with database.operator() as tx:
            await terminations.request_for(
                tx, tenant_id_of(tenant), contract_ended_on=day, by=principal,
                grace_days=int(grace) if grace.isascii() and grace.isdecimal() and len(grace) < 5 else None,  # noqa: PLR2004  more than any limit
            )  # fmt: skip
    except Error as error:
        return await _theirs(
            database, tenants, terminations, certificates, calendar, tenant, principal, form=form, error=error
        )
    return see(f"/tenants/{tenant}/termination?done=asked")


@post("/tenants/{tenant:str}/termination/cancel", **requires("tenants.cancel_termination", step_up=True))
async def cancel_for(
    database: Database, tenants: Tenants, terminations: Terminations, certificates: Certificates, calendar: Calendar,
    tenant: str, principal: Principal,
) -> Response[Any]:  # fmt: skip
    try:
        async with database.operator() as tx:
            await terminations.cancel_for(tx, tenant_id_of(tenant), by=principal)
    except Error as error:
        return await _theirs(
            database, tenants, terminations, certificates, calendar, tenant, principal, error=error
        )  # fmt: skip
    return see(f"/tenants/{tenant}/termination?done=cancelled")


@post("/tenants/{tenant:str}/termination/close", **requires("tenants.close", step_up=True))
async def hasten(
    database: Database, tenants: Tenants, terminations: Terminations, certificates: Certificates, calendar: Calendar,
    tenant: str, form: Form, principal: Principal,
) -> Response[Any]:  # fmt: skip
    try:
        async with database.operator() as tx:
            name = (await tenants.get(tx, tenant_id_of(tenant))).name
            if form.text("confirm").strip() != name.strip():
                message = "Enter the tenant’s name exactly as it is shown above."
                raise Invalid("Nothing was changed.", errors=[FieldError("confirm", message)])
            await terminations.hasten(tx, tenant_id_of(tenant), by=principal)
    except Error as error:
        return await _theirs(
            database, tenants, terminations, certificates, calendar, tenant, principal, error=error
        )  # fmt: skip
    return see(f"/tenants/{tenant}/termination?done=hastened")


@post("/tenants/{tenant:str}/certificates/{version:int}", **requires("terminations.read_certificate"))
async def open_certificate(
    database: Database, certificates: Certificates, tenant: str, version: int, form: Form, principal: Principal
) -> Response[bytes]:
    async with database.operator() as tx:
        signed = await certificates.open(tx, tenant_id_of(tenant), version, by=principal)
    if form.text("as") == "pdf":
        return _file(await render_certificate(signed), "pdf", "application/pdf")
    return _file(msgspec.json.encode(signed), "json", "application/json")


# --- for whoever was a customer -------------------------------------------------------------------------------


@get("/certificate")
async def ask_for_certificate(principal: Principal, token: Token = "") -> Template:
    """A page between the letter and the download: what looks at links by itself uses none up."""
    return page("certificate.html", principal, token=token)


@post("/certificate")
async def open_link(database: Database, certificates: Certificates, form: Form, principal: Principal) -> Response[Any]:
    try:
        async with database.operator() as tx:
            signed = await certificates.open_link(tx, form.text("token")[:200], by=principal)
    except (NotFound, LedgerPending) as error:
        return page("certificate.html", principal, token=form.text("token"), error=error)
    return _file(msgspec.json.encode(signed), "json", "application/json")


async def _own(
    database: Database, terminations: Terminations, principal: Principal, *, notice: str = "",
    error: Error | None = None,
) -> Template:  # fmt: skip
    found: Termination | None = None
    async with database.tenant_read(principal.tenant) as tx:
        with contextlib.suppress(NotFound):  # the contract goes on
            found = await terminations.get(tx, principal.tenant)
    return page("termination_own.html", principal, termination=found, notice=notice, error=error)


async def _theirs(
    database: Database, tenants: Tenants, terminations: Terminations, certificates: Certificates, calendar: Calendar,
    tenant: str, principal: Principal, *, notice: str = "", form: Form = EMPTY, error: Error | None = None,
) -> Template:  # fmt: skip
    found: Termination | None = None
    async with database.operator_read() as tx:
        customer = await tenants.get(tx, tenant_id_of(tenant))
        with contextlib.suppress(NotFound):  # the contract goes on
            found = await terminations.get(tx, customer.id)
        issued = await certificates.list(tx, customer.id)
        dates = await calendar.of_tenant(tx, customer.id)
    return page(
        "termination_show.html", principal, tenant=customer, termination=found, certificates=issued, calendar=dates,
        notice=notice, form=form, error=error,
    )  # fmt: skip


def _file(content: bytes, ending: str, media_type: str) -> Response[bytes]:
    headers = {"Content-Disposition": f'attachment; filename="certificate-of-deletion.{ending}"'}
    return Response(content, media_type=media_type, headers=headers)


def _day(form: Form) -> date:
    try:
        return date.fromisoformat(form.text("contract_ended_on").strip())
    except ValueError:
        message = "Give a day, as 2026-12-31."
        raise Invalid("Nothing was asked for.", errors=[FieldError("contract_ended_on", message)]) from None


routes: list[Any] = [
    show_own, request_own, cancel_own, export_tenant, show_for, request_for, cancel_for, hasten, open_certificate,
    ask_for_certificate, open_link,
]  # fmt: skip
