"""RFC 6962 §2.1 word for word, recursive and slow: what the product's iterative code is compared with."""

import hashlib
from collections.abc import Sequence

from bailee.ledger.tree import RangeHash


def leaf(data: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + data).digest()


def leaves(count: int) -> list[bytes]:
    return [number.to_bytes(4) for number in range(count)]


def split(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def mth(data: Sequence[bytes]) -> bytes:
    """MTH(D[n])."""
    if not data:
        return hashlib.sha256(b"").digest()
    if len(data) == 1:
        return leaf(data[0])
    k = split(len(data))
    return hashlib.sha256(b"\x01" + mth(data[:k]) + mth(data[k:])).digest()


def path(m: int, data: Sequence[bytes]) -> list[bytes]:
    """PATH(m, D[n])."""
    if len(data) == 1:
        return []
    k = split(len(data))
    if m < k:
        return [*path(m, data[:k]), mth(data[k:])]
    return [*path(m - k, data[k:]), mth(data[:k])]


def proof(m: int, data: Sequence[bytes]) -> list[bytes]:
    """PROOF(m, D[n])."""
    return _subproof(m, data, whole=True)


def _subproof(m: int, data: Sequence[bytes], *, whole: bool) -> list[bytes]:
    if m == len(data):
        return [] if whole else [mth(data)]
    k = split(len(data))
    if m <= k:
        return [*_subproof(m, data[:k], whole=whole), mth(data[k:])]
    return [*_subproof(m - k, data[k:], whole=False), mth(data[:k])]


def complete_of(data: Sequence[bytes]) -> RangeHash:
    """The hashes of complete subtrees; refuses any other range, as stored tiles would."""

    async def complete(start: int, end: int) -> bytes:
        size = end - start
        assert size > 0
        assert size & (size - 1) == 0
        assert start % size == 0
        assert end <= len(data)
        return mth(data[start:end])

    return complete
