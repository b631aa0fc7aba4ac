"""Taking backups, one server at a time: what is due, the copying, and the record of it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import anyio.to_thread
import msgspec
import structlog

from bailee.backup.age import Recipient
from bailee.backup.copying import Task, copy_objects, copy_server, copy_settings
from bailee.backup.errors import BackupDamaged, BackupFailed
from bailee.backup.keys import BackupKeys
from bailee.backup.manifest import (
    Index,
    Manifest,
    merged,
    read_manifest,
    write_manifest,
)
from bailee.backup.model import POSTGRES, SERVERS, Backup, Generation, Server
from bailee.backup.planning import Access, open_index
from bailee.backup.repository import Repository
from bailee.backup.schedule import RECENT, Plan, anew, credible, expiry, plan, planned
from bailee.backup.servers import Identified, identify, verify_fit
from bailee.backup.store import catalogue
from bailee.backup.tools import Source, Tools
from bailee.events import Events, Object, verb
from bailee.events.catalogue import BackupAsked, BackupFailedToRun, BackupTaken, BackupVerificationAsked
from bailee.events.verbs import SYSTEM
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database, OperatorReader, OperatorWriter
from bailee.foundation.errors import Conflict, Error, FieldError, Invalid, NotFound
from bailee.foundation.ids import new_id
from bailee.foundation.jobs import Jobs
from bailee.foundation.postgresql import Programs
from bailee.foundation.principal import Principal
from bailee.foundation.settings import BackupSettings, RotationSettings
from bailee.ledger.note import Signer

log = structlog.get_logger()

TAKE_JOB, VERIFY_JOB = "backup.take", "backup.verify_all"
_LOCKS = {server: 0x62616B00 + number for number, server in enumerate(SERVERS)}
_SETTINGS_FILES = ["bailee.toml", "root.key", "tls"]
_LONGEST = timedelta(hours=12)
"""What is said to run for longer has died, and is found to be dead by the next of its kind."""
_DIED = "The process that took it ended."

type Progress = Callable[[int], None]


class Place(msgspec.Struct, frozen=True):
    """What backups work with: the servers, PostgreSQL's programs, the repository, and where our own files are."""

    data: Path
    sources: dict[str, Source]
    programs: Programs
    repository: Repository
    signer: Signer


