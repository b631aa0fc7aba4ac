"""The copying itself: a server's stream, the objects and the settings, into a repository. Runs in a thread.

What is durable after each step, and what a crash there leaves:

1. volumes, each a whole object. Crash among them: objects that no manifest names; swept away after a day.
2. the sealed index. Crash after: the same.
3. signature and manifest, in this order. From here the backup exists; the catalogue learns of it from the job that
   took it, or from the next look at the repository.

PostgreSQL does the copying (pg_basebackup over the replication protocol, its incrementals from 17 on) and sends the
WAL that the copy needs with it, so that each backup can be restored for itself.
"""

import hashlib
import io
import tarfile
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, cast
from uuid import UUID

import msgspec
import zstandard

from bailee.backup.age import Recipient, encrypt
from bailee.backup.errors import BackupFailed
from bailee.backup.manifest import FORMAT, Index, Manifest, Postgres, StoredObject, prefix_of
from bailee.backup.model import Generation, Kind, Server
from bailee.backup.repository import Repository, lock_all
from bailee.backup.tarindex import TarIndex
from bailee.backup.tools import Source, Tools, last_words
from bailee.backup.volumes import SIZE, Sealer, Volume, give_way, packing

_SEGMENT = 16 * 1024 * 1024
CHUNKS = "chunks"


class Task(msgspec.Struct, frozen=True):
    """One backup to take: what it will be called, and what it rests on."""

    id: UUID
    instance: str
    server: Server
    kind: Kind
    generation: Generation
    parent: UUID | None
    recipients: list[Recipient]
    compression: int
    now: Callable[[], datetime]
    expires: Callable[[datetime], datetime]

    @property
    def prefix(self) -> str:
        return prefix_of(self.server, self.id)

    @property
    def sealer(self) -> Sealer:
        return Sealer(self.recipients, self.compression)


def copy_server(
    task: Task, repository: Repository, tools: Tools, source: Source, major: int, since: bytes | None,
    progress: Callable[[int], None] = lambda _bytes: None,
) -> Manifest:  # fmt: skip
    """A full or incremental backup of a PostgreSQL server; `since` is the manifest of what it rests on.

    Raises BackupFailed, RepositoryUnavailable, StorageFull.
    """
    began_at = task.now()
    index = TarIndex()
    with packing(repository, task.prefix, task.sealer) as packer, NamedTemporaryFile(prefix="bailee-manifest-") as file:
        if since is not None:
            file.write(since)
            file.flush()
        # the pipes are closed when the process has ended
        with tools.start_backup(source, f"bailee {task.id}", Path(file.name) if since is not None else None) as process:
            give_way(process.pid)
            try:
                for volume in _volumes(cast("IO[bytes]", process.stdout)):
                    index.feed(volume)
                    packer.add(volume)
                    progress(len(volume))
                said = cast("IO[bytes]", process.stderr).read().decode(errors="replace")
                if process.wait() != 0:
                    raise BackupFailed(f"pg_basebackup failed: {last_words(said)}")
                volumes = packer.finish()
            finally:
                if process.poll() is None:
                    process.kill()
    if not index.manifest:
        raise BackupFailed("The server sent a backup without its manifest.")
    sealed = _store_index(task, repository, Index(entries=index.entries, manifest=bytes(index.manifest)))
    return _manifest(task, began_at, volumes, sealed, postgres_part(bytes(index.manifest), major))


def copy_objects(task: Task, repository: Repository, directory: Path, base: Index) -> Manifest | None:
    """The objects that are new or changed since `base`, and the names of those gone; None when there are none.

    An object is stored in stretches, each under its SHA-256: what lies in the repository already is not sent again.
    """
    began_at = task.now()
    known = {one.name: one for one in base.objects}
    held = {chunk for one in base.objects for chunk in one.chunks}
    found: list[StoredObject] = []
    seen: set[str] = set()
    sealer = task.sealer
    for path in sorted(directory.rglob("*")):
        try:
            if path.name.startswith(".") or not path.is_file():
                continue
            stat = path.stat()
            name = str(path.relative_to(directory))
            seen.add(name)
            before = known.get(name)
            if before is not None and (before.size, before.modified) == (stat.st_size, stat.st_mtime_ns):
                if task.kind == "full":
                    found.append(before)
                continue
            found.append(_copy_object(repository, sealer, path, name, stat.st_mtime_ns, held))
        except FileNotFoundError:  # deleted meanwhile: its row went before it
            continue
    removed = sorted(known.keys() - seen) if task.kind == "incremental" else []
    if task.kind == "incremental" and not found and not removed:
        return None
    sealed = _store_index(task, repository, Index(objects=found, removed=removed))
    manifest = _manifest(task, began_at, [], sealed)
    lock_all(repository, sorted({chunk_name(chunk) for one in found for chunk in one.chunks}), manifest.expires_at)
    return manifest


