"""What a restore refuses, before it has written anything: wrong keys, other purposes, moments out of reach."""

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from bailee.backup.age import new_identity
from bailee.backup.errors import RestoreRefused
from bailee.backup.planning import plan_restore
from bailee.backup.restoring import Target, begin
from bailee.foundation.cluster import UNFINISHED, server_account
from bailee.foundation.postgresql import Programs
from tests.functional.instance import free_port
from tests.integration.backup.house import House, Said, elsewhere, now
from tests.integration.rig import create_tenant

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
async def backed_up(house: House) -> House:
    await create_tenant(house.services)
    await house.take()
    await house.settle()
    return house


def _refused(said: object, words: str) -> None:
    assert said.code == 1  # type: ignore[attr-defined]  # what a command said
    assert words in said.err, said.err  # type: ignore[attr-defined]  # the same


async def _up(house: House, copy: Path) -> Said:
    """Starts the copy, whatever else runs on this machine."""
    return await house.command("up", data=copy, check=False, change={"BAILEE_PORT": str(free_port())})


async def test_another_recovery_key_opens_nothing(backed_up: House, tmp_path: Path) -> None:
    kit = tmp_path / "kit.txt"
    lines = [line for line in backed_up.kit.read_text().splitlines() if not line.startswith("AGE-")]
    kit.write_text("\n".join([*lines, new_identity().text()]))
    with elsewhere() as copy:
        said = await backed_up.restore(copy, kit=kit, check=False)
        _refused(said, "This key does not open the backup")
        assert not copy.exists()


async def test_a_mistyped_key_is_told(backed_up: House, tmp_path: Path) -> None:
    kit = tmp_path / "kit.txt"
    text = backed_up.kit.read_text()
    at = text.index("AGE-SECRET-KEY-1") + 30
    kit.write_text(text[:at] + ("Q" if text[at] != "Q" else "P") + text[at + 1 :])
    with elsewhere() as copy:
        _refused(await backed_up.restore(copy, kit=kit, check=False), "typing slip")


async def test_backups_that_another_instance_signed_are_passed_over(backed_up: House, tmp_path: Path) -> None:
    kit = tmp_path / "kit.txt"
    lines = [line for line in backed_up.kit.read_text().splitlines() if "verifier:" not in line]
    kit.write_text("\n".join(lines))
    with elsewhere() as copy:
        _refused(await backed_up.restore(copy, kit=kit, check=False), "who must have signed")


@pytest.mark.parametrize("purpose", ["", "analytics", "drill", "Disaster_Recovery"])
async def test_no_other_purpose_is_accepted(backed_up: House, purpose: str) -> None:
    with elsewhere() as copy:
        said = await backed_up.restore(copy, purpose=purpose, check=False)
        _refused(said, "Declare what for with --purpose")
        assert not copy.exists()


async def test_a_moment_before_the_first_backup_is_refused(backed_up: House) -> None:
    with elsewhere() as copy:
        said = await backed_up.restore(copy, now() - timedelta(days=3), check=False)
        _refused(said, "no backup of main from before")
        assert not copy.exists()


async def test_a_moment_in_the_future_is_refused(backed_up: House) -> None:
    with elsewhere() as copy:
        _refused(await backed_up.restore(copy, now() + timedelta(days=3), check=False), "in the future")


async def test_a_directory_with_something_in_it_is_left_alone(backed_up: House) -> None:
    with elsewhere() as copy:
        copy.mkdir()
        (copy / "precious").write_text("mine")
        _refused(await backed_up.restore(copy, check=False), "is not empty")
        assert [path.name for path in copy.iterdir()] == ["precious"]


async def test_both_or_neither_way_of_opening_is_refused(backed_up: House) -> None:
    with elsewhere() as copy:
        _refused(await backed_up.command("restore", "--to", str(copy), check=False), "--kit")


async def test_a_backup_of_another_major_version_is_refused_with_what_to_do(backed_up: House) -> None:
    plan = plan_restore(backed_up.access, None, with_settings=False)
    (manifest,) = plan.main.chain
    assert manifest.postgres is not None
    older = msgspec.structs.replace(manifest, postgres=msgspec.structs.replace(manifest.postgres, major=17))
    changed = msgspec.structs.replace(plan, main=msgspec.structs.replace(plan.main, chain=[older]))
    with elsewhere() as copy:
        data = backed_up.settings.data
        target = Target(copy, Programs(data), server_account(data))
        with pytest.raises(RestoreRefused, match=r"PostgreSQL 17.*those of 18.*--postgres"):
            begin(target, changed)
        assert not copy.exists()


async def test_a_copy_that_was_not_completed_does_not_start(backed_up: House) -> None:
    with elsewhere() as copy:
        await backed_up.restore(copy)
        (copy / UNFINISHED).touch()
        _refused(await _up(backed_up, copy), "not completed")


async def test_a_restore_that_is_killed_leaves_a_copy_that_does_not_start(backed_up: House) -> None:
    with elsewhere() as copy:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bailee.cli", "restore", "--kit", str(backed_up.kit), "--repository",
            str(backed_up.repository), "--purpose", "disaster_recovery", "--to", str(copy),
            env=backed_up.environment(copy.with_name("none")), stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        while not (copy / "main" / "PG_VERSION").exists():  # noqa: ASYNC110  files tell nobody
            await asyncio.sleep(0.005)
        process.kill()
        await process.wait()
        assert (copy / UNFINISHED).exists()
        _refused(await _up(backed_up, copy), "not completed")
        _refused(await backed_up.restore(copy, check=False), "is not empty")
