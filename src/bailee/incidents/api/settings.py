"""Which alerts open an incident, playbooks, and exercises, over REST for staff."""

from uuid import UUID

import msgspec
from litestar import Router, delete, get, post

from bailee.access.api.common import id_of
from bailee.foundation.database import Database
from bailee.foundation.http import Limit, problems, requires
from bailee.foundation.principal import Principal
from bailee.incidents.exercises import Exercises
from bailee.incidents.incidents import Incidents
from bailee.incidents.model import ExerciseResult, Incident, Trigger
from bailee.incidents.triggers import Triggers


class NewTrigger(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Either a rule, or a level from which on all alerts count."""

    impact: str
    extent: str
    rule_id: UUID | None = None
    level: str | None = None
    playbook: str = ""


class NewExercise(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`drill` goes the whole path by itself; without it, people are to."""

    drill: bool = False


class BegunExercise(msgspec.Struct, frozen=True):
    """The incident to handle, or how the drill went."""

    incident: Incident | None
    result: ExerciseResult | None


class PlaybookView(msgspec.Struct, frozen=True):
    name: str
    title: str
    text: str


@get("/playbooks", summary="The playbooks", operation_id="listPlaybooks", responses=problems(),
     **requires("incidents.read"))  # fmt: skip
async def list_playbooks(incidents: Incidents) -> list[PlaybookView]:
    return [PlaybookView(one.name, one.title, one.text) for one in incidents.playbooks.values()]


@get("/incident-triggers", summary="Which alerts open an incident", operation_id="listIncidentTriggers",
     responses=problems(), **requires("incidents.read"))  # fmt: skip
async def list_triggers(database: Database, triggers: Triggers) -> list[Trigger]:
    async with database.operator_read() as tx:
        return await triggers.every(tx)


@post("/incident-triggers", summary="Have alerts open an incident", operation_id="setIncidentTrigger",
      responses=problems(), **requires("incidents.set_trigger", step_up=True))  # fmt: skip
async def set_trigger(database: Database, triggers: Triggers, data: NewTrigger, principal: Principal) -> Trigger:
    async with database.operator() as tx:
        return await triggers.put(
            tx, rule_id=data.rule_id, level=data.level, playbook=data.playbook, impact=data.impact, extent=data.extent,
            by=principal,
        )  # fmt: skip


@delete("/incident-triggers/{trigger:str}", summary="Have them open none any more",
        operation_id="removeIncidentTrigger", responses=problems(),
        **requires("incidents.remove_trigger", step_up=True))  # fmt: skip
async def remove_trigger(database: Database, triggers: Triggers, trigger: str, principal: Principal) -> None:
    async with database.operator() as tx:
        await triggers.remove(tx, id_of(trigger), by=principal)


@get("/exercises", summary="How exercises went, newest first", operation_id="listExercises", responses=problems(),
     **requires("incidents.read"))  # fmt: skip
async def list_exercises(database: Database, exercises: Exercises, limit: Limit = 100) -> list[ExerciseResult]:
    async with database.operator_read() as tx:
        return await exercises.page(tx, limit=limit)


@post("/exercises", summary="Begin an exercise, or have a drill run", operation_id="beginExercise",
      responses=problems(), **requires("exercises.run"))  # fmt: skip
async def begin_exercise(exercises: Exercises, data: NewExercise, principal: Principal) -> BegunExercise:
    if data.drill:
        return BegunExercise(None, await exercises.drill(by=principal))
    return BegunExercise(await exercises.begin(by=principal), None)


@post("/incidents/{incident:str}/end-exercise", summary="End an exercise", operation_id="endExercise", status_code=200,
      responses=problems(409), **requires("exercises.run"))  # fmt: skip
async def end_exercise(exercises: Exercises, incident: str, principal: Principal) -> ExerciseResult:
    return await exercises.end(id_of(incident), by=principal)


router = Router(
    "/",
    route_handlers=[
        list_playbooks, list_triggers, set_trigger, remove_trigger, list_exercises, begin_exercise, end_exercise,
    ],
    tags=["Incidents"],
)  # fmt: skip
