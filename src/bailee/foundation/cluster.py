"""Embedded PostgreSQL: a cluster made, started, watched and stopped by us.

The server speaks on a unix socket inside its own directory, to the two system accounts concerned and
nobody else (peer authentication): there is no password and no port. PostgreSQL refuses root, so as root
we start it as an unprivileged account whose working directory is the cluster; the cluster is then named
by that working directory, so it may lie below directories that the account cannot pass through.

What is durable when: a cluster is made under a temporary name and renamed when complete, so a crash while
making it leaves nothing that looks like one. After any other crash PostgreSQL replays its WAL at the next
start; that is the normal path. Two starts on one directory: see `DataDirectory`.
"""

import contextlib
import ctypes
import fcntl
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self, TypedDict

import msgspec
import psycopg
import structlog
from psycopg import sql

from bailee.foundation.database import ROLES
from bailee.foundation.errors import ConfigurationError
from bailee.foundation.postgresql import INCREMENTAL_FROM, major_of

log = structlog.get_logger()

UNFINISHED = "restore-unfinished"
"""A file that marks a restored directory until everything has been replayed in it."""
_ACCOUNT = "bailee"
_SUPERUSER = "postgres"
_OWNER = "bailee_owner"
_SOCKET_LIMIT = 100  # sun_path holds 107 bytes; the name of the socket's lock file comes on top
_START_SECONDS = 300  # crash recovery replays WAL before the first connection
_STOP_SECONDS = 60
_POLL = 0.03
_PID_LINES = 8
_PR_SET_PDEATHSIG = 1
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_directories": ".",
    "unix_socket_permissions": "0777",  # who may pass is decided by the 0700 directory and by peer
    "max_connections": "120",
    "shared_buffers": "128MB",
    "wal_level": "replica",
    "wal_keep_size": "512MB",  # a backup fetches at its end what was written meanwhile
    "max_slot_wal_keep_size": "4GB",  # a repository that is away for long must not fill the disk
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Statements and values never reach the server's log: it is diagnostics, not content.
    "logging_collector": "on",
    "log_directory": "log",
    "log_filename": "postgresql-%a.log",
    "log_rotation_age": "1d",
    "log_truncate_on_rotation": "on",
    "log_file_mode": "0600",
    "log_statement": "none",
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_lock_waits": "off",
}


class SystemAccount(msgspec.Struct, frozen=True):
    """Who the server process runs as."""

    name: str
    uid: int
    gid: int

    @property
    def is_us(self) -> bool:
        return self.uid == os.geteuid()


def _options(major: int) -> list[str]:
    settings = _SETTINGS | ({"summarize_wal": "on"} if major >= INCREMENTAL_FROM else {})
    return [option for name, value in settings.items() for option in ("-c", f"{name}={value}")]


class _Identity(TypedDict, total=False):
    """The keywords of subprocess that make a process the server's account, in its directory."""

    cwd: Path
    umask: int
    start_new_session: bool
    env: dict[str, str]
    user: int
    group: int
    extra_groups: tuple[int, ...]


def server_account(data: Path, preferred: str = "") -> SystemAccount:
    """Ourselves; or as root the account that owns the cluster, the one preferred, or one of our own, made if missing.

    An account that others share would let them in: the server trusts its account. Raises ConfigurationError.
    """
    if os.geteuid() != 0:
        return _account(pwd.getpwuid(os.geteuid()))
    cluster = data / "main"
    with contextlib.suppress(FileNotFoundError, KeyError):
        return _account(pwd.getpwuid(cluster.stat().st_uid))
    name = preferred or _ACCOUNT
    with contextlib.suppress(KeyError):
        return _account(pwd.getpwnam(name))
    useradd = shutil.which("useradd", path="/usr/sbin:/usr/bin:/sbin:/bin")
    if not preferred and useradd:
        log.info("making a system account for PostgreSQL, which does not run as root", account=name)
        command = [
            useradd,
            "--system",
            "--no-create-home",
            "--home-dir",
            "/nonexistent",
            "--shell",
            "/usr/sbin/nologin",
            name,
        ]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        with contextlib.suppress(KeyError):  # another start may have been quicker
            return _account(pwd.getpwnam(name))
        log.warning("the account could not be made", reason=made.stderr.strip()[:200])
    raise ConfigurationError(
        f"PostgreSQL does not run as root, and there is no account {name!r} to run it as. Create a system account "
        "that nothing else uses, and set database.unprivileged_user."
    )


