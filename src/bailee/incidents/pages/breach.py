"""Verification, blast radius and notices of a breach in the console."""

from datetime import timedelta
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.response import Template

from bailee.access.accounts import Accounts
from bailee.access.api.common import id_of
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database
from bailee.foundation.errors import Error, FieldError, Invalid
from bailee.foundation.http import download, requires
from bailee.foundation.pages import EMPTY, Form, attempt, page, see
from bailee.foundation.principal import Principal
from bailee.incidents.bulk import BulkResult
from bailee.incidents.model import PARTS, Scope
from bailee.incidents.pages.common import moment_of, optional_id, people
from bailee.incidents.pdf import render_notice
from bailee.incidents.services import IncidentServices

_NOTICES = {
    "verified": "The clock runs. Compute the blast radius, if you have not, and see to the notices.",
    "traced": "The blast radius is computed.",
    "drafted": "The draft is made.",
    "edited": "The draft is kept. A second person has to approve it.",
    "approved": "The version is approved, and can be sent.",
    "sent": "The notice is sent. How it arrives stands below.",
    "discarded": "The draft is gone.",
}
_WINDOW = timedelta(days=1)


@get("/incidents/{incident:str}/breach", **requires("incidents.read"))
async def show_breach(
    database: Database, incident_services: IncidentServices, accounts: Accounts, clock: Clock, incident: str,
    principal: Principal, done: str = "",
) -> Template:  # fmt: skip
    until = clock.now()
    window = {"since": [f"{until - _WINDOW:%Y-%m-%dT%H:%M}"], "until": [f"{until:%Y-%m-%dT%H:%M}"]}
    return await _shown(
        database, incident_services, accounts, incident, principal, form=Form(window), notice=_NOTICES.get(done, "")
    )


@post("/incidents/{incident:str}/breach", **requires("breaches.verify", step_up=True))
async def verify(
    database: Database, incident_services: IncidentServices, accounts: Accounts, incident: str, form: Form,
    principal: Principal,
) -> Response[Any]:  # fmt: skip
    async def act(tx: Any) -> object:
        return await incident_services.breaches.verify(
            tx, id_of(incident), facts=form.text("facts"), at=moment_of("at", form.text("at")), by=principal
        )

    return await attempt(
        database,
        act,
        lambda error: _shown(database, incident_services, accounts, incident, principal, form=form, error=error),
        f"/incidents/{incident}/breach?done=verified",
    )


@post("/incidents/{incident:str}/breach/dismiss", **requires("breaches.dismiss", step_up=True))
async def dismiss(
    database: Database, incident_services: IncidentServices, accounts: Accounts, incident: str, form: Form,
    principal: Principal,
) -> Response[Any]:  # fmt: skip
    return await attempt(
        database,
        lambda tx: incident_services.breaches.dismiss(tx, id_of(incident), reason=form.text("reason"), by=principal),
        lambda error: _shown(database, incident_services, accounts, incident, principal, form=form, error=error),
        f"/incidents/{incident}?done=dismissed",
    )


@post("/incidents/{incident:str}/reach", **requires("breaches.trace"))
async def trace(
    database: Database, incident_services: IncidentServices, accounts: Accounts, incident: str, form: Form,
    principal: Principal,
) -> Response[Any]:  # fmt: skip
    try:
        await incident_services.breaches.trace(id_of(incident), _scope(form), by=principal)
    except Error as error:
        return await _shown(database, incident_services, accounts, incident, principal, form=form, error=error)
    return see(f"/incidents/{incident}/breach?done=traced")


@get("/incidents/{incident:str}/notices", **requires("incidents.read"))
async def list_notices(
    database: Database, incident_services: IncidentServices, incident: str, principal: Principal, done: str = ""
) -> Template:
    return await _listed(database, incident_services, incident, principal, notice=_NOTICES.get(done, ""))


@post("/incidents/{incident:str}/notices", **requires("notices.draft"))
async def draft_for(
    database: Database, incident_services: IncidentServices, incident: str, form: Form, principal: Principal
) -> Response[Any]:
    """For a customer of whom the log knows nothing."""
    tenant = form.text("tenant").strip()

    async def act(tx: Any) -> object:
        tenant_id = optional_id("tenant", tenant)
        if tenant_id is None:
            raise Invalid("No draft is made.", errors=[FieldError("tenant", "Give the customer's id.")])
        return await incident_services.notices.draft(tx, id_of(incident), tenant_id, by=principal)

    return await attempt(
        database,
        act,
        lambda error: _listed(database, incident_services, incident, principal, form=form, error=error),
        f"/incidents/{incident}/notices/{tenant}?done=drafted",
    )


