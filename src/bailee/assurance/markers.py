"""Canaries: markers written on purpose, and the search for them in files where they must not be.

Every marker begins alike, so one search finds any that was ever written. A search first proves itself: it must
find a marker in a control file that was put there for it.
"""

import os
import secrets
from pathlib import Path

import anyio.to_thread
import msgspec

PREFIX = "bailee-canary-"
CONTROL = "canary-control"
_BLOCK = 4 * 1024 * 1024
_MOST = 20


class Search(msgspec.Struct, frozen=True):
    """What was searched, and the files in which a marker lay in the clear (at most 20)."""

    files: int
    bytes: int
    found: list[str]
    proven: bool
    """Whether the control file was found."""


def new_marker() -> str:
    """A marker that nobody else has."""
    return PREFIX + secrets.token_hex(12)


async def search_files(root: Path, directories: list[Path]) -> Search:
    """Looks for markers as text, UTF-16 and hex in every file below `directories`; the control file lies in `root`."""
    return await anyio.to_thread.run_sync(_search, root, directories)


def _search(root: Path, directories: list[Path]) -> Search:
    control = root / f"{CONTROL}-{os.getpid()}-{secrets.token_hex(4)}"
    control.write_text(f"control {new_marker()}\n")
    try:
        proven = _holds_marker(control)[0]
    finally:
        control.unlink()
    files = size = 0
    found: list[str] = []
    for path in sorted(path for directory in directories for path in directory.rglob("*")):
        if path.name.startswith(CONTROL):
            continue
        try:
            if not path.is_file() or path.is_symlink():
                continue
            holds, length = _holds_marker(path)
        except FileNotFoundError:
            continue  # gone between listing and reading: a WAL segment, a temporary file
        files, size = files + 1, size + length
        if holds and len(found) < _MOST:
            found.append(str(path.relative_to(root)) if path.is_relative_to(root) else path.name)
    return Search(files, size, found, proven)


def _needles() -> list[bytes]:
    plain = PREFIX.encode()
    return [plain, PREFIX.encode("utf-16-le"), plain.hex().encode(), plain.hex().upper().encode()]


def _holds_marker(path: Path) -> tuple[bool, int]:
    needles = _needles()
    overlap = max(map(len, needles))
    tail, size = b"", 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            size += len(block)
            window = tail + block
            if any(needle in window for needle in needles):
                return True, size
            tail = window[-overlap:]
    return False, size
