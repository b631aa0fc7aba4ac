"""An incident's life in the console."""

from typing import Annotated, Any

from litestar import Response, get, post, put
from litestar.params import QueryParameter
from litestar.response import Template

from bailee.access.accounts import Accounts
from bailee.access.api.common import id_of
from bailee.foundation.database import Database
from bailee.foundation.errors import Error
from bailee.foundation.http import Cursor, decode_id_cursor, download, page_of, requires
from bailee.foundation.pages import EMPTY, PAGE_ROWS, Form, attempt, page, see
from bailee.foundation.principal import Principal
from bailee.incidents.api.incidents import FileType
from bailee.incidents.model import EXTENTS, IMPACTS, MATRIX, PHASES, Incident
from bailee.incidents.pages.common import moment_of, optional_id, people
from bailee.incidents.services import IncidentServices

# Not called `state`: that name is the framework's own.
Which = Annotated[str, QueryParameter(name="state", max_length=20)]
_STATES = ("unfinished", "", *(one.value for one in PHASES), "exercise")
_NOTICES = {
    "opened": "The incident is open. Name an owner, and follow a playbook.",
    "moved": "The incident has come to another phase.",
    "noted": "The line is in the timeline.",
    "task": "The task is added.",
    "ticked": "Noted in the timeline too.",
    "playbook": "Its boxes are tasks now.",
    "linked": "The alert belongs to it.",
    "kept": "The file is kept, sealed, its digest in the ledger.",
    "changed": "The incident is changed.",
    "reviewed": "The post-mortem is kept.",
    "ended": "The exercise is over; how it went stands under Exercises.",
    "dismissed": "It is on record that this is no breach of personal data.",
}


@get("/incidents", **requires("incidents.read"))
async def list_incidents(
    database: Database, incident_services: IncidentServices, accounts: Accounts, principal: Principal,
    cursor: Cursor = None, which: Which = "unfinished", search: str = "",
) -> Template:  # fmt: skip
    state = which if which in _STATES else "unfinished"
    search = search.strip()[:200]
    async with database.operator_read() as tx:
        rows = await incident_services.incidents.page(
            tx, state=state or None, search=search, before=decode_id_cursor(cursor), limit=PAGE_ROWS + 1
        )
        running = await incident_services.breaches.running(tx)
        staff = await people(tx, accounts)
    return page(
        "incidents_list.html", principal, form=Form({"state": [state], "search": [search]}), states=_STATES,
        incidents=page_of(rows, PAGE_ROWS, lambda one: one.id), later=cursor is not None, running=running, staff=staff,
    )  # fmt: skip


@get("/incidents/new", **requires("incidents.open"))
async def new_incident(principal: Principal) -> Template:
    return page("incidents_new.html", principal, impacts=IMPACTS, extents=EXTENTS, matrix=MATRIX)


@post("/incidents", **requires("incidents.open"))
async def open_incident(
    database: Database, incident_services: IncidentServices, form: Form, principal: Principal
) -> Response[Any]:
    try:
        async with database.operator() as tx:
            incident = await incident_services.incidents.open(
                tx, title=form.text("title"), summary=form.text("summary"), impact=form.text("impact"),
                extent=form.text("extent"), subprocessor=form.text("subprocessor"),
                subprocessor_reference=form.text("subprocessor_reference"), by=principal,
            )  # fmt: skip
    except Error as error:
        return page(
            "incidents_new.html", principal, form=form, error=error, impacts=IMPACTS, extents=EXTENTS, matrix=MATRIX
        )
    return see(f"/incidents/{incident.id}?done=opened")


@get("/incidents/{incident:str}", **requires("incidents.read"))
async def show_incident(
    database: Database, incident_services: IncidentServices, accounts: Accounts, incident: str, principal: Principal,
    done: str = "",
) -> Template:  # fmt: skip
    return await _shown(database, incident_services, accounts, incident, principal, notice=_NOTICES.get(done, ""))


@post("/incidents/{incident:str}/move", **requires("incidents.move"))
async def move(
    database: Database, incident_services: IncidentServices, accounts: Accounts, incident: str, form: Form,
    principal: Principal,
) -> Response[Any]:  # fmt: skip
    return await attempt(
        database,
        lambda tx: incident_services.incidents.move(
            tx, id_of(incident), to=form.text("to"), reason=form.text("reason"), by=principal
        ),
        lambda error: _shown(database, incident_services, accounts, incident, principal, form=form, error=error),
        f"/incidents/{incident}?done=moved",
    )


@post("/incidents/{incident:str}/timeline", **requires("incidents.note"))
async def note(
    database: Database, incident_services: IncidentServices, accounts: Accounts, incident: str, form: Form,
    principal: Principal,
) -> Response[Any]:  # fmt: skip
    async def act(tx: Any) -> object:
        return await incident_services.incidents.note(
            tx, id_of(incident), text=form.text("text"), at=moment_of("at", form.text("at")),
            event=optional_id("event", form.text("event")), by=principal,
        )  # fmt: skip

    return await attempt(
        database,
        act,
        lambda error: _shown(database, incident_services, accounts, incident, principal, form=form, error=error),
        f"/incidents/{incident}?done=noted",
    )


