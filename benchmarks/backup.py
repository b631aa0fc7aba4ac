"""Backups beside the tools that people use for them: the same database, the same disk, one after the other in one run.

The tools are taken from the machine (`restic`, `borg`, `barman`, and the path in BAILEE_BENCH_PGBACKREST); one that is
not there is left out and said so. All compress and encrypt but barman, which does not encrypt. restic and borg read the
data directory of a server at which nothing is written, which is the kindest case for them. Sizes:
BAILEE_BENCH_GB, "1 5" by default. BAILEE_BENCH_ROUNDS and BAILEE_BENCH_PEERS make a run shorter.
"""

import contextlib
import json
import multiprocessing
import os
import shutil
import signal
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import psycopg

from bailee.backup.age import Identity, new_identity
from bailee.backup.copying import Task, copy_server
from bailee.backup.manifest import Manifest, write_manifest
from bailee.backup.model import Generation, Kind
from bailee.backup.planning import Access, open_index, plan_server
from bailee.backup.repository import Folder
from bailee.backup.restoring import Target, recover, restore_server
from bailee.backup.tools import Source, Tools
from bailee.foundation.cluster import Cluster, server_account
from bailee.foundation.ids import new_id
from bailee.foundation.postgresql import Programs, unpack_postgresql
from bailee.foundation.secrets import Secret
from bailee.ledger.note import Signer
from benchmarks.figures import Figure

ROUNDS = int(os.environ.get("BAILEE_BENCH_ROUNDS", "3"))
PEERS = os.environ.get("BAILEE_BENCH_PEERS", "restic borg barman pgbackrest").split()
ROW = 1000
_LEVEL = 1
_SMALL = 2
_WRITES_SECONDS = 6.0


class Timed(msgspec.Struct, frozen=True):
    """Seconds of the median round, and what lay in the repository."""

    full: float
    incremental: float
    restore: float
    joined: float
    """A restore of an incremental backup and the full one below it."""
    stored: int


class Bench:
    """One cluster with a table of incompressible rows, and a place for the tools."""

    def __init__(self, place: Path, gigabytes: int) -> None:
        self.place = place
        self.gigabytes = gigabytes
        self.rounds = ROUNDS if gigabytes <= _SMALL else min(ROUNDS, 2)  # what takes long varies less
        self.root = unpack_postgresql(place)
        self.account = server_account(place)
        self.cluster = Cluster("main", place / "main", self.root, self.account)

    def start(self) -> None:
        """The log is archived while a script for it is there: pgBackRest needs it, and compares the directory."""
        options = {"data_directory": str(self.cluster.directory)}
        if "BAILEE_BENCH_PGBACKREST" in os.environ:
            push = self.place / "pgbackrest-push"
            options |= {"archive_mode": "on", "archive_command": f"test ! -e {push} || {push} %p"}
        self.cluster.start(options)

    def fill(self) -> None:
        rows = self.gigabytes * 1_000_000
        with self.connection() as connection:
            connection.execute("CREATE EXTENSION IF NOT EXISTS pgcrypto")
            connection.execute("CREATE TABLE t (id bigint PRIMARY KEY, v bytea)")
            connection.execute("ALTER TABLE t ALTER v SET STORAGE PLAIN")
            connection.execute(
                "INSERT INTO t SELECT i, gen_random_bytes(%s) FROM generate_series(1, %s) i", (ROW, rows)
            )
            connection.execute("VACUUM (FREEZE, ANALYZE) t")
            connection.execute("CHECKPOINT")

    def change(self, number: int) -> None:
        """One row in a hundred, side by side; another stretch each time."""
        share = self.gigabytes * 10_000
        with self.connection() as connection:
            connection.execute(
                "UPDATE t SET v = gen_random_bytes(%s) WHERE id > %s AND id <= %s",
                (ROW, number * share, (number + 1) * share),
            )
            connection.execute("CHECKPOINT")

    def connection(self) -> "psycopg.Connection[Any]":
        return psycopg.connect(self.cluster.admin_conninfo, autocommit=True)

    def started(self, directory: Path) -> None:
        """Seconds are counted until a copy answers; then it is stopped, and removed by the caller."""
        cluster = Cluster("copy", directory, self.root, self.account)
        for left in ("postmaster.pid", *(path.name for path in directory.glob(".s.PGSQL*"))):
            (directory / left).unlink(missing_ok=True)
        cluster.adopt(directory)
        cluster.start({"hot_standby": "off"})  # it answers once it can be written to
        self.stopping = cluster

    def verify(self) -> None:
        """The copy that runs has every row."""
        with psycopg.connect(self.stopping.admin_conninfo) as connection:
            row = connection.execute("SELECT count(*) FROM t").fetchone()
            assert row is not None
            assert row[0] == self.gigabytes * 1_000_000

    def forget(self, directory: Path) -> None:
        """Lets the system drop what it keeps of these files in memory."""
        os.sync()
        for path in directory.rglob("*"):
            if path.is_file():
                with path.open("rb") as file:
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def run(self, *command: str | Path, cwd: Path | None = None, **environment: str) -> str:
        answer = subprocess.run(
            [str(part) for part in command], capture_output=True, text=True, check=False, cwd=cwd,
            env={**os.environ, **environment},
        )  # fmt: skip
        assert answer.returncode == 0, f"{command[0]}: {(answer.stderr or answer.stdout)[-800:]}"
        return answer.stdout


