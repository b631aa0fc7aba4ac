"""What a server is that is to be backed up, and what it has to be so that a backup of it is worth something."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row

from bailee.backup.errors import BackupFailed
from bailee.backup.tools import Source
from bailee.backup.wal import SEGMENT

_OURS = {"main": "backups", "keyring": "instance_secrets"}
"""A table that only this server's database has."""
_CONNECT_SECONDS = 15
_SAID = 300


class Identified(msgspec.Struct, frozen=True):
    """Which cluster a server runs, and how it is set up."""

    major: int
    system_id: str
    timeline: int
    summarizes: bool
    """Whether incremental backups can be taken of it."""
    standby: bool
    segment: int
    replicates: bool
    """Whether our login may."""
    tablespaces: list[str]
    """Those that lie outside its data directory."""
    ours: bool
    """Whether the login's database has the tables that it should."""


def identify(source: Source) -> Identified:
    """Asks a server. Raises BackupFailed for one that cannot be asked, with the reason."""
    with session(source) as connection, connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(
            """
            SELECT current_setting('server_version_num')::int / 10000 AS major, system_identifier::text AS system_id,
                   timeline_id AS timeline, pg_is_in_recovery() AS standby,
                   coalesce(current_setting('summarize_wal', true), 'off') = 'on' AS summarizes,
                   bytes_per_wal_segment AS segment,
                   (SELECT rolsuper OR rolreplication FROM pg_roles WHERE rolname = current_user) AS replicates,
                   ARRAY(SELECT spcname::text FROM pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global')
                         ORDER BY spcname) AS tablespaces,
                   EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                           WHERE n.nspname = 'bailee' AND c.relname = %s) AS ours
            FROM pg_control_system(), pg_control_checkpoint(), pg_control_init()
            """,
            (_OURS.get(source.name, ""),),
        ).fetchone()
    if row is None:
        raise BackupFailed(f"The server of {source.name} does not say which it is.")
    return msgspec.convert(row, Identified)


def verify_fit(source: Source, found: Identified, others: Iterable[Source]) -> None:
    """Raises BackupFailed for a server of which no backup can be taken, or none that keeps what is promised.

    `others` are the servers that are backed up apart from this one.
    """
    name = source.name
    if not found.ours:
        raise BackupFailed(
            f"The database {source.database} that backup.{name}_url names is not that of {name}. Name the one in which "
            "`bailee migrate` made the tables."
        )
    if found.standby:
        raise BackupFailed(f"backup.{name}_url leads to a standby: drills need the server that is written to.")
    if not found.replicates:
        raise BackupFailed(f"The login of backup.{name}_url may not replicate: ALTER ROLE … REPLICATION.")
    if found.segment != SEGMENT:
        raise BackupFailed(f"The server of {name} writes WAL in segments of another size than 16 MB.")
    if found.tablespaces:
        raise BackupFailed(
            f"The server of {name} keeps data outside its directory, in the tablespace {found.tablespaces[0]}. A "
            "restored copy has one directory: move what lies there with ALTER … SET TABLESPACE pg_default, and drop it."
        )
    for other in others:
        if source.foreign and _system_id(other) == found.system_id:
            raise BackupFailed(
                f"{name} and {other.name} are databases of one server. A backup holds the whole server, so each would "
                "keep keys for as long as data, and what is erased would stay readable in it: use two servers."
            )


@contextmanager
def session(source: Source) -> Iterator[psycopg.Connection[Any]]:
    """A connection to a server; what PostgreSQL refuses in it is raised as BackupFailed, with the reason."""
    limit = conninfo_to_dict(source.conninfo).get("connect_timeout", _CONNECT_SECONDS)
    try:
        with psycopg.connect(make_conninfo(source.conninfo, connect_timeout=limit), autocommit=True) as connection:
            yield connection
    except psycopg.Error as error:
        raise refusal(source, error) from error


def refusal(source: Source, error: psycopg.Error) -> BackupFailed:
    """What the server said, for whoever looks after it. libpq repeats no password once a URL could be read."""
    said = " ".join(str(error).split()) or type(error).__name__
    return BackupFailed(f"The server of {source.name} cannot be backed up by this login: {said[:_SAID]}")


def _system_id(source: Source) -> str:
    try:
        return identify(source).system_id
    except BackupFailed:  # told when its own turn comes
        return ""
