"""Incidents over REST, for staff: their lives, their breaches and blast radius, their notices, and exercises."""

from datetime import datetime
from typing import Annotated
from urllib.parse import quote
from uuid import UUID

import msgspec
from litestar import Response, Router, delete, get, post, put
from litestar.params import HeaderParameter, QueryParameter

from bailee.access.api.common import id_of
from bailee.foundation.database import Database
from bailee.foundation.http import Cursor, Limit, Page, decode_id_cursor, page_of, problems, requires
from bailee.foundation.principal import Principal
from bailee.incidents.breaches import Breaches
from bailee.incidents.bulk import Bulk, BulkResult
from bailee.incidents.exercises import Exercises
from bailee.incidents.incidents import Incidents
from bailee.incidents.model import (
    Attachment,
    Delivery,
    Entry,
    ExerciseResult,
    Incident,
    LinkedAlert,
    Notice,
    Reach,
    Reading,
    Scope,
    Task,
    Trigger,
)
from bailee.incidents.notices import Notices
from bailee.incidents.pdf import render_notice
from bailee.incidents.triggers import Triggers

State = Annotated[
    str | None,
    QueryParameter(
        name="state", pattern="^(identified|triaged|mitigated|investigated|closed|unfinished|exercise)$",
        description="A phase; `unfinished` is all but closed; `exercise` is exercises alone.",
    ),
]  # fmt: skip
FileType = Annotated[str, HeaderParameter(name="Content-Type", max_length=255, description="Of the file.")]
Search = Annotated[
    str, QueryParameter(name="search", max_length=200, description="A number, or a part of the title.")
]  # fmt: skip


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


class IncidentDetails(msgspec.Struct, frozen=True):
    """An incident with everything that belongs to it; `timeline` in the order in which things happened."""

    incident: Incident
    due_at: datetime | None
    breach: BreachView | None
    timeline: list[Entry]
    tasks: list[Task]
    attachments: list[Attachment]
    alerts: list[LinkedAlert]
    reaches: list[Reach]
    notices: list[Notice]


class NoticeDetails(msgspec.Struct, frozen=True):
    """Every version of a notice, oldest first, how it went out, and who has read it."""

    versions: list[Notice]
    missing: list[str]
    """The parts of the latest version that say nothing yet."""
    deliveries: list[Delivery]
    readings: list[Reading]


