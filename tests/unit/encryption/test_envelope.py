from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bailee.encryption.envelope import DataKey, Place, key_id_of, seal, unseal
from bailee.encryption.errors import DecryptionFailed
from bailee.foundation.ids import TenantId
from bailee.foundation.secrets import Secret

KEY = DataKey(UUID(int=7), Secret(bytes(range(32))))
PLACE = Place(TenantId(UUID(int=1)), "record:people", UUID(int=2), 3)
PLACES = st.builds(
    Place, st.uuids().map(TenantId), st.text(st.characters(exclude_categories=["Cs"]), max_size=40), st.uuids(),
    st.integers(0, 2**63 - 1),
)  # fmt: skip


@given(st.binary(max_size=500), PLACES, st.uuids(), st.binary(min_size=32, max_size=32))
def test_what_was_sealed_opens_at_its_place(plaintext: bytes, place: Place, key_id: UUID, secret: bytes) -> None:
    key = DataKey(key_id, Secret(secret))
    ciphertext = seal(key, plaintext, place)
    assert key_id_of(ciphertext) == key_id
    assert len(ciphertext) == 1 + 16 + 12 + len(plaintext) + 16
    assert ciphertext[0] == 1
    assert unseal(key, ciphertext, place) == plaintext


@given(PLACES, PLACES)
def test_no_two_places_share_an_aad(one: Place, other: Place) -> None:
    assert (one.aad(KEY.key_id) == other.aad(KEY.key_id)) == (one == other)


def test_every_flipped_bit_fails() -> None:
    ciphertext = seal(KEY, b"plain", PLACE)
    for bit in range(len(ciphertext) * 8):
        altered = bytearray(ciphertext)
        altered[bit // 8] ^= 1 << bit % 8
        with pytest.raises(DecryptionFailed):
            unseal(KEY, bytes(altered), PLACE)


def test_every_cut_fails() -> None:
    ciphertext = seal(KEY, b"plain", PLACE)
    for length in range(len(ciphertext)):
        with pytest.raises(DecryptionFailed):
            unseal(KEY, ciphertext[:length], PLACE)
    with pytest.raises(DecryptionFailed):
        unseal(KEY, ciphertext + b"\x00", PLACE)


@pytest.mark.parametrize(
    "change",
    [{"tenant": UUID(int=9)}, {"kind": "record:other"}, {"kind": ""}, {"record": UUID(int=9)}, {"version": 4}],
)
def test_ciphertext_moved_elsewhere_fails(change: dict[str, object]) -> None:
    ciphertext = seal(KEY, b"plain", PLACE)
    with pytest.raises(DecryptionFailed):
        unseal(KEY, ciphertext, msgspec.structs.replace(PLACE, **change))


def test_other_key_fails_whatever_its_name() -> None:
    ciphertext = seal(KEY, b"plain", PLACE)
    for key in (DataKey(UUID(int=8), KEY.secret), DataKey(KEY.key_id, Secret(bytes(32)))):
        with pytest.raises(DecryptionFailed):
            unseal(key, ciphertext, PLACE)


def test_equal_values_have_unrelated_ciphertexts() -> None:
    assert len({seal(KEY, b"plain", PLACE) for _ in range(100)}) == 100


def test_key_does_not_print_its_secret() -> None:
    assert repr(KEY) == f"DataKey({UUID(int=7)})"
