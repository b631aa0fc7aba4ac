import hashlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bailee.ledger.errors import ProofInvalid
from bailee.ledger.tree import (
    EMPTY_ROOT,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from tests.unit.ledger import naive

# The inputs and roots that Certificate Transparency's implementations have tested themselves with since RFC 6962.
KNOWN_INPUTS = [
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
]  # fmt: skip
KNOWN_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def test_empty_tree_is_the_hash_of_nothing() -> None:
    assert root_of([]) == EMPTY_ROOT == hashlib.sha256(b"").digest()


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_match_the_known_vectors(size: int) -> None:
    inputs = [bytes.fromhex(text) for text in KNOWN_INPUTS[:size]]
    assert root_of([leaf_hash(one) for one in inputs]).hex() == KNOWN_ROOTS[size - 1]
    assert naive.mth(inputs).hex() == KNOWN_ROOTS[size - 1]


@pytest.mark.parametrize("size", range(1, 71))
async def test_every_inclusion_proof_is_rfc_6962s_and_verifies(size: int) -> None:
    data = naive.leaves(size)
    root = root_of([leaf_hash(one) for one in data])
    assert root == naive.mth(data)
    for index in range(size):
        path = await inclusion_proof(naive.complete_of(data), index, size)
        assert path == naive.path(index, data)
        verify_inclusion(index, size, leaf_hash(data[index]), path, root)


@pytest.mark.parametrize("new", range(1, 71))
async def test_every_consistency_proof_is_rfc_6962s_and_verifies(new: int) -> None:
    data = naive.leaves(new)
    for old in range(1, new + 1):
        path = await consistency_proof(naive.complete_of(data), old, new)
        assert path == naive.proof(old, data)
        verify_consistency(old, new, naive.mth(data[:old]), naive.mth(data), path)


@settings(max_examples=60, deadline=None)
@given(st.data())
async def test_proofs_in_larger_trees(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 2000))
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    entries = naive.leaves(size)
    complete, root = naive.complete_of(entries), naive.mth(entries)
    path = await inclusion_proof(complete, index, size)
    assert path == naive.path(index, entries)
    verify_inclusion(index, size, leaf_hash(entries[index]), path, root)
    path = await consistency_proof(complete, old, size)
    assert path == naive.proof(old, entries)
    verify_consistency(old, size, naive.mth(entries[:old]), root, path)


@settings(max_examples=200, deadline=None)
@given(st.data())
async def test_inclusion_proof_holds_for_nothing_else(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, 70))
    index = data.draw(st.integers(0, size - 1))
    entries = naive.leaves(size)
    root, leaf = naive.mth(entries), leaf_hash(entries[index])
    path = naive.path(index, entries)
    other = data.draw(st.integers(0, size - 1).filter(lambda i: i != index))
    step = data.draw(st.integers(0, len(path) - 1))
    altered = [*path[:step], bytes(32), *path[step + 1 :]]
    attempts: list[Callable[[], None]] = [
        lambda: verify_inclusion(other, size, leaf, path, root),
        lambda: verify_inclusion(index, size, leaf_hash(entries[other]), path, root),
        lambda: verify_inclusion(index, size, leaf, altered, root),
        lambda: verify_inclusion(index, size, leaf, path[:-1], root),
        lambda: verify_inclusion(index, size, leaf, [*path, bytes(32)], root),
        lambda: verify_inclusion(index, size, leaf, path, bytes(32)),
        lambda: verify_inclusion(size, size, leaf, path, root),
        lambda: verify_inclusion(-1, size, leaf, path, root),
        lambda: verify_inclusion(index, 0, leaf, path, root),
    ]
    for attempt in attempts:
        with pytest.raises(ProofInvalid):
            attempt()


@settings(max_examples=200, deadline=None)
@given(st.data())
async def test_consistency_proof_fails_for_a_rewritten_past(data: st.DataObject) -> None:
    new = data.draw(st.integers(2, 70))
    old = data.draw(st.integers(1, new - 1))
    entries = naive.leaves(new)
    rewritten = [b"other", *entries[1:]]
    before, after, path = naive.mth(entries[:old]), naive.mth(entries), naive.proof(old, entries)
    step = data.draw(st.integers(0, len(path) - 1))
    altered = [*path[:step], bytes(32), *path[step + 1 :]]
    attempts: list[Callable[[], None]] = [
        lambda: verify_consistency(old, new, naive.mth(rewritten[:old]), after, path),
        lambda: verify_consistency(old, new, before, naive.mth(rewritten), path),
        lambda: verify_consistency(old, new, before, naive.mth(rewritten), naive.proof(old, rewritten)),
        lambda: verify_consistency(old, new, before, after, altered),
        lambda: verify_consistency(old, new, before, after, path[:-1]),
        lambda: verify_consistency(old, new, before, after, [*path, bytes(32)]),
        lambda: verify_consistency(old, new, before, after, []),
        lambda: verify_consistency(new, old, after, before, path),
        lambda: verify_consistency(0, new, EMPTY_ROOT, after, path),
    ]
    for attempt in attempts:
        with pytest.raises(ProofInvalid):
            attempt()


def test_two_trees_of_one_size_must_be_one_tree() -> None:
    root = naive.mth(naive.leaves(5))
    verify_consistency(5, 5, root, root, [])
    with pytest.raises(ProofInvalid):
        verify_consistency(5, 5, root, bytes(32), [])
    with pytest.raises(ProofInvalid):
        verify_consistency(5, 5, root, root, [bytes(32)])


@pytest.mark.parametrize("index, size", [(0, 0), (5, 5), (-1, 5)])
async def test_no_proof_of_a_leaf_outside_the_tree(index: int, size: int) -> None:
    with pytest.raises(ProofInvalid):
        await inclusion_proof(naive.complete_of(naive.leaves(size)), index, size)


@pytest.mark.parametrize("old, new", [(0, 5), (6, 5), (-1, 5)])
async def test_no_proof_between_impossible_sizes(old: int, new: int) -> None:
    with pytest.raises(ProofInvalid):
        await consistency_proof(naive.complete_of(naive.leaves(new)), old, new)
