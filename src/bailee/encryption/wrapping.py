"""Keys wrapped by keys: a data key under its tenant's key.

wrapped = 01 ‖ nonce[12] ‖ AES-256-GCM(key[32]) ‖ tag[16]
AAD     = "bailee/wrap" ‖ 01 ‖ tenant[16] ‖ key id[16] ‖ tenant-key version[4] ‖ purpose
"""

import os
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bailee.encryption.errors import DecryptionFailed
from bailee.foundation.ids import TenantId
from bailee.foundation.secrets import Secret

_FORMAT = 1
_NONCE = 12


def _aad(tenant: TenantId, key_id: UUID, version: int, purpose: str) -> bytes:
    return b"bailee/wrap" + bytes((_FORMAT,)) + tenant.bytes + key_id.bytes + version.to_bytes(4) + purpose.encode()


def wrap(outer: Secret, inner: Secret, *, tenant: TenantId, key_id: UUID, version: int, purpose: str) -> bytes:
    """`inner` under `outer`, bound to what it is for."""
    nonce = os.urandom(_NONCE)
    sealed = AESGCM(outer.reveal()).encrypt(nonce, inner.reveal(), _aad(tenant, key_id, version, purpose))
    return bytes((_FORMAT,)) + nonce + sealed


def unwrap(outer: Secret, wrapped: bytes, *, tenant: TenantId, key_id: UUID, version: int, purpose: str) -> Secret:
    """The key inside. Raises DecryptionFailed."""
    if len(wrapped) <= 1 + _NONCE or wrapped[0] != _FORMAT:
        raise DecryptionFailed("A wrapped key has an unknown format.")
    nonce, sealed = wrapped[1 : 1 + _NONCE], wrapped[1 + _NONCE :]
    try:
        return Secret(AESGCM(outer.reveal()).decrypt(nonce, sealed, _aad(tenant, key_id, version, purpose)))
    except InvalidTag:
        raise DecryptionFailed("A wrapped key does not verify: it was altered, or belongs elsewhere.") from None