@post("/incidents/{incident:str}/tasks", **requires("incidents.add_task"))
async def add_task(
    database: Database, incident_services: IncidentServices, accounts: Accounts, incident: str, form: Form,
    principal: Principal,
) -> Response[Any]:  # fmt: skip
    async def act(tx: Any) -> object:
        return await incident_services.incidents.add_task(
            tx, id_of(incident), title=form.text("title"), assignee=optional_id("assignee", form.text("assignee")),
            due_at=moment_of("due_at", form.text("due_at")), by=principal,
        )  # fmt: skip

    return await attempt(
        database,
        act,
        lambda error: _shown(database, incident_services, accounts, incident, principal, form=form, error=error),
        f"/incidents/{incident}?done=task",
    )


@post("/incidents/{incident:str}/tasks/{task:str}", **requires("incidents.complete_task"))
async def complete_task(
    database: Database, incident_services: IncidentServices, accounts: Accounts, incident: str, task: str, form: Form,
    principal: Principal,
) -> Response[Any]:  # fmt: skip
    return await attempt(
        database,
        lambda tx: incident_services.incidents.complete_task(
            tx, id_of(incident), id_of(task), done=form.text("tick") == "done", by=principal
        ),
        lambda error: _shown(database, incident_services, accounts, incident, principal, error=error),
        f"/incidents/{incident}?done=ticked",
    )


@post("/incidents/{incident:str}/playbook", **requires("incidents.follow_playbook"))
async def follow_playbook(
    database: Database, incident_services: IncidentServices, accounts: Accounts, incident: str, form: Form,
    principal: Principal,
) -> Response[Any]:  # fmt: skip
    return await attempt(
        database,
        lambda tx: incident_services.incidents.follow_playbook(
            tx, id_of(incident), form.text("playbook"), by=principal
        ),
        lambda error: _shown(database, incident_services, accounts, incident, principal, form=form, error=error),
        f"/incidents/{incident}?done=playbook",
    )


@post("/incidents/{incident:str}/alerts", **requires("incidents.link_alert"))
async def link_alert(
    database: Database, incident_services: IncidentServices, accounts: Accounts, incident: str, form: Form,
    principal: Principal,
) -> Response[Any]:  # fmt: skip
    return await attempt(
        database,
        lambda tx: incident_services.incidents.link_alert(
            tx, id_of(incident), id_of(form.text("alert").strip()), by=principal
        ),
        lambda error: _shown(database, incident_services, accounts, incident, principal, form=form, error=error),
        f"/incidents/{incident}?done=linked",
    )


@put("/incidents/{incident:str}/evidence/{name:str}", **requires("incidents.attach"))
async def attach(
    database: Database, incident_services: IncidentServices, incident: str, name: str, body: bytes,
    principal: Principal, content_type: FileType = "application/octet-stream",
) -> Response[Any]:  # fmt: skip
    """Sent by the page's script: a form of files has no place in the guard for forms."""
    async with database.operator() as tx:
        await incident_services.incidents.attach(
            tx, id_of(incident), name=name, content_type=content_type, content=body, by=principal
        )
    return Response({"next": f"/incidents/{incident}?done=kept"}, media_type="application/json")


@get("/incidents/{incident:str}/evidence/{attachment:str}", **requires("incidents.open_evidence"))
async def open_evidence(
    database: Database, incident_services: IncidentServices, incident: str, attachment: str, principal: Principal
) -> Response[bytes]:
    async with database.operator() as tx:
        found, content = await incident_services.incidents.open_evidence(
            tx, id_of(incident), id_of(attachment), by=principal
        )
    return download(found.name, content)


@get("/incidents/{incident:str}/edit", **requires("incidents.change"))
async def edit(
    database: Database, incident_services: IncidentServices, accounts: Accounts, incident: str, principal: Principal
) -> Template:
    return await _edited(database, incident_services, accounts, incident, principal)


@post("/incidents/{incident:str}/edit", **requires("incidents.change"))
async def change(
    database: Database, incident_services: IncidentServices, accounts: Accounts, incident: str, form: Form,
    principal: Principal,
) -> Response[Any]:  # fmt: skip
    version = form.text("version")
    return await attempt(
        database,
        lambda tx: incident_services.incidents.change(
            tx, id_of(incident), title=form.text("title"), summary=form.text("summary"),
            subprocessor=form.text("subprocessor"), subprocessor_reference=form.text("subprocessor_reference"),
            version=int(version) if version.isascii() and version.isdigit() and len(version) < 10 else 0, by=principal,  # noqa: PLR2004  more than any incident sees
        ),
        lambda error: _edited(database, incident_services, accounts, incident, principal, form=form, error=error),
        f"/incidents/{incident}?done=changed",
    )  # fmt: skip


