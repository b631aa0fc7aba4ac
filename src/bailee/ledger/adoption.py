"""After a restore: the log goes on from what was published, and never forks.

A database that was put back to an earlier moment knows fewer leaves than the world has seen. The published ones beyond
are taken over from the tiles: as the events that were waiting for a number then, where they are those, else as
commitments whose bodies are lost. The tree, and with it every proof that was ever given, stays as it was.
"""

from bailee.foundation.database import Database
from bailee.foundation.errors import NotFound
from bailee.foundation.ids import OPERATOR, new_id
from bailee.foundation.objects import Objects
from bailee.ledger import store
from bailee.ledger.errors import LedgerBroken
from bailee.ledger.note import Signer, open_checkpoint
from bailee.ledger.sequencer import CHECKPOINT, PREFIX
from bailee.ledger.tiles import WIDTH, Frontier, parse_bundle, tile_path
from bailee.ledger.tree import leaf_hash

_STRETCH = 8192


async def adopt_published(database: Database, objects: Objects, signer: Signer) -> int:
    """Takes over the published leaves that the database lacks; answers how many.

    Raises LedgerBroken when the published log does not go on from the database's, ProofInvalid when it is not ours.
    """
    try:
        note = (await objects.get(CHECKPOINT)).decode()
    except NotFound:
        return 0
    checkpoint = open_checkpoint(note, signer.verifiers)
    async with database.operator() as tx:
        state = await store.find_state(tx)
        if state is None or state.size >= checkpoint.size:
            return 0
        entries = await _entries(objects, checkpoint.size)
        frontier = Frontier()
        for entry in entries:
            for _ in frontier.append(entry, leaf_hash(entry)):
                pass
        if frontier.root() != checkpoint.root:
            raise LedgerBroken("The published tiles do not give the root that was signed.")
        own = [leaf.entry for leaf in await store.list_leaves(tx, 0, state.size)]
        if own != entries[: state.size]:
            raise LedgerBroken("The published log is not a continuation of the restored one.")
        waiting = {row.entry: row for row in await store.list_pending(tx)}
        for index, entry in enumerate(entries[state.size :], state.size):
            found = waiting.get(entry)
            if found is not None:
                await store.insert_leaf(tx, found.tenant_id, found.entry_id, index, entry)
                await store.delete_pending(tx, found.tenant_id, found.entry_id)
            else:
                await store.insert_leaf(tx, OPERATOR, new_id(), index, entry)
        await store.set_size(tx, checkpoint.size)
        await store.insert_checkpoint(tx, checkpoint.size, checkpoint.root, note)
    return checkpoint.size - state.size


async def republish(database: Database, objects: Objects, signer: Signer) -> bool:
    """Writes the tiles again that the database's newest checkpoint needs, where the objects are older than it.

    Nothing new is signed: the note is the one that was published. Raises LedgerBroken when the leaves contradict it.
    """
    async with database.operator_read() as tx:
        size = await store.latest_size(tx)
        if not size:
            return False
        note = await store.latest_note(tx)
    checkpoint = open_checkpoint(note, signer.verifiers)
    try:
        published = open_checkpoint((await objects.get(CHECKPOINT)).decode(), signer.verifiers)
        if published.size >= size:
            return False
    except NotFound:
        pass
    frontier = Frontier()
    while frontier.size < size:
        async with database.operator_read() as tx:
            leaves = await store.list_leaves(tx, frontier.size, min(size, frontier.size + _STRETCH))
        if not leaves:
            raise LedgerBroken(f"Leaf {frontier.size} is missing from the database.")
        for leaf in leaves:
            for tile in frontier.append(leaf.entry, leaf_hash(leaf.entry)):
                await objects.put(f"{PREFIX}/{tile.path}", tile.content)
    if frontier.root() != checkpoint.root:
        raise LedgerBroken("The database's leaves do not give the root that was signed.")
    for tile in frontier.partial():
        await objects.put(f"{PREFIX}/{tile.path}", tile.content)
    await objects.put(CHECKPOINT, note.encode())
    return True


async def _entries(objects: Objects, size: int) -> list[bytes]:
    """Every published entry, from the bundles."""
    found: list[bytes] = []
    for number in range(-(-size // WIDTH)):
        width = min(WIDTH, size - number * WIDTH)
        try:
            bundle = parse_bundle(await objects.get(f"{PREFIX}/{tile_path(-1, number, width)}"))
        except NotFound:
            bundle = parse_bundle(await objects.get(f"{PREFIX}/{tile_path(-1, number)}"))
        found += bundle[:width]
    return found