class Bailee:
    """What the product does, on its own."""

    name = "bailee"

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self.repository = Folder(bench.place / "bailee")
        self.identity = new_identity()
        self.signer = Signer("bench.example/log", Secret(os.urandom(64)))
        self.source = Source("main", bench.cluster.admin_conninfo, "postgres")
        self.tools = Tools(bench.root)
        self.latest: Manifest | None = None

    @property
    def access(self) -> Access:
        return Access(self.repository, [self.identity], list(self.signer.verifiers))

    def full(self) -> None:
        self.latest = self._take("full", None)

    def incremental(self) -> None:
        assert self.latest is not None
        self._take("incremental", self.latest.id, open_index(self.access, self.latest).manifest)

    def restore(self, directory: Path) -> None:
        target = Target(directory.parent, Programs(self._bench.place), self._bench.account)
        plan = plan_server(self.access, "main", None)
        restore_server(self.access, plan, target)
        self._bench.stopping = recover(self.access, plan, target)

    def _take(self, kind: Kind, parent: UUID | None, since: bytes | None = None) -> Manifest:
        manifest = copy_server(
            bench_task(kind, parent, self.identity), self.repository, self.tools, self.source, 18, since
        )
        write_manifest(self.repository, manifest, self.signer)
        return manifest


class Restic:
    """restic, over the data directory."""

    name = "restic"

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._repository = bench.place / self.name
        self._said = {"RESTIC_REPOSITORY": str(self._repository), "RESTIC_PASSWORD": "bench",
                      "RESTIC_CACHE_DIR": str(bench.place / "restic-cache")}  # fmt: skip
        bench.run("restic", "init", **self._said)

    def full(self) -> None:
        shutil.rmtree(self._repository)
        self._bench.run("restic", "init", **self._said)
        self.incremental()

    def incremental(self) -> None:
        self._bench.run("restic", "backup", "--quiet", str(self._bench.cluster.directory), **self._said)

    def restore(self, directory: Path) -> None:
        self._bench.run("restic", "restore", "latest", "--target", str(directory.parent / "r"), **self._said)
        (directory.parent / "r" / str(self._bench.cluster.directory).lstrip("/")).rename(directory)
        self._bench.started(directory)


class Borg:
    """borg, over the data directory, with zstd as we use it."""

    name = "borg"

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._repository = bench.place / self.name
        self._said = {
            "BORG_REPO": str(self._repository), "BORG_PASSPHRASE": "bench",
            "BORG_BASE_DIR": str(bench.place / "borg-base"), "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes",
        }  # fmt: skip
        self._number = 0
        bench.run("borg", "init", "--encryption", "repokey", **self._said)

    def full(self) -> None:
        shutil.rmtree(self._repository)
        shutil.rmtree(self._bench.place / "borg-base", ignore_errors=True)
        self._bench.run("borg", "init", "--encryption", "repokey", **self._said)
        self.incremental()

    def incremental(self) -> None:
        self._number += 1
        directory = str(self._bench.cluster.directory)
        command = ["borg", "create", "--compression", f"zstd,{_LEVEL}", f"::{self._number}", directory]
        answer = subprocess.run(command, capture_output=True, env={**os.environ, **self._said}, check=False)
        assert answer.returncode in (0, 1), answer.stderr[-500:]  # 1: the socket is passed over

    def restore(self, directory: Path) -> None:
        base = directory.parent / "r"
        base.mkdir()
        self._bench.run("borg", "extract", f"::{self._number}", cwd=base, **self._said)
        (base / str(self._bench.cluster.directory).lstrip("/")).rename(directory)
        self._bench.started(directory)


