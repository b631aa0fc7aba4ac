"""For an incident: what of a tenant's stored data was reached, in numbers, and for the tenant itself by name."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from bailee.foundation.database import TenantReader
from bailee.stores.collection import Collections
from bailee.stores.store import reached as rows
from bailee.stores.store.reached import Held, HeldFiles
from bailee.stores.vault import Vault


class Named(msgspec.Struct, frozen=True):
    """Data subjects by the blind indexes of their identifiers, and how many of the things are still there."""

    of_collections: dict[str, set[bytes]]
    records_there: dict[str, int]
    of_files: set[bytes]
    files_there: int


class Description(msgspec.Struct, frozen=True):
    """What a collection's data map says of it."""

    title: str
    categories: list[str]


class Reached:
    """Counts and names, one tenant at a time."""

    def __init__(self, collections: Collections, vault: Vault) -> None:
        self._collections = collections
        self._vault = vault

    async def name(self, tx: TenantReader, record_ids: Sequence[UUID], file_tokens: Sequence[bytes]) -> Named:
        """Whose these records and files are."""
        of_collections: dict[str, set[bytes]] = {}
        there: Counter[str] = Counter()
        for row in await rows.list_holders(tx, record_ids) if record_ids else []:
            there[row.collection] += row.records
            found = of_collections.setdefault(row.collection, set())
            if row.holder is not None:
                found.add(row.holder)
        files = await rows.list_file_holders(tx, file_tokens) if file_tokens else []
        return Named(of_collections, dict(there), {one for one in files if one is not None}, len(files))

    async def held(
        self, tx: TenantReader, until: datetime, collections: Sequence[str] | None = None
    ) -> dict[str, Held]:  # fmt: skip
        """How much was in these collections at a moment, or in all."""
        return {one.collection: one for one in await rows.count_held(tx, collections, until)}

    async def held_files(self, tx: TenantReader, until: datetime) -> HeldFiles:
        return await rows.count_files(tx, until)

    async def subjects(self, tx: TenantReader, until: datetime) -> int:
        """How many data subjects the tenant had data on."""
        return await rows.count_subjects(tx, until)

    async def describe(self, tx: TenantReader, names: Sequence[str]) -> dict[str, Description]:
        """What the data maps say of collections; without those that were deleted since."""
        found = {}
        for one in await self._collections.page(tx, limit=10_000):
            if one.name in names:
                kinds = {field.category for field in one.fields.values() if field.category not in ("", "none")}
                found[one.name] = Description(one.title, sorted(kinds))
        return found

    async def identifiers(self, tx: TenantReader, holders: Sequence[bytes]) -> dict[bytes, str]:
        """The identifiers of data subjects, as the tenant chose them; without those of whom no record is left."""
        sealed = await rows.list_one_record_each(tx, holders)
        opened = {record.id: record.subject for record in await self._vault.open_rows(tx.tenant, sealed)}
        return {
            row.holder: subject
            for row in sealed
            if row.holder is not None and (subject := opened.get(row.record_id)) is not None
        }

    async def holders_in(
        self, tx: TenantReader, collections: Sequence[str], *, after: bytes | None, limit: int
    ) -> list[bytes]:
        """Data subjects with records in these collections, in the order of their blind indexes."""
        return await rows.list_holders_in(tx, collections, after=after, limit=limit)
