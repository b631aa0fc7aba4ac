"""Bearer tokens: what is handed out once, and the hash that is kept.

    token = prefix ‖ base32(ids[16 each] ‖ secret ‖ crc32[4])

The ids say where to look; the secret is random, so one SHA-256 protects it at rest; the checksum tells a typing slip
from a guess. An id is a claim until the secret has been compared.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
import zlib
from uuid import UUID

import msgspec

_LONGEST = 200


class Parsed(msgspec.Struct, frozen=True):
    """A token taken apart."""

    ids: tuple[UUID, ...]
    digest: bytes

    @property
    def id(self) -> UUID:
        """The last of the ids: the thing itself."""
        return self.ids[-1]


class TokenKind(msgspec.Struct, frozen=True):
    """One kind of token: its prefix, how many ids it carries, and the bytes of its secret."""

    prefix: str
    ids: int
    secret: int

    def new(self, *ids: UUID) -> tuple[str, bytes]:
        """A token to show once, and the digest to store."""
        secret = secrets.token_bytes(self.secret)
        raw = b"".join(one.bytes for one in ids) + secret
        return self.prefix + _encode(raw), digest_of(secret)

    def parse(self, token: str) -> Parsed | None:
        """None for anything that is not a well-formed token of this kind."""
        if not token.startswith(self.prefix):
            return None
        size = 16 * self.ids
        raw = _decode(token.removeprefix(self.prefix), size + self.secret)
        if raw is None:
            return None
        return Parsed(tuple(UUID(bytes=raw[at : at + 16]) for at in range(0, size, 16)), digest_of(raw[size:]))


API_KEY = TokenKind("bailee_", 2, 24)
"""Tenant and key."""
SESSION = TokenKind("bst_", 1, 32)
PENDING = TokenKind("bpd_", 1, 32)
"""A sign-in between its two steps."""
DEVICE = TokenKind("bdv_", 1, 32)
"""A browser that has signed in before."""
DEVICE_CODE = TokenKind("bdc_", 1, 32)
"""A program that waits for its person's approval."""
LINK = TokenKind("bln_", 1, 32)
"""What a mailed link carries."""
INVITATION = TokenKind("biv_", 2, 32)
"""Tenant (or the operator) and invitation."""
CLIENT_SECRET = TokenKind("bcs_", 1, 32)
CODE = TokenKind("bac_", 2, 32)
"""An authorisation code: tenant and grant."""
ACCESS = TokenKind("bat_", 2, 32)
"""An OAuth access token: tenant and token."""
REFRESH = TokenKind("brt_", 2, 32)
"""An OAuth refresh token: tenant and token."""


def digest_of(secret: bytes) -> bytes:
    return hashlib.sha256(secret).digest()


def same(one: bytes, other: bytes) -> bool:
    """Comparison in constant time."""
    return hmac.compare_digest(one, other)


def _encode(raw: bytes) -> str:
    return base64.b32encode(raw + zlib.crc32(raw).to_bytes(4)).decode().rstrip("=").lower()


def _decode(text: str, size: int) -> bytes | None:
    if not text.isascii() or len(text) > _LONGEST or text != text.lower():
        return None
    try:
        raw = base64.b32decode(text.upper() + "=" * (-len(text) % 8))
    except binascii.Error:
        return None
    body = raw[:-4]  # written again it is the same text: a token has one spelling, and its checksum is right
    return body if len(body) == size and _encode(body) == text else None
