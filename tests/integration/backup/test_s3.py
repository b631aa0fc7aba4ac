"""Backups in an S3-compatible store, over TLS that is verified; the store ends in the middle, and comes back."""

import asyncio
from collections.abc import Iterator

import msgspec
import pytest

from bailee.backup.buckets import Bucket
from bailee.backup.errors import BackupDamaged, RepositoryUnavailable
from bailee.backup.manifest import list_backups
from bailee.foundation.errors import ConfigurationError
from tests.integration.backup.house import elsewhere, open_house
from tests.integration.rig import SYSTEM, create_record, create_tenant, define, everything
from tests.s3 import ObjectStore, running_store

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def store() -> Iterator[ObjectStore]:
    with running_store() as running:
        yield running


def test_objects_are_whole_listed_and_deleted(store: ObjectStore) -> None:
    bucket = Bucket(store.settings("objects"))
    assert list(bucket.list("")) == []
    for name in ("b/2", "a/1", "b/1"):
        bucket.put(name, name.encode() * 1000)
    assert [(one.name, one.size) for one in bucket.list("")] == [("a/1", 3000), ("b/1", 3000), ("b/2", 3000)]
    assert [one.name for one in bucket.list("b")] == ["b/1", "b/2"]
    bucket.put("a/1", b"new")
    assert bucket.get("a/1") == b"new"
    assert bucket.delete("a/1")
    assert bucket.delete("a/1")
    with pytest.raises(BackupDamaged, match="a/1 is missing"):
        bucket.get("a/1")


def test_certificate_of_another_authority_is_refused(store: ObjectStore) -> None:
    bucket = Bucket(msgspec.structs.replace(store.settings("tls"), ca_file=""))
    with pytest.raises(RepositoryUnavailable):
        bucket.put("a", b"x")


def test_files_that_are_not_there_are_named(store: ObjectStore) -> None:
    with pytest.raises(ConfigurationError, match="nowhere"):
        Bucket(msgspec.structs.replace(store.settings("x"), access_key_file="/nowhere"))


async def test_backup_and_restore_through_a_store_that_ended_meanwhile(store: ObjectStore) -> None:
    where = store.settings("instance")
    async with open_house(lambda found: msgspec.structs.replace(found, repository=where)) as house:
        tenant = (await create_tenant(house.services)).id
        await define(house.services, tenant)
        for number in range(200):
            await create_record(house.services, tenant, {"note": "x" * 2000}, f"person {number}")
        repository = house.services.backup.backups.place.repository
        taking = asyncio.create_task(house.take("main"))
        while not list(repository.list("backups/main")):  # noqa: ASYNC110  the store tells nobody
            await asyncio.sleep(0.01)
        await asyncio.to_thread(store.stop)
        with pytest.raises(RepositoryUnavailable):
            await taking
        await asyncio.to_thread(store.start)
        assert list_backups(repository, "main") == []
        await house.take()
        await house.settle()
        report = await house.services.backup.upkeep.verify(await house.services.backup.upkeep.complete(), by=SYSTEM)
        assert report.faults == []
        with elsewhere() as copy:
            await house.restore(copy)
            async with house.opened(copy) as restored:
                assert len(await everything(restored, tenant)) == 200
