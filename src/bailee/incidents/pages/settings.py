"""Which alerts open an incident, playbooks, and exercises, in the console."""

from typing import Any

from litestar import Response, get, post
from litestar.response import Template

from bailee.access.accounts import Accounts
from bailee.access.api.common import id_of
from bailee.foundation.database import Database
from bailee.foundation.errors import Error
from bailee.foundation.http import requires
from bailee.foundation.pages import EMPTY, Form, attempt, page, see
from bailee.foundation.principal import Principal
from bailee.incidents.model import EXTENTS, IMPACTS
from bailee.incidents.pages.common import optional_id, people
from bailee.incidents.services import IncidentServices
from bailee.incidents.triggers import LEVELS

_NOTICES = {
    "set": "Such alerts open an incident from now on.",
    "removed": "They open none any more.",
}


@get("/incident-triggers", **requires("incidents.read"))
async def list_triggers(
    database: Database, incident_services: IncidentServices, principal: Principal, done: str = ""
) -> Template:  # fmt: skip
    return await _triggers(database, incident_services, principal, notice=_NOTICES.get(done, ""))


@post("/incident-triggers", **requires("incidents.set_trigger", step_up=True))
async def set_trigger(
    database: Database, incident_services: IncidentServices, form: Form, principal: Principal
) -> Response[Any]:
    async def act(tx: Any) -> object:
        return await incident_services.triggers.put(
            tx, rule_id=optional_id("rule_id", form.text("rule_id")), level=form.text("level") or None,
            playbook=form.text("playbook"), impact=form.text("impact"), extent=form.text("extent"), by=principal,
        )  # fmt: skip

    return await attempt(
        database,
        act,
        lambda error: _triggers(database, incident_services, principal, form=form, error=error),
        "/incident-triggers?done=set",
    )


@post("/incident-triggers/{trigger:str}/remove", **requires("incidents.remove_trigger", step_up=True))
async def remove_trigger(
    database: Database, incident_services: IncidentServices, trigger: str, principal: Principal
) -> Response[Any]:
    return await attempt(
        database,
        lambda tx: incident_services.triggers.remove(tx, id_of(trigger), by=principal),
        lambda error: _triggers(database, incident_services, principal, error=error),
        "/incident-triggers?done=removed",
    )


@get("/playbooks", **requires("incidents.read"))
async def list_playbooks(incident_services: IncidentServices, principal: Principal) -> Template:
    return page("playbooks_list.html", principal, playbooks=list(incident_services.incidents.playbooks.values()))


@get("/exercises", **requires("incidents.read"))
async def list_exercises(
    database: Database, incident_services: IncidentServices, accounts: Accounts, principal: Principal
) -> Template:
    return await _exercises(database, incident_services, accounts, principal)


@post("/exercises", **requires("exercises.run"))
async def begin_exercise(
    database: Database, incident_services: IncidentServices, accounts: Accounts, form: Form, principal: Principal
) -> Response[Any]:
    if form.text("kind") == "drill":
        result = await incident_services.exercises.drill(by=principal)
        notice = "The drill has passed." if result.passed else "The drill has failed; what is wrong stands below."
        return await _exercises(database, incident_services, accounts, principal, notice=notice)
    incident = await incident_services.exercises.begin(by=principal)
    return see(f"/incidents/{incident.id}?done=opened")


@post("/incidents/{incident:str}/end-exercise", **requires("exercises.run"))
async def end_exercise(incident_services: IncidentServices, incident: str, principal: Principal) -> Response[Any]:
    await incident_services.exercises.end(id_of(incident), by=principal)
    return see(f"/incidents/{incident}?done=ended")


async def _triggers(
    database: Database, services: IncidentServices, principal: Principal, *, notice: str = "", form: Form = EMPTY,
    error: Error | None = None,
) -> Template:  # fmt: skip
    async with database.operator_read() as tx:
        found = await services.triggers.every(tx)
    return page(
        "incident_triggers.html", principal, triggers=found, notice=notice, form=form, error=error, impacts=IMPACTS,
        extents=EXTENTS, rules={str(one): title for one, title in services.triggers.rules.items()}, levels=LEVELS,
        playbooks={one.name: one.title for one in services.incidents.playbooks.values()},
    )  # fmt: skip


async def _exercises(
    database: Database, services: IncidentServices, accounts: Accounts, principal: Principal, *, notice: str = ""
) -> Template:
    async with database.operator_read() as tx:
        found = await services.exercises.page(tx)
        staff = await people(tx, accounts)
    return page("exercises_list.html", principal, exercises=found, staff=staff, notice=notice)


routes: list[Any] = [
    list_triggers, set_trigger, remove_trigger, list_playbooks, list_exercises, begin_exercise, end_exercise,
]  # fmt: skip
