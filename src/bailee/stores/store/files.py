"""The table of files."""

from datetime import datetime
from uuid import UUID

import msgspec

from bailee.foundation.database import TenantReader, TenantWriter


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


async def list_files_in_scope(
    tx: TenantReader, holders: list[bytes], *, everything: bool, until: datetime, after: UUID | None, limit: int
) -> list[FileRow]:
    """Files of these subjects, or all, as they were stored up to a moment; in order."""
    return await tx.all(
        FileRow,
        _FILE
        + """
        WHERE (holder = ANY(%(holders)s) OR %(everything)s) AND updated_at <= %(until)s
          AND (%(after)s::uuid IS NULL OR object_id > %(after)s)
        ORDER BY object_id LIMIT %(limit)s
        """,
        {"holders": holders, "everything": everything, "until": until, "after": after, "limit": limit},
    )


async def delete_file_version(tx: TenantWriter, row: FileRow) -> bool:
    """Removes this very version; says whether it was still the one."""
    deleted = await tx.run(
        "DELETE FROM files WHERE name_token = %s AND object_id = %s", (row.name_token, row.object_id)
    )
    return deleted == 1
