"""Incidents: opened by people or alerts, taken through their phases, and closed when everything is done (TOM 9.1)."""

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from bailee.access.accounts import verify_reason
from bailee.access.holders import staff_holds
from bailee.access.store import accounts as account_rows
from bailee.encryption.envelope import DataKey, Place, seal, unseal
from bailee.events import Events, Object, verb
from bailee.events.catalogue import (
    IncidentAlertLinked,
    IncidentAssessed,
    IncidentAssigned,
    IncidentChanged,
    IncidentEvidenceAdded,
    IncidentEvidenceOpened,
    IncidentMoved,
    IncidentNoted,
    IncidentOpened,
    IncidentReviewed,
    IncidentTaskAdded,
    IncidentTaskDone,
)
from bailee.foundation.clock import Clock
from bailee.foundation.database import OperatorReader, OperatorWriter
from bailee.foundation.errors import Conflict, FieldError, Invalid, NotFound, TooLarge
from bailee.foundation.ids import OPERATOR, new_id
from bailee.foundation.mail import Mail, Message
from bailee.foundation.principal import Principal
from bailee.foundation.texts import read_line, read_moment, read_prose
from bailee.incidents.letters import Letters
from bailee.incidents.model import (
    EXTENTS,
    IMPACTS,
    MATRIX,
    PHASES,
    Attachment,
    Entry,
    EntryKind,
    Incident,
    LinkedAlert,
    Origin,
    Phase,
    Severity,
    Task,
)
from bailee.incidents.playbooks import Playbook
from bailee.incidents.store import breaches as breach_rows
from bailee.incidents.store import incidents as rows
from bailee.monitoring.alerts import Alerts

MAX_ATTACHMENT = 6 * 1024 * 1024
MAX_TASKS = 500
_LONGEST_LINE = 255
_REMEMBERED = timedelta(days=3650)
_IN_CHARGE = ["owner", "security_officer", "data_protection"]
_GRAVE = frozenset({"high", "critical"})


type LetterOf = Callable[[str, Incident], Message]


