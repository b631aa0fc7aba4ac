"""Transactions: who they speak for and whether they may write are their type.

`Database.tenant(id)` opens a transaction as the tenant role with `app.tenant` set for its duration;
`Database.operator()` one as the operator role. The `_read` forms are READ ONLY for PostgreSQL too.
Nobody below the edge commits: the block's end does, and an error rolls everything back.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, LiteralString

import msgspec
import psycopg
from psycopg import errors as pg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import BaseRowFactory, RowMaker, scalar_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from bailee.foundation.errors import ConfigurationError, Conflict, Error, Invalid, StorageFull, Unavailable
from bailee.foundation.ids import TenantId

type Connection = psycopg.AsyncConnection[Any]
type Parameters = Mapping[str, object] | Sequence[object]
type Login = Callable[[str], str]
"""Answers the connection string with which a role is reached."""

ROLES = ("bailee_tenant", "bailee_operator")

SESSION = {
    "statement_timeout": "30s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "120s",
    "search_path": "bailee,jobs",
    "timezone": "UTC",
}


def parts_of(setting: str, url: str) -> dict[str, str | int | None]:
    """A PostgreSQL URL, taken apart. Raises ConfigurationError.

    What libpq says of one that it cannot read may repeat the password in it, so it is not said.
    """
    try:
        return conninfo_to_dict(url)
    except psycopg.Error:
        raise ConfigurationError(
            f"{setting} is no PostgreSQL URL. Percent-encode what is special in its password, such as %25 for %."
        ) from None


def verified_conninfo(setting: str, url: str) -> str:
    """A PostgreSQL URL that verifies its server's certificate, or that stays on this machine's sockets.

    Raises ConfigurationError for one that cannot be read, or without TLS.
    """
    parts = parts_of(setting, url)
    if str(parts.get("host") or "").startswith("/"):
        return make_conninfo(url)
    if parts.get("sslmode") not in (None, "verify-full"):
        raise ConfigurationError(f"{setting} takes sslmode=verify-full: the server's certificate is verified.")
    return make_conninfo(url, sslmode="verify-full", sslrootcert=parts.get("sslrootcert") or "system")


class Reader:
    """A transaction that reads. Rows come back as frozen values of the type asked for."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def all[Row](self, row: type[Row], query: LiteralString, parameters: Parameters = ()) -> list[Row]:
        """Every row, its columns converted to the fields of `row`."""
        async with self.connection.cursor(binary=True, row_factory=_rows_of(row)) as cursor:
            await cursor.execute(query, parameters)
            return await cursor.fetchall()

    async def one[Row](self, row: type[Row], query: LiteralString, parameters: Parameters = ()) -> Row | None:
        """The first row, or None."""
        async with self.connection.cursor(binary=True, row_factory=_rows_of(row)) as cursor:
            await cursor.execute(query, parameters)
            return await cursor.fetchone()

    async def values(self, query: LiteralString, parameters: Parameters = ()) -> list[Any]:
        """The first column of every row."""
        async with self.connection.cursor(binary=True, row_factory=scalar_row) as cursor:
            await cursor.execute(query, parameters)
            return await cursor.fetchall()

    async def value(self, query: LiteralString, parameters: Parameters = ()) -> Any:
        """The first column of the first row, or None."""
        async with self.connection.cursor(binary=True, row_factory=scalar_row) as cursor:
            await cursor.execute(query, parameters)
            return await cursor.fetchone()


