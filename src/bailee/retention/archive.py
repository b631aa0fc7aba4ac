"""The archive's works: what a hold covers moves in, back, or out of the world.

Moving in, batch by batch; a batch is one transaction. Records: the subjects are held, the very versions that were
read are deleted with their tokens, and their copies under the hold's key inserted; crash before its commit: nothing
has happened; after it: the rest is found by the next run. Files: 1. the content is sealed anew as an object below
`archive/`, which nothing names yet (the sweep removes it after a day); 2. in one transaction the archive names it, the
file's row goes, and the removal of the old object is queued.

The end of a hold: 1. it is `ending`: nobody looks any more; 2. what other holds cover too is sealed anew under the key
of that which lasts longest; 3. the hold's key is destroyed: from here on nothing that was its own can be read, in any
copy; 4. its rows go, batch by batch, and the removal of its objects is queued; 5. it is `ended`, and erasures that
waited go on. A crash after any step: the next run begins with 2 and finds less to do.

Lifting: 1. `lifting`; 2. as above; 3. what is left moves back under the subjects' keys, but for people whose erasure
waits: theirs is deleted; 4. the key is destroyed; 5. `lifted`.

One job at a time works on a tenant's archive (its queueing lock).
"""

from collections.abc import AsyncIterator
from uuid import UUID

from bailee.encryption.envelope import DataKey
from bailee.encryption.service import Keyring
from bailee.encryption.streams import HEADER, seal_stream, sealed_range, stream_key_id, unseal_stream
from bailee.events import Events, Object, verb
from bailee.events.catalogue import HoldArchived, HoldClosed, HoldReturned
from bailee.events.verbs import WITHIN
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database, TenantReader, TenantWriter
from bailee.foundation.errors import NotFound
from bailee.foundation.ids import TenantId, new_id
from bailee.foundation.jobs import Jobs
from bailee.foundation.objects import Objects
from bailee.foundation.principal import Principal
from bailee.retention.model import (
    ArchivedFile,
    ArchivedRecord,
    ArchivedView,
    ArchivePage,
    Hold,
    HoldState,
)
from bailee.retention.sealing import (
    archive_path,
    file_place,
    open_description,
    open_record,
    reseal_record,
    seal_description,
    seal_record,
)
from bailee.retention.store import archive as rows
from bailee.retention.store import holds as hold_rows
from bailee.stores import store
from bailee.stores.files import Files
from bailee.stores.model import CollectionRecord, Record, Scope, StoredFile
from bailee.stores.store import FileRow, RecordRow
from bailee.stores.subjects import Subjects
from bailee.stores.vault import Vault

BATCH = 500
DELETE_ARCHIVED_JOB = "retention.delete_archived"
_FILES = 1000
"""Files that the first page of a look shows at most."""


