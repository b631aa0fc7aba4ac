"""Drills: the newest backup becomes a running copy, is compared with what was there, serves, and is destroyed.

A drill goes the way of a restore in an emergency: plan, data directories, WAL, recovery, replay, serving. It runs in a
process of its own, whose main thread starts the scratch servers: they end with it, whatever ends it. What a crash
leaves is a scratch directory, which the next drill removes, and a drill that is noted as failed.
"""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import msgspec
import structlog

from bailee.access.store.accounts import list_staff_emails
from bailee.backup.age import Identity
from bailee.backup.backups import Backups
from bailee.backup.fingerprints import Fingerprint, compare, read_fingerprints
from bailee.backup.journal import Entry, read_journal
from bailee.backup.letters import Letters
from bailee.backup.model import POSTGRES, Drill, Opening, Purpose
from bailee.backup.planning import Access, RestorePlan, plan_objects, plan_server
from bailee.backup.probing import probe_wal
from bailee.backup.releases import Releases
from bailee.backup.restoring import Target, begin, complete, destroy, recover, restore_objects, restore_server
from bailee.backup.store import restores as rows
from bailee.backup.tools import Source, Tools
from bailee.encryption.roots import carry_root
from bailee.events import Events, Object, verb
from bailee.events.catalogue import DrillAsked, DrillEnded
from bailee.events.verbs import SYSTEM
from bailee.foundation.clock import Clock
from bailee.foundation.cluster import Cluster, embedded_conninfo, server_account
from bailee.foundation.database import Database, OperatorReader, OperatorWriter
from bailee.foundation.errors import Conflict, Error, NotFound
from bailee.foundation.ids import new_id
from bailee.foundation.jobs import Jobs
from bailee.foundation.mail import Mail
from bailee.foundation.principal import Principal
from bailee.foundation.settings import EMBEDDED, Settings

log = structlog.get_logger()

DRILL_JOB = "backup.drill"
_LONGEST = timedelta(hours=12)
_SERVING_SECONDS = 90
_SAMPLES = 200
_MOST_FAULTS = 30
_TOLD = ["owner", "security_officer", "infrastructure"]

type Say = Callable[[str], None]


class Rehearsed(msgspec.Struct, frozen=True):
    """What the copy itself said: what it took over, how many samples it opened, what was wrong with it."""

    erasures: int
    terminations: int
    holds: int
    revocations: int
    adopted_leaves: int
    samples: int
    leaves: int
    faults: list[str]


class Takeover(msgspec.Struct, frozen=True):
    """What a restored copy is told on its standard input."""

    opening: Opening
    entries: list[Entry]
    samples: int