@post("/incidents/{incident:str}/severity", **requires("incidents.assess"))
async def assess(
    database: Database, incident_services: IncidentServices, accounts: Accounts, incident: str, form: Form,
    principal: Principal,
) -> Response[Any]:  # fmt: skip
    return await attempt(
        database,
        lambda tx: incident_services.incidents.assess(
            tx, id_of(incident), impact=form.text("impact"), extent=form.text("extent"), by=principal
        ),
        lambda error: _edited(database, incident_services, accounts, incident, principal, form=form, error=error),
        f"/incidents/{incident}?done=changed",
    )


@post("/incidents/{incident:str}/people", **requires("incidents.assign"))
async def assign(
    database: Database, incident_services: IncidentServices, accounts: Accounts, incident: str, form: Form,
    principal: Principal,
) -> Response[Any]:  # fmt: skip
    async def act(tx: Any) -> object:
        return await incident_services.incidents.assign(
            tx, id_of(incident), owner=optional_id("owner", form.text("owner")),
            deputy=optional_id("deputy", form.text("deputy")), by=principal,
        )  # fmt: skip

    return await attempt(
        database,
        act,
        lambda error: _edited(database, incident_services, accounts, incident, principal, form=form, error=error),
        f"/incidents/{incident}?done=changed",
    )


@get("/incidents/{incident:str}/postmortem", **requires("incidents.review"))
async def postmortem(
    database: Database, incident_services: IncidentServices, incident: str, principal: Principal
) -> Template:  # fmt: skip
    return await _reviewed(database, incident_services, incident, principal)


@post("/incidents/{incident:str}/postmortem", **requires("incidents.review"))
async def review(
    database: Database, incident_services: IncidentServices, incident: str, form: Form, principal: Principal
) -> Response[Any]:
    return await attempt(
        database,
        lambda tx: incident_services.incidents.review(
            tx, id_of(incident), cause=form.text("cause"), lessons=form.text("lessons"),
            tasks=form.text("tasks").splitlines(), by=principal,
        ),
        lambda error: _reviewed(database, incident_services, incident, principal, form=form, error=error),
        f"/incidents/{incident}?done=reviewed",
    )  # fmt: skip


# --- the pages themselves ------------------------------------------------------------------------------------


async def _shown(
    database: Database, services: IncidentServices, accounts: Accounts, incident: str, principal: Principal, *,
    notice: str = "", form: Form = EMPTY, error: Error | None = None,
) -> Template:  # fmt: skip
    incident_id = id_of(incident)
    async with database.operator_read() as tx:
        found = await services.incidents.get(tx, incident_id)
        context: dict[str, Any] = {
            "incident": found,
            "breach": await services.breaches.find(tx, incident_id),
            "timeline": await services.incidents.entries(tx, incident_id),
            "tasks": await services.incidents.tasks(tx, incident_id),
            "attachments": await services.incidents.attachments(tx, incident_id),
            "alerts": await services.incidents.alerts(tx, incident_id),
            "staff": await people(tx, accounts),
        }
    return page(
        "incidents_show.html", principal, notice=notice, form=form, error=error, phases=_ways(found),
        playbooks={one.name: one.title for one in services.incidents.playbooks.values()}, **context,
    )  # fmt: skip


def _ways(incident: Incident) -> list[str]:
    """Where it can go from here: on first, then back."""
    earlier = [one.value for one in PHASES[: PHASES.index(incident.phase)]]
    return [*([incident.following.value] if incident.following else []), *reversed(earlier)]


async def _edited(
    database: Database, services: IncidentServices, accounts: Accounts, incident: str, principal: Principal, *,
    form: Form = EMPTY, error: Error | None = None,
) -> Template:  # fmt: skip
    async with database.operator_read() as tx:
        found = await services.incidents.get(tx, id_of(incident))
        staff = await people(tx, accounts)
    values: dict[str, list[str]] = {
        "title": [found.title], "summary": [found.summary], "subprocessor": [found.subprocessor],
        "subprocessor_reference": [found.subprocessor_reference], "impact": [found.impact], "extent": [found.extent],
        "owner": [str(found.owner or "")], "deputy": [str(found.deputy or "")], "version": [str(found.version)],
    }  # fmt: skip
    return page(
        "incidents_edit.html", principal, incident=found, form=Form(values | form.values), error=error,
        impacts=IMPACTS, extents=EXTENTS, matrix=MATRIX, staff=staff,
    )  # fmt: skip


async def _reviewed(
    database: Database, services: IncidentServices, incident: str, principal: Principal, *, form: Form = EMPTY,
    error: Error | None = None,
) -> Template:  # fmt: skip
    async with database.operator_read() as tx:
        found = await services.incidents.get(tx, id_of(incident))
    values = {"cause": [found.cause], "lessons": [found.lessons]}
    return page("incidents_postmortem.html", principal, incident=found, form=Form(values | form.values), error=error)


routes: list[Any] = [
    list_incidents, new_incident, open_incident, show_incident, move, note, add_task, complete_task, follow_playbook,
    link_alert, attach, open_evidence, edit, change, assess, assign, postmortem, review,
]  # fmt: skip
