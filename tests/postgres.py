"""Real PostgreSQL for the tests: a main and a keyring server, with a migrated template on each."""

import itertools
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psycopg
from psycopg import sql

from bailee.foundation.cluster import Cluster, server_account
from bailee.foundation.migrate import migrate
from bailee.foundation.postgresql import unpack_postgresql
from bailee.foundation.settings import DatabaseSettings

SERVERS = ("main", "keyring")
TEMPLATE = "migrated"
_numbers = itertools.count(1)


class Pair(msgspec.Struct, frozen=True):
    """Two servers that run, and the databases that tests ask of them."""

    directory: Path
    main: Cluster
    keyring: Cluster

    def cluster(self, server: str) -> Cluster:
        return self.main if server == "main" else self.keyring

    def url(self, server: str, database: str, user: str = "postgres") -> str:
        """A superuser's URL; the product takes its roles with session options."""
        return f"postgresql:///{database}?host={self.cluster(server).directory}&user={user}"

    def create(self, server: str, name: str, template: str = TEMPLATE) -> str:
        """A database of its own, migrated unless `template` says otherwise; answers its owner's URL."""
        with psycopg.connect(self.cluster(server).admin_conninfo, autocommit=True) as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER bailee_owner").format(
                    sql.Identifier(name), sql.Identifier(template)
                )
            )
        return self.url(server, name, "bailee_owner")

    def drop(self, server: str, name: str) -> None:
        with psycopg.connect(self.cluster(server).admin_conninfo, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    @contextmanager
    def empty(self, server: str) -> Iterator[str]:
        """The owner's URL of a database that nothing has been migrated into."""
        name = f"empty_{next(_numbers)}"
        try:
            yield self.create(server, name, "template0")
        finally:
            self.drop(server, name)

    @contextmanager
    def databases(self) -> Iterator[DatabaseSettings]:
        """A fresh, migrated database on each server."""
        name = f"test_{next(_numbers)}"
        try:
            for server in SERVERS:
                self.create(server, name)
            yield DatabaseSettings(
                main=self.url("main", name),
                keyring=self.url("keyring", name),
                main_owner=self.url("main", name, "bailee_owner"),
                keyring_owner=self.url("keyring", name, "bailee_owner"),
                pool_size=24,
            )
        finally:
            for server in SERVERS:
                self.drop(server, name)


@contextmanager
def data_directory() -> Iterator[Path]:
    """A directory that PostgreSQL's account may pass through, short enough for a socket's path."""
    directory = Path(tempfile.mkdtemp(prefix="bailee-", dir="/tmp"))
    directory.chmod(0o711)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def new_cluster(name: str, data: Path) -> Cluster:
    """A cluster below `data`, made but not started."""
    cluster = Cluster(name, data / name, unpack_postgresql(data), server_account(data))
    cluster.create()
    return cluster


@contextmanager
def running_pair() -> Iterator[Pair]:
    """Both servers, with their templates; stopped by their own process ids at the end."""
    with data_directory() as directory:
        pair = Pair(directory, *(new_cluster(name, directory) for name in SERVERS))
        try:
            for server in SERVERS:
                cluster = pair.cluster(server)
                cluster.start()
                _hurry(cluster)
                migrate(pair.create(server, TEMPLATE, "template0"), server)
            yield pair
        finally:
            for server in SERVERS:
                pair.cluster(server).stop()


def _hurry(cluster: Cluster) -> None:
    """No test of this pair pulls the plug, so nothing waits for the disk."""
    with psycopg.connect(cluster.admin_conninfo, autocommit=True) as connection:
        for setting in ("fsync", "full_page_writes", "synchronous_commit", "summarize_wal", "autovacuum"):
            connection.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(setting)))
        connection.execute("SELECT pg_reload_conf()")
