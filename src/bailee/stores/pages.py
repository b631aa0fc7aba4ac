"""What staff see of a tenant's collections: that they are there, not what is in them."""

from litestar import get
from litestar.response import Template

from bailee.foundation.database import Database
from bailee.foundation.http import Cursor, page_of, requires
from bailee.foundation.pages import PAGE_ROWS, page
from bailee.foundation.principal import Principal
from bailee.stores.api.collections import CollectionSummary, after
from bailee.stores.collection import Collections
from bailee.tenants.api import tenant_id_of
from bailee.tenants.service import Tenants


@get("/tenants/{tenant:str}/collections", **requires("tenants.read"))
async def list_collections(
    database: Database, tenants: Tenants, collections: Collections, tenant: str, principal: Principal,
    cursor: Cursor = None,
) -> Template:  # fmt: skip
    async with database.operator_read() as operator:
        found = await tenants.get(operator, tenant_id_of(tenant))
    async with database.tenant_read(found.id) as tx:
        rows = await collections.page(tx, after=after(cursor), limit=PAGE_ROWS + 1)
    summaries = [CollectionSummary(row.name, row.title, row.version, row.records) for row in rows]
    return page(
        "collections_list.html",
        principal,
        tenant=found,
        collections=page_of(summaries, PAGE_ROWS, lambda row: row.name),
    )


routes = [list_collections]