class Archive:
    """The archive of one tenant at a time."""

    def __init__(
        self, database: Database, keyring: Keyring, vault: Vault, files: Files, subjects: Subjects, objects: Objects,
        events: Events, jobs: Jobs, clock: Clock,
    ) -> None:  # fmt: skip
        self._database = database
        self._keyring = keyring
        self._vault = vault
        self._files = files
        self._subjects = subjects
        self._objects = objects
        self._events = events
        self._jobs = jobs
        self._clock = clock

    # --- looking ------------------------------------------------------------------------------------------

    async def page(self, tx: TenantReader, hold_id: UUID, *, after: UUID | None, limit: int) -> ArchivePage:
        """What a hold covers, opened. Who gives it out records it."""
        found = await rows.page_records(tx, hold_id, after=after, limit=limit + 1)
        page = found[:limit]
        files = [] if after else await rows.page_files(tx, hold_id, limit=_FILES)
        keys = await self._keys(tx, {row.hold_id for row in page} | {row.hold_id for row in files})
        records = [_shown(row, open_record(keys[row.hold_id], tx.tenant, row)) for row in page if row.hold_id in keys]
        views = [
            ArchivedView(row.file_id, open_description(keys[row.hold_id], tx.tenant, row))
            for row in files
            if row.hold_id in keys
        ]
        return ArchivePage(records, views, page[-1].record_id if len(found) > limit else None)

    async def open_file(
        self, tx: TenantReader, hold_id: UUID, file_id: UUID
    ) -> tuple[StoredFile, AsyncIterator[bytes]]:  # fmt: skip
        """A file that a hold covers, and its content. Raises NotFound."""
        found = await rows.page_files(tx, hold_id, only=file_id, limit=1)
        keys = await self._keys(tx, {row.hold_id for row in found})
        if not found or not keys:
            raise NotFound
        (row,), key = found, keys[found[0].hold_id]
        return open_description(key, tx.tenant, row), self._content(tx.tenant, key, row)

    # --- work -----------------------------------------------------------------------------------------------

    async def work(self, tenant: TenantId, hold_id: UUID, *, by: Principal) -> None:
        """Does whatever there is to do for a hold."""
        async with self._database.tenant_read(tenant) as reader:
            hold = await hold_rows.find_hold(reader, hold_id)
        if hold is None or hold.key_id is None:
            return
        if hold.state is HoldState.ACTIVE and hold.ends_on < self._clock.now().date():
            hold = await self._begin_end(tenant, hold_id)
        if hold.state is HoldState.ACTIVE and hold.moved_at is None:
            await self._move_in(tenant, hold, by)
        elif hold.state in (HoldState.ENDING, HoldState.LIFTING):
            await self._close(tenant, hold, by)

    async def _begin_end(self, tenant: TenantId, hold_id: UUID) -> Hold:
        async with self._database.tenant(tenant) as tx:
            hold = await hold_rows.hold_hold(tx, hold_id)
            if hold is None:
                raise NotFound
            if hold.state is HoldState.ACTIVE and hold.ends_on < self._clock.now().date():
                await hold_rows.set_state(tx, hold_id, HoldState.ENDING)
            return await hold_rows.find_hold(tx, hold_id) or hold

    # --- moving in ------------------------------------------------------------------------------------------

    async def _move_in(self, tenant: TenantId, hold: Hold, by: Principal) -> None:
        key = await self._key(tenant, hold)
        async with self._database.tenant(tenant) as tx:
            scope = await self._scope(tx, hold)
            await rows.list_covered(tx, hold, scope)
        while await self._pass_records(tenant, hold, scope, key, by):
            """Until a whole pass finds nothing: what somebody changed in between is found by the next."""
        while await self._pass_files(tenant, hold, scope, key, by):
            """The same."""
        async with self._database.tenant(tenant) as tx:
            await hold_rows.set_moved(tx, hold.id)

    async def _pass_records(self, tenant: TenantId, hold: Hold, scope: Scope, key: DataKey, by: Principal) -> int:
        moved, after = 0, None
        while True:
            async with self._database.tenant_read(tenant) as reader:
                found = await store.list_in_scope(
                    reader, scope.collections, scope.holders, scope.records, after=after, limit=BATCH,
                    everything=hold.everything, until=hold.decided_at,
                )  # fmt: skip
            if not found:
                return moved
            async with self._database.tenant(tenant) as tx:
                moved += await self.archive_records(tx, hold, key, found, by=by)
            after = found[-1].record_id

    @verb(HoldArchived, permission=WITHIN)
    async def archive_records(
        self, tx: TenantWriter, hold: Hold, key: DataKey, found: list[RecordRow], *, by: Principal
    ) -> int:
        """Moves these versions of records; how many of them were still the ones."""
        await store.hold_subjects(tx, sorted({row.holder for row in found if row.holder is not None}))
        opened = {one.id: one for one in await self._vault.open_rows(tx.tenant, found)}
        readable = [row for row in found if row.record_id in opened]
        held = set(await store.delete_versions(tx, readable))
        await rows.insert_records(
            tx,
            [
                seal_record(key, tx.tenant, hold.id, row, opened[row.record_id])
                for row in readable
                if row.record_id in held
            ],
        )
        await self._events.record(tx, HoldArchived(len(held), 0), by=by, on=_object(hold.id))
        return len(held)

    async def _pass_files(self, tenant: TenantId, hold: Hold, scope: Scope, key: DataKey, by: Principal) -> int:
        moved, after = 0, None
        if hold.decided_at is None:
            return 0
        while True:
            async with self._database.tenant_read(tenant) as reader:
                found = await self._files.in_scope(
                    reader, scope.holders, everything=hold.everything, until=hold.decided_at, after=after, limit=BATCH
                )
            for row, file in found:
                if file is not None:
                    moved += await self._file_in(tenant, hold, key, row, file, by)
            if not found:
                return moved
            after = found[-1][0].object_id

    async def _file_in(
        self, tenant: TenantId, hold: Hold, key: DataKey, row: FileRow, file: StoredFile, by: Principal
    ) -> int:  # fmt: skip
        file_id = new_id()
        content = self._files.whole(tenant, row, file)
        await self._put(tenant, hold.id, file_id, key, content)
        metadata = seal_description(key, tenant, hold.id, file_id, file)
        archived = ArchivedFile(file_id, hold.id, row.holder, row.size, metadata, row.created_at)
        async with self._database.tenant(tenant) as tx:
            moved = await self.archive_file(tx, hold, row, archived, by=by)
        if not moved:
            await self._objects.delete(archive_path(tenant, file_id))
        return moved

    @verb(HoldArchived, permission=WITHIN)
    async def archive_file(
        self, tx: TenantWriter, hold: Hold, row: FileRow, archived: ArchivedFile, *, by: Principal
    ) -> int:  # fmt: skip
        """Has the archive name a file in the place of its row; 0 when somebody has replaced it meanwhile."""
        moved = await self._files.take_out(tx, row)
        if moved:
            await rows.insert_file(tx, archived)
        await self._events.record(tx, HoldArchived(0, int(moved)), by=by, on=_object(hold.id))
        return int(moved)

    # --- closing --------------------------------------------------------------------------------------------

    async def _close(self, tenant: TenantId, hold: Hold, by: Principal) -> None:
        key = (await self._keyring.open_keys(tenant, [hold.key_id] if hold.key_id else [])).get(hold.key_id or hold.id)
        if key is not None:
            await self._hand_over(tenant, hold, key)
            if hold.state is HoldState.LIFTING:
                await self._move_back(tenant, hold, key, by)
        keys = await self._keyring.destroy(tenant, [hold.key_id]) if hold.key_id else 0
        while await self._delete_batch(tenant, hold):
            """Batch by batch."""
        async with self._database.tenant(tenant) as tx:
            await self.finish(tx, hold.id, keys, by=by)

    @verb(HoldClosed, permission=WITHIN)
    async def finish(self, tx: TenantWriter, hold_id: UUID, keys: int, *, by: Principal) -> None:
        """Says that nothing of the hold is left, and has erasures go on that waited for it."""
        hold = await hold_rows.hold_hold(tx, hold_id)
        if hold is None:
            raise NotFound
        lifted = hold.state is HoldState.LIFTING
        await rows.delete_listings(tx, hold_id)
        await hold_rows.set_state(tx, hold_id, HoldState.LIFTED if lifted else HoldState.ENDED)
        await self._subjects.resume(tx)
        details = HoldClosed("lifted" if lifted else "ended", hold.deleted_records, hold.deleted_files, keys)
        await self._events.record(tx, details, by=by, on=_object(hold_id))

    async def _hand_over(self, tenant: TenantId, hold: Hold, key: DataKey) -> None:
        """Seals what other holds cover too under the key of one of those."""
        async with self._database.tenant(tenant) as tx:
            for other in await hold_rows.list_active(tx):
                await rows.list_covered(tx, other, await self._scope(tx, other))
        while True:
            async with self._database.tenant(tenant) as tx:
                shared = {one.item_id: one.other for one in await rows.list_shared(tx, hold.id, "records", BATCH)}
                keys = await self._keys(tx, set(shared.values()))
                for row in await rows.hold_records(tx, list(shared)):
                    heir = shared[row.record_id]
                    await rows.reseal_record(tx, reseal_record(key, keys[heir], tenant, row, heir))
            if not shared:
                break
        while True:
            async with self._database.tenant_read(tenant) as reader:
                files = await rows.list_shared(reader, hold.id, "files", BATCH)
                keys = await self._keys(reader, {one.other for one in files})
            for one in files:
                await self._file_over(tenant, hold, key, one.item_id, one.other, keys[one.other])
            if not files:
                return

    async def _file_over(
        self, tenant: TenantId, hold: Hold, key: DataKey, item: UUID, other: UUID, other_key: DataKey
    ) -> None:
        async with self._database.tenant_read(tenant) as reader:
            (row,) = await rows.page_files(reader, hold.id, only=item, limit=1)
        file, file_id = open_description(key, tenant, row), new_id()
        await self._put(tenant, other, file_id, other_key, self._content(tenant, key, row))
        metadata = seal_description(other_key, tenant, other, file_id, file)
        async with self._database.tenant(tenant) as tx:
            await rows.insert_file(
                tx, ArchivedFile(file_id, other, row.holder, row.size, metadata, row.created_at)
            )  # fmt: skip
            await rows.move_listings(tx, item, file_id)
            await rows.delete_files(tx, [item])
            await self._discard(tx, item)

    async def _delete_batch(self, tenant: TenantId, hold: Hold) -> int:
        """Removes rows that nobody can open any more, and queues the removal of their objects."""
        async with self._database.tenant(tenant) as tx:
            records = await rows.sealed_under(tx, hold.id, BATCH)
            files = await rows.files_sealed_under(tx, hold.id, BATCH)
            await rows.delete_records(tx, [row.record_id for row in records])
            await rows.delete_files(tx, [row.file_id for row in files])
            for row in files:
                await self._discard(tx, row.file_id)
            await hold_rows.add_counts(tx, hold.id, deleted_records=len(records), deleted_files=len(files))
        return len(records) + len(files)

    # --- moving back ------------------------------------------------------------------------------------------

    async def _move_back(self, tenant: TenantId, hold: Hold, key: DataKey, by: Principal) -> None:
        while True:
            async with self._database.tenant(tenant) as tx:
                found = await rows.sealed_under(tx, hold.id, BATCH)
                if not found:
                    break
                await self.return_records(tx, hold, key, found, by=by)
        while True:
            async with self._database.tenant_read(tenant) as reader:
                files = await rows.files_sealed_under(reader, hold.id, BATCH)
            for row in files:
                await self._file_back(tenant, hold, key, row, by)
            if not files:
                return

    @verb(HoldReturned, permission=WITHIN)
    async def return_records(
        self, tx: TenantWriter, hold: Hold, key: DataKey, found: list[ArchivedRecord], *, by: Principal
    ) -> None:
        """Puts archived records back where they were; those of people whose erasure waits are deleted."""
        waiting = {one.holder for one in await store.list_waiting(tx)}
        back = [row for row in found if row.holder not in waiting]
        for collection in {row.collection for row in back}:
            records = [open_record(key, tx.tenant, row) for row in back if row.collection == collection]
            stored = await self._vault.put_back(tx, collection, records)
            again = [_renamed(one) for one in records if one.id not in stored]  # the id was given away meanwhile
            if again:
                await self._vault.put_back(tx, collection, again)
        await rows.delete_records(tx, [row.record_id for row in found])
        erased = len(found) - len(back)
        await hold_rows.add_counts(tx, hold.id, deleted_records=erased, returned_records=len(back))
        await self._events.record(tx, HoldReturned(len(back), 0, erased), by=by, on=_object(hold.id))

    async def _file_back(self, tenant: TenantId, hold: Hold, key: DataKey, row: ArchivedFile, by: Principal) -> None:
        async with self._database.tenant_read(tenant) as reader:
            waits = row.holder is not None and await store.find_waiting(reader, row.holder) is not None
        if not waits:
            file = open_description(key, tenant, row)
            await self._files.put_in(tenant, file, self._content(tenant, key, row), by=by)
        async with self._database.tenant(tenant) as tx:
            await self.return_file(tx, hold, row, erased=waits, by=by)

    @verb(HoldReturned, permission=WITHIN)
    async def return_file(
        self, tx: TenantWriter, hold: Hold, row: ArchivedFile, *, erased: bool, by: Principal
    ) -> None:  # fmt: skip
        """Removes a file from the archive that is back, or whose person is to be erased."""
        await rows.delete_files(tx, [row.file_id])
        await self._discard(tx, row.file_id)
        await hold_rows.add_counts(tx, hold.id, deleted_files=int(erased), returned_files=int(not erased))
        await self._events.record(tx, HoldReturned(0, int(not erased), int(erased)), by=by, on=_object(hold.id))

    # --- inside ---------------------------------------------------------------------------------------------

    async def _scope(self, tx: TenantReader, hold: Hold) -> Scope:
        scope = await hold_rows.find_scope(tx, hold.id)
        if scope is None:
            raise NotFound
        return scope

    async def _key(self, tenant: TenantId, hold: Hold) -> DataKey:
        if hold.key_id is None:
            raise NotFound
        return await self._keyring.open_key(tenant, hold.key_id)

    async def _keys(self, tx: TenantReader, hold_ids: set[UUID]) -> dict[UUID, DataKey]:
        """The keys of holds; one that is destroyed is missing."""
        found = {}
        for hold_id in hold_ids:
            hold = await hold_rows.find_hold(tx, hold_id)
            if hold is not None and hold.key_id is not None:
                found[hold_id] = hold.key_id
        opened = await self._keyring.open_keys(tx.tenant, found.values())
        return {hold_id: opened[key_id] for hold_id, key_id in found.items() if key_id in opened}

    async def _put(
        self, tenant: TenantId, hold_id: UUID, file_id: UUID, key: DataKey, content: AsyncIterator[bytes]
    ) -> None:
        sealed = seal_stream(key, content, file_place(tenant, hold_id, file_id))
        await self._objects.put_stream(archive_path(tenant, file_id), sealed)

    async def _content(self, tenant: TenantId, key: DataKey, row: ArchivedFile) -> AsyncIterator[bytes]:
        path = archive_path(tenant, row.file_id)
        header = b"".join([block async for block in self._objects.read(path, 0, HEADER)])
        stream_key_id(header)
        first, last = sealed_range(row.size, 0, row.size)
        blocks = self._objects.read(path, first, last - first)
        place = file_place(tenant, row.hold_id, row.file_id)
        async for block in unseal_stream(key, header, blocks, place, size=row.size, start=0, end=row.size):
            yield block

    async def _discard(self, tx: TenantWriter, file_id: UUID) -> None:
        await self._jobs.enqueue(tx, DELETE_ARCHIVED_JOB, tenant_id=str(tx.tenant), file_id=str(file_id))


def archive_lock(tenant: TenantId) -> str:
    """One job at a time works on a tenant's archive."""
    return f"archive:{tenant}"


def _shown(row: ArchivedRecord, record: Record) -> CollectionRecord:
    return CollectionRecord(
        record.id, record.version, record.subject, record.data, record.created_at, record.updated_at,
        collection=row.collection,
    )  # fmt: skip


def _renamed(record: Record) -> Record:
    return Record(new_id(), record.version, record.subject, record.data, record.created_at, record.updated_at)


def _object(hold_id: UUID) -> Object:
    return Object("legal_hold", str(hold_id))
