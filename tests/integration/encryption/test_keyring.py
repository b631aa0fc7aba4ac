"""Keys over their life: rotated while others write, moved by an attacker, destroyed in another process."""

import asyncio
from uuid import UUID

import pytest

from bailee.assembly import Services
from bailee.encryption.errors import DecryptionFailed, KeyDestroyed, RootKeyInvalid
from bailee.encryption.service import Keyring
from bailee.foundation.errors import Conflict
from bailee.foundation.ids import TenantId, new_id
from bailee.tenants.model import Tenant
from tests.integration.rig import SYSTEM, create_record, create_tenant, define, eventually, everything, superuser, work


def _versions(services: Services, tenant: TenantId, table: str = "data_keys") -> set[int]:
    with superuser(services.settings.database.keyring) as connection:
        rows = connection.execute(
            f"SELECT DISTINCT version FROM {table} WHERE tenant_id = %s",  # noqa: S608
            (tenant,),
        ).fetchall()
    return {int(str(row[0])) for row in rows}


async def test_keys_are_rotated_and_rewrapped_while_others_write(services: Services, tenant: Tenant) -> None:
    await define(services, tenant.id)
    done = asyncio.Event()

    async def write(worker: int) -> int:
        count = 0
        while not done.is_set():
            await create_record(services, tenant.id, {"note": f"{worker} {count}"}, f"person {worker} {count}")
            count += 1
        return count

    writers = [asyncio.create_task(write(worker)) for worker in range(6)]
    for _ in range(5):
        await asyncio.sleep(0.05)
        await services.keyring.rotate_tenant_key(tenant.id)
        await services.keyring.rewrap(tenant.id)
    done.set()
    written = sum(await asyncio.gather(*writers))
    await services.keyring.rewrap(tenant.id)

    assert written > 6
    assert len(await everything(services, tenant.id)) == written
    assert _versions(services, tenant.id) == _versions(services, tenant.id, "tenant_keys") == {6}


async def test_rotation_ends_with_every_key_under_the_new_version_by_the_job(
    services: Services, tenant: Tenant
) -> None:
    await define(services, tenant.id)
    await create_record(services, tenant.id, {"note": "x"}, "one")
    async with services.database.operator() as tx:
        assert await services.tenants.rotate_key(tx, tenant.id, by=SYSTEM) == 2
    await work(services)
    assert _versions(services, tenant.id) == _versions(services, tenant.id, "tenant_keys") == {2}
    assert len(await everything(services, tenant.id)) == 1


async def test_concurrent_rotations_make_versions_or_conflict_and_lose_nothing(
    services: Services, tenant: Tenant
) -> None:
    await define(services, tenant.id)
    await create_record(services, tenant.id, {"note": "x"}, "one")
    results = await asyncio.gather(
        *(services.keyring.rotate_tenant_key(tenant.id) for _ in range(8)), return_exceptions=True
    )
    made = [result for result in results if isinstance(result, int)]
    assert made
    assert all(isinstance(result, int | Conflict) for result in results)
    assert len(set(made)) == len(made)
    await services.keyring.rewrap(tenant.id)
    assert len(await everything(services, tenant.id)) == 1


async def test_concurrent_rewraps_share_the_work(services: Services, tenant: Tenant) -> None:
    await services.keyring.new_subject_keys(tenant.id, 1200)
    await services.keyring.rotate_tenant_key(tenant.id)
    counts = await asyncio.gather(*(services.keyring.rewrap(tenant.id) for _ in range(4)))
    assert sum(counts) == 1202  # with the general and the index key
    assert _versions(services, tenant.id) == {2}


