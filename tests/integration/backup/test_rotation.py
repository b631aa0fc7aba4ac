"""Backups go when their time is up, in both places, and not before; and the calendar knows when."""

import os
import shutil
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from bailee.assurance import Finding, Verdict
from bailee.backup.checks import fresh_and_verified, no_plaintext
from bailee.backup.manifest import list_backups
from bailee.backup.model import Backup
from bailee.backup.repository import Folder
from bailee.backup.store import catalogue
from bailee.foundation.ids import new_id
from bailee.foundation.settings import RepositorySettings
from tests.integration.backup.house import House, now, open_house
from tests.integration.rig import SYSTEM, create_tenant, define, superuser
from tests.postgres import data_directory

pytestmark = pytest.mark.timeout(240)


def _owner(house: House) -> str:
    return f"postgresql:///bailee?host={house.settings.data / 'main'}&user=postgres"


def _age(house: House, column: str, interval: str, where: str) -> None:
    with superuser(_owner(house)) as raw:
        statement = f"UPDATE backups SET {column} = {column} - interval '{interval}' WHERE {where}"  # noqa: S608  of this file
        raw.execute(statement)


async def test_what_is_due_goes_everywhere_and_nothing_else() -> None:
    with data_directory() as second:
        offsite = RepositorySettings(path=str(second / "offsite"))
        async with open_house(lambda found: msgspec.structs.replace(found, offsite=offsite)) as house:
            await define(house.services, (await create_tenant(house.services)).id)
            first = await house.take()
            later = await house.take(full=True)
            await house.settle()
            copies, rotation = house.services.backup.copies, house.services.backup.rotation
            assert await copies.bring() > 10
            assert await copies.bring() == 0
            place, there = house.services.backup.backups.place.repository, Folder(second / "offsite")
            assert [one.name for one in there.list("")] == [one.name for one in place.list("")]
            assert await rotation.expire(by=SYSTEM) == 0
            old = next(one for one in first if one.server == "main")
            _age(house, "expires_at", "400 days", f"backup_id = '{old.id}'")
            async with house.services.database.operator_read() as tx:
                assert [one.id for one in await rotation.overdue(tx)] == [old.id]
            assert await rotation.expire(by=SYSTEM) == 1
            for repository in (place, there):
                left = list_backups(repository, "main")
                assert old.id not in left
                assert {one.id for one in later if one.server == "main"} <= set(left)
                assert not list(repository.list(old.prefix))
            async with house.services.database.operator_read() as tx:
                assert await rotation.overdue(tx) == []
                found = await catalogue.find_backup(tx, old.id)
                events = await house.services.events.page(tx, action="backup.expired", before=None, limit=1)
            assert found is not None
            assert found.state == "expired"
            assert events[0].details == {"server": "main", "count": 1}


async def test_what_others_rest_on_stays_until_they_are_gone(own_house: House) -> None:
    await own_house.take()
    full, incremental = (await own_house.take("main", full=True))[0], (await own_house.take("main"))[0]
    assert incremental.parent == full.id
    _age(own_house, "expires_at", "400 days", f"backup_id = '{full.id}'")
    rotation = own_house.services.backup.rotation
    assert await rotation.expire(by=SYSTEM) == 0
    assert full.id in list_backups(own_house.services.backup.backups.place.repository, "main")
    _age(own_house, "expires_at", "400 days", f"backup_id = '{incremental.id}'")
    assert await rotation.expire(by=SYSTEM) == 0  # the newest stays, with what it rests on
    await own_house.take("main", full=True)
    assert await rotation.expire(by=SYSTEM) == 2


