"""What backups do by the clock and by the queue."""

import asyncio
import sys
import time
from datetime import datetime, timedelta

import anyio.to_thread
import psycopg
import structlog

from bailee.access.store.accounts import list_staff_emails
from bailee.backup.backups import TAKE_JOB, VERIFY_JOB, Backups
from bailee.backup.copies import Copies
from bailee.backup.discovering import Discovery
from bailee.backup.drills import DRILL_JOB, Drills
from bailee.backup.errors import BackupDamaged
from bailee.backup.fingerprints import ROOT as FINGERPRINTS
from bailee.backup.fingerprints import point_time, store_fingerprint, take_fingerprint
from bailee.backup.journal import Journal
from bailee.backup.keys import BackupKeys
from bailee.backup.letters import Letters
from bailee.backup.model import POSTGRES, SERVERS, Backup, Generation, Server
from bailee.backup.rotation import Rotation
from bailee.backup.store import catalogue
from bailee.backup.verifying import Reading, VerifyReport
from bailee.backup.volumes import Sealer
from bailee.events import Events, verb
from bailee.events.catalogue import BackupsVerified
from bailee.events.verbs import SYSTEM
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database, OperatorWriter
from bailee.foundation.errors import Error
from bailee.foundation.jobs import Jobs
from bailee.foundation.mail import Mail
from bailee.foundation.principal import Principal, system
from bailee.foundation.settings import Settings

log = structlog.get_logger()

_BY = system("worker")
_VERIFIED_AT_ONCE = 300
_REST = 20  # times as long as a look took
_LONG = (Generation.DAILY, Generation.WEEKLY, Generation.MONTHLY, Generation.YEARLY)
_PRINTS_KEPT = timedelta(days=8)
_TOLD = ["owner", "infrastructure"]


