"""The events in the order of the ledger, how far they have been looked through, and what is familiar of callers."""

from datetime import datetime
from uuid import UUID

import msgspec

from bailee.foundation.database import OperatorReader, OperatorWriter
from bailee.foundation.ids import TenantId


class Streamed(msgspec.Struct, frozen=True):
    """An event at its place in the ledger."""

    leaf_index: int
    tenant_id: TenantId
    event_id: UUID
    occurred_at: datetime
    body: bytes


_STREAM = """
SELECT l.leaf_index, e.tenant_id, e.event_id, e.occurred_at, e.body
FROM ledger_leaves l JOIN events e ON e.tenant_id = l.tenant_id AND e.event_id = l.entry_id
"""


async def lock_next(tx: OperatorWriter) -> int:
    """The number of the next leaf to look at, held by this transaction. A new instance begins at the first."""
    await tx.run("INSERT INTO detector_state (next_leaf) VALUES (0) ON CONFLICT DO NOTHING")
    found: int = await tx.value("SELECT next_leaf FROM detector_state FOR UPDATE")
    return found


async def find_next(tx: OperatorReader) -> int:
    found: int | None = await tx.value("SELECT next_leaf FROM detector_state")
    return found or 0


async def advance(tx: OperatorWriter, next_leaf: int) -> None:
    await tx.run("UPDATE detector_state SET next_leaf = %s, looked_at = now()", (next_leaf,))


async def list_from(tx: OperatorReader, leaf: int, limit: int) -> list[Streamed]:
    """Events from a leaf on, in order. A leaf whose event was forgotten is passed over."""
    return await tx.all(
        Streamed,
        _STREAM + " WHERE l.leaf_index >= %s AND l.leaf_index < %s ORDER BY l.leaf_index",
        (leaf, leaf + limit),
    )


async def first_since(tx: OperatorReader, moment: datetime, before: int) -> int:
    """The first leaf of those before `before` whose event is not older than a moment."""
    found: int | None = await tx.value(
        """
        SELECT min(l.leaf_index) FROM events e
        JOIN ledger_leaves l ON l.tenant_id = e.tenant_id AND l.entry_id = e.event_id
        WHERE e.occurred_at >= %s AND l.leaf_index < %s
        """,
        (moment, before),
    )
    return before if found is None else found


async def find_time(tx: OperatorReader, leaf: int) -> datetime | None:
    """When the first event from a leaf on happened."""
    found: datetime | None = await tx.value(
        """
        SELECT e.occurred_at FROM ledger_leaves l JOIN events e ON e.tenant_id = l.tenant_id AND e.event_id = l.entry_id
        WHERE l.leaf_index >= %s ORDER BY l.leaf_index LIMIT 1
        """,
        (leaf,),
    )
    return found


async def count_leaves(tx: OperatorReader) -> int:
    found: int | None = await tx.value("SELECT max(size) FROM ledger_state")
    return found or 0


class _Owned(msgspec.Struct, frozen=True):
    event_id: UUID
    tenant_id: TenantId


async def map_tenants(tx: OperatorReader, event_ids: list[UUID]) -> dict[UUID, TenantId]:
    """Whose events these are; without those that were forgotten."""
    found = await tx.all(_Owned, "SELECT event_id, tenant_id FROM events WHERE event_id = ANY(%s)", (event_ids,))
    return {one.event_id: one.tenant_id for one in found}


# --- what is familiar -----------------------------------------------------------------------------------------


class Sighting(msgspec.Struct, frozen=True):
    """That somebody was seen from somewhere."""

    kind: str
    who: str
    what: str
    first_at: datetime
    last_at: datetime


async def list_familiar(tx: OperatorReader) -> list[Sighting]:
    return await tx.all(Sighting, "SELECT kind, who, what, first_at, last_at FROM familiar")


async def count_learning(tx: OperatorReader) -> int:
    """Callers of whom it is still being learnt what is usual: those first seen within a week."""
    count: int = await tx.value(
        """
        SELECT count(*) FROM (
            SELECT who FROM familiar GROUP BY who HAVING min(first_at) > now() - interval '7 days'
        ) AS new
        """
    )
    return count


async def put_familiar(tx: OperatorWriter, seen: list[Sighting]) -> None:
    await tx.run(
        """
        INSERT INTO familiar (kind, who, what, first_at, last_at)
        SELECT * FROM unnest(%s::text [], %s::text [], %s::text [], %s::timestamptz [], %s::timestamptz [])
        ON CONFLICT (kind, who, what) DO UPDATE SET last_at = greatest(familiar.last_at, excluded.last_at)
        """,
        (
            [one.kind for one in seen], [one.who for one in seen], [one.what for one in seen],
            [one.first_at for one in seen], [one.last_at for one in seen],
        ),
    )  # fmt: skip


class Volume(msgspec.Struct, frozen=True):
    """How much somebody does in ten minutes: what of the present ones, and the spread of those before."""

    who: str
    what: str
    since: datetime
    bucket: int
    amount: float
    spread: list[int]


async def list_volumes(tx: OperatorReader) -> list[Volume]:
    return await tx.all(Volume, "SELECT who, what, since, bucket, amount, spread FROM usual_volumes")


async def put_volumes(tx: OperatorWriter, volumes: list[Volume]) -> None:
    await tx.run_many(
        """
        INSERT INTO usual_volumes (who, what, since, bucket, amount, spread) VALUES (%s, %s, %s, %s, %s, %s)
        ON CONFLICT (who, what) DO UPDATE
        SET bucket = excluded.bucket, amount = excluded.amount, spread = excluded.spread
        """,
        [msgspec.structs.astuple(one) for one in volumes],
    )