class Barman:
    """barman by the replication protocol, with PostgreSQL's incrementals; it does not encrypt."""

    name = "barman"

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        home = bench.place / "barman"
        home.mkdir()
        socket = bench.cluster.directory
        (bench.place / "barman.conf").write_text(
            f"[barman]\nbarman_user = {os.environ.get('USER', 'root')}\nbarman_home = {home}\n"
            f"log_file = {bench.place / 'barman.log'}\nlog_level = ERROR\n[pg]\ndescription = bench\n"
            f"conninfo = host={socket} user=postgres dbname=postgres\n"
            f"streaming_conninfo = host={socket} user=postgres dbname=postgres\nbackup_method = postgres\n"
            f"streaming_archiver = on\nslot_name = barman\ncreate_slot = auto\npath_prefix = {bench.root / 'bin'}\n"
            "immediate_checkpoint = true\n"
        )
        self._command = ["barman", "-c", str(bench.place / "barman.conf")]
        self._said = {"LD_LIBRARY_PATH": str(bench.root / "lib")}
        bench.run(*self._command, "receive-wal", "--create-slot", "pg", **self._said)
        self._receiver = subprocess.Popen(
            [*self._command, "receive-wal", "pg"], env={**os.environ, **self._said}, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        self._full, self._newest = "", ""
        self._await_log()

    def _await_log(self) -> None:
        """It takes no backup before it has seen a segment of the log."""
        for _ in range(60):
            with self._bench.connection() as connection:
                connection.execute("SELECT pg_switch_wal()")
            self._bench.run(*self._command, "archive-wal", "pg", **self._said)
            with contextlib.suppress(AssertionError):
                self._bench.run(*self._command, "check", "pg", **self._said)
                return
            time.sleep(0.5)

    def full(self) -> None:
        self._bench.run(*self._command, "backup", "pg", **self._said)
        self._full = self._newest = self._listed()

    def incremental(self) -> None:
        self._bench.run(*self._command, "backup", "--incremental", self._full, "pg", **self._said)
        self._newest = self._listed()

    def _listed(self) -> str:
        listed = json.loads(self._bench.run(*self._command, "-f", "json", "list-backups", "pg", **self._said))
        return str(max(one["backup_id"] for one in listed["pg"]))

    def restore(self, directory: Path) -> None:
        self._bench.run(*self._command, "recover", "pg", self._newest, str(directory), **self._said)
        self._bench.started(directory)

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._receiver.pid, signal.SIGTERM)
        self._receiver.wait()


