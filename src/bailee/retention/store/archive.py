"""The archive: records and files that the law keeps, and which holds cover them."""

from datetime import date
from uuid import UUID

import msgspec

from bailee.foundation.database import TenantReader, TenantWriter
from bailee.retention.model import ArchivedFile, ArchivedRecord, Hold
from bailee.stores.model import Scope
from bailee.stores.store import SubjectRow

_RECORD = """
SELECT a.record_id, a.hold_id, a.collection, a.version, a.holder, a.ciphertext, a.created_at, a.updated_at
FROM archived_records a
"""
_FILE = "SELECT a.file_id, a.hold_id, a.holder, a.size, a.metadata, a.created_at FROM archived_files a"


async def insert_records(tx: TenantWriter, rows: list[ArchivedRecord]) -> None:
    await tx.run(
        """
        INSERT INTO archived_records (
            tenant_id, record_id, hold_id, collection, version, holder, ciphertext, created_at, updated_at
        )
        SELECT %s, * FROM unnest(
            %s::uuid[], %s::uuid[], %s::text[], %s::bigint[], %s::bytea[], %s::bytea[], %s::timestamptz[],
            %s::timestamptz[]
        )
        """,
        (tx.tenant, *([getattr(row, name) for row in rows] for name in ArchivedRecord.__struct_fields__)),
    )
    for hold_id in {row.hold_id for row in rows}:
        await list_items(tx, hold_id, [row.record_id for row in rows if row.hold_id == hold_id])


async def insert_file(tx: TenantWriter, row: ArchivedFile) -> None:
    await tx.run(
        """
        INSERT INTO archived_files (tenant_id, file_id, hold_id, holder, size, metadata, created_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s)
        """,
        (tx.tenant, *msgspec.structs.astuple(row)),
    )
    await list_items(tx, row.hold_id, [row.file_id])


async def list_items(tx: TenantWriter, hold_id: UUID, items: list[UUID]) -> None:
    """Says that a hold covers these items."""
    await tx.run(
        """
        INSERT INTO archive_listings (tenant_id, hold_id, item_id) SELECT %s, %s, * FROM unnest(%s::uuid[])
        ON CONFLICT DO NOTHING
        """,
        (tx.tenant, hold_id, items),
    )


async def list_covered(tx: TenantWriter, hold: Hold, scope: Scope) -> int:
    """Lists under a hold what is in the archive already and lies in its scope."""
    return await tx.run(
        """
        INSERT INTO archive_listings (tenant_id, hold_id, item_id)
        SELECT %(tenant)s, %(hold)s, item_id FROM (
            SELECT record_id AS item_id FROM archived_records
            WHERE created_at <= %(until)s AND (
                %(everything)s OR collection = ANY(%(collections)s) OR holder = ANY(%(holders)s)
                OR record_id = ANY(%(records)s)
            )
            UNION ALL
            SELECT file_id FROM archived_files
            WHERE created_at <= %(until)s AND (%(everything)s OR holder = ANY(%(holders)s))
        ) AS covered
        ON CONFLICT DO NOTHING
        """,
        {
            "tenant": tx.tenant, "hold": hold.id, "until": hold.decided_at, "everything": hold.everything,
            "collections": scope.collections, "holders": scope.holders, "records": scope.records,
        },
    )  # fmt: skip


async def page_records(
    tx: TenantReader, hold_id: UUID, *, after: UUID | None, limit: int
) -> list[ArchivedRecord]:  # fmt: skip
    """What a hold covers, in order."""
    return await tx.all(
        ArchivedRecord,
        _RECORD
        + """
        JOIN archive_listings l ON l.tenant_id = a.tenant_id AND l.item_id = a.record_id
        WHERE l.hold_id = %(hold)s AND (%(after)s::uuid IS NULL OR a.record_id > %(after)s)
        ORDER BY a.record_id LIMIT %(limit)s
        """,
        {"hold": hold_id, "after": after, "limit": limit},
    )


async def page_files(tx: TenantReader, hold_id: UUID, *, only: UUID | None = None, limit: int) -> list[ArchivedFile]:
    return await tx.all(
        ArchivedFile,
        _FILE
        + """
        JOIN archive_listings l ON l.tenant_id = a.tenant_id AND l.item_id = a.file_id
        WHERE l.hold_id = %(hold)s AND (%(only)s::uuid IS NULL OR a.file_id = %(only)s)
        ORDER BY a.file_id LIMIT %(limit)s
        """,
        {"hold": hold_id, "only": only, "limit": limit},
    )


class Shared(msgspec.Struct, frozen=True):
    """An item that another active hold covers too."""

    item_id: UUID
    other: UUID


async def list_shared(tx: TenantReader, hold_id: UUID, kind: str, limit: int) -> list[Shared]:
    """Items sealed under a hold that others which are active cover as well; each with that which lasts longest."""
    if kind == "records":
        return await tx.all(
            Shared,
            """
            SELECT DISTINCT ON (a.record_id) a.record_id AS item_id, h.hold_id AS other FROM archived_records a
            JOIN archive_listings l ON l.tenant_id = a.tenant_id AND l.item_id = a.record_id
            JOIN legal_holds h ON h.tenant_id = l.tenant_id AND h.hold_id = l.hold_id
            WHERE a.hold_id = %(hold)s AND h.hold_id <> %(hold)s AND h.state = 'active'
            ORDER BY a.record_id, h.ends_on DESC LIMIT %(limit)s
            """,
            {"hold": hold_id, "limit": limit},
        )
    return await tx.all(
        Shared,
        """
        SELECT DISTINCT ON (a.file_id) a.file_id AS item_id, h.hold_id AS other FROM archived_files a
        JOIN archive_listings l ON l.tenant_id = a.tenant_id AND l.item_id = a.file_id
        JOIN legal_holds h ON h.tenant_id = l.tenant_id AND h.hold_id = l.hold_id
        WHERE a.hold_id = %(hold)s AND h.hold_id <> %(hold)s AND h.state = 'active'
        ORDER BY a.file_id, h.ends_on DESC LIMIT %(limit)s
        """,
        {"hold": hold_id, "limit": limit},
    )


