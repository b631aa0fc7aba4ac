"""What access control clears away."""

from bailee.access import store
from bailee.foundation.database import Database
from bailee.foundation.jobs import Jobs


def register(jobs: Jobs, database: Database) -> None:
    """Once an hour: attempts and sessions that ended long ago."""

    async def sweep() -> None:
        async with database.operator() as tx:
            await store.delete_old_failures(tx)
            await store.delete_ended_sessions(tx)

    jobs.every("41 * * * *", "access.sweep", sweep)
