"""The process tree of `bailee up`: two PostgreSQL clusters, the web server and the worker, under one supervisor.

Started in that order and stopped in the other. Whatever ends by itself is started again. When the supervisor is
killed, the kernel ends its children (parent-death signal); the next start recovers what they were doing.
"""

import asyncio
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import msgspec
import structlog

from bailee import __version__
from bailee.assembly import open_services
from bailee.encryption.tls import ensure_certificates
from bailee.events.catalogue import Migrated, Started, Stopped
from bailee.foundation.clock import Clock
from bailee.foundation.cluster import Cluster, DataDirectory, die_with_parent, server_account
from bailee.foundation.database import parts_of
from bailee.foundation.errors import ConfigurationError, Error
from bailee.foundation.migrate import ensure_roles, migrate
from bailee.foundation.postgresql import programs_of
from bailee.foundation.principal import system
from bailee.foundation.settings import EMBEDDED, Settings

log = structlog.get_logger()

_READY_SECONDS = 60
_STOP_SECONDS = 40
_RESTART_SECONDS = 1.0
_OPERATOR = system("supervisor")


class Ready(msgspec.Struct, frozen=True):
    """What `up` has to say when it serves."""

    url: str
    setup_url: str | None


def owners(settings: Settings) -> tuple[str, str]:
    """How the owner of each schema is reached, for migrations. Raises ConfigurationError."""
    if settings.database.main == EMBEDDED:
        main, keyring = _clusters(settings)
        return main.owner_conninfo, keyring.owner_conninfo
    if not (settings.database.main_owner and settings.database.keyring_owner):
        raise ConfigurationError("Set database.main_owner and database.keyring_owner: migrations run as the owner.")
    return settings.database.main_owner, settings.database.keyring_owner


def run_migrations(settings: Settings) -> list[str]:
    """Brings both servers to the present schema, and leaves an event."""
    main, keyring = owners(settings)
    if settings.database.main != EMBEDDED:
        for owner, url in ((main, settings.database.main), (keyring, settings.database.keyring)):
            ensure_roles(owner, [login_of(url)])
    steps = [f"main {step}" for step in migrate(main, "main")] + [
        f"keyring {step}" for step in migrate(keyring, "keyring")
    ]
    if steps:
        asyncio.run(_note_migration(settings, len(steps)))
    return steps


def login_of(url: str) -> str:
    """The user of a PostgreSQL URL. Raises ConfigurationError."""
    user = parts_of("A database URL", url).get("user")
    if not user:
        raise ConfigurationError("A database URL names its user.")
    return str(user)


async def _note_migration(settings: Settings, steps: int) -> None:
    async with open_services(settings) as services, services.database.operator() as tx:
        await services.events.record(tx, Migrated(steps), by=_OPERATOR)


@contextmanager
def running_clusters(settings: Settings) -> Iterator[list[Cluster]]:
    """The embedded clusters, started, for as long as the block runs; none when PostgreSQL is elsewhere."""
    if settings.database.main != EMBEDDED:
        yield []
        return
    clusters = list(_clusters(settings))
    with ThreadPoolExecutor() as pool:
        list(pool.map(Cluster.create, clusters))
    with ExitStack() as stack:
        for cluster in clusters:
            stack.callback(cluster.stop)
            cluster.start()
        yield clusters


def _clusters(settings: Settings) -> tuple[Cluster, Cluster]:
    programs = programs_of(settings.data, settings.database.postgres)
    account = server_account(settings.data, settings.database.unprivileged_user)
    main, keyring = settings.data / "main", settings.data / "keyring"
    return (
        Cluster("main", main, programs.for_directory(main), account),
        Cluster("keyring", keyring, programs.for_directory(keyring), account),
    )


class Child:
    """A process of ours that is started again when it ends."""

    def __init__(self, command: str, settings: Settings) -> None:
        self.command = command
        self._environment = {**os.environ, "BAILEE_DATA": str(settings.data), "BAILEE_PORT": str(settings.web.port)}
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0

    def start(self) -> None:
        self._started = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bailee.cli", self.command],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            preexec_fn=lambda: die_with_parent(signal.SIGKILL),  # noqa: PLW1509  called from the main thread only
        )

    def keep_alive(self) -> None:
        """Starts it again if it has ended, at most once a second."""
        if self._process and self._process.poll() is not None and time.monotonic() - self._started > _RESTART_SECONDS:
            log.warning("process ended; starting it again", process=self.command, code=self._process.returncode)
            self.start()

    def stop(self) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            log.warning("process did not stop in time", process=self.command)
            self._process.kill()
            self._process.wait()


