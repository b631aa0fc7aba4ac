"""Incidents, their timeline, tasks, files, alerts, and the triggers that open them."""

from datetime import datetime
from typing import LiteralString
from uuid import UUID

from bailee.foundation.database import OperatorReader, OperatorWriter
from bailee.foundation.ids import TenantId
from bailee.incidents.model import Attachment, Entry, Incident, LinkedAlert, Phase, Task, Trigger

_INCIDENT: LiteralString = """
SELECT
    incident_id AS id, number, title, summary, phase, impact, extent, severity, owner, deputy, exercise, subprocessor,
    subprocessor_reference, breach, opened_by, opened_at, triaged_at, mitigated_at, investigated_at, closed_at, cause,
    lessons, version
FROM incidents
"""


async def insert_incident(
    tx: OperatorWriter, incident_id: UUID, *, title: str, summary: str, impact: str, extent: str, severity: str,
    exercise: bool, subprocessor: str, subprocessor_reference: str, opened_by: str,
) -> None:  # fmt: skip
    await tx.run(
        """
        INSERT INTO incidents
            (incident_id, title, summary, impact, extent, severity, exercise, subprocessor, subprocessor_reference,
             opened_by)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (
            incident_id, title, summary, impact, extent, severity, exercise, subprocessor, subprocessor_reference,
            opened_by,
        ),
    )  # fmt: skip


async def find_incident(tx: OperatorReader, incident_id: UUID) -> Incident | None:
    return await tx.one(Incident, _INCIDENT + " WHERE incident_id = %s", (incident_id,))


async def hold_incident(tx: OperatorWriter, incident_id: UUID) -> Incident | None:
    """The incident, held for a change: what is decided on it holds until the commit."""
    return await tx.one(Incident, _INCIDENT + " WHERE incident_id = %s FOR UPDATE", (incident_id,))


async def list_incidents(
    tx: OperatorReader, *, state: str | None, search: str, before: UUID | None, limit: int
) -> list[Incident]:
    """Newest first. `state` is a phase, `unfinished` for all but closed, or `exercise`.

    Exercises that are over come with `exercise` alone.
    """
    return await tx.all(
        Incident,
        _INCIDENT
        + """
        WHERE (%(before)s::uuid IS NULL OR incident_id < %(before)s)
          AND (
              %(state)s::text IS NULL OR phase = %(state)s
              OR (%(state)s = 'unfinished' AND phase <> 'closed') OR (%(state)s = 'exercise' AND exercise)
          )
          AND (NOT exercise OR %(state)s IN ('unfinished', 'exercise'))
          AND (%(search)s = '' OR strpos(lower(title), lower(%(search)s)) > 0 OR number::text = %(search)s)
        ORDER BY incident_id DESC LIMIT %(limit)s
        """,
        {"before": before, "state": state, "search": search, "limit": limit},
    )


async def update_words(
    tx: OperatorWriter, incident_id: UUID, title: str, summary: str, subprocessor: str, reference: str
) -> None:
    await tx.run(
        """
        UPDATE incidents SET title = %s, summary = %s, subprocessor = %s, subprocessor_reference = %s,
            version = version + 1
        WHERE incident_id = %s
        """,
        (title, summary, subprocessor, reference, incident_id),
    )


async def update_severity(tx: OperatorWriter, incident_id: UUID, impact: str, extent: str, severity: str) -> None:
    await tx.run(
        """
        UPDATE incidents SET impact = %s, extent = %s, severity = %s, version = version + 1 WHERE incident_id = %s
        """,
        (impact, extent, severity, incident_id),
    )


async def update_people(tx: OperatorWriter, incident_id: UUID, owner: UUID | None, deputy: UUID | None) -> None:
    await tx.run(
        "UPDATE incidents SET owner = %s, deputy = %s, version = version + 1 WHERE incident_id = %s",
        (owner, deputy, incident_id),
    )


async def update_phase(tx: OperatorWriter, incident_id: UUID, phase: Phase) -> None:
    """Takes it there. What it had come to later than that is forgotten: it has to come there again."""
    await tx.run(
        """
        UPDATE incidents SET
            phase = %(phase)s, version = version + 1,
            triaged_at = CASE
                WHEN %(phase)s = 'identified' THEN NULL WHEN %(phase)s = 'triaged' THEN coalesce(triaged_at, now())
                ELSE triaged_at END,
            mitigated_at = CASE
                WHEN %(phase)s IN ('identified', 'triaged') THEN NULL
                WHEN %(phase)s = 'mitigated' THEN coalesce(mitigated_at, now()) ELSE mitigated_at END,
            investigated_at = CASE
                WHEN %(phase)s IN ('identified', 'triaged', 'mitigated') THEN NULL
                WHEN %(phase)s = 'investigated' THEN coalesce(investigated_at, now()) ELSE investigated_at END,
            closed_at = CASE WHEN %(phase)s = 'closed' THEN now() END
        WHERE incident_id = %(incident)s
        """,
        {"phase": phase.value, "incident": incident_id},
    )


async def update_breach(tx: OperatorWriter, incident_id: UUID, breach: str) -> None:
    await tx.run(
        "UPDATE incidents SET breach = %s, version = version + 1 WHERE incident_id = %s", (breach, incident_id)
    )


async def update_postmortem(tx: OperatorWriter, incident_id: UUID, cause: str, lessons: str) -> None:
    await tx.run(
        "UPDATE incidents SET cause = %s, lessons = %s, version = version + 1 WHERE incident_id = %s",
        (cause, lessons, incident_id),
    )


# --- timeline ----------------------------------------------------------------------------------------


async def insert_entry(tx: OperatorWriter, incident_id: UUID, entry: Entry) -> None:
    await tx.run(
        """
        INSERT INTO incident_entries (incident_id, entry_id, at, written_at, kind, author, text, reference)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (
            incident_id, entry.id, entry.at, entry.written_at, entry.kind, entry.author, entry.text, entry.reference,
        ),
    )  # fmt: skip