async def test_root_is_rotated_while_the_tenants_keep_working(own_services: Services) -> None:
    services = own_services
    tenant = await create_tenant(services)
    await define(services, tenant.id)
    await create_record(services, tenant.id, {"note": "before"}, "one")
    before = (services.settings.data / "root.key").read_text()
    seed = await services.keyring.instance_secret("ledger", 32)

    await services.keyring.rotate_root()
    await services.keyring.rewrap_tenant_keys(tenant.id)
    await create_record(services, tenant.id, {"note": "after"}, "two")

    assert (services.settings.data / "root.key").read_text().startswith(before)
    assert await services.keyring.instance_secret("ledger", 32) == seed
    services.keyring._tenant_keys.clear()
    services.keyring._cache.trust(trusted=True)
    assert len(await everything(services, tenant.id)) == 2


async def test_root_rotated_in_one_process_serves_another_that_runs_already(
    services: Services, other_process: Services
) -> None:
    await services.keyring.rotate_root()
    tenant = await create_tenant(services)
    await define(services, tenant.id)
    await create_record(services, tenant.id, {"note": "under the new root"}, "one")
    assert len(await everything(other_process, tenant.id)) == 1


async def test_two_processes_rotating_the_root_lose_no_key(services: Services, other_process: Services) -> None:
    await services.keyring.rotate_root()
    one = await create_tenant(services)
    await other_process.keyring.rotate_root()
    two = await create_tenant(other_process)
    for tenant in (one, two):
        for process in (services, other_process):
            process.keyring._tenant_keys.clear()
            await process.keyring.general_key(tenant.id)


async def test_wrapped_tenant_key_moved_to_another_tenant_fails_closed(
    services: Services, two_tenants: tuple[Tenant, Tenant]
) -> None:
    mine, theirs = two_tenants
    with superuser(services.settings.database.keyring) as connection:
        connection.execute(
            "UPDATE tenant_keys SET wrapped = (SELECT wrapped FROM tenant_keys WHERE tenant_id = %s) "
            "WHERE tenant_id = %s",
            (mine.id, theirs.id),
        )
    with pytest.raises(RootKeyInvalid):
        await services.keyring.rewrap_tenant_keys(theirs.id)


async def test_wrapped_data_key_put_under_another_id_fails_closed(services: Services, tenant: Tenant) -> None:
    one, two = await services.keyring.new_subject_keys(tenant.id, 2)
    with superuser(services.settings.database.keyring) as connection:
        connection.execute(
            "UPDATE data_keys SET wrapped = (SELECT wrapped FROM data_keys WHERE key_id = %s) WHERE key_id = %s",
            (one.key_id, two.key_id),
        )
    services.keyring._cache.trust(trusted=True)
    with pytest.raises(DecryptionFailed):
        await services.keyring.open_key(tenant.id, two.key_id)


async def test_subject_key_passed_off_as_the_general_one_fails_closed(services: Services, tenant: Tenant) -> None:
    (key,) = await services.keyring.new_subject_keys(tenant.id, 1)
    with superuser(services.settings.database.keyring) as connection:
        connection.execute("UPDATE data_keys SET purpose = 'general' WHERE key_id = %s", (key.key_id,))
    services.keyring._cache.trust(trusted=True)
    with pytest.raises(DecryptionFailed):
        await services.keyring.open_key(tenant.id, key.key_id)


async def test_key_destroyed_here_is_dropped_from_the_cache_of_another_process(
    services: Services, other_process: Services, tenant: Tenant
) -> None:
    (key,) = await services.keyring.new_subject_keys(tenant.id, 1)
    await other_process.keyring.open_key(tenant.id, key.key_id)
    cache = other_process.keyring._cache
    assert cache.find(tenant.id, key.key_id) is not None

    await services.keyring.destroy(tenant.id, [key.key_id])

    await eventually(lambda: cache.find(tenant.id, key.key_id) is None)
    with pytest.raises(KeyDestroyed):
        await other_process.keyring.open_key(tenant.id, key.key_id)