def _account(entry: pwd.struct_passwd) -> SystemAccount:
    return SystemAccount(entry.pw_name, entry.pw_uid, entry.pw_gid)


def die_with_parent(number: int = signal.SIGTERM) -> None:
    """Asks the kernel to send this process `number` when its parent ends, however it ends (Linux)."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(number))


class DataDirectory:
    """The data directory, held by one supervisor at a time through a lock the kernel drops when we die."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None

    def __enter__(self) -> Self:
        try:
            self.path.mkdir(mode=0o711, parents=True, exist_ok=True)
            self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigurationError(f"{self.path} cannot be used: {error.strerror}.") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise ConfigurationError(
                f"Bailee is already running on {self.path}. Stop it, or choose another directory with BAILEE_DATA."
            ) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def verify_whole(self) -> None:
        """Raises ConfigurationError for a copy that was restored and not yet brought up to what was erased since."""
        if (self.path / UNFINISHED).exists():
            raise ConfigurationError(
                f"{self.path} is a restore that was not completed: what was erased since has not been erased in it. "
                "Run `bailee restore` again, into an empty directory."
            )


class Cluster:
    """One PostgreSQL cluster in one directory."""

    def __init__(self, name: str, directory: Path, root: Path, account: SystemAccount) -> None:
        if len(os.fsencode(directory)) > _SOCKET_LIMIT - len("/.s.PGSQL.5432"):
            raise ConfigurationError(f"{directory} is too long a path for a unix socket; choose a shorter BAILEE_DATA.")
        self.name = name
        self.directory = directory
        self.process: subprocess.Popen[bytes] | None = None
        self._root = root
        self._account = account

    @property
    def owner_conninfo(self) -> str:
        return embedded_conninfo(self.directory, _OWNER)

    @property
    def admin_conninfo(self) -> str:
        return embedded_conninfo(self.directory, _SUPERUSER, database="postgres")

    def create(self) -> None:
        """Makes the cluster if it is not there. Raises ConfigurationError when it is of another major version."""
        version_file = self.directory / "PG_VERSION"
        major = major_of(self._root)
        if version_file.exists():
            found = version_file.read_text().strip()
            if found != str(major):
                raise ConfigurationError(
                    f"{self.directory} was made by PostgreSQL {found}, and this Bailee brings {major}. Upgrade it with "
                    f"pg_upgrade, or name an installation of PostgreSQL {found} in database.postgres."
                )
            return
        staging = self.directory.with_name(f"{self.name}.new")
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(mode=0o700)
        if not self._account.is_us:
            os.chown(staging, self._account.uid, self._account.gid)
        self._run("initdb", staging, f"-U{_SUPERUSER}", "--encoding=UTF8", "--locale-provider=builtin",
                  "--builtin-locale=C.UTF-8", "--data-checksums", "--auth=peer", "--no-instructions")  # fmt: skip
        self._configure(staging)
        staging.rename(self.directory)

    def start(self, options: Mapping[str, str] = {}, *, seconds: float = _START_SECONDS) -> None:
        """Starts the server and waits until it answers, through crash recovery if it must.

        `options` are settings beside ours, as a restore needs them. Raises ConfigurationError.
        """
        process = self._launch(options)
        deadline = time.monotonic() + seconds
        while True:
            open_to_all = self._is_ready(process)
            try:
                psycopg.connect(self.admin_conninfo, connect_timeout=5).close()
            except psycopg.OperationalError as error:
                self._verify_hope(process, deadline)
                if open_to_all:  # nothing that time would mend
                    raise ConfigurationError(
                        f"PostgreSQL ({self.name}) runs and does not let us in: {str(error).strip()[-200:]}"
                    ) from None
                time.sleep(_POLL)
            else:
                break
        self._provision()
        log.info("postgresql started", cluster=self.name, pid=process.pid)

    def replay(self, options: Mapping[str, str], *, seconds: float) -> None:
        """Starts the server on a copy whose roles are not known, and waits until it has replayed its WAL.

        Raises ConfigurationError.
        """
        process = self._launch(options)
        deadline = time.monotonic() + seconds
        while not self._is_ready(process):
            self._verify_hope(process, deadline)
            time.sleep(_POLL)

    def run_alone(self, statements: str) -> None:
        """Runs SQL in the cluster while it is stopped, as the superuser that made it, whatever that one's name.

        Each statement ends with a semicolon and an empty line; one that fails is passed over. Raises ConfigurationError
        for a cluster that cannot be opened.
        """
        self._run("postgres", self.directory, "-j", "template1", first=("--single",), said=statements)

    def keep_alive(self) -> None:
        """Starts the server again if it has ended by itself."""
        if self.process is not None and self.process.poll() is not None:
            log.warning("postgresql ended; starting it again", cluster=self.name, code=self.process.returncode)
            self.start()

    def stop(self) -> None:
        """Fast shutdown: open transactions are rolled back, a checkpoint is written."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGQUIT)  # what recovery at the next start is for
            self.process.wait(_STOP_SECONDS)
        log.info("postgresql stopped", cluster=self.name)

    def adopt(self, directory: Path) -> None:
        """Makes a directory that was restored, and all in it, the server account's, and nobody else's."""
        directory.chmod(0o700)
        if self._account.is_us:
            return
        for folder, folders, files in os.walk(directory):
            for name in (".", *folders, *files):
                os.chown(Path(folder) / name, self._account.uid, self._account.gid, follow_symlinks=False)

    def _launch(self, options: Mapping[str, str]) -> subprocess.Popen[bytes]:
        self._end_orphan()
        self._configure(self.directory)
        given = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        command = ["-D", self._place(self.directory), *_options(major_of(self._root)), *given]
        try:
            with (self.directory.parent / f"{self.name}-start.log").open("wb") as said:
                self.process = subprocess.Popen(
                    [self._root / "bin" / "postgres", *command],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=said,
                    preexec_fn=lambda: die_with_parent(signal.SIGINT),  # noqa: PLW1509  from the main thread only
                    **self._identity(self.directory),
                )
        except PermissionError:
            raise ConfigurationError(
                f"The account {self._account.name} may not run the programs in {self._root}."
            ) from None
        return self.process

    def _verify_hope(self, process: subprocess.Popen[bytes], deadline: float) -> None:
        """Raises ConfigurationError for a server that has ended, or that took too long."""
        if process.poll() is not None:
            raise ConfigurationError(f"PostgreSQL ({self.name}) did not start; {self.directory}/log says why.")
        if time.monotonic() > deadline:
            raise ConfigurationError(f"PostgreSQL ({self.name}) did not answer in time.")

    def _is_ready(self, process: subprocess.Popen[bytes]) -> bool:
        """Whether the server says that it lets clients in, as pg_ctl asks it: in the last line of its pid file."""
        try:
            lines = (self.directory / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except OSError:
            return False
        return len(lines) >= _PID_LINES and lines[0] == str(process.pid) and lines[-1].strip() == "ready"

    def _provision(self) -> None:
        """Roles and database, each step repeatable."""
        with psycopg.connect(self.admin_conninfo, autocommit=True) as connection:
            rows = connection.execute("SELECT rolname, rolcanlogin FROM pg_roles").fetchall()
            present: dict[str, bool] = {row[0]: row[1] for row in rows}
            for role in (_OWNER, *ROLES):
                if role not in present:
                    connection.execute(sql.SQL("CREATE ROLE {} LOGIN NOBYPASSRLS").format(sql.Identifier(role)))
                elif not present[role]:  # in a copy of a server where other logins take these roles
                    connection.execute(sql.SQL("ALTER ROLE {} LOGIN").format(sql.Identifier(role)))
            if "pg_monitor" in present:
                connection.execute("GRANT pg_read_all_settings TO bailee_operator")
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = 'bailee'").fetchone():
                connection.execute(sql.SQL("CREATE DATABASE bailee OWNER {}").format(sql.Identifier(_OWNER)))
                connection.execute("REVOKE ALL ON DATABASE bailee FROM PUBLIC")
                connection.execute("GRANT CONNECT ON DATABASE bailee TO bailee_tenant, bailee_operator")

    def _configure(self, directory: Path) -> None:
        """Who may connect: the two system accounts concerned, as any of our roles."""
        names = {self._account.name, pwd.getpwuid(os.geteuid()).pw_name}
        users = (_SUPERUSER, _OWNER, *ROLES)
        # `all` does not cover replication, which backups ask for.
        self._write(directory, "pg_hba.conf", "local all,replication all peer map=bailee\n")
        self._write(
            directory, "pg_ident.conf", "".join(f"bailee {name} {user}\n" for name in sorted(names) for user in users)
        )

    def _write(self, directory: Path, name: str, text: str) -> None:
        """Puts a file of the server's account in place, following no link that the account may have laid there."""
        place = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        temporary = f".{name}.{os.getpid()}"
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=place)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            with os.fdopen(os.open(temporary, flags, 0o600, dir_fd=place), "w") as file:
                file.write(text)
                file.flush()
                if not self._account.is_us:
                    os.fchown(file.fileno(), self._account.uid, self._account.gid)
            os.rename(temporary, name, src_dir_fd=place, dst_dir_fd=place)
        finally:
            os.close(place)

    def _end_orphan(self) -> None:
        """A server whose supervisor was killed: we hold the directory's lock, so it serves nobody. End it."""
        pid_file = self.directory / "postmaster.pid"
        try:
            pid = int(pid_file.read_text().splitlines()[0])
            executable = Path(f"/proc/{pid}/exe").readlink()
        except (OSError, ValueError, IndexError):
            return
        if executable.name != "postgres" or Path(f"/proc/{pid}/cwd").resolve() != self.directory.resolve():
            return
        log.warning("ending an orphaned postgresql", cluster=self.name, pid=pid)
        deadline = time.monotonic() + _STOP_SECONDS
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)
            while time.monotonic() < deadline:
                os.kill(pid, 0)
                time.sleep(0.05)
            os.kill(pid, signal.SIGQUIT)
            time.sleep(1)

    def _place(self, directory: Path) -> str:
        return str(directory) if self._account.is_us else "/proc/self/cwd"

    def _identity(self, directory: Path) -> _Identity:
        identity: _Identity = {
            "cwd": directory,
            "umask": 0o077,
            "start_new_session": True,
            "env": {
                "PATH": f"{self._root}/bin:/usr/bin:/bin",
                "LC_ALL": "C.UTF-8",
                "HOME": "/nonexistent",
                "LD_LIBRARY_PATH": f"{self._root}/lib",
            },
        }
        if not self._account.is_us:
            identity |= {"user": self._account.uid, "group": self._account.gid, "extra_groups": ()}
        return identity

    def _run(
        self, program: str, directory: Path, *arguments: str, first: tuple[str, ...] = (), said: str | None = None
    ) -> None:
        answer = subprocess.run(
            [self._root / "bin" / program, *first, "-D", self._place(directory), *arguments],
            input=said,
            capture_output=True,
            text=True,
            check=False,
            **self._identity(directory),
        )
        if answer.returncode != 0:
            reason = (answer.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise ConfigurationError(f"{program} failed for {self.name}: {reason}")


def embedded_conninfo(directory: Path, user: str, database: str = "bailee") -> str:
    """How to reach an embedded cluster."""
    return psycopg.conninfo.make_conninfo(
        host=str(directory), user=user, dbname=database, application_name="bailee", connect_timeout=5
    )