class Drills:
    """Rehearses, and knows how it went."""

    def __init__(
        self, database: Database, backups: Backups, releases: Releases, events: Events, jobs: Jobs, mail: Mail,
        letters: Letters, settings: Settings, clock: Clock,
    ) -> None:  # fmt: skip
        self._database = database
        self._backups = backups
        self._releases = releases
        self._events = events
        self._jobs = jobs
        self._mail = mail
        self._letters = letters
        self._settings = settings
        self._clock = clock

    @verb(DrillAsked, permission="backups.drill")
    async def ask(self, tx: OperatorWriter, *, by: Principal) -> None:
        """Has a worker rehearse now, beside the schedule. Raises Conflict while one runs."""
        running = [one for one in await rows.list_drills(tx, limit=5) if one.state == "running"]
        if running and self._clock.now() - running[0].began_at < _LONGEST:
            raise Conflict("A drill is running already.")
        await self._jobs.enqueue(tx, DRILL_JOB, lock="backup:drill")
        await self._events.record(tx, DrillAsked(), by=by)

    async def page(self, tx: OperatorReader, *, before: UUID | None = None, limit: int = 100) -> list[Drill]:
        """Newest first."""
        return await rows.list_drills(tx, before=before, limit=limit)

    async def get(self, tx: OperatorReader, drill_id: UUID) -> Drill:
        """Raises NotFound."""
        found = await rows.find_drill(tx, drill_id)
        if found is None:
            raise NotFound
        return found

    async def is_busy(self, tx: OperatorReader) -> bool:
        """Whether one runs, or was asked for."""
        return await self._backups.is_busy(tx, DRILL_JOB)

    async def is_due(self, tx: OperatorReader) -> bool:
        """Whether the interval is over since the last drill, passed or not; a failed one is repeated after a day."""
        latest = next(iter(await rows.list_drills(tx, limit=1)), None)
        if latest is None:
            return True
        interval = timedelta(days=self._settings.backup.drill_days if latest.state == "passed" else 1)
        return self._clock.now() - latest.began_at >= interval - timedelta(hours=1)

    async def run(self, *, by: Principal, say: Say = lambda _text: None) -> Drill:
        """One drill, whole. Blocks the process it runs in, which must be one of its own; what fails is a fault."""
        drill_id, began_at = new_id(), self._clock.now()
        async with self._database.operator() as tx:
            await rows.fail_unfinished(tx, began_at - _LONGEST)
            await rows.insert_drill(tx, drill_id, began_at)
            identity = await self._releases.use_for_drill(tx, by=by)
        rehearsal = _Rehearsal(self._settings, self._backups, identity, say)
        rpo = await self._measure_rpo()
        started = time.monotonic()
        try:
            rehearsal.run()
        except Error as error:
            rehearsal.faults.append(error.detail)
        except (OSError, subprocess.SubprocessError) as error:
            rehearsal.faults.append(f"{type(error).__name__}: {str(error)[:200]}")
        finally:
            rehearsal.clear()
        served = rehearsal.served_at or time.monotonic()
        drill = Drill(
            drill_id, began_at, self._clock.now(), "failed" if rehearsal.faults else "passed", rehearsal.restored_to,
            round(served - started, 1), rpo, rehearsal.tables, rehearsal.rows, rehearsal.samples,
            rehearsal.faults[:_MOST_FAULTS],
        )  # fmt: skip
        async with self._database.operator() as tx:
            await self._end(tx, drill, by=by)
        return drill

    async def _measure_rpo(self) -> float | None:
        """Seconds until what is written now could be restored, of the slower server; None for over the limit."""
        place, limit = self._backups.place, 4.0 * self._settings.backup.rpo_seconds
        try:
            found = [probe_wal(place.sources[server], place.repository, limit).seconds for server in POSTGRES]
        except (KeyError, Error):
            return None
        return None if None in found else round(max(one for one in found if one is not None), 1)

    @verb(DrillEnded, permission=SYSTEM)
    async def _end(self, tx: OperatorWriter, drill: Drill, *, by: Principal) -> None:
        await rows.end_drill(tx, drill)
        details = DrillEnded(
            drill.state == "passed", int(drill.rto_seconds or 0), int(drill.rpo_seconds or 0), drill.tables, drill.rows,
            drill.samples,
        )  # fmt: skip
        await self._events.record(tx, details, by=by, on=Object("drill", str(drill.id)))
        if drill.state == "failed":
            for email in await list_staff_emails(tx, _TOLD):
                await self._mail.queue(tx, self._letters.drill_failed(email, drill))


