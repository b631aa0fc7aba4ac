"""Alerts over REST: a tenant sees its own, staff see all."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Router, get, post
from litestar.params import QueryParameter

from bailee.access.api.common import Text, id_of
from bailee.foundation.database import Database, Writer
from bailee.foundation.errors import FieldError, Invalid
from bailee.foundation.http import Cursor, Limit, Page, decode_id_cursor, page_of, parse_uuid, problems, requires
from bailee.foundation.principal import Principal
from bailee.monitoring.alerts import Alerts
from bailee.monitoring.api.events import view
from bailee.monitoring.model import Alert, AlertNote, Suppression

Status = Annotated[
    str | None,
    QueryParameter(
        name="status", pattern="^(open|acknowledged|closed|unfinished)$",
        description="`unfinished` is open or acknowledged.",
    ),
]  # fmt: skip
Level = Annotated[
    str | None,
    QueryParameter(name="level", pattern="^(informational|low|medium|high|critical)$", description="A level."),
]  # fmt: skip


class AlertDetails(msgspec.Struct, frozen=True):
    """An alert with the events it is about, newest first, and what was written about it."""

    alert: Alert
    event_ids: list[UUID]
    notes: list[AlertNote]


class Assignment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An account, or null for nobody."""

    assignee: UUID | None


class Closing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`handled`, `expected` or `false_alarm`."""

    resolution: str


class NewNote(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to add, up to 4,000 characters."""

    note: Annotated[str, msgspec.Meta(max_length=4000)]


class NewSuppression(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For how many days the rule is to be quiet, about this alert's group or about everything, and why."""

    days: int
    reason: Text
    everything: bool = False


@get("/alerts", summary="Alerts, newest first", operation_id="listAlerts", responses=problems(),
     **requires("alerts.read"))  # fmt: skip
async def list_alerts(
    database: Database, alerts: Alerts, principal: Principal, limit: Limit = 100, cursor: Cursor = None,
    status: Status = None, level: Level = None, tenant: str | None = None,
) -> Page[Alert]:  # fmt: skip
    concerned = parse_uuid(tenant) if tenant else None
    if tenant and concerned is None:
        raise Invalid("The query is not valid.", errors=[FieldError("tenant", "Give a tenant's id.")])
    async with view(database, principal) as tx:
        rows = await alerts.page(
            tx, status=status, level=level, tenant=concerned, before=decode_id_cursor(cursor), limit=limit + 1
        )
    return page_of(rows, limit, lambda alert: alert.id)


@get("/alerts/{alert:str}", summary="One alert, its events and notes", operation_id="getAlert", responses=problems(),
     **requires("alerts.read"))  # fmt: skip
async def get_alert(database: Database, alerts: Alerts, alert: str, principal: Principal) -> AlertDetails:
    alert_id = id_of(alert)
    async with view(database, principal) as tx:
        found = await alerts.get(tx, alert_id)
        return AlertDetails(found, await alerts.events_of(tx, alert_id), await alerts.notes(tx, alert_id))


@post("/alerts/{alert:str}/acknowledge", summary="Somebody is at it", operation_id="acknowledgeAlert", status_code=200,
      responses=problems(409), **requires("alerts.acknowledge"))  # fmt: skip
async def acknowledge_alert(database: Database, alerts: Alerts, alert: str, principal: Principal) -> Alert:
    async with acting(database, principal) as tx:
        return await alerts.acknowledge(tx, id_of(alert), by=principal)


@post("/alerts/{alert:str}/assign", summary="Who is to look after it", operation_id="assignAlert", status_code=200,
      responses=problems(), **requires("alerts.assign"))  # fmt: skip
async def assign_alert(
    database: Database, alerts: Alerts, alert: str, data: Assignment, principal: Principal
) -> Alert:  # fmt: skip
    async with acting(database, principal) as tx:
        return await alerts.assign(tx, id_of(alert), data.assignee, by=principal)


@post("/alerts/{alert:str}/close", summary="Done with it", operation_id="closeAlert", status_code=200,
      responses=problems(409), **requires("alerts.close"))  # fmt: skip
async def close_alert(database: Database, alerts: Alerts, alert: str, data: Closing, principal: Principal) -> Alert:
    async with acting(database, principal) as tx:
        return await alerts.close(tx, id_of(alert), resolution=data.resolution, by=principal)


@post("/alerts/{alert:str}/notes", summary="Write something about it", operation_id="noteAlert", responses=problems(),
      **requires("alerts.note"))  # fmt: skip
async def note_alert(
    database: Database, alerts: Alerts, alert: str, data: NewNote, principal: Principal
) -> list[AlertNote]:  # fmt: skip
    async with acting(database, principal) as tx:
        return await alerts.note(tx, id_of(alert), data.note, by=principal)


@post("/alerts/{alert:str}/suppress", summary="Have its rule be quiet for a while", operation_id="suppressAlert",
      responses=problems(), **requires("alerts.suppress", step_up=True))  # fmt: skip
async def suppress_alert(
    database: Database, alerts: Alerts, alert: str, data: NewSuppression, principal: Principal
) -> Suppression:
    async with acting(database, principal) as tx:
        return await alerts.suppress(
            tx, id_of(alert), days=data.days, reason=data.reason, everything=data.everything, by=principal
        )


@get("/suppressions", summary="Rules that are quiet for a while, newest first", operation_id="listSuppressions",
     responses=problems(), **requires("alerts.read"))  # fmt: skip
async def list_suppressions(
    database: Database, alerts: Alerts, principal: Principal, limit: Limit = 100, cursor: Cursor = None
) -> Page[Suppression]:
    async with view(database, principal) as tx:
        rows = await alerts.suppressions(tx, before=decode_id_cursor(cursor), limit=limit + 1)
    return page_of(rows, limit, lambda one: one.id)


@post("/suppressions/{suppression:str}/end", summary="Have the rule told again", operation_id="endSuppression",
      status_code=200, responses=problems(409), **requires("alerts.end_suppression"))  # fmt: skip
async def end_suppression(
    database: Database, alerts: Alerts, suppression: str, principal: Principal
) -> Suppression:  # fmt: skip
    async with acting(database, principal) as tx:
        return await alerts.end_suppression(tx, id_of(suppression), by=principal)


@asynccontextmanager
async def acting(database: Database, principal: Principal) -> AsyncIterator[Writer]:
    """Where a caller may act: a tenant within itself, staff on everything."""
    if principal.tenant_id is not None:
        async with database.tenant(principal.tenant_id) as tx:
            yield tx
    else:
        async with database.operator() as operator:
            yield operator


router = Router(
    "/",
    route_handlers=[
        list_alerts, get_alert, acknowledge_alert, assign_alert, close_alert, note_alert, suppress_alert,
        list_suppressions, end_suppression,
    ],
    tags=["Alerts"],
)  # fmt: skip
