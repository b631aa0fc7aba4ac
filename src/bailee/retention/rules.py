"""Executing the rules of the data map.

A round goes through a tenant's collections. What is due is looked for without a lock; then each batch is a transaction
of its own: the subjects are held, then the very versions that were found, in the order in which every writer takes
them; records and tokens go together with the event. A kill between two batches leaves nothing half done: the next round
finds what is still due.

When a person has nothing left, in the archive neither, their key goes too. The rows go first and their commit is waited
for; then the subject is held alone, its key destroyed in the keyring, and its row deleted. A crash in between leaves a
subject without data whose key is gone or not: the next round takes it up again. The other order could leave data that
nobody can open.

Rules run for suspended customers as for active ones: that data has no purpose any more (GDPR Art. 5(1)(e)) does not
depend on whether somebody is let in.

What is held by a legal hold is not in `records` any more, so no rule reaches it.
"""

from collections import Counter
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from bailee.encryption.service import Keyring
from bailee.events import Events, Object, verb
from bailee.events.catalogue import RetentionAsked, RetentionExecuted, SubjectKeysDropped
from bailee.events.verbs import WITHIN
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database, TenantReader, TenantWriter
from bailee.foundation.ids import TenantId
from bailee.foundation.principal import Principal
from bailee.retention.model import Executed, Outlook
from bailee.retention.store import archive as archive_rows
from bailee.retention.store import limits as rows
from bailee.stores import store
from bailee.stores.datamap import Rule
from bailee.stores.durations import Duration
from bailee.stores.model import CollectionRow, Record
from bailee.stores.store import Due, RecordRow
from bailee.stores.vault import Vault
from bailee.stores.withholding import Floor, Withholding, event_of, kept_until

BATCH = 500
SOON = timedelta(days=30)
_FRESH_DAYS = 1
"""A subject without data that is younger may be just being written for."""
_EVERY = 100_000
_NIGHT = timedelta(days=1)
_LOOKED_THROUGH = 20_000
"""Records that a preview opens at most, to read a date in them."""


class _Found(msgspec.Struct, frozen=True):
    """What is due in a stretch of a collection, by which version of its map, and where to go on."""

    version: int
    due: list[RecordRow]
    following: UUID | None


