"""What a restored copy takes over before anybody reaches it: erasures, ended contracts and holds since its moment.

Two sources tell of an erasure, either of which is enough: the journal in the repository, and the keyring, which is
restored as new as it can be: a data subject whose key is not there was erased. So no restore brings anybody back.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import structlog

from bailee.access.model import AccountState
from bailee.access.sessions import Sessions
from bailee.access.store import accounts as account_rows
from bailee.access.store import keys as key_rows
from bailee.backup.journal import Entry, Replayer
from bailee.backup.model import Opening, Purpose, Replayed, RestoreNote
from bailee.backup.store import restores as rows
from bailee.encryption.service import Keyring
from bailee.events import Events, Object, verb
from bailee.events.catalogue import InstanceRestored
from bailee.events.verbs import SYSTEM
from bailee.foundation.database import Database, OperatorReader, OperatorWriter
from bailee.foundation.ids import TenantId, new_id
from bailee.foundation.objects import Objects
from bailee.foundation.principal import Principal, system
from bailee.ledger.adoption import adopt_published, republish
from bailee.ledger.note import Signer
from bailee.stores.subjects import Subjects
from bailee.tenants.model import TenantKind, TenantState
from bailee.tenants.service import Tenants

log = structlog.get_logger()

_BY = system("restore")
_PAGE = 1000
_NOWHERE = -1
"""In place of a leaf: the keyring tells of it, not the journal."""
_ENDED = "termination.deletion_begun"


class Outcome(msgspec.Struct, frozen=True):
    """What was taken over."""

    replayed: Replayed
    orphans: int
    adopted_leaves: int
    sessions: int


class SubjectReplayer:
    """Erasures of data subjects, also those that wait for what an archive holds of the person."""

    actions = frozenset({"subject.erased", "subject.erasure_waits"})

    def __init__(self, database: Database, subjects: Subjects) -> None:
        self._database = database
        self._subjects = subjects

    async def describe(self, tenant: TenantId, object_id: str, action: str) -> dict[str, Any]:  # noqa: ARG002  the event says all
        return {}

    async def replay(self, entry: Entry) -> Replayed:
        async with self._database.tenant(TenantId(entry.tenant)) as tx:
            holder = bytes.fromhex(entry.object)
            if not await self._subjects.is_back(tx, holder, before=entry.at):
                return Replayed()
            await self._subjects.erase_again(tx, holder, by=_BY)
        return Replayed(erasures=1)


class AccessReplayer:
    """Keys that were revoked and people who were shut out: a copy that brought them back would let them in again."""

    actions = frozenset({"api_key.revoked", "account.disabled", "account.off_boarded"})

    def __init__(self, database: Database) -> None:
        self._database = database

    async def describe(self, tenant: TenantId, object_id: str, action: str) -> dict[str, Any]:  # noqa: ARG002  the event says all
        return {}

    async def replay(self, entry: Entry) -> Replayed:
        if entry.action == "api_key.revoked":
            async with self._database.tenant(TenantId(entry.tenant)) as tx:
                return Replayed(revocations=int(await key_rows.revoke_key(tx, UUID(entry.object))))
        async with self._database.operator() as tx:
            account_id = UUID(entry.object)
            account = await account_rows.find_account(tx, account_id)
            if account is None or account.state is not AccountState.ACTIVE or account.seen_at > entry.at:
                return Replayed()
            return Replayed(
                revocations=int(
                    await account_rows.set_state(
                        tx, account_id, AccountState.ACTIVE, AccountState.DISABLED, "administrator"
                    )
                )
            )


class Replay:
    """Brings a restored copy up to what must survive."""

    def __init__(
        self, database: Database, keyring: Keyring, objects: Objects, signer: Signer, subjects: Subjects,
        tenants: Tenants, sessions: Sessions, events: Events, replayers: Sequence[Replayer],
    ) -> None:  # fmt: skip
        self._database = database
        self._keyring = keyring
        self._objects = objects
        self._signer = signer
        self._subjects = subjects
        self._tenants = tenants
        self._sessions = sessions
        self._events = events
        self.replayers = list(replayers)

    async def run(self, entries: Sequence[Entry], opening: Opening, *, by: Principal) -> Outcome:
        """Takes everything over, in the ledger's order; twice is once. Raises LedgerBroken."""
        await republish(self._database, self._objects, self._signer)
        adopted = await adopt_published(self._database, self._objects, self._signer)
        async with self._database.operator() as tx:
            sessions = await self._sessions.end_everybody(tx, by=by)
        replayed = Replayed()
        for entry in entries:
            for one in self.replayers:
                if entry.action in one.actions:
                    replayed += await one.replay(entry)
        replayed += await self._end_keyless(opening.keys_until)
        orphans = await self._erase_keyless()
        replayed += Replayed(erasures=orphans)
        async with self._database.operator() as tx:
            await self._note(tx, opening, replayed, adopted, by=by)
        return Outcome(replayed, orphans, adopted, sessions)

    async def page(self, tx: OperatorReader) -> list[RestoreNote]:
        """The restores that this instance has come from, newest first."""
        return await rows.list_restores(tx)

    async def is_aside(self, tx: OperatorReader) -> bool:
        """Whether this is a copy beside the instance that lives, made to be read: no worker may run in it, for it would
        send what the other has sent, and sign another log with the same key.
        """
        notes = await rows.list_restores(tx)
        return bool(notes) and notes[0].purpose is Purpose.LEGAL_RETENTION

    async def _end_keyless(self, keys_until: datetime) -> Replayed:
        """Ends every customer of whom the keyring has no key left: its deletion had begun. One that is younger than the
        keyring has lost its keys with the loss itself, and gets new ones.
        """
        done = Replayed()
        for tenant in await self._living():
            if await self._keyring.count(tenant):
                continue
            async with self._database.operator_read() as tx:
                young = (await self._tenants.get(tx, tenant)).created_at >= keys_until
            if young:
                await self._keyring.create_tenant(tenant)
            else:
                entry = Entry(_NOWHERE, datetime.now(UTC), tenant, _ENDED, str(tenant))
                for one in self.replayers:
                    if _ENDED in one.actions:
                        done += await one.replay(entry)
        return done

    async def _erase_keyless(self) -> int:
        """Erases every data subject whose key the keyring does not have."""
        count = 0
        for tenant in await self._living():
            after = b""
            while True:
                async with self._database.tenant_read(tenant) as reader:
                    page = await rows.list_subjects(reader, after, _PAGE)
                present = await self._keyring.existing(tenant, [one.key_id for one in page])
                for one in page:
                    if one.key_id not in present:
                        async with self._database.tenant(tenant) as tx:
                            if await self._subjects.is_back(tx, one.holder, before=None):
                                await self._subjects.erase_again(tx, one.holder, by=_BY)
                                count += 1
                if len(page) < _PAGE:
                    break
                after = page[-1].holder
        return count

    async def _living(self) -> list[TenantId]:
        found: list[TenantId] = []
        for kind in TenantKind:
            after = None
            while True:
                async with self._database.operator_read() as tx:
                    page = await self._tenants.page(tx, kind=kind, after=after, limit=_PAGE)
                found += [one.id for one in page if one.state is not TenantState.TERMINATED]
                if not page:
                    break
                after = page[-1].id
        return found

    @verb(InstanceRestored, permission=SYSTEM)
    async def _note(
        self, tx: OperatorWriter, opening: Opening, replayed: Replayed, adopted: int, *, by: Principal
    ) -> None:
        restore_id = new_id()
        await rows.insert_restore(tx, restore_id, opening, replayed)
        details = msgspec.convert(
            {
                "purpose": opening.purpose.value, "opened_with": opening.opened_with, "erasures": replayed.erasures,
                "terminations": replayed.terminations, "holds": replayed.holds, "adopted_leaves": adopted,
            },
            InstanceRestored,
        )  # fmt: skip
        await self._events.record(tx, details, by=by, on=Object("restore", str(restore_id)))