@post("/incidents/{incident:str}/notices/all", **requires("notices.edit"))
async def edit_all(
    database: Database, incident_services: IncidentServices, incident: str, form: Form, principal: Principal
) -> Response[Any]:
    """What is left empty stays as each draft has it."""
    text = {name: form.text(name) for name in PARTS if form.text(name).strip()}
    try:
        result = await incident_services.bulk.edit(id_of(incident), text=text, by=principal)
    except Error as error:
        return await _listed(database, incident_services, incident, principal, form=form, error=error)
    return await _listed(database, incident_services, incident, principal, result=result)


@post("/incidents/{incident:str}/approve-notices", **requires("notices.approve", step_up=True))
async def approve_all(
    database: Database, incident_services: IncidentServices, incident: str, principal: Principal
) -> Response[Any]:
    result = await incident_services.bulk.approve(id_of(incident), by=principal)
    return await _listed(database, incident_services, incident, principal, result=result)


@post("/incidents/{incident:str}/send-notices", **requires("notices.send", step_up=True))
async def send_all(
    database: Database, incident_services: IncidentServices, incident: str, principal: Principal
) -> Response[Any]:
    result = await incident_services.bulk.send(id_of(incident), by=principal)
    return await _listed(database, incident_services, incident, principal, result=result)


@get("/incidents/{incident:str}/notices/{tenant:str}", **requires("incidents.read"))
async def show_notice(
    database: Database, incident_services: IncidentServices, accounts: Accounts, incident: str, tenant: str,
    principal: Principal, done: str = "",
) -> Template:  # fmt: skip
    return await _notice(
        database, incident_services, accounts, incident, tenant, principal, notice=_NOTICES.get(done, "")
    )


@post("/incidents/{incident:str}/notices/{tenant:str}/supplement", **requires("notices.draft"))
async def supplement(
    database: Database, incident_services: IncidentServices, accounts: Accounts, incident: str, tenant: str,
    principal: Principal,
) -> Response[Any]:  # fmt: skip
    return await attempt(
        database,
        lambda tx: incident_services.notices.draft(tx, id_of(incident), id_of(tenant), by=principal),
        lambda error: _notice(database, incident_services, accounts, incident, tenant, principal, error=error),
        f"/incidents/{incident}/notices/{tenant}?done=drafted",
    )


@post("/incidents/{incident:str}/notices/{tenant:str}/{version:int}", **requires("notices.edit"))
async def edit(
    database: Database, incident_services: IncidentServices, accounts: Accounts, incident: str, tenant: str,
    version: int, form: Form, principal: Principal,
) -> Response[Any]:  # fmt: skip
    text = {name: form.text(name) for name in (*PARTS, "late_reason")}
    return await attempt(
        database,
        lambda tx: incident_services.notices.edit(tx, id_of(incident), id_of(tenant), version, text=text, by=principal),
        lambda error: _notice(
            database, incident_services, accounts, incident, tenant, principal, form=form, error=error
        ),
        f"/incidents/{incident}/notices/{tenant}?done=edited",
    )


@post("/incidents/{incident:str}/notices/{tenant:str}/{version:int}/approve",
      **requires("notices.approve", step_up=True))  # fmt: skip
async def approve(
    database: Database, incident_services: IncidentServices, accounts: Accounts, incident: str, tenant: str,
    version: int, principal: Principal,
) -> Response[Any]:  # fmt: skip
    return await attempt(
        database,
        lambda tx: incident_services.notices.approve(tx, id_of(incident), id_of(tenant), version, by=principal),
        lambda error: _notice(database, incident_services, accounts, incident, tenant, principal, error=error),
        f"/incidents/{incident}/notices/{tenant}?done=approved",
    )


@post("/incidents/{incident:str}/notices/{tenant:str}/{version:int}/send", **requires("notices.send", step_up=True))
async def send(
    database: Database, incident_services: IncidentServices, accounts: Accounts, incident: str, tenant: str,
    version: int, principal: Principal,
) -> Response[Any]:  # fmt: skip
    return await attempt(
        database,
        lambda tx: incident_services.notices.send(tx, id_of(incident), id_of(tenant), version, by=principal),
        lambda error: _notice(database, incident_services, accounts, incident, tenant, principal, error=error),
        f"/incidents/{incident}/notices/{tenant}?done=sent",
    )


