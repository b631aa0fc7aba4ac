"""What the other rooms ask of the log: take a commitment, tell its place, prove it."""

import asyncio
from uuid import UUID

import msgspec

from bailee.foundation.database import Database, Reader, Writer
from bailee.foundation.errors import NotFound
from bailee.foundation.objects import Objects
from bailee.ledger import store
from bailee.ledger.errors import LedgerPending
from bailee.ledger.evidence import encode
from bailee.ledger.note import Checkpoint, Signer, open_checkpoint
from bailee.ledger.sequencer import CHECKPOINT, PREFIX
from bailee.ledger.store import Pending
from bailee.ledger.tiles import TileTree
from bailee.ledger.tree import consistency_proof, inclusion_proof

_POLL = 0.03


class Published(msgspec.Struct, frozen=True):
    """The newest checkpoint, opened and as signed."""

    checkpoint: Checkpoint
    note: str


class Place(msgspec.Struct, frozen=True):
    """Where an entry stands: its index, and its audit path as base64 from leaf to root."""

    index: int
    proof: list[str]


class Ledger:
    """Reads the published log, and takes entries for it."""

    def __init__(self, objects: Objects, signer: Signer) -> None:
        self._objects = objects
        self._signer = signer

    @property
    def origin(self) -> str:
        return self._signer.origin

    @property
    def vkeys(self) -> list[str]:
        return self._signer.vkeys

    async def append(self, tx: Writer, entries: list[Pending]) -> None:
        """Puts entries into the log if, and only if, `tx` commits."""
        await store.insert_pending(tx, entries)

    async def published(self) -> Published:
        """The newest published checkpoint. Raises LedgerPending before the first."""
        try:
            note = (await self._objects.get(CHECKPOINT)).decode()
        except NotFound:
            raise LedgerPending("The ledger has published nothing yet. Try again in a second.") from None
        return Published(open_checkpoint(note, self._signer.verifiers), note)

    async def tile(self, path: str) -> bytes:
        """The bytes at `tile/…`. Raises NotFound."""
        return await self._objects.get(f"{PREFIX}/tile/{path}")

    async def find_index(self, tx: Reader, entry_id: UUID) -> int | None:
        """The leaf's number as far as `tx` may see it, or None while it has none."""
        return await store.find_index(tx, entry_id)

    async def wait_for_index(self, database: Database, entry_id: UUID, seconds: float = 3) -> int | None:
        """The number of a committed entry, waiting for the sequencer at most `seconds`."""
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            async with database.operator_read() as tx:
                index = await store.find_index(tx, entry_id)
            if index is not None or asyncio.get_running_loop().time() > deadline:
                return index
            await asyncio.sleep(_POLL)

    async def prove(self, indices: list[int], published: Published) -> list[Place]:
        """The inclusion proofs of leaves. Raises LedgerPending when the checkpoint does not reach one of them yet."""
        size = published.checkpoint.size
        if max(indices, default=0) >= size:
            raise LedgerPending("That event is not in a published checkpoint yet. Try again in a second.")
        tree = TileTree(size, self._read)
        places = []
        for index in indices:
            path = await inclusion_proof(tree.complete, index, size)
            places.append(Place(index, [encode(step) for step in path]))
            await asyncio.sleep(0)  # others get their turn: a thousand proofs are a great many hashes
        return places

    async def prove_consistency(self, old: int, published: Published) -> list[str]:
        """The proof that the published log extends its own state at `old` leaves."""
        tree = TileTree(published.checkpoint.size, self._read)
        return [encode(step) for step in await consistency_proof(tree.complete, old, published.checkpoint.size)]

    async def _read(self, path: str) -> bytes:
        return await self._objects.get(f"{PREFIX}/{path}")
