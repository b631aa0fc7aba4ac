"""Authenticated encryption of one value (AES-256-GCM, NIST SP 800-38D).

    ciphertext = 01 ‖ key id[16] ‖ nonce[12] ‖ AES-256-GCM(plaintext) ‖ tag[16]
    AAD        = 01 ‖ tenant[16] ‖ key id[16] ‖ version[8] ‖ record[16] ‖ kind

The nonce is random: a data key seals far fewer than the 2³² values that SP 800-38D allows. Everything in the
AAD is known to the reader from where it found the ciphertext, so one that was moved there does not open.
"""

import os
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bailee.encryption.errors import DecryptionFailed
from bailee.foundation.ids import TenantId
from bailee.foundation.secrets import Secret

FORMAT = 1
KEY = 32
_ID = 16
_NONCE = 12
_HEADER = 1 + _ID + _NONCE


class DataKey:
    """An opened key: its id, and the cipher made ready."""

    __slots__ = ("_cipher", "key_id", "secret")

    def __init__(self, key_id: UUID, secret: Secret) -> None:
        self.key_id = key_id
        self.secret = secret
        self._cipher = AESGCM(secret.reveal())

    def __repr__(self) -> str:
        return f"DataKey({self.key_id})"

    def encrypt(self, nonce: bytes, plaintext: bytes, aad: bytes) -> bytes:
        return self._cipher.encrypt(nonce, plaintext, aad)

    def decrypt(self, nonce: bytes, ciphertext: bytes, aad: bytes) -> bytes:
        try:
            return self._cipher.decrypt(nonce, ciphertext, aad)
        except InvalidTag:
            raise DecryptionFailed("A stored value does not verify: it was altered, or moved from elsewhere.") from None


class Place(msgspec.Struct, frozen=True):
    """Where a ciphertext belongs. `kind` names the collection, or what else it is; `version` the record's."""

    tenant: TenantId
    kind: str
    record: UUID
    version: int

    def aad(self, key_id: UUID) -> bytes:
        return b"".join((
            bytes((FORMAT,)), self.tenant.bytes, key_id.bytes, self.version.to_bytes(8), self.record.bytes,
            self.kind.encode(),
        ))  # fmt: skip


def seal(key: DataKey, plaintext: bytes, place: Place) -> bytes:
    """The ciphertext of `plaintext` for `place`."""
    nonce = os.urandom(_NONCE)
    return b"".join((
        bytes((FORMAT,)), key.key_id.bytes, nonce, key.encrypt(nonce, plaintext, place.aad(key.key_id)),
    ))  # fmt: skip


def key_id_of(ciphertext: bytes) -> UUID:
    """Which key opens it. Raises DecryptionFailed for an unknown format."""
    if len(ciphertext) <= _HEADER or ciphertext[0] != FORMAT:
        raise DecryptionFailed("A stored value has an unknown format.")
    return UUID(bytes=ciphertext[1 : 1 + _ID])


def unseal(key: DataKey, ciphertext: bytes, place: Place) -> bytes:
    """The plaintext. Raises DecryptionFailed unless it was sealed with this key for this very place."""
    if key_id_of(ciphertext) != key.key_id:
        raise DecryptionFailed("A stored value names another key than the one at hand.")
    nonce = ciphertext[1 + _ID : _HEADER]
    return key.decrypt(nonce, ciphertext[_HEADER:], place.aad(key.key_id))