class Rules:
    """Executes and previews the rules of one tenant at a time."""

    def __init__(
        self, database: Database, keyring: Keyring, vault: Vault, withholding: Withholding, events: Events, clock: Clock
    ) -> None:
        self._database = database
        self._keyring = keyring
        self._vault = vault
        self._withholding = withholding
        self._events = events
        self._clock = clock

    async def preview(self, tx: TenantReader) -> list[Outlook]:
        """What rules would delete, collection by collection; nothing is changed."""
        maps = await store.list_collections(tx, after="", limit=_EVERY)
        counts = await store.count_records(tx, [one.name for one in maps])
        return [await self._outlook(tx, one, counts.get(one.name, 0)) for one in maps]

    async def left_lying(self, tx: TenantReader, since: datetime) -> bool:
        """Whether anything was due at a moment and is still there. Where a date in the record decides it is enough that
        the rule was executed since the night before: to look would be to open everything.
        """
        ran = {one.collection: one.ran_at for one in await rows.list_runs(tx)}
        for one in await store.list_collections(tx, after="", limit=_EVERY):
            rule = one.definition.rule()
            if rule is None or one.updated_at > since:
                continue
            if rule.by_field:
                if ran.get(one.name, one.updated_at) < since - _NIGHT:
                    return True
            elif (
                await store.count_due(tx, _due(one.name, rule, await self._withholding.floor(tx, one.name)), since)
            ).records:
                return True
        return False

    async def run(self, tenant: TenantId, *, by: Principal) -> Executed:
        """Deletes all that is due, because somebody wants it now."""
        async with self._database.tenant(tenant) as tx:
            await self.ask(tx, by=by)
        return await self.execute(tenant, by=by)

    @verb(RetentionAsked, permission="retention.run", step_up=True)
    async def ask(self, tx: TenantWriter, *, by: Principal) -> None:
        """Says in the log who wanted it."""
        await self._events.record(tx, RetentionAsked(), by=by)

    async def execute(self, tenant: TenantId, *, by: Principal, by_field: bool = True) -> Executed:
        """Deletes all that is due. Without `by_field` only what needs no record to be opened."""
        deleted: Counter[str] = Counter()
        async with self._database.tenant_read(tenant) as reader:
            maps = await store.list_collections(reader, after="", limit=_EVERY)
        for one in maps:
            rule = one.definition.rule()
            if rule is not None and (by_field or not rule.by_field):
                deleted[one.name] = await self._collection(tenant, one.name, by)
        return Executed({name: count for name, count in deleted.items() if count}, await self._drop_keys(tenant, by))

    async def _collection(self, tenant: TenantId, name: str, by: Principal) -> int:
        count, after = 0, None
        while True:
            async with self._database.tenant_read(tenant) as reader:
                found = await self._find(reader, name, after)
            deleted = 0
            if found.due:
                async with self._database.tenant(tenant) as tx:
                    deleted = await self.delete(tx, name, found.due, version=found.version, by=by)
            count += deleted
            # Where what was found could not be deleted, somebody has just changed it: the next round looks again.
            if found.following is None or (found.due and not deleted):
                break
            after = found.following
        async with self._database.tenant(tenant) as tx:
            await rows.put_run(tx, name, self._clock.now())
        return count

    async def _find(self, tx: TenantReader, name: str, after: UUID | None) -> _Found:
        present = await store.find_collection(tx, name)
        rule = present.definition.rule() if present else None
        if present is None or rule is None:
            return _Found(0, [], None)
        floor, now = await self._withholding.floor(tx, name), self._clock.now()
        if rule.by_field:
            found = await store.list_stretch(tx, name, after=after, limit=BATCH)
            due = await self._due(tx.tenant, found, rule, floor, now)
        else:
            due = found = await store.list_due(tx, _due(name, rule, floor), now, BATCH)
        return _Found(present.version, due, found[-1].record_id if len(found) == BATCH else None)

    @verb(RetentionExecuted, permission=WITHIN)
    async def delete(
        self, tx: TenantWriter, name: str, due: list[RecordRow], *, version: int, by: Principal
    ) -> int:  # fmt: skip
        """Deletes these versions of records, if the map by which they are due is still the one; how many it were."""
        deleted: list[UUID] = []
        held = await store.hold_collection(tx, name, to_change=False)
        if held is not None and held.version == version:
            await store.hold_subjects(tx, sorted({row.holder for row in due if row.holder is not None}))
            deleted = await store.delete_versions(tx, due)
        await self._events.record(tx, RetentionExecuted(name, len(deleted)), by=by, on=Object("collection", name))
        return len(deleted)

    async def _due(
        self, tenant: TenantId, found: list[RecordRow], rule: Rule, floor: Floor | None, now: datetime
    ) -> list[RecordRow]:
        opened = {record.id: record for record in await self._vault.open_rows(tenant, found)}
        return [
            row for row in found if (one := opened.get(row.record_id)) is not None and _is_due(one, rule, floor, now)
        ]

    async def _drop_keys(self, tenant: TenantId, by: Principal) -> int:
        count = 0
        while True:
            async with self._database.tenant(tenant) as tx:
                empty = await archive_rows.list_empty(tx, _FRESH_DAYS, BATCH)
                if not empty:
                    return count
                dropped = await self.drop_keys(tx, empty, by=by)
            count += dropped
            if not dropped:  # all of them are being written for
                return count

    @verb(SubjectKeysDropped, permission=WITHIN)
    async def drop_keys(self, tx: TenantWriter, holders: list[bytes], *, by: Principal) -> int:
        """Destroys the keys of subjects of whom nothing is left; how many subjects it were."""
        empty = await archive_rows.take_empty(tx, holders)
        keys = await self._keyring.destroy(tx.tenant, [row.key_id for row in empty]) if empty else 0
        await store.delete_subjects(tx, [row.holder for row in empty])
        await self._events.record(tx, SubjectKeysDropped(keys), by=by)
        return len(empty)

    async def _outlook(self, tx: TenantReader, one: CollectionRow, records: int) -> Outlook:
        rule = one.definition.rule()
        if rule is None:
            return Outlook(one.name, "", records, 0, 0, None)
        floor, now = await self._withholding.floor(tx, one.name), self._clock.now()
        text = f"{written(rule.duration)} after {rule.after}"
        if not rule.by_field:
            due = _due(one.name, rule, floor)
            present, soon = await store.count_due(tx, due, now), await store.count_due(tx, due, now + SOON)
            return Outlook(one.name, text, records, present.records, soon.records, soon.oldest)
        return await self._look_through(tx, Outlook(one.name, text, records, 0, 0, None), rule, floor, now)

    async def _look_through(
        self, tx: TenantReader, outlook: Outlook, rule: Rule, floor: Floor | None, now: datetime
    ) -> Outlook:
        due, soon, looked, after = 0, 0, 0, None
        oldest: datetime | None = None
        while looked < _LOOKED_THROUGH:
            found = await store.list_stretch(tx, outlook.collection, after=after, limit=BATCH)
            for record in await self._vault.open_rows(tx.tenant, found):
                due += _is_due(record, rule, floor, now)
                if _is_due(record, rule, floor, now + SOON):
                    soon += 1
                    began = event_of(rule, record) or record.created_at
                    oldest = min(oldest or began, began)
            looked += len(found)
            if len(found) < BATCH:
                return Outlook(outlook.collection, outlook.rule, outlook.records, due, soon, oldest)
            after = found[-1].record_id
        return Outlook(outlook.collection, outlook.rule, outlook.records, due, soon, oldest, complete=False)


def written(duration: Duration) -> str:
    """In ISO 8601."""
    years, months = divmod(duration.months, 12)
    parts = [f"{count}{unit}" for count, unit in ((years, "Y"), (months, "M"), (duration.days, "D")) if count]
    return "P" + ("".join(parts) or "0D")


def _is_due(record: Record, rule: Rule, floor: Floor | None, now: datetime) -> bool:
    began = event_of(rule, record)
    if began is None or rule.duration.after(began) > now:
        return False
    return floor is None or kept_until(floor, rule, record) <= now


def _due(collection: str, rule: Rule, floor: Floor | None) -> Due:
    least = floor.duration if floor else Duration(0, 0)
    return Due(
        collection, rule.after == "changed", rule.duration.months, rule.duration.days, least.months, least.days
    )  # fmt: skip