class PgBackRest:
    """pgBackRest, where the path of one is given that knows this PostgreSQL. It archives the log, as it must."""

    name = "pgbackrest"

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        home = bench.place / self.name
        self._own = home / "own"
        self._config = home / "pgbackrest.conf"
        for path in (home, self._own):
            path.mkdir()
            os.chown(path, bench.account.uid, bench.account.gid)
        self._config.write_text(
            f"[global]\nrepo1-path={home}\nrepo1-cipher-type=aes-256-cbc\nrepo1-cipher-pass=bench\n"
            f"repo1-retention-full=9\ncompress-type=zst\ncompress-level={_LEVEL}\nprocess-max=2\nstart-fast=y\n"
            f"log-path={self._own}\nlock-path={self._own}\nspool-path={self._own}\nlog-level-console=error\n"
            f"[bench]\npg1-path={bench.cluster.directory}\npg1-socket-path={bench.cluster.directory}\n"
            "pg1-user=postgres\n"
        )
        self._go("stanza-create")
        push = bench.place / "pgbackrest-push"
        push.write_text(f'#!/bin/sh\nexec {self._command("archive-push", bench.cluster.directory)} "$1"\n')
        push.chmod(0o755)

    def full(self) -> None:
        self._go("backup", "--type=full")

    def incremental(self) -> None:
        self._go("backup", "--type=incr")

    def restore(self, directory: Path) -> None:
        directory.mkdir(mode=0o700)
        os.chown(directory, self._bench.account.uid, self._bench.account.gid)
        fetch = f"--recovery-option=restore_command={self._command('archive-get', directory)} %f %p"
        self._go("restore", "--type=immediate", "--target-action=promote", f"--pg1-path={directory}", fetch)
        self._bench.started(directory)

    def close(self) -> None:
        (self._bench.place / "pgbackrest-push").unlink()

    def _command(self, command: str, directory: Path) -> str:
        """As the server of a directory runs it."""
        program = os.environ["BAILEE_BENCH_PGBACKREST"]
        return f"{program} --config={self._config} --stanza=bench --pg1-path={directory} {command}"

    def _go(self, command: str, *more: str) -> None:
        program = os.environ["BAILEE_BENCH_PGBACKREST"]
        account = self._bench.account
        answer = subprocess.run(
            [program, f"--config={self._config}", "--stanza=bench", *more, command], capture_output=True, text=True,
            check=False, cwd="/", user=account.uid, group=account.gid, extra_groups=[], umask=0o077,
        )  # fmt: skip
        assert answer.returncode == 0, f"{program} {command}: {(answer.stderr or answer.stdout)[-800:]}"


def figures() -> list[Figure]:
    """Every size, every tool that is there."""
    found: list[Figure] = []
    for gigabytes in map(int, os.environ.get("BAILEE_BENCH_GB", "1 5").split()):
        place = Path(tempfile.mkdtemp(prefix="bailee-bb-", dir="/tmp"))
        place.chmod(0o711)
        bench = Bench(place, gigabytes)
        try:
            bench.cluster.create()
            bench.start()
            bench.fill()
            found += _of(bench)
        finally:
            bench.cluster.stop()
            shutil.rmtree(place, ignore_errors=True)
    return found


def bench_task(kind: Kind, parent: UUID | None, identity: Identity) -> Task:
    """One backup to take."""
    return Task(
        new_id(), "bench.example/log", "main", kind, Generation.DAILY, parent, [identity.recipient], _LEVEL,
        lambda: datetime.now(UTC), lambda moment: moment + timedelta(days=1),
    )  # fmt: skip


def _of(bench: Bench) -> list[Figure]:
    size = f"{bench.gigabytes} GB"
    ours = _timed(bench, Bailee(bench))
    found = []
    limits = {"restic": ("at least 1.67", "at least 5", "at least 2.5", "at least 1")}
    for kind in (Restic, Borg, Barman, PgBackRest):
        if kind.name not in PEERS or not (
            shutil.which(kind.name) or (kind is PgBackRest and "BAILEE_BENCH_PGBACKREST" in os.environ)
        ):
            print(f"{kind.name} is not here, and left out")
            continue
        try:
            theirs = _timed(bench, kind(bench))
        except AssertionError as error:
            print(f"{kind.name} does not work here, and is left out: {error}")
            continue
        limit = limits.get(kind.name, ("", "", "", ""))
        found += [
            Figure(f"full backups of {size}", 1 / ours.full, f"{kind.name}", 1 / theirs.full, limit[0]),
            Figure(f"incremental backups after 1 %, {size}", 1 / ours.incremental, f"{kind.name}",
                   1 / theirs.incremental, limit[1]),
            Figure(f"restores of {size} to a started server", 1 / ours.restore, f"{kind.name}", 1 / theirs.restore,
                   limit[2]),
            Figure(f"restores of {size} through an incremental", 1 / ours.joined, f"{kind.name}", 1 / theirs.joined),
            Figure(f"1 / GB in the repository, {size}", 1e9 / ours.stored, f"{kind.name}", 1e9 / theirs.stored,
                   limit[3]),
        ]  # fmt: skip
    return [*found, _memory(bench), _foreground(bench)]