@post("/incidents/{incident:str}/notices/{tenant:str}/{version:int}/discard", **requires("notices.discard"))
async def discard(
    database: Database, incident_services: IncidentServices, accounts: Accounts, incident: str, tenant: str,
    version: int, form: Form, principal: Principal,
) -> Response[Any]:  # fmt: skip
    return await attempt(
        database,
        lambda tx: incident_services.notices.discard(
            tx, id_of(incident), id_of(tenant), version, reason=form.text("reason"), by=principal
        ),
        lambda error: _notice(
            database, incident_services, accounts, incident, tenant, principal, form=form, error=error
        ),
        f"/incidents/{incident}/notices?done=discarded",
    )


@get("/incidents/{incident:str}/notices/{tenant:str}/{version:int}/pdf", **requires("incidents.read"))
async def notice_pdf(
    database: Database, incident_services: IncidentServices, incident: str, tenant: str, version: int
) -> Response[bytes]:
    async with database.operator_read() as tx:
        notice, reached = await incident_services.notices.version(tx, id_of(tenant), id_of(incident), version)
    return download(f"notice-{notice.number}-{version}.pdf", await render_notice(notice, reached), "application/pdf")


# --- the pages themselves ------------------------------------------------------------------------------------


async def _shown(
    database: Database, services: IncidentServices, accounts: Accounts, incident: str, principal: Principal, *,
    notice: str = "", form: Form = EMPTY, error: Error | None = None,
) -> Template:  # fmt: skip
    incident_id = id_of(incident)
    async with database.operator_read() as tx:
        context: dict[str, Any] = {
            "incident": await services.incidents.get(tx, incident_id),
            "breach": await services.breaches.find(tx, incident_id),
            "reaches": await services.breaches.reaches(tx, incident_id),
            "staff": await people(tx, accounts),
        }
    return page(
        "breach_show.html", principal, notice=notice, form=form, error=error,
        subprocessors=services.tracer.subprocessors, **context,
    )  # fmt: skip


async def _listed(
    database: Database, services: IncidentServices, incident: str, principal: Principal, *, notice: str = "",
    form: Form = EMPTY, error: Error | None = None, result: BulkResult | None = None,
) -> Template:  # fmt: skip
    incident_id = id_of(incident)
    async with database.operator_read() as tx:
        context: dict[str, Any] = {
            "incident": await services.incidents.get(tx, incident_id),
            "breach": await services.breaches.find(tx, incident_id),
            "result": result,
            "parts_of": PARTS,
            "notices": await services.notices.latest(tx, incident_id),
        }
    return page("notices_of_incident.html", principal, notice=notice, form=form, error=error, **context)


async def _notice(
    database: Database, services: IncidentServices, accounts: Accounts, incident: str, tenant: str,
    principal: Principal, *, notice: str = "", form: Form = EMPTY, error: Error | None = None,
) -> Template:  # fmt: skip
    incident_id = id_of(incident)
    async with database.operator_read() as tx:
        found = await services.incidents.get(tx, incident_id)
        versions = await services.notices.get(tx, incident_id, id_of(tenant))
        latest = versions[-1]
        context: dict[str, Any] = {
            "breach": await services.breaches.find(tx, incident_id),
            "deliveries": await services.notices.deliveries(tx, incident_id, latest.tenant_id),
            "readings": await services.notices.readings(tx, incident_id, latest.tenant_id),
            "staff": await people(tx, accounts),
        }
    written = {name: [getattr(latest, name)] for name in (*PARTS, "late_reason")}
    return page(
        "notice_edit.html", principal, incident=found, versions=versions, latest=latest, parts_of=PARTS, notice=notice,
        form=Form(written | form.values), error=error, **context,
    )  # fmt: skip


def _scope(form: Form) -> Scope:
    """What to trace by; ids and addresses stand one a line, or with commas. Raises Invalid."""
    values: dict[str, Any] = {
        name: form.text(name).replace(",", " ").split() for name in ("accounts", "keys", "sessions", "addresses")
    }
    for name in ("since", "until"):
        values[name] = moment_of(name, form.text(name))
    missing = [FieldError(name, "Give a time.") for name in ("since", "until") if values[name] is None]
    if missing:
        raise Invalid("The blast radius cannot be computed.", errors=missing)
    values |= {"store": form.text("store"), "subprocessor": form.text("subprocessor")}
    try:
        return msgspec.convert(values, Scope)
    except msgspec.ValidationError as error:
        name = str(error).partition("$.")[2].rstrip("`").partition("[")[0] or "accounts"
        raise Invalid(
            "The blast radius cannot be computed.", errors=[FieldError(name, "Give ids as they are shown.")]
        ) from None


routes: list[Any] = [
    show_breach, verify, dismiss, trace, list_notices, draft_for, show_notice, supplement, edit, approve, send,
    discard, notice_pdf, edit_all, approve_all, send_all,
]  # fmt: skip
