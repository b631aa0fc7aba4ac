"""What lies in the repositories, whether or not the catalogue knows of it."""

from collections.abc import Sequence
from uuid import UUID

import anyio.to_thread
import structlog

from bailee.backup.backups import Backups
from bailee.backup.copying import chunk_name
from bailee.backup.errors import BackupDamaged
from bailee.backup.manifest import Manifest, list_backups, read_manifest, read_signed
from bailee.backup.model import SERVERS, Server
from bailee.backup.repository import Repository
from bailee.backup.store import catalogue
from bailee.events import Events, Object, verb
from bailee.events.catalogue import BackupFound
from bailee.events.verbs import SYSTEM
from bailee.foundation.database import Database, OperatorWriter
from bailee.foundation.principal import Principal

log = structlog.get_logger()


class Discovery:
    """Finds backups that nobody noted, and what the listings of all of them name."""

    def __init__(self, database: Database, backups: Backups, events: Events) -> None:
        self._database = database
        self._backups = backups
        self._events = events

    async def discover(self, *, by: Principal) -> int:
        """Takes whole backups into the catalogue that it does not know: those whose process ended before it noted them,
        and those from after the moment to which this instance was restored. Else nobody would delete them.
        """
        count = 0
        for server in SERVERS:
            async with self._backups.alone(server) as free:
                found = (
                    await anyio.to_thread.run_sync(list_backups, self._backups.place.repository, server) if free else []
                )
                async with self._database.operator_read() as reader:
                    known = set(await catalogue.list_known(reader, found))
                for backup_id in found:
                    if backup_id not in known:
                        count += await self._take_in(server, backup_id, by)
        return count

    async def _take_in(self, server: Server, backup_id: UUID, by: Principal) -> int:
        try:
            manifest, digest = await anyio.to_thread.run_sync(
                read_signed, self._backups.place.repository, server, backup_id, self._backups.place.signer.verifiers
            )
        except BackupDamaged as error:
            log.warning("a backup that nobody knows cannot be read", backup=str(backup_id), reason=error.detail)
            return 0
        async with self._database.operator() as tx:
            await self._note_found(tx, manifest, digest, by=by)
        return 1

    async def named_chunks(self, repositories: Sequence[Repository]) -> set[str]:
        """The stretches of objects that any listing in these repositories names: also listings that this instance does
        not know, for another may work beside it that was restored from it. Raises BackupDamaged.
        """
        needed: set[str] = set()
        seen: set[UUID] = set()
        for repository in repositories:
            for backup_id in await anyio.to_thread.run_sync(list_backups, repository, "objects"):
                if backup_id in seen:
                    continue
                seen.add(backup_id)
                manifest = await anyio.to_thread.run_sync(
                    read_manifest, repository, "objects", backup_id, self._backups.place.signer.verifiers
                )
                index = await self._backups.open_index(manifest, repository)
                needed |= {chunk_name(chunk) for stored in index.objects for chunk in stored.chunks}
        return needed

    @verb(BackupFound, permission=SYSTEM)
    async def _note_found(self, tx: OperatorWriter, manifest: Manifest, digest: str, *, by: Principal) -> None:
        await catalogue.insert_found(tx, manifest)
        await catalogue.complete_backup(tx, manifest, digest)
        details = BackupFound(manifest.server, manifest.kind, manifest.generation.value, digest)
        await self._events.record(tx, details, by=by, on=Object("backup", str(manifest.id)))
