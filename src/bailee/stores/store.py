"""The vault's tables."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from psycopg.types.json import Jsonb

from bailee.foundation.database import TenantReader, TenantWriter, constraints
from bailee.foundation.errors import Conflict
from bailee.stores.datamap import Definition
from bailee.stores.model import CollectionRow

# --- collections ------------------------------------------------------------------------------------


class _Row(msgspec.Struct, frozen=True):
    name: str
    version: int
    definition: dict[str, Any]
    building: list[str]
    created_at: datetime
    updated_at: datetime

    def parsed(self) -> CollectionRow:
        definition = msgspec.convert(self.definition, Definition)
        return CollectionRow(self.name, self.version, definition, self.building, self.created_at, self.updated_at)


_COLLECTION = "SELECT name, version, definition, building, created_at, updated_at FROM collections"


async def find_collection(tx: TenantReader, name: str) -> CollectionRow | None:
    row = await tx.one(_Row, _COLLECTION + " WHERE name = %s", (name,))
    return row.parsed() if row else None


async def hold_collection(tx: TenantWriter, name: str, *, to_change: bool) -> CollectionRow | None:
    """The collection, held so that its map does not change under a writer, nor records appear under a change."""
    lock = " WHERE name = %s FOR UPDATE" if to_change else " WHERE name = %s FOR KEY SHARE"
    row = await tx.one(_Row, _COLLECTION + lock, (name,))
    return row.parsed() if row else None


async def list_collections(tx: TenantReader, *, after: str, limit: int) -> list[CollectionRow]:
    rows = await tx.all(_Row, _COLLECTION + " WHERE name > %s ORDER BY name LIMIT %s", (after, limit))
    return [row.parsed() for row in rows]


async def insert_collection(tx: TenantWriter, name: str, definition: Definition) -> bool:
    added = await tx.run(
        "INSERT INTO collections (tenant_id, name, version, definition) VALUES (%s, %s, 1, %s) ON CONFLICT DO NOTHING",
        (tx.tenant, name, Jsonb(msgspec.to_builtins(definition))),
    )
    return added == 1


async def update_collection(tx: TenantWriter, name: str, definition: Definition, building: list[str]) -> None:
    await tx.run(
        """
        UPDATE collections SET version = version + 1, definition = %s, building = %s, updated_at = now()
        WHERE name = %s
        """,
        (Jsonb(msgspec.to_builtins(definition)), building, name),
    )


async def archive_collection(tx: TenantWriter, name: str) -> None:
    """Keeps the present version in the history of maps."""
    await tx.run(
        """
        INSERT INTO collection_versions (tenant_id, name, version, definition)
        SELECT tenant_id, name, version, definition FROM collections WHERE name = %s
        ON CONFLICT DO NOTHING
        """,
        (name,),
    )


class MapVersion(msgspec.Struct, frozen=True):
    """A collection's map as it was from a moment on."""

    version: int
    definition: dict[str, Any]
    created_at: datetime


async def list_versions(tx: TenantReader, name: str, *, before: int | None, limit: int) -> list[MapVersion]:
    """Newest first."""
    return await tx.all(
        MapVersion,
        """
        SELECT version, definition, created_at FROM collection_versions
        WHERE name = %(name)s AND (%(before)s::bigint IS NULL OR version < %(before)s)
        ORDER BY version DESC LIMIT %(limit)s
        """,
        {"name": name, "before": before, "limit": limit},
    )


async def end_building(tx: TenantWriter, name: str, fields: list[str]) -> None:
    await tx.run(
        """
        UPDATE collections SET building = ARRAY(SELECT f FROM unnest(building) f WHERE f <> ALL(%s::text[]))
        WHERE name = %s
        """,
        (fields, name),
    )


async def delete_collection(tx: TenantWriter, name: str) -> None:
    refused = Conflict("The collection holds records; delete or erase them first.")
    with constraints({"records_collection_fkey": refused}):
        await tx.run("DELETE FROM collections WHERE name = %s", (name,))


async def count_records(tx: TenantReader, collections: list[str]) -> dict[str, int]:
    rows = await tx.all(
        _Count,
        "SELECT collection, count(*) AS count FROM records WHERE collection = ANY(%s) GROUP BY collection",
        (collections,),
    )
    return {row.collection: row.count for row in rows}


class _Count(msgspec.Struct, frozen=True):
    collection: str
    count: int


async def has_records(tx: TenantReader, collection: str) -> bool:
    found: bool = await tx.value("SELECT EXISTS (SELECT FROM records WHERE collection = %s)", (collection,))
    return found


# --- subjects ---------------------------------------------------------------------------------------


class SubjectRow(msgspec.Struct, frozen=True):
    holder: bytes
    key_id: UUID


async def hold_subjects(tx: TenantWriter, holders: list[bytes]) -> dict[bytes, UUID]:
    """Key ids of subjects that exist, held against erasure until `tx` ends. In one order, so that none deadlock."""
    rows = await tx.all(
        SubjectRow,
        "SELECT holder, key_id FROM subjects WHERE holder = ANY(%s) ORDER BY holder FOR KEY SHARE",
        (holders,),
    )
    return {row.holder: row.key_id for row in rows}


async def insert_subjects(tx: TenantWriter, rows: list[SubjectRow]) -> None:
    await tx.run(
        """
        INSERT INTO subjects (tenant_id, holder, key_id)
        SELECT %s, holder, key_id FROM unnest(%s::bytea[], %s::uuid[]) AS t (holder, key_id) ORDER BY holder
        ON CONFLICT DO NOTHING
        """,
        (tx.tenant, [row.holder for row in rows], [row.key_id for row in rows]),
    )


