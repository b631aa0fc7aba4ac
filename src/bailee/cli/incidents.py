"""Commands about incidents, and about notices of breaches."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import cyclopts

from bailee.cli.context import connect
from bailee.cli.output import say, show_json, show_table
from bailee.client import BulkResult, ExerciseResult, Incident, Notice

incident = cyclopts.App(name="incident", help="Incidents: from the first line to the last customer's notice.")
notice = cyclopts.App(name="notice", help="Notices of breaches of personal data.")

type Reason = Annotated[str, cyclopts.Parameter(help="What was done, or has turned up, in 10 to 500 characters.")]


@incident.command(name="list")
def list_incidents(*, state: str = "unfinished", search: str | None = None, json: bool = False) -> None:
    """List incidents, newest first. State: a phase, unfinished, or exercise."""
    with connect() as client:
        _show(list(client.incidents.list(state=state, search=search)), json=json)


@incident.command
def show(incident_id: str, *, json: bool = False) -> None:
    """Show an incident with its timeline, tasks and notices."""
    with connect() as client:
        found = client.incidents.get(incident_id)
    if json:
        show_json(found)
        return
    _show([found.incident], json=False)
    if found.breach:
        left = found.breach.left_seconds
        clock = f"{left // 3600} h {left % 3600 // 60} min left" if left > 0 else "the 24 hours are over"
        say(f"Verified breach; customers told by {found.breach.due_at:%Y-%m-%d %H:%M} UTC: "
            f"{'everybody is told' if found.breach.told_at else clock}")  # fmt: skip
    show_table(["When", "What", "By"], ((e.at, e.text, e.author) for e in found.timeline), empty="No line.")
    show_table(
        ["Id", "Task", "Done"], ((t.id, t.title, t.done_at or "to be done") for t in found.tasks), empty="No task."
    )
    _show_notices(list(found.notices), json=False)


@incident.command(name="open")
def open_incident(
    title: str, summary: str, *, impact: str, extent: str, subprocessor: str = "", json: bool = False
) -> None:
    """Open an incident. Impact: none, limited, serious, severe; extent: one, some, many."""
    with connect() as client:
        found = client.incidents.open(title, summary, impact=impact, extent=extent, subprocessor=subprocessor)
    _show([found], json=json)


@incident.command
def assign(incident_id: str, owner: str, *, deputy: str | None = None) -> None:
    """Say who answers for it, by account id."""
    with connect() as client:
        _show([client.incidents.assign(incident_id, owner=owner, deputy=deputy)], json=False)


@incident.command
def move(incident_id: str, to: str, *, reason: Reason) -> None:
    """Take it to the next phase, or back to an earlier one."""
    with connect() as client:
        _show([client.incidents.move(incident_id, to, reason)], json=False)


@incident.command
def note(incident_id: str, text: str, *, event: str | None = None) -> None:
    """Add a line to the timeline, about an event of the log if one is named."""
    with connect() as client:
        client.incidents.note(incident_id, text, event_id=event)
    say("The line is in the timeline.")


@incident.command
def attach(incident_id: str, file: Path) -> None:
    """Keep a file as evidence."""
    with connect() as client:
        kept = client.incidents.attach(incident_id, file.name, file.read_bytes())
    say(f"Kept {kept.name}, SHA-256 {kept.sha256}.")


@incident.command
def playbook(incident_id: str, name: str) -> None:
    """Make tasks of a playbook."""
    with connect() as client:
        say(f"{len(client.incidents.follow_playbook(incident_id, name))} tasks added.")


@incident.command
def done(incident_id: str, task_id: str, *, undo: bool = False) -> None:
    """Tick a task, or untick it."""
    with connect() as client:
        client.incidents.complete_task(incident_id, task_id, done=not undo)
    say("Noted in the timeline too.")


@incident.command
def trace(
    incident_id: str, *, since: datetime, until: datetime | None = None, account: list[str] | None = None,
    key: list[str] | None = None, session: list[str] | None = None, address: list[str] | None = None,
    store: str = "", subprocessor: str = "", json: bool = False,
) -> None:  # fmt: skip
    """Compute the blast radius from the log. Times are in UTC where they say nothing else."""
    with connect() as client:
        reach = client.incidents.trace(
            incident_id, since=_aware(since), until=_aware(until or datetime.now(UTC)), accounts=account or (),
            keys=key or (), sessions=session or (), addresses=address or (), store=store, subprocessor=subprocessor,
        )  # fmt: skip
    if json:
        show_json(reach)
        return
    rows = (
        (t.name, c.title or c.collection or "Files", c.reads, c.changes, c.subjects_certain, c.subjects_possible)
        for t in reach.tenants
        for c in t.collections
    )
    show_table(
        ["Customer", "Collection", "Reads", "Changes", "People, certain", "People, possible"], rows,
        empty="The log knows of nobody who was reached.",
    )  # fmt: skip


@incident.command(name="verify-breach")
def verify_breach(incident_id: str, *, facts: str) -> None:
    """Say that it is a breach of personal data: the 24 hours begin."""
    with connect() as client:
        breach = client.incidents.verify_breach(incident_id, facts)
    say(f"Verified. Every customer concerned is to be told by {breach.due_at:%Y-%m-%d %H:%M} UTC.")


@incident.command(name="dismiss-breach")
def dismiss_breach(incident_id: str, *, reason: str) -> None:
    """Say that it is no breach of personal data."""
    with connect() as client:
        _show([client.incidents.dismiss_breach(incident_id, reason)], json=False)


@incident.command
def review(incident_id: str, *, cause: str, lessons: str, task: list[str] | None = None) -> None:
    """Write the post-mortem; each --task becomes one."""
    with connect() as client:
        _show([client.incidents.review(incident_id, cause=cause, lessons=lessons, tasks=task or ())], json=False)


@incident.command
def playbooks() -> None:
    """List the playbooks."""
    with connect() as client:
        show_table(["Name", "Title"], ((p.name, p.title) for p in client.incidents.playbooks()), empty="None.")


@incident.command
def exercise(*, drill: bool = False, json: bool = False) -> None:
    """Begin an exercise that people go through, or have a drill go through by itself."""
    with connect() as client:
        begun = client.incidents.begin_exercise(drill=drill)
    if begun.result:
        _show_exercises([begun.result], json=json)
    elif begun.incident:
        _show([begun.incident], json=json)


@incident.command(name="end-exercise")
def end_exercise(incident_id: str, *, json: bool = False) -> None:
    """End an exercise, and see how it went."""
    with connect() as client:
        _show_exercises([client.incidents.end_exercise(incident_id)], json=json)


@incident.command
def exercises(*, json: bool = False) -> None:
    """List how exercises went, newest first."""
    with connect() as client:
        _show_exercises(client.incidents.exercises(), json=json)


# --- notices -----------------------------------------------------------------------------------------------


@notice.command(name="list")
def list_notices(*, json: bool = False) -> None:
    """List what your tenant was told, newest first."""
    with connect() as client:
        _show_notices(list(client.notices.list()), json=json)


@notice.command
def read(incident_id: str, *, json: bool = False) -> None:
    """Read a notice to your tenant. That it was read is on record."""
    with connect() as client:
        found = client.notices.get(incident_id)
    if json:
        show_json(found)
        return
    for one in found.versions:
        _say_text(one)


@notice.command
def subjects(incident_id: str, *, possible: bool = False) -> None:
    """List the people whom a notice to your tenant concerns."""
    with connect() as client:
        found = client.notices.subjects(incident_id, sureness="possible" if possible else "certain")
        rows = ((one.subject or "nothing is left of this person",) for one in found)
        show_table(["Data subject"], rows, empty="There is nobody.")


@notice.command(name="show")
def show_notice(incident_id: str, tenant_id: str, *, json: bool = False) -> None:
    """Show, as staff, every version for a customer, and how it went out."""
    with connect() as client:
        found = client.notices.show(incident_id, tenant_id)
    if json:
        show_json(found)
        return
    _show_notices(list(found.versions), json=False)
    if found.missing:
        say(f"It does not say yet: {', '.join(found.missing).replace('_', ' ')}.")
    rows = ((d.version, d.channel, d.recipient, d.state, d.reason) for d in found.deliveries)
    show_table(["Version", "Way", "To", "State", "Reason"], rows, empty="It was not sent yet.")


@notice.command
def draft(incident_id: str, tenant_id: str) -> None:
    """Draft a notice, or a supplement to one that was sent."""
    with connect() as client:
        _show_notices([client.notices.draft(incident_id, tenant_id)], json=False)


@notice.command
def edit(
    incident_id: str, tenant_id: str, version: int, *, nature: str | None = None, impact: str | None = None,
    mitigation_taken: str | None = None, mitigation_planned: str | None = None, contact: str | None = None,
    late_reason: str | None = None,
) -> None:  # fmt: skip
    """Write parts of a draft; the others stay."""
    with connect() as client:
        changed = client.notices.edit(
            incident_id, tenant_id, version, nature=nature, impact=impact, mitigation_taken=mitigation_taken,
            mitigation_planned=mitigation_planned, contact=contact, late_reason=late_reason,
        )  # fmt: skip
    _show_notices([changed], json=False)


@notice.command
def approve(incident_id: str, tenant_id: str, version: int) -> None:
    """Find a draft right that somebody else wrote."""
    with connect() as client:
        _show_notices([client.notices.approve(incident_id, tenant_id, version)], json=False)


@notice.command
def send(incident_id: str, tenant_id: str, version: int) -> None:
    """Send an approved version."""
    with connect() as client:
        _show_notices([client.notices.send(incident_id, tenant_id, version)], json=False)


@notice.command
def discard(incident_id: str, tenant_id: str, version: int, *, reason: str) -> None:
    """Throw a draft away."""
    with connect() as client:
        client.notices.discard(incident_id, tenant_id, version, reason)
    say("The draft is gone.")


@notice.command(name="edit-all")
def edit_all(
    incident_id: str, *, nature: str | None = None, impact: str | None = None, mitigation_taken: str | None = None,
    mitigation_planned: str | None = None, contact: str | None = None, late_reason: str | None = None,
) -> None:  # fmt: skip
    """Write the same into every draft of an incident; parts that are not given stay."""
    with connect() as client:
        result = client.notices.edit_all(
            incident_id, nature=nature, impact=impact, mitigation_taken=mitigation_taken,
            mitigation_planned=mitigation_planned, contact=contact, late_reason=late_reason,
        )  # fmt: skip
    _show_bulk(result)


@notice.command(name="approve-all")
def approve_all(incident_id: str) -> None:
    """Find every complete draft right that somebody else wrote."""
    with connect() as client:
        _show_bulk(client.notices.approve_all(incident_id))


@notice.command(name="send-all")
def send_all(incident_id: str) -> None:
    """Send every approved version."""
    with connect() as client:
        _show_bulk(client.notices.send_all(incident_id))


def _show_bulk(result: BulkResult) -> None:
    say(f"Done with {result.done} notices.")
    if result.refused:
        rows = ((one.tenant_id, one.tenant_name, one.reason) for one in result.refused)
        show_table(["Customer", "Name", "Not done, because"], rows, empty="")


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _say_text(one: Notice) -> None:
    say(f"Incident {one.number}, version {one.version}, sent {one.sent_at}")
    for title, text in (
        ("What happened", one.nature), ("What is likely to follow", one.impact), ("Done", one.mitigation_taken),
        ("Going to be done", one.mitigation_planned), ("Whom to ask", one.contact),
    ):  # fmt: skip
        say(f"{title}: {text}")


def _show(found: list[Incident], *, json: bool) -> None:
    if json:
        show_json({"items": found})
        return
    rows = ((i.id, i.number, i.severity, i.phase, i.breach, i.title, i.opened_at) for i in found)
    show_table(["Id", "Number", "Severity", "Phase", "Breach", "Title", "Opened"], rows, empty="Nothing is going on.")


def _show_notices(found: list[Notice], *, json: bool) -> None:
    if json:
        show_json({"items": found})
        return
    rows = ((n.incident_id, n.tenant_id, n.tenant_name, n.version, n.state, n.sent_at) for n in found)
    show_table(["Incident", "Customer", "Name", "Version", "State", "Sent"], rows, empty="There is no notice.")


def _show_exercises(found: list[ExerciseResult], *, json: bool) -> None:
    if json:
        show_json({"items": found})
        return
    rows = ((e.ended_at, "passed" if e.passed else "failed", e.seconds, e.tenants, " ".join(e.faults)) for e in found)
    show_table(["Ended", "How it went", "Seconds", "Customers", "Faults"], rows, empty="There was no exercise yet.")
