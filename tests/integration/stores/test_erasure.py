"""Erasure: the key first, the rows after, and nobody slips through in between."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from bailee.assembly import Services
from bailee.foundation.errors import Conflict, NotFound
from bailee.stores import store
from bailee.stores.model import ErasureReceipt, Record
from bailee.tenants.model import Tenant
from tests.integration.rig import SYSTEM, create_record, define, everything, superuser, work


async def _erase(services: Services, tenant: Tenant, subject: str) -> ErasureReceipt:
    async with services.database.tenant(tenant.id) as tx:
        erasure = await services.subjects.begin_erasure(tx, subject, by=SYSTEM)
    async with services.database.tenant(tenant.id) as tx:
        return await services.subjects.erase(tx, erasure, by=SYSTEM)


async def _content() -> AsyncIterator[bytes]:
    yield b"content"


def _count(url: str, query: str, *values: object) -> object:
    with superuser(url) as connection:
        row = connection.execute(query, values).fetchone()
    assert row is not None
    return row[0]


@pytest.fixture
async def people(services: Services, tenant: Tenant) -> Tenant:
    await define(services, tenant.id)
    return tenant


async def test_erasure_removes_records_tokens_files_and_key_of_one_person_only(
    services: Services, people: Tenant
) -> None:
    for subject in ("gone", "gone", "stays"):
        await create_record(services, people.id, {"email": "a@example.com"}, subject)
    await services.files.store(
        people.id, "doc", _content(), subject="gone", content_type="text/plain", version=None, by=SYSTEM
    )
    receipt = await _erase(services, people, "gone")
    assert (receipt.records, receipt.files, receipt.keys) == (2, 1, 1)
    assert [record.subject for record in await everything(services, people.id)] == ["stays"]
    await work(services)
    assert await services.objects.names(f"files/{people.id}") == []
    assert (
        _count(services.settings.database.main, "SELECT count(*) FROM record_tokens WHERE tenant_id = %s", people.id)
        == 1
    )
    keys = "SELECT count(*) FROM data_keys WHERE tenant_id = %s AND purpose = 'subject'"
    assert _count(services.settings.database.keyring, keys, people.id) == 1
    async with services.database.tenant(people.id) as tx:
        with pytest.raises(NotFound):
            await services.subjects.begin_erasure(tx, "gone", by=SYSTEM)


async def test_crash_between_key_and_rows_leaves_nothing_readable_and_the_job_ends_it(
    services: Services, people: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    await create_record(services, people.id, {"note": "x"}, "gone")
    async with services.database.tenant(people.id) as tx:
        erasure = await services.subjects.begin_erasure(tx, "gone", by=SYSTEM)
    with monkeypatch.context() as patched:

        async def crash(*_: object) -> int:
            raise ConnectionAbortedError

        patched.setattr(store, "delete_by_holder", crash)
        with pytest.raises(ConnectionAbortedError):
            async with services.database.tenant(people.id) as tx:
                await services.subjects.erase(tx, erasure, by=SYSTEM)

    assert await everything(services, people.id) == []
    rows = "SELECT count(*) FROM records WHERE tenant_id = %s"
    assert _count(services.settings.database.main, rows, people.id) == 1
    with pytest.raises(Conflict):
        await create_record(services, people.id, {"note": "too early"}, "gone")

    await work(services)

    assert _count(services.settings.database.main, rows, people.id) == 0
    async with services.database.tenant_read(people.id) as reader:
        assert await services.subjects.find_receipt(reader, erasure) is not None
    await create_record(services, people.id, {"note": "new"}, "gone")


async def test_completed_erasure_gives_its_receipt_again_and_runs_once(services: Services, people: Tenant) -> None:
    await create_record(services, people.id, {"note": "x"}, "gone")
    async with services.database.tenant(people.id) as tx:
        erasure = await services.subjects.begin_erasure(tx, "gone", by=SYSTEM)
    async with services.database.tenant(people.id) as tx:
        receipt = await services.subjects.erase(tx, erasure, by=SYSTEM)
    await create_record(services, people.id, {"note": "later"}, "gone")
    async with services.database.tenant(people.id) as tx:
        assert await services.subjects.find_receipt(tx, erasure) == receipt
        with pytest.raises(NotFound):
            await services.subjects.erase(tx, erasure, by=SYSTEM)
    await work(services)  # the job that was queued beside it finds nothing to do
    assert [record.data for record in await everything(services, people.id)] == [{"note": "later"}]


async def test_writer_racing_with_erasure_ends_whole_or_not_at_all(services: Services, people: Tenant) -> None:
    async def race(number: int) -> None:
        subject = f"person {number}"
        await create_record(services, people.id, {"note": "old"}, subject)
        results = await asyncio.gather(
            _erase(services, people, subject),
            *(create_record(services, people.id, {"note": "new"}, subject) for _ in range(3)),
            return_exceptions=True,
        )
        assert isinstance(results[0], ErasureReceipt), results[0]
        assert all(isinstance(result, Record | Conflict) for result in results[1:]), results

    for start in range(0, 30, 5):
        await asyncio.gather(*(race(start + number) for number in range(5)))

    rows = "SELECT count(*) FROM records WHERE tenant_id = %s"
    left = await everything(services, people.id)
    assert len(left) == _count(services.settings.database.main, rows, people.id)  # every stored row decrypts
    assert all(record.data == {"note": "new"} for record in left)
    subjects = "SELECT count(*) FROM subjects WHERE tenant_id = %s"
    keys = "SELECT count(*) FROM data_keys WHERE tenant_id = %s AND purpose = 'subject'"
    held = _count(services.settings.database.main, subjects, people.id)
    assert held == len({record.subject for record in left})
    # A writer that lost may leave a spare key that opens nothing; no subject is without one.
    assert int(str(_count(services.settings.database.keyring, keys, people.id))) >= int(str(held))


async def test_concurrent_erasures_of_one_person_all_end(services: Services, people: Tenant) -> None:
    await create_record(services, people.id, {"note": "x"}, "gone")
    results = await asyncio.gather(*(_erase(services, people, "gone") for _ in range(8)), return_exceptions=True)
    receipts = [result for result in results if isinstance(result, ErasureReceipt)]
    assert sum(receipt.records for receipt in receipts) == sum(receipt.keys for receipt in receipts) == 1
    assert all(isinstance(result, ErasureReceipt | NotFound) for result in results)
