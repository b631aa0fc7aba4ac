"""Files: any range of them, and nothing of one that was tampered with."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bailee.assembly import Services
from bailee.encryption.errors import DecryptionFailed
from bailee.encryption.streams import CHUNK
from bailee.foundation import database
from bailee.foundation.errors import Invalid, NotFound, TooLarge, Unavailable
from bailee.stores.errors import VersionMismatch
from bailee.stores.files import Files
from bailee.stores.model import StoredFile
from bailee.tenants.model import Tenant
from tests.integration.rig import SYSTEM, work

CONTENT = random.Random(7).randbytes(3 * CHUNK + 11)


async def _blocks(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 100_000):
        yield content[start : start + 100_000]


async def _put(
    services: Services,
    tenant: Tenant,
    name: str,
    content: bytes,
    *,
    subject: str | None = None,
    version: int | None = None,
) -> StoredFile:
    file, _ = await services.files.store(
        tenant.id, name, _blocks(content), subject=subject, content_type="application/pdf", version=version, by=SYSTEM
    )
    return file


async def _get(services: Services, tenant: Tenant, name: str, start: int, end: int) -> bytes:
    async with services.database.tenant(tenant.id) as tx:
        opened = await services.files.open(tx, name, version=None, by=SYSTEM)
    return b"".join([block async for block in services.files.content(opened, start, end)])


def _objects(services: Services, tenant: Tenant) -> list[Path]:
    return sorted(path for path in (services.settings.data / "objects" / "files" / str(tenant.id)).glob("*"))


@pytest.mark.parametrize(
    "start, end",
    [
        (0, len(CONTENT)), (0, 1), (CHUNK - 1, CHUNK), (CHUNK - 1, CHUNK + 1), (CHUNK, CHUNK + 1), (CHUNK, 2 * CHUNK),
        (1, 3 * CHUNK), (3 * CHUNK - 1, 3 * CHUNK + 1), (len(CONTENT) - 1, len(CONTENT)), (3 * CHUNK, len(CONTENT)),
    ],
)  # fmt: skip
async def test_any_range_is_read_across_chunk_borders(services: Services, tenant: Tenant, start: int, end: int) -> None:
    await _put(services, tenant, "a", CONTENT)
    assert await _get(services, tenant, "a", start, end) == CONTENT[start:end]


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK])
async def test_file_of_any_size_comes_back_whole(services: Services, tenant: Tenant, size: int) -> None:
    file = await _put(services, tenant, "a", CONTENT[:size], subject="one")
    assert (file.size, file.version) == (size, 1)
    assert await _get(services, tenant, "a", 0, size) == CONTENT[:size]


@pytest.mark.parametrize("cut", [1, 16, 17, CHUNK, len(CONTENT)])
async def test_truncated_object_fails_closed(services: Services, tenant: Tenant, cut: int) -> None:
    await _put(services, tenant, "a", CONTENT)
    (path,) = _objects(services, tenant)
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(DecryptionFailed):
        await _get(services, tenant, "a", 0, len(CONTENT))


@pytest.mark.parametrize("position", [0, 17, 32, 33, 33 + CHUNK, -1])
async def test_flipped_bit_fails_closed(services: Services, tenant: Tenant, position: int) -> None:
    await _put(services, tenant, "a", CONTENT)
    (path,) = _objects(services, tenant)
    altered = bytearray(path.read_bytes())
    altered[position] ^= 1
    path.write_bytes(altered)
    with pytest.raises(DecryptionFailed):
        await _get(services, tenant, "a", 0, len(CONTENT))


async def test_object_swapped_for_another_of_the_same_person_fails_closed(services: Services, tenant: Tenant) -> None:
    for name in ("a", "b"):
        await _put(services, tenant, name, CONTENT, subject="one")
    one, two = _objects(services, tenant)
    one.write_bytes(two.read_bytes())
    readings = await asyncio.gather(
        *(_get(services, tenant, name, 0, 10) for name in ("a", "b")), return_exceptions=True
    )
    assert sorted(type(reading).__name__ for reading in readings) == ["DecryptionFailed", "bytes"]


async def test_overwriting_discards_the_old_object(services: Services, tenant: Tenant) -> None:
    await _put(services, tenant, "a", b"old")
    (old,) = _objects(services, tenant)
    assert (await _put(services, tenant, "a", b"new!", version=1)).version == 2
    await work(services)
    (kept,) = _objects(services, tenant)
    assert kept != old
    assert await _get(services, tenant, "a", 0, 4) == b"new!"


async def test_deleted_file_and_its_object_are_gone(services: Services, tenant: Tenant) -> None:
    await _put(services, tenant, "a", b"x")
    async with services.database.tenant(tenant.id) as tx:
        await services.files.delete(tx, "a", version=1, by=SYSTEM)
    await work(services)
    assert _objects(services, tenant) == []
    with pytest.raises(NotFound):
        await _get(services, tenant, "a", 0, 1)


async def test_of_ten_writers_with_one_version_one_wins_and_losers_leave_no_object(
    services: Services, tenant: Tenant
) -> None:
    await _put(services, tenant, "a", b"first")
    results = await asyncio.gather(
        *(_put(services, tenant, "a", str(n).encode(), version=1) for n in range(10)), return_exceptions=True
    )
    assert sum(isinstance(result, StoredFile) for result in results) == 1
    assert sum(isinstance(result, VersionMismatch) for result in results) == 9
    await work(services)
    assert len(_objects(services, tenant)) == 1


async def test_upload_that_fails_leaves_nothing(services: Services, tenant: Tenant) -> None:
    services.files._max_bytes, limit = 1000, services.files._max_bytes
    try:
        with pytest.raises(TooLarge):
            await _put(services, tenant, "a", b"x" * 1001)
    finally:
        services.files._max_bytes = limit
    assert _objects(services, tenant) == []


@pytest.mark.parametrize("name", ["", ".", "..", "../a", "a/b", ".a", "a\x00", "ä", "a" * 129])
async def test_name_that_could_leave_its_place_is_refused(services: Services, tenant: Tenant, name: str) -> None:
    with pytest.raises(Invalid):
        await _put(services, tenant, name, b"x")


async def test_file_of_another_tenant_is_not_there(services: Services, two_tenants: tuple[Tenant, Tenant]) -> None:
    mine, theirs = two_tenants
    await _put(services, mine, "a", b"x")
    with pytest.raises(NotFound):
        await _get(services, theirs, "a", 0, 1)


async def test_commit_whose_answer_is_lost_keeps_the_object(
    services: Services, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row may be there: the object stays, and the sweep removes it if it is not."""

    async def lost(connection: Any) -> None:
        await connection.execute(b"COMMIT")
        raise Unavailable("The connection broke.")

    await services.keyring.general_key(tenant.id)
    original = Files._put_row

    async def put_row(self: Files, *args: Any, **kwargs: Any) -> Any:
        monkeypatch.setattr(database, "_commit", lost)
        return await original(self, *args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(Files, "_put_row", put_row)
        with pytest.raises(Unavailable):
            await _put(services, tenant, "a", b"content")
        monkeypatch.undo()
    assert await _get(services, tenant, "a", 0, 7) == b"content"
