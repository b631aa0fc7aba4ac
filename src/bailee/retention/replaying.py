"""What a restored copy takes over of this room: holds, and ends of contracts since its moment."""

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from bailee.backup.journal import Entry
from bailee.backup.model import Replayed
from bailee.encryption.service import Keyring
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database, TenantWriter
from bailee.foundation.ids import TenantId, new_id
from bailee.foundation.principal import system
from bailee.retention.archive import Archive
from bailee.retention.deletion import Deletion
from bailee.retention.model import HoldKind, HoldState, TerminationState
from bailee.retention.store import holds as hold_rows
from bailee.retention.store import terminations as rows
from bailee.stores.model import Scope
from bailee.tenants.store import find_tenant

_BY = system("restore")
_DAY = timedelta(days=1)


class _Described(msgspec.Struct, frozen=True):
    """A hold as it was when its event was written into the journal."""

    origin: str
    kind: HoldKind
    basis: str
    everything: bool
    collections: list[str]
    holders: list[str]
    records: list[UUID]
    ends_on: date
    requested_by: str
    requested_at: datetime
    decided_by: str
    decided_at: datetime
    key_id: UUID
    state: HoldState


class HoldReplayer:
    """Holds that came into force, were extended, ended or lifted: each moves its data again."""

    actions = frozenset({"hold.approved", "hold.imposed", "hold.change_decided", "hold.closed"})

    def __init__(self, database: Database, keyring: Keyring, archive: Archive, clock: Clock) -> None:
        self._database = database
        self._keyring = keyring
        self._archive = archive
        self._clock = clock

    async def describe(self, tenant: TenantId, object_id: str, action: str) -> dict[str, Any]:  # noqa: ARG002  all is described alike
        """The whole hold; nothing of what it holds."""
        async with self._database.tenant_read(tenant) as tx:
            hold = await hold_rows.find_hold(tx, UUID(object_id))
            scope = await hold_rows.find_scope(tx, UUID(object_id))
        if hold is None or scope is None or hold.key_id is None or hold.decided_by is None or hold.decided_at is None:
            return {}
        described = _Described(
            hold.origin, hold.kind, hold.basis, hold.everything, scope.collections,
            [one.hex() for one in scope.holders], scope.records, hold.ends_on, hold.requested_by, hold.requested_at,
            hold.decided_by, hold.decided_at, hold.key_id, hold.state,
        )  # fmt: skip
        found: dict[str, Any] = msgspec.to_builtins(described)
        return found

    async def replay(self, entry: Entry) -> Replayed:
        """Brings the hold to where it was, and its data with it."""
        if not entry.details:
            return Replayed()
        tenant, hold_id = TenantId(entry.tenant), UUID(entry.object)
        described = msgspec.convert(entry.details, _Described)
        async with self._database.tenant(tenant) as tx:
            if await find_tenant(tx, tenant) is None:
                return Replayed()
            await self._bring(tx, hold_id, described)
            if entry.action == "hold.change_decided":
                await hold_rows.set_end(tx, hold_id, described.ends_on)
            elif entry.action == "hold.closed" and described.state is HoldState.LIFTED:
                await self._reopen(tx, hold_id, HoldState.LIFTING)
            elif entry.action == "hold.closed":
                await hold_rows.set_end(tx, hold_id, min(described.ends_on, self._clock.now().date() - _DAY))
        await self._archive.work(tenant, hold_id, by=_BY)  # first what moves in, then what ends
        await self._archive.work(tenant, hold_id, by=_BY)
        return Replayed(holds=1)

    async def _bring(self, tx: TenantWriter, hold_id: UUID, described: _Described) -> None:
        """The hold in force, where the copy does not have it so."""
        present = await hold_rows.hold_hold(tx, hold_id)
        if present is None:
            scope = Scope(described.collections, [bytes.fromhex(one) for one in described.holders], described.records)
            await hold_rows.insert_hold(
                tx, hold_id, origin=described.origin, kind=described.kind, basis=described.basis,
                everything=described.everything, scope=scope, ends_on=described.ends_on, by=described.requested_by,
                at=described.requested_at,
            )  # fmt: skip
        if present is None or present.state is HoldState.REQUESTED:
            # The keyring is restored as new as it can be: where it has the key no more, the hold has ended since.
            known = await self._keyring.open_keys(tx.tenant, [described.key_id])
            key = known.get(described.key_id) or await self._keyring.new_archive_key(tx.tenant)
            await hold_rows.set_decided(
                tx, hold_id, HoldState.ACTIVE, described.decided_by, described.decided_at, key.key_id
            )

    async def _reopen(self, tx: TenantWriter, hold_id: UUID, state: HoldState) -> None:
        hold = await hold_rows.hold_hold(tx, hold_id)
        if hold is not None and hold.state is HoldState.ACTIVE:
            await hold_rows.set_state(tx, hold_id, state)


class TerminationReplayer:
    """Customers whose deletion had begun: nothing brings them back."""

    actions = frozenset({"termination.deletion_begun"})

    def __init__(self, database: Database, deletion: Deletion) -> None:
        self._database = database
        self._deletion = deletion

    async def describe(self, tenant: TenantId, object_id: str, action: str) -> dict[str, Any]:  # noqa: ARG002  the event says all
        """Nothing beside the event."""
        return {}

    async def replay(self, entry: Entry) -> Replayed:
        """Deletes the customer again, whole."""
        tenant = TenantId(entry.tenant)
        async with self._database.operator() as tx:
            present = await find_tenant(tx, tenant)
            if present is None:
                return Replayed()
            found = await rows.hold_termination(tx, tenant)
            if found is not None and found.state is TerminationState.COMPLETED:
                return Replayed()
            if found is None:
                await rows.insert_termination(
                    tx, tenant, new_id(), side="operator", by=_BY.id, at=entry.at, contract_ended_on=None,
                    delete_from=entry.at, name=present.name,
                )  # fmt: skip
            else:
                await rows.set_delete_from(tx, tenant, entry.at)
        await self._deletion.delete(tenant, by=_BY)
        return Replayed(terminations=1)
