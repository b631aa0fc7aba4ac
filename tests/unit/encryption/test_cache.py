from uuid import UUID

import pytest

from bailee.encryption.cache import KeyCache
from bailee.encryption.envelope import DataKey
from bailee.foundation.ids import TenantId
from bailee.foundation.secrets import Secret

TENANT, OTHER = TenantId(UUID(int=1)), TenantId(UUID(int=2))


def key(number: int) -> DataKey:
    return DataKey(UUID(int=number), Secret(bytes(32)))


@pytest.fixture
def cache() -> KeyCache:
    made = KeyCache(2, 60)
    made.trust(trusted=True)
    return made


def test_key_is_found_by_its_own_tenant_alone(cache: KeyCache) -> None:
    cache.put(TENANT, key(1), cache.epoch)
    assert cache.find(TENANT, UUID(int=1)) is not None
    assert cache.find(OTHER, UUID(int=1)) is None


def test_least_recently_used_goes_first(cache: KeyCache) -> None:
    cache.put(TENANT, key(1), cache.epoch)
    cache.put(TENANT, key(2), cache.epoch)
    cache.find(TENANT, UUID(int=1))
    cache.put(TENANT, key(3), cache.epoch)
    assert [cache.find(TENANT, UUID(int=n)) is not None for n in (1, 2, 3)] == [True, False, True]


def test_nothing_outlives_its_time() -> None:
    cache = KeyCache(2, -1)
    cache.trust(trusted=True)
    cache.put(TENANT, key(1), cache.epoch)
    assert cache.find(TENANT, UUID(int=1)) is None
    assert len(cache) == 0


def test_key_destroyed_while_it_was_opened_is_not_kept(cache: KeyCache) -> None:
    epoch = cache.epoch
    cache.drop(TENANT, UUID(int=1))
    cache.put(TENANT, key(1), epoch)
    assert cache.find(TENANT, UUID(int=1)) is None


def test_dropped_key_is_gone(cache: KeyCache) -> None:
    cache.put(TENANT, key(1), cache.epoch)
    cache.drop(TENANT, UUID(int=1))
    assert cache.find(TENANT, UUID(int=1)) is None


def test_nothing_is_kept_while_announcements_do_not_arrive(cache: KeyCache) -> None:
    cache.put(TENANT, key(1), cache.epoch)
    cache.trust(trusted=False)
    assert len(cache) == 0
    cache.put(TENANT, key(1), cache.epoch)
    assert len(cache) == 0
