"""One data subject: everything held on a person, and the erasure of it.

Erasure, and what a crash after each step leaves:

1. `begin`: what the law keeps of the person is moved to the archive, and the erasure is on record with its job, in one
   transaction of main. Crash after: the job erases.
2. the key is destroyed, in the keyring. Crash after: nothing of the person can be read any more, anywhere; rows
   and files that cannot be opened remain until the job runs.
3. rows, tokens and file descriptions are deleted, the event recorded and the objects' removal queued, in one
   transaction of main. Crash after: done, but for objects that the queued job removes.

The subject's row is held alone from before 2 to the end of 3, so no writer can add under the dying key. What was added
below a floor between 1 and 2 is moved first, and committed, before the key is touched.

As long as the archive holds something of the person the erasure waits. When that has ended it goes on by itself, and
touches nothing that has been stored on the person since.
"""

from datetime import datetime
from uuid import UUID

import msgspec

from bailee.encryption.service import Keyring
from bailee.events import Events, Object, verb
from bailee.events.catalogue import SubjectErased, SubjectErasureBegun, SubjectErasureWaits, SubjectViewed
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
from bailee.stores.withholding import Withholding

ERASE_JOB = "stores.erase"


class _Erased(msgspec.Struct, frozen=True):
    """What is gone of a person."""

    records: int
    files: int
    keys: int


class Subjects:
    """The data subjects of one tenant at a time."""

    def __init__(
        self, keyring: Keyring, vault: Vault, files: Files, withholding: Withholding, events: Events, jobs: Jobs,
        clock: Clock,
    ) -> None:  # fmt: skip
        self._withholding = withholding
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
        """Step 1. Answers the erasure's id; of one that waits, when nothing has come in since. Raises NotFound when
        nothing is held on the person.
        """
        holder = await self._holder(tx, subject)
        erasure_id = await store.find_waiting(tx, holder)
        if await store.has_subject(tx, holder):
            erasure_id = new_id()
            await store.insert_erasure(tx, erasure_id, holder)
            await self._keep(tx, holder, by)
            await self._jobs.enqueue(tx, ERASE_JOB, tenant_id=str(tx.tenant), erasure_id=str(erasure_id))
        elif erasure_id is None:
            raise NotFound
        await self._events.record(tx, SubjectErasureBegun(), by=by, on=Object("subject", holder.hex()))
        return erasure_id

    async def find_receipt(self, tx: TenantReader, erasure_id: UUID) -> ErasureReceipt | None:
        """The receipt of an erasure that is completed."""
        receipt = await store.find_receipt(tx, erasure_id)
        return None if receipt is None else msgspec.convert(receipt, ErasureReceipt)

    @verb(SubjectErased, SubjectErasureWaits, permission="subjects.erase")
    async def erase(self, tx: TenantWriter, erasure_id: UUID, *, by: Principal) -> ErasureReceipt:
        """Steps 2 and 3. Raises NotFound when it has been completed: there is a receipt then."""
        row = await store.hold_erasure(tx, erasure_id)
        if row is None:
            raise NotFound
        if row.erased is not None:
            erased = msgspec.convert(row.erased, _Erased)
        else:
            key_id = await store.take_subject(tx, row.holder)
            if await self._keep(tx, row.holder, by):
                await self._jobs.enqueue(tx, ERASE_JOB, tenant_id=str(tx.tenant), erasure_id=str(erasure_id))
                return await self._wait(tx, erasure_id, row.holder, None, by)
            erased = await self._delete(tx, row.holder, key_id)
        if await self._withholding.withheld(tx, row.holder) is not None:
            return await self._wait(tx, erasure_id, row.holder, erased, by)
        details = SubjectErased(erased.records, erased.files, erased.keys)
        event = await self._events.record(tx, details, by=by, on=Object("subject", row.holder.hex()))
        receipt = ErasureReceipt(self._clock.now(), erased.records, erased.files, erased.keys, event)
        await store.complete_erasure(tx, erasure_id, msgspec.to_builtins(receipt))
        return receipt

    async def resume(self, tx: TenantWriter) -> int:
        """Leaves a job for each erasure that the archive does not keep waiting any more; how many they are."""
        ready = [
            one for one in await store.list_waiting(tx) if await self._withholding.withheld(tx, one.holder) is None
        ]
        for one in ready:
            await self._jobs.enqueue(tx, ERASE_JOB, tenant_id=str(tx.tenant), erasure_id=str(one.erasure_id))
        return len(ready)

    async def _keep(self, tx: TenantWriter, holder: bytes, by: Principal) -> bool:
        """Moves what floors keep of a person to the archive; whether there was anything."""
        kept = await self._withholding.due_to_law(tx, holder)
        if kept is not None:
            await self._withholding.impose(tx, kept, by=by)
        return kept is not None

    async def _delete(self, tx: TenantWriter, holder: bytes, key_id: UUID | None) -> _Erased:
        keys = await self._keyring.destroy(tx.tenant, [key_id]) if key_id else 0
        records = await store.delete_by_holder(tx, holder)
        objects = await store.delete_files_by_holder(tx, holder)
        await store.delete_subject(tx, holder)
        for object_id in objects:
            await self._jobs.enqueue(tx, DELETE_OBJECTS_JOB, tenant_id=str(tx.tenant), object_id=str(object_id))
        return _Erased(records, len(objects), keys)

    async def _wait(
        self, tx: TenantWriter, erasure_id: UUID, holder: bytes, erased: _Erased | None, by: Principal
    ) -> ErasureReceipt:
        withheld = await self._withholding.withheld(tx, holder)
        if withheld is None:  # cannot be: it has just been looked for, or put there
            raise NotFound
        gone = erased or _Erased(0, 0, 0)
        details = SubjectErasureWaits(gone.records, gone.files, gone.keys)
        event = await self._events.record(tx, details, by=by, on=Object("subject", holder.hex()))
        kept = None if erased is None else msgspec.to_builtins(erased)
        await store.set_waiting(tx, erasure_id, kept, withheld.until, withheld.bases)
        return ErasureReceipt(
            self._clock.now(), gone.records, gone.files, gone.keys, event, "waiting", withheld.until, withheld.bases
        )

    @verb(SubjectErased, SubjectErasureWaits, permission=SYSTEM)
    async def erase_again(self, tx: TenantWriter, holder: bytes, *, by: Principal) -> ErasureReceipt:
        """Erases a person whom a restore has brought back."""
        erasure_id = new_id()
        await store.insert_erasure(tx, erasure_id, holder)
        return await self.erase(tx, erasure_id, by=by)

    async def is_back(self, tx: TenantReader, holder: bytes, *, before: datetime | None) -> bool:
        """Whether a restore has brought back a person who was erased and was there `before`.

        Somebody who came again after the erasure is none of them.
        """
        since = await store.subject_since(tx, holder)
        return since is not None and (before is None or since < before)

    async def _holder(self, tx: TenantWriter, subject: str) -> bytes:
        verify_subject(None, subject)
        return holder_of(await self._keyring.index_key(tx.tenant), subject)
