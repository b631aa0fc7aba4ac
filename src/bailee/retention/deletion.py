"""Deleting a terminated tenant, and what a crash after each step leaves. Every step can be repeated; the next run
begins with the first that is not done.

1. `deleting`: the tenant is `terminated` from this commit on, every process hears of it, nobody of it gets in and no
   key or client of it works. The owners' addresses are kept for the last letter. Crash after: nothing is deleted yet.
2. Its keys are destroyed in the keyring, but those of archives that a legal hold keeps. Crash after: nothing that it
   stored can be read any more, in any copy.
3. Accounts that belong to nobody else are deleted with all that is kept on them.
4. Its jobs that wait are deleted; what was usual for its people and keys too.
5. Its tables are emptied, children before parents, in batches with their counts; the tables are those of the database's
   own catalogue with a `tenant_id`, so that a new one is emptied without being named here. What stays is in KEPT.
6. Its objects are deleted.
7. Where a hold keeps an archive: `held`. The round comes back until the hold has ended.
8. Once more 2, for a key that a transaction of before 1 was just making; then everything is counted. The certificate is
   written, its event recorded, the letter queued, `completed`: one transaction.
"""

from uuid import UUID

import structlog

from bailee.access.store import members as member_rows
from bailee.encryption.service import Keyring
from bailee.events import Events, Object, verb
from bailee.events.catalogue import TenantKeysDestroyed, TerminationBegun
from bailee.events.verbs import SYSTEM
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database, OperatorReader, OperatorWriter, constraints
from bailee.foundation.errors import Conflict, Error, NotFound
from bailee.foundation.ids import TenantId
from bailee.foundation.objects import Objects
from bailee.foundation.principal import Principal, system
from bailee.retention.certificates import Certificates
from bailee.retention.holds import ARCHIVE_JOB
from bailee.retention.model import TerminationState
from bailee.retention.store import terminations as rows
from bailee.retention.store.terminations import TenantTable
from bailee.tenants.model import TenantState
from bailee.tenants.service import Tenants

log = structlog.get_logger()

KEPT: dict[str, str] = {
    "tenants": "that there was this customer, and since when it is terminated",
    "terminations": "who asked for the end, and what was deleted",
    "deletion_certificates": "the certificates themselves",
    "events": "evidence of who did what: identifiers and counts, forgotten by their class of retention",
    "ledger_pending": "commitments on their way into the ledger",
    "ledger_leaves": "salted commitments in the ledger, which say nothing without the events",
}
"""What is not deleted, and why; the certificate says so."""
ARCHIVE = frozenset({
    "legal_holds", "archived_records", "archived_files", "archive_listings", "collections", "erasures",
})  # fmt: skip
"""What stays while a legal hold keeps an archive."""
BATCH = 5000
_PASSES = 3
_WORKER = system("worker")
_TERMINATION = system("termination")


