import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bailee.ledger.errors import LedgerBroken
from bailee.ledger.tiles import Frontier, Tile, TileTree, bundle, hashes_of, parse_bundle, tile_path
from bailee.ledger.tree import inclusion_proof, leaf_hash, root_of, verify_inclusion
from tests.unit.ledger import naive

SIZES = [1, 2, 3, 255, 256, 257, 511, 512, 513, 700, 65_535, 65_536, 65_537, 65_793]


class Log:
    """Tiles kept as a sequencer would keep them."""

    def __init__(self) -> None:
        self.frontier = Frontier()
        self.tiles: dict[str, bytes] = {}

    def grow(self, size: int) -> None:
        for number in range(self.frontier.size, size):
            entry = number.to_bytes(4)
            self.keep(list(self.frontier.append(entry, leaf_hash(entry))))
        self.keep(list(self.frontier.partial()))

    def keep(self, tiles: list[Tile]) -> None:
        for tile in tiles:
            assert tile.content, "an empty tile is never served"
            assert tile.full == (".p/" not in tile.path)
            assert self.tiles.setdefault(tile.path, tile.content) == tile.content, "a tile is immutable"

    async def read(self, path: str) -> bytes:
        return self.tiles[path]


@pytest.mark.parametrize(
    "level, number, width, path",
    [
        (0, 0, 256, "tile/0/000"),
        (0, 5, 112, "tile/0/005.p/112"),
        (3, 999, 256, "tile/3/999"),
        (0, 1000, 256, "tile/0/x001/000"),
        (0, 1_234_067, 256, "tile/0/x001/x234/067"),
        (2, 1_234_067, 1, "tile/2/x001/x234/067.p/1"),
        (-1, 273, 256, "tile/entries/273"),
        (-1, 1_234_067, 255, "tile/entries/x001/x234/067.p/255"),
    ],
)
def test_paths_are_those_of_tlog_tiles(level: int, number: int, width: int, path: str) -> None:
    assert tile_path(level, number, width) == path


def test_partial_widths_follow_from_the_size_alone() -> None:
    log = Log()
    log.grow(70_000)
    partial = {tile.path: len(tile.content) for tile in log.frontier.partial()}
    # 70,000 = 273 · 256 + 112 and 273 = 1 · 256 + 17
    assert partial.keys() == {"tile/entries/273.p/112", "tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"}
    assert partial["tile/0/273.p/112"] == 112 * 32
    assert partial["tile/1/001.p/17"] == 17 * 32


def test_each_tile_holds_the_subtree_hashes_of_its_level() -> None:
    log = Log()
    log.grow(65_793)
    leaves = [leaf_hash(one) for one in naive.leaves(65_793)]
    assert hashes_of(log.tiles["tile/0/256"], 256) == leaves[65_536:65_792]
    assert hashes_of(log.tiles["tile/0/257.p/1"], 1) == leaves[65_792:]
    assert hashes_of(log.tiles["tile/1/000"], 256) == [root_of(leaves[i * 256 : (i + 1) * 256]) for i in range(256)]
    assert hashes_of(log.tiles["tile/2/000.p/1"], 1) == [root_of(leaves[:65_536])]


@pytest.mark.parametrize("size", [255, 256, 257, 511, 65_535, 65_536])
def test_partial_tile_is_never_hashed_upward(size: int) -> None:
    log = Log()
    log.grow(size)
    hashes: dict[str, int] = {}
    for path, content in log.tiles.items():
        _, kind, rest = path.split("/", 2)
        number = int(rest.partition(".p/")[0].replace("x", "").replace("/", ""))
        hashes[kind] = max(hashes.get(kind, 0), number * 256 + len(content) // 32)
    del hashes["entries"]
    counts = {"0": size, "1": size // 256, "2": size // 65_536}
    assert hashes == {level: count for level, count in counts.items() if count}


@pytest.mark.parametrize("size", [0, *SIZES])
async def test_root_equals_the_naive_root_and_survives_loading(size: int) -> None:
    log = Log()
    log.grow(size)
    root = naive.mth(naive.leaves(size))
    assert log.frontier.root() == root
    loaded = await Frontier.load(size, log.read)
    assert loaded.size == size
    assert loaded.root() == root
    assert list(loaded.partial()) == list(log.frontier.partial())


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(1, 400), min_size=1, max_size=6))
async def test_growth_in_steps_gives_the_same_tiles(steps: list[int]) -> None:
    stepwise, at_once = Log(), Log()
    for step in steps:
        stepwise.grow(stepwise.frontier.size + step)
        stepwise.frontier = await Frontier.load(stepwise.frontier.size, stepwise.read)
    at_once.grow(sum(steps))
    assert at_once.tiles.items() <= stepwise.tiles.items()
    assert stepwise.frontier.root() == at_once.frontier.root() == naive.mth(naive.leaves(sum(steps)))


@pytest.mark.parametrize("size", SIZES)
async def test_proofs_from_tiles_verify(size: int) -> None:
    log = Log()
    log.grow(size)
    tree = TileTree(size, log.read)
    for index in {0, size // 2, size - 1}:
        path = await inclusion_proof(tree.complete, index, size)
        verify_inclusion(index, size, leaf_hash(index.to_bytes(4)), path, log.frontier.root())


@pytest.mark.parametrize("path", ["tile/0/002.p/188", "tile/entries/002.p/188", "tile/1/000.p/2"])
@pytest.mark.parametrize("change", ["cut", "longer"])
async def test_edge_of_the_wrong_length_is_not_loaded(path: str, change: str) -> None:
    log = Log()
    log.grow(700)
    log.tiles[path] = log.tiles[path][:-1] if change == "cut" else log.tiles[path] + bytes(2)
    with pytest.raises(LedgerBroken):
        await Frontier.load(700, log.read)


@given(st.lists(st.binary(max_size=300), max_size=256))
def test_bundles_come_apart_as_they_were_put_together(entries: list[bytes]) -> None:
    content = bundle(entries)
    assert parse_bundle(content) == entries
    assert len(content) == sum(2 + len(entry) for entry in entries)


def test_bundle_lengths_are_big_endian() -> None:
    assert bundle([b"a" * 0x0102, b""])[:3] == b"\x01\x02a"


@pytest.mark.parametrize("content", [b"\x00", b"\x00\x05abcd", b"\x00\x01a\x00"])
def test_bundle_cut_short_is_refused(content: bytes) -> None:
    with pytest.raises(LedgerBroken):
        parse_bundle(content)
