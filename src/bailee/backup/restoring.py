"""Restoring: into a new directory, server by server, up to a running cluster.

What is durable after each step, and what a crash leaves:

1. the mark: the directory is unfinished, and nothing starts in it. A crash from here on leaves a directory that
   only a new restore (into another one) makes good.
2. the data directories, joined from full and incremental backups; the WAL beside them; objects and settings.
3. recovery: PostgreSQL replays the WAL up to the moment and opens a new timeline.
4. the replay of what must survive (see `replay.py`), in the restored instance itself.
5. what the data directories were joined from is removed, and the mark: the copy is open.
"""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from uuid import UUID

import msgspec
import structlog

from bailee.backup.copying import chunk_name
from bailee.backup.errors import BackupDamaged, RestoreRefused
from bailee.backup.extracting import Progress, extract, quiet
from bailee.backup.manifest import Index, Manifest, StoredObject
from bailee.backup.planning import Access, RestorePlan, ServerPlan, plan_server
from bailee.backup.settling import leave_configuration, settle
from bailee.backup.tools import Tools
from bailee.backup.volumes import unseal
from bailee.backup.wal import WalDamaged, fetch_segments
from bailee.foundation.cluster import UNFINISHED, Cluster, SystemAccount
from bailee.foundation.errors import ConfigurationError, StorageFull
from bailee.foundation.postgresql import Programs

log = structlog.get_logger()

_ROOM = 1.1
_RECOVERY_SECONDS = 24 * 3600
_ENDED_BEFORE = "recovery ended before configured recovery target was reached"


class Target(msgspec.Struct, frozen=True):
    """Where a copy is made, with whose programs and as which account."""

    directory: Path
    programs: Programs
    account: SystemAccount

    def cluster(self, plan: ServerPlan) -> Cluster:
        return Cluster(plan.server, self.directory / plan.server, self.programs.of(plan.major), self.account)


def begin(target: Target, plan: RestorePlan) -> None:
    """Step 1. Raises RestoreRefused for a directory that is not empty, programs that lack, or too little room."""
    for one in (plan.main, plan.keyring):
        try:
            target.programs.of(one.major)
        except ConfigurationError as error:
            raise RestoreRefused(f"The backup of {one.server} is of PostgreSQL {one.major}. {error.detail}") from None
    directory = target.directory
    if directory.exists() and any(directory.iterdir()):
        raise RestoreRefused(f"{directory} is not empty. Restore into a new directory: what is there is not touched.")
    try:
        directory.mkdir(mode=0o711, parents=True, exist_ok=True)
        directory.chmod(0o711)
    except OSError as error:
        raise RestoreRefused(f"{directory} cannot be made: {error.strerror}.") from None
    _verify_room(
        directory,
        sum(one.plain + _joining(target, one) + one.wal_end - _start_lsn(one) for one in (plan.main, plan.keyring)),
    )
    (directory / UNFINISHED).write_text("bailee restore 1\n")


def _joining(target: Target, plan: ServerPlan) -> int:
    """How many bytes it takes, beside them, to join backups that rest on each other."""
    copied = len(plan.chain) > 1 and not Tools(target.programs.of(plan.major)).links
    return plan.chain[0].plain if copied else 0


def restore_server(access: Access, plan: ServerPlan, target: Target, progress: Progress = quiet) -> ServerPlan:
    """Step 2 for one server: its data directory, and the WAL to replay beside it. Answers the plan that was followed.

    A damaged backup is passed over: an older one with more WAL leads to the same state. Where the newest state there is
    was wanted and WAL is damaged, the copy ends there. A restore to a named point, as drills make it, passes nothing
    over. Raises BackupDamaged, RestoreRefused, StorageFull.
    """
    while True:
        try:
            with _room_told():
                _lay_parts(access, plan, target, progress)
                return _lay_wal(access, plan, target)
        except _Damaged as error:
            if plan.target:
                raise
            log.warning("a backup is damaged and passed over", server=plan.server, reason=error.detail)
            try:
                plan = plan_server(access, plan.server, plan.at, without=plan.without | {error.backup})
            except RestoreRefused:
                raise error from None
            for path in _made_for(target, plan.server):
                shutil.rmtree(path, ignore_errors=True)


