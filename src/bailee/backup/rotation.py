"""Rotation: backups go when their time is up, and not before; and what still holds something, until when (TOM 11.2).

The newest backup of a server stays until there is a newer one: a clock that leaps ahead takes old ones alone.

Deleting, and what a crash leaves: 1. the manifest: from here the backup does not exist. 2. the rest of it; what a crash
leaves of that has no manifest, and is swept away after a day. 3. the catalogue. The next round does all again.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import anyio.to_thread
import msgspec
import structlog

from bailee.backup.backups import Backups
from bailee.backup.copying import CHUNKS
from bailee.backup.discovering import Discovery
from bailee.backup.manifest import ROOT, prefix_of
from bailee.backup.model import POSTGRES, SERVERS, Backup, Server
from bailee.backup.repository import Repository
from bailee.backup.schedule import wal_keep
from bailee.backup.store import catalogue
from bailee.backup.wal import ROOT as WAL
from bailee.backup.wal import list_stretches
from bailee.events import Events, verb
from bailee.events.catalogue import BackupsExpired
from bailee.events.verbs import SYSTEM
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database, OperatorReader, OperatorWriter
from bailee.foundation.principal import Principal

log = structlog.get_logger()

_ORPHAN = timedelta(days=1)
_FAILED_KEPT = timedelta(days=30)
_SERVERS: dict[str, Literal["main", "keyring", "objects"]] = {
    "main": "main", "keyring": "keyring", "objects": "objects",
}  # fmt: skip


class HeldBackup(msgspec.Struct, frozen=True):
    """A backup that still holds something, or the WAL of a server (`kind` is "wal", without an id of its own)."""

    id: UUID | None
    server: Literal["main", "keyring", "objects"]
    kind: str
    taken_at: datetime
    expires_at: datetime


class Holding(msgspec.Struct, frozen=True):
    """Which backups hold what lived in a stretch of time; None where none does.

    `unreadable_from`: when the last keyring from then is gone, and nothing can be decrypted any more, wherever it lies.
    `gone_by`: when the last of all is.
    """

    backups: list[HeldBackup]
    unreadable_from: datetime | None
    gone_by: datetime | None


class Rotation:
    """Deletes what has had its time, and tells the dates."""

    def __init__(
        self, database: Database, backups: Backups, discovery: Discovery, offsite: Repository | None, events: Events,
        clock: Clock,
    ) -> None:  # fmt: skip
        self._database = database
        self._backups = backups
        self._discovery = discovery
        self._repositories = [backups.place.repository, *([offsite] if offsite else [])]
        self._events = events
        self._clock = clock

    # --- dates ----------------------------------------------------------------------------------------

    async def holding(self, tx: OperatorReader, *, since: datetime, until: datetime) -> Holding:
        """Which backups hold something that was there from `since` until `until`, when it was deleted."""
        now = self._clock.now()
        found = [
            HeldBackup(one.id, _SERVERS[one.server], one.kind, one.taken_at, one.expires_at)
            for one in await catalogue.list_holding(tx, since, until)
            if one.taken_at is not None and one.expires_at is not None
        ]
        for server in POSTGRES:
            # WAL of a moment is kept for its window; what was written up to the deletion names what was there.
            expires = until + wal_keep(self._backups.rotation(server))
            if server in self._backups.servers and found and expires > now:
                found.append(HeldBackup(None, server, "wal", until, expires))
        found.sort(key=lambda one: (one.expires_at, one.server), reverse=True)
        keyring = [one.expires_at for one in found if one.server == "keyring"]
        return Holding(found, max(keyring, default=None), max((one.expires_at for one in found), default=None))

    async def overdue(self, tx: OperatorReader) -> list[HeldBackup]:
        """Backups that are past their date and still there."""
        return [
            HeldBackup(one.id, _SERVERS[one.server], one.kind, one.taken_at, one.expires_at)
            for one in await catalogue.list_overdue(tx, self._clock.now())
            if one.taken_at is not None and one.expires_at is not None and one.server in _SERVERS
        ]

    # --- deleting -------------------------------------------------------------------------------------

    async def expire(self, *, by: Principal) -> int:
        """Deletes what has had its time in every repository: backups, WAL, stretches of objects; answers how many."""
        count = 0
        async with self._database.operator_read() as tx:
            due = await catalogue.list_overdue(tx, self._clock.now())
        for backup in due:
            async with self._database.operator_read() as tx:
                carries = await catalogue.count_resting_on(tx, backup.id)
                newest = next(iter(await catalogue.list_complete(tx, backup.server)), backup)
            if newest.id == backup.id:  # no newer one could be taken, or the clock has leapt: it goes when there is one
                log.warning("the newest backup is past its date", server=backup.server, backup=str(backup.id))
            elif carries:  # the settings were shortened meanwhile; it goes with the last that rests on it
                log.warning("a backup past its date carries others", backup=str(backup.id), others=carries)
            elif await anyio.to_thread.run_sync(self._delete, backup):
                async with self._database.operator() as tx:
                    await self._note(tx, backup.server, [backup.id], by=by)
                count += 1
        for server in POSTGRES:
            gone = await anyio.to_thread.run_sync(self._expire_wal, server)
            if gone:
                async with self._database.operator() as tx:
                    await self._events.record(tx, BackupsExpired("wal", gone), by=by)
        return count

    @verb(BackupsExpired, permission=SYSTEM)
    async def _note(self, tx: OperatorWriter, server: Server, ids: list[UUID], *, by: Principal) -> None:
        await catalogue.expire(tx, ids)
        await self._events.record(tx, BackupsExpired(server, len(ids)), by=by)

    def _delete(self, backup: Backup) -> bool:
        """Whether it is gone everywhere; a store may keep it locked for longer."""
        gone = [_delete_backup(one, prefix_of(backup.server, backup.id)) for one in self._repositories]
        return all(gone)

    def _expire_wal(self, server: Literal["main", "keyring"]) -> int:
        limit = self._clock.now() - wal_keep(self._backups.rotation(server))
        gone = 0
        for repository in self._repositories:
            for one in list_stretches(repository, f"{WAL}/{server}"):
                if one.stored.stored_at < limit and repository.delete(one.stored.name):
                    gone += 1
        return gone

    async def sweep(self) -> None:
        """Removes what belongs to no backup: of crashes, and stretches of objects that no listing names; and forgets
        backups that failed long ago.
        """
        async with self._database.operator() as tx:
            await catalogue.forget_failed(tx, self._clock.now() - _FAILED_KEPT)
        async with self._backups.alone("objects") as free:
            if free:  # else a backup is counting on stretches that its base names
                await self._sweep()

    async def _sweep(self) -> None:
        before = self._clock.now() - _ORPHAN
        needed = await self._discovery.named_chunks(self._repositories)

        def run() -> None:
            for repository in self._repositories:
                for prefix in _unfinished(repository, before):
                    _delete_backup(repository, prefix)
                for stored in repository.list(CHUNKS):
                    if stored.name not in needed and stored.stored_at < before:
                        repository.delete(stored.name)

        await anyio.to_thread.run_sync(run)


def _delete_backup(repository: Repository, prefix: str) -> bool:
    names = [one.name for one in repository.list(prefix)]
    names.sort(key=lambda name: not name.endswith("/manifest.json"))
    gone = [repository.delete(name) for name in names]
    return all(gone)


def _unfinished(repository: Repository, before: datetime) -> Sequence[str]:
    """Prefixes of backups without a manifest that were last written to long ago."""
    newest: dict[str, datetime] = {}
    complete = set()
    for server in SERVERS:
        for one in repository.list(f"{ROOT}/{server}"):
            prefix = one.name.rpartition("/")[0]
            newest[prefix] = max(newest.get(prefix, one.stored_at), one.stored_at)
            if one.name.endswith("/manifest.json"):
                complete.add(prefix)
    return [prefix for prefix, moment in newest.items() if prefix not in complete and moment < before]
