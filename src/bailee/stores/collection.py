"""The data map's verbs: define, look up and remove collections."""

from typing import Any

from bailee.events import Events, Object, verb
from bailee.events.catalogue import CollectionDefined, CollectionDeleted
from bailee.foundation.database import TenantReader, TenantWriter
from bailee.foundation.errors import FieldError, Invalid, NotFound
from bailee.foundation.jobs import Jobs
from bailee.foundation.principal import Principal
from bailee.stores import store
from bailee.stores.compatibility import stranding_changes
from bailee.stores.datamap import NAME, Definition, parse_definition
from bailee.stores.errors import CollectionChangeRefused
from bailee.stores.model import Collection, CollectionRow
from bailee.stores.store import MapVersion
from bailee.stores.withholding import Withholding

REINDEX_JOB = "stores.reindex"


class Collections:
    """The data map of one tenant at a time."""

    def __init__(self, withholding: Withholding, events: Events, jobs: Jobs) -> None:
        self._withholding = withholding
        self._events = events
        self._jobs = jobs

    async def get(self, tx: TenantReader, name: str) -> Collection:
        """Raises NotFound."""
        row = await store.find_collection(tx, name)
        if row is None:
            raise NotFound
        return row.shown((await store.count_records(tx, [name])).get(name, 0))

    async def page(self, tx: TenantReader, *, after: str = "", limit: int = 100) -> list[Collection]:
        """Collections by name, those after `after`."""
        rows = await store.list_collections(tx, after=after, limit=limit)
        counts = await store.count_records(tx, [row.name for row in rows])
        return [row.shown(counts.get(row.name, 0)) for row in rows]

    async def versions(
        self, tx: TenantReader, name: str, *, before: int | None = None, limit: int = 100
    ) -> list[MapVersion]:
        """The versions of a collection's map, newest first. Raises NotFound."""
        await self.get(tx, name)
        return await store.list_versions(tx, name, before=before, limit=limit)

    @verb(CollectionDefined, permission="collections.define")
    async def define(self, tx: TenantWriter, name: str, raw: Any, *, by: Principal) -> tuple[Collection, bool]:
        """Makes a collection, or a new version of it; says whether it is new.

        Raises Invalid, also for a retention beyond the collection's limits, and CollectionChangeRefused when records
        exist that the new map might not describe.
        A field that becomes searchable is indexed in the background; until then a search on it is refused.
        """
        if not NAME.fullmatch(name):
            raise Invalid(
                "The collection is not valid.",
                errors=[FieldError("name", "A name is a lower-case letter, then up to 62 letters, digits or _.")],
            )
        definition = parse_definition(raw)
        await self._withholding.verify_map(tx, name, definition.rule())
        created = await store.insert_collection(tx, name, definition)
        if not created:
            await self._change(tx, name, definition)
        await store.archive_collection(tx, name)
        collection = await self.get(tx, name)
        details = CollectionDefined(name, collection.version)
        await self._events.record(tx, details, by=by, on=Object("collection", name))
        return collection, created

    @verb(CollectionDeleted, permission="collections.delete")
    async def delete(self, tx: TenantWriter, name: str, *, by: Principal) -> None:
        """Removes an empty collection. Raises NotFound or Conflict."""
        if await store.hold_collection(tx, name, to_change=True) is None:
            raise NotFound
        await store.delete_collection(tx, name)
        await self._events.record(tx, CollectionDeleted(name), by=by, on=Object("collection", name))

    async def _change(self, tx: TenantWriter, name: str, definition: Definition) -> None:
        row = await store.hold_collection(tx, name, to_change=True)
        if row is None:
            raise NotFound
        if row.definition == definition:
            return
        building: list[str] = []
        if await store.has_records(tx, name):
            faults = stranding_changes(row.definition, definition)
            if faults:
                raise CollectionChangeRefused(
                    "Stored records might not fit this map. Widen it, or move the records to a new collection.",
                    errors=faults,
                )
            building = await self._reindex(tx, row, definition)
        await store.update_collection(tx, name, definition, building)

    async def _reindex(self, tx: TenantWriter, row: CollectionRow, definition: Definition) -> list[str]:
        old, new = row.definition.searchable(), definition.searchable()
        gone = [path for path in old if new.get(path) != old[path]]
        await store.delete_field_tokens(tx, row.name, gone)
        building = sorted({path for path in new if old.get(path) != new[path]} | (set(row.building) & new.keys()))
        if building:
            lock = f"reindex:{tx.tenant}:{row.name}"
            await self._jobs.enqueue(tx, REINDEX_JOB, lock=lock, tenant_id=str(tx.tenant), collection=row.name)
        return building
