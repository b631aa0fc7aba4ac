"""Verified breaches and their clocks, and exercises."""

from datetime import datetime, timedelta
from typing import LiteralString
from uuid import UUID

import msgspec

from bailee.foundation.database import OperatorReader, OperatorWriter
from bailee.incidents.model import ExerciseResult
from bailee.incidents.stopwatch import Mark


class BreachRow(msgspec.Struct, frozen=True):
    """A breach with the last reading of its clock."""

    incident_id: UUID
    verified_at: datetime
    verified_by: str
    facts: str
    due_at: datetime
    counted: timedelta
    ticked_at: datetime
    boot: str
    booted_for: float
    reminded: int
    told_at: datetime | None

    @property
    def mark(self) -> Mark:
        return Mark(self.counted, self.ticked_at, self.boot, self.booted_for)


_BREACH: LiteralString = """
SELECT
    b.incident_id, b.verified_at, b.verified_by, b.facts, b.due_at, b.counted, b.ticked_at, b.boot, b.booted_for,
    b.reminded, b.told_at
FROM breaches b JOIN incidents i ON i.incident_id = b.incident_id AND i.breach = 'verified'
"""


async def put_breach(tx: OperatorWriter, row: BreachRow) -> None:
    """A verified breach. One that was dismissed within the last week and is verified anew goes on where it was."""
    await tx.run(
        """
        INSERT INTO breaches
            (incident_id, verified_at, verified_by, facts, due_at, counted, ticked_at, boot, booted_for, reminded)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, 0)
        ON CONFLICT (incident_id) DO UPDATE SET
            verified_by = excluded.verified_by, facts = excluded.facts, ticked_at = excluded.ticked_at,
            boot = excluded.boot, booted_for = excluded.booted_for, told_at = NULL,
            verified_at = CASE WHEN breaches.verified_at > excluded.verified_at - interval '7 days'
                THEN least(breaches.verified_at, excluded.verified_at) ELSE excluded.verified_at END,
            due_at = CASE WHEN breaches.verified_at > excluded.verified_at - interval '7 days'
                THEN least(breaches.due_at, excluded.due_at) ELSE excluded.due_at END,
            counted = CASE WHEN breaches.verified_at > excluded.verified_at - interval '7 days'
                THEN greatest(breaches.counted, excluded.counted) ELSE excluded.counted END,
            reminded = CASE WHEN breaches.verified_at > excluded.verified_at - interval '7 days'
                THEN breaches.reminded ELSE 0 END
        """,
        (
            row.incident_id, row.verified_at, row.verified_by, row.facts, row.due_at, row.counted, row.ticked_at,
            row.boot, row.booted_for,
        ),
    )  # fmt: skip


async def find_breach(tx: OperatorReader, incident_id: UUID) -> BreachRow | None:
    """The breach that an incident is; none that was dismissed."""
    return await tx.one(BreachRow, _BREACH + " WHERE b.incident_id = %s", (incident_id,))


async def hold_running(tx: OperatorWriter, incident_id: UUID) -> BreachRow | None:
    """A breach whose clock runs, held for its next reading."""
    return await tx.one(
        BreachRow, _BREACH + " WHERE b.incident_id = %s AND b.told_at IS NULL FOR UPDATE OF b", (incident_id,)
    )


async def list_running(tx: OperatorReader) -> list[UUID]:
    """Incidents whose clock runs, the most pressing first."""
    return await tx.values(
        """
        SELECT b.incident_id FROM breaches b
        JOIN incidents i ON i.incident_id = b.incident_id AND i.breach = 'verified'
        WHERE b.told_at IS NULL AND NOT (i.exercise AND i.phase = 'closed') ORDER BY b.due_at
        """
    )


async def update_clock(tx: OperatorWriter, incident_id: UUID, mark: Mark, reminded: int) -> None:
    await tx.run(
        """
        UPDATE breaches SET counted = %s, ticked_at = %s, boot = %s, booted_for = %s, reminded = %s
        WHERE incident_id = %s
        """,
        (mark.counted, mark.ticked_at, mark.boot, mark.booted_for, reminded, incident_id),
    )


async def set_told(tx: OperatorWriter, incident_id: UUID, told_at: datetime | None) -> None:
    await tx.run("UPDATE breaches SET told_at = %s WHERE incident_id = %s", (told_at, incident_id))


# --- exercises -----------------------------------------------------------------------------------------

_EXERCISE: LiteralString = """
SELECT exercise_id AS id, incident_id, began_at, ended_at, begun_by, tenants, seconds, passed, faults, drill
FROM exercises
"""


async def insert_exercise(tx: OperatorWriter, one: ExerciseResult) -> None:
    await tx.run(
        """
        INSERT INTO exercises
            (exercise_id, incident_id, began_at, ended_at, begun_by, tenants, seconds, passed, faults, drill)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        msgspec.structs.astuple(one),
    )


async def list_exercises(tx: OperatorReader, limit: int) -> list[ExerciseResult]:
    """The last ones, newest first."""
    return await tx.all(ExerciseResult, _EXERCISE + " ORDER BY exercise_id DESC LIMIT %s", (limit,))


# --- for the checks ------------------------------------------------------------------------------------


class Told(msgspec.Struct, frozen=True):
    """How a breach stands with its notices."""

    number: int
    due_at: datetime
    counted: timedelta
    verified_at: datetime
    told_at: datetime | None
    notices: int
    unsent: int
    late: int
    undelivered: int
    """Notices sent of which no copy was delivered anywhere but in the portal, though mail was to go."""


async def list_told(tx: OperatorReader) -> list[Told]:
    """Every verified breach that was real."""
    return await tx.all(
        Told,
        """
        SELECT i.number, b.due_at, b.counted, b.verified_at, b.told_at,
            count(n.tenant_id) AS notices,
            count(n.tenant_id) FILTER (WHERE n.state <> 'sent') AS unsent,
            count(n.tenant_id) FILTER (WHERE n.late) AS late,
            count(n.tenant_id) FILTER (WHERE n.state = 'sent' AND EXISTS (
                SELECT FROM notice_deliveries d
                WHERE d.tenant_id = n.tenant_id AND d.incident_id = n.incident_id AND d.channel <> 'portal'
            ) AND NOT EXISTS (
                SELECT FROM notice_deliveries d
                WHERE d.tenant_id = n.tenant_id AND d.incident_id = n.incident_id AND d.channel <> 'portal'
                  AND d.state IN ('delivered', 'waiting')
            )) AS undelivered
        FROM breaches b JOIN incidents i ON i.incident_id = b.incident_id AND i.breach = 'verified'
        LEFT JOIN notices n ON n.incident_id = b.incident_id AND n.version = 1
        WHERE NOT i.exercise GROUP BY i.number, b.incident_id ORDER BY i.number
        """,
    )


async def count_incomplete(tx: OperatorReader) -> int:
    """Notices that were sent with a part missing, or by one person alone: there must be none."""
    count: int = await tx.value(
        """
        SELECT count(*) FROM notices WHERE state = 'sent' AND (
            btrim(nature) = '' OR btrim(impact) = '' OR btrim(mitigation_taken) = '' OR btrim(mitigation_planned) = ''
            OR btrim(contact) = '' OR approved_by IS NULL OR approved_by = ANY (edited_by)
            OR (late AND btrim(late_reason) = '')
        )
        """
    )
    return count


async def count_sent(tx: OperatorReader) -> int:
    count: int = await tx.value("SELECT count(*) FROM notices WHERE state = 'sent' AND NOT exercise")
    return count