def copy_settings(task: Task, repository: Repository, data: Path, names: list[str]) -> Manifest:
    """The files beside the data that a new machine needs: settings, certificates, the root-key file. As one tar."""
    began_at = task.now()
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name in names:
            if (data / name).exists():
                tar.add(data / name, name, filter=_bare)
    index = TarIndex()
    content = target.getbuffer()
    with packing(repository, task.prefix, task.sealer) as packer:
        for start in range(0, len(content), SIZE):
            index.feed(content[start : start + SIZE])
            packer.add(bytes(content[start : start + SIZE]))
        volumes = packer.finish()
    return _manifest(task, began_at, volumes, _store_index(task, repository, Index(entries=index.entries)))


def chunk_name(sha256: str) -> str:
    """Where a stretch of an object lies."""
    return f"{CHUNKS}/{sha256[:2]}/{sha256}.zst.age"


def postgres_part(manifest: bytes, major: int) -> Postgres:
    """What PostgreSQL's backup manifest says of cluster and WAL. Raises BackupFailed."""
    try:
        parsed = msgspec.json.decode(manifest)
        ranges = parsed["WAL-Ranges"][-1]
        system_id = str(parsed["System-Identifier"]) if "System-Identifier" in parsed else ""
        return Postgres(
            major, system_id, ranges["Timeline"], lsn(ranges["Start-LSN"]), lsn(ranges["End-LSN"]), _SEGMENT
        )
    except (msgspec.DecodeError, KeyError, IndexError, ValueError):
        raise BackupFailed("The server's backup manifest cannot be read.") from None


def lsn(text: str) -> int:
    """A log sequence number as PostgreSQL writes it, as a number. Raises ValueError."""
    high, _, low = text.partition("/")
    return int(high, 16) << 32 | int(low, 16)


def lsn_text(value: int) -> str:
    """The other way."""
    return f"{value >> 32:X}/{value & 0xFFFFFFFF:X}"


def _volumes(stream: IO[bytes]) -> Iterator[memoryview]:
    """The stream in pieces of one volume's size; the last is shorter."""
    while True:
        volume = memoryview(bytearray(SIZE))
        filled = 0
        while filled < SIZE:
            count = cast("io.RawIOBase", stream).readinto(volume[filled:])
            if not count:
                if filled:
                    yield volume[:filled]
                return
            filled += count
        yield volume


def _copy_object(
    repository: Repository, sealer: Sealer, path: Path, name: str, modified: int, held: set[str]
) -> StoredObject:
    size, chunks = 0, []
    with path.open("rb") as file:
        while stretch := file.read(SIZE):
            digest = hashlib.sha256(stretch).hexdigest()
            if digest not in held:
                repository.put(chunk_name(digest), sealer.seal(stretch))
                held.add(digest)
            chunks.append(digest)
            size += len(stretch)
    return StoredObject(name, size, modified, chunks)


def _store_index(task: Task, repository: Repository, index: Index) -> Volume:
    raw = msgspec.msgpack.encode(index)
    sealed = encrypt(zstandard.ZstdCompressor(level=task.compression).compress(raw), task.recipients)
    repository.put(f"{task.prefix}/index.zst.age", sealed)
    return Volume(hashlib.sha256(sealed).hexdigest(), len(sealed), len(raw))


def _manifest(
    task: Task, began_at: datetime, volumes: list[Volume], index: Volume, postgres: Postgres | None = None
) -> Manifest:
    taken_at = max(task.now(), began_at)
    return Manifest(
        FORMAT, task.id, task.instance, task.server, task.kind, task.generation, task.parent, began_at, taken_at,
        task.expires(taken_at), [str(one) for one in task.recipients], volumes, index, postgres,
    )  # fmt: skip


def _bare(info: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Without whom it belonged to; and no links out of the tree."""
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    return info if info.isfile() or info.isdir() else None
