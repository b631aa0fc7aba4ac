"""The schedule of checks."""

from bailee.assurance.service import Assurance
from bailee.foundation.jobs import Jobs
from bailee.foundation.principal import system


def register(jobs: Jobs, assurance: Assurance) -> None:
    """Every minute, whatever is due."""

    async def run_due() -> None:
        for check in await assurance.due():
            await assurance.run(check, by=system("scheduler"))

    jobs.every("* * * * *", "assurance.run_due", run_due)