async def take_subject(tx: TenantWriter, holder: bytes) -> UUID | None:
    """The subject's key id, held alone: whoever writes for it waits until `tx` ends."""
    key_id: UUID | None = await tx.value("SELECT key_id FROM subjects WHERE holder = %s FOR UPDATE", (holder,))
    return key_id


async def has_subject(tx: TenantReader, holder: bytes) -> bool:
    found: bool = await tx.value("SELECT EXISTS (SELECT FROM subjects WHERE holder = %s)", (holder,))
    return found


async def delete_subject(tx: TenantWriter, holder: bytes) -> int:
    return await tx.run("DELETE FROM subjects WHERE holder = %s", (holder,))


# --- records ----------------------------------------------------------------------------------------


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


# --- search tokens ------------------------------------------------------------------------------------


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


# --- files ----------------------------------------------------------------------------------------------


class FileRow(msgspec.Struct, frozen=True):
    """A file's row, its description sealed."""

    name_token: bytes
    object_id: UUID
    version: int
    holder: bytes | None
    size: int
    metadata: bytes
    created_at: datetime
    updated_at: datetime


_FILE = "SELECT name_token, object_id, version, holder, size, metadata, created_at, updated_at FROM files"


async def find_file(tx: TenantReader, token: bytes) -> FileRow | None:
    return await tx.one(FileRow, _FILE + " WHERE name_token = %s", (token,))


async def hold_file(tx: TenantWriter, token: bytes) -> FileRow | None:
    return await tx.one(FileRow, _FILE + " WHERE name_token = %s FOR UPDATE", (token,))


async def upsert_file(tx: TenantWriter, row: FileRow) -> bool:
    """Stores the row in place of its predecessor version; says whether nobody was quicker."""
    changed = await tx.run(
        """
        INSERT INTO files (tenant_id, name_token, object_id, version, holder, size, metadata, created_at, updated_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
        ON CONFLICT (tenant_id, name_token) DO UPDATE
        SET object_id = excluded.object_id, version = excluded.version, holder = excluded.holder, size = excluded.size,
            metadata = excluded.metadata, updated_at = excluded.updated_at
        WHERE files.version = excluded.version - 1
        """,
        (tx.tenant, *msgspec.structs.astuple(row)),
    )
    return changed == 1


async def delete_file(tx: TenantWriter, token: bytes) -> None:
    await tx.run("DELETE FROM files WHERE name_token = %s", (token,))


async def list_files(tx: TenantReader, *, holder: bytes | None, after: UUID | None, limit: int) -> list[FileRow]:
    return await tx.all(
        FileRow,
        _FILE
        + """
        WHERE (%(holder)s::bytea IS NULL OR holder = %(holder)s)
          AND (%(after)s::uuid IS NULL OR object_id > %(after)s)
        ORDER BY object_id LIMIT %(limit)s
        """,
        {"holder": holder, "after": after, "limit": limit},
    )


async def delete_files_by_holder(tx: TenantWriter, holder: bytes) -> list[UUID]:
    """Removes the rows; answers the objects that they named."""
    return await tx.values("DELETE FROM files WHERE holder = %s RETURNING object_id", (holder,))


async def list_object_ids(tx: TenantReader) -> set[UUID]:
    return set(await tx.values("SELECT object_id FROM files"))


# --- idempotency ------------------------------------------------------------------------------------------


class Earlier(msgspec.Struct, frozen=True):
    fingerprint: bytes
    answer: dict[str, Any] | None


async def claim_request(tx: TenantWriter, token: bytes, fingerprint: bytes) -> bool:
    """Whether this is the first request with the key. Waits for one that is under way in another transaction."""
    added = await tx.run(
        "INSERT INTO idempotency (tenant_id, token, fingerprint) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        (tx.tenant, token, fingerprint),
    )
    return added == 1


async def find_request(tx: TenantReader, token: bytes) -> Earlier | None:
    return await tx.one(Earlier, "SELECT fingerprint, answer FROM idempotency WHERE token = %s", (token,))


async def complete_request(tx: TenantWriter, token: bytes, answer: dict[str, Any]) -> None:
    await tx.run("UPDATE idempotency SET answer = %s WHERE token = %s", (Jsonb(answer), token))


async def delete_old_requests(tx: TenantWriter, days: int) -> int:
    return await tx.run("DELETE FROM idempotency WHERE created_at < now() - make_interval(days => %s)", (days,))


# --- erasures -----------------------------------------------------------------------------------------------


async def insert_erasure(tx: TenantWriter, erasure_id: UUID, holder: bytes) -> None:
    await tx.run(
        "INSERT INTO erasures (tenant_id, erasure_id, holder) VALUES (%s, %s, %s)", (tx.tenant, erasure_id, holder)
    )


async def hold_erasure(tx: TenantWriter, erasure_id: UUID) -> bytes | None:
    """The holder of an erasure that is not completed, held by `tx`."""
    holder: bytes | None = await tx.value(
        "SELECT holder FROM erasures WHERE erasure_id = %s AND completed_at IS NULL FOR UPDATE", (erasure_id,)
    )
    return holder


async def complete_erasure(tx: TenantWriter, erasure_id: UUID, receipt: dict[str, Any]) -> None:
    await tx.run(
        "UPDATE erasures SET completed_at = now(), receipt = %s WHERE erasure_id = %s", (Jsonb(receipt), erasure_id)
    )


async def find_receipt(tx: TenantReader, erasure_id: UUID) -> dict[str, Any] | None:
    receipt: dict[str, Any] | None = await tx.value("SELECT receipt FROM erasures WHERE erasure_id = %s", (erasure_id,))
    return receipt
