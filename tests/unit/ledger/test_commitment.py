import hashlib
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from bailee.ledger.commitment import SALT, canonical, commit, new_salt
from bailee.ledger.errors import ProofInvalid

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
KEYS = st.text(st.characters(max_codepoint=127))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(KEYS, inner, max_size=5),
)


@given(VALUES)
def test_canonical_json_is_rfc_8785s(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@pytest.mark.parametrize(
    "value", [1.5, 0.0, float("nan"), 2**53, -(2**53), 10**30, b"bytes", (1, 2), {1, 2}, {"é": 1}, {1: 2}, object()]
)
@pytest.mark.parametrize("nested", [False, True])
def test_value_outside_the_domain_is_refused(value: Any, nested: bool) -> None:
    with pytest.raises(ProofInvalid):
        canonical({"outer": [value]} if nested else value)


def test_lone_surrogate_is_refused() -> None:
    with pytest.raises(ProofInvalid):
        canonical({"text": "\ud800"})


def test_commitment_is_thirty_three_bytes_over_domain_salt_and_body() -> None:
    salt, body = bytes(range(32)), b'{"a":1}'
    entry = commit(salt, body)
    assert entry == b"\x01" + hashlib.sha256(b"bailee/commitment/v1\n" + salt + body).digest()
    assert len(entry) == 33


@given(st.binary(max_size=50), st.binary(max_size=50))
def test_commitments_of_different_bodies_differ(one: bytes, other: bytes) -> None:
    salt = bytes(SALT)
    assert (commit(salt, one) == commit(salt, other)) == (one == other)


@pytest.mark.parametrize("length", [0, 16, 31, 33, 64])
def test_salt_of_another_length_is_refused(length: int) -> None:
    """A movable border between salt and body would let one entry stand for two events."""
    with pytest.raises(ProofInvalid):
        commit(bytes(length), b"{}")


def test_salts_are_fresh() -> None:
    assert len({new_salt() for _ in range(100)}) == 100
