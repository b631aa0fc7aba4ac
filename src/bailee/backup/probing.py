"""Looks at the repository from outside, for the checks: does it take in time, does it hold nothing in the clear, and
does it keep what is locked.
"""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from bailee.backup.age import Identity
from bailee.backup.buckets import LockedBucket
from bailee.backup.copying import lsn
from bailee.backup.manifest import Index, Manifest
from bailee.backup.repository import Repository
from bailee.backup.servers import identify, session
from bailee.backup.tools import Source
from bailee.backup.volumes import unseal, volume_name
from bailee.backup.wal import SEGMENT, covered_to, list_stretches, prefix_of
from bailee.foundation.ids import new_id

_ENCRYPTED = b"age-encryption.org/v1\n"
_OPEN = ("/manifest.json", "/manifest.sig")
_POLL = 0.25
_MOST = 400
_PROBES = "probes"
_PROBE_LOCK = timedelta(minutes=1)


class Probed(msgspec.Struct, frozen=True):
    """How long a write took into the repository; None when it was not there in time."""

    seconds: float | None


class Sample(msgspec.Struct, frozen=True):
    """What was looked into, what was not encrypted, and where a marker stood in the clear."""

    objects: int
    bytes: int
    bare: list[str]
    marked: list[str]
    proven: bool


def probe_wal(source: Source, repository: Repository, limit: float) -> Probed:
    """Writes a message to the server's WAL, and looks into the repository until it has it. Raises BackupFailed."""
    now = identify(source)
    with session(source) as connection:
        row = connection.execute("SELECT pg_logical_emit_message(true, 'bailee', 'probe')").fetchone()
        flushed = connection.execute("SELECT pg_current_wal_flush_lsn()").fetchone()
    wanted = max(lsn(str(row[0])) if row else 0, lsn(str(flushed[0])) if flushed else 0)
    started = time.monotonic()
    prefix = prefix_of(source.name, now.system_id, now.timeline)
    start = wanted // SEGMENT * SEGMENT
    while True:
        if covered_to(list_stretches(repository, prefix), now.timeline, start) >= wanted:
            return Probed(time.monotonic() - started)
        if time.monotonic() - started > limit:
            return Probed(None)
        time.sleep(_POLL)


def probe_lock(repository: LockedBucket, newest: Sequence[Manifest]) -> str:
    """Stores an object, locks it for a minute, and tries to delete it; looks whether the newest backups are locked
    until they expire. What is wrong, or nothing. Raises BackupDamaged, RepositoryUnavailable.
    """
    for old in list(repository.list(_PROBES)):
        repository.delete(old.name)
    name = f"{_PROBES}/{new_id()}"
    repository.put(name, b"May this be deleted?")
    repository.lock(name, datetime.now(UTC) + _PROBE_LOCK)
    if repository.delete(name):
        return f"{repository.place} deleted an object that was locked"
    for manifest in newest:
        until = repository.locked_until(f"{manifest.prefix}/manifest.json")
        if until is None or until < manifest.expires_at - _PROBE_LOCK:
            return f"backup {manifest.id} is not locked until it expires"
    return ""


def sample_objects(repository: Repository, manifests: Sequence[Manifest], identity: Identity, marker: bytes) -> Sample:
    """Reads the objects of these backups, or the newest of many, as somebody would who has stolen them."""
    objects = size = 0
    bare: list[str] = []
    marked: list[str] = []
    proven = True
    for manifest in manifests:
        for stored in list(repository.list(manifest.prefix))[-_MOST:]:
            content = repository.get(stored.name)
            objects, size = objects + 1, size + len(content)
            if not content.startswith(_ENCRYPTED) and not stored.name.endswith(_OPEN):
                bare.append(stored.name)
            if marker in content or marker.hex().encode() in content:
                marked.append(stored.name)
        proven = proven and _is_what_it_should_be(repository, manifest, identity)
    return Sample(objects, size, bare, marked, proven)


def _is_what_it_should_be(repository: Repository, manifest: Manifest, identity: Identity) -> bool:
    """With the key the same objects open, and hold a cluster's files, or a listing."""
    if manifest.volumes:
        return b"backup_label" in unseal(repository.get(volume_name(manifest.prefix, 0)), [identity])[: 1 << 20]
    raw = unseal(repository.get(f"{manifest.prefix}/index.zst.age"), [identity])
    return bool(msgspec.msgpack.decode(raw, type=Index))
