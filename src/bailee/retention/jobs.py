"""What retention does by the clock."""

import contextlib
from uuid import UUID

import structlog

from bailee.foundation.clock import Clock
from bailee.foundation.database import Database
from bailee.foundation.errors import Error, NotFound
from bailee.foundation.ids import TenantId
from bailee.foundation.jobs import Jobs
from bailee.foundation.objects import Objects
from bailee.foundation.principal import system
from bailee.retention.archive import DELETE_ARCHIVED_JOB, Archive, archive_lock
from bailee.retention.deletion import Deletion
from bailee.retention.holds import ARCHIVE_JOB
from bailee.retention.reminders import Reminders
from bailee.retention.rules import Rules
from bailee.retention.sealing import archive_path
from bailee.retention.store import archive as archive_rows
from bailee.retention.store import holds as hold_rows
from bailee.retention.store import tenants as tenant_rows

log = structlog.get_logger()

_WORKER = system("retention")
_ORPHAN_SECONDS = 86_400


class RetentionJobs:
    """The jobs of this room."""

    def __init__(
        self, database: Database, objects: Objects, rules: Rules, archive: Archive, reminders: Reminders,
        deletion: Deletion, jobs: Jobs, clock: Clock,
    ) -> None:  # fmt: skip
        self._database = database
        self._objects = objects
        self._rules = rules
        self._archive = archive
        self._reminders = reminders
        self._deletion = deletion
        self._jobs = jobs
        self._clock = clock

    def register(self) -> None:
        jobs = self._jobs
        jobs.register(ARCHIVE_JOB, self.work_on_hold)
        jobs.register(DELETE_ARCHIVED_JOB, self.delete_archived)
        jobs.every("* * * * *", "retention.terminations", self._deletion.round)
        jobs.every("*/10 * * * *", "retention.certify", self._deletion.certify)
        jobs.every("7 * * * *", "retention.holds", self.holds)
        jobs.every("17 * * * *", "retention.remind", self._reminders.round)
        jobs.every("31 3 * * *", "retention.sweep", self.sweep)
        jobs.every("41 * * * *", "retention.rules", self.hourly)
        # A date in a record is a day: once a day is often enough for what has to be opened to be read.
        jobs.every("23 1 * * *", "retention.rules_by_field", self.nightly)

    async def hourly(self) -> None:
        """Executes the rules that need no record to be opened, for every customer whose keys exist."""
        await self._round(by_field=False)

    async def nightly(self) -> None:
        """Executes every rule."""
        await self._round(by_field=True)

    async def work_on_hold(self, tenant_id: str, hold_id: str) -> None:
        """Moves what a hold covers in or back, or ends it."""
        await self._archive.work(TenantId(UUID(tenant_id)), UUID(hold_id), by=_WORKER)

    async def delete_archived(self, tenant_id: str, file_id: str) -> None:
        """Removes the ciphertext of a file that the archive does not name any more."""
        await self._objects.delete(archive_path(TenantId(UUID(tenant_id)), UUID(file_id)))

    async def holds(self) -> None:
        """Leaves a job for every hold whose last day has passed, or whose work was interrupted."""
        async with self._database.operator() as tx:
            for one in await hold_rows.list_working(tx, self._clock.now().date()):
                await self._jobs.enqueue(
                    tx, ARCHIVE_JOB, lock=archive_lock(one.tenant_id), tenant_id=str(one.tenant_id),
                    hold_id=str(one.hold_id),
                )  # fmt: skip

    async def sweep(self) -> None:
        """Removes archived objects that a crash has left without a name."""
        async with self._database.operator_read() as tx:
            tenants = await tenant_rows.list_living(tx)
        for tenant in tenants:
            async with self._database.tenant_read(TenantId(tenant)) as reader:
                known = await archive_rows.list_file_ids(reader)
            for name in await self._objects.names(f"archive/{tenant}"):
                with contextlib.suppress(NotFound):  # deleted by its own job in the meantime
                    file_id = UUID(name.rpartition("/")[2])
                    if file_id not in known and await self._objects.age(name) > _ORPHAN_SECONDS:
                        await self._objects.delete(name)
                        log.info("orphaned object removed", object=str(file_id))

    async def _round(self, *, by_field: bool) -> None:
        async with self._database.operator_read() as tx:
            tenants = await tenant_rows.list_living(tx)
        for tenant in tenants:
            try:
                await self._rules.execute(TenantId(tenant), by=_WORKER, by_field=by_field)
            except Error:  # one customer's trouble keeps nobody else's data from being deleted
                log.warning("retention not executed", tenant=str(tenant), exc_info=True)