class _Damaged(BackupDamaged):
    """One backup of several is."""

    def __init__(self, detail: str, backup: UUID) -> None:
        super().__init__(detail)
        self.backup = backup


def _lay_parts(access: Access, plan: ServerPlan, target: Target, progress: Progress) -> None:
    """The data directory, joined from what the backups hold."""
    directory = target.directory / plan.server
    parts = [directory] if len(plan.chain) == 1 else [
        target.directory / f"{plan.server}.part{number}" for number in range(len(plan.chain))
    ]  # fmt: skip
    for manifest, part in zip(plan.chain, parts, strict=True):
        try:
            extract(access, manifest, part, progress)
        except BackupDamaged as error:
            raise _Damaged(error.detail, manifest.id) from None
    if len(parts) > 1:
        Tools(target.programs.of(plan.major)).combine(parts, directory)


def _lay_wal(access: Access, plan: ServerPlan, target: Target) -> ServerPlan:
    """The WAL; answers the plan, shorter where it is damaged and what was wanted lies before."""
    place = _wal_directory(target, plan.server)
    place.mkdir(mode=0o700)
    while True:
        try:
            fetch_wal(access, plan, place, _start_lsn(plan), plan.wal_end)
        except WalDamaged as error:
            shorter = plan.ending(error.reached)
            if plan.target or (plan.at is not None and shorter.until < plan.at):
                raise
            log.warning("damaged wal is passed over", server=plan.server, reason=error.detail)
            plan = shorter
        else:
            return plan


def fetch_wal(access: Access, plan: ServerPlan, place: Path, start: int, end: int) -> None:
    """The WAL of [start, end), as files for the server to take. Raises BackupDamaged."""
    part = plan.newest.postgres
    if part is None or end <= start:
        return
    for name, content in fetch_segments(
        access.repository, plan.stretches, part.timeline, start, end, access.identities, access.verifiers
    ):
        (place / name).write_bytes(content)


def _fetch_rest(access: Access, plan: ServerPlan, place: Path) -> ServerPlan:
    """The WAL that was left out at first, as far as it is sound; answers the plan with it."""
    with _room_told():
        try:
            fetch_wal(access, plan, place, plan.wal_end, plan.wal_all)
        except WalDamaged as error:
            plan = plan.ending(max(error.reached, plan.wal_end))
            if plan.at is not None and plan.until < plan.at:
                raise
            fetch_wal(access, plan, place, plan.wal_end, plan.wal_all)
    return msgspec.structs.replace(plan, wal_end=plan.wal_all)


def recover(access: Access, plan: ServerPlan, target: Target) -> Cluster:
    """Step 3: starts the server, lets it replay the WAL up to the moment, and answers it running.

    Raises RestoreRefused when the server does not get there.
    """
    cluster = target.cluster(plan)
    part = plan.newest.postgres
    foreign = part is not None and part.foreign
    if foreign:
        leave_configuration(cluster.directory)
    for lock in cluster.directory.glob(".s.PGSQL.*.lock"):  # our sockets lie in the cluster, and their locks with them
        lock.unlink()
    for old in (cluster.directory / "log").glob("*.log"):  # what is read below is of this start
        old.unlink()
    cluster.adopt(cluster.directory)
    wal = _wal_directory(target, plan.server)
    cluster.adopt(wal)
    (cluster.directory / "recovery.signal").touch(mode=0o600)
    cluster.adopt(cluster.directory / "recovery.signal")
    options = {"restore_command": f"cp ../{wal.name}/%f %p", "recovery_target_action": "promote", "hot_standby": "off",
               "recovery_target_timeline": "current"}  # fmt: skip
    aimed = dict(options)
    if plan.target:
        aimed["recovery_target_name"] = plan.target
    elif plan.at is not None:
        aimed["recovery_target_time"] = plan.at.astimezone(UTC).isoformat()
    start = cluster.replay if foreign else cluster.start
    try:
        start(aimed, seconds=_RECOVERY_SECONDS)
    except ConfigurationError as error:
        if plan.at is None or not _said(cluster, _ENDED_BEFORE):
            raise RestoreRefused(f"{plan.server} did not recover: {error.detail}") from None
        if plan.wal_end < plan.wal_all:  # the moment lies further on than it seemed: the server goes on from there
            return recover(access, _fetch_rest(access, plan, wal), target)
        # Nothing was committed between the last of the WAL and the moment: its end is the state of the moment.
        start(options, seconds=_RECOVERY_SECONDS)
    if part is not None and foreign:
        settle(cluster, part.database)
    return cluster


