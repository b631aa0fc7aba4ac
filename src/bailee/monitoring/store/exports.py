"""How far each export has come."""

from datetime import datetime

import msgspec

from bailee.foundation.database import OperatorReader, OperatorWriter


class Place(msgspec.Struct, frozen=True):
    """The next leaf to send, and the end of the batch that is being sent."""

    name: str
    next_leaf: int
    pending_until: int | None
    sent: int
    moved_at: datetime


async def lock_place(tx: OperatorWriter, name: str, *, from_now: bool) -> Place:
    """Where an export is, held by this transaction. A new one begins at the first leaf, or at the next one to come."""
    await tx.run(
        """
        INSERT INTO event_exports (name, next_leaf)
        SELECT %s, CASE WHEN %s THEN (SELECT coalesce(max(size), 0) FROM ledger_state) ELSE 0 END
        ON CONFLICT DO NOTHING
        """,
        (name, from_now),
    )
    found = await tx.one(
        Place,
        "SELECT name, next_leaf, pending_until, sent, moved_at FROM event_exports WHERE name = %s FOR UPDATE", (name,),
    )  # fmt: skip
    if found is None:
        raise LookupError(name)
    return found


async def set_pending(tx: OperatorWriter, name: str, until: int) -> None:
    await tx.run("UPDATE event_exports SET pending_until = %s WHERE name = %s", (until, name))


async def advance(tx: OperatorWriter, name: str, begun: int, until: int, sent: int) -> bool:
    """Whether it was still there: another worker may have gone on from here."""
    changed = await tx.run(
        """
        UPDATE event_exports SET next_leaf = %s, pending_until = NULL, sent = sent + %s, moved_at = now()
        WHERE name = %s AND next_leaf = %s
        """,
        (until, sent, name, begun),
    )
    return changed == 1


async def list_places(tx: OperatorReader) -> list[Place]:
    return await tx.all(Place, "SELECT name, next_leaf, pending_until, sent, moved_at FROM event_exports ORDER BY name")