class Writer(Reader):
    """A transaction that may change things. `recorded` holds the actions of the events written so far."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.recorded: list[str] = []
        self.announced: set[str] = set()

    async def announce(self, channel: str) -> None:
        """At the commit everybody who listens on `channel` hears of it: this process at once, others by NOTIFY."""
        if channel not in self.announced:
            await self.value("SELECT pg_notify(%s, '')", (channel,))
            self.announced.add(channel)

    async def run(self, query: LiteralString, parameters: Parameters = ()) -> int:
        """Executes, and answers how many rows it touched."""
        return (await self.connection.execute(query, parameters)).rowcount

    async def run_many(self, query: LiteralString, rows: Sequence[Parameters]) -> int:
        """Executes once a row, in one round trip."""
        async with self.connection.cursor() as cursor:
            await cursor.executemany(query, rows)
            return cursor.rowcount

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """A part that can fail alone."""
        recorded, announced = len(self.recorded), set(self.announced)
        try:
            async with self.connection.transaction():
                yield
        except BaseException:
            del self.recorded[recorded:]
            self.announced = announced  # what was to be announced was rolled back with the rest
            raise


class OperatorReader(Reader):
    """Reads as the operator."""


class OperatorWriter(OperatorReader, Writer):
    """Writes as the operator."""


class TenantReader(Reader):
    """Reads as one tenant; row security shows nothing else."""

    def __init__(self, connection: Connection, tenant: TenantId) -> None:
        super().__init__(connection)
        self.tenant = tenant


class TenantWriter(TenantReader, Writer):
    """Writes as one tenant."""

    def __init__(self, connection: Connection, tenant: TenantId) -> None:
        Writer.__init__(self, connection)
        self.tenant = tenant


class Database:
    """One PostgreSQL server: a pool of connections for each of its two roles."""

    def __init__(self, login: Login, *, pool_size: int, name: str) -> None:
        self.name = name
        self.login = login
        self._listeners: dict[str, list[Callable[[], None]]] = {}
        self._pools = {
            role: AsyncConnectionPool(
                login(role),
                kwargs={"autocommit": True, "options": session_options(role), "prepare_threshold": 3},
                min_size=1,
                max_size=pool_size,
                timeout=10,
                max_idle=120,
                open=False,
                check=AsyncConnectionPool.check_connection if role == "bailee_operator" else None,
                name=f"{name}-{role}",
            )
            for role in ROLES
        }

    async def open(self) -> None:
        for pool in self._pools.values():
            await pool.open()

    async def close(self) -> None:
        for pool in self._pools.values():
            await pool.close()

    @asynccontextmanager
    async def tenant(self, tenant: TenantId) -> AsyncIterator[TenantWriter]:
        """A writing transaction of `tenant`. Raises Unavailable, StorageFull or Conflict for the server's part."""
        async with self._transaction("bailee_tenant", _tenant_begin("BEGIN", tenant)) as connection:
            writer = TenantWriter(connection, tenant)
            yield writer
        self._tell(writer)

    @asynccontextmanager
    async def tenant_read(self, tenant: TenantId) -> AsyncIterator[TenantReader]:
        """A READ ONLY transaction of `tenant`, on one snapshot."""
        begin = _tenant_begin("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", tenant)
        async with self._transaction("bailee_tenant", begin) as connection:
            yield TenantReader(connection, tenant)

    @asynccontextmanager
    async def operator(self) -> AsyncIterator[OperatorWriter]:
        """A writing transaction of the operator."""
        async with self._transaction("bailee_operator", b"BEGIN") as connection:
            writer = OperatorWriter(connection)
            yield writer
        self._tell(writer)

    @asynccontextmanager
    async def operator_read(self) -> AsyncIterator[OperatorReader]:
        """A READ ONLY transaction of the operator, on one snapshot."""
        begin = b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
        async with self._transaction("bailee_operator", begin) as connection:
            yield OperatorReader(connection)

    @asynccontextmanager
    async def session(self, role: str = "bailee_operator") -> AsyncIterator[Connection]:
        """A connection of its own, in autocommit, for LISTEN and for session-level locks."""
        with _server_errors():
            connection = await psycopg.AsyncConnection.connect(
                self.login(role), autocommit=True, options=session_options(role)
            )
        try:
            yield connection
        finally:
            await connection.close()

    def on_announcement(self, channel: str, react: Callable[[], None]) -> None:
        """Has `react` called after each commit of this process that announces on `channel`."""
        self._listeners.setdefault(channel, []).append(react)

    def _tell(self, writer: Writer) -> None:
        for channel in writer.announced:
            for react in self._listeners.get(channel, ()):
                react()

    @asynccontextmanager
    async def _transaction(self, role: str, begin: bytes) -> AsyncIterator[Connection]:
        with _server_errors():
            async with self._pools[role].connection() as connection:
                await connection.execute(begin)
                try:
                    yield connection
                except BaseException:
                    if not connection.closed:
                        await connection.execute(b"ROLLBACK")
                    raise
                await _commit(connection)


def _rows_of[Row](kind: type[Row]) -> BaseRowFactory[Row]:
    def factory(cursor: psycopg.AsyncCursor[Any] | psycopg.Cursor[Any]) -> RowMaker[Row]:
        names = [column.name for column in cursor.description or ()]
        return lambda values: msgspec.convert(dict(zip(names, values, strict=True)), kind)

    return factory  # type: ignore[return-value]  # psycopg passes either kind of cursor


async def _commit(connection: Connection) -> None:
    try:
        status = (await connection.execute(b"COMMIT")).statusmessage
    except psycopg.OperationalError as error:
        raise Unavailable("The connection broke at the last moment; it is not known whether this was done.") from error
    if status != "COMMIT":
        raise Unavailable("The database rolled this back; nothing was changed. Try again.")


def session_options(role: str) -> str:
    """libpq `options` that take the role and bound every statement."""
    return " ".join(f"-c {name}={value}" for name, value in {"role": role, **SESSION}.items())


def _tenant_begin(begin: str, tenant: TenantId) -> bytes:
    # A real SET LOCAL, in the same round trip: set_config() would not reach the shards of a Citus cluster.
    # str(UUID) is 32 hex digits and hyphens, whatever the caller passed.
    return f"{begin}; SET LOCAL app.tenant = '{tenant!s}'".encode()


@contextmanager
def _server_errors() -> Iterator[None]:
    """Turns what the server may answer at any time into the product's own errors."""
    try:
        yield
    except Error:
        raise
    except (pg.DiskFull, pg.OutOfMemory) as error:
        raise StorageFull("The database has no room left; nothing was changed. Free space and try again.") from error
    except (pg.DeadlockDetected, pg.SerializationFailure, pg.LockNotAvailable, pg.QueryCanceled) as error:
        raise Unavailable("Others are changing the same thing; nothing was changed. Try again.") from error
    except pg.DataError as error:
        raise Invalid("A value cannot be stored: it is out of range, or holds a NUL character.") from error
    except (psycopg.OperationalError, PoolTimeout, pg.AdminShutdown) as error:
        raise Unavailable("The database cannot be reached; nothing was changed. Try again.") from error


@contextmanager
def constraints(mapping: Mapping[str, Error]) -> Iterator[None]:
    """Turns the violation of a named constraint into its domain error."""
    try:
        yield
    except pg.IntegrityError as error:
        found = mapping.get(error.diag.constraint_name or "")
        if found is None:
            raise Conflict("That contradicts what is stored; nothing was changed.") from error
        raise found from error