def restore_objects(
    access: Access, listing: Index, directory: Path, progress: Progress = quiet
) -> list[str]:  # fmt: skip
    """The objects, each verified against its hashes. Answers the names of those that are damaged and left out: one file
    that is lost does not keep everything else away. Raises RestoreRefused, StorageFull.
    """
    _verify_room(directory.parent, sum(one.size for one in listing.objects))
    damaged = []
    with _room_told():
        for stored in listing.objects:
            path = directory / stored.name
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                _restore_object(access, stored, path, progress)
            except BackupDamaged as error:
                log.warning("an object is damaged and left out", object=stored.name, reason=error.detail)
                path.unlink()
                damaged.append(stored.name)
    return damaged


def _restore_object(access: Access, stored: StoredObject, path: Path, progress: Progress) -> None:
    with open(path, "xb", opener=_private) as file:
        for digest in stored.chunks:
            content = unseal(access.repository.get(chunk_name(digest)), access.identities)
            if hashlib.sha256(content).hexdigest() != digest:
                raise BackupDamaged(f"{chunk_name(digest)} holds something else than its name says.")
            file.write(content)
            progress(len(content))
        if file.tell() != stored.size:
            raise BackupDamaged(f"The object {stored.name} is not as long as it was.")


def restore_settings(access: Access, manifest: Manifest, directory: Path) -> None:
    """Settings, certificates and root-key file, as far as they are not there. Raises BackupDamaged, KeyRefused."""
    extract(access, manifest, directory)


def complete(target: Target) -> None:
    """Step 5."""
    for server in ("main", "keyring"):
        for path in _made_for(target, server)[1:]:
            shutil.rmtree(path, ignore_errors=True)
    (target.directory / UNFINISHED).unlink()
    handle = os.open(target.directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def destroy(target: Target) -> None:
    """Removes a scratch copy, whole."""
    shutil.rmtree(target.directory, ignore_errors=True)


def _verify_room(directory: Path, needed: int) -> None:
    free = shutil.disk_usage(directory).free
    if needed * _ROOM > free:
        raise RestoreRefused(
            f"The restore needs about {needed * _ROOM / 1e9:.1f} GB in {directory}, and {free / 1e9:.1f} GB are free."
        )


def _wal_directory(target: Target, server: str) -> Path:
    return target.directory / f"{server}.wal"


def _made_for(target: Target, server: str) -> list[Path]:
    """The data directory of a server, and what was made beside it."""
    parts = sorted(target.directory.glob(f"{server}.part*"))
    return [target.directory / server, _wal_directory(target, server), *parts]


def _start_lsn(plan: ServerPlan) -> int:
    return plan.newest.postgres.stop_lsn if plan.newest.postgres else plan.wal_end


def _said(cluster: Cluster, text: str) -> bool:
    for file in (cluster.directory / "log").glob("*.log"):
        with contextlib.suppress(OSError):
            if text in file.read_text(errors="replace"):
                return True
    return False


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


@contextlib.contextmanager
def _room_told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageFull(f"The copy could not be written ({error.strerror}); it is not complete.") from error
