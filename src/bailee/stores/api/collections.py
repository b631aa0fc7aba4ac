"""The data map over REST."""

import msgspec
from litestar import Response, delete, get, put

from bailee.foundation.database import Database
from bailee.foundation.errors import Malformed
from bailee.foundation.http import Cursor, Limit, Page, decode_cursor, page_of, problems, requires
from bailee.foundation.principal import Principal
from bailee.stores.collection import Collections
from bailee.stores.datamap import Definition
from bailee.stores.model import Collection
from bailee.stores.store import MapVersion
from bailee.tenants.api import tenant_id_of
from bailee.tenants.service import Tenants


class CollectionSummary(msgspec.Struct, frozen=True):
    """What staff see of a tenant's collection: that it is there, not what is in it."""

    name: str
    title: str
    version: int
    records: int


@get("/collections", summary="The data map", operation_id="listCollections", responses=problems(),
     **requires("collections.read"))  # fmt: skip
async def list_collections(
    database: Database, collections: Collections, principal: Principal, limit: Limit = 100, cursor: Cursor = None
) -> Page[Collection]:
    async with database.tenant_read(principal.tenant) as tx:
        rows = await collections.page(tx, after=after(cursor), limit=limit + 1)
    return page_of(rows, limit, lambda row: row.name)


@get("/collections/{name:str}", summary="One collection", operation_id="getCollection", responses=problems(),
     **requires("collections.read"))  # fmt: skip
async def get_collection(database: Database, collections: Collections, principal: Principal, name: str) -> Collection:
    async with database.tenant_read(principal.tenant) as tx:
        return await collections.get(tx, name)


@get("/collections/{name:str}/versions", summary="The versions of a collection's map", operation_id="listMapVersions",
     responses=problems(), **requires("collections.read"))  # fmt: skip
async def list_versions(
    database: Database, collections: Collections, principal: Principal, name: str, limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[MapVersion]:  # fmt: skip
    position = after(cursor)
    if position and not position.isdecimal():
        raise Malformed("The cursor is not one of ours.")
    async with database.tenant_read(principal.tenant) as tx:
        rows = await collections.versions(tx, name, before=int(position[:18]) if position else None, limit=limit + 1)
    return page_of(rows, limit, lambda row: str(row.version))


@put("/collections/{name:str}", summary="Define or change a collection", operation_id="defineCollection",
     responses=problems(409), **requires("collections.define"))  # fmt: skip
async def define_collection(
    database: Database, collections: Collections, principal: Principal, name: str, data: Definition
) -> Response[Collection]:
    async with database.tenant(principal.tenant) as tx:
        collection, created = await collections.define(tx, name, msgspec.to_builtins(data), by=principal)
    return Response(collection, status_code=201 if created else 200)


@delete("/collections/{name:str}", summary="Remove an empty collection", operation_id="deleteCollection",
        responses=problems(409), **requires("collections.delete"))  # fmt: skip
async def delete_collection(database: Database, collections: Collections, principal: Principal, name: str) -> None:
    async with database.tenant(principal.tenant) as tx:
        await collections.delete(tx, name, by=principal)


@get("/tenants/{tenant:str}/collections", summary="A tenant's collections, by name and count",
     operation_id="listTenantCollections", responses=problems(), **requires("tenants.read"))  # fmt: skip
async def list_tenant_collections(
    database: Database, tenants: Tenants, collections: Collections, tenant: str, limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[CollectionSummary]:  # fmt: skip
    async with database.operator_read() as operator:
        found = await tenants.get(operator, tenant_id_of(tenant))
    async with database.tenant_read(found.id) as tx:
        rows = await collections.page(tx, after=after(cursor), limit=limit + 1)
    summaries = [CollectionSummary(row.name, row.title, row.version, row.records) for row in rows]
    return page_of(summaries, limit, lambda row: row.name)


def after(cursor: str | None) -> str:
    """The name that a cursor stands behind; nothing for the first page. Raises Malformed."""
    position = decode_cursor(cursor) or ""
    if "\x00" in position:
        raise Malformed("The cursor is not one of ours.")
    return position
