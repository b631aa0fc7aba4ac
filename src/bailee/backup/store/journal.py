"""The journal's position, and the events that go into it."""

from datetime import datetime
from uuid import UUID

import msgspec

from bailee.foundation.database import OperatorReader, OperatorWriter


class JournalRow(msgspec.Struct, frozen=True):
    leaf_index: int
    occurred_at: datetime
    tenant_id: UUID
    action: str
    object_id: str


class _Position(msgspec.Struct, frozen=True):
    next_leaf: int
    size: int


async def find_position(tx: OperatorReader) -> tuple[int, int]:
    """The first leaf that is not written yet, and how many there are."""
    found = await tx.one(
        _Position,
        """
        SELECT coalesce((SELECT next_leaf FROM backup_journal), 0)::bigint AS next_leaf,
               coalesce((SELECT size FROM ledger_state), 0)::bigint AS size
        """,
    )
    return (found.next_leaf, found.size) if found else (0, 0)


async def set_position(tx: OperatorWriter, next_leaf: int) -> None:
    await tx.run(
        """
        INSERT INTO backup_journal (next_leaf) VALUES (%s)
        ON CONFLICT (singleton) DO UPDATE SET next_leaf = greatest(backup_journal.next_leaf, excluded.next_leaf)
        """,
        (next_leaf,),
    )


async def list_events(tx: OperatorReader, actions: list[str], start: int, end: int, limit: int) -> list[JournalRow]:
    return await tx.all(
        JournalRow,
        """
        SELECT l.leaf_index, e.occurred_at, e.tenant_id, e.action, coalesce(e.object_id, '') AS object_id
        FROM ledger_leaves l JOIN events e ON e.tenant_id = l.tenant_id AND e.event_id = l.entry_id
        WHERE l.leaf_index >= %s AND l.leaf_index < %s AND e.action = ANY(%s) AND e.outcome = 'success'
        ORDER BY l.leaf_index LIMIT %s
        """,
        (start, end, actions, limit),
    )
