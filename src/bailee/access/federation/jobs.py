"""What federation does by the clock."""

from bailee.access.federation import store as rows
from bailee.access.federation.domains import Domains
from bailee.foundation.database import Database
from bailee.foundation.jobs import Jobs


class FederationUpkeep:
    """The rounds."""

    def __init__(self, database: Database, domains: Domains) -> None:
        self._database = database
        self._domains = domains

    def register(self, jobs: Jobs) -> None:
        """Puts the rounds on the schedule."""
        jobs.every("37 3 * * *", "access.domains", self._domains.look_again)
        jobs.every("53 * * * *", "access.sso_sweep", self.sweep)

    async def sweep(self) -> None:
        """Clears away sign-ins that nobody came back from."""
        async with self._database.operator() as tx:
            await rows.delete_old_intents(tx)
