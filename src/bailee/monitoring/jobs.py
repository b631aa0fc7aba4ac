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
_SILENCE = timedelta(minutes=20)
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


class Listening:
    """Notices when the log is silent: checks alone leave an event every few minutes, so something keeps events out."""

    def __init__(self, database: Database, events: Events, clock: Clock) -> None:
        self._database = database
        self._events = events
        self._clock = clock

    def register(self, jobs: Jobs) -> None:
        """Every five minutes."""
        jobs.every("*/5 * * * *", "monitoring.listen", self.run)

    async def run(self) -> None:
        """The round. What it notes breaks the silence, so that it is told once each time."""
        async with self._database.operator() as tx:
            latest = await event_rows.find_latest(tx)
            if latest is not None and self._clock.now() - latest > _SILENCE:
                silent = int((self._clock.now() - latest) / timedelta(minutes=1))
                await self._events.note_silence(tx, silent, by=_CLOCK)
