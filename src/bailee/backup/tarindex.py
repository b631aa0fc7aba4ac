"""Where each file lies within a tar stream that passes by in volumes, so that it can be unpacked from any of them.

Reads the ustar headers that pg_basebackup writes (POSIX.1-2017, pax, "ustar Interchange Format"): regular files and
directories. Headers lie on 512-byte boundaries, so none is cut by the end of a volume.
"""

import stat
from collections.abc import Iterable
from typing import Literal

import msgspec

from bailee.backup.errors import BackupFailed

BLOCK = 512
MANIFEST = "backup_manifest"
_NAME, _MODE, _SIZE, _TYPE, _MAGIC, _PREFIX = slice(0, 100), slice(100, 108), slice(124, 136), 156, 257, slice(345, 500)
_KINDS: dict[int, Literal["file", "directory"]] = {0: "file", 0x30: "file", 0x35: "directory"}


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """A file or directory, and where its content begins in the stream."""

    name: str
    kind: Literal["file", "directory"]
    mode: int
    size: int
    offset: int


class TarIndex:
    """Follows the stream; `entries` grows as it passes, `manifest` collects PostgreSQL's backup manifest."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.manifest = bytearray()
        self._next = 0
        self._position = 0
        self._ended = False

    def feed(self, volume: memoryview) -> None:
        """Looks at the next volume, whose length is a multiple of 512 unless it is the last. Raises BackupFailed."""
        start, end = self._position, self._position + len(volume)
        if self.entries and self.entries[-1].name == MANIFEST:
            self._collect(volume, start)
        while not self._ended and self._next < end:
            block = bytes(volume[self._next - start : self._next - start + BLOCK])
            if len(block) < BLOCK or not block.strip(b"\0"):
                self._ended = True
                break
            entry = _entry(block, self._next + BLOCK)
            self.entries.append(entry)
            self._next = entry.offset + -(-entry.size // BLOCK) * BLOCK
            if entry.name == MANIFEST:
                self._collect(volume, start)
        self._position = end

    def _collect(self, volume: memoryview, start: int) -> None:
        entry = self.entries[-1]
        low, high = max(entry.offset, start), min(entry.offset + entry.size, start + len(volume))
        if low < high:
            self.manifest += volume[low - start : high - start]


def _entry(block: bytes, offset: int) -> Entry:
    kind = _KINDS.get(block[_TYPE])
    if block[_MAGIC : _MAGIC + 5] != b"ustar" or kind is None:
        raise BackupFailed(
            "The server has tablespaces or links, which this backup does not hold. Move them into place."
        )
    name, prefix = _text(block[_NAME]), _text(block[_PREFIX])
    full = f"{prefix}/{name}" if prefix else name
    size = int(_text(block[_SIZE]) or "0", 8) if kind == "file" else 0
    return Entry(full.rstrip("/"), kind, stat.S_IMODE(int(_text(block[_MODE]) or "0", 8)), size, offset)


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].strip().decode()


def slices(entries: Iterable[Entry], start: int, end: int) -> Iterable[tuple[Entry, int, int]]:
    """The files of which [start, end) of the stream holds something, each with that part's place in the stream."""
    for entry in entries:
        low, high = max(entry.offset, start), min(entry.offset + entry.size, end)
        if entry.kind == "file" and low < high:
            yield entry, low, high
