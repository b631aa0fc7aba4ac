import hashlib
from collections.abc import AsyncIterator
from uuid import UUID

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bailee.encryption import streams
from bailee.encryption.envelope import DataKey, Place
from bailee.encryption.errors import DecryptionFailed
from bailee.encryption.streams import CHUNK, HEADER, TAG, seal_stream, sealed_range, sealed_size, unseal_stream
from bailee.foundation.ids import TenantId
from bailee.foundation.secrets import Secret

KEY = DataKey(UUID(int=7), Secret(bytes(range(32))))
PLACE = Place(TenantId(UUID(int=1)), "file:scan.pdf", UUID(int=2), 1)
SIZES = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK - 1, 2 * CHUNK, 2 * CHUNK + 1, 3 * CHUNK + 17]


def content_of(size: int) -> bytes:
    return hashlib.shake_128(b"content").digest(size)


async def blocks(content: bytes, size: int = 100_000) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def sealed(content: bytes, block: int = 100_000) -> bytes:
    return b"".join([part async for part in seal_stream(KEY, blocks(content, block), PLACE)])


async def opened(
    ciphertext: bytes, size: int, start: int = 0, end: int | None = None, *, key: DataKey = KEY, place: Place = PLACE
) -> bytes:
    """Reads as the product does: the header, then the part that `sealed_range` names."""
    end = size if end is None else end
    first, last = sealed_range(size, start, end)
    plain = unseal_stream(
        key, ciphertext[:HEADER], blocks(ciphertext[first:last], 70_000), place, size=size, start=start, end=end
    )
    return b"".join([part async for part in plain])


@pytest.mark.parametrize("size", SIZES)
async def test_file_opens_as_it_was_sealed(size: int) -> None:
    content = content_of(size)
    ciphertext = await sealed(content)
    assert len(ciphertext) == sealed_size(size)
    assert await opened(ciphertext, size) == content


@pytest.mark.parametrize("block", [1024, CHUNK, CHUNK + 1, 10 * CHUNK])
async def test_blocks_may_be_of_any_size(block: int) -> None:
    content = content_of(2 * CHUNK + 5)
    assert await opened(await sealed(content, block), len(content)) == content


@pytest.mark.parametrize(
    "start, end",
    [
        (0, 1),
        (CHUNK - 1, CHUNK),
        (CHUNK - 1, CHUNK + 1),
        (CHUNK, CHUNK + 1),
        (CHUNK, 2 * CHUNK),
        (5, 3 * CHUNK + 1),
        (3 * CHUNK, 3 * CHUNK + 17),
        (3 * CHUNK + 16, 3 * CHUNK + 17),
    ],
)
async def test_range_opens_without_the_rest(start: int, end: int) -> None:
    size = 3 * CHUNK + 17
    content = content_of(size)
    ciphertext = await sealed(content)
    first, last = sealed_range(size, start, end)
    elsewhere = b"\x00" * first + ciphertext[first:last] + b"\x00" * (len(ciphertext) - last)
    assert await opened(ciphertext[:HEADER] + elsewhere[HEADER:], size, start, end) == content[start:end]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
async def test_any_range_of_any_size(monkeypatch: pytest.MonkeyPatch, data: st.DataObject) -> None:
    monkeypatch.setattr(streams, "CHUNK", 64)
    size = data.draw(st.integers(1, 400))
    start = data.draw(st.integers(0, size - 1))
    end = data.draw(st.integers(start + 1, size))
    content = content_of(size)
    ciphertext = await sealed(content, data.draw(st.integers(1, 500)))
    assert len(ciphertext) == sealed_size(size)
    assert await opened(ciphertext, size, start, end) == content[start:end]


async def test_every_altered_byte_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "CHUNK", 64)
    ciphertext = await sealed(content_of(150))
    for place in range(len(ciphertext)):
        altered = bytearray(ciphertext)
        altered[place] ^= 1
        with pytest.raises(DecryptionFailed):
            await opened(bytes(altered), 150)


@pytest.mark.parametrize("size", [CHUNK, 2 * CHUNK, 2 * CHUNK + 5])
@pytest.mark.parametrize("cut", [1, TAG, 1000])
async def test_file_cut_short_fails(size: int, cut: int) -> None:
    ciphertext = await sealed(content_of(size))
    with pytest.raises(DecryptionFailed):
        await opened(ciphertext[:-cut], size)


async def test_whole_chunks_cut_off_fail_even_when_the_size_is_forged() -> None:
    ciphertext = await sealed(content_of(2 * CHUNK + 5))
    with pytest.raises(DecryptionFailed):
        await opened(ciphertext[: HEADER + 2 * (CHUNK + TAG)], 2 * CHUNK)


@pytest.mark.parametrize("forged", [CHUNK + 1, CHUNK - 1, 2 * CHUNK + 1, 3 * CHUNK])
async def test_forged_size_fails(forged: int) -> None:
    ciphertext = await sealed(content_of(2 * CHUNK))
    with pytest.raises(DecryptionFailed):
        await opened(ciphertext, forged)


@pytest.mark.parametrize("order", [(1, 0, 2), (0, 2, 1), (0, 0, 2), (0, 1, 1)])
async def test_chunks_swapped_or_repeated_fail(order: tuple[int, int, int]) -> None:
    size = 3 * CHUNK
    ciphertext = await sealed(content_of(size))
    length = CHUNK + TAG
    chunks = [ciphertext[HEADER + i * length : HEADER + (i + 1) * length] for i in range(3)]
    with pytest.raises(DecryptionFailed):
        await opened(ciphertext[:HEADER] + b"".join(chunks[i] for i in order), size)


async def test_header_of_another_file_fails() -> None:
    content = content_of(10)
    one, other = await sealed(content), await sealed(content)
    assert one != other
    with pytest.raises(DecryptionFailed):
        await opened(other[:HEADER] + one[HEADER:], 10)


async def test_other_key_or_place_fails() -> None:
    ciphertext = await sealed(content_of(10))
    for key in (DataKey(UUID(int=8), KEY.secret), DataKey(KEY.key_id, Secret(bytes(32)))):
        with pytest.raises(DecryptionFailed):
            await opened(ciphertext, 10, key=key)
    for change in ({"tenant": UUID(int=9)}, {"record": UUID(int=9)}, {"version": 2}, {"kind": "file:other.pdf"}):
        with pytest.raises(DecryptionFailed):
            await opened(ciphertext, 10, place=msgspec.structs.replace(PLACE, **change))


@pytest.mark.parametrize("header", [b"", b"\x01" * (HEADER - 1), b"\x02" + bytes(HEADER - 1), b"\x01" * (HEADER + 1)])
def test_header_of_unknown_format_fails(header: bytes) -> None:
    with pytest.raises(DecryptionFailed):
        streams.stream_key_id(header)