async def test_old_wal_goes_and_orphans_are_swept(own_house: House) -> None:
    await own_house.take()
    await own_house.settle()
    stretches = own_house.stored("/wal/keyring/")
    for path in stretches:
        _touch(path, days=9)
    dead = own_house.repository / "backups/main/0197f3a0-0000-7000-8000-000000000000/00000000.zst.age"
    dead.parent.mkdir()
    dead.write_bytes(b"what a crash left")
    fresh = own_house.repository / "backups/main/0197f3a0-0000-7000-8000-000000000001/00000000.zst.age"
    fresh.parent.mkdir()
    fresh.write_bytes(b"of a backup that runs")
    orphan = own_house.repository / f"chunks/ab/{'ab' * 32}.zst.age"
    orphan.parent.mkdir(parents=True, exist_ok=True)
    orphan.write_bytes(b"of no listing")
    _touch(dead, days=2)
    _touch(orphan, days=2)
    known = set(own_house.stored("/chunks/")) - {orphan}
    for path in known:
        _touch(path, days=2)
    await own_house.services.backup.rotation.expire(by=SYSTEM)
    await own_house.services.backup.rotation.sweep()
    assert own_house.stored("/wal/keyring/") == []
    assert own_house.stored("/wal/main/")
    assert not dead.exists()
    assert fresh.exists()
    assert set(own_house.stored("/chunks/")) == known


async def test_the_calendar_tells_when_it_is_unreadable_and_when_gone(own_house: House) -> None:
    since = now()
    rotation = own_house.services.backup.rotation
    async with own_house.services.database.operator_read() as tx:
        assert (await rotation.holding(tx, since=since, until=now())).backups == []
    taken = {one.server: one for one in await own_house.take()}
    until = now()
    async with own_house.services.database.operator_read() as tx:
        holding = await rotation.holding(tx, since=since, until=until)
        later = await rotation.holding(tx, since=until + timedelta(seconds=1), until=until + timedelta(days=1))
    assert later.backups == []
    assert holding.gone_by == max(taken[name].expires_at for name in ("main", "objects"))
    assert holding.unreadable_from is not None
    assert holding.unreadable_from >= taken["keyring"].expires_at
    assert holding.unreadable_from < holding.gone_by
    assert {one.kind for one in holding.backups} == {"full", "wal"}
    assert "settings" not in {one.server for one in holding.backups}


async def test_backups_that_nobody_knows_are_found_and_go_on_time(own_house: House) -> None:
    services = own_house.services
    await own_house.settle()  # so that there are objects: the published log
    taken = await own_house.take()
    await create_tenant(services)
    await own_house.settle()
    taken += await own_house.take()
    taken += await own_house.take(full=True)
    incremental = next(one for one in taken if one.server == "main" and one.kind == "incremental")
    with superuser(_owner(own_house)) as raw:
        raw.execute("DELETE FROM backups WHERE server <> 'keyring'")  # as in a copy of an earlier moment
        raw.execute(  # as when the process ends before it notes what it has stored
            "UPDATE backups SET state = 'failed', taken_at = NULL, expires_at = NULL, manifest_sha256 = NULL"
        )
    chunks = own_house.stored("/chunks/")
    assert chunks
    for path in chunks:
        _touch(path, days=3)
    await services.backup.rotation.sweep()  # what is not known is not swept away
    assert await services.backup.discovery.discover(by=SYSTEM) == len(taken)
    assert await services.backup.discovery.discover(by=SYSTEM) == 0
    for server in ("main", "keyring", "objects", "settings"):
        found = await _complete(own_house, server)
        assert {one.id for one in found} == {one.id for one in taken if one.server == server}
        assert {one.expires_at for one in found} == {one.expires_at for one in taken if one.server == server}
    assert next(one for one in await _complete(own_house, "main") if one.id == incremental.id).parent_id
    async with services.database.operator_read() as tx:
        events = await services.events.page(tx, action="backup.found", before=None, limit=100)
    assert len(events) == len(taken)
    assert (await services.backup.upkeep.verify(await services.backup.upkeep.complete(), by=SYSTEM)).faults == []
    _age(own_house, "expires_at", "400 days", f"backup_id = '{incremental.id}'")
    assert await services.backup.rotation.expire(by=SYSTEM) == 1


async def test_a_planted_backup_is_not_taken_in(own_house: House) -> None:
    await own_house.take("main")
    (real,) = [path.parent for path in own_house.stored("/main/") if path.name == "manifest.json"]
    planted = real.parent / str(new_id())
    shutil.copytree(real, planted)
    assert await own_house.services.backup.discovery.discover(by=SYSTEM) == 0
    assert len(await _complete(own_house, "main")) == 1


