"""Migrations: plain SQL beside the code that owns the tables, in one ordered history.

A file is `<room>/migrations/NNNN_name.sql`; those of the keyring server are in `migrations/keyring/`.
Numbers are unique over all rooms. Each file runs once, in its own transaction, under an advisory lock and
a lock timeout; a file that changed after it ran is refused.
"""

import hashlib
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import msgspec
import procrastinate
import psycopg
from procrastinate.schema import SchemaManager
from psycopg import sql

from bailee.foundation.database import ROLES
from bailee.foundation.errors import ConfigurationError

_LOCK = 0x6261696C6565  # "bailee"
_MINIMUM_VERSION = 160_000


class Migration(msgspec.Struct, frozen=True, order=True):
    """One step of the history."""

    number: int
    name: str
    text: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def find_migrations(server: str) -> list[Migration]:
    """The history of `main` or `keyring`, in order. Raises ConfigurationError when two share a number."""
    package = resources.files("bailee")
    found: list[Migration] = []
    for room in package.iterdir():
        folder = room / "migrations" if server == "main" else room / "migrations" / "keyring"
        found += [_read(file) for file in _sql_files(folder)]
    found.sort()
    numbers = [migration.number for migration in found]
    if len(set(numbers)) != len(numbers):
        raise ConfigurationError(f"Two migrations of {server} share a number: {numbers}.")
    return found


def _sql_files(folder: Traversable) -> list[Traversable]:
    return [file for file in folder.iterdir() if file.name.endswith(".sql")] if folder.is_dir() else []


def _read(file: Traversable) -> Migration:
    number, _, name = file.name.removesuffix(".sql").partition("_")
    return Migration(int(number), name, file.read_text(encoding="utf-8"))


def ensure_roles(owner: str, logins: list[str]) -> None:
    """Creates the two application roles and lets `logins` take them. Runs as a role that may create roles."""
    with _connect(owner) as connection:
        for role in ROLES:
            exists = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone()
            if not exists:
                connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN NOBYPASSRLS").format(sql.Identifier(role)))
            for login in logins:
                connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(role), sql.Identifier(login)))


def migrate(owner: str, server: str) -> list[str]:
    """Brings `server` to the present schema as its owner, and names the steps taken.

    Raises ConfigurationError when the server is too old, or a step that ran has been edited since.
    """
    done: list[str] = []
    with _connect(owner) as connection:
        if connection.info.server_version < _MINIMUM_VERSION:
            raise ConfigurationError("PostgreSQL 16 or newer is needed.")
        connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        try:
            _prepare(connection)
            done += _install_jobs(connection) if server == "main" else []
            ran = {row[0]: row[1] for row in connection.execute("SELECT number, digest FROM bailee.schema_history")}
            for migration in find_migrations(server):
                known = ran.get(migration.number)
                if known == migration.digest:
                    continue
                if known is not None:
                    raise ConfigurationError(
                        f"Migration {migration.number:04} {migration.name} was edited after it ran. "
                        "Restore the file, and put the change into a new one."
                    )
                _apply(connection, migration)
                done.append(f"{migration.number:04} {migration.name}")
        finally:
            connection.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))
    return done


def _connect(owner: str) -> psycopg.Connection[Any]:
    try:
        return psycopg.connect(owner, autocommit=True, connect_timeout=10)
    except psycopg.OperationalError as error:
        reason = str(error).strip().splitlines()[0]
        raise ConfigurationError(f"PostgreSQL cannot be reached as the owner: {reason}.") from None


def _prepare(connection: psycopg.Connection[Any]) -> None:
    connection.execute("SET lock_timeout = '10s'")
    connection.execute("CREATE SCHEMA IF NOT EXISTS bailee")
    connection.execute("CREATE SCHEMA IF NOT EXISTS jobs")
    connection.execute("SET search_path = bailee, jobs")
    for schema in ("bailee", "jobs"):
        for role in ROLES:
            connection.execute(
                sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(sql.Identifier(schema), sql.Identifier(role))
            )
    connection.execute(
        "CREATE TABLE IF NOT EXISTS bailee.schema_history ("
        " number integer NOT NULL CONSTRAINT schema_history_pkey PRIMARY KEY,"
        " name text NOT NULL, digest text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
    )
    connection.execute("GRANT SELECT ON bailee.schema_history TO bailee_operator")


def _apply(connection: psycopg.Connection[Any], migration: Migration) -> None:
    with connection.transaction():
        connection.execute(migration.text)
        connection.execute(
            "INSERT INTO bailee.schema_history (number, name, digest) VALUES (%s, %s, %s)",
            (migration.number, migration.name, migration.digest),
        )


def _install_jobs(connection: psycopg.Connection[Any]) -> list[str]:
    """procrastinate's own schema: whole at first, afterwards the steps its newer releases bring."""
    steps = sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))
    connection.execute(
        "CREATE TABLE IF NOT EXISTS jobs.schema_history (name text NOT NULL CONSTRAINT schema_history_pkey PRIMARY KEY)"
    )
    ran = {row[0] for row in connection.execute("SELECT name FROM jobs.schema_history")}
    missing = [step for step in steps if step.name not in ran]
    if not missing:
        return []
    with connection.transaction():
        connection.execute("SET LOCAL search_path = jobs")
        if ran:
            for step in missing:
                connection.execute(step.read_text(encoding="utf-8"))
        else:
            connection.execute(SchemaManager.get_schema())
        for step in missing:
            connection.execute("INSERT INTO jobs.schema_history (name) VALUES (%s)", (step.name,))
        connection.execute("GRANT ALL ON ALL TABLES IN SCHEMA jobs TO bailee_operator")
        connection.execute("GRANT ALL ON ALL SEQUENCES IN SCHEMA jobs TO bailee_operator")
        # A tenant's transaction may leave a job behind, and see nothing of the queue.
        connection.execute("GRANT INSERT, SELECT (id) ON procrastinate_jobs TO bailee_tenant")
        connection.execute("GRANT INSERT ON procrastinate_events TO bailee_tenant")
        connection.execute("GRANT USAGE ON ALL SEQUENCES IN SCHEMA jobs TO bailee_tenant")
    return [f"jobs {procrastinate.__version__}"]
