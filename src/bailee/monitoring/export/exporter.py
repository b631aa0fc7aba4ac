"""The exporter: every event, in the ledger's order, to every sink, from where it was the last time.

Durable after each step, and what a crash there leaves:

1. The stretch of leaves that the next batch is, in the database. Crash: the same stretch is tried again.
2. The batch, with the other side. Crash before 3: the same batch is sent again under the same name; a file that is
   there already is left alone.
3. The stretch is done, in the database.

Each export has a session-level advisory lock, so that several workers do not send the same.
"""

import asyncio
import zlib

import msgspec
import structlog

from bailee.events import Event
from bailee.foundation.database import Connection, Database
from bailee.foundation.errors import Error, Unavailable
from bailee.foundation.settings import ExportSettings
from bailee.monitoring.export.ocsf import to_ocsf
from bailee.monitoring.export.sinks import Batch, Sink, open_sink
from bailee.monitoring.store import exports as rows
from bailee.monitoring.store import stream

log = structlog.get_logger()

_LOCK = 0x6578706F  # "expo"
_PAUSE = 2.0
_FAILED_PAUSE = 15.0


class Export:
    """One export and its sink."""

    def __init__(self, database: Database, settings: ExportSettings) -> None:
        self.name = settings.name
        self._database = database
        self._settings = settings
        self._sink: Sink = open_sink(settings)

    async def run(self) -> None:
        """Works until cancelled, through lost connections and an other side that is away."""
        try:
            while True:
                try:
                    async with self._database.session() as connection:
                        await self._hold_lock(connection)
                        while True:
                            busy = await self.step()
                            await connection.execute("SELECT 1")  # the lock is ours while this session lives
                            await asyncio.sleep(0 if busy else _PAUSE)
                except Error as error:
                    log.warning("export pauses", export=self.name, reason=error.code, detail=error.detail)
                    await asyncio.sleep(_FAILED_PAUSE)
                except Exception:  # the loop outlives a lost connection; the batch is tried again
                    log.warning("export restarts", export=self.name, exc_info=True)
                    await asyncio.sleep(_FAILED_PAUSE)
        finally:
            await self._sink.close()

    async def step(self) -> bool:
        """Sends one batch; whether there may be more. Raises ExportFailed, having moved nothing on."""
        async with self._database.operator() as tx:
            place = await rows.lock_place(tx, self.name, from_now=not self._settings.from_beginning)
            until = place.pending_until
            if until is None:
                until = min(place.next_leaf + self._settings.batch, await stream.count_leaves(tx))
                if until <= place.next_leaf:
                    return False
                await rows.set_pending(tx, self.name, until)
        async with self._database.operator_read() as reader:
            found = await stream.list_from(reader, place.next_leaf, until - place.next_leaf)
        events = [to_ocsf(msgspec.json.decode(one.body, type=Event), one.leaf_index) for one in found]
        await self._sink.send(Batch(place.next_leaf, until, events))
        async with self._database.operator() as tx:
            if not await rows.advance(tx, self.name, place.next_leaf, until, len(events)):
                raise Unavailable("Another worker has gone on with this export.")
        return until - place.next_leaf >= self._settings.batch

    async def _hold_lock(self, connection: Connection) -> None:
        key = zlib.crc32(self.name.encode()) & 0x7FFFFFFF
        while True:
            row = await (await connection.execute("SELECT pg_try_advisory_lock(%s, %s)", (_LOCK, key))).fetchone()
            if row and row[0]:
                return
            await asyncio.sleep(1)


class Exporter:
    """Every export of the settings. Raises ConfigurationError."""

    def __init__(self, database: Database, exports: list[ExportSettings]) -> None:
        self.exports = [Export(database, one) for one in exports]

    async def run(self) -> None:
        """Works until cancelled."""
        await asyncio.gather(*(one.run() for one in self.exports))
