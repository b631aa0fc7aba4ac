"""What monitoring does by the clock."""

from datetime import timedelta

import msgspec

from bailee.events import Events
from bailee.events import store as event_rows
from bailee.events.catalogue import retention_classes
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database
from bailee.foundation.jobs import Jobs
from bailee.foundation.principal import system
from bailee.foundation.settings import EventRetention

_BATCH = 5000
_MOST_BATCHES = 1000
_CLOCK = system("clock")


class Forgetting:
    """Forgets events when their class's time is up, in batches that hold nothing up."""

    def __init__(self, database: Database, events: Events, retention: EventRetention, clock: Clock) -> None:
        self._database = database
        self._events = events
        self._retention = retention
        self._clock = clock

    def register(self, jobs: Jobs) -> None:
        """Every night."""
        jobs.every("23 3 * * *", "monitoring.forget", self.run)

    async def run(self) -> None:
        """The round. What a crash leaves, the next one does."""
        for kind, days in msgspec.structs.asdict(self._retention).items():
            if days == 0:
                continue
            before = self._clock.now() - timedelta(days=days)
            async with self._database.operator_read() as reader:
                due = await event_rows.has_old(reader, retention_classes()[kind], before)
            for _ in range(_MOST_BATCHES if due else 0):
                async with self._database.operator() as tx:
                    gone = await self._events.forget(tx, kind, days=days, most=_BATCH, by=_CLOCK)
                if gone < _BATCH:
                    break
