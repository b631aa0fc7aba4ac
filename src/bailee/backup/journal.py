"""What a restore must not undo: erasures, ended contracts and holds, written beside the backups within a minute.

    journal/<first leaf>-<last leaf>.<random>.zst.age       signed, as every object that no manifest vouches for

Nobody foresees the names, and so nobody can lock something else in the place of what is to come. The journal is read
off the events in the ledger's order. A crash after an object is stored and before the position is kept: it is written
again; replaying something twice changes nothing.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

import anyio.to_thread
import msgspec
import structlog

from bailee.backup.age import Identity
from bailee.backup.errors import BackupDamaged, KeyRefused
from bailee.backup.keys import BackupKeys
from bailee.backup.model import Replayed
from bailee.backup.repository import Repository, lock_all
from bailee.backup.store import journal as rows
from bailee.backup.volumes import Sealer, seal_signed, unseal_signed
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database
from bailee.foundation.ids import TenantId
from bailee.ledger.note import Signer, Verifier

log = structlog.get_logger()

ROOT = "journal"
_LEVEL = 3
_BATCH = 1000


class Entry(msgspec.Struct, frozen=True):
    """One thing that a restored copy has to take over."""

    leaf: int
    at: datetime
    tenant: UUID
    action: str
    object: str
    details: dict[str, Any] = {}


class Replayer(Protocol):
    """A room whose acts outlive a restore."""

    actions: frozenset[str]
    """The events that tell of them."""

    async def describe(self, tenant: TenantId, object_id: str, action: str) -> dict[str, Any]:
        """What is needed to do it again, beside the event's object: kept in the journal, sealed."""
        ...

    async def replay(self, entry: Entry) -> Replayed:
        """Does it again where the restored copy does not have it; twice is once."""
        ...


class Journal:
    """Writes the journal while the instance lives."""

    def __init__(
        self, database: Database, repository: Repository, keys: BackupKeys, signer: Signer,
        replayers: Sequence[Replayer], clock: Clock, locked: timedelta,
    ) -> None:  # fmt: skip
        """`locked`: for how long a backup may need an entry, and so none is deleted where objects can be locked."""
        self._database = database
        self._repository = repository
        self._keys = keys
        self._signer = signer
        self.replayers = list(replayers)
        self._clock = clock
        self._locked = locked

    async def write(self) -> int:
        """Brings the journal up to the numbered events; answers how many entries were added."""
        actions = sorted(action for one in self.replayers for action in one.actions)
        count = 0
        while True:
            async with self._database.operator_read() as tx:
                recipients = await self._keys.recipients(tx)
                start, size = await rows.find_position(tx)
                found = await rows.list_events(tx, actions, start, size, _BATCH)
            if not recipients:
                return count
            if found:
                await self._store([await self._entry(one) for one in found], Sealer(recipients, _LEVEL))
                count += len(found)
            after = found[-1].leaf_index + 1 if len(found) == _BATCH else size
            if found or after - start >= _BATCH:
                async with self._database.operator() as writer:
                    await rows.set_position(writer, after)
            if len(found) < _BATCH:
                return count

    async def _entry(self, row: rows.JournalRow) -> Entry:
        tenant = TenantId(row.tenant_id)
        for one in self.replayers:
            if row.action in one.actions:
                extra = await one.describe(tenant, row.object_id, row.action)
                return Entry(row.leaf_index, row.occurred_at, tenant, row.action, row.object_id, extra)
        raise AssertionError("only what a replayer asked for was read")

    async def _store(self, entries: list[Entry], sealer: Sealer) -> None:
        name = f"{ROOT}/{entries[0].leaf:020}-{entries[-1].leaf:020}.{secrets.token_hex(8)}.zst.age"
        sealed = seal_signed(sealer, self._signer, name, msgspec.json.encode(entries))

        def run() -> None:
            self._repository.put(name, sealed)
            lock_all(self._repository, [name], self._clock.now() + self._locked)

        await anyio.to_thread.run_sync(run)


def read_journal(
    repository: Repository, identities: Sequence[Identity], verifiers: Sequence[Verifier], *, lenient: bool = False
) -> list[Entry]:  # fmt: skip
    """Every entry, in the ledger's order, each once. `lenient`: without what cannot be read.

    Raises BackupDamaged for what was damaged, or put there by somebody else: the two cannot be told apart.
    """
    found: dict[tuple[int, str], Entry] = {}
    for one in repository.list(ROOT):
        try:
            raw = unseal_signed(one.name, repository.get(one.name), identities, verifiers)
        except (BackupDamaged, KeyRefused) as error:
            if not lenient:
                raise BackupDamaged(f"The journal cannot be read. {one.name}: {error.detail}") from None
            log.warning("a part of the journal is passed over", object=one.name, reason=error.detail)
            continue
        for entry in msgspec.json.decode(raw, type=list[Entry]):
            found[entry.leaf, entry.object] = entry
    return [found[key] for key in sorted(found)]
