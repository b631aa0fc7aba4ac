"""The tables of the data map."""

from datetime import datetime
from typing import Any

import msgspec
from psycopg.types.json import Jsonb

from bailee.foundation.database import TenantReader, TenantWriter, constraints
from bailee.foundation.errors import Conflict
from bailee.stores.datamap import Definition
from bailee.stores.model import CollectionRow


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
