"""Restores that this instance has come from, drills, and the data subjects of a copy."""

from datetime import datetime
from uuid import UUID

from bailee.backup.model import Drill, Opening, Replayed, RestoreNote
from bailee.foundation.database import OperatorReader, OperatorWriter, TenantReader
from bailee.stores.store.subjects import SubjectRow


async def insert_restore(tx: OperatorWriter, restore_id: UUID, opening: Opening, replayed: Replayed) -> None:
    await tx.run(
        """
        INSERT INTO restores
            (restore_id, purpose, opened_with, release_id, restored_to, erasures, terminations, holds, replayed)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, true)
        """,
        (
            restore_id, opening.purpose, opening.opened_with, opening.release_id, opening.restored_to,
            replayed.erasures, replayed.terminations, replayed.holds,
        ),
    )  # fmt: skip


async def list_restores(tx: OperatorReader) -> list[RestoreNote]:
    return await tx.all(
        RestoreNote,
        """
        SELECT restore_id AS id, purpose, opened_with, release_id, restored_to, restored_at, erasures, terminations,
               holds, replayed
        FROM restores ORDER BY restore_id DESC
        """,
    )


async def list_subjects(tx: TenantReader, after: bytes, limit: int) -> list[SubjectRow]:
    return await tx.all(
        SubjectRow, "SELECT holder, key_id FROM subjects WHERE holder > %s ORDER BY holder LIMIT %s", (after, limit)
    )


# --- drills -------------------------------------------------------------------------------------------

_DRILL = """
    SELECT drill_id AS id, began_at, ended_at, state, restored_to, rto_seconds, rpo_seconds, tables, rows, samples,
           faults
    FROM backup_drills
"""


async def insert_drill(tx: OperatorWriter, drill_id: UUID, began_at: datetime) -> None:
    await tx.run(
        "INSERT INTO backup_drills (drill_id, began_at, state) VALUES (%s, %s, 'running')", (drill_id, began_at)
    )


async def end_drill(tx: OperatorWriter, drill: Drill) -> None:
    await tx.run(
        """
        UPDATE backup_drills SET ended_at = %s, state = %s, restored_to = %s, rto_seconds = %s, rpo_seconds = %s,
            tables = %s, rows = %s, samples = %s, faults = %s
        WHERE drill_id = %s
        """,
        (
            drill.ended_at, drill.state, drill.restored_to, drill.rto_seconds, drill.rpo_seconds, drill.tables,
            drill.rows, drill.samples, drill.faults, drill.id,
        ),
    )  # fmt: skip


async def fail_unfinished(tx: OperatorWriter, before: datetime) -> int:
    """Drills whose process died."""
    return await tx.run(
        """
        UPDATE backup_drills SET state = 'failed', ended_at = now(), faults = ARRAY['The process that ran it ended.']
        WHERE state = 'running' AND began_at < %s
        """,
        (before,),
    )


async def find_drill(tx: OperatorReader, drill_id: UUID) -> Drill | None:
    return await tx.one(Drill, _DRILL + " WHERE drill_id = %s", (drill_id,))


async def list_drills(tx: OperatorReader, *, before: UUID | None = None, limit: int = 100) -> list[Drill]:
    """Newest first."""
    return await tx.all(
        Drill,
        _DRILL + " WHERE %(before)s::uuid IS NULL OR drill_id < %(before)s ORDER BY drill_id DESC LIMIT %(limit)s",
        {"before": before, "limit": limit},
    )
