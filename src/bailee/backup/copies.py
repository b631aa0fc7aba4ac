"""The second place: everything in the repository, copied as it is. It needs no key, and cannot read what it copies."""

from uuid import UUID

import anyio.to_thread
import structlog

from bailee.backup.backups import Backups
from bailee.backup.errors import BackupDamaged
from bailee.backup.manifest import ROOT
from bailee.backup.repository import Repository
from bailee.backup.store import catalogue
from bailee.foundation.database import Database

log = structlog.get_logger()


class Copies:
    """Brings the off-site repository up to the first."""

    def __init__(self, database: Database, backups: Backups, offsite: Repository | None) -> None:
        self._database = database
        self._backups = backups
        self.offsite = offsite

    async def bring(self) -> int:
        """Copies what is missing there, a backup's manifest after all that it names; answers how many objects."""
        offsite = self.offsite
        if offsite is None:
            return 0
        count, complete = await anyio.to_thread.run_sync(_bring, self._backups.place.repository, offsite)
        async with self._database.operator() as tx:
            await catalogue.mark_copied(tx, complete)
        if count:
            log.info("copied off site", objects=count)
        return count


def _bring(source: Repository, target: Repository) -> tuple[int, list[UUID]]:
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
        there[name] = len(content)
        copied += 1
    complete = [
        UUID(name.split("/")[-2]) for name in there if name.startswith(f"{ROOT}/") and name.endswith("/manifest.json")
    ]
    return copied, complete