async def test_a_clock_that_leaps_ahead_leaves_the_newest_of_each(own_house: House) -> None:
    await own_house.take()
    taken = await own_house.take(full=True)
    _age(own_house, "expires_at", "4000 days", "true")
    rotation = own_house.services.backup.rotation
    await rotation.expire(by=SYSTEM)
    for server in ("main", "keyring", "objects", "settings"):
        newest = [one.id for one in taken if one.server == server]
        assert [one.id for one in await _complete(own_house, server)] == newest
    async with own_house.services.database.operator_read() as tx:
        assert {one.server for one in await rotation.overdue(tx)} == {"main", "keyring", "objects"}
    newer = await own_house.take(full=True)
    assert await rotation.expire(by=SYSTEM) == 4
    assert {one.id for one in newer} == {
        one.id for server in ("main", "keyring", "objects", "settings") for one in await _complete(own_house, server)
    }


async def test_objects_are_stored_once_and_taken_up_where_they_changed(own_house: House) -> None:
    services = own_house.services
    tenant = (await create_tenant(services)).id

    async def content(byte: bytes) -> AsyncIterator[bytes]:
        for _ in range(20):
            yield byte * 1024 * 1024

    await services.files.store(
        tenant, "big.bin", content(b"a"), subject=None, content_type="text/plain", version=None, by=SYSTEM
    )
    await own_house.take("objects")
    first = {path: path.stat().st_mtime_ns for path in own_house.stored("/chunks/")}
    assert sum(path.stat().st_size for path in first) > 20 * 1024 * 1024  # what is encrypted does not shrink
    await services.files.store(
        tenant, "small.txt", content(b"b"), subject=None, content_type="text/plain", version=None, by=SYSTEM
    )
    (second,) = await own_house.take("objects")
    assert second.kind == "incremental"
    assert {path: path.stat().st_mtime_ns for path in first} == first
    backup = (await _complete(own_house, "objects"))[0]
    names = {one.name.split("/")[0] for one in (await services.backup.backups.listing(backup)).objects}
    assert names >= {"files"}


async def _complete(house: House, server: str) -> list[Backup]:
    async with house.services.database.operator_read() as tx:
        return await catalogue.list_complete(tx, server)


async def test_the_check_of_freshness_turns_with_the_facts(own_house: House) -> None:
    services = own_house.services
    settings = msgspec.structs.replace(
        own_house.settings, backup=msgspec.structs.replace(own_house.settings.backup, rpo_seconds=4)
    )

    async def verdict() -> Finding:
        return await fresh_and_verified(
            settings, services.database, services.backup.backups, services.backup.copies, services.backup.keys,
            services.clock,
        )  # fmt: skip

    found = await verdict()
    assert found.verdict is Verdict.BROKEN
    assert "no fresh backup of main" in found.summary
    await own_house.take()
    async with own_house.storing_wal():
        found = await verdict()
        assert found.verdict is Verdict.ATTENTION  # whole, and in one place
        assert found.facts["offsite"] is False
        _age(own_house, "taken_at", "27 hours", "server = 'keyring'")
        assert "no fresh backup of keyring" in (await verdict()).summary
        await own_house.take("keyring")
        volume = own_house.stored("/backups/keyring/")[-1]
        content = volume.read_bytes()
        volume.write_bytes(content[:-1])
        await services.backup.upkeep.verify_all()
        assert "damaged" in (await verdict()).summary
        volume.write_bytes(content)
        await services.backup.upkeep.verify_all()
        assert (await verdict()).verdict is Verdict.ATTENTION
    found = await verdict()  # nobody stores WAL any more
    assert found.verdict is Verdict.BROKEN
    assert "WAL of" in found.summary


async def test_the_canary_sees_what_is_not_encrypted(own_house: House) -> None:
    services = own_house.services
    await own_house.take()

    async def verdict() -> Verdict:
        return (await no_plaintext(services.database, services.backup.backups, services.backup.keys)).verdict

    assert await verdict() is Verdict.HOLDS
    place = own_house.stored("/backups/main/")[0].parent
    bare = place / "00000099.zst.age"
    bare.write_bytes(b"bailee-canary-0123456789 in the clear")
    assert await verdict() is Verdict.BROKEN
    bare.unlink()
    assert await verdict() is Verdict.HOLDS


def _touch(path: Path, *, days: int) -> None:
    moment = (now() - timedelta(days=days)).timestamp()
    os.utime(path, (moment, moment))
