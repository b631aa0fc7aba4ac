"""The second place: everything in the repository, copied as it is. Copying needs no key, and reads nothing.

Where the second place locks objects, a backup is locked when it is whole there, and before it counts as copied.
"""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import anyio.to_thread
import structlog

from bailee.backup.backups import Backups
from bailee.backup.copying import chunk_name
from bailee.backup.errors import BackupDamaged
from bailee.backup.journal import ROOT as JOURNAL
from bailee.backup.manifest import ROOT, prefix_of
from bailee.backup.model import POSTGRES, Backup
from bailee.backup.repository import Repository, lock_all
from bailee.backup.schedule import wal_keep
from bailee.backup.store import catalogue
from bailee.backup.wal import ROOT as WAL
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database

log = structlog.get_logger()


class Copies:
    """Brings the off-site repository up to the first."""

    def __init__(self, database: Database, backups: Backups, offsite: Repository | None, clock: Clock) -> None:
        self._database = database
        self._backups = backups
        self._clock = clock
        self.offsite = offsite

    async def bring(self) -> int:
        """Copies what is missing there, a backup's manifest after all that it names; answers how many objects."""
        offsite = self.offsite
        if offsite is None:
            return 0
        keep = self._lock_stream if offsite.locks else _leave
        count, complete = await anyio.to_thread.run_sync(_bring, self._backups.place.repository, offsite, keep)
        async with self._database.operator_read() as reader:
            new = await catalogue.list_uncopied(reader, complete)
        for backup in new if offsite.locks else []:
            await self._lock(offsite, backup)
        async with self._database.operator() as tx:
            await catalogue.mark_copied(tx, [one.id for one in new])
        if count:
            log.info("copied off site", objects=count)
        return count

    async def _lock(self, offsite: Repository, backup: Backup) -> None:
        """Everything that a whole backup consists of, until it expires."""
        if backup.expires_at is None:
            return
        index = await self._backups.listing(backup) if backup.server == "objects" else None
        chunks = sorted({chunk_name(chunk) for one in index.objects for chunk in one.chunks} if index else ())
        names = [one.name for one in offsite.list(prefix_of(backup.server, backup.id))]
        await anyio.to_thread.run_sync(lock_all, offsite, [*chunks, *names], backup.expires_at)

    def _lock_stream(self, name: str) -> None:
        """An object that belongs to no backup: WAL, or a part of the journal."""
        root, server = name.split("/")[:2]
        if root == JOURNAL:
            kept = timedelta(days=self._backups.settings.main.longest_days)
        elif root == WAL and server in POSTGRES:
            kept = wal_keep(self._backups.rotation(server))
        else:
            return
        if self.offsite is not None:
            self.offsite.lock(name, self._clock.now() + kept)


def _leave(_name: str) -> None:
    """Where nothing is locked."""


def _bring(source: Repository, target: Repository, keep: Callable[[str], None]) -> tuple[int, list[UUID]]:
    there = {one.name: one.size for one in target.list("")}
    missing = [one.name for one in source.list("") if there.get(one.name) != one.size]
    # Within a backup the manifest goes last, and what several backups share goes before all of them.
    missing.sort(key=lambda name: (name.startswith(f"{ROOT}/"), name.endswith("/manifest.json"), name))
    copied = 0
    for name in missing:
        try:
            content = source.get(name)
        except BackupDamaged:  # its time was up, or a whole segment has taken its place
            continue
        target.put(name, content)
        keep(name)
        there[name] = len(content)
        copied += 1
    complete = [
        UUID(name.split("/")[-2]) for name in there if name.startswith(f"{ROOT}/") and name.endswith("/manifest.json")
    ]
    return copied, complete
