"""Alerts in the console."""

from typing import Any

from litestar import Response, get, post
from litestar.response import Template

from bailee.access.api.common import id_of
from bailee.events import Events
from bailee.foundation.database import Database
from bailee.foundation.errors import Error
from bailee.foundation.http import Cursor, decode_id_cursor, page_of, requires
from bailee.foundation.pages import EMPTY, PAGE_ROWS, Form, page, see
from bailee.foundation.principal import Principal
from bailee.monitoring.alerts import GUARDED, Alerts
from bailee.monitoring.api.alerts import acting
from bailee.monitoring.api.events import view
from bailee.monitoring.model import RESOLUTIONS, AlertStatus

_SHOWN = 50
_STATUSES = ("unfinished", *(one.value for one in AlertStatus))
_LEVELS = ("", "low", "medium", "high", "critical")
_NOTICES = {
    "acknowledged": "You are at it.",
    "closed": "The alert is closed. The next match opens a new one.",
    "noted": "The note is kept.",
    "assigned": "The alert is yours.",
    "suppressed": "The rule is quiet until then; what it would have told is counted.",
    "ended": "The rule is told again.",
}


@get("/alerts", **requires("alerts.read"))
async def list_alerts(
    database: Database, alerts: Alerts, principal: Principal, cursor: Cursor = None, status: str = "unfinished",
    level: str = "",
) -> Template:  # fmt: skip
    status = status if status in _STATUSES else "unfinished"
    level = level if level in _LEVELS else ""
    async with view(database, principal) as tx:
        rows = await alerts.page(
            tx, status=status, level=level or None, before=decode_id_cursor(cursor), limit=PAGE_ROWS + 1
        )
        learning = await alerts.learning(tx)
    return page(
        "alerts_list.html", principal, form=Form({"status": [status], "level": [level]}), chosen=status,
        statuses=_STATUSES, levels=_LEVELS, learning=learning, later=cursor is not None,
        alerts=page_of(rows, PAGE_ROWS, lambda one: one.id),
    )  # fmt: skip


@get("/alerts/{alert:str}", **requires("alerts.read"))
async def show_alert(
    database: Database, alerts: Alerts, events: Events, alert: str, principal: Principal, done: str = ""
) -> Template:
    return await _shown(database, alerts, events, alert, principal, notice=_NOTICES.get(done, ""))


@post("/alerts/{alert:str}/acknowledge", **requires("alerts.acknowledge"))
async def acknowledge(
    database: Database, alerts: Alerts, events: Events, alert: str, principal: Principal
) -> Response[Any]:  # fmt: skip
    try:
        async with acting(database, principal) as tx:
            await alerts.acknowledge(tx, id_of(alert), by=principal)
    except Error as error:
        return await _shown(database, alerts, events, alert, principal, error=error)
    return see(f"/alerts/{alert}?done=acknowledged")


@post("/alerts/{alert:str}/assign", **requires("alerts.assign"))
async def take(database: Database, alerts: Alerts, events: Events, alert: str, principal: Principal) -> Response[Any]:
    """To whoever asks."""
    try:
        async with acting(database, principal) as tx:
            await alerts.assign(tx, id_of(alert), principal.account_id, by=principal)
    except Error as error:
        return await _shown(database, alerts, events, alert, principal, error=error)
    return see(f"/alerts/{alert}?done=assigned")


@post("/alerts/{alert:str}/close", **requires("alerts.close"))
async def close(
    database: Database, alerts: Alerts, events: Events, alert: str, form: Form, principal: Principal
) -> Response[Any]:
    try:
        async with acting(database, principal) as tx:
            await alerts.close(tx, id_of(alert), resolution=form.text("resolution"), by=principal)
    except Error as error:
        return await _shown(database, alerts, events, alert, principal, form=form, error=error)
    return see(f"/alerts/{alert}?done=closed")


@post("/alerts/{alert:str}/notes", **requires("alerts.note"))
async def note(
    database: Database, alerts: Alerts, events: Events, alert: str, form: Form, principal: Principal
) -> Response[Any]:
    try:
        async with acting(database, principal) as tx:
            await alerts.note(tx, id_of(alert), form.text("note").replace("\r\n", "\n"), by=principal)
    except Error as error:
        return await _shown(database, alerts, events, alert, principal, form=form, error=error)
    return see(f"/alerts/{alert}?done=noted")


@post("/alerts/{alert:str}/suppress", **requires("alerts.suppress", step_up=True))
async def suppress(
    database: Database, alerts: Alerts, events: Events, alert: str, form: Form, principal: Principal
) -> Response[Any]:
    days = form.text("days").strip()
    try:
        async with acting(database, principal) as tx:
            await alerts.suppress(
                tx, id_of(alert), days=int(days) if days.isascii() and days.isdigit() and len(days) < 5 else 0,  # noqa: PLR2004  more than any limit
                reason=form.text("reason"), everything=form.text("everything") == "on", by=principal,
            )  # fmt: skip
    except Error as error:
        return await _shown(database, alerts, events, alert, principal, form=form, error=error)
    return see(f"/alerts/{alert}?done=suppressed")


@get("/suppressions", **requires("alerts.read"))
async def list_suppressions(
    database: Database, alerts: Alerts, principal: Principal, cursor: Cursor = None, done: str = ""
) -> Template:
    async with view(database, principal) as tx:
        rows = await alerts.suppressions(tx, before=decode_id_cursor(cursor), limit=PAGE_ROWS + 1)
    return page(
        "suppressions_list.html", principal, suppressions=page_of(rows, PAGE_ROWS, lambda one: one.id),
        later=cursor is not None, notice=_NOTICES.get(done, ""),
    )  # fmt: skip


@post("/suppressions/{suppression:str}/end", **requires("alerts.end_suppression"))
async def end_suppression(database: Database, alerts: Alerts, suppression: str, principal: Principal) -> Response[Any]:
    async with acting(database, principal) as tx:
        await alerts.end_suppression(tx, id_of(suppression), by=principal)
    return see("/suppressions?done=ended")


async def _shown(
    database: Database, alerts: Alerts, events: Events, alert: str, principal: Principal, *, notice: str = "",
    form: Form = EMPTY, error: Error | None = None,
) -> Template:  # fmt: skip
    alert_id = id_of(alert)
    async with view(database, principal) as tx:
        found = await alerts.get(tx, alert_id)
        shown = await events.listed(tx, await alerts.events_of(tx, alert_id, _SHOWN))
        notes = await alerts.notes(tx, alert_id)
    return page(
        "alerts_show.html", principal, alert=found, events=shown, notes=notes, notice=notice, form=form, error=error,
        resolutions=RESOLUTIONS, shown=_SHOWN, guarded=GUARDED,
    )  # fmt: skip


routes: list[Any] = [
    list_alerts, show_alert, acknowledge, take, close, note, suppress, list_suppressions, end_suppression,
]  # fmt: skip