class Incidents:
    """The register of incidents. `key` seals what is kept as evidence."""

    def __init__(
        self, events: Events, alerts: Alerts, mail: Mail, letters: Letters, playbooks: dict[str, Playbook],
        key: DataKey, clock: Clock,
    ) -> None:  # fmt: skip
        self.playbooks = playbooks
        self._events = events
        self._alerts = alerts
        self._mail = mail
        self._letters = letters
        self._key = key
        self._clock = clock

    # --- looking --------------------------------------------------------------------------------------

    async def page(
        self, tx: OperatorReader, *, state: str | None = None, search: str = "", before: UUID | None = None,
        limit: int = 100,
    ) -> list[Incident]:  # fmt: skip
        """Incidents, newest first. `state`: a phase, `unfinished`, or `exercise`, for those that are over too."""
        return await rows.list_incidents(tx, state=state, search=search, before=before, limit=limit)

    async def get(self, tx: OperatorReader, incident_id: UUID) -> Incident:
        """Raises NotFound."""
        found = await rows.find_incident(tx, incident_id)
        if found is None:
            raise NotFound
        return found

    async def entries(self, tx: OperatorReader, incident_id: UUID, *, limit: int = 1000) -> list[Entry]:
        """The timeline: its latest lines, in the order in which things happened."""
        return await rows.list_entries(tx, incident_id, limit=limit)

    async def tasks(self, tx: OperatorReader, incident_id: UUID) -> list[Task]:
        return await rows.list_tasks(tx, incident_id)

    async def attachments(self, tx: OperatorReader, incident_id: UUID) -> list[Attachment]:
        return await rows.list_attachments(tx, incident_id)

    async def alerts(self, tx: OperatorReader, incident_id: UUID) -> list[LinkedAlert]:
        return await rows.list_alerts(tx, incident_id)

    # --- opening and describing -----------------------------------------------------------------------

    @verb(IncidentOpened, permission="incidents.open")
    async def open(
        self, tx: OperatorWriter, *, title: str, summary: str, impact: str, extent: str, by: Principal,
        subprocessor: str = "", subprocessor_reference: str = "", exercise: bool = False, by_alert: bool = False,
    ) -> Incident:  # fmt: skip
        """A new incident. Those in charge are written to where it is grave and no exercise. Raises Invalid."""
        errors: list[FieldError] = []
        title = read_line("title", title, errors)
        summary = read_prose("summary", summary, errors)
        told_by = read_line("subprocessor", subprocessor, errors, required=False)
        reference = read_line("subprocessor_reference", subprocessor_reference, errors, required=False)
        severity = _severity(impact, extent, errors)
        _stop_at(errors, "The incident is not opened.")
        incident_id = new_id()
        await rows.insert_incident(
            tx, incident_id, title=title, summary=summary, impact=impact, extent=extent, severity=severity,
            exercise=exercise, subprocessor=told_by, subprocessor_reference=reference, opened_by=by.id,
        )  # fmt: skip
        found = await self.get(tx, incident_id)
        await self.write(tx, incident_id, "opened", f"Opened as {severity}: {title}", by)
        details = IncidentOpened(severity, exercise, by_alert)
        await self._events.record(tx, details, by=by, on=_object(incident_id))
        if severity in _GRAVE and not exercise:
            await self.tell_staff(tx, _IN_CHARGE, found, self._letters.opened)
        return found

    @verb(IncidentChanged, permission="incidents.change")
    async def change(
        self, tx: OperatorWriter, incident_id: UUID, *, title: str, summary: str, version: int | None, by: Principal,
        subprocessor: str = "", subprocessor_reference: str = "",
    ) -> Incident:  # fmt: skip
        """Says better what it is. Raises NotFound, Invalid; Conflict when closed, or changed since `version`."""
        incident = await self.hold(tx, incident_id)
        if version is not None and version != incident.version:
            raise Conflict("Somebody else has changed this incident meanwhile. Look at it again.")
        errors: list[FieldError] = []
        title = read_line("title", title, errors)
        summary = read_prose("summary", summary, errors)
        told_by = read_line("subprocessor", subprocessor, errors, required=False)
        reference = read_line("subprocessor_reference", subprocessor_reference, errors, required=False)
        _stop_at(errors, "Nothing is changed.")
        await rows.update_words(tx, incident_id, title, summary, told_by, reference)
        await self.write(tx, incident_id, "changed", f"Described anew: {title}", by)
        await self._events.record(tx, IncidentChanged(), by=by, on=_object(incident_id))
        return await self.get(tx, incident_id)

    @verb(IncidentAssessed, permission="incidents.assess")
    async def assess(
        self, tx: OperatorWriter, incident_id: UUID, *, impact: str, extent: str, by: Principal
    ) -> Incident:  # fmt: skip
        """How grave it is, by the severity matrix. Raises NotFound, Invalid, Conflict when closed."""
        before = await self.hold(tx, incident_id)
        errors: list[FieldError] = []
        severity = _severity(impact, extent, errors)
        _stop_at(errors, "Nothing is changed.")
        await rows.update_severity(tx, incident_id, impact, extent, severity)
        text = f"Severity {severity} (impact {impact}, extent {extent}); it was {before.severity}"
        await self.write(tx, incident_id, "assessed", text, by)
        await self._events.record(tx, IncidentAssessed(severity), by=by, on=_object(incident_id))
        found = await self.get(tx, incident_id)
        if severity in _GRAVE and before.severity not in _GRAVE and not found.exercise:
            await self.tell_staff(tx, _IN_CHARGE, found, self._letters.opened)
        return found

    @verb(IncidentAssigned, permission="incidents.assign")
    async def assign(
        self, tx: OperatorWriter, incident_id: UUID, *, owner: UUID | None, deputy: UUID | None, by: Principal
    ) -> Incident:
        """Who answers for it, and who if they do not. Raises NotFound, Conflict; Invalid for somebody who may not."""
        incident = await self.hold(tx, incident_id)
        errors = []
        for name, account in (("owner", owner), ("deputy", deputy)):
            if account is not None and not await staff_holds(tx, account, "incidents.move"):
                errors.append(FieldError(name, "Name active staff who may handle incidents."))
        if owner is not None and owner == deputy:
            errors.append(FieldError("deputy", "Name somebody else than the owner."))
        if owner is None and incident.phase is not Phase.IDENTIFIED:
            errors.append(FieldError("owner", "An incident that is past identification has an owner."))
        _stop_at(errors, "Nothing is changed.")
        await rows.update_people(tx, incident_id, owner, deputy)
        await self.write(tx, incident_id, "owner", f"Owner {owner or 'nobody'}, deputy {deputy or 'nobody'}", by)
        details = IncidentAssigned(owner is not None, deputy is not None)
        await self._events.record(tx, details, by=by, on=_object(incident_id))
        return await self.get(tx, incident_id)

    # --- phases ---------------------------------------------------------------------------------------

    @verb(IncidentMoved, permission="incidents.move")
    async def move(
        self, tx: OperatorWriter, incident_id: UUID, *, to: str, reason: str, by: Principal
    ) -> Incident:  # fmt: skip
        """On to the next phase, or back to an earlier one; `reason` says what was done, or what turned up.

        Raises NotFound, Invalid; Conflict while something is missing for the phase.
        """
        if to not in PHASES:
            raise Invalid("Nothing is changed.", errors=[FieldError("to", f"Choose one of: {', '.join(PHASES)}.")])
        phase = Phase(to)
        reason = verify_reason(reason)
        incident = await rows.hold_incident(tx, incident_id)
        if incident is None:
            raise NotFound
        forward = PHASES.index(phase) > PHASES.index(incident.phase)
        if phase is incident.phase or (forward and phase is not incident.following):
            earlier = PHASES[: PHASES.index(incident.phase)]
            ways = [*earlier, *([incident.following] if incident.following else [])]
            raise Conflict(f"This incident is {incident.phase}; from there it goes to: {', '.join(ways)}.")
        if forward:
            await self._verify_ready(tx, incident, phase)
        await rows.update_phase(tx, incident_id, phase)
        await self.write(tx, incident_id, "phase", f"{incident.phase} → {phase}: {reason}", by)
        details = IncidentMoved(incident.phase.value, phase.value)
        await self._events.record(tx, details, by=by, on=_object(incident_id))
        return await self.get(tx, incident_id)

    async def _verify_ready(self, tx: OperatorReader, incident: Incident, phase: Phase) -> None:
        """Raises Conflict, naming everything that is missing."""
        missing = []
        if incident.owner is None:
            missing.append("name an owner")
        if phase is Phase.CLOSED:
            if incident.breach == "undecided":
                missing.append("decide whether it is a breach of personal data")
            if not incident.cause or not incident.lessons:
                missing.append("write the post-mortem")
            tasks = await rows.list_tasks(tx, incident.id)
            if any(one.done_at is None and one.origin != "lesson" for one in tasks):
                missing.append("finish its tasks")
            breach = await breach_rows.find_breach(tx, incident.id)
            if breach is not None and breach.told_at is None:
                missing.append("send every customer concerned its notice")
        if missing:
            raise Conflict(f"Before it is {phase}: {'; '.join(missing)}.")

    @verb(IncidentReviewed, permission="incidents.review")
    async def review(
        self, tx: OperatorWriter, incident_id: UUID, *, cause: str, lessons: str, tasks: Sequence[str], by: Principal
    ) -> Incident:
        """The post-mortem: what it came from and what was learnt; each of `tasks` is one to do, also after closing.

        Raises NotFound, Invalid, Conflict before it is mitigated or when it is closed.
        """
        incident = await self.hold(tx, incident_id)
        if PHASES.index(incident.phase) < PHASES.index(Phase.MITIGATED):
            raise Conflict("Mitigate it first: a post-mortem is written of what is over.")
        errors: list[FieldError] = []
        cause = read_prose("cause", cause, errors)
        lessons = read_prose("lessons", lessons, errors)
        titles = [read_line("tasks", one, errors, most=_LONGEST_LINE) for one in tasks if one.strip()]
        _stop_at(errors, "The post-mortem is not kept.")
        await rows.update_postmortem(tx, incident_id, cause, lessons)
        await self.write(tx, incident_id, "postmortem", f"Post-mortem written. Cause: {cause}", by)
        if titles:
            await self._add_tasks(tx, incident_id, [("Lessons", one) for one in titles], "lesson", by)
        await self._events.record(tx, IncidentReviewed(), by=by, on=_object(incident_id))
        return await self.get(tx, incident_id)

    # --- timeline and evidence ------------------------------------------------------------------------

    @verb(IncidentNoted, permission="incidents.note")
    async def note(
        self, tx: OperatorWriter, incident_id: UUID, *, text: str, by: Principal, at: datetime | None = None,
        event: UUID | None = None,
    ) -> Entry:  # fmt: skip
        """A line of the timeline, about something that happened `at` a moment, or about an event of the log.

        Raises NotFound, also for an event that is not there; Invalid.
        """
        await self.get(tx, incident_id)
        errors: list[FieldError] = []
        text = read_prose("text", text, errors)
        now = self._clock.now()
        at = read_moment("at", at, errors, earliest=now - _REMEMBERED, latest=now + timedelta(minutes=5))
        _stop_at(errors, "The line is not written.")
        reference = ""
        if event is not None:
            found = await self._events.listed(tx, [event])
            if not found:
                raise Invalid("The line is not written.", errors=[FieldError("event", "There is no such event.")])
            at, reference = datetime.fromisoformat(found[0].time), str(event)
        entry = await self.write(tx, incident_id, "event" if event else "note", text, by, at=at, reference=reference)
        await self._events.record(tx, IncidentNoted(event is not None), by=by, on=_object(incident_id))
        return entry

    @verb(IncidentEvidenceAdded, permission="incidents.attach")
    async def attach(
        self, tx: OperatorWriter, incident_id: UUID, *, name: str, content_type: str, content: bytes, by: Principal
    ) -> Attachment:
        """Keeps a file as evidence, sealed, its digest in the ledger. Raises NotFound, Invalid, TooLarge, Conflict."""
        await self.hold(tx, incident_id)
        if len(content) > MAX_ATTACHMENT:
            raise TooLarge(f"A file has at most {MAX_ATTACHMENT // 1024 // 1024} MiB. Split it.")
        errors: list[FieldError] = []
        name = read_line("name", name, errors, most=_LONGEST_LINE)
        if "/" in name or "\\" in name:
            errors.append(FieldError("name", "Give the file's own name, without a folder."))
        if not content:
            errors.append(FieldError("content", "The file is empty."))
        _stop_at(errors, "The file is not kept.")
        kind = content_type if content_type.isascii() and content_type.isprintable() else "application/octet-stream"
        digest = hashlib.sha256(content).hexdigest()
        attachment = Attachment(new_id(), name, kind[:_LONGEST_LINE], len(content), digest, by.id, self._clock.now())
        await rows.insert_attachment(tx, incident_id, attachment, seal(self._key, content, _place(attachment.id)))
        text = f"Evidence kept: {name} (SHA-256 {digest})"
        await self.write(tx, incident_id, "evidence", text, by, reference=str(attachment.id))
        details = IncidentEvidenceAdded(len(content), digest)
        await self._events.record(tx, details, by=by, on=_object(incident_id))
        return attachment

    @verb(IncidentEvidenceOpened, permission="incidents.open_evidence")
    async def open_evidence(
        self, tx: OperatorWriter, incident_id: UUID, attachment_id: UUID, *, by: Principal
    ) -> tuple[Attachment, bytes]:
        """A file that was kept, and its content. Raises NotFound; DecryptionFailed for one that was changed."""
        found = await rows.find_attachment(tx, incident_id, attachment_id)
        if found is None:
            raise NotFound
        content = unseal(self._key, await rows.read_attachment(tx, attachment_id), _place(attachment_id))
        await self._events.record(tx, IncidentEvidenceOpened(), by=by, on=Object("evidence", str(attachment_id)))
        return found, content

    @verb(IncidentAlertLinked, permission="incidents.link_alert")
    async def link_alert(self, tx: OperatorWriter, incident_id: UUID, alert_id: UUID, *, by: Principal) -> LinkedAlert:
        """Says that an alert belongs to it. Raises NotFound for either, Conflict when closed."""
        await self.hold(tx, incident_id)
        alert = await self._alerts.get(tx, alert_id)
        if await rows.link_alert(tx, incident_id, alert.tenant_id, alert_id):
            text = f"Alert ({alert.level}): {alert.title}. {alert.reason}"
            await self.write(tx, incident_id, "alert", text, by, at=alert.first_at, reference=str(alert_id))
        await self._events.record(tx, IncidentAlertLinked(), by=by, on=_object(incident_id))
        return LinkedAlert(alert.tenant_id, alert.id, alert.title, alert.level, alert.status.value)

    # --- tasks ----------------------------------------------------------------------------------------

    @verb(IncidentTaskAdded, permission="incidents.add_task")
    async def add_task(
        self, tx: OperatorWriter, incident_id: UUID, *, title: str, by: Principal, assignee: UUID | None = None,
        due_at: datetime | None = None,
    ) -> Task:  # fmt: skip
        """Something more to do. Raises NotFound, Invalid, Conflict when closed."""
        await self.hold(tx, incident_id)
        errors: list[FieldError] = []
        title = read_line("title", title, errors, most=_LONGEST_LINE)
        if assignee is not None and not await staff_holds(tx, assignee, "incidents.complete_task"):
            errors.append(FieldError("assignee", "Name active staff who may work on incidents."))
        now = self._clock.now()
        due_at = read_moment("due_at", due_at, errors, earliest=now - timedelta(days=1), latest=now + _REMEMBERED)
        _stop_at(errors, "The task is not added.")
        (task,) = await self._add_tasks(tx, incident_id, [("", title)], "person", by, assignee, due_at)
        return task

    @verb(IncidentTaskAdded, permission="incidents.follow_playbook")
    async def follow_playbook(self, tx: OperatorWriter, incident_id: UUID, name: str, *, by: Principal) -> list[Task]:
        """Makes a task of each box of a playbook, but for those that it has. Raises NotFound, Invalid, Conflict."""
        await self.hold(tx, incident_id)
        playbook = self.playbooks.get(name)
        if playbook is None:
            message = f"Choose one of: {', '.join(self.playbooks)}."
            raise Invalid("No playbook is followed.", errors=[FieldError("playbook", message)])
        present = {(one.group, one.title) for one in await rows.list_tasks(tx, incident_id) if one.origin == "playbook"}
        steps = [(one.heading, one.title) for one in playbook.steps if (one.heading, one.title) not in present]
        await self.write(tx, incident_id, "playbook", f"Playbook followed: {playbook.title}", by, reference=name)
        return await self._add_tasks(tx, incident_id, steps, "playbook", by)

    @verb(IncidentTaskDone, permission="incidents.complete_task")
    async def complete_task(
        self, tx: OperatorWriter, incident_id: UUID, task_id: UUID, *, done: bool, by: Principal
    ) -> Task:
        """Ticks a task, or unticks it. Lessons are ticked after closing too. Raises NotFound, Conflict."""
        task = await rows.find_task(tx, incident_id, task_id)
        if task is None:
            raise NotFound
        if task.origin != "lesson":
            await self.hold(tx, incident_id)
        if not await rows.set_done(tx, task_id, by.id if done else None):
            raise Conflict("This task is done already." if done else "This task is not done.")
        await self.write(
            tx, incident_id, "task", f"{'Done' if done else 'Not done after all'}: {task.title}", by,
            reference=str(task_id),
        )  # fmt: skip
        await self._events.record(tx, IncidentTaskDone(done), by=by, on=_object(incident_id))
        return await rows.find_task(tx, incident_id, task_id) or task

    async def _add_tasks(
        self, tx: OperatorWriter, incident_id: UUID, steps: list[tuple[str, str]], origin: Origin, by: Principal,
        assignee: UUID | None = None, due_at: datetime | None = None,
    ) -> list[Task]:  # fmt: skip
        if len(steps) + len(await rows.list_tasks(tx, incident_id)) > MAX_TASKS:
            raise Conflict(f"An incident has at most {MAX_TASKS} tasks.")
        made = [Task(new_id(), title, group, origin, assignee, due_at, None, None) for group, title in steps]
        await rows.insert_tasks(tx, incident_id, made)
        await self._events.record(tx, IncidentTaskAdded(len(made), origin), by=by, on=_object(incident_id))
        return made

    # --- for the services beside it --------------------------------------------------------------------

    async def hold(self, tx: OperatorWriter, incident_id: UUID) -> Incident:
        """The incident, held for a change. Raises NotFound, or Conflict when it is closed."""
        found = await rows.hold_incident(tx, incident_id)
        if found is None:
            raise NotFound
        if found.phase is Phase.CLOSED:
            raise Conflict("This incident is closed. Take it back to an earlier phase, with a reason, to go on.")
        return found

    async def write(
        self, tx: OperatorWriter, incident_id: UUID, kind: EntryKind, text: str, author: Principal, *,
        at: datetime | None = None, reference: str = "",
    ) -> Entry:  # fmt: skip
        """Adds a line to the timeline."""
        now = self._clock.now()
        entry = Entry(new_id(), at or now, now, kind, author.id or author.kind.value, text, reference)
        await rows.insert_entry(tx, incident_id, entry)
        return entry

    async def tell_staff(
        self, tx: OperatorWriter, roles: list[str], incident: Incident, letter: LetterOf
    ) -> int:  # fmt: skip
        """Writes to everybody with one of the roles; how many there are."""
        people = await account_rows.list_staff_emails(tx, roles)
        for email in people:
            await self._mail.queue(tx, letter(email, incident))
        return len(people)


def _severity(impact: str, extent: str, errors: list[FieldError]) -> Severity:
    if impact not in IMPACTS:
        errors.append(FieldError("impact", f"Choose one of: {', '.join(IMPACTS)}."))
    if extent not in EXTENTS:
        errors.append(FieldError("extent", f"Choose one of: {', '.join(EXTENTS)}."))
    return MATRIX.get((impact, extent), "low")


def _stop_at(errors: list[FieldError], message: str) -> None:
    if errors:
        raise Invalid(message, errors=errors)


def _object(incident_id: UUID) -> Object:
    return Object("incident", str(incident_id))


def _place(attachment_id: UUID) -> Place:
    return Place(OPERATOR, "evidence", attachment_id, 1)