def run_up(settings: Settings, ready: Callable[[Ready], None]) -> None:
    """Runs everything until SIGTERM or SIGINT; calls `ready` once it serves."""
    stopping = _StopSignal()
    _verify_port_is_free(settings)
    with DataDirectory(settings.data) as directory, ExitStack() as stack:
        directory.verify_whole()
        clusters = stack.enter_context(running_clusters(settings))
        run_migrations(settings)
        setup_url, aside = asyncio.run(_begin(settings))
        children = [Child(command, settings) for command in ("serve", *(() if aside else ("worker",)))]
        try:
            children[0].start()
            _wait_until_healthy(settings, stopping)
            for worker in children[1:]:  # after the server, for the checks that it runs call on it
                worker.start()
            if aside:
                log.warning("no worker runs in a copy that was restored for legal retention")
            if not stopping.received:
                ready(Ready(settings.base_url, setup_url))
            while not stopping.received:
                stopping.wait(0.2)
                for cluster in clusters:
                    if not stopping.received:
                        cluster.keep_alive()
                for child in children:
                    if not stopping.received:
                        child.keep_alive()
        finally:
            for child in children:
                child.stop()
            _end(settings)


def _verify_port_is_free(settings: Settings) -> None:
    """The server shares its port among its workers, so the system would let a stranger share it too."""
    family = socket.AF_INET6 if ":" in settings.web.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.web.host, settings.web.port))
        except OSError as error:
            raise ConfigurationError(
                f"Port {settings.web.port} on {settings.web.host} cannot be used ({error.strerror}). "
                "Choose another with BAILEE_PORT."
            ) from None


async def _begin(settings: Settings) -> tuple[str | None, bool]:
    """Leaves the event of the start; answers the setup link while nobody has an account, and if no worker may run."""
    async with open_services(settings) as services:
        async with services.database.operator() as tx:
            await services.events.record(tx, Started(__version__), by=_OPERATOR)
            aside = await services.backup.replay.is_aside(tx)
            if not await services.access.accounts.needs_setup(tx):
                return None, aside
            token = await services.access.accounts.issue_setup_token(tx, by=_OPERATOR)
        return f"{settings.base_url}/setup#{token}", aside


def _end(settings: Settings) -> None:
    async def run() -> None:
        async with open_services(settings) as services, services.database.operator() as tx:
            await services.events.record(tx, Stopped(), by=_OPERATOR)

    try:
        asyncio.run(run())
    except Error as error:
        log.warning("the stop left no event", reason=error.code)


def _wait_until_healthy(settings: Settings, stopping: "_StopSignal") -> None:
    certificates = ensure_certificates(settings, Clock())
    trust = ssl.create_default_context()
    if certificates.ca_file is not None:
        trust.load_verify_locations(certificates.ca_file)
    host = "127.0.0.1" if settings.web.host in ("0.0.0.0", "::") else settings.web.host  # noqa: S104  compared with
    deadline = time.monotonic() + _READY_SECONDS
    trust.check_hostname = False  # asked on the local address; the chain is still verified
    while not stopping.received:
        try:
            with urllib.request.urlopen(f"https://{host}:{settings.web.port}/health", context=trust, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            if time.monotonic() > deadline:
                raise ConfigurationError(
                    f"The server does not answer on port {settings.web.port}. {settings.data}/logs says why; "
                    "is the port taken? Choose another with BAILEE_PORT."
                ) from None
            stopping.wait(0.1)


class _StopSignal:
    """SIGTERM or SIGINT, remembered."""

    def __init__(self) -> None:
        self.received = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._receive)

    def _receive(self, _number: int, _frame: object) -> None:
        self.received = True

    def wait(self, seconds: float) -> None:
        """Sleeps, in short steps, until a signal comes."""
        end = time.monotonic() + seconds
        while not self.received and time.monotonic() < end:
            time.sleep(0.05)


def run_worker(settings: Settings) -> None:
    """Runs jobs, schedules, the ledger's sequencer, the detector and the exports until SIGTERM or SIGINT."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        async with open_services(settings) as services:
            async with services.database.operator_read() as tx:
                if await services.backup.replay.is_aside(tx):
                    raise ConfigurationError(
                        "This copy was restored for legal retention, to be read: no worker runs in it. To go on with a "
                        "copy in the place of a lost instance, restore for disaster_recovery."
                    )
            tasks = [
                asyncio.create_task(work)
                for work in (
                    services.jobs.run(),
                    services.sequencer.run(),
                    services.monitoring.detector.run(),
                    services.keyring.listen(),
                    *([services.backup.keeper.run()] if services.settings.backup.scheduled else []),
                    *([services.monitoring.exporter.run()] if services.monitoring.exporter.exports else []),
                )
            ]
            stopped = asyncio.create_task(stop.wait())
            await asyncio.wait([*tasks, stopped], return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            stopped.cancel()
        failures = [r for r in results if isinstance(r, Exception)]
        if failures:
            raise failures[0]

    asyncio.run(main())
