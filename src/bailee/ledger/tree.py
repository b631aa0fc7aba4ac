"""The Merkle tree of RFC 6962 §2.1: hashes, proofs and their verification. SHA-256, 32-byte hashes."""

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Sequence

from bailee.ledger.errors import ProofInvalid

EMPTY_ROOT = hashlib.sha256(b"").digest()
MAX_PROOF = 64
"""A tree of up to 2⁶³ leaves has no longer path."""

type RangeHash = Callable[[int, int], Awaitable[bytes]]
"""Answers the hash of a complete subtree, leaves [start, end)."""


def leaf_hash(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """MTH over equal-sized complete subtrees, in order (RFC 6962 §2.1)."""
    level = list(hashes)
    if not level:
        return EMPTY_ROOT
    while len(level) > 1:
        # An odd last node rises unchanged: with the split at the largest power of two this is the same tree.
        level = [node_hash(*level[i : i + 2]) if i + 1 < len(level) else level[i] for i in range(0, len(level), 2)]
    return level[0]


def split(size: int) -> int:
    """The largest power of two smaller than `size` (size ≥ 2)."""
    return 1 << ((size - 1).bit_length() - 1)


async def range_root(complete: RangeHash, start: int, end: int) -> bytes:
    """MTH of leaves [start, end), made of complete subtrees; `start` is aligned as RFC 6962 ranges are."""
    if end - start == 1 or (end - start).bit_count() == 1:
        return await complete(start, end)
    middle = start + split(end - start)
    return node_hash(await complete(start, middle), await range_root(complete, middle, end))


async def inclusion_proof(complete: RangeHash, index: int, size: int) -> list[bytes]:
    """The audit path of leaf `index` in the tree of `size` leaves (RFC 6962 §2.1.1), leaf to root."""
    if not 0 <= index < size:
        raise ProofInvalid(f"Leaf {index} is not in a tree of {size}.")
    start, end, path = 0, size, []
    while end - start > 1:
        middle = start + split(end - start)
        if index < middle:
            path.append(await range_root(complete, middle, end))
            end = middle
        else:
            path.append(await range_root(complete, start, middle))
            start = middle
    return path[::-1]


async def consistency_proof(complete: RangeHash, old: int, new: int) -> list[bytes]:
    """Proof that the tree of `old` leaves is a prefix of that of `new` (RFC 6962 §2.1.2)."""
    if not 0 < old <= new:
        raise ProofInvalid(f"There is no proof from a tree of {old} to one of {new}.")
    start, end, whole, path = 0, new, True, []
    while end != old:
        middle = start + split(end - start)
        if old <= middle:
            path.append(await range_root(complete, middle, end))
            end = middle
        else:
            path.append(await range_root(complete, start, middle))
            start, whole = middle, False
    if not whole:
        path.append(await range_root(complete, start, end))
    return path[::-1]


def verify_inclusion(index: int, size: int, leaf: bytes, path: Sequence[bytes], root: bytes) -> None:
    """Checks an audit path (RFC 9162 §2.1.3.2). Raises ProofInvalid."""
    if not 0 <= index < size or len(path) > MAX_PROOF:
        raise ProofInvalid(f"Leaf {index} cannot be in a tree of {size}.")
    node, last, current = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            raise ProofInvalid("The proof is longer than the tree is high.")
        if node & 1 or node == last:
            current = node_hash(sibling, current)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            current = node_hash(current, sibling)
        node, last = node >> 1, last >> 1
    if last != 0 or not hmac.compare_digest(current, root):
        raise ProofInvalid(f"Leaf {index} is not proven to be in the tree.")


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]) -> None:
    """Checks that a tree grew by appending alone (RFC 9162 §2.1.4.2). Raises ProofInvalid."""
    if old == new:
        if path or not hmac.compare_digest(old_root, new_root):
            raise ProofInvalid("Two trees of one size differ.")
        return
    if not 0 < old < new or len(path) > MAX_PROOF or not path:
        raise ProofInvalid(f"There is no valid proof from {old} to {new}.")
    steps = [old_root, *path] if old.bit_count() == 1 else list(path)
    node, last = old - 1, new - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    before = after = steps[0]
    for sibling in steps[1:]:
        if last == 0:
            raise ProofInvalid("The proof is longer than the tree is high.")
        if node & 1 or node == last:
            before, after = node_hash(sibling, before), node_hash(sibling, after)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            after = node_hash(after, sibling)
        node, last = node >> 1, last >> 1
    if last != 0 or not (hmac.compare_digest(before, old_root) and hmac.compare_digest(after, new_root)):
        raise ProofInvalid(f"The tree of {new} does not extend the tree of {old}.")
