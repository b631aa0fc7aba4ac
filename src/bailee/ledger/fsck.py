"""Re-verifies the whole log, from first leaf to signed checkpoint, against the database and the tiles."""

from collections.abc import Callable

import msgspec

from bailee.foundation.database import Database
from bailee.foundation.errors import NotFound
from bailee.foundation.objects import Objects
from bailee.ledger import store
from bailee.ledger.errors import LedgerBroken, ProofInvalid
from bailee.ledger.note import Signer, open_checkpoint
from bailee.ledger.sequencer import CHECKPOINT, PREFIX
from bailee.ledger.tiles import WIDTH, Frontier, Tile, parse_bundle
from bailee.ledger.tree import leaf_hash


class LedgerReport(msgspec.Struct, frozen=True):
    """What was verified. `faults` is empty when the log is sound; it holds at most 20 of them."""

    leaves: int
    pending: int
    root: str
    faults: list[str]


type Progress = Callable[[int, int], None]

_MOST_FAULTS = 20
_STRETCH = 16 * WIDTH


async def verify_ledger(
    database: Database, objects: Objects, signer: Signer, progress: Progress = lambda _done, _of: None
) -> LedgerReport:
    """Rebuilds the tree from the database's leaves and compares every tile, bundle, root and signature."""
    async with database.operator_read() as tx:
        known, pending = await store.latest_size(tx), await store.count_pending(tx)
    try:
        checkpoint = open_checkpoint((await objects.get(CHECKPOINT)).decode(), signer.verifiers)
    except NotFound:
        return LedgerReport(0, pending, "", ["the published checkpoint is gone"] if known else [])
    except (ProofInvalid, UnicodeDecodeError) as error:
        return LedgerReport(0, pending, "", [f"the published checkpoint does not verify: {error}"])
    examination = _Examination(database, objects, progress)
    if checkpoint.size < known:
        examination.faults.append(f"the published checkpoint ({checkpoint.size}) is older than one before it ({known})")
    await examination.rebuild(checkpoint.size)
    frontier = examination.frontier
    if frontier.size == checkpoint.size and frontier.root() != checkpoint.root:
        examination.faults.append("the leaves do not give the root that was signed")
    return LedgerReport(frontier.size, pending, checkpoint.root.hex(), examination.faults[:_MOST_FAULTS])


class _Examination:
    """The tree, built again from the leaves, beside the tiles that are stored."""

    def __init__(self, database: Database, objects: Objects, progress: Progress) -> None:
        self.frontier = Frontier()
        self.faults: list[str] = []
        self._database = database
        self._objects = objects
        self._progress = progress

    async def rebuild(self, size: int) -> None:
        while self.frontier.size < size and len(self.faults) < _MOST_FAULTS:
            start = self.frontier.size
            async with self._database.operator_read() as tx:
                leaves = await store.list_leaves(tx, start, min(size, start + _STRETCH))
            if not leaves or [leaf.leaf_index for leaf in leaves] != list(range(start, start + len(leaves))):
                self.faults.append(f"leaves are missing or doubled in the database after {start}")
                return
            for leaf in leaves:
                for tile in self.frontier.append(leaf.entry, leaf_hash(leaf.entry)):
                    await self._compare(tile)
            self._progress(self.frontier.size, size)
        for tile in self.frontier.partial():
            await self._compare(tile)

    async def _compare(self, tile: Tile) -> None:
        try:
            stored = await self._objects.get(f"{PREFIX}/{tile.path}")
        except NotFound:
            self.faults.append(f"{tile.path} is missing")
            return
        if stored != tile.content:
            self.faults.append(f"{tile.path} differs from the leaves{_first_difference(tile, stored)}")


def _first_difference(tile: Tile, stored: bytes) -> str:
    """For an entry bundle, the entry at which it was altered."""
    if not tile.path.startswith("tile/entries/"):
        return ""
    try:
        pairs = zip(parse_bundle(stored), parse_bundle(tile.content), strict=False)
        return next((f" at entry {i} of the bundle" for i, (a, b) in enumerate(pairs) if a != b), "")
    except LedgerBroken:
        return " (cut short)"
