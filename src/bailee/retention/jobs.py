"""What retention does by the clock."""

import structlog

from bailee.foundation.database import Database
from bailee.foundation.errors import Error
from bailee.foundation.ids import TenantId
from bailee.foundation.jobs import Jobs
from bailee.foundation.principal import system
from bailee.retention.rules import Rules
from bailee.retention.store import tenants as tenant_rows

log = structlog.get_logger()

_WORKER = system("retention")


class RetentionJobs:
    """The jobs of this room."""

    def __init__(self, database: Database, rules: Rules) -> None:
        self._database = database
        self._rules = rules

    def register(self, jobs: Jobs) -> None:
        jobs.every("41 * * * *", "retention.rules", self.hourly)
        # A date in a record is a day: once a day is often enough for what has to be opened to be read.
        jobs.every("23 1 * * *", "retention.rules_by_field", self.nightly)

    async def hourly(self) -> None:
        """Executes the rules that need no record to be opened, for every customer whose keys exist."""
        await self._round(by_field=False)

    async def nightly(self) -> None:
        """Executes every rule."""
        await self._round(by_field=True)

    async def _round(self, *, by_field: bool) -> None:
        async with self._database.operator_read() as tx:
            tenants = await tenant_rows.list_living(tx)
        for tenant in tenants:
            try:
                await self._rules.execute(TenantId(tenant), by=_WORKER, by_field=by_field)
            except Error:  # one customer's trouble keeps nobody else's data from being deleted
                log.warning("retention not executed", tenant=str(tenant), exc_info=True)
