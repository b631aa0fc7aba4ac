"""Tiles (C2SP tlog-tiles): where hashes and entries lie, and how the right edge of the tree grows."""

from collections.abc import Awaitable, Callable, Iterable, Iterator

import msgspec

from bailee.ledger.errors import LedgerBroken
from bailee.ledger.tree import node_hash, root_of

WIDTH = 256
HASH = 32
MAX_ENTRY = 65_535
_HEIGHT = 8

type ReadTile = Callable[[str], Awaitable[bytes]]
"""Answers the bytes of the tile at a path."""


def tile_path(level: int, number: int, width: int = WIDTH) -> str:
    """`tile/<L>/<N>[.p/<W>]`; level -1 names entry bundles."""
    kind = "entries" if level < 0 else str(level)
    digits = f"{number % 1000:03}"
    while number := number // 1000:
        digits = f"x{number % 1000:03}/{digits}"
    return f"tile/{kind}/{digits}" + ("" if width == WIDTH else f".p/{width}")


class Tile(msgspec.Struct, frozen=True):
    """One tile to write. A full one makes the partial ones below `<path>.p` superfluous."""

    path: str
    content: bytes
    full: bool


class Frontier:
    """The right edge of a tree: for each level the hashes of its last, partial tile.

    `append` hands out tiles as they fill; `partial` the ones that are not full. Nothing partial is ever
    hashed upward.
    """

    def __init__(self, size: int = 0, levels: Iterable[list[bytes]] = (), entries: Iterable[bytes] = ()) -> None:
        self.size = size
        self._levels = [list(level) for level in levels]
        self._entries = list(entries)

    @classmethod
    async def load(cls, size: int, read: ReadTile) -> "Frontier":
        """The edge of the stored tree of `size` leaves. Raises LedgerBroken for a tile of the wrong length."""
        levels: list[list[bytes]] = []
        level, rest = 0, size
        while rest:
            number, width = divmod(rest, WIDTH)
            content = await read(tile_path(level, number, width)) if width else b""
            levels.append(hashes_of(content, width))
            level, rest = level + 1, number
        number, width = divmod(size, WIDTH)
        entries = parse_bundle(await read(tile_path(-1, number, width))) if width else []
        if len(entries) != width:
            raise LedgerBroken(f"The last entry bundle of the tree of {size} is incomplete.")
        return cls(size, levels, entries)

    def append(self, entry: bytes, leaf: bytes) -> Iterator[Tile]:
        """Adds one leaf."""
        self._entries.append(entry)
        if len(self._entries) == WIDTH:
            yield _tile(-1, self.size // WIDTH, bundle(self._entries), WIDTH)
            self._entries = []
        self.size += 1
        carried: bytes | None = leaf
        level = 0
        while carried is not None:
            if level == len(self._levels):
                self._levels.append([])
            hashes = self._levels[level]
            hashes.append(carried)
            carried = None
            if len(hashes) == WIDTH:
                yield _tile(level, self.size // WIDTH ** (level + 1) - 1, b"".join(hashes), WIDTH)
                carried = root_of(hashes)
                self._levels[level] = []
            level += 1

    def partial(self) -> Iterator[Tile]:
        """The tiles of the edge that are begun and not full."""
        if self._entries:
            yield _tile(-1, self.size // WIDTH, bundle(self._entries), len(self._entries))
        for level, hashes in enumerate(self._levels):
            if hashes:
                yield _tile(level, self.size // WIDTH ** (level + 1), b"".join(hashes), len(hashes))

    def root(self) -> bytes:
        """The root of the tree (RFC 6962)."""
        # Right to left: a partial tile of w hashes falls into complete subtrees, one for each bit of w.
        right: bytes | None = None
        for hashes in self._levels:
            end = len(hashes)
            while end:
                width = end & -end
                left = root_of(hashes[end - width : end])
                right = left if right is None else node_hash(left, right)
                end -= width
        return root_of([]) if right is None else right


def _tile(level: int, number: int, content: bytes, width: int) -> Tile:
    return Tile(tile_path(level, number, width), content, width == WIDTH)


def hashes_of(content: bytes, width: int) -> list[bytes]:
    """A hash tile taken apart. Raises LedgerBroken unless it holds exactly `width` hashes."""
    if len(content) != width * HASH:
        raise LedgerBroken(f"A tile holds {len(content)} bytes instead of {width * HASH}.")
    return [content[i : i + HASH] for i in range(0, len(content), HASH)]


def bundle(entries: Iterable[bytes]) -> bytes:
    """Entries, each behind its length as a big-endian uint16."""
    return b"".join(len(entry).to_bytes(2) + entry for entry in entries)


def parse_bundle(content: bytes) -> list[bytes]:
    """The entries of a bundle. Raises LedgerBroken when it is cut short."""
    entries, position = [], 0
    while position < len(content):
        end = position + 2 + int.from_bytes(content[position : position + 2])
        if end > len(content):
            raise LedgerBroken("An entry bundle is cut short.")
        entries.append(content[position + 2 : end])
        position = end
    return entries


class TileTree:
    """The hashes of a stored tree of `size` leaves, read tile by tile."""

    def __init__(self, size: int, read: ReadTile) -> None:
        self.size = size
        self._read = read
        self._tiles: dict[tuple[int, int], list[bytes]] = {}
        self._subtrees: dict[tuple[int, int], bytes] = {}

    async def complete(self, start: int, end: int) -> bytes:
        """The hash of a complete subtree: a power of two of leaves, aligned to its own size."""
        known = self._subtrees.get((start, end))
        if known is None:
            known = self._subtrees[start, end] = await self._subtree(start, end)
        return known

    async def _subtree(self, start: int, end: int) -> bytes:
        height = (end - start).bit_length() - 1
        level = height // _HEIGHT
        scale = WIDTH**level
        first, count = start // scale, (end - start) // scale
        hashes = await self._tile(level, first // WIDTH)
        offset = first % WIDTH
        return root_of(hashes[offset : offset + count])

    async def _tile(self, level: int, number: int) -> list[bytes]:
        known = self._tiles.get((level, number))
        if known is None:
            width = min(WIDTH, self.size // WIDTH**level - number * WIDTH)
            known = hashes_of(await self._read(tile_path(level, number, width)), width)
            self._tiles[level, number] = known
        return known
