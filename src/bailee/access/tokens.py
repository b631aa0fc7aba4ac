"""Bearer tokens: what is handed out once, and the hash that is kept.

    API key  = "bailee_" ‖ base32(tenant[16] ‖ key id[16] ‖ secret[24] ‖ crc32[4])
    session  = "bst_"    ‖ base32(session id[16] ‖ secret[32] ‖ crc32[4])

The secret is random, so one SHA-256 protects it at rest; the checksum tells a typing slip from a guess.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
import zlib
from uuid import UUID

import msgspec

KEY_PREFIX, SESSION_PREFIX = "bailee_", "bst_"
_KEY_SECRET, _SESSION_SECRET = 24, 32


class KeyToken(msgspec.Struct, frozen=True):
    """An API key taken apart. `tenant` is a claim until the secret has been verified."""

    tenant: UUID
    key_id: UUID
    digest: bytes


class SessionToken(msgspec.Struct, frozen=True):
    session_id: UUID
    digest: bytes


def new_key_token(tenant: UUID, key_id: UUID) -> tuple[str, bytes]:
    """A token to show once, and the digest to store."""
    secret = secrets.token_bytes(_KEY_SECRET)
    return KEY_PREFIX + _encode(tenant.bytes + key_id.bytes + secret), digest_of(secret)


def new_session_token(session_id: UUID) -> tuple[str, bytes]:
    """The same for a session."""
    secret = secrets.token_bytes(_SESSION_SECRET)
    return SESSION_PREFIX + _encode(session_id.bytes + secret), digest_of(secret)


def parse_key_token(token: str) -> KeyToken | None:
    """None for anything that is not a well-formed API key."""
    raw = _decode(token.removeprefix(KEY_PREFIX), 32 + _KEY_SECRET) if token.startswith(KEY_PREFIX) else None
    return KeyToken(UUID(bytes=raw[:16]), UUID(bytes=raw[16:32]), digest_of(raw[32:])) if raw else None


def parse_session_token(token: str) -> SessionToken | None:
    """None for anything that is not a well-formed session token."""
    raw = (
        _decode(token.removeprefix(SESSION_PREFIX), 16 + _SESSION_SECRET) if token.startswith(SESSION_PREFIX) else None
    )
    return SessionToken(UUID(bytes=raw[:16]), digest_of(raw[16:])) if raw else None


def digest_of(secret: bytes) -> bytes:
    return hashlib.sha256(secret).digest()


def same(one: bytes, other: bytes) -> bool:
    """Comparison in constant time."""
    return hmac.compare_digest(one, other)


def _encode(raw: bytes) -> str:
    return base64.b32encode(raw + zlib.crc32(raw).to_bytes(4)).decode().rstrip("=").lower()


def _decode(text: str, size: int) -> bytes | None:
    if not text.isascii() or len(text) > 200 or text != text.lower():  # noqa: PLR2004  longer than any token
        return None
    try:
        raw = base64.b32decode(text.upper() + "=" * (-len(text) % 8))
    except binascii.Error:
        return None
    body, checksum = raw[:-4], raw[-4:]
    return body if len(body) == size and zlib.crc32(body).to_bytes(4) == checksum else None
