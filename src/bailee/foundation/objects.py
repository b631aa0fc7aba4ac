"""Object storage on local disk: whole objects under slash-separated names.

An object appears whole or not at all: it is written beside its place, synced, renamed, and its directory
synced. A crash before the rename leaves a temporary file, which `sweep` removes; after it, the object.
"""

import contextlib
import os
import re
import shutil
import time
from collections.abc import AsyncIterable, AsyncIterator, Buffer
from pathlib import Path
from uuid import uuid4

import anyio
import anyio.to_thread

from bailee.foundation.direct import pwrite_direct
from bailee.foundation.errors import NotFound, StorageFull

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}(/[A-Za-z0-9][A-Za-z0-9._-]{0,199})*", re.ASCII)
_TEMPORARY = ".part-"
_BLOCK = 1024 * 1024
_MAX_NAME = 512


class Objects:
    """Objects below one directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    async def put(self, name: str, content: bytes) -> None:
        """Stores `content`, durable on return, in place of what was there. Raises StorageFull."""
        await anyio.to_thread.run_sync(self.write, name, content)

    def write(self, name: str, content: Buffer) -> None:
        """`put`, for whoever is in a thread of their own."""
        self._write(self._path(name), memoryview(content))

    async def put_stream(self, name: str, content: AsyncIterable[bytes]) -> int:
        """Stores a stream of unknown length in constant memory; answers its size. Raises StorageFull."""
        path = self._path(name)
        temporary = _beside(path)
        size = 0
        try:
            await anyio.to_thread.run_sync(_make_directory, path.parent)
            async with await anyio.open_file(temporary, "xb", opener=_private) as file:
                async for block in content:
                    size += await file.write(block)
                await file.flush()
                await anyio.to_thread.run_sync(os.fsync, file.wrapped.fileno())
            await anyio.to_thread.run_sync(_publish, temporary, path)
        except OSError as error:
            raise _full(error) from error
        finally:
            temporary.unlink(missing_ok=True)
        return size

    async def get(self, name: str) -> bytes:
        """The whole object. Raises NotFound."""
        try:
            return await anyio.to_thread.run_sync(self._path(name).read_bytes)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise NotFound from None

    async def read(self, name: str, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """Streams `length` bytes from `offset`, or to the end. Raises NotFound."""
        try:
            file = await anyio.open_file(self._path(name), "rb")
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise NotFound from None
        async with file:
            await file.seek(offset)
            while length is None or length > 0:
                block = await file.read(_BLOCK if length is None else min(_BLOCK, length))
                if not block:
                    return
                length = None if length is None else length - len(block)
                yield block

    async def exists(self, name: str) -> bool:
        return await anyio.to_thread.run_sync(self._path(name).is_file)

    async def age(self, name: str) -> float:
        """Seconds since the object was stored. Raises NotFound."""
        try:
            return time.time() - (await anyio.to_thread.run_sync(self._path(name).stat)).st_mtime
        except FileNotFoundError:
            raise NotFound from None

    async def delete(self, name: str) -> bool:
        """Removes the object; says whether it was there."""

        def remove(path: Path) -> bool:
            try:
                path.unlink()
            except FileNotFoundError:
                return False
            _sync(path.parent)
            return True

        return await anyio.to_thread.run_sync(remove, self._path(name))

    async def delete_all(self, prefix: str) -> None:
        """Removes everything below `prefix`."""
        await anyio.to_thread.run_sync(lambda: shutil.rmtree(self._path(prefix), ignore_errors=True))

    async def names(self, prefix: str) -> list[str]:
        """Every name below `prefix`, sorted."""

        def walk() -> list[str]:
            root = self._path(prefix)
            files = (path for path in root.rglob("*") if path.is_file() and not path.name.startswith("."))
            return sorted(str(path.relative_to(self.directory)) for path in files)

        return await anyio.to_thread.run_sync(walk)

    async def sweep(self, older_than: float) -> int:
        """Removes temporary files left by crashes more than `older_than` seconds ago; answers how many."""

        def run() -> int:
            limit = time.time() - older_than
            removed = 0
            for path in self.directory.rglob(f"{_TEMPORARY}*"):
                with contextlib.suppress(FileNotFoundError):  # it has just become an object
                    if path.stat().st_mtime < limit:
                        path.unlink()
                        removed += 1
            return removed

        return await anyio.to_thread.run_sync(run)

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name) or len(name) > _MAX_NAME:
            raise NotFound
        return self.directory / name

    def _write(self, path: Path, content: memoryview) -> None:
        temporary = _beside(path)
        try:
            _make_directory(path.parent)
            with open(temporary, "xb", buffering=0, opener=_private) as file:
                pwrite_direct(file.fileno(), content, 0)
                os.fsync(file.fileno())
            _publish(temporary, path)
        except OSError as error:
            raise _full(error) from error
        finally:
            with contextlib.suppress(NotADirectoryError):  # something lies in the way of its directory
                temporary.unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    return path.with_name(f"{_TEMPORARY}{uuid4().hex}")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _make_directory(path: Path) -> None:
    """Makes a directory whose own entry, and those of its new parents, survive a loss of power."""
    missing = []
    while not path.exists():
        missing.append(path)
        path = path.parent
    for directory in reversed(missing):
        directory.mkdir(mode=0o700, exist_ok=True)
        _sync(directory.parent)


def _publish(temporary: Path, path: Path) -> None:
    temporary.rename(path)
    _sync(path.parent)


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _full(error: OSError) -> StorageFull:
    return StorageFull(f"The object could not be stored ({os.strerror(error.errno or 0)}); nothing was changed.")
