"""One data subject: everything held on a person, and the erasure of it.

Erasure, and what a crash after each step leaves:

1. `begin`: the erasure is on record with its job, in main. Crash after: the job erases.
2. the key is destroyed, in the keyring. Crash after: nothing of the person can be read any more, anywhere; rows
   and files that cannot be opened remain until the job runs.
3. rows, tokens and file descriptions are deleted, the event recorded and the objects' removal queued, in one
   transaction of main. Crash after: done, but for objects that the queued job removes.

The subject's row is held alone from before 2 to the end of 3, so no writer can add under the dying key.
"""

from datetime import datetime
from uuid import UUID

import msgspec

from bailee.encryption.service import Keyring
from bailee.events import Events, Object, verb
from bailee.events.catalogue import SubjectErased, SubjectErasureBegun, SubjectViewed
from bailee.events.verbs import SYSTEM
from bailee.foundation.clock import Clock
from bailee.foundation.database import TenantReader, TenantWriter
from bailee.foundation.errors import NotFound
from bailee.foundation.ids import new_id
from bailee.foundation.jobs import Jobs
from bailee.foundation.principal import Principal
from bailee.stores import store
from bailee.stores.files import DELETE_OBJECTS_JOB, Files
from bailee.stores.model import CollectionRecord, ErasureReceipt, StoredFile
from bailee.stores.vault import Vault, holder_of, verify_subject

ERASE_JOB = "stores.erase"


class Subjects:
    """The data subjects of one tenant at a time."""

    def __init__(self, keyring: Keyring, vault: Vault, files: Files, events: Events, jobs: Jobs, clock: Clock) -> None:
        self._keyring = keyring
        self._vault = vault
        self._files = files
        self._events = events
        self._jobs = jobs
        self._clock = clock

    @verb(SubjectViewed, permission="subjects.view")
    async def view(
        self, tx: TenantWriter, subject: str, *, after: UUID | None, limit: int, by: Principal
    ) -> tuple[list[CollectionRecord], list[StoredFile], UUID | None]:
        """Everything on one person: a page of records, all files with the first page, and where the next begins.

        Raises NotFound when nothing is held.
        """
        holder = await self._holder(tx, subject)
        if not await store.has_subject(tx, holder):
            raise NotFound
        rows = await store.list_by_holder(tx, holder, after=after, limit=limit + 1)
        page = rows[:limit]
        names = {row.record_id: row.collection for row in page}
        records = [
            CollectionRecord(r.id, r.version, r.subject, r.data, r.created_at, r.updated_at, collection=names[r.id])
            for r in await self._vault.open_rows(tx.tenant, page)
        ]
        files = [] if after else await self._files.of_subject(tx, subject)
        await self._events.record(
            tx, SubjectViewed(len(records), len(files)), by=by, on=Object("subject", holder.hex())
        )
        return records, files, page[-1].record_id if len(rows) > limit else None

    @verb(SubjectErasureBegun, permission="subjects.erase", step_up=True)
    async def begin_erasure(self, tx: TenantWriter, subject: str, *, by: Principal) -> UUID:
        """Step 1. Answers the erasure's id. Raises NotFound when nothing is held on the person."""
        holder = await self._holder(tx, subject)
        if not await store.has_subject(tx, holder):
            raise NotFound
        erasure_id = new_id()
        await store.insert_erasure(tx, erasure_id, holder)
        await self._jobs.enqueue(tx, ERASE_JOB, tenant_id=str(tx.tenant), erasure_id=str(erasure_id))
        await self._events.record(tx, SubjectErasureBegun(), by=by, on=Object("subject", holder.hex()))
        return erasure_id

    async def find_receipt(self, tx: TenantReader, erasure_id: UUID) -> ErasureReceipt | None:
        """The receipt of an erasure that is completed."""
        receipt = await store.find_receipt(tx, erasure_id)
        return None if receipt is None else msgspec.convert(receipt, ErasureReceipt)

    @verb(SubjectErased, permission="subjects.erase")
    async def erase(self, tx: TenantWriter, erasure_id: UUID, *, by: Principal) -> ErasureReceipt:
        """Steps 2 and 3. Raises NotFound when it has been completed: there is a receipt then."""
        holder = await store.hold_erasure(tx, erasure_id)
        if holder is None:
            raise NotFound
        key_id = await store.take_subject(tx, holder)
        keys = await self._keyring.destroy(tx.tenant, [key_id]) if key_id else 0
        records = await store.delete_by_holder(tx, holder)
        objects = await store.delete_files_by_holder(tx, holder)
        await store.delete_subject(tx, holder)
        for object_id in objects:
            await self._jobs.enqueue(tx, DELETE_OBJECTS_JOB, tenant_id=str(tx.tenant), object_id=str(object_id))
        details = SubjectErased(records, len(objects), keys)
        event = await self._events.record(tx, details, by=by, on=Object("subject", holder.hex()))
        receipt = ErasureReceipt(self._clock.now(), records, len(objects), keys, event)
        await store.complete_erasure(tx, erasure_id, msgspec.to_builtins(receipt))
        return receipt

    @verb(SubjectErased, permission=SYSTEM)
    async def _erase_returned(self, tx: TenantWriter, holder: bytes, *, by: Principal) -> ErasureReceipt:
        erasure_id = new_id()
        await store.insert_erasure(tx, erasure_id, holder)
        return await self.erase(tx, erasure_id, by=by)

    async def erase_again(self, tx: TenantWriter, holder: bytes, *, before: datetime | None, by: Principal) -> bool:
        """Erases a person whom a restore has brought back, if it was there `before`; says whether it was.

        Somebody who came again after the erasure stays.
        """
        since = await store.subject_since(tx, holder)
        if since is None or (before is not None and since >= before):
            return False
        await self._erase_returned(tx, holder, by=by)
        return True

    async def _holder(self, tx: TenantWriter, subject: str) -> bytes:
        verify_subject(None, subject)
        return holder_of(await self._keyring.index_key(tx.tenant), subject)
