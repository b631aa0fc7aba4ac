"""Queries over events, for the checks."""

from datetime import datetime

from bailee.foundation.database import OperatorReader


async def count_late(tx: OperatorReader, before: datetime) -> int:
    """Commitments that have waited for their number since before a moment."""
    count: int = await tx.value(
        """
        SELECT count(*) FROM ledger_pending p
        JOIN events e ON e.tenant_id = p.tenant_id AND e.event_id = p.entry_id WHERE e.occurred_at < %s
        """,
        (before,),
    )
    return count


async def count_unlogged(tx: OperatorReader) -> int:
    """Events that are neither in the log nor on their way."""
    count: int = await tx.value(
        """
        SELECT count(*) FROM events e
        WHERE NOT EXISTS (SELECT FROM ledger_leaves l WHERE l.tenant_id = e.tenant_id AND l.entry_id = e.event_id)
          AND NOT EXISTS (SELECT FROM ledger_pending p WHERE p.tenant_id = e.tenant_id AND p.entry_id = e.event_id)
        """
    )
    return count


async def count_events_with(tx: OperatorReader, text: str) -> int:
    count: int = await tx.value("SELECT count(*) FROM events WHERE position(%s::bytea IN body) > 0", (text.encode(),))
    return count


async def count_jobs_with(tx: OperatorReader, text: str) -> int:
    count: int = await tx.value("SELECT count(*) FROM procrastinate_jobs WHERE strpos(args::text, %s) > 0", (text,))
    return count


async def count_staff_reads(tx: OperatorReader) -> int:
    """Content that staff has read or written by a way that is not theirs: within a case they leave other events."""
    count: int = await tx.value(
        """
        SELECT count(*) FROM events
        WHERE actor_kind = 'staff' AND outcome = 'success'
          AND split_part(action, '.', 1) IN ('record', 'records', 'file', 'subject')
        """
    )
    return count
