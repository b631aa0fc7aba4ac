"""The ledger's tables."""

from uuid import UUID

import msgspec

from bailee.foundation.database import OperatorReader, OperatorWriter, Reader, Writer


class Leaf(msgspec.Struct, frozen=True):
    leaf_index: int
    entry: bytes


class Pending(msgspec.Struct, frozen=True):
    tenant_id: UUID
    entry_id: UUID
    entry: bytes


class State(msgspec.Struct, frozen=True):
    origin: str
    size: int


async def insert_pending(tx: Writer, rows: list[Pending]) -> None:
    await tx.run(
        """
        INSERT INTO ledger_pending (tenant_id, entry_id, entry)
        SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::bytea[])
        """,
        ([row.tenant_id for row in rows], [row.entry_id for row in rows], [row.entry for row in rows]),
    )


async def create_state(tx: OperatorWriter, origin: str) -> None:
    await tx.run("INSERT INTO ledger_state (origin) VALUES (%s) ON CONFLICT DO NOTHING", (origin,))


async def find_state(tx: OperatorReader) -> State | None:
    return await tx.one(State, "SELECT origin, size FROM ledger_state")


async def number_pending(tx: OperatorWriter, limit: int) -> int:
    """Gives the next numbers to committed entries: those seen first come first, then by transaction."""
    size = await tx.value("SELECT size FROM ledger_state FOR UPDATE")
    numbered: int = await tx.value(
        """
        WITH next AS (
            SELECT tenant_id, entry_id FROM ledger_pending ORDER BY xid, position LIMIT %s
        ), taken AS (
            DELETE FROM ledger_pending p USING next
            WHERE p.tenant_id = next.tenant_id AND p.entry_id = next.entry_id
            RETURNING p.tenant_id, p.entry_id, p.entry, p.xid, p.position
        ), numbered AS (
            INSERT INTO ledger_leaves (tenant_id, entry_id, leaf_index, entry)
            SELECT tenant_id, entry_id, %s + row_number() OVER (ORDER BY xid, position) - 1, entry FROM taken
            RETURNING 1
        )
        SELECT count(*) FROM numbered
        """,
        (limit, size),
    )
    if numbered:
        await tx.run("UPDATE ledger_state SET size = size + %s", (numbered,))
    return numbered


async def list_leaves(tx: OperatorReader, start: int, end: int) -> list[Leaf]:
    return await tx.all(
        Leaf,
        "SELECT leaf_index, entry FROM ledger_leaves WHERE leaf_index >= %s AND leaf_index < %s ORDER BY leaf_index",
        (start, end),
    )


async def find_index(tx: Reader, entry_id: UUID) -> int | None:
    index: int | None = await tx.value("SELECT leaf_index FROM ledger_leaves WHERE entry_id = %s", (entry_id,))
    return index


async def insert_checkpoint(tx: OperatorWriter, size: int, root: bytes, note: str) -> None:
    await tx.run(
        "INSERT INTO ledger_checkpoints (size, root, note) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        (size, root, note),
    )


async def hold_latest_size(tx: OperatorWriter) -> int:
    """The size of the newest checkpoint, with the right to publish held until `tx` ends."""
    await tx.value("SELECT size FROM ledger_state FOR UPDATE")
    return await latest_size(tx)


async def latest_note(tx: OperatorReader) -> str:
    note: str = await tx.value("SELECT note FROM ledger_checkpoints ORDER BY size DESC LIMIT 1")
    return note


async def latest_size(tx: OperatorReader) -> int:
    """The size of the newest checkpoint the database knows of."""
    size: int = await tx.value("SELECT coalesce(max(size), 0) FROM ledger_checkpoints")
    return size


async def count_pending(tx: OperatorReader) -> int:
    count: int = await tx.value("SELECT count(*) FROM ledger_pending")
    return count


# --- after a restore -----------------------------------------------------------------------------------


async def list_pending(tx: OperatorReader) -> list[Pending]:
    return await tx.all(Pending, "SELECT tenant_id, entry_id, entry FROM ledger_pending ORDER BY xid, position")


async def delete_pending(tx: OperatorWriter, tenant_id: UUID, entry_id: UUID) -> None:
    await tx.run("DELETE FROM ledger_pending WHERE tenant_id = %s AND entry_id = %s", (tenant_id, entry_id))


async def insert_leaf(tx: OperatorWriter, tenant_id: UUID, entry_id: UUID, index: int, entry: bytes) -> None:
    await tx.run(
        "INSERT INTO ledger_leaves (tenant_id, entry_id, leaf_index, entry) VALUES (%s, %s, %s, %s)",
        (tenant_id, entry_id, index, entry),
    )


async def set_size(tx: OperatorWriter, size: int) -> None:
    await tx.run("UPDATE ledger_state SET size = %s", (size,))
