"""One idempotency key, one effect."""

import asyncio

import pytest

from bailee.assembly import Services
from bailee.foundation.errors import Invalid
from bailee.stores.errors import IdempotencyMismatch
from bailee.stores.idempotency import claim, complete
from bailee.stores.vault import NewRecord
from bailee.tenants.model import Tenant
from tests.integration.rig import SYSTEM, define, everything


async def _create(services: Services, tenant: Tenant, key: str, request: bytes = b"request") -> str:
    async with services.database.tenant(tenant.id) as tx:
        claimed = await claim(tx, await services.keyring.index_key(tx.tenant), key, request)
        if claimed and claimed.earlier:
            return str(claimed.earlier["id"])
        record = await services.vault.create(tx, "people", NewRecord({"age": 1}), by=SYSTEM)
        await complete(tx, claimed, {"id": str(record.id)})
        return str(record.id)


async def test_repeated_request_is_answered_as_before(services: Services, tenant: Tenant) -> None:
    await define(services, tenant.id)
    assert await _create(services, tenant, "k") == await _create(services, tenant, "k")
    assert len(await everything(services, tenant.id)) == 1


async def test_key_used_for_another_request_is_refused(services: Services, tenant: Tenant) -> None:
    await define(services, tenant.id)
    await _create(services, tenant, "k")
    with pytest.raises(IdempotencyMismatch):
        await _create(services, tenant, "k", b"other")


async def test_of_twenty_concurrent_requests_with_one_key_one_is_done(services: Services, tenant: Tenant) -> None:
    await define(services, tenant.id)
    ids = await asyncio.gather(*(_create(services, tenant, "k") for _ in range(20)))
    assert len(set(ids)) == 1
    assert len(await everything(services, tenant.id)) == 1


async def test_failed_request_leaves_its_key_free(services: Services, tenant: Tenant) -> None:
    await define(services, tenant.id)
    with pytest.raises(ZeroDivisionError):  # noqa: PT012  the transaction's end is what is tested
        async with services.database.tenant(tenant.id) as tx:
            await claim(tx, await services.keyring.index_key(tx.tenant), "k", b"request")
            raise ZeroDivisionError
    await _create(services, tenant, "k", b"other")


async def test_key_of_another_tenant_is_unrelated(services: Services, two_tenants: tuple[Tenant, Tenant]) -> None:
    for tenant in two_tenants:
        await define(services, tenant.id)
    assert await _create(services, two_tenants[0], "k") != await _create(services, two_tenants[1], "k", b"other")


@pytest.mark.parametrize("key", ["", "a\n", "ä", "x" * 256, "\x00"])
async def test_key_that_is_not_printable_ascii_is_refused(services: Services, tenant: Tenant, key: str) -> None:
    with pytest.raises(Invalid):
        await _create(services, tenant, key)
