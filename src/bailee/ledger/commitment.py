"""Salted commitments: what the public log says of a private event.

    entry = 01 ‖ SHA-256("bailee/commitment/v1" ‖ 0A ‖ salt[32] ‖ canonical JSON)

Hiding as long as the salt is secret, binding always. Canonical JSON is RFC 8785, for the values an event
may have: strings, whole numbers within ±2⁵³, booleans, null, lists and objects with ASCII keys.
"""

import hashlib
import secrets
from typing import Any

import msgspec

from bailee.ledger.errors import ProofInvalid

VERSION = 1
SALT = 32
_DOMAIN = b"bailee/commitment/v1\n"
_SAFE = 2**53


def new_salt() -> bytes:
    return secrets.token_bytes(SALT)


def canonical(value: Any) -> bytes:
    """RFC 8785. Raises ProofInvalid for a value outside the domain above."""
    try:
        _verify(value)
        return msgspec.json.encode(value, order="sorted")
    except (UnicodeEncodeError, RecursionError):  # half a surrogate pair, or nesting without end
        raise ProofInvalid("An event holds valid Unicode, and nests a few levels deep.") from None


def commit(salt: bytes, body: bytes) -> bytes:
    """The leaf entry for canonical JSON `body`: 33 bytes."""
    if len(salt) != SALT:
        raise ProofInvalid(f"A salt has {SALT} bytes.")
    return bytes((VERSION,)) + hashlib.sha256(_DOMAIN + salt + body).digest()


def _verify(value: Any) -> None:
    match value:
        case None | bool() | str():
            return
        case int() if -_SAFE < value < _SAFE:
            return
        case list():
            for item in value:
                _verify(item)
        case dict() if all(isinstance(key, str) and key.isascii() for key in value):
            for item in value.values():
                _verify(item)
        case _:
            raise ProofInvalid(f"A {type(value).__name__} has no place in an event.")
