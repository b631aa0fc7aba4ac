"""A whole instance on clusters of its own, backed up and restored through the real commands."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from bailee.assembly import Services, open_services
from bailee.backup.keys import read_kit
from bailee.backup.manifest import Manifest
from bailee.backup.planning import Access
from bailee.backup.receiving import Receiver, current_lsn, receiving
from bailee.backup.schedule import wal_keep
from bailee.cli.processes import run_migrations, running_clusters
from bailee.foundation.settings import EMBEDDED, BackupSettings, Settings, load_settings
from tests.integration.rig import SYSTEM
from tests.postgres import data_directory

WAL_SECONDS = 0.5


class House:
    """An instance, its recovery kit, and a worker's part in storing WAL.

    `programs`: the PostgreSQL installations that whoever restores it has to name.
    """

    def __init__(self, settings: Settings, services: Services, kit: Path, programs: tuple[Path, ...] = ()) -> None:
        self.settings = settings
        self.services = services
        self.kit = kit
        self.programs = programs

    @property
    def repository(self) -> Path:
        return self.settings.data / "backups"

    @property
    def access(self) -> Access:
        kit = read_kit(self.kit.read_text())
        return Access(self.services.backup.backups.place.repository, [kit.identity], kit.verifiers)

    async def take(self, *servers: str, full: bool = False) -> list[Manifest]:
        """Backups now, the keyring's first."""
        taken = []
        for server in servers or ("keyring", "main", "objects", "settings"):
            manifest = await self.services.backup.backups.take(server, by=SYSTEM, asked=True, full=full)  # type: ignore[arg-type]  # names
            taken += [manifest] if manifest else []
        return taken

    async def settle(self) -> None:
        """Waits until the log is numbered, the journal written, and the WAL of both servers stored."""
        await self.settle_log()
        await self.store_wal()

    async def settle_log(self) -> None:
        """Waits until the log is numbered and the journal written."""
        while await self.services.sequencer.step():
            pass
        await self.services.backup.journal.write()

    async def store_wal(self) -> None:
        """Stores what both servers have written so far."""
        async with self.storing_wal() as flush:
            await flush()

    @asynccontextmanager
    async def storing_wal(self) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        """Stores the WAL of both servers as a worker does; what is given waits until all is stored."""
        place = self.services.backup.backups.place
        async with self.services.database.operator_read() as tx:
            recipients = await self.services.backup.keys.recipients(tx)
        receivers = {
            source.name: Receiver(
                source, place.repository, recipients, place.signer, WAL_SECONDS, wal_keep(self.settings.backup.main)
            )
            for source in place.sources.values()
        }

        async def flush() -> None:
            wanted = {name: current_lsn(place.sources[name]) for name in receivers}
            async with asyncio.timeout(30):
                while any(receivers[name].stored_lsn < lsn for name, lsn in wanted.items()):  # noqa: ASYNC110  threads
                    await asyncio.sleep(0.02)

        with contextlib.ExitStack() as stack:
            for receiver in receivers.values():
                stack.enter_context(receiving(receiver))
            yield flush

    async def command(
        self, *arguments: str, data: Path | None = None, check: bool = True, change: Mapping[str, str] = {}
    ) -> "Said":
        """Runs `bailee` as an operator would; `change` are variables of its environment beside those of this house."""
        environment = {**self.environment(data or self.settings.data), **change}
        return await asyncio.to_thread(self._command, arguments, environment, check)

    def _command(self, arguments: tuple[str, ...], environment: dict[str, str], check: bool) -> "Said":
        answer = subprocess.run(
            [sys.executable, "-m", "bailee.cli", *arguments], env=environment, capture_output=True,
            text=True, check=False, timeout=120,
        )  # fmt: skip
        assert not check or answer.returncode == 0, answer.stderr
        assert "Traceback" not in answer.stderr, answer.stderr
        return Said(answer.returncode, answer.stdout, answer.stderr)

    def environment(self, data: Path) -> dict[str, str]:
        """Of a command on this instance, or on another directory beside it."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("BAILEE_")}
        place = self.settings.backup.repository
        store = msgspec.structs.asdict(place) if place.kind == "s3" else {}
        return {
            **clean, "BAILEE_DATA": str(data), "BAILEE_BACKUP__WAL_SECONDS": str(WAL_SECONDS),
            **{f"BAILEE_BACKUP__REPOSITORY__{name.upper()}": value for name, value in store.items()},
        }  # fmt: skip

    async def restore(
        self, to: Path, at: datetime | None = None, *, kit: Path | None = None, purpose: str = "disaster_recovery",
        check: bool = True, more: tuple[str, ...] = (),
    ) -> "Said":  # fmt: skip
        """`bailee restore` with the kit, from a machine that has nothing else."""
        moment = ("--at", at.isoformat()) if at else ()
        folder = self.settings.backup.repository.kind == "folder"
        programs = [part for root in self.programs for part in ("--postgres", str(root))]
        return await self.command(
            "restore", "--kit", str(kit or self.kit), *(("--repository", str(self.repository)) if folder else ()),
            "--purpose", purpose, "--to", str(to), *moment, *programs, *more, data=to.with_name(f"{to.name}.none"),
            check=check,
        )  # fmt: skip

    @asynccontextmanager
    async def opened(self, directory: Path) -> AsyncIterator[Services]:
        """The services of a restored copy."""
        settings = msgspec.structs.replace(self.settings, data=directory)
        if settings.database.main != EMBEDDED:  # the copy knows better where its servers are
            settings = load_settings({"BAILEE_DATA": str(directory)})
        with running_clusters(settings):
            async with open_services(settings) as services:
                yield services

    def logs(self) -> str:
        """Everything that its commands have logged."""
        return "".join(path.read_text() for path in sorted((self.settings.data / "logs").glob("*.log*")))

    def stored(self, part: str = "") -> list[Path]:
        """The repository's files, those with `part` in their names."""
        return sorted(path for path in self.repository.rglob("*") if path.is_file() and part in str(path))


class Said(msgspec.Struct, frozen=True):
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@asynccontextmanager
async def open_house(change: Callable[[BackupSettings], BackupSettings] = lambda found: found) -> AsyncIterator[House]:
    """A fresh instance that runs while the block does."""
    with data_directory() as data:
        settings = Settings(data=data, backup=change(BackupSettings(wal_seconds=WAL_SECONDS)))
        with running_clusters(settings):
            async with housed(settings) as house:
                yield house


@asynccontextmanager
async def housed(settings: Settings, programs: tuple[Path, ...] = ()) -> AsyncIterator[House]:
    """The instance of these settings, whose servers run; migrated, with a recovery key."""
    await asyncio.to_thread(run_migrations, settings)
    async with open_services(settings) as services:
        listener = asyncio.create_task(services.keyring.listen())
        async with services.database.operator() as tx:
            kit = settings.data / "kit.txt"
            kit.write_text(await services.backup.keys.make_recovery_key(tx, by=SYSTEM))
        try:
            yield House(settings, services, kit, programs)
        finally:
            listener.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listener


@contextlib.contextmanager
def elsewhere() -> Iterator[Path]:
    """A place for a copy, short enough for its sockets."""
    with data_directory() as directory:
        yield directory / "copy"


def now() -> datetime:
    return datetime.now(UTC)
