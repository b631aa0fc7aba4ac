"""A copy of a server that was not ours becomes an embedded cluster.

How such a server was set up is not known. Its configuration may name libraries, certificates and commands of another
machine, or lie elsewhere; its superuser, the owner of our tables and our database may be called something else. The
copy keeps the data, and nothing of the rest: it takes no command, loads no library and lets nobody in but us.

A crash in the middle leaves a copy that is not complete, which nothing starts.
"""

import contextlib
import os
from pathlib import Path

import psycopg
from psycopg import sql

from bailee.backup.errors import RestoreRefused
from bailee.foundation.cluster import Cluster, embedded_conninfo
from bailee.foundation.errors import ConfigurationError

_SUPERUSER, _OWNER, _DATABASE = "postgres", "bailee_owner", "bailee"
_CONFIGURATION = "postgresql.conf"
_THEIRS = (_CONFIGURATION, "postgresql.auto.conf", "standby.signal", "recovery.signal")
_SCHEMAS = ["bailee", "jobs"]
_NOTE = """\
# Of a copy that was restored: what the server was set up with has no force here.
max_prepared_transactions = 64  # what others had prepared there must find room, or nothing recovers
"""


def leave_configuration(directory: Path) -> None:
    """Puts a configuration of ours in the place of what the data directory of another server has. Before its start."""
    for name in _THEIRS:
        with contextlib.suppress(FileNotFoundError):
            (directory / name).unlink()
    handle = os.open(directory / _CONFIGURATION, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(_NOTE)


def settle(cluster: Cluster, database: str) -> None:
    """Gives a recovered copy, whose server runs, our superuser, our database and its owner, and lets it run on.

    Raises RestoreRefused.
    """
    cluster.stop()
    try:
        cluster.run_alone(_alone(database))
        cluster.start()
        with psycopg.connect(embedded_conninfo(cluster.directory, _SUPERUSER), autocommit=True) as connection:
            _own(connection)
    except (ConfigurationError, psycopg.Error) as error:
        said = " ".join(str(error).split())[:300]
        raise RestoreRefused(f"The copy of {cluster.name} cannot be made an embedded cluster: {said}") from None


def _alone(database: str) -> str:
    """What only the superuser can do, whose name is not known: in the server's single-user mode.

    Settings of roles and databases go first: they may load what is not here.
    """
    statements = (
        sql.SQL("DELETE FROM pg_catalog.pg_db_role_setting"),
        sql.SQL("CREATE ROLE {}").format(sql.Identifier(_SUPERUSER)),
        sql.SQL("ALTER ROLE {} SUPERUSER LOGIN CONNECTION LIMIT -1").format(sql.Identifier(_SUPERUSER)),
        sql.SQL("CREATE DATABASE postgres"),
        *_renaming(database),
    )
    return "".join(f"{one.as_string()};\n\n" for one in statements)


def _renaming(database: str) -> list[sql.Composed]:
    """Our database takes the name that it has everywhere else; another one of that name makes room."""
    if database == _DATABASE:
        return []
    moves = ((_DATABASE, f"{_DATABASE}_of_others"), (database, _DATABASE))
    return [
        sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(old), sql.Identifier(new)) for old, new in moves
    ]


def _own(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    """Our tables belong to their embedded owner, whoever had them."""
    owner = sql.Identifier(_OWNER)
    with connection.transaction():
        connection.execute(sql.SQL("ALTER DATABASE bailee OWNER TO {}").format(owner))
        connection.execute("REVOKE ALL ON DATABASE bailee FROM PUBLIC")
        connection.execute("GRANT CONNECT ON DATABASE bailee TO bailee_tenant, bailee_operator")
        for (command,) in connection.execute(_OWNED, {"schemas": _SCHEMAS, "owner": _OWNER}).fetchall():
            connection.execute(str(command).encode())


_OWNED = """
    WITH ours AS (SELECT oid, nspname FROM pg_namespace WHERE nspname = ANY(%(schemas)s))
    SELECT format('ALTER SCHEMA %%I OWNER TO %%I', nspname, %(owner)s::text) FROM ours
    UNION ALL
    SELECT format('ALTER TABLE %%s OWNER TO %%I', c.oid::regclass, %(owner)s::text)
    FROM pg_class c JOIN ours ON ours.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S')
      AND NOT EXISTS (  -- a sequence of a column follows its table
        SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND c.relkind = 'S'
          AND d.deptype IN ('a', 'i'))
    UNION ALL
    SELECT format('ALTER ROUTINE %%s OWNER TO %%I', p.oid::regprocedure, %(owner)s::text)
    FROM pg_proc p JOIN ours ON ours.oid = p.pronamespace
    UNION ALL
    SELECT format('ALTER TYPE %%s OWNER TO %%I', t.oid::regtype, %(owner)s::text)
    FROM pg_type t JOIN ours ON ours.oid = t.typnamespace
    WHERE t.typelem = 0
      AND (t.typtype IN ('e', 'd', 'r') OR (t.typtype = 'c'
        AND EXISTS (SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c')))
"""
