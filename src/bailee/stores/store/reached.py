"""Whose records and files these are, counted and named, for an incident."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from bailee.foundation.database import TenantReader
from bailee.stores.store.records import RecordRow


class HeldRecord(msgspec.Struct, frozen=True):
    """Of which data subject a record is. Several records of one subject in one collection come as one."""

    collection: str
    holder: bytes | None
    records: int


async def list_holders(tx: TenantReader, record_ids: Sequence[UUID]) -> list[HeldRecord]:
    """The subjects of records that still exist."""
    return await tx.all(
        HeldRecord,
        """
        SELECT collection, holder, count(*) AS records FROM records WHERE record_id = ANY(%s)
        GROUP BY collection, holder
        """,
        (list(record_ids),),
    )


async def list_file_holders(tx: TenantReader, tokens: Sequence[bytes]) -> list[bytes | None]:
    """The subject of each file that still exists."""
    return await tx.values("SELECT holder FROM files WHERE name_token = ANY(%s)", (list(tokens),))


class Held(msgspec.Struct, frozen=True):
    """How much a collection holds, and of how many data subjects."""

    collection: str
    records: int
    subjects: int


async def count_held(tx: TenantReader, collections: Sequence[str] | None, until: datetime) -> list[Held]:
    """What collections held at a moment, as far as it is still there; of all, without any named."""
    return await tx.all(
        Held,
        """
        SELECT collection, count(*) AS records, count(DISTINCT holder) AS subjects FROM records
        WHERE created_at <= %(until)s
          AND (%(collections)s::text [] IS NULL OR collection = ANY (%(collections)s))
        GROUP BY collection
        """,
        {"until": until, "collections": None if collections is None else list(collections)},
    )


class HeldFiles(msgspec.Struct, frozen=True):
    files: int
    subjects: int


async def count_files(tx: TenantReader, until: datetime) -> HeldFiles:
    found = await tx.one(
        HeldFiles, "SELECT count(*) AS files, count(DISTINCT holder) AS subjects FROM files WHERE created_at <= %s",
        (until,),
    )  # fmt: skip
    return found or HeldFiles(0, 0)


async def count_subjects(tx: TenantReader, until: datetime) -> int:
    count: int = await tx.value("SELECT count(*) FROM subjects WHERE created_at <= %s", (until,))
    return count


async def list_one_record_each(tx: TenantReader, holders: Sequence[bytes]) -> list[RecordRow]:
    """One record of each of these subjects who has one: it says, once opened, who they are."""
    return await tx.all(
        RecordRow,
        """
        SELECT DISTINCT ON (holder) record_id, collection, version, holder, ciphertext, created_at, updated_at
        FROM records WHERE holder = ANY(%s) ORDER BY holder, record_id
        """,
        (list(holders),),
    )


async def list_holders_in(
    tx: TenantReader, collections: Sequence[str], *, after: bytes | None, limit: int
) -> list[bytes]:
    """Data subjects with records in these collections, in the order of their blind indexes."""
    return await tx.values(
        """
        SELECT DISTINCT holder FROM records
        WHERE holder IS NOT NULL AND collection = ANY(%(collections)s)
          AND (%(after)s::bytea IS NULL OR holder > %(after)s)
        ORDER BY holder LIMIT %(limit)s
        """,
        {"collections": list(collections), "after": after, "limit": limit},
    )