async def hold_records(tx: TenantWriter, ids: list[UUID]) -> list[ArchivedRecord]:
    return await tx.all(
        ArchivedRecord, _RECORD + " WHERE a.record_id = ANY(%s) ORDER BY a.record_id FOR UPDATE OF a", (ids,)
    )


async def sealed_under(tx: TenantReader, hold_id: UUID, limit: int) -> list[ArchivedRecord]:
    """Records sealed under a hold, in order."""
    return await tx.all(
        ArchivedRecord, _RECORD + " WHERE a.hold_id = %s ORDER BY a.record_id LIMIT %s", (hold_id, limit)
    )


async def files_sealed_under(tx: TenantReader, hold_id: UUID, limit: int) -> list[ArchivedFile]:
    return await tx.all(ArchivedFile, _FILE + " WHERE a.hold_id = %s ORDER BY a.file_id LIMIT %s", (hold_id, limit))


async def reseal_record(tx: TenantWriter, row: ArchivedRecord) -> None:
    await tx.run(
        "UPDATE archived_records SET hold_id = %s, ciphertext = %s WHERE record_id = %s",
        (row.hold_id, row.ciphertext, row.record_id),
    )


async def move_listings(tx: TenantWriter, before: UUID, after: UUID) -> None:
    """A file that was sealed anew has another id; the holds that cover it cover that."""
    await tx.run(
        """
        INSERT INTO archive_listings (tenant_id, hold_id, item_id)
        SELECT tenant_id, hold_id, %s FROM archive_listings WHERE item_id = %s ON CONFLICT DO NOTHING
        """,
        (after, before),
    )


async def delete_records(tx: TenantWriter, ids: list[UUID]) -> int:
    await tx.run("DELETE FROM archive_listings WHERE item_id = ANY(%s)", (ids,))
    return await tx.run("DELETE FROM archived_records WHERE record_id = ANY(%s)", (ids,))


async def delete_files(tx: TenantWriter, ids: list[UUID]) -> int:
    await tx.run("DELETE FROM archive_listings WHERE item_id = ANY(%s)", (ids,))
    return await tx.run("DELETE FROM archived_files WHERE file_id = ANY(%s)", (ids,))


async def delete_listings(tx: TenantWriter, hold_id: UUID) -> None:
    await tx.run("DELETE FROM archive_listings WHERE hold_id = %s", (hold_id,))


async def list_file_ids(tx: TenantReader) -> set[UUID]:
    return set(await tx.values("SELECT file_id FROM archived_files"))


class Kept(msgspec.Struct, frozen=True):
    until: date | None
    bases: list[str]


async def find_kept(tx: TenantReader, holder: bytes) -> Kept | None:
    """Until when the archive holds anything of a person, and on what bases."""
    return await tx.one(
        Kept,
        """
        SELECT max(h.ends_on) AS until, coalesce(array_agg(DISTINCT h.basis ORDER BY h.basis), '{}') AS bases
        FROM (
            SELECT tenant_id, record_id AS item_id FROM archived_records WHERE holder = %(holder)s
            UNION ALL SELECT tenant_id, file_id FROM archived_files WHERE holder = %(holder)s
        ) a
        JOIN archive_listings l ON l.tenant_id = a.tenant_id AND l.item_id = a.item_id
        JOIN legal_holds h ON h.tenant_id = l.tenant_id AND h.hold_id = l.hold_id
        """,
        {"holder": holder},
    )


async def list_empty(tx: TenantReader, days: int, limit: int) -> list[bytes]:
    """Subjects of whom neither a record, a file nor anything archived is stored, and who are not just written for."""
    return await tx.values(
        """
        SELECT s.holder FROM subjects s
        WHERE s.created_at < now() - make_interval(days => %s)
          AND NOT EXISTS (SELECT FROM records r WHERE r.tenant_id = s.tenant_id AND r.holder = s.holder)
          AND NOT EXISTS (SELECT FROM files f WHERE f.tenant_id = s.tenant_id AND f.holder = s.holder)
          AND NOT EXISTS (SELECT FROM archived_records a WHERE a.tenant_id = s.tenant_id AND a.holder = s.holder)
          AND NOT EXISTS (SELECT FROM archived_files a WHERE a.tenant_id = s.tenant_id AND a.holder = s.holder)
        ORDER BY s.holder LIMIT %s
        """,
        (days, limit),
    )


async def take_empty(tx: TenantWriter, holders: list[bytes]) -> list[SubjectRow]:
    """Those of them that nobody writes for at this moment and that are still empty, held alone."""
    held = await tx.all(
        SubjectRow,
        "SELECT holder, key_id FROM subjects WHERE holder = ANY(%s) ORDER BY holder FOR UPDATE SKIP LOCKED",
        (holders,),
    )
    # A statement of its own, so that it sees what whoever held them before has committed.
    used = set(
        await tx.values(
            """
            SELECT holder FROM records WHERE holder = ANY(%(holders)s)
            UNION SELECT holder FROM files WHERE holder = ANY(%(holders)s)
            UNION SELECT holder FROM archived_records WHERE holder = ANY(%(holders)s)
            UNION SELECT holder FROM archived_files WHERE holder = ANY(%(holders)s)
            """,
            {"holders": [row.holder for row in held]},
        )
    )
    return [row for row in held if row.holder not in used]