class NewIncident(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What has happened, its impact (none, limited, serious, severe) and its extent (one, some, many)."""

    title: str
    summary: str
    impact: str
    extent: str
    subprocessor: str = ""
    subprocessor_reference: str = ""


class IncidentWords(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How it is described. With `version`, only if nobody has changed it since."""

    title: str
    summary: str
    subprocessor: str = ""
    subprocessor_reference: str = ""
    version: int | None = None


class Assessment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    impact: str
    extent: str


class People(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Accounts of staff, or null for nobody."""

    owner: UUID | None = None
    deputy: UUID | None = None


class Move(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The phase to go to, and what was done or has turned up, in 10 to 500 characters."""

    to: str
    reason: str


class NewLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A line of the timeline, about a moment or about an event of the log."""

    text: str
    at: datetime | None = None
    event: UUID | None = None


class NewTask(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    title: str
    assignee: UUID | None = None
    due_at: datetime | None = None


class TaskState(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    done: bool


class AlertLink(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    alert: UUID


class PlaybookChoice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    playbook: str


class PostMortem(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What it came from, what was learnt, and what is to be done about that."""

    cause: str
    lessons: str
    tasks: list[str] = []


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


@get("/incidents", summary="Incidents, newest first", operation_id="listIncidents", responses=problems(),
     **requires("incidents.read"))  # fmt: skip
async def list_incidents(
    database: Database, incidents: Incidents, limit: Limit = 100, cursor: Cursor = None, which: State = None,
    search: Search = "",
) -> Page[Incident]:  # fmt: skip
    async with database.operator_read() as tx:
        rows = await incidents.page(
            tx, state=which, search=search.strip(), before=decode_id_cursor(cursor), limit=limit + 1
        )
    return page_of(rows, limit, lambda one: one.id)


@post("/incidents", summary="Open an incident", operation_id="openIncident", responses=problems(),
      **requires("incidents.open"))  # fmt: skip
async def open_incident(
    database: Database, incidents: Incidents, data: NewIncident, principal: Principal
) -> Incident:  # fmt: skip
    async with database.operator() as tx:
        return await incidents.open(
            tx, title=data.title, summary=data.summary, impact=data.impact, extent=data.extent,
            subprocessor=data.subprocessor, subprocessor_reference=data.subprocessor_reference, by=principal,
        )  # fmt: skip


@get("/incidents/{incident:str}", summary="One incident, with everything about it", operation_id="getIncident",
     responses=problems(), **requires("incidents.read"))  # fmt: skip
async def get_incident(
    database: Database, incidents: Incidents, breaches: Breaches, notices: Notices, incident: str
) -> IncidentDetails:
    incident_id = id_of(incident)
    async with database.operator_read() as tx:
        found = await incidents.get(tx, incident_id)
        breach = await breaches.find(tx, incident_id)
        return IncidentDetails(
            found, found.due_at,
            None if breach is None else BreachView(
                breach.verified_at, breach.verified_by, breach.facts, breach.due_at,
                int(breach.elapsed.total_seconds()), int(breach.left.total_seconds()), breach.reminded, breach.told_at,
            ),
            await incidents.entries(tx, incident_id), await incidents.tasks(tx, incident_id),
            await incidents.attachments(tx, incident_id), await incidents.alerts(tx, incident_id),
            await breaches.reaches(tx, incident_id), await notices.latest(tx, incident_id),
        )  # fmt: skip


@put("/incidents/{incident:str}", summary="Describe it better", operation_id="changeIncident", responses=problems(409),
     **requires("incidents.change"))  # fmt: skip
async def change_incident(
    database: Database, incidents: Incidents, incident: str, data: IncidentWords, principal: Principal
) -> Incident:
    async with database.operator() as tx:
        return await incidents.change(
            tx, id_of(incident), title=data.title, summary=data.summary, version=data.version,
            subprocessor=data.subprocessor, subprocessor_reference=data.subprocessor_reference, by=principal,
        )  # fmt: skip


@put("/incidents/{incident:str}/severity", summary="Say how grave it is", operation_id="assessIncident",
     responses=problems(409), **requires("incidents.assess"))  # fmt: skip
async def assess_incident(
    database: Database, incidents: Incidents, incident: str, data: Assessment, principal: Principal
) -> Incident:
    async with database.operator() as tx:
        return await incidents.assess(tx, id_of(incident), impact=data.impact, extent=data.extent, by=principal)


@put("/incidents/{incident:str}/people", summary="Who answers for it", operation_id="assignIncident",
     responses=problems(409), **requires("incidents.assign"))  # fmt: skip
async def assign_incident(
    database: Database, incidents: Incidents, incident: str, data: People, principal: Principal
) -> Incident:
    async with database.operator() as tx:
        return await incidents.assign(tx, id_of(incident), owner=data.owner, deputy=data.deputy, by=principal)


@post("/incidents/{incident:str}/move", summary="To another phase", operation_id="moveIncident", status_code=200,
      responses=problems(409), **requires("incidents.move"))  # fmt: skip
async def move_incident(
    database: Database, incidents: Incidents, incident: str, data: Move, principal: Principal
) -> Incident:
    async with database.operator() as tx:
        return await incidents.move(tx, id_of(incident), to=data.to, reason=data.reason, by=principal)


@post("/incidents/{incident:str}/timeline", summary="Add a line to the timeline", operation_id="noteIncident",
      responses=problems(), **requires("incidents.note"))  # fmt: skip
async def note_incident(
    database: Database, incidents: Incidents, incident: str, data: NewLine, principal: Principal
) -> Entry:
    async with database.operator() as tx:
        return await incidents.note(tx, id_of(incident), text=data.text, at=data.at, event=data.event, by=principal)


@post("/incidents/{incident:str}/tasks", summary="Add a task", operation_id="addIncidentTask", responses=problems(409),
      **requires("incidents.add_task"))  # fmt: skip
async def add_task(
    database: Database, incidents: Incidents, incident: str, data: NewTask, principal: Principal
) -> Task:  # fmt: skip
    async with database.operator() as tx:
        return await incidents.add_task(
            tx, id_of(incident), title=data.title, assignee=data.assignee, due_at=data.due_at, by=principal
        )


@put("/incidents/{incident:str}/tasks/{task:str}", summary="Tick a task, or untick it",
     operation_id="completeIncidentTask", responses=problems(409), **requires("incidents.complete_task"))  # fmt: skip
async def complete_task(
    database: Database, incidents: Incidents, incident: str, task: str, data: TaskState, principal: Principal
) -> Task:
    async with database.operator() as tx:
        return await incidents.complete_task(tx, id_of(incident), id_of(task), done=data.done, by=principal)


@post("/incidents/{incident:str}/playbook", summary="Make tasks of a playbook", operation_id="followPlaybook",
      responses=problems(409), **requires("incidents.follow_playbook"))  # fmt: skip
async def follow_playbook(
    database: Database, incidents: Incidents, incident: str, data: PlaybookChoice, principal: Principal
) -> list[Task]:
    async with database.operator() as tx:
        return await incidents.follow_playbook(tx, id_of(incident), data.playbook, by=principal)


@post("/incidents/{incident:str}/alerts", summary="Say that an alert belongs to it", operation_id="linkAlert",
      responses=problems(409), **requires("incidents.link_alert"))  # fmt: skip
async def link_alert(
    database: Database, incidents: Incidents, incident: str, data: AlertLink, principal: Principal
) -> LinkedAlert:
    async with database.operator() as tx:
        return await incidents.link_alert(tx, id_of(incident), data.alert, by=principal)


@put("/incidents/{incident:str}/evidence/{name:str}", summary="Keep a file as evidence", status_code=201,
     operation_id="attachEvidence", responses=problems(409), **requires("incidents.attach"))  # fmt: skip
async def attach_evidence(
    database: Database, incidents: Incidents, incident: str, name: str, body: bytes, principal: Principal,
    content_type: FileType = "application/octet-stream",
) -> Attachment:  # fmt: skip
    async with database.operator() as tx:
        return await incidents.attach(
            tx, id_of(incident), name=name, content_type=content_type, content=body, by=principal
        )


@get("/incidents/{incident:str}/evidence/{attachment:str}", summary="Open a file that was kept",
     operation_id="openEvidence", responses=problems(), **requires("incidents.open_evidence"))  # fmt: skip
async def open_evidence(
    database: Database, incidents: Incidents, incident: str, attachment: str, principal: Principal
) -> Response[bytes]:
    async with database.operator() as tx:
        found, content = await incidents.open_evidence(tx, id_of(incident), id_of(attachment), by=principal)
    return download(found.name, content)


@put("/incidents/{incident:str}/postmortem", summary="Write the post-mortem", operation_id="reviewIncident",
     responses=problems(409), **requires("incidents.review"))  # fmt: skip
async def review_incident(
    database: Database, incidents: Incidents, incident: str, data: PostMortem, principal: Principal
) -> Incident:
    async with database.operator() as tx:
        return await incidents.review(
            tx, id_of(incident), cause=data.cause, lessons=data.lessons, tasks=data.tasks, by=principal
        )


@get("/playbooks", summary="The playbooks", operation_id="listPlaybooks", responses=problems(),
     **requires("incidents.read"))  # fmt: skip
async def list_playbooks(incidents: Incidents) -> list[PlaybookView]:
    return [PlaybookView(one.name, one.title, one.text) for one in incidents.playbooks.values()]


# --- breaches --------------------------------------------------------------------------------------------


@post("/incidents/{incident:str}/breach", summary="Verify that it is a breach of personal data",
      operation_id="verifyBreach", responses=problems(409),
      **requires("breaches.verify", step_up=True))  # fmt: skip
async def verify_breach(
    database: Database, breaches: Breaches, incident: str, data: Verification, principal: Principal
) -> BreachView:
    async with database.operator() as tx:
        breach = await breaches.verify(tx, id_of(incident), facts=data.facts, at=data.at, by=principal)
    return BreachView(
        breach.verified_at, breach.verified_by, breach.facts, breach.due_at, int(breach.elapsed.total_seconds()),
        int(breach.left.total_seconds()), breach.reminded, breach.told_at,
    )  # fmt: skip


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
      **requires("notices.edit"))  # fmt: skip
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


# --- triggers and exercises --------------------------------------------------------------------------------


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


def download(name: str, content: bytes, media_type: str = "application/octet-stream") -> Response[bytes]:
    """A file to keep: never shown by the browser, whatever it holds (RFC 6266, RFC 8187)."""
    return Response(
        content, media_type=media_type,
        headers={"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}"},
    )  # fmt: skip


router = Router(
    "/",
    route_handlers=[
        list_incidents, open_incident, get_incident, change_incident, assess_incident, assign_incident, move_incident,
        note_incident, add_task, complete_task, follow_playbook, link_alert, attach_evidence, open_evidence,
        review_incident, list_playbooks, verify_breach, dismiss_breach, trace_incident, get_notice, get_notice_pdf,
        draft_notice, edit_notice, discard_notice, approve_notice, send_notice, edit_notices,
        approve_notices, send_notices, list_triggers, set_trigger,
        remove_trigger, list_exercises, begin_exercise, end_exercise,
    ],
    tags=["Incidents"],
)  # fmt: skip