class _Rehearsal:
    """One scratch copy, from the plan to its destruction."""

    def __init__(self, settings: Settings, backups: Backups, identity: Identity, say: Say) -> None:
        self._settings = settings
        self._place = backups.place
        self._access = Access(backups.place.repository, [identity], list(backups.place.signer.verifiers))
        self._say = say
        self._clusters: list[Cluster] = []
        account = server_account(settings.data, settings.database.unprivileged_user)
        self._target = Target(settings.data / "drill", backups.place.programs, account)
        self.restored_to: datetime | None = None
        self.served_at: float | None = None
        self.tables = self.rows = self.samples = 0
        self.faults: list[str] = []

    def run(self) -> None:
        """Raises what stops it; what does not is in `faults`."""
        destroy(self._target)
        # 1. what to restore: the newest moment of which it is known what every table held
        main = self._fingerprint("main", None)
        prints: dict[str, Fingerprint] = {"main": main, "keyring": self._fingerprint("keyring", main.at)}
        plans = {
            server: plan_server(self._access, server, None, one.point, one.lsn, one.system_id)
            for server, one in prints.items()
        }
        self.restored_to = min(one.at for one in prints.values())
        objects = plan_objects(self._access, None)
        plan = RestorePlan(plans["main"], plans["keyring"], None)
        # 2. the copy
        begin(self._target, plan)
        for server in POSTGRES:
            self._say(f"restoring {server}, {plans[server].plain / 1e6:.0f} MB in {len(plans[server].chain)} backups")
            plans[server] = restore_server(self._access, plans[server], self._target)
            Tools(self._target.programs.of(plans[server].major)).verify(self._target.directory / server)
        self._say(f"restoring {len(objects.objects)} objects")
        damaged = restore_objects(self._access, objects, self._target.directory / "objects")
        self.faults += [f"The object {name} is damaged." for name in damaged]
        for server in POSTGRES:
            self._say(f"recovering {server}")
            self._clusters.append(recover(self._access, plans[server], self._target))
        # 3. the comparison, before anything is replayed
        for cluster in self._clusters:
            self._compare(cluster, prints[cluster.name])
        # 4. the take-over, samples and the ledger, by the product itself; and serving
        self._say("replaying what was erased since, opening samples, verifying the ledger")
        self._take_over(prints["keyring"].at)
        complete(self._target)
        self._say("serving")
        self._serve()

    def clear(self) -> None:
        """Stops the scratch servers, and destroys the copy."""
        for cluster in self._clusters:
            cluster.stop()
        destroy(self._target)

    def _fingerprint(self, server: str, since: datetime | None) -> Fingerprint:
        """The newest that can be restored, taken `since` then: a keyring from before main's moment lacks keys."""
        for one in read_fingerprints(self._place.repository, server, self._access.identities, self._access.verifiers):
            if (since is None or one.at >= since) and self._try_plan(server, one):
                return one
        raise Conflict(
            f"There is no backup of {server} yet that a drill can be held against; the next daily one brings it."
        )

    def _try_plan(self, server: str, one: Fingerprint) -> bool:
        try:
            plan_server(self._access, server, None, one.point, one.lsn, one.system_id)
        except Conflict:
            return False
        return True

    def _compare(self, cluster: Cluster, expected: Fingerprint) -> None:
        self._say(f"comparing {len(expected.tables)} tables of {cluster.name} row by row")
        source = Source(cluster.name, embedded_conninfo(cluster.directory, "postgres"))
        self.faults += compare(source, expected)
        self.tables += len(expected.tables)
        self.rows += sum(table.rows for table in expected.tables)

    def _take_over(self, keys_until: datetime) -> None:
        entries = read_journal(self._place.repository, self._access.identities, self._access.verifiers)
        opening = Opening(Purpose.DRILL, "drill", None, self.restored_to, keys_until)
        carry_root(self._settings.encryption, self._settings.data, self._target.directory)
        said = take_over(self._settings, self._target.directory, Takeover(opening, entries, _SAMPLES))
        self.samples = said.samples
        self.faults += said.faults

    def _serve(self) -> None:
        port = _free_port()
        process = subprocess.Popen(
            [sys.executable, "-m", "bailee.cli", "serve"],
            env=copy_environment(self._settings, self._target.directory, port),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            if not _answers(port, process, self._target.directory / "tls" / "ca.pem"):
                self.faults.append("The restored copy does not serve.")
            self.served_at = time.monotonic()
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def take_over(settings: Settings, copy: Path, told: Takeover) -> Rehearsed:
    """Has the product, on the copy, replay what must survive and examine itself. Raises Conflict with what it said."""
    answer = subprocess.run(
        [sys.executable, "-m", "bailee.cli", "backup", "take-over"], input=msgspec.json.encode(told),
        env=copy_environment(settings, copy, settings.web.port), capture_output=True, check=False,
    )  # fmt: skip
    if answer.returncode != 0:
        lines = answer.stderr.decode(errors="replace").strip().splitlines()
        raise Conflict(f"The restored copy could not take over what was erased since: {(lines or ['?'])[-1][:300]}")
    return msgspec.json.decode(answer.stdout, type=Rehearsed)


def copy_environment(settings: Settings, copy: Path, port: int) -> dict[str, str]:
    """The environment of a process that works on a restored copy, with the key provider of this instance."""
    found = {name: value for name, value in os.environ.items() if not name.startswith("BAILEE_")}
    found |= {
        "BAILEE_DATA": str(copy), "BAILEE_PORT": str(port), "BAILEE_BACKUP__SCHEDULED": "false",
        "BAILEE_DATABASE__MAIN": EMBEDDED, "BAILEE_DATABASE__KEYRING": EMBEDDED,
        "BAILEE_DATABASE__POSTGRES": settings.database.postgres,
    }  # fmt: skip
    for name, value in msgspec.structs.asdict(settings.encryption).items():
        found[f"BAILEE_ENCRYPTION__{name.upper()}"] = str(value)
    return found


def _answers(port: int, process: "subprocess.Popen[bytes]", certificate: Path) -> bool:
    """Whether the copy says that it works, over TLS that is verified with its own authority."""
    deadline = time.monotonic() + _SERVING_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            trust = ssl.create_default_context(cafile=str(certificate))
            with urllib.request.urlopen(f"https://localhost:{port}/health", context=trust, timeout=5) as answer:
                return bool(json.load(answer)["status"] == "ok")
        except (urllib.error.URLError, OSError, ValueError, KeyError):
            time.sleep(0.1)
    return False


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
