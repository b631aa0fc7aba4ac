from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bailee.encryption.errors import DecryptionFailed
from bailee.encryption.wrapping import unwrap, wrap
from bailee.foundation.ids import TenantId
from bailee.foundation.secrets import Secret

OUTER, INNER = Secret(bytes(range(32))), Secret(bytes(range(32, 64)))
CONTEXT: dict[str, Any] = {"tenant": TenantId(UUID(int=1)), "key_id": UUID(int=2), "version": 3, "purpose": "subject"}


@given(st.binary(min_size=32, max_size=32), st.uuids(), st.uuids(), st.integers(0, 2**32 - 1), st.sampled_from("abc"))
def test_key_comes_out_as_it_went_in(inner: bytes, tenant: UUID, key_id: UUID, version: int, purpose: str) -> None:
    context: dict[str, Any] = {
        "tenant": TenantId(tenant), "key_id": key_id, "version": version, "purpose": purpose,
    }  # fmt: skip
    wrapped = wrap(OUTER, Secret(inner), **context)
    assert inner not in wrapped
    assert unwrap(OUTER, wrapped, **context) == Secret(inner)


@pytest.mark.parametrize(
    "change", [{"tenant": UUID(int=9)}, {"key_id": UUID(int=9)}, {"version": 4}, {"purpose": "index"}]
)
def test_key_wrapped_for_something_else_fails(change: dict[str, Any]) -> None:
    wrapped = wrap(OUTER, INNER, **CONTEXT)
    with pytest.raises(DecryptionFailed):
        unwrap(OUTER, wrapped, **CONTEXT | change)


def test_other_tenant_key_fails() -> None:
    with pytest.raises(DecryptionFailed):
        unwrap(Secret(bytes(32)), wrap(OUTER, INNER, **CONTEXT), **CONTEXT)


def test_every_flipped_bit_and_every_cut_fails() -> None:
    wrapped = wrap(OUTER, INNER, **CONTEXT)
    for bit in range(len(wrapped) * 8):
        altered = bytearray(wrapped)
        altered[bit // 8] ^= 1 << bit % 8
        with pytest.raises(DecryptionFailed):
            unwrap(OUTER, bytes(altered), **CONTEXT)
    for length in range(len(wrapped)):
        with pytest.raises(DecryptionFailed):
            unwrap(OUTER, wrapped[:length], **CONTEXT)