class Deletion:
    """Deletes tenants whose grace period is over."""

    def __init__(
        self, database: Database, keyring: Keyring, objects: Objects, tenants: Tenants, certificates: Certificates,
        events: Events, clock: Clock,
    ) -> None:  # fmt: skip
        self._database = database
        self._keyring = keyring
        self._objects = objects
        self._tenants = tenants
        self._certificates = certificates
        self._events = events
        self._clock = clock

    async def round(self) -> None:
        """Deletes every tenant that is due, and goes on with what was interrupted or held."""
        async with self._database.operator_read() as tx:
            due = await rows.list_due(tx, self._clock.now())
        for tenant in due:
            try:
                await self.delete(TenantId(tenant), by=_WORKER)
            except Error:  # one customer's trouble keeps nobody else's data
                log.warning("a terminated tenant is not deleted yet", tenant=str(tenant), exc_info=True)

    async def delete(self, tenant: TenantId, *, by: Principal) -> None:
        """Does all steps that are left. Raises Conflict before the grace period is over."""
        async with self._database.operator() as tx:
            found = await rows.hold_termination(tx, tenant)
            if found is None or found.state is TerminationState.COMPLETED:
                return
            if found.state is TerminationState.REQUESTED:
                await self.begin(tx, tenant, by=by)
        async with self._database.operator_read() as reader:
            held = await rows.count_keeping_holds(reader, tenant) > 0
        await self._destroy_keys(tenant, by, held=held)
        await self._delete_accounts(tenant)
        if found.state is not TerminationState.HELD:  # from then on the operator's data protection asks and decides
            async with self._database.tenant(tenant) as tenant_tx:
                await rows.close_other_holds(tenant_tx)
        await self._empty(tenant, held=held)
        await self._delete_objects(tenant, held=held)
        if held:
            async with self._database.operator() as tx:
                await rows.set_state(tx, tenant, TerminationState.DELETING, TerminationState.HELD, None)
            return
        await self._destroy_keys(tenant, by, held=False)
        left = await self.count_left(tenant)
        if left:
            raise Conflict(f"Something is left, and is deleted in the next round: {', '.join(left)}.")
        await self._certificates.issue_first(tenant, {**KEPT}, by=by)

    async def certify(self) -> None:
        """Takes the proofs of certificates, and issues the second one of each tenant whose last backup is gone."""
        async with self._database.operator_read() as tx:
            unproven = await rows.list_unproven(tx)
            second = await rows.list_second_due(tx, self._clock.now())
        for tenant in unproven:
            await self._certificates.keep_proofs(TenantId(tenant))
        for tenant in second:
            left = await self.count_left(TenantId(tenant))
            await self._certificates.issue_second(TenantId(tenant), {**KEPT}, left, by=_WORKER)

    # 1.
    @verb(TerminationBegun, permission=SYSTEM)
    async def begin(self, tx: OperatorWriter, tenant: TenantId, *, by: Principal) -> None:
        """Ends the tenant for good. Raises Conflict while it can be cancelled."""
        found = await rows.hold_termination(tx, tenant)
        if found is None:
            raise NotFound
        if found.state is not TerminationState.REQUESTED or found.delete_from > self._clock.now():
            raise Conflict("The grace period is not over.")
        await rows.set_state(tx, tenant, TerminationState.REQUESTED, TerminationState.DELETING, None)
        await rows.set_notify(tx, tenant, await member_rows.list_emails_in(tx, tenant, ["owner"]))
        present = (await self._tenants.get(tx, tenant)).state
        if present not in (TenantState.TERMINATING, TenantState.TERMINATED):  # as in a restored copy
            await self._tenants.move(tx, tenant, to=TenantState.TERMINATING, by=_TERMINATION)
        if present is not TenantState.TERMINATED:
            await self._tenants.move(tx, tenant, to=TenantState.TERMINATED, by=_TERMINATION)
        on = Object("tenant", str(tenant))
        await self._events.record(tx, TerminationBegun(), by=by, on=on, tenant=tenant)

    # 2.
    async def _destroy_keys(self, tenant: TenantId, by: Principal, *, held: bool) -> None:
        destroy = self._keyring.destroy_ordinary if held else self._keyring.destroy_tenant
        count = await destroy(tenant)
        if count:
            async with self._database.operator() as tx:
                await self.note_keys(tx, tenant, count, by=by)

    @verb(TenantKeysDestroyed, permission=SYSTEM)
    async def note_keys(self, tx: OperatorWriter, tenant: TenantId, count: int, *, by: Principal) -> None:
        """Says in the log how many there were."""
        await rows.add_count(tx, tenant, "keys", count)
        on = Object("tenant", str(tenant))
        await self._events.record(tx, TenantKeysDestroyed(count), by=by, on=on, tenant=tenant)

    # 3. and 4.
    async def _delete_accounts(self, tenant: TenantId) -> None:
        async with self._database.operator() as tx:
            accounts = await rows.list_accounts_of(tx, tenant)
            for table in await rows.list_account_tables(tx):
                await rows.delete_of_accounts(tx, table, accounts)
            await rows.delete_habits(tx, [str(tenant), *map(str, accounts)])
            deleted = await rows.delete_accounts(tx, accounts)
            await rows.add_count(tx, tenant, "accounts", deleted)
            await rows.add_count(tx, tenant, "jobs", await rows.delete_jobs(tx, tenant, [ARCHIVE_JOB]))
            await rows.delete_domains(tx, tenant)

    # 5.
    async def _empty(self, tenant: TenantId, *, held: bool) -> None:
        async with self._database.operator_read() as reader:
            tables = in_order(await rows.list_tenant_tables(reader))
        going = [one for one in tables if one.name not in KEPT and not (held and one.name in ARCHIVE)]
        for passes_left in reversed(range(_PASSES)):
            try:
                for table in going:
                    while await self._empty_batch(tenant, table) == BATCH:
                        """Batch by batch."""
            except Conflict:  # a job has added to a child what refers to its parent, as the detector does an alert
                if not passes_left:
                    raise
            else:
                return

    async def _empty_batch(self, tenant: TenantId, table: TenantTable) -> int:
        if table.by_tenant:
            async with self._database.tenant(tenant) as tenant_tx:
                with constraints({}):
                    count = await rows.delete_rows(tenant_tx, tenant, table.name, BATCH)
            if count:
                async with self._database.operator() as tx:
                    await rows.add_count(tx, tenant, table.name, count)
            return count
        async with self._database.operator() as tx:
            with constraints({}):
                count = await rows.delete_rows(tx, tenant, table.name, BATCH)
            if count:
                await rows.add_count(tx, tenant, table.name, count)
        return count

    # 6.
    async def _delete_objects(self, tenant: TenantId, *, held: bool) -> None:
        prefixes = [f"files/{tenant}"] if held else [f"files/{tenant}", f"archive/{tenant}"]
        count = 0
        for prefix in prefixes:
            for name in await self._objects.names(prefix):
                count += await self._objects.delete(name)
            await self._objects.delete_all(prefix)
        if count:
            async with self._database.operator() as tx:
                await rows.add_count(tx, tenant, "objects", count)

    async def count_left(self, tenant: TenantId) -> dict[str, int]:
        """What is left of a tenant, by table, with `objects` and `keys`; nothing but what is kept on purpose."""
        async with self._database.operator_read() as reader:
            tables = [one for one in await rows.list_tenant_tables(reader) if one.name not in KEPT]
            left = await _count_as_operator(reader, tenant, tables)
        async with self._database.tenant_read(tenant) as tenant_reader:
            for table in tables:
                if table.by_tenant:
                    left[table.name] = await rows.count_rows(tenant_reader, tenant, table.name)
        left["objects"] = len(await self._objects.names(f"files/{tenant}")) + len(
            await self._objects.names(f"archive/{tenant}")
        )
        left["keys"] = await self._keyring.count(tenant)
        return {name: count for name, count in left.items() if count}


async def _count_as_operator(tx: OperatorReader, tenant: UUID, tables: list[TenantTable]) -> dict[str, int]:
    return {
        table.name: await rows.count_rows(tx, tenant, table.name) for table in tables if not table.by_tenant
    }  # fmt: skip


def in_order(tables: list[TenantTable]) -> list[TenantTable]:
    """Children before the parents that their rows refer to. Raises Conflict for tables that refer to each other."""
    left = {table.name: table for table in tables}
    found: list[TenantTable] = []
    while left:
        free = [one for one in left.values() if not any(one.name in other.parents for other in left.values())]
        if not free:
            raise Conflict("Tables of tenants refer to each other in a circle.")
        found += free
        for one in free:
            del left[one.name]
    return found
