"""The tables of records and their search tokens."""

from datetime import datetime
from typing import LiteralString
from uuid import UUID

import msgspec

from bailee.foundation.database import TenantReader, TenantWriter


class RecordRow(msgspec.Struct, frozen=True):
    """A record, sealed."""

    record_id: UUID
    collection: str
    version: int
    holder: bytes | None
    ciphertext: bytes
    created_at: datetime
    updated_at: datetime


_RECORD = "SELECT record_id, collection, version, holder, ciphertext, created_at, updated_at FROM records r"


async def insert_records(tx: TenantWriter, rows: list[RecordRow]) -> set[UUID]:
    """Adds records; answers the ids that were free."""
    return set(
        await tx.values(
            """
            INSERT INTO records (tenant_id, record_id, collection, version, holder, ciphertext, created_at, updated_at)
            SELECT %s, * FROM unnest(
                %s::uuid[], %s::text[], %s::bigint[], %s::bytea[], %s::bytea[], %s::timestamptz[], %s::timestamptz[]
            )
            ON CONFLICT DO NOTHING RETURNING record_id
            """,
            (tx.tenant, *([getattr(row, field) for row in rows] for field in RecordRow.__struct_fields__)),
        )
    )


async def find_record(tx: TenantReader, collection: str, record_id: UUID) -> RecordRow | None:
    return await tx.one(RecordRow, _RECORD + " WHERE record_id = %s AND collection = %s", (record_id, collection))


async def hold_record(tx: TenantWriter, collection: str, record_id: UUID) -> RecordRow | None:
    """The record, held for a change."""
    return await tx.one(
        RecordRow, _RECORD + " WHERE record_id = %s AND collection = %s FOR UPDATE", (record_id, collection)
    )


async def find_records(tx: TenantReader, collection: str, ids: list[UUID]) -> list[RecordRow]:
    return await tx.all(RecordRow, _RECORD + " WHERE record_id = ANY(%s) AND collection = %s", (ids, collection))


async def update_record(tx: TenantWriter, row: RecordRow) -> None:
    await tx.run(
        "UPDATE records SET version = %s, ciphertext = %s, updated_at = %s WHERE record_id = %s",
        (row.version, row.ciphertext, row.updated_at, row.record_id),
    )


async def delete_record(tx: TenantWriter, record_id: UUID) -> None:
    await tx.run("DELETE FROM records WHERE record_id = %s", (record_id,))


async def list_records(
    tx: TenantReader,
    collection: str,
    *,
    holder: bytes | None,
    tokens: list[tuple[str, bytes]],
    after: UUID | None,
    limit: int,
) -> list[RecordRow]:
    """In the order they were made: those of a subject, and of every (field, token) pair."""
    return await tx.all(
        RecordRow,
        """
        SELECT record_id, collection, version, holder, ciphertext, created_at, updated_at FROM records r
        WHERE r.collection = %(collection)s
          AND (%(holder)s::bytea IS NULL OR r.holder = %(holder)s)
          AND (%(after)s::uuid IS NULL OR r.record_id > %(after)s)
          AND (%(pairs)s = 0 OR r.record_id IN (
              SELECT t.record_id FROM record_tokens t
              JOIN unnest(%(fields)s::text[], %(tokens)s::bytea[]) AS wanted (field, token)
                ON t.field = wanted.field AND t.token = wanted.token
              WHERE t.tenant_id = %(tenant)s AND t.collection = %(collection)s
              GROUP BY t.record_id HAVING count(*) = %(pairs)s
          ))
        ORDER BY r.record_id LIMIT %(limit)s
        """,
        {
            "tenant": tx.tenant,
            "collection": collection,
            "holder": holder,
            "after": after,
            "fields": [field for field, _ in tokens],
            "tokens": [token for _, token in tokens],
            "pairs": len(tokens),
            "limit": limit,
        },
    )


async def list_by_holder(tx: TenantReader, holder: bytes, *, after: UUID | None, limit: int) -> list[RecordRow]:
    return await tx.all(
        RecordRow,
        _RECORD
        + """
        WHERE r.holder = %(holder)s AND (%(after)s::uuid IS NULL OR r.record_id > %(after)s)
        ORDER BY r.record_id LIMIT %(limit)s
        """,
        {"holder": holder, "after": after, "limit": limit},
    )


async def list_in_scope(
    tx: TenantReader, collections: list[str], holders: list[bytes], ids: list[UUID], *, only: UUID | None = None,
    after: UUID | None = None, limit: int = 1, everything: bool = False, until: datetime | None = None,
) -> list[RecordRow]:  # fmt: skip
    """Records that are in one of these collections, or of one of these subjects, or among these ids, in their order;
    with `until`, those made up to that moment.
    """
    return await tx.all(
        RecordRow,
        _RECORD
        + """
        WHERE (
            r.collection = ANY(%(collections)s) OR r.holder = ANY(%(holders)s) OR r.record_id = ANY(%(ids)s)
            OR %(everything)s
          ) AND (%(until)s::timestamptz IS NULL OR r.created_at <= %(until)s)
          AND (%(only)s::uuid IS NULL OR r.record_id = %(only)s)
          AND (%(after)s::uuid IS NULL OR r.record_id > %(after)s)
        ORDER BY r.record_id LIMIT %(limit)s
        """,
        {
            "collections": collections, "holders": holders, "ids": ids, "only": only, "after": after, "limit": limit,
            "everything": everything, "until": until,
        },
    )  # fmt: skip