async def test_terminated_tenant_leaves_no_key_in_the_memory_of_another_process(
    services: Services, other_process: Services, tenant: Tenant
) -> None:
    (key,) = await other_process.keyring.new_subject_keys(tenant.id, 1)
    await other_process.keyring.index_key(tenant.id)  # and not the general key: only people are on record
    keyring = other_process.keyring

    await services.keyring.destroy_tenant(tenant.id)

    await eventually(lambda: keyring._cache.find(tenant.id, key.key_id) is None)
    await eventually(lambda: tenant.id not in keyring._index_keys)
    assert not [known for known in keyring._tenant_keys if known[0] == tenant.id]
    with pytest.raises(KeyDestroyed):
        await keyring.index_key(tenant.id)


async def test_key_destroyed_while_another_opens_it_is_not_cached(
    services: Services, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    (key,) = await services.keyring.new_subject_keys(tenant.id, 1)
    services.keyring._cache.trust(trusted=True)
    opened, go_on = asyncio.Event(), asyncio.Event()
    original = Keyring._open

    async def slow(self: Keyring, tenant_id: TenantId, row: object) -> object:
        opened.set()
        await go_on.wait()
        return await original(self, tenant_id, row)  # type: ignore[arg-type]  # handed through

    monkeypatch.setattr(Keyring, "_open", slow)
    reader = asyncio.create_task(services.keyring.open_key(tenant.id, key.key_id))
    await opened.wait()
    await services.keyring.destroy(tenant.id, [key.key_id])
    go_on.set()
    await reader

    assert services.keyring._cache.find(tenant.id, key.key_id) is None
    with pytest.raises(KeyDestroyed):
        await services.keyring.open_key(tenant.id, key.key_id)


async def test_nothing_is_cached_while_the_news_of_destroyed_keys_cannot_be_heard(own_services: Services) -> None:
    services = own_services
    tenant = await create_tenant(services)
    (key,) = await services.keyring.new_subject_keys(tenant.id, 1)
    cache = services.keyring._cache
    assert cache.find(tenant.id, key.key_id) is not None
    with superuser(services.settings.database.keyring) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND query LIKE 'LISTEN%%'"
        )
    await eventually(lambda: not cache._trusted)
    assert len(cache) == 0
    await services.keyring.open_key(tenant.id, key.key_id)
    await eventually(lambda: cache._trusted)  # and it comes back by itself


async def test_cache_is_bounded_and_forgets_after_its_time(services: Services, tenant: Tenant) -> None:
    cache = services.keyring._cache
    size, seconds = cache._size, cache._seconds
    try:
        cache._size, cache._seconds = 10, 0.05
        await services.keyring.new_subject_keys(tenant.id, 50)
        assert len(cache) == 10
        (key,) = await services.keyring.new_subject_keys(tenant.id, 1)
        await asyncio.sleep(0.06)
        assert cache.find(tenant.id, key.key_id) is None
    finally:
        cache._size, cache._seconds = size, seconds


async def test_key_of_another_tenant_is_not_found(services: Services, two_tenants: tuple[Tenant, Tenant]) -> None:
    mine, theirs = two_tenants
    (key,) = await services.keyring.new_subject_keys(mine.id, 1)
    with pytest.raises(KeyDestroyed):
        await services.keyring.open_key(theirs.id, key.key_id)
    assert await services.keyring.destroy(theirs.id, [key.key_id]) == 0
    await services.keyring.open_key(mine.id, key.key_id)


async def test_keys_and_secrets_do_not_show_themselves(services: Services, tenant: Tenant) -> None:
    (key,) = await services.keyring.new_subject_keys(tenant.id, 1)
    for text in (repr(key), repr(key.secret), str(key.secret), f"{key.secret}"):
        assert key.secret.reveal().hex() not in text
        assert repr(key.secret.reveal()) not in text


async def test_unknown_ids_are_left_out_of_the_answer(services: Services, tenant: Tenant) -> None:
    ids: list[UUID] = [new_id() for _ in range(3)]
    assert await services.keyring.open_keys(tenant.id, ids) == {}