async def list_entries(tx: OperatorReader, incident_id: UUID, *, limit: int) -> list[Entry]:
    """The latest so many, in the order in which things happened."""
    found = await tx.all(
        Entry,
        """
        SELECT entry_id AS id, at, written_at, kind, author, text, reference FROM incident_entries
        WHERE incident_id = %s ORDER BY at DESC, entry_id DESC LIMIT %s
        """,
        (incident_id, limit),
    )
    return found[::-1]


# --- tasks -------------------------------------------------------------------------------------------

_TASK: LiteralString = """
SELECT task_id AS id, title, heading AS group, origin, assignee, due_at, done_at, done_by FROM incident_tasks
"""


async def insert_tasks(tx: OperatorWriter, incident_id: UUID, tasks: list[Task]) -> None:
    await tx.run_many(
        """
        INSERT INTO incident_tasks (incident_id, task_id, title, heading, origin, assignee, due_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s)
        """,
        [(incident_id, one.id, one.title, one.group, one.origin, one.assignee, one.due_at) for one in tasks],
    )


async def list_tasks(tx: OperatorReader, incident_id: UUID) -> list[Task]:
    return await tx.all(Task, _TASK + " WHERE incident_id = %s ORDER BY task_id", (incident_id,))


async def find_task(tx: OperatorReader, incident_id: UUID, task_id: UUID) -> Task | None:
    return await tx.one(Task, _TASK + " WHERE incident_id = %s AND task_id = %s", (incident_id, task_id))


async def set_done(tx: OperatorWriter, task_id: UUID, done_by: str | None) -> bool:
    """Ticks a task, or unticks it for None; whether that changed anything."""
    changed = await tx.run(
        """
        UPDATE incident_tasks SET done_at = CASE WHEN %(by)s::text IS NULL THEN NULL ELSE now() END, done_by = %(by)s
        WHERE task_id = %(task)s AND (done_at IS NULL) = (%(by)s::text IS NOT NULL)
        """,
        {"by": done_by, "task": task_id},
    )
    return changed == 1


# --- files -------------------------------------------------------------------------------------------


