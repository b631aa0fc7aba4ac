"""What the vault does in the background."""

import contextlib
from uuid import UUID

import structlog

from bailee.events import Events, Object
from bailee.events.catalogue import CollectionReindexed
from bailee.foundation.database import Database, TenantWriter
from bailee.foundation.errors import NotFound
from bailee.foundation.ids import TenantId
from bailee.foundation.jobs import Jobs
from bailee.foundation.objects import Objects
from bailee.foundation.principal import system
from bailee.stores import store
from bailee.stores.collection import REINDEX_JOB
from bailee.stores.files import DELETE_OBJECTS_JOB, object_path
from bailee.stores.idempotency import KEEP_DAYS
from bailee.stores.subjects import ERASE_JOB, Subjects
from bailee.stores.vault import Vault
from bailee.tenants.model import TenantKind
from bailee.tenants.service import Tenants

log = structlog.get_logger()

_STRETCH = 500
_ORPHAN_SECONDS = 86_400
_WORKER = system("worker")


class Housekeeping:
    """The jobs of this room."""

    def __init__(
        self, database: Database, objects: Objects, tenants: Tenants, vault: Vault, subjects: Subjects, events: Events
    ) -> None:
        self._database = database
        self._objects = objects
        self._tenants = tenants
        self._vault = vault
        self._subjects = subjects
        self._events = events

    def register(self, jobs: Jobs) -> None:
        jobs.register(ERASE_JOB, self.erase)
        jobs.register(DELETE_OBJECTS_JOB, self.delete_object)
        jobs.register(REINDEX_JOB, self.reindex)
        jobs.every("47 2 * * *", "stores.resume_erasures", self.resume)
        jobs.every("17 * * * *", "stores.sweep", self.sweep)

    async def erase(self, tenant_id: str, erasure_id: str) -> None:
        """Takes up an erasure that its request did not complete."""
        async with self._database.tenant(TenantId(UUID(tenant_id))) as tx:
            if await self._subjects.find_receipt(tx, UUID(erasure_id)) is None:
                with contextlib.suppress(NotFound):  # another job has just completed it
                    await self._subjects.erase(tx, UUID(erasure_id), by=_WORKER)

    async def resume(self) -> None:
        """Takes up erasures that had to wait for an archive that has ended."""
        for tenant in await self.every_tenant():
            async with self._database.tenant(tenant) as tx:
                await self._subjects.resume(tx)

    async def delete_object(self, tenant_id: str, object_id: str) -> None:
        """Removes a file's ciphertext that no row names any more."""
        await self._objects.delete(object_path(TenantId(UUID(tenant_id)), UUID(object_id)))

    async def reindex(self, tenant_id: str, collection: str) -> None:
        """Builds the index of fields that became searchable, stretch by stretch; a crash starts it over."""
        tenant = TenantId(UUID(tenant_id))
        async with self._database.tenant_read(tenant) as reader:
            row = await store.find_collection(reader, collection)
        if row is None or not row.building:
            return
        after: UUID | None = None
        count = 0
        while True:
            async with self._database.tenant(tenant) as tx:
                done = await self._vault.reindex(tx, collection, row.version, after, _STRETCH)
                if done is None:
                    return
                count += len(done)
                if len(done) < _STRETCH:
                    await self._end_reindex(tx, collection, row.building, count)
                    return
            after = done[-1]

    async def sweep(self) -> None:
        """Removes what crashes and time leave: temporary files, objects that nothing names, old idempotency keys."""
        await self._objects.sweep(older_than=_ORPHAN_SECONDS)
        for tenant in await self.every_tenant():
            async with self._database.tenant(tenant) as tx:
                await store.delete_old_requests(tx, KEEP_DAYS)
                known = await store.list_object_ids(tx)
            for name in await self._objects.names(f"files/{tenant}"):
                object_id = UUID(name.rpartition("/")[2])
                with contextlib.suppress(NotFound):  # deleted by its own job in the meantime
                    if object_id not in known and await self._objects.age(name) > _ORPHAN_SECONDS:
                        await self._objects.delete(name)
                        log.info("orphaned object removed", object=str(object_id))

    async def _end_reindex(self, tx: TenantWriter, collection: str, fields: list[str], count: int) -> None:
        await store.end_building(tx, collection, fields)
        details = CollectionReindexed(collection, count)
        await self._events.record(tx, details, by=_WORKER, on=Object("collection", collection))

    async def every_tenant(self) -> list[TenantId]:
        """All tenants, synthetic ones too."""
        found: list[TenantId] = []
        for kind in TenantKind:
            after = None
            while True:
                async with self._database.operator_read() as tx:
                    page = await self._tenants.page(tx, kind=kind, after=after, limit=1000)
                found += [tenant.id for tenant in page]
                if not page:
                    break
                after = page[-1].id
        return found
