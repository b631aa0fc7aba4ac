"""Faults while backups are taken or lie in the repository: what is durable, and what the next run makes of it.

| what fails                      | what is durable then                 | what recovery does                     |
| ------------------------------- | ------------------------------------ | -------------------------------------- |
| the process, at any object      | objects without a manifest           | the next run takes a whole one; what   |
|                                 |                                      | is left is swept away after a day      |
| kill -9 of the command          | the same                             | the same                               |
| the disk is full                | the same; the failure is on record   | the next run, once there is room       |
| an object is altered, cut short | what the manifest says               | verify names it, a restore passes over |
| WAL is missing or altered       | everything before it                 | a restore past it is refused, one to   |
|                                 |                                      | the newest state ends there, and says so |
"""

import asyncio
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from bailee.backup import receiving
from bailee.backup.backups import Backups
from bailee.backup.errors import BackupDamaged, RestoreRefused
from bailee.backup.extracting import extract
from bailee.backup.manifest import list_backups
from bailee.backup.planning import ServerPlan, list_spans, plan_server
from bailee.backup.repository import Repository, Stored
from bailee.backup.store import catalogue
from bailee.backup.verifying import VerifyReport
from bailee.backup.wal import fetch_segments
from tests.integration.backup.house import House, now
from tests.integration.rig import SYSTEM, create_record, create_tenant, define

pytestmark = pytest.mark.timeout(240)


class _Killed(BaseException):
    """The process ends here."""


class Dying:
    """A repository of a process that ends at the n-th object it stores: before it is stored, or right after."""

    forkable = locks = False

    def __init__(self, inner: Repository, at: int, *, after: bool) -> None:
        self.place = inner.place
        self._inner = inner
        self._left = at
        self._after = after

    def put(self, name: str, content: bytes) -> None:
        self._left -= 1
        if self._left < 0 or (self._left == 0 and not self._after):
            raise _Killed
        self._inner.put(name, content)
        if self._left == 0:
            raise _Killed

    def get(self, name: str) -> bytes:
        return self._inner.get(name)

    def expect(self, name: str) -> None:
        self._inner.expect(name)

    def delete(self, name: str) -> bool:
        return self._inner.delete(name)

    def lock(self, name: str, until: datetime) -> None:
        self._inner.lock(name, until)

    def list(self, prefix: str) -> Iterator[Stored]:
        return self._inner.list(prefix)


async def _verify(house: House) -> VerifyReport:
    upkeep = house.services.backup.upkeep
    return await upkeep.verify(await upkeep.complete(), by=SYSTEM)


async def test_death_at_any_stored_object_leaves_no_half_backup(house: House) -> None:
    await create_tenant(house.services)
    place = house.services.backup.backups.place
    backups = house.services.backup.backups
    stages = 0
    for at in range(1, 100):
        before = list_backups(place.repository, "keyring")
        survived = False
        for after in (False, True):
            dying = Backups(
                house.services.database,
                msgspec.structs.replace(place, repository=Dying(place.repository, at, after=after)),
                house.services.backup.keys, house.services.events, house.services.jobs, house.settings.backup,
                house.services.clock,
            )  # fmt: skip
            try:
                await dying.take("keyring", by=SYSTEM, asked=True, full=True)
                survived = True
                break
            except _Killed:
                stages += 1
            # what is there is whole: the dead one counts only if its manifest was stored
            left = set(list_backups(place.repository, "keyring")) - set(before)
            for backup_id in left:
                assert list_spans(house.access, "keyring")[0].backup == backup_id
            before += left
        if survived:
            break
    assert stages >= 6  # volumes, index, signature and manifest, each before and after
    assert await backups.take("keyring", by=SYSTEM, asked=True)
    async with house.services.database.operator_read() as tx:
        failed = [one for one in await catalogue.list_backups(tx, server="keyring", limit=200) if one.state == "failed"]
    assert len(failed) == stages
    assert (await _verify(house)).faults == []


async def test_kill_9_of_the_command_leaves_what_was_there(house: House) -> None:
    await house.take()
    before = {
        server: list_backups(house.services.backup.backups.place.repository, server) for server in ("main", "keyring")
    }
    for pause in (0.9, 1.2, 1.5, 1.8):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bailee.cli", "backup", "take", "--full", env=house.environment(house.settings.data),
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        await asyncio.sleep(pause)
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.wait()
    for server, known in before.items():
        assert set(known) <= set(list_backups(house.services.backup.backups.place.repository, server))
    await house.take()
    await house.settle()
    assert (await _verify(house)).faults == []
    assert (await house.command("backup", "verify")).code == 0


async def test_a_full_disk_is_told_and_leaves_no_half_backup(house: House) -> None:
    await house.take()
    repository = house.services.backup.backups.place.repository
    before = list_backups(repository, "main")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (256 * 1024, 256 * 1024))

    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bailee.cli", "backup", "take", "main", "--full",
        env=house.environment(house.settings.data), preexec_fn=limit, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, said = await process.communicate()
    assert process.returncode == 1
    assert b"could not be stored" in said
    assert list_backups(repository, "main") == before
    async with house.services.database.operator_read() as tx:
        newest = (await catalogue.list_backups(tx, server="main", limit=1))[0]
        events = await house.services.events.page(tx, action="backup.failed", before=None, limit=1)
    assert newest.state == "failed"
    assert events[0].details == {"server": "main", "reason": "storage_full"}
    assert (await house.take("main"))[0].server == "main"


