"""What every table held at one moment, as hashes that do not depend on the order of rows; a drill holds a copy to it.

The moment is a restore point in the WAL. For as long as it takes to set it, a few milliseconds, nobody writes: each
table is locked in SHARE mode, a snapshot is taken, the point is set, the locks are let go. The rows are then counted
and hashed in that snapshot, while everybody goes on. Who cannot have the locks at once steps back and tries again.
"""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import psycopg
from psycopg import errors as pg
from psycopg import sql

from bailee.backup.age import Identity
from bailee.backup.copying import lsn
from bailee.backup.errors import BackupFailed
from bailee.backup.repository import Repository
from bailee.backup.servers import refusal
from bailee.backup.tools import Source
from bailee.backup.volumes import Sealer, seal_signed, unseal_signed
from bailee.foundation.ids import new_id
from bailee.ledger.note import Signer, Verifier

ROOT = "fingerprints"
_ATTEMPTS = 40
_PAUSE = 0.25
_LEVEL = 3
# Rows as text alike everywhere; and all of them: a login that row security binds is told so, not shown fewer.
_AS_TEXT = {"TimeZone": "UTC", "DateStyle": "ISO", "bytea_output": "hex", "extra_float_digits": "1",
            "IntervalStyle": "postgres", "row_security": "off"}  # fmt: skip


class TableHash(msgspec.Struct, frozen=True):
    """One table: how many rows, and two sums of 64-bit hashes over them (hashtextextended, seeds 0 and 1)."""

    name: str
    rows: int
    first: str
    second: str


class Fingerprint(msgspec.Struct, frozen=True):
    """All tables of one server at a restore point."""

    server: str
    point: str
    lsn: int
    at: datetime
    tables: list[TableHash]
    system_id: str = ""
    """Of which cluster; none is noted in older ones."""

    @property
    def name(self) -> str:
        return f"{ROOT}/{self.server}/{self.point}.zst.age"


def take_fingerprint(source: Source) -> Fingerprint:
    """Raises BackupFailed when the tables were never free for a moment, or the login may not do this."""
    point = f"bailee-{new_id()}"
    try:
        for _ in range(_ATTEMPTS):
            with _connection(source) as reader:
                position, moment = _freeze(source, reader, point), datetime.now(UTC)
                if position is not None:
                    system_id = str(
                        reader.execute("SELECT system_identifier FROM pg_control_system()").fetchall()[0][0]
                    )
                    return Fingerprint(source.name, point, position, moment, hash_tables(reader), system_id)
            time.sleep(_PAUSE)
    except psycopg.Error as error:
        raise refusal(source, error) from error
    raise BackupFailed("The tables are written to without a pause; no moment could be fixed for the next drill.")


def compare(source: Source, expected: Fingerprint) -> list[str]:
    """What differs in a copy, one sentence a table; empty when it is the same row by row. Raises BackupFailed."""
    try:
        with _connection(source) as connection:
            found = {one.name: one for one in hash_tables(connection)}
    except psycopg.Error as error:
        raise refusal(source, error) from error
    faults = []
    for table in expected.tables:
        copy = found.pop(table.name, None)
        if copy is None:
            faults.append(f"{expected.server}: the table {table.name} is missing")
        elif copy.rows != table.rows:
            faults.append(f"{expected.server}: {table.name} has {copy.rows} rows in place of {table.rows}")
        elif copy != table:
            faults.append(f"{expected.server}: rows of {table.name} differ")
    return faults + [f"{expected.server}: the table {name} was not there" for name in found]


def store_fingerprint(repository: Repository, fingerprint: Fingerprint, sealer: Sealer, signer: Signer) -> None:
    name = fingerprint.name
    repository.put(name, seal_signed(sealer, signer, name, msgspec.json.encode(fingerprint)))


def read_fingerprints(
    repository: Repository, server: str, identities: Sequence[Identity], verifiers: Sequence[Verifier]
) -> list[Fingerprint]:
    """Newest first. Raises BackupDamaged."""
    names = sorted((one.name for one in repository.list(f"{ROOT}/{server}")), reverse=True)
    return [
        msgspec.json.decode(unseal_signed(name, repository.get(name), identities, verifiers), type=Fingerprint)
        for name in names
    ]


def point_time(name: str) -> datetime:
    """When the restore point of a stored fingerprint was set: its id carries the time (UUIDv7)."""
    point = UUID(name.rpartition("/")[2].removeprefix("bailee-").removesuffix(".zst.age"))
    return datetime.fromtimestamp((point.int >> 80) / 1000, UTC)


def hash_tables(connection: psycopg.Connection[Any]) -> list[TableHash]:
    """Every table that is not PostgreSQL's own."""
    found = []
    for schema, table in _tables(connection):
        row = connection.execute(
            sql.SQL(
                "SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)), 0)::text,"
                " coalesce(sum(hashtextextended(t::text, 1)), 0)::text FROM {} AS t"
            ).format(sql.Identifier(schema, table))
        ).fetchone()
        if row is not None:
            found.append(TableHash(f"{schema}.{table}", row[0], row[1], row[2]))
    return found


def _freeze(source: Source, reader: psycopg.Connection[Any], point: str) -> int | None:
    """Sets the point at which `reader` has its snapshot; None when a table was not free."""
    with _connection(source) as holder:
        try:
            holder.execute("SET LOCAL lock_timeout = '400ms'")  # before a writer that we hold up looks for a deadlock
            names = [sql.Identifier(schema, table) for schema, table in _tables(holder)]
            if names:
                holder.execute(sql.SQL("LOCK TABLE {} IN SHARE MODE").format(sql.SQL(", ").join(names)))
            reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            reader.execute("SELECT 1")
            row = holder.execute("SELECT pg_create_restore_point(%s)", (point,)).fetchone()
            return lsn(str(row[0])) if row else None
        except (pg.LockNotAvailable, pg.DeadlockDetected):
            return None


def _tables(connection: psycopg.Connection[Any]) -> list[tuple[str, str]]:
    return connection.execute(
        """
        SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'r' AND c.relpersistence = 'p'
          AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
        ORDER BY n.nspname, c.relname
        """
    ).fetchall()


def _connection(source: Source) -> psycopg.Connection[Any]:
    options = " ".join(f"-c {name}={value}" for name, value in _AS_TEXT.items())
    return psycopg.connect(source.conninfo, options=options)
