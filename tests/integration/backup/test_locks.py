"""Buckets with object lock: whoever has the access key cannot delete, replace or hide a backup before its time."""

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from minio.commonconfig import COMPLIANCE
from minio.error import S3Error
from minio.retention import Retention

from bailee.assurance import Verdict
from bailee.backup.buckets import Bucket, LockedBucket, open_repository
from bailee.backup.checks import fresh_and_verified
from bailee.backup.errors import BackupDamaged, RepositoryUnavailable
from bailee.backup.manifest import Manifest
from bailee.backup.model import Generation
from bailee.backup.probing import probe_lock
from bailee.backup.repository import lock_all
from bailee.backup.runbook import runbook
from bailee.backup.schedule import wal_keep
from bailee.backup.volumes import Volume
from bailee.foundation.errors import ConfigurationError
from bailee.foundation.ids import new_id
from bailee.foundation.settings import BackupSettings, load_settings
from tests.integration.backup.house import House, elsewhere, open_house
from tests.integration.rig import SYSTEM, create_record, create_tenant, define, everything, superuser
from tests.s3 import ObjectStore, running_store

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def store() -> Iterator[ObjectStore]:
    with running_store() as running:
        running.make_locked()
        yield running


@pytest.mark.parametrize("mode", ["governance", "compliance"])
async def test_what_is_locked_is_kept_and_what_is_not_is_deleted(store: ObjectStore, mode: str) -> None:
    bucket = LockedBucket(store.settings(mode, mode))  # type: ignore[arg-type]  # one of two
    for name in ("a/1", "a/2", "ab/1"):
        bucket.put(name, name.encode() * 3_000_000)  # more than a store takes in one part by itself
    assert [(one.name, one.size) for one in bucket.list("a")] == [("a/1", 9_000_000), ("a/2", 9_000_000)]
    assert [one.name for one in bucket.list("")] == ["a/1", "a/2", "ab/1"]
    assert bucket.locked_until("a/1") is None
    until = datetime.now(UTC) + timedelta(seconds=4)
    bucket.lock("a/1", until)
    bucket.lock("a/1", until - timedelta(seconds=3))  # never shortened
    assert bucket.locked_until("a/1") == until.replace(microsecond=0)
    assert not bucket.delete("a/1")
    assert bucket.delete("a/2")
    assert bucket.delete("a/2")
    assert bucket.get("a/1") == b"a/1" * 3_000_000
    with pytest.raises(BackupDamaged, match="a/2 is missing"):
        bucket.lock("a/2", until)
    await asyncio.sleep(max(0.0, (until - datetime.now(UTC)).total_seconds()) + 1)
    assert bucket.delete("a/1")
    assert list(bucket.list("a")) == []
    assert not list(store.client.list_objects("locked", f"{mode}/a/", recursive=True, include_version=True))


def test_what_a_thief_puts_above_an_object_changes_nothing(store: ObjectStore) -> None:
    bucket = LockedBucket(store.settings("thief", "compliance"))
    bucket.put("a", b"ours")
    bucket.lock("a", datetime.now(UTC) + timedelta(seconds=2))
    thief = store.client
    thief.put_object("locked", "thief/a", io.BytesIO(b"theirs, and longer"), 18)
    assert bucket.get("a") == b"ours"
    thief.remove_object("locked", "thief/a")
    assert [(one.name, one.size) for one in bucket.list("")] == [("a", 4)]
    assert bucket.get("a") == b"ours"
    assert not bucket.delete("a")


def test_a_version_that_a_thief_has_locked_does_not_keep_ours(store: ObjectStore) -> None:
    bucket = LockedBucket(store.settings("held", "compliance"))
    bucket.put("a", b"ours, and due")
    thief = store.client
    above = thief.put_object("locked", "held/a", io.BytesIO(b"theirs"), 6)
    until = Retention(COMPLIANCE, datetime.now(UTC) + timedelta(minutes=5))
    thief.set_object_retention("locked", "held/a", until, version_id=above.version_id)
    assert not bucket.delete("a")  # something is left there, and told
    left = list(thief.list_objects("locked", "held/", recursive=True, include_version=True))
    assert [one.version_id for one in left] == [above.version_id]


def test_probe_sees_what_is_not_locked(store: ObjectStore) -> None:
    bucket = LockedBucket(store.settings("probe", "compliance"))
    moment = datetime.now(UTC)
    manifest = Manifest(
        1, new_id(), "test", "main", "full", Generation.DAILY, None, moment, moment, moment + timedelta(minutes=5), [],
        [], Volume("", 0, 0),
    )  # fmt: skip
    bucket.put(f"{manifest.prefix}/manifest.json", b"{}")
    assert probe_lock(bucket, []) == ""
    assert "is not locked until it expires" in probe_lock(bucket, [manifest])
    bucket.lock(f"{manifest.prefix}/manifest.json", moment + timedelta(minutes=2))
    assert "is not locked until it expires" in probe_lock(bucket, [manifest])
    bucket.lock(f"{manifest.prefix}/manifest.json", manifest.expires_at)
    assert probe_lock(bucket, [manifest]) == ""

    class Careless(LockedBucket):
        def lock(self, name: str, until: datetime) -> None:
            """Forgets it."""

    assert "deleted an object that was locked" in probe_lock(Careless(store.settings("careless", "compliance")), [])


