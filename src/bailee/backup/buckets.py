"""Buckets of S3-compatible stores as repositories, with and without object lock. Over verified TLS alone."""

import io
import ssl
import time
from collections.abc import Buffer, Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import obstore
import urllib3
from minio import Minio
from minio.commonconfig import COMPLIANCE, GOVERNANCE
from minio.datatypes import Object
from minio.error import MinioException, S3Error
from minio.retention import Retention
from obstore.exceptions import BaseError
from obstore.store import S3Store

from bailee.backup.errors import BackupDamaged, RepositoryUnavailable
from bailee.backup.repository import Folder, Repository, Stored
from bailee.foundation.errors import ConfigurationError, NotFound
from bailee.foundation.settings import RepositorySettings

if TYPE_CHECKING:  # a type of the stub alone
    from obstore.store import ClientConfig

_ATTEMPTS = 4
_PAUSE = 0.5
_TIMEOUT = 60
_CONNECTIONS = 16
_LEAST_PART = 5 * 1024 * 1024  # the store's own
_MODES = {"governance": GOVERNANCE, "compliance": COMPLIANCE}
_DENIED = "AccessDenied"
_ABSENT = ("NoSuchKey", "NoSuchVersion")
type _Objects = list[Object]  # within the classes `list` is another thing
_UNLOCKED = ("NoSuchObjectLockConfiguration", "ObjectLockConfigurationNotFoundError")


class Bucket:
    """A bucket, or a part of one. What fails for a moment is tried again."""

    forkable = False
    locks = False

    def __init__(self, settings: RepositorySettings) -> None:
        self.place = _place(settings)
        options: ClientConfig = {"timeout": f"{_TIMEOUT}s"}
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

    def put(self, name: str, content: Buffer) -> None:
        self._again(lambda: obstore.put(self._store, name, bytes(content), use_multipart=False))

    def get(self, name: str) -> bytes:
        try:
            return self._again(lambda: bytes(obstore.get(self._store, name).bytes()))
        except NotFound:
            raise BackupDamaged(f"{name} is missing from {self.place}.") from None

    def expect(self, name: str) -> None:
        """A store brings nothing forward."""

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

    def lock(self, name: str, until: datetime) -> None:
        """Not in this one: `LockedBucket` does."""

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