async def insert_attachment(tx: OperatorWriter, incident_id: UUID, one: Attachment, sealed: bytes) -> None:
    await tx.run(
        """
        INSERT INTO incident_attachments
            (incident_id, attachment_id, name, content_type, size, sha256, sealed, added_by, added_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (
            incident_id, one.id, one.name, one.content_type, one.size, one.sha256, sealed, one.added_by, one.added_at,
        ),
    )  # fmt: skip


_ATTACHMENT: LiteralString = """
SELECT attachment_id AS id, name, content_type, size, sha256, added_by, added_at FROM incident_attachments
"""


async def list_attachments(tx: OperatorReader, incident_id: UUID) -> list[Attachment]:
    return await tx.all(Attachment, _ATTACHMENT + " WHERE incident_id = %s ORDER BY attachment_id", (incident_id,))


async def find_attachment(tx: OperatorReader, incident_id: UUID, attachment_id: UUID) -> Attachment | None:
    return await tx.one(
        Attachment, _ATTACHMENT + " WHERE incident_id = %s AND attachment_id = %s", (incident_id, attachment_id)
    )


async def read_attachment(tx: OperatorReader, attachment_id: UUID) -> bytes:
    sealed: bytes = await tx.value(
        "SELECT sealed FROM incident_attachments WHERE attachment_id = %s", (attachment_id,)
    )  # fmt: skip
    return sealed


# --- alerts and triggers -----------------------------------------------------------------------------


async def link_alert(tx: OperatorWriter, incident_id: UUID, tenant: TenantId, alert_id: UUID) -> bool:
    """Whether it was not linked before."""
    changed = await tx.run(
        """
        INSERT INTO incident_alerts (incident_id, tenant_id, alert_id) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING
        """,
        (incident_id, tenant, alert_id),
    )
    return changed == 1


async def list_alerts(tx: OperatorReader, incident_id: UUID) -> list[LinkedAlert]:
    return await tx.all(
        LinkedAlert,
        """
        SELECT a.tenant_id, a.alert_id, a.title, a.level, a.status
        FROM incident_alerts i JOIN alerts a USING (tenant_id, alert_id) WHERE i.incident_id = %s ORDER BY a.alert_id
        """,
        (incident_id,),
    )


async def find_of_rule(tx: OperatorReader, tenant: TenantId, rule_id: UUID) -> UUID | None:
    """The unfinished incident that has an alert of this rule and tenant."""
    found: UUID | None = await tx.value(
        """
        SELECT i.incident_id FROM incidents i
        JOIN incident_alerts l USING (incident_id) JOIN alerts a USING (tenant_id, alert_id)
        WHERE a.tenant_id = %s AND a.rule_id = %s AND i.phase <> 'closed' AND NOT i.exercise
        ORDER BY i.incident_id DESC LIMIT 1
        """,
        (tenant, rule_id),
    )
    return found


_TRIGGER: LiteralString = """
SELECT trigger_id AS id, rule_id, level, playbook, impact, extent, created_by, created_at FROM incident_triggers
"""


async def put_trigger(tx: OperatorWriter, trigger: dict[str, object]) -> None:
    """One for each rule, and one for the level: the later takes the place of the earlier."""
    await tx.run("SELECT pg_advisory_xact_lock(hashtext('bailee.incident_triggers'))")
    await tx.run("DELETE FROM incident_triggers WHERE rule_id IS NOT DISTINCT FROM %s", (trigger["rule_id"],))
    await tx.run(
        """
        INSERT INTO incident_triggers (trigger_id, rule_id, level, playbook, impact, extent, created_by)
        VALUES (%(id)s, %(rule_id)s, %(level)s, %(playbook)s, %(impact)s, %(extent)s, %(created_by)s)
        """,
        trigger,
    )


async def list_triggers(tx: OperatorReader) -> list[Trigger]:
    return await tx.all(Trigger, _TRIGGER + " ORDER BY trigger_id")


async def delete_trigger(tx: OperatorWriter, trigger_id: UUID) -> bool:
    return await tx.run("DELETE FROM incident_triggers WHERE trigger_id = %s", (trigger_id,)) == 1


async def find_trigger(tx: OperatorReader, rule_id: UUID, levels: list[str]) -> Trigger | None:
    """The trigger of a rule, else the one of a level that is among those given."""
    return await tx.one(
        Trigger, _TRIGGER + " WHERE rule_id = %s OR level = ANY(%s) ORDER BY rule_id NULLS LAST LIMIT 1",
        (rule_id, levels),
    )  # fmt: skip


# --- for the check -----------------------------------------------------------------------------------


async def list_unfinished(tx: OperatorReader) -> list[Incident]:
    """Those that are real."""
    return await tx.all(Incident, _INCIDENT + " WHERE phase <> 'closed' AND NOT exercise ORDER BY incident_id")


async def count_undecided(tx: OperatorReader, before: datetime) -> int:
    """Grave incidents of which nobody has said, since before a moment, whether they are a breach."""
    count: int = await tx.value(
        """
        SELECT count(*) FROM incidents
        WHERE breach = 'undecided' AND phase <> 'closed' AND NOT exercise AND severity IN ('high', 'critical')
          AND opened_at < %s
        """,
        (before,),
    )
    return count
