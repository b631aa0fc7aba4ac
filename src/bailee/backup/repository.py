"""Where backups lie: whole objects in a folder or in a bucket of an S3-compatible store.

The calls block: backups move their bytes in threads. An object appears whole or not at all in both. A store that
keeps objects locked (WORM) refuses to delete them before their time; what is refused is deleted by a later round.
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec
import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from bailee.backup.errors import BackupDamaged, RepositoryUnavailable
from bailee.foundation.errors import ConfigurationError, NotFound, StorageFull
from bailee.foundation.objects import Objects
from bailee.foundation.settings import RepositorySettings

if TYPE_CHECKING:  # a type of the stub alone
    from obstore.store import ClientConfig

_ATTEMPTS = 4
_PAUSE = 0.5
_TIMEOUT = "60s"


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

    def put(self, name: str, content: bytes) -> None:
        """Stores it, durable on return, in place of what was there. Raises RepositoryUnavailable, StorageFull."""
        ...

    def get(self, name: str) -> bytes:
        """Raises BackupDamaged when it is not there, RepositoryUnavailable."""
        ...

    def delete(self, name: str) -> bool:
        """Removes it; False when the store does not let go of it yet. Raises RepositoryUnavailable."""
        ...

    def list(self, prefix: str) -> Iterator[Stored]:
        """Everything below `prefix`, by name. Raises RepositoryUnavailable."""
        ...


class Folder:
    """A folder, local or mounted."""

    forkable = True

    def __init__(self, path: Path) -> None:
        self.place = str(path)
        self._path = path
        self._objects = Objects(path)

    def put(self, name: str, content: bytes) -> None:
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

    def delete(self, name: str) -> bool:
        path = self._path / name
        try:
            path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # others lie beside it still
                path.parent.rmdir()
        except OSError:
            return False
        return True

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


class Bucket:
    """A bucket, or a part of one, over verified TLS. What fails for a moment is tried again."""

    forkable = False

    def __init__(self, settings: RepositorySettings) -> None:
        self.place = f"{settings.endpoint.rstrip('/')}/{settings.bucket}/{settings.prefix}".rstrip("/")
        options: ClientConfig = {"timeout": _TIMEOUT}
        if settings.ca_file:
            options["root_certificate"] = _read(settings.ca_file)
        try:
            self._store = S3Store(
                settings.bucket, prefix=settings.prefix or None, endpoint=settings.endpoint, region=settings.region,
                access_key_id=_read(settings.access_key_file).strip(),
                secret_access_key=_read(settings.secret_key_file).strip(),
                client_options=options, retry_config={"max_retries": 3},
            )  # fmt: skip  # type: ignore[call-overload]  # the options are built above
        except (BaseError, ValueError):
            raise ConfigurationError("backup: the repository's endpoint, bucket or certificate is not valid.") from None

    def put(self, name: str, content: bytes) -> None:
        self._again(lambda: obstore.put(self._store, name, content, use_multipart=False))

    def get(self, name: str) -> bytes:
        try:
            return self._again(lambda: bytes(obstore.get(self._store, name).bytes()))
        except NotFound:
            raise BackupDamaged(f"{name} is missing from {self.place}.") from None

    def delete(self, name: str) -> bool:
        try:
            self._again(lambda: obstore.delete(self._store, name))
        except NotFound:
            return True
        except RepositoryUnavailable as error:
            if "denied" in str(error.__cause__).lower():  # locked until its time
                return False
            raise
        return True

    def list(self, prefix: str) -> Iterator[Stored]:
        found = self._again(
            lambda: [one for batch in obstore.list(self._store, prefix, chunk_size=1000) for one in batch]
        )
        for one in sorted(found, key=lambda one: one["path"]):
            yield Stored(one["path"], one["size"], one["last_modified"])

    def _again[T](self, act: Callable[[], T]) -> T:
        for attempt in range(_ATTEMPTS):
            try:
                return act()
            except FileNotFoundError:
                raise NotFound from None
            except (BaseError, OSError) as error:
                if attempt == _ATTEMPTS - 1:
                    raise RepositoryUnavailable(f"{self.place} does not answer; it is tried again later.") from error
                time.sleep(_PAUSE * 2**attempt)
        raise AssertionError("the last attempt answers or raises")


def open_repository(settings: RepositorySettings, data: Path) -> Repository:
    """The repository that the settings name. Raises ConfigurationError."""
    if settings.kind == "folder":
        return Folder(Path(settings.path).expanduser() if settings.path else data / "backups")
    return Bucket(settings)


def _read(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"backup: {file} could not be read ({error}).") from None
