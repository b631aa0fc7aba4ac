"""The one that numbers committed entries and publishes the log.

Durable after each step, and what a crash there leaves:

1. `number`: the leaves' numbers, in one database transaction. Crash after: numbered leaves without tiles;
   the next `publish` writes them, for it starts from the published checkpoint, not from memory.
2. tiles and entry bundles in object storage. Crash among them: tiles that no checkpoint names yet; they are
   written again with the same bytes, for they are a function of the numbered leaves.
3. the checkpoint, replaced atomically in object storage. From here the growth is public.
4. the checkpoint's row in the database. Crash before: the row is missing, and the next checkpoint's follows;
   the row is what notices a log that was put back to an earlier state.
5. partial tiles that a full one replaced are removed. Crash before: a few files too many.

Two sequencers exclude each other by a session-level advisory lock; numbering locks the state row as well.
"""

import asyncio

import structlog

from bailee.foundation.clock import Clock
from bailee.foundation.database import Connection, Database
from bailee.foundation.errors import Error, NotFound, Unavailable
from bailee.foundation.objects import Objects
from bailee.ledger import store
from bailee.ledger.errors import LedgerBroken
from bailee.ledger.note import Checkpoint, Signer, open_checkpoint
from bailee.ledger.tiles import Frontier
from bailee.ledger.tree import leaf_hash

log = structlog.get_logger()

PREFIX = "ledger"
CHECKPOINT = f"{PREFIX}/checkpoint"
_LOCK = 0x6C6564676572  # "ledger"
_BATCH = 8192
_PAUSE = 0.05
_BROKEN_PAUSE = 30.0


class Sequencer:
    """Numbers and publishes. One instance a worker process; the lock lets one of them work."""

    def __init__(self, database: Database, objects: Objects, signer: Signer, clock: Clock) -> None:
        self._database = database
        self._objects = objects
        self._signer = signer
        self._clock = clock
        self._frontier: Frontier | None = None

    async def run(self) -> None:
        """Works until cancelled, through lost connections. On a log that contradicts itself it signs nothing."""
        while True:
            try:
                async with self._database.session() as connection:
                    await self._hold_lock(connection)
                    self._frontier = None
                    while True:
                        busy = await self.step()
                        await connection.execute("SELECT 1")  # the lock is ours while this session lives
                        await asyncio.sleep(0 if busy else _PAUSE)
            except LedgerBroken as error:
                log.critical(
                    "the ledger contradicts itself; nothing is signed", reason=str(error), action="ledger fsck"
                )
                await asyncio.sleep(_BROKEN_PAUSE)
            except Error as error:
                log.warning("sequencer pauses", reason=error.code)
                await asyncio.sleep(1)
            except Exception:  # the loop outlives a lost connection; what it did not finish it does again
                log.warning("sequencer restarts", exc_info=True)
                await asyncio.sleep(1)

    async def step(self) -> bool:
        """Numbers one batch and publishes what is not published. Says whether there may be more."""
        async with self._database.operator() as tx:
            numbered = await store.number_pending(tx, _BATCH)
        await self.publish()
        return numbered == _BATCH

    async def publish(self) -> None:
        """Brings tiles and checkpoint up to the numbered leaves. Raises LedgerBroken."""
        frontier = self._frontier or await self._load()
        self._frontier = None  # a failure below leaves memory ahead of storage: start over from storage then
        async with self._database.operator_read() as tx:
            state = await store.find_state(tx)
        if state is None:
            raise Unavailable("The ledger has not been set up yet.")
        if state.size < frontier.size:
            raise LedgerBroken("The published log is longer than the database: the database was put back.")
        if state.size == frontier.size and await self._objects.exists(CHECKPOINT):
            self._frontier = frontier
            return
        superseded = await self._write_tiles(frontier, state.size)
        checkpoint = Checkpoint(self._signer.origin, frontier.size, frontier.root())
        note = self._signer.sign(checkpoint, int(self._clock.now().timestamp()))
        async with self._database.operator() as tx:
            # Publishing is under the state row's lock: whoever has lost the session lock meanwhile stops here.
            if await store.hold_latest_size(tx) > checkpoint.size:
                raise Unavailable("Another sequencer has published more.")
            await self._objects.put(CHECKPOINT, note.encode())
            await store.insert_checkpoint(tx, checkpoint.size, checkpoint.root, note)
        for path in superseded:
            await self._objects.delete_all(f"{PREFIX}/{path}.p")
        self._frontier = frontier

    async def _hold_lock(self, connection: Connection) -> None:
        while True:
            row = await (await connection.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,))).fetchone()
            if row and row[0]:
                return
            await asyncio.sleep(1)

    async def _load(self) -> Frontier:
        """The published edge, checked against its signature and its root."""
        async with self._database.operator_read() as tx:
            known = await store.latest_size(tx)
        try:
            note = (await self._objects.get(CHECKPOINT)).decode()
        except NotFound:
            if known:
                raise LedgerBroken("The published checkpoint is gone.") from None
            return Frontier()
        checkpoint = open_checkpoint(note, self._signer.verifiers)
        if checkpoint.size < known:
            # A late write of a publisher that had lost its lock. The newer one stands if the tiles bear it out.
            async with self._database.operator_read() as tx:
                note = await store.latest_note(tx)
            checkpoint = open_checkpoint(note, self._signer.verifiers)
        frontier = await Frontier.load(checkpoint.size, self._read)
        if frontier.root() != checkpoint.root:
            raise LedgerBroken("The stored tiles do not give the root that was signed: the log was put back.")
        if checkpoint.size == known:
            await self._objects.put(CHECKPOINT, note.encode())
        return frontier

    async def _write_tiles(self, frontier: Frontier, size: int) -> list[str]:
        """Writes what is new up to `size`; answers the paths of tiles that became full."""
        full: list[str] = []
        while frontier.size < size:
            async with self._database.operator_read() as tx:
                leaves = await store.list_leaves(tx, frontier.size, min(size, frontier.size + _BATCH))
            if [leaf.leaf_index for leaf in leaves] != list(range(frontier.size, frontier.size + len(leaves))):
                raise LedgerBroken(f"Leaves are missing or doubled after {frontier.size}.")
            if not leaves:
                raise LedgerBroken(f"Leaf {frontier.size} is missing from the database.")
            for leaf in leaves:
                for tile in frontier.append(leaf.entry, leaf_hash(leaf.entry)):
                    await self._objects.put(f"{PREFIX}/{tile.path}", tile.content)
                    full.append(tile.path)
        for tile in frontier.partial():
            await self._objects.put(f"{PREFIX}/{tile.path}", tile.content)
        return full

    async def _read(self, path: str) -> bytes:
        try:
            return await self._objects.get(f"{PREFIX}/{path}")
        except NotFound:
            raise LedgerBroken(f"{path} is missing from the published log.") from None