async def _settled(house: House) -> Path:
    """A fresh full backup of main, alone in its directory."""
    (manifest,) = await house.take("main", full=True)
    await house.settle()
    return house.repository / manifest.prefix


@pytest.mark.parametrize("part", ["00000000.zst.age", "index.zst.age", "manifest.json", "manifest.sig"])
@pytest.mark.parametrize("how", ["flipped", "cut short", "missing", "swapped"])
async def test_damage_is_named_and_passed_over(house: House, part: str, how: str) -> None:
    directory = await _settled(house)
    file = directory / part
    content = file.read_bytes()
    match how:
        case "flipped":
            middle = len(content) // 2
            file.write_bytes(content[:middle] + bytes((content[middle] ^ 1,)) + content[middle + 1 :])
        case "cut short":
            file.write_bytes(content[: len(content) // 2])
        case "missing":
            file.unlink()
        case "swapped":
            others = [one for one in house.stored("/main/") if one.name == part and one != file]
            file.write_bytes(others[0].read_bytes())
    try:
        report = await _verify(house)
        assert report.faults, f"{part} {how} was not noticed"
        damaged_manifest = part.startswith("manifest")
        newest = [str(one.backup) for one in list_spans(house.access, "main")][:1]
        assert (newest != [directory.name]) == damaged_manifest  # the others show when they are read
        if not damaged_manifest:
            with pytest.raises(BackupDamaged):
                await asyncio.to_thread(_extract, house)
    finally:
        file.write_bytes(content)
    assert not (await _verify(house)).faults


def _extract(house: House) -> None:
    plan = plan_server(house.access, "main", None)
    with tempfile.TemporaryDirectory() as target:
        for manifest in plan.chain:
            extract(house.access, manifest, Path(target) / "x")


async def test_missing_wal_limits_what_can_be_restored_and_is_told(house: House) -> None:
    await define(house.services, tenant := (await create_tenant(house.services)).id)
    await house.take("main")
    await house.settle()
    reachable = now()
    async with house.storing_wal() as flush:
        for _ in range(4):
            await create_record(house.services, tenant, {"note": "x"})
            await flush()
    parts = sorted(house.stored("/wal/main/"), key=lambda path: path.stat().st_mtime)
    gone = [path for path in parts if path.stat().st_mtime > reachable.timestamp()]
    kept = {path: path.read_bytes() for path in gone}
    gone[1].unlink()
    try:
        moment = now() - timedelta(milliseconds=50)
        with pytest.raises(RestoreRefused, match=r"WAL reaches to .* Choose a moment up to then"):
            plan_server(house.access, "main", moment)
        assert any("WAL of main is missing" in fault for fault in (await _verify(house)).faults)
        assert plan_server(house.access, "main", None).until <= moment
    finally:
        for path, content in kept.items():
            path.write_bytes(content)


async def test_small_parts_of_the_log_are_gathered_while_it_is_written(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiving, "_GATHER_SECONDS", 1.2)
    await define(house.services, tenant := (await create_tenant(house.services)).id)
    await house.take("main")
    before = set(house.stored("/wal/main/"))
    seen: set[Path] = set()
    async with house.storing_wal() as flush:
        for _ in range(8):
            await create_record(house.services, tenant, {"note": "x"})
            await flush()
            seen |= set(house.stored("/wal/main/")) - before
            await asyncio.sleep(0.2)
    assert seen - set(house.stored("/wal/main/"))  # small ones, that are covered now
    plan = plan_server(house.access, "main", None)
    segments = list(
        fetch_segments(
            house.access.repository, plan.stretches, 1, _start(plan), plan.wal_end, house.access.identities,
            house.access.verifiers,
        )
    )  # fmt: skip
    assert segments
    assert (await _verify(house)).faults == []


def _start(plan: ServerPlan) -> int:
    assert plan.newest.postgres is not None
    return plan.newest.postgres.stop_lsn


async def test_forged_and_displaced_wal_is_refused(house: House) -> None:
    await house.take("main")
    await house.settle()
    first, second, *_ = house.stored("/wal/main/")
    kept = second.read_bytes()
    second.write_bytes(first.read_bytes())
    try:
        assert any("not made by this instance" in fault for fault in (await _verify(house)).faults)
    finally:
        second.write_bytes(kept)


async def test_repository_that_cannot_be_written_is_told_and_tried_again(house: House) -> None:
    if os.geteuid() == 0:
        directory = house.repository / "chunks"
        await house.take("objects")
        moved = directory.rename(house.repository / "chunks.away")
        directory.write_text("in the way")
    else:
        directory = house.repository
        moved = directory
        directory.chmod(0o500)
    await create_tenant(house.services)
    await house.services.sequencer.step()
    try:
        said = await house.command("backup", "take", "objects", check=False)
        assert said.code == 1
    finally:
        if os.geteuid() == 0:
            directory.unlink()
            moved.rename(directory)
        else:
            directory.chmod(0o700)
    assert (await house.command("backup", "take", "objects")).code == 0
