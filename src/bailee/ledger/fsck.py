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
from bailee.ledger.tiles import WIDTH, Frontier, parse_bundle, tile_path
from bailee.ledger.tree import leaf_hash


class LedgerReport(msgspec.Struct, frozen=True):
    """What was verified. `faults` is empty when the log is sound; it holds at most 20 of them."""

    leaves: int
    pending: int
    root: str
    faults: list[str]


_MOST_FAULTS = 20


async def verify_ledger(
    database: Database, objects: Objects, signer: Signer, progress: Callable[[int, int], None] = lambda _done, _of: None
) -> LedgerReport:
    """Rebuilds the tree from the database's leaves and compares every tile, bundle, root and signature."""
    faults: list[str] = []
    async with database.operator_read() as tx:
        known, pending = await store.latest_size(tx), await store.count_pending(tx)
    try:
        checkpoint = open_checkpoint((await objects.get(CHECKPOINT)).decode(), signer.verifiers)
    except NotFound:
        faults += ["the published checkpoint is gone"] if known else []
        return LedgerReport(0, pending, "", faults)
    except (ProofInvalid, UnicodeDecodeError) as error:
        return LedgerReport(0, pending, "", [f"the published checkpoint does not verify: {error}"])
    if checkpoint.size < known:
        faults.append(f"the published checkpoint ({checkpoint.size}) is older than one signed before ({known})")

    async def compare(path: str, content: bytes) -> None:
        try:
            stored = await objects.get(f"{PREFIX}/{path}")
        except NotFound:
            faults.append(f"{path} is missing")
            return
        if stored != content:
            faults.append(f"{path} differs from the leaves{_first_difference(path, stored, content)}")

    frontier = Frontier()
    while frontier.size < checkpoint.size and len(faults) < _MOST_FAULTS:
        start = frontier.size
        async with database.operator_read() as tx:
            leaves = await store.list_leaves(tx, start, min(checkpoint.size, start + 16 * WIDTH))
        if [leaf.leaf_index for leaf in leaves] != list(range(start, start + len(leaves))) or not leaves:
            faults.append(f"leaves are missing or doubled in the database after {start}")
            break
        for leaf in leaves:
            for tile in frontier.append(leaf.entry, leaf_hash(leaf.entry)):
                await compare(tile.path, tile.content)
        progress(frontier.size, checkpoint.size)
    for tile in frontier.partial():
        await compare(tile.path, tile.content)
    if frontier.size == checkpoint.size and frontier.root() != checkpoint.root:
        faults.append("the leaves do not give the root that was signed")
    return LedgerReport(frontier.size, pending, checkpoint.root.hex(), faults[:_MOST_FAULTS])


def _first_difference(path: str, stored: bytes, expected: bytes) -> str:
    """For an entry bundle, the leaf at which it was altered."""
    if not path.startswith(tile_path(-1, 0).rpartition("/")[0]):
        return ""
    try:
        pairs = zip(parse_bundle(stored), parse_bundle(expected), strict=False)
    except LedgerBroken:
        return " (cut short)"
    return next((f" at entry {i} of the bundle" for i, (a, b) in enumerate(pairs) if a != b), "")