class Upkeep:
    """The jobs of this room."""

    def __init__(
        self, settings: Settings, database: Database, backups: Backups, keys: BackupKeys, rotation: Rotation,
        copies: Copies, discovery: Discovery, journal: Journal, drills: Drills, events: Events, mail: Mail,
        letters: Letters, clock: Clock,
    ) -> None:  # fmt: skip
        self._settings = settings
        self._database = database
        self._backups = backups
        self._keys = keys
        self._rotation = rotation
        self._copies = copies
        self._discovery = discovery
        self._journal = journal
        self._drills = drills
        self._events = events
        self._mail = mail
        self._letters = letters
        self._clock = clock
        self._told: dict[str, str] = {}
        self._wait: dict[str, tuple[int, datetime]] = {}
        """When a server is looked at again, and how often in a row its backup failed before."""

    def register(self, jobs: Jobs) -> None:
        jobs.register(TAKE_JOB, self.take)
        jobs.register(VERIFY_JOB, self.verify_all)
        jobs.register(DRILL_JOB, self.drill)
        if not self._settings.backup.scheduled:
            return
        jobs.every("* * * * *", "backup.journal", self.write_journal)
        jobs.every("* * * * *", "backup.due", self.take_due)
        jobs.every("*/5 * * * *", "backup.copy", self.copy)
        jobs.every("7 * * * *", "backup.verify", self.verify_new)
        jobs.every("23 * * * *", "backup.expire", self.expire)
        jobs.every("41 2 * * *", "backup.sweep", self._rotation.sweep)
        jobs.every("11 * * * *", "backup.drill_due", self.drill_due)

    async def write_journal(self) -> None:
        """What must survive a restore, into the repository."""
        await self._journal.write()

    async def take_due(self) -> None:
        """Whatever is due, each server for itself; a failure is told once."""
        for server in ("keyring", "main", "objects", "settings"):
            resting = server in self._wait and self._wait[server][1] > self._clock.now()
            if server in self._backups.servers and not resting:
                began = time.monotonic()
                await self._try(server)
                if server == "objects":
                    self._rest(server, timedelta(seconds=(time.monotonic() - began) * _REST))

    async def take(self, server: Server) -> None:
        """One that somebody has asked for."""
        await self._backups.take(server, by=_BY, asked=True)
        if server == "main":
            await self.fingerprint()

    async def fingerprint(self) -> None:
        """Fixes what every table holds at a moment, for the next drill; older ones are removed.

        Main's moment comes first: the keyring of a copy has to know every key that main needs.
        """
        async with self._database.operator_read() as tx:
            recipients = await self._keys.recipients(tx)
        place = self._backups.place

        def run(server: str) -> None:
            found = take_fingerprint(place.sources[server])
            store_fingerprint(
                place.repository, found, Sealer(recipients, self._backups.settings.compression), place.signer
            )
            for one in list(place.repository.list(f"{FINGERPRINTS}/{server}")):
                if self._clock.now() - point_time(one.name) > _PRINTS_KEPT:
                    place.repository.delete(one.name)

        for server in POSTGRES:
            if server in place.sources:
                await anyio.to_thread.run_sync(run, server)

    async def copy(self) -> None:
        await self._copies.bring()

    async def expire(self) -> None:
        await self._discovery.discover(by=_BY)
        await self._rotation.expire(by=_BY)

    async def verify_new(self) -> None:
        """Reads again what was taken since the last time."""
        async with self._database.operator_read() as tx:
            found = await catalogue.list_unverified(tx, _VERIFIED_AT_ONCE)
        if found:
            await self.verify(found, by=_BY, wal=False)

    async def verify_all(self) -> None:
        """Everything in the repository."""
        await self.verify(await self.complete(), by=_BY)

    async def complete(self) -> list[Backup]:
        """Every backup that can be restored."""
        async with self._database.operator_read() as tx:
            return [one for server in SERVERS for one in await catalogue.list_complete(tx, server)]

    async def verify(
        self, backups: list[Backup], *, by: Principal, wal: bool = True, reading: Reading | None = None
    ) -> VerifyReport:
        """Reads backups again, and with `wal` the WAL and the journal too; notes what was found of each."""
        place = self._backups.place
        reading = reading or await self.reading()
        for one in backups:
            fault = ""
            try:
                manifest = await self._backups.read(one)
                faults = await anyio.to_thread.run_sync(reading.backup, manifest)
                fault = faults[0] if faults else ""
            except BackupDamaged as error:
                fault = error.detail
                reading.faults.append(fault)
            async with self._database.operator() as tx:
                await catalogue.mark_verified(tx, one.id, fault)
        if wal:
            for server in place.sources:
                await anyio.to_thread.run_sync(reading.wal, server)
            await anyio.to_thread.run_sync(reading.journal)
        report = reading.report()
        async with self._database.operator() as tx:
            await self._note_verified(tx, report, by=by)
        return report

    async def reading(self) -> Reading:
        """A fresh reading of the repository."""
        place = self._backups.place
        return Reading(place.repository, [await self._keys.drill_identity()], place.signer.verifiers)

    async def drill_due(self) -> None:
        """A drill, when its interval is over and there is something to restore."""
        async with self._database.operator_read() as tx:
            ready = await self._keys.recovery_recipient(tx) is not None
            complete = [bool(await catalogue.list_complete(tx, server)) for server in POSTGRES]
            due = ready and all(complete) and await self._drills.is_due(tx)
        if due:
            await self.drill()

    async def drill(self) -> None:
        """A drill in a process of its own, with this one's settings."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bailee.cli", "backup", "drill", "--json",
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            _, said = await process.communicate()
        except asyncio.CancelledError:
            process.terminate()
            await process.wait()
            raise
        if process.returncode:
            log.warning("drill failed", said=said.decode(errors="replace")[-300:])

    async def _try(self, server: Server) -> None:
        try:
            manifest = await self._backups.take(server, by=_BY)
            if manifest and server == "main" and manifest.generation in _LONG:
                await self.fingerprint()
        except Error as error:
            await self._tell(server, error.code, error.detail)
        except psycopg.Error as error:  # the server itself refuses: a right is missing, say
            await self._tell(server, type(error).__name__, f"The server of {server} refuses: {str(error)[:200]}")
        else:
            self._wait.pop(server, None)
            if manifest:
                self._told.pop(server, None)

    def _rest(self, server: Server, pause: timedelta) -> None:
        """A look at very many files is not taken every minute."""
        if server not in self._wait:
            self._wait[server] = (0, self._clock.now() + pause)

    async def _tell(self, server: Server, code: str, detail: str) -> None:
        """Of the first failure in a row by mail; the next attempt comes after a pause that grows to an hour."""
        log.warning("backup failed", server=server, reason=code)
        attempts = self._wait.get(server, (0, self._clock.now()))[0] + 1
        pause = min(timedelta(minutes=2**attempts), timedelta(hours=1))
        self._wait[server] = (attempts, self._clock.now() + pause)
        if self._told.get(server) != code:
            self._told[server] = code
            async with self._database.operator() as tx:
                for email in await list_staff_emails(tx, _TOLD):
                    await self._mail.queue(tx, self._letters.backup_failed(email, server, detail))

    @verb(BackupsVerified, permission=SYSTEM)
    async def _note_verified(self, tx: OperatorWriter, report: VerifyReport, *, by: Principal) -> None:
        await self._events.record(tx, BackupsVerified(report.backups, len(report.faults)), by=by)
