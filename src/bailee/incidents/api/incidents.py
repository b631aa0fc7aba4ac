"""Incidents over REST, for staff: their lives from the first line to the post-mortem."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response, Router, get, post, put
from litestar.params import HeaderParameter, QueryParameter

from bailee.access.api.common import id_of
from bailee.foundation.database import Database
from bailee.foundation.http import Cursor, Limit, Page, decode_id_cursor, download, page_of, problems, requires
from bailee.foundation.principal import Principal
from bailee.incidents.api.breach import BreachView
from bailee.incidents.breaches import Breaches
from bailee.incidents.incidents import Incidents
from bailee.incidents.model import Attachment, Entry, Incident, LinkedAlert, Notice, Reach, Task
from bailee.incidents.notices import Notices

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
            None if breach is None else BreachView.of(breach),
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


router = Router(
    "/",
    route_handlers=[
        list_incidents, open_incident, get_incident, change_incident, assess_incident, assign_incident, move_incident,
        note_incident, add_task, complete_task, follow_playbook, link_alert, attach_evidence, open_evidence,
        review_incident,
    ],
    tags=["Incidents"],
)  # fmt: skip
