"""Repeated requests: the same key with the same request is answered as before, and done once.

The claim is a row written in the request's own transaction: of two at once, the second waits for the first to
commit and then finds its answer. What is kept of an answer is ids and versions; a batch's errors are kept sealed.
"""

import base64
from typing import Any
from uuid import UUID

import msgspec

from bailee.encryption.blind_index import IndexKey
from bailee.encryption.envelope import DataKey, Place, seal, unseal
from bailee.foundation.database import TenantWriter
from bailee.foundation.errors import FieldError, Invalid
from bailee.foundation.ids import TenantId
from bailee.stores import store
from bailee.stores.errors import IdempotencyMismatch

KEEP_DAYS = 7
_MAX_KEY = 255


class Claim(msgspec.Struct, frozen=True):
    """A request's claim on its key. `earlier` is the answer given before, if there was one."""

    token: bytes
    earlier: dict[str, Any] | None

    def sealed(self, key: DataKey, tenant: TenantId, answer: bytes) -> dict[str, Any]:
        """An answer that may name what was sent, such as a field that is not in the map, to keep encrypted."""
        return {"sealed": base64.b64encode(seal(key, answer, self._place(tenant))).decode()}

    def open(self, key: DataKey, tenant: TenantId) -> bytes:
        """The earlier answer that was kept sealed."""
        return unseal(key, base64.b64decode((self.earlier or {})["sealed"]), self._place(tenant))

    def _place(self, tenant: TenantId) -> Place:
        return Place(tenant, "idempotency", UUID(bytes=self.token), 1)


async def claim(tx: TenantWriter, index: IndexKey, key: str | None, request: bytes) -> Claim | None:
    """Claims `key` for a request, in its transaction. None without a key. Raises IdempotencyMismatch, Invalid."""
    if key is None:
        return None
    if not 1 <= len(key) <= _MAX_KEY or not key.isascii() or not key.isprintable():
        raise Invalid(
            "The idempotency key is not valid.",
            errors=[FieldError("Idempotency-Key", f"Send 1 to {_MAX_KEY} printable ASCII characters.")],
        )
    token = index.token("idempotency-key", key)
    fingerprint = index.token("idempotency-request", request.hex())
    if await store.claim_request(tx, token, fingerprint):
        return Claim(token, None)
    earlier = await store.find_request(tx, token)
    if earlier is None or earlier.fingerprint != fingerprint:
        raise IdempotencyMismatch("This idempotency key was used for another request. Use a new key for each request.")
    return Claim(token, earlier.answer)


async def complete(tx: TenantWriter, claimed: Claim | None, answer: dict[str, Any]) -> None:
    """Keeps the answer, in the same transaction."""
    if claimed is not None:
        await store.complete_request(tx, claimed.token, answer)