async def hold_records(tx: TenantWriter, collection: str, *, after: UUID | None, limit: int) -> list[RecordRow]:
    """A stretch of a collection, held against change until `tx` ends."""
    return await tx.all(
        RecordRow,
        _RECORD
        + """
        WHERE r.collection = %(collection)s AND (%(after)s::uuid IS NULL OR r.record_id > %(after)s)
        ORDER BY r.record_id LIMIT %(limit)s FOR UPDATE
        """,
        {"collection": collection, "after": after, "limit": limit},
    )


async def delete_by_holder(tx: TenantWriter, holder: bytes) -> int:
    await tx.run("SET LOCAL statement_timeout = '15min'")  # a person can have a great many records
    await tx.values("SELECT 1 FROM records WHERE holder = %s FOR UPDATE", (holder,))  # no token comes after this
    await tx.run(
        """
        DELETE FROM record_tokens t USING records r
        WHERE r.tenant_id = t.tenant_id AND r.record_id = t.record_id AND r.holder = %s
        """,
        (holder,),
    )
    return await tx.run("DELETE FROM records WHERE holder = %s", (holder,))


async def insert_tokens(tx: TenantWriter, collection: str, rows: list[tuple[UUID, str, bytes]]) -> None:
    """(record, field, token) each."""
    if rows:
        await tx.run(
            """
            INSERT INTO record_tokens (tenant_id, collection, record_id, field, token)
            SELECT %s, %s, * FROM unnest(%s::uuid[], %s::text[], %s::bytea[]) ON CONFLICT DO NOTHING
            """,
            (tx.tenant, collection, [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]),
        )


async def delete_tokens(tx: TenantWriter, record_id: UUID) -> None:
    await tx.run("DELETE FROM record_tokens WHERE record_id = %s", (record_id,))


async def delete_field_tokens(tx: TenantWriter, collection: str, fields: list[str]) -> None:
    await tx.run("DELETE FROM record_tokens WHERE collection = %s AND field = ANY(%s)", (collection, fields))


class Due(msgspec.Struct, frozen=True):
    """Which records of a collection are due: so many months and days after they were created, or last changed. Both
    the rule's and the floor's time have to be over.
    """

    collection: str
    by_change: bool
    months: int
    days: int
    floor_months: int
    floor_days: int


_DUE: LiteralString = """
FROM records r WHERE r.collection = %(collection)s AND (
    CASE WHEN %(by_change)s THEN r.updated_at ELSE r.created_at END
    + make_interval(months => %(months)s::int, days => %(days)s::int) <= %(now)s
) AND (
    CASE WHEN %(by_change)s THEN r.updated_at ELSE r.created_at END
    + make_interval(months => %(floor_months)s::int, days => %(floor_days)s::int) <= %(now)s
)
"""


async def list_due(tx: TenantReader, due: Due, now: datetime, limit: int) -> list[RecordRow]:
    return await tx.all(
        RecordRow,
        "SELECT r.record_id, r.collection, r.version, r.holder, r.ciphertext, r.created_at, r.updated_at"
        + _DUE
        + " ORDER BY r.record_id LIMIT %(limit)s",
        {**msgspec.structs.asdict(due), "now": now, "limit": limit},
    )


class DueCount(msgspec.Struct, frozen=True):
    """How many records are due, and when the oldest of the collection begins."""

    records: int
    oldest: datetime | None


async def count_due(tx: TenantReader, due: Due, now: datetime) -> DueCount:
    found = await tx.one(
        DueCount,
        "SELECT count(*) AS records, min(CASE WHEN %(by_change)s THEN r.updated_at ELSE r.created_at END) AS oldest"
        + _DUE,
        {**msgspec.structs.asdict(due), "now": now},
    )
    return found or DueCount(0, None)


async def list_stretch(tx: TenantReader, collection: str, *, after: UUID | None, limit: int) -> list[RecordRow]:
    """A stretch of a collection, in order."""
    return await tx.all(
        RecordRow,
        _RECORD
        + """
        WHERE r.collection = %(collection)s AND (%(after)s::uuid IS NULL OR r.record_id > %(after)s)
        ORDER BY r.record_id LIMIT %(limit)s
        """,
        {"collection": collection, "after": after, "limit": limit},
    )


async def delete_versions(tx: TenantWriter, rows: list[RecordRow]) -> list[UUID]:
    """Removes these very versions, with their tokens; whoever has changed one meanwhile keeps it. Answers the ids."""
    held: list[UUID] = await tx.values(
        """
        SELECT r.record_id FROM records r
        JOIN unnest(%s::uuid[], %s::bigint[]) AS w (record_id, version)
          ON r.record_id = w.record_id AND r.version = w.version
        ORDER BY r.record_id FOR UPDATE OF r
        """,
        ([row.record_id for row in rows], [row.version for row in rows]),
    )
    await tx.run("DELETE FROM record_tokens WHERE record_id = ANY(%s)", (held,))
    await tx.run("DELETE FROM records WHERE record_id = ANY(%s)", (held,))
    return held
