"""The tables of data subjects: their keys' ids, and erasures under way."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from psycopg.types.json import Jsonb

from bailee.foundation.database import TenantReader, TenantWriter


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


async def list_empty(tx: TenantReader, before: datetime, limit: int) -> list[bytes]:
    """Subjects of whom neither a record nor a file is stored, and who are not just being written for."""
    return await tx.values(
        """
        SELECT s.holder FROM subjects s
        WHERE s.created_at < %s
          AND NOT EXISTS (SELECT FROM records r WHERE r.tenant_id = s.tenant_id AND r.holder = s.holder)
          AND NOT EXISTS (SELECT FROM files f WHERE f.tenant_id = s.tenant_id AND f.holder = s.holder)
        ORDER BY s.holder LIMIT %s
        """,
        (before, limit),
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
            """,
            {"holders": [row.holder for row in held]},
        )
    )
    return [row for row in held if row.holder not in used]


async def delete_subjects(tx: TenantWriter, holders: list[bytes]) -> int:
    return await tx.run("DELETE FROM subjects WHERE holder = ANY(%s)", (holders,))