def _timed(bench: Bench, tool: "Bailee | Restic | Borg | Barman | PgBackRest") -> Timed:
    """Medians of the rounds. The size is that of one full backup and one incremental."""
    fulls, incrementals = [], []
    stored = 0
    for number in range(bench.rounds):
        fulls.append(_seconds(tool.full))
        bench.change(number)
        incrementals.append(_seconds(tool.incremental))
        repository = bench.place / tool.name
        stored = stored or sum(path.stat().st_size for path in repository.rglob("*") if path.is_file())
    joined = _restores(bench, tool)  # full and incremental, as the rounds left them
    tool.full()
    restores = _restores(bench, tool)
    if isinstance(tool, Barman | PgBackRest):
        tool.close()
    shutil.rmtree(bench.place / tool.name, ignore_errors=True)
    timed = Timed(
        statistics.median(fulls), statistics.median(incrementals), statistics.median(restores),
        statistics.median(joined), stored,
    )  # fmt: skip
    print(
        f"{bench.gigabytes} GB, {tool.name}: full {timed.full:.2f} s, incremental {timed.incremental:.2f} s, restore "
        f"{timed.restore:.2f} s, through an incremental {timed.joined:.2f} s, {timed.stored / 1e6:.0f} MB"
    )
    return timed


def _restores(bench: Bench, tool: "Bailee | Restic | Borg | Barman | PgBackRest") -> list[float]:
    """Seconds of each restore of the newest backup to a server that answers; every row is there. As after the loss of a
    machine, nothing of the repository is in memory.
    """
    restores = []
    for number in range(bench.rounds):
        place = bench.place / f"c{number}"
        place.mkdir(mode=0o711)
        bench.forget(bench.place / tool.name)
        restores.append(_seconds(lambda place=place: tool.restore(place / "main")))  # type: ignore[misc]  # bound at once
        bench.verify()
        bench.stopping.stop()
        shutil.rmtree(place)
    return restores


def _seconds(act: Callable[[], object]) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def _memory(bench: Bench) -> Figure:
    """The peak memory of a process that takes a full backup, beside 256 MiB, whatever the size."""
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(
        target=_peak, args=(queue, bench.cluster.admin_conninfo, str(bench.root), str(bench.place))
    )
    process.start()
    peak = float(queue.get(timeout=600))
    process.join()
    shutil.rmtree(bench.place / "memory", ignore_errors=True)
    print(f"{bench.gigabytes} GB: peak memory {peak:.0f} MiB")
    return Figure(f"1 / GiB of peak memory, {bench.gigabytes} GB", 1024 / peak, "1 / 256 MiB", 4.0, "at least 1")


def _peak(queue: Any, conninfo: str, root: str, place: str) -> None:
    identity = new_identity()
    copy_server(
        bench_task("full", None, identity), Folder(Path(place) / "memory"), Tools(Path(root)),
        Source("main", conninfo, "postgres"), 18, None,
    )  # fmt: skip
    # Not ru_maxrss, which a process that was spawned has from the one that spawned it.
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    queue.put(int(peak.split()[1]) / 1024)


def _foreground(bench: Bench) -> Figure:
    """Single-row writes a second while full backups run, beside the same at rest."""
    with bench.connection() as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS w (id bigserial PRIMARY KEY, v bytea)")
    rest = _writes(bench)
    tool = Bailee(bench)
    stop = threading.Event()

    def back_up() -> None:
        while not stop.is_set():
            tool.full()
            shutil.rmtree(bench.place / tool.name)

    thread = threading.Thread(target=back_up)
    thread.start()
    time.sleep(0.5)
    busy = _writes(bench)
    stop.set()
    thread.join()
    return Figure(f"writes during a full backup, {bench.gigabytes} GB", busy, "the same at rest", rest)


def _writes(bench: Bench) -> float:
    content = os.urandom(ROW)
    count = 0
    with bench.connection() as connection:
        end = time.perf_counter() + _WRITES_SECONDS
        while time.perf_counter() < end:
            connection.execute("INSERT INTO w (v) VALUES (%s)", (content,))
            count += 1
    return count / _WRITES_SECONDS


if __name__ == "__main__":
    for one in figures():
        print(f"{one.name} | {one.rate:.3f} | {one.against} | {one.baseline:.3f} | {one.ratio:.2f} | {one.limit}")