class LockedBucket:
    """A bucket that was made with object lock, or a part of one: what is locked there nobody deletes before its time.

    Such a bucket keeps every version of an object. Ours are never changed, so that of several versions the first is
    ours: what somebody with our keys has put above it, deletion markers too, changes nothing. Deleting removes all.
    """

    forkable = False
    locks = True

    def __init__(self, settings: RepositorySettings) -> None:
        self.place = _place(settings)
        self._bucket = settings.bucket
        self._base = f"{settings.prefix.strip('/')}/" if settings.prefix.strip("/") else ""
        self._mode = _MODES[settings.lock]
        url = urlsplit(settings.endpoint)
        if url.path.strip("/"):
            raise ConfigurationError("backup: the endpoint of a store that locks objects has no path.")
        try:
            trust = ssl.create_default_context(cafile=settings.ca_file or None)
        except OSError as error:
            raise ConfigurationError(f"backup: {settings.ca_file} is no certificate ({error}).") from None
        http = urllib3.PoolManager(
            maxsize=_CONNECTIONS, timeout=urllib3.Timeout(connect=_TIMEOUT, read=_TIMEOUT), ssl_context=trust,
            retries=urllib3.Retry(total=_ATTEMPTS - 1, backoff_factor=_PAUSE, status_forcelist=[500, 502, 503, 504]),
        )  # fmt: skip
        try:
            self._client = Minio(
                url.netloc, _read(settings.access_key_file).strip(), _read(settings.secret_key_file).strip(),
                region=settings.region, http_client=http,
            )  # fmt: skip
        except ValueError:
            raise ConfigurationError("backup: the repository's endpoint or bucket is not valid.") from None

    def put(self, name: str, content: Buffer) -> None:
        size, key = memoryview(content).nbytes, self._base + name
        part = max(size, _LEAST_PART)  # as one
        made = self._ask(lambda: self._client.put_object(self._bucket, key, io.BytesIO(content), size, part_size=part))
        if made.version_id is None:
            raise RepositoryUnavailable(f"{self.place} keeps no versions: it was not made with object lock.")

    def get(self, name: str) -> bytes:
        version = self._first(name)

        def read() -> bytes:
            answer = self._client.get_object(self._bucket, self._base + name, version_id=version)
            try:
                return bytes(answer.read())
            finally:
                answer.close()
                answer.release_conn()

        return self._ask(read)

    def expect(self, name: str) -> None:
        """A store brings nothing forward."""

    def delete(self, name: str) -> bool:
        gone = [
            self._let_go(name, one.version_id) for one in self._versions(name)
        ]  # ours last, whatever a crash leaves
        return all(gone)

    def lock(self, name: str, until: datetime) -> None:
        until = until.replace(microsecond=0)  # as the store keeps it
        version = self._first(name)
        held = self._retention(name, version)
        if held is None or held.retain_until_date < until:
            wanted = Retention(self._mode, until)
            key = self._base + name
            self._ask(lambda: self._client.set_object_retention(self._bucket, key, wanted, version_id=version))

    def locked_until(self, name: str) -> datetime | None:
        """Until when nobody can delete it. Raises BackupDamaged when it is not there, RepositoryUnavailable."""
        held = self._retention(name, self._first(name))
        return held.retain_until_date if held else None

    def list(self, prefix: str) -> Iterator[Stored]:
        first = {
            one.object_name: one for one in self._listed(f"{prefix}/" if prefix else "") if not one.is_delete_marker
        }
        for key in sorted(filter(None, first)):
            found = first[key]
            if found.last_modified is not None:
                yield Stored(key.removeprefix(self._base), found.size or 0, found.last_modified)

    def _first(self, name: str) -> str:
        """The version that is ours. Raises BackupDamaged."""
        contents = [one.version_id for one in self._versions(name) if not one.is_delete_marker]
        if not contents or contents[-1] is None:
            raise BackupDamaged(f"{name} is missing from {self.place}.")
        return contents[-1]

    def _retention(self, name: str, version: str) -> Retention | None:
        def read() -> Retention | None:
            try:
                return self._client.get_object_retention(self._bucket, self._base + name, version_id=version)
            except S3Error as error:
                if error.code in _UNLOCKED:
                    return None
                raise

        return self._ask(read)

    def _versions(self, name: str) -> _Objects:
        """Versions and markers of one object, the newest first."""
        return [one for one in self._listed(name) if one.object_name == self._base + name]

    def _listed(self, prefix: str) -> _Objects:
        def run() -> _Objects:
            found = self._client.list_objects(self._bucket, self._base + prefix, recursive=True, include_version=True)
            return list(found)

        return self._ask(run)

    def _let_go(self, name: str, version: str | None) -> bool:
        """Removes one version; False when it is locked, which holds up none of the others."""
        try:
            self._ask(lambda: self._client.remove_object(self._bucket, self._base + name, version_id=version))
        except BackupDamaged:  # gone already
            return True
        except _Denied:
            return False
        return True

    def _ask[T](self, act: Callable[[], T]) -> T:
        """Raises RepositoryUnavailable, in the form of _Denied where the store forbids it."""
        try:
            return act()
        except S3Error as error:
            if error.code == _DENIED:
                raise _Denied(f"{self.place} refuses: the access key lacks a right, or a lock holds.") from error
            if error.code in _ABSENT:
                raise BackupDamaged(f"An object is missing from {self.place}.") from error
            raise RepositoryUnavailable(f"{self.place} does not lock or keep objects ({error.code}).") from error
        except (MinioException, urllib3.exceptions.HTTPError, OSError) as error:
            raise RepositoryUnavailable(f"{self.place} does not answer; it is tried again later.") from error


class _Denied(RepositoryUnavailable):
    """The store forbids it."""


def open_repository(settings: RepositorySettings, data: Path) -> Repository:
    """The repository that the settings name. Raises ConfigurationError."""
    if settings.kind == "folder":
        return Folder(Path(settings.path).expanduser() if settings.path else data / "backups")
    return LockedBucket(settings) if settings.lock else Bucket(settings)


def _place(settings: RepositorySettings) -> str:
    return f"{settings.endpoint.rstrip('/')}/{settings.bucket}/{settings.prefix}".rstrip("/")


def _read(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"backup: {file} could not be read ({error}).") from None