class Backups:
    """Takes them, and knows which there are."""

    def __init__(
        self, database: Database, place: Place, keys: BackupKeys, events: Events, jobs: Jobs,
        settings: BackupSettings, clock: Clock,
    ) -> None:  # fmt: skip
        self._database = database
        self.place = place
        self._keys = keys
        self._events = events
        self._jobs = jobs
        self.settings = settings
        self._clock = clock

    def rotation(self, server: Server) -> RotationSettings:
        """How the backups of a server are kept."""
        return self.settings.keyring if server == "keyring" else self.settings.main

    @property
    def servers(self) -> list[Server]:
        """What can be backed up here: a server only where there is a login for it."""
        return [one for one in SERVERS if one not in POSTGRES or one in self.place.sources]

    # --- asking -------------------------------------------------------------------------------------

    @verb(BackupAsked, permission="backups.take")
    async def ask(self, tx: OperatorWriter, server: str, *, by: Principal) -> None:
        """Has a worker take a backup now, beside those that are due by themselves. Raises Invalid, Conflict."""
        if server not in self.servers:
            choose = f"Choose one of {', '.join(self.servers)}."
            raise Invalid("There is no such server.", errors=[FieldError("server", choose)])
        if await self._keys.recovery_recipient(tx) is None:
            raise Conflict("There is no recovery key yet. Make one first, and lock the recovery kit away.")
        await self._jobs.enqueue(tx, TAKE_JOB, lock=f"backup:{server}", server=server)
        await self._events.record(tx, msgspec.convert({"server": server}, BackupAsked), by=by)

    @verb(BackupVerificationAsked, permission="backups.verify")
    async def ask_verification(self, tx: OperatorWriter, *, by: Principal) -> None:
        """Has a worker read everything again that lies in the repository."""
        await self._jobs.enqueue(tx, VERIFY_JOB, lock="backup:verify")
        await self._events.record(tx, BackupVerificationAsked(), by=by)

    async def page(
        self, tx: OperatorReader, *, server: str | None = None, before: UUID | None = None, limit: int = 100,
        looks: bool = True,
    ) -> list[Backup]:  # fmt: skip
        """Newest first; `looks`: those of the objects too that stand for a minute alone."""
        return await catalogue.list_backups(tx, server=server, before=before, limit=limit, looks=looks)

    async def get(self, tx: OperatorReader, backup_id: UUID) -> Backup:
        """Raises NotFound."""
        found = await catalogue.find_backup(tx, backup_id)
        if found is None:
            raise NotFound
        return found

    async def newest(self, tx: OperatorReader) -> dict[Server, Backup | None]:
        """The newest backup of each server that can be restored."""
        return {server: next(iter(await catalogue.list_complete(tx, server)), None) for server in self.servers}

    async def is_busy(self, tx: OperatorReader, *jobs: str) -> bool:
        """Whether a backup or a drill runs, or was asked for; `jobs` names others that count."""
        return await catalogue.is_awaited(tx, self._clock.now() - _LONGEST, [TAKE_JOB, VERIFY_JOB, *jobs])

    # --- taking ---------------------------------------------------------------------------------------

    async def take(
        self, server: Server, *, by: Principal, asked: bool = False, full: bool = False,
        progress: Progress = lambda _bytes: None,
    ) -> Manifest | None:  # fmt: skip
        """Takes the backup that is due; `asked` for, also where none is. None when there is nothing to do.

        Raises BackupFailed, RepositoryUnavailable, StorageFull; Conflict without a recovery key.
        """
        async with self.alone(server) as free:
            if not free:
                return None
            async with self._database.operator_read() as tx:
                present = await catalogue.list_complete(tx, server)
                recovery = await self._keys.recovery_recipient(tx)
                recipients = await self._keys.recipients(tx)
            if recovery is None:
                if not asked:
                    return None
                raise Conflict("There is no recovery key yet. Make one first: `bailee backup init`.")
            # What else a machine has of the settings is there: the root key goes to the recovery key alone.
            to = [recovery] if server == "settings" else recipients
            chosen = self._plan(server, present, asked=asked)
            if chosen is None:
                return None
            if full:  # what others will rest on is kept for days
                lasting = chosen.generation not in (Generation.HOURLY, Generation.RECENT)
                chosen = Plan(chosen.generation if lasting else Generation.DAILY, "full", None)
            return await self._take(server, chosen, present, to, progress, by)

    async def read(self, backup: Backup) -> Manifest:
        """The manifest of a backup, as signed and as the ledger knows it. Raises BackupDamaged."""
        return await anyio.to_thread.run_sync(
            read_manifest, self.place.repository, backup.server, backup.id, self.place.signer.verifiers,
            backup.manifest_sha256,
        )  # fmt: skip

    async def open_index(self, manifest: Manifest, repository: Repository | None = None) -> Index:
        """The list of what a backup holds, opened with the drill key; of the first repository, if none is given.

        Raises BackupDamaged, KeyRefused.
        """
        access = Access(
            repository or self.place.repository, [await self._keys.drill_identity()], list(self.place.signer.verifiers)
        )
        return await anyio.to_thread.run_sync(open_index, access, manifest)

    async def listing(self, backup: Backup) -> Index:
        """The same for a backup, that of objects whole: with what it rests on."""
        index = await self.open_index(await self.read(backup))
        if backup.server != "objects" or backup.parent_id is None:
            return index
        async with self._database.operator_read() as tx:
            base = await self.get(tx, backup.parent_id)
        return merged(await self.listing(base), index)

    # --- inside ---------------------------------------------------------------------------------------

    def _plan(self, server: Server, present: list[Backup], *, asked: bool) -> Plan | None:
        rotation = self.rotation(server)
        if server == "settings":  # small, and of use only whole
            rotation = msgspec.structs.replace(rotation, hourly=0, weekly=0, monthly=0, yearly=0)
        now = self._clock.now()
        present = credible(present, now)
        due = plan(rotation, present, now, extra=RECENT if server == "objects" else {})
        if due is None and asked:
            return planned(rotation, present, Generation.HOURLY if rotation.hourly else Generation.DAILY)
        return due

    async def _take(
        self, server: Server, chosen: Plan, present: list[Backup], recipients: list[Recipient], progress: Progress,
        by: Principal,
    ) -> Manifest | None:  # fmt: skip
        backup_id = new_id()
        async with self._database.operator() as tx:
            await catalogue.fail_unfinished(tx, server, _DIED)
            await catalogue.insert_backup(
                tx, backup_id, server, chosen.kind, chosen.generation, chosen.parent, self._clock.now()
            )
        try:
            now = await anyio.to_thread.run_sync(self._examine, server)
            chosen, parent = await self._resting(server, chosen, present, now)
            task = self._task(backup_id, server, chosen, recipients)
            manifest = await self._copy_or_begin_anew(task, parent, now, progress)
            if manifest is None:
                async with self._database.operator() as tx:
                    await catalogue.delete_unneeded(tx, task.id)
                return None
            digest = await anyio.to_thread.run_sync(write_manifest, self.place.repository, manifest, self.place.signer)
        except (Error, OSError) as error:
            failure = error if isinstance(error, Error) else BackupFailed(f"{type(error).__name__} while copying.")
            async with self._database.operator() as tx:
                await self._note_failure(tx, backup_id, server, failure, by=by)
            raise failure from error
        async with self._database.operator() as tx:
            await self._note_taken(tx, manifest, digest, by=by)
        log.info("backup taken", server=server, kind=manifest.kind, generation=manifest.generation, bytes=manifest.size)
        return manifest

    def _examine(self, server: Server) -> Identified | None:
        """What a PostgreSQL server is now, and that it can be backed up; None for what is none. Blocks.

        Raises BackupFailed, ConfigurationError.
        """
        if server not in POSTGRES:
            return None
        source = self.place.sources[server]
        found = identify(source)
        self.place.programs.of(found.major)
        verify_fit(source, found, [other for name, other in self.place.sources.items() if name != server])
        return found

    async def _resting(
        self, server: Server, chosen: Plan, present: list[Backup], now: Identified | None
    ) -> tuple[Plan, Index | None]:
        """The plan, and what it rests on, opened. A full one when that is of no use any more."""
        if chosen.parent is None:
            return chosen, None
        async with self._database.operator_read() as tx:
            parent = await self.get(tx, chosen.parent)
        if now is not None:  # upgraded, restored or made anew: there is nothing to build upon, and all is due again
            present = [one for one in present if _is_of(one, now)]
        if now is None or (now.summarizes and _is_of(parent, now)):
            try:
                return chosen, await self.listing(parent)
            except BackupDamaged as error:
                log.warning("the backup to build upon is damaged; taking a full one", reason=error.detail)
                return anew(self.rotation(server), chosen.generation), None
        due = self._plan(server, present, asked=False)
        return Plan(due.generation if due else chosen.generation, "full", None), None

    def _task(self, backup_id: UUID, server: Server, chosen: Plan, recipients: list[Recipient]) -> Task:
        return Task(
            backup_id, self.place.signer.origin, server, chosen.kind, chosen.generation, chosen.parent, recipients,
            self.settings.compression, self._clock.now,
            lambda moment: expiry(self.rotation(server), chosen.generation, moment),
        )  # fmt: skip

    async def _copy_or_begin_anew(
        self, task: Task, parent: Index | None, now: Identified | None, progress: Progress
    ) -> Manifest | None:
        """A server may find that it cannot tell what has changed: it did not sum up its log for a while, say."""
        sent: list[int] = []

        def count(size: int) -> None:
            sent.append(size)
            progress(size)

        try:
            return await self._copy(task, parent, now, count)
        except BackupFailed as error:
            if now is None or task.parent is None or sent:
                raise
            log.warning("nothing can be built upon the backup before; taking a full one", reason=error.detail)
        chosen = anew(self.rotation(task.server), task.generation)
        return await self._copy(self._task(task.id, task.server, chosen, task.recipients), None, now, progress)

    async def _copy(
        self, task: Task, parent: Index | None, now: Identified | None, progress: Progress
    ) -> Manifest | None:
        place = self.place
        if now is None and task.server == "settings":
            return await anyio.to_thread.run_sync(copy_settings, task, place.repository, place.data, _SETTINGS_FILES)
        if now is None:
            base = parent or Index()
            return await anyio.to_thread.run_sync(copy_objects, task, place.repository, place.data / "objects", base)
        source, major = place.sources[task.server], now.major
        tools, since = Tools(place.programs.of(major)), parent.manifest if parent else None
        manifest = await anyio.to_thread.run_sync(
            lambda: copy_server(task, place.repository, tools, source, major, since, progress)
        )
        part = manifest.postgres
        if part is None or part.system_id not in ("", now.system_id):  # PostgreSQL 16 does not say it there
            raise BackupFailed("Another server answered while the backup was taken.")
        told = {"system_id": now.system_id, "database": source.database, "foreign": source.foreign}
        return msgspec.structs.replace(manifest, postgres=msgspec.structs.replace(part, **told))

    @verb(BackupTaken, permission=SYSTEM)
    async def _note_taken(self, tx: OperatorWriter, manifest: Manifest, digest: str, *, by: Principal) -> None:
        await catalogue.complete_backup(tx, manifest, digest)
        details = BackupTaken(
            manifest.server, manifest.kind, manifest.generation.value, manifest.plain, manifest.size, digest
        )
        await self._events.record(tx, details, by=by, on=Object("backup", str(manifest.id)))

    @verb(BackupFailedToRun, permission=SYSTEM)
    async def _note_failure(
        self, tx: OperatorWriter, backup_id: UUID, server: Server, error: Error, *, by: Principal
    ) -> None:
        await catalogue.fail_backup(tx, backup_id, error.detail)
        details = BackupFailedToRun(server, error.code)
        await self._events.record(tx, details, by=by, on=Object("backup", str(backup_id)))

    @asynccontextmanager
    async def alone(self, server: Server) -> AsyncIterator[bool]:
        """Whether nobody else, in any process, backs this server up; nobody does while the block runs."""
        async with self._database.session() as connection:
            row = await (await connection.execute("SELECT pg_try_advisory_lock(%s)", (_LOCKS[server],))).fetchone()
            yield bool(row and row[0])


def _is_of(backup: Backup, now: Identified) -> bool:
    """Whether a backup is of the cluster that the server runs now."""
    return (backup.system_id, backup.timeline, backup.major) == (now.system_id, now.timeline, now.major)
