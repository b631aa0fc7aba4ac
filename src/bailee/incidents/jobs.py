"""What incidents do by the clock."""

from bailee.foundation.jobs import Jobs
from bailee.incidents.breaches import Breaches


def register(jobs: Jobs, breaches: Breaches) -> None:
    """Reads the clocks of breaches every minute."""
    jobs.every("* * * * *", "incidents.keep_time", breaches.keep_time)
