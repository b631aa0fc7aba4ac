"""The tables of data subjects: their keys' ids, and erasures under way."""

from datetime import date, datetime
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


async def subject_since(tx: TenantReader, holder: bytes) -> datetime | None:
    """Since when something is held on a person."""
    moment: datetime | None = await tx.value("SELECT created_at FROM subjects WHERE holder = %s", (holder,))
    return moment


async def delete_subject(tx: TenantWriter, holder: bytes) -> int:
    return await tx.run("DELETE FROM subjects WHERE holder = %s", (holder,))


async def insert_erasure(tx: TenantWriter, erasure_id: UUID, holder: bytes) -> None:
    await tx.run(
        """
        INSERT INTO erasures (tenant_id, erasure_id, holder, subject_since)
        SELECT tenant_id, %s, holder, created_at FROM subjects WHERE holder = %s
        """,
        (erasure_id, holder),
    )


class OpenErasure(msgspec.Struct, frozen=True):
    """An erasure that is not completed. `erased` is what has gone already, when it waits for the rest."""

    holder: bytes
    erased: dict[str, Any] | None


async def hold_erasure(tx: TenantWriter, erasure_id: UUID) -> OpenErasure | None:
    """An erasure that is not completed, held by `tx`."""
    return await tx.one(
        OpenErasure,
        "SELECT holder, erased FROM erasures WHERE erasure_id = %s AND completed_at IS NULL FOR UPDATE",
        (erasure_id,),
    )


async def set_waiting(
    tx: TenantWriter, erasure_id: UUID, erased: dict[str, Any] | None, until: date, bases: list[str]
) -> None:
    await tx.run(
        "UPDATE erasures SET erased = %s, waits_until = %s, bases = %s WHERE erasure_id = %s",
        (None if erased is None else Jsonb(erased), until, bases, erasure_id),
    )


async def find_waiting(tx: TenantReader, holder: bytes) -> UUID | None:
    """The erasure of a person that waits for what the archive holds of them."""
    found: UUID | None = await tx.value(
        "SELECT erasure_id FROM erasures WHERE holder = %s AND completed_at IS NULL AND erased IS NOT NULL", (holder,)
    )
    return found


class WaitingErasure(msgspec.Struct, frozen=True):
    erasure_id: UUID
    holder: bytes
    began_at: datetime
    waits_until: date
    bases: list[str]


async def list_waiting(tx: TenantReader) -> list[WaitingErasure]:
    """Erasures that wait, oldest first."""
    return await tx.all(
        WaitingErasure,
        """
        SELECT erasure_id, holder, began_at, waits_until, bases FROM erasures
        WHERE completed_at IS NULL AND erased IS NOT NULL ORDER BY erasure_id
        """,
    )


async def complete_erasure(tx: TenantWriter, erasure_id: UUID, receipt: dict[str, Any]) -> None:
    await tx.run(
        "UPDATE erasures SET completed_at = now(), receipt = %s WHERE erasure_id = %s", (Jsonb(receipt), erasure_id)
    )


async def find_receipt(tx: TenantReader, erasure_id: UUID) -> dict[str, Any] | None:
    receipt: dict[str, Any] | None = await tx.value("SELECT receipt FROM erasures WHERE erasure_id = %s", (erasure_id,))
    return receipt


async def delete_subjects(tx: TenantWriter, holders: list[bytes]) -> int:
    return await tx.run("DELETE FROM subjects WHERE holder = ANY(%s)", (holders,))
