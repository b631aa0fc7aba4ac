"""Where backups lie: whole objects in a folder, or in a bucket of an S3-compatible store (`buckets.py`).

The calls block: backups move their bytes in threads. An object appears whole or not at all, and is not changed
afterwards. A store that locks objects (WORM) refuses to delete them before their time; what is refused is deleted by a
later round.
"""

import contextlib
import os
import sys
from collections.abc import Buffer, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import msgspec

from bailee.backup.errors import BackupDamaged, RepositoryUnavailable
from bailee.foundation.errors import StorageFull
from bailee.foundation.objects import Objects

_LOCKED_AT_ONCE = 8


class Stored(msgspec.Struct, frozen=True):
    """One object as listed."""

    name: str
    size: int
    stored_at: datetime


class Repository(Protocol):
    """Whole objects under slash-separated names."""

    @property
    def place(self) -> str:
        """Where it is, for people."""
        ...

    @property
    def forkable(self) -> bool:
        """Whether a forked process can go on with it: it keeps no threads and no connections."""
        ...

    @property
    def locks(self) -> bool:
        """Whether `lock` does anything."""
        ...

    def put(self, name: str, content: Buffer) -> None:
        """Stores it, durable on return, in place of what was there. Raises RepositoryUnavailable, StorageFull."""
        ...

    def get(self, name: str) -> bytes:
        """Raises BackupDamaged when it is not there, RepositoryUnavailable."""
        ...

    def expect(self, name: str) -> None:
        """Says that it will be asked for soon, and may be on its way. Raises nothing."""
        ...

    def delete(self, name: str) -> bool:
        """Removes it; False when the store does not let go of it yet. Raises RepositoryUnavailable."""
        ...

    def lock(self, name: str, until: datetime) -> None:
        """Has the store refuse to delete it before `until`, whoever asks; never shortens. Raises BackupDamaged when it
        is not there, RepositoryUnavailable.
        """
        ...

    def list(self, prefix: str) -> Iterator[Stored]:
        """Everything below `prefix`, by name. Raises RepositoryUnavailable."""
        ...


def lock_all(repository: Repository, names: Iterable[str], until: datetime) -> None:
    """Locks these, where the repository locks at all. Raises BackupDamaged, RepositoryUnavailable."""
    if not repository.locks:
        return
    with ThreadPoolExecutor(_LOCKED_AT_ONCE, thread_name_prefix="lock") as pool:
        for future in [pool.submit(repository.lock, name, until) for name in names]:
            future.result()


class Folder:
    """A folder, local or mounted."""

    forkable = True
    locks = False

    def __init__(self, path: Path) -> None:
        self.place = str(path)
        self._path = path
        self._objects = Objects(path)

    def put(self, name: str, content: Buffer) -> None:
        try:
            self._objects.write(name, content)
        except StorageFull as error:
            if isinstance(error.__cause__, PermissionError | FileNotFoundError | NotADirectoryError | FileExistsError):
                raise RepositoryUnavailable(f"{self.place} cannot be written to.") from error
            raise

    def get(self, name: str) -> bytes:
        try:
            return (self._path / name).read_bytes()
        except FileNotFoundError:
            raise BackupDamaged(f"{name} is missing from {self.place}.") from None
        except OSError as error:
            raise RepositoryUnavailable(f"{self.place} cannot be read ({os.strerror(error.errno or 0)}).") from None

    def expect(self, name: str) -> None:
        if sys.platform != "linux":
            return
        with contextlib.suppress(OSError), (self._path / name).open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)

    def delete(self, name: str) -> bool:
        path = self._path / name
        try:
            path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # others lie beside it still
                path.parent.rmdir()
        except OSError:
            return False
        return True

    def lock(self, name: str, until: datetime) -> None:
        """A folder locks nothing."""

    def list(self, prefix: str) -> Iterator[Stored]:
        root = self._path / prefix
        try:
            paths = sorted(path for path in root.rglob("*") if path.is_file() and not path.name.startswith("."))
        except OSError as error:
            raise RepositoryUnavailable(f"{self.place} cannot be read ({os.strerror(error.errno or 0)}).") from None
        for path in paths:
            with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
                found = path.stat()
                stored_at = datetime.fromtimestamp(found.st_mtime, UTC)
                yield Stored(str(path.relative_to(self._path)), found.st_size, stored_at)