def test_bucket_that_does_not_lock_is_told(store: ObjectStore) -> None:
    plain = msgspec.structs.replace(store.settings("x", "compliance"), bucket="backups")
    with pytest.raises(RepositoryUnavailable, match="not made with object lock"):
        LockedBucket(plain).put("a", b"x")
    with pytest.raises(RepositoryUnavailable, match="does not lock"):
        LockedBucket(plain).lock("a", datetime.now(UTC) + timedelta(minutes=1))
    lock_all(Bucket(store.settings("x")), ["not there"], datetime.now(UTC))  # no lock is asked for: nothing is done


def test_settings_that_cannot_lock_are_refused(store: ObjectStore) -> None:
    with pytest.raises(ConfigurationError, match="a folder locks nothing"):
        load_settings({"BAILEE_BACKUP__OFFSITE__PATH": "/x", "BAILEE_BACKUP__OFFSITE__LOCK": "compliance"})
    with pytest.raises(ConfigurationError, match="endpoint"):
        LockedBucket(msgspec.structs.replace(store.settings("x", "compliance"), endpoint="https://localhost/path"))
    with pytest.raises(ConfigurationError, match="nowhere"):
        LockedBucket(msgspec.structs.replace(store.settings("x", "compliance"), access_key_file="/nowhere"))
    with pytest.raises(ConfigurationError, match="no certificate"):
        LockedBucket(msgspec.structs.replace(store.settings("x", "compliance"), ca_file="/nowhere"))
    with pytest.raises(RepositoryUnavailable):
        LockedBucket(msgspec.structs.replace(store.settings("x", "compliance"), ca_file="")).put("a", b"x")


async def test_backups_survive_whoever_has_the_access_key(store: ObjectStore) -> None:
    where, second = store.settings("instance", "compliance"), store.settings("second", "governance")

    def change(found: BackupSettings) -> BackupSettings:
        return msgspec.structs.replace(found, repository=where, offsite=second)

    async with open_house(change) as house:
        services = house.services
        tenant = (await create_tenant(services)).id
        await define(services, tenant)
        for number in range(50):
            await create_record(services, tenant, {"note": "x" * 2000}, f"person {number}")
        await services.files.store(
            tenant, "contract.bin", _content(), subject=None, content_type="text/plain", version=None, by=SYSTEM
        )
        taken = [*await house.take(), *await house.take("objects", full=True)]
        await house.settle()
        await services.backup.copies.bring()
        for place in (where, second):
            repository = open_repository(place, house.settings.data)
            assert isinstance(repository, LockedBucket)
            for manifest in taken:
                for one in repository.list(manifest.prefix):
                    assert repository.locked_until(one.name) == manifest.expires_at.replace(microsecond=0)
            chunks = list(repository.list("chunks"))
            assert chunks
            assert all(repository.locked_until(one.name) for one in chunks)
            assert all(repository.locked_until(one.name) for one in repository.list("journal"))
            for one in repository.list("wal"):
                until = repository.locked_until(one.name)
                assert until is not None
                assert until - one.stored_at <= wal_keep(house.settings.backup.main) + timedelta(minutes=1)
        async with house.storing_wal():
            found = await fresh_and_verified(
                house.settings, services.database, services.backup.backups, services.backup.copies,
                services.backup.keys, services.clock,
            )  # fmt: skip
        assert found.verdict is Verdict.HOLDS, found
        assert found.facts["not_locked"] == []
        _ravage(store)
        await _rotation_waits_for_the_lock(house)
        report = await services.backup.upkeep.verify(await services.backup.upkeep.complete(), by=SYSTEM)
        assert report.faults == [], report.faults
        assert 'lock = "compliance"' in runbook(house.settings, services.backup.backups, None)
        with elsewhere() as copy:
            said = await house.restore(copy)
            assert "damaged" not in said.out + said.err
            async with house.opened(copy) as restored:
                assert len(await everything(restored, tenant)) == 50


async def _content() -> AsyncIterator[bytes]:
    yield b"c" * 100_000


def _ravage(store: ObjectStore) -> None:
    """Replaces, hides and deletes whatever can be, version by version, as somebody does who has the key."""
    thief = store.client
    for one in list(thief.list_objects("locked", "", recursive=True, include_version=True)):
        name = one.object_name or ""
        with contextlib.suppress(S3Error):  # of what is not locked, something is gone for good
            thief.remove_object("locked", name, version_id=one.version_id)
        thief.put_object("locked", name, io.BytesIO(b"pay"), 3)
        thief.remove_object("locked", name)


async def _rotation_waits_for_the_lock(house: House) -> None:
    """What rotation wants to delete before the store lets go of it stays, and is told."""
    with superuser(f"postgresql:///bailee?host={house.settings.data / 'main'}&user=postgres") as raw:
        raw.execute("UPDATE backups SET expires_at = expires_at - interval '400 days' WHERE server = 'objects'")
    rotation = house.services.backup.rotation
    assert await rotation.expire(by=SYSTEM) == 0
    async with house.services.database.operator_read() as tx:
        assert [one.server for one in await rotation.overdue(tx)] == ["objects", "objects"]
    assert len(await house.services.backup.upkeep.complete()) == 5
