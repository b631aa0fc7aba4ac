"""age v1 (age-encryption.org/v1), X25519 recipients: what backups are encrypted with, and Debian's `age` opens.

    header  = version line ‖ for each recipient "-> X25519 <share>" and the wrapped file key ‖ "--- <mac>"
    payload = nonce[16] ‖ chunks of 64 KiB, ChaCha20-Poly1305, nonce = counter[11] ‖ last[1] (STREAM)

The format is age's, the primitives are those of `cryptography`: its cipher runs outside the interpreter's lock and
several times as fast as the library that wraps the reference implementation, which the tests hold this against.
"""

import base64
import os
import re
import secrets
from collections.abc import Sequence

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.constant_time import bytes_eq
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bailee.backup.errors import BackupDamaged, KeyRefused
from bailee.foundation.secrets import Secret

_VERSION = b"age-encryption.org/v1\n"
_LABEL = b"age-encryption.org/v1/X25519"
_CHUNK = 64 * 1024
_TAG = 16
_NONCE = 16
_FILE_KEY = 16
_SHARE = 32
_MAX_HEADER = 16 * 1024
_RECIPIENT, _IDENTITY = "age", "AGE-SECRET-KEY-"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_TEXT = re.compile(r"[a-z-]{1,20}1[qpzry9x8gf2tvdw0s3jn54khce6mua7l]{58}", re.ASCII)


class Recipient(msgspec.Struct, frozen=True):
    """A public key to encrypt to, as `age1…`."""

    raw: bytes

    def __str__(self) -> str:
        return _to_bech32(_RECIPIENT, self.raw)


class Identity:
    """A private key, as `AGE-SECRET-KEY-1…`; its repr hides it."""

    def __init__(self, secret: Secret) -> None:
        self._key = X25519PrivateKey.from_private_bytes(secret.reveal())
        self._secret = secret
        self.recipient = Recipient(self._key.public_key().public_bytes_raw())

    def __repr__(self) -> str:
        return f"Identity(of {self.recipient})"

    def text(self) -> str:
        """The secret itself, to be written down."""
        return _to_bech32(_IDENTITY.lower(), self._secret.reveal()).upper()

    def shared(self, share: bytes) -> bytes:
        """The X25519 secret shared with whoever sent `share` (RFC 7748). Raises ValueError for a point of low order."""
        return self._key.exchange(X25519PublicKey.from_public_bytes(share))


def new_identity() -> Identity:
    """A fresh key pair."""
    return Identity(Secret(secrets.token_bytes(_SHARE)))


def parse_recipient(text: str) -> Recipient:
    """Raises KeyRefused."""
    return Recipient(_from_bech32(_RECIPIENT, text.strip()))


def parse_identity(text: str) -> Identity:
    """The first key in a text such as age-keygen writes; comments are passed over. Raises KeyRefused."""
    for line in text.splitlines():
        if line.strip().upper().startswith(_IDENTITY):
            return Identity(Secret(_from_bech32(_IDENTITY.lower(), line.strip().lower())))
    raise KeyRefused("There is no recovery key in this: it is one line that begins with AGE-SECRET-KEY-1.")


def encrypt(plaintext: bytes | memoryview, recipients: Sequence[Recipient]) -> bytes:
    """The age file of `plaintext`, for each of `recipients` to open alone."""
    if not recipients:
        raise KeyRefused("There is no key to encrypt to.")
    # 1. the file key, wrapped for each recipient
    file_key = secrets.token_bytes(_FILE_KEY)
    head = bytearray(_VERSION)
    for recipient in recipients:
        ephemeral = X25519PrivateKey.generate()
        share = ephemeral.public_key().public_bytes_raw()
        shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(recipient.raw))
        wrapped = ChaCha20Poly1305(_wrap_key(shared, share, recipient)).encrypt(bytes(12), file_key, None)
        head += b"-> X25519 %s\n%s\n" % (_b64(share), _b64(wrapped))
    head += b"---"
    mac = _mac(file_key, bytes(head))
    # 2. the payload, chunk by chunk into one buffer
    nonce = os.urandom(_NONCE)
    start = bytes(head) + b" " + _b64(mac) + b"\n" + nonce
    cipher = ChaCha20Poly1305(_payload_key(file_key, nonce))
    whole = memoryview(plaintext)
    count = max(1, -(-len(whole) // _CHUNK))
    sealed = bytearray(len(start) + len(whole) + count * _TAG)
    sealed[: len(start)] = start
    target = memoryview(sealed)[len(start) :]
    for number in range(count):
        chunk = whole[number * _CHUNK : (number + 1) * _CHUNK]
        place = number * (_CHUNK + _TAG)
        cipher.encrypt_into(
            _stream_nonce(number, last=number == count - 1), chunk, None, target[place : place + len(chunk) + _TAG]
        )
    return bytes(sealed)


def decrypt(sealed: bytes | memoryview, identities: Sequence[Identity]) -> bytearray:
    """The plaintext. Raises KeyRefused when none of `identities` is a recipient, BackupDamaged when it was altered."""
    whole = memoryview(sealed)
    # 1. the header
    head, mac, body_at = _parse_header(bytes(whole[:_MAX_HEADER]))
    file_key = _open_file_key(head, identities)
    if not bytes_eq(_mac(file_key, head), mac):
        raise BackupDamaged("An encrypted object does not verify: its header was altered.")
    # 2. the payload; every chunk is authenticated, the last one marked, so that nothing can be cut off or swapped
    nonce, payload = bytes(whole[body_at : body_at + _NONCE]), whole[body_at + _NONCE :]
    if len(payload) < _TAG:
        raise BackupDamaged("An encrypted object was cut short.")
    cipher = ChaCha20Poly1305(_payload_key(file_key, nonce))
    count = max(1, -(-len(payload) // (_CHUNK + _TAG)))
    plaintext = bytearray(len(payload) - count * _TAG)
    target = memoryview(plaintext)
    for number in range(count):
        chunk = payload[number * (_CHUNK + _TAG) : (number + 1) * (_CHUNK + _TAG)]
        place = number * _CHUNK
        try:
            cipher.decrypt_into(
                _stream_nonce(number, last=number == count - 1), chunk, None, target[place : place + len(chunk) - _TAG]
            )
        except (InvalidTag, ValueError):
            raise BackupDamaged("An encrypted object does not verify: it was altered or cut short.") from None
    return plaintext


# --- the header ---------------------------------------------------------------------------------------


def _parse_header(start: bytes) -> tuple[bytes, bytes, int]:
    """The part that the MAC is over, the MAC, and where the payload begins."""
    head, mark, rest = start.partition(b"\n---")
    mac, newline, _ = rest.partition(b"\n")
    if not start.startswith(_VERSION) or not mark or not newline:
        raise BackupDamaged("That is not an age file, or its beginning was cut off.")
    return head + mark, _unb64(mac.strip()), len(head) + len(mark) + len(mac) + 1


def _open_file_key(head: bytes, identities: Sequence[Identity]) -> bytes:
    lines = head.split(b"\n")
    for number, line in enumerate(lines):
        arguments = line.split(b" ")
        if arguments[:2] != [b"->", b"X25519"] or len(arguments) != 3 or number + 1 >= len(lines):  # noqa: PLR2004  arrow, type, share
            continue
        share, wrapped = _unb64(arguments[2]), _unb64(lines[number + 1])
        if len(share) != _SHARE or len(wrapped) != _FILE_KEY + _TAG:
            raise BackupDamaged("An encrypted object's header is malformed.")
        for identity in identities:
            try:
                key = _wrap_key(identity.shared(share), share, identity.recipient)
                return ChaCha20Poly1305(key).decrypt(bytes(12), wrapped, None)
            except (InvalidTag, ValueError):  # for somebody else
                continue
    raise KeyRefused("This key does not open the backup: it was made for other keys. Use the recovery key of its time.")


def _wrap_key(shared: bytes, share: bytes, recipient: Recipient) -> bytes:
    return HKDF(SHA256(), 32, share + recipient.raw, _LABEL).derive(shared)


def _payload_key(file_key: bytes, nonce: bytes) -> bytes:
    return HKDF(SHA256(), 32, nonce, b"payload").derive(file_key)


def _mac(file_key: bytes, head: bytes) -> bytes:
    mac = HMAC(HKDF(SHA256(), 32, b"", b"header").derive(file_key), SHA256())
    mac.update(head)
    return mac.finalize()


def _stream_nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11) + bytes((last,))


def _b64(raw: bytes) -> bytes:
    return base64.b64encode(raw).rstrip(b"=")


def _unb64(text: bytes) -> bytes:
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except ValueError:
        raise BackupDamaged("An encrypted object's header is malformed.") from None


# --- Bech32 (BIP 173): how age writes keys -------------------------------------------------------------


def _polymod(values: Sequence[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATOR):
            check ^= generator if top >> bit & 1 else 0
    return check


def _expanded(prefix: str) -> list[int]:
    return [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]


def _regroup(values: Sequence[int], width: int, to: int) -> list[int]:
    bits = "".join(f"{value:0{width}b}" for value in values)
    bits += "0" * (-len(bits) % to) if to < width else ""
    return [int(bits[i : i + to], 2) for i in range(0, len(bits) - to + 1, to)]


def _to_bech32(prefix: str, raw: bytes) -> str:
    data = _regroup(raw, 8, 5)
    check = _polymod([*_expanded(prefix), *data, *[0] * 6]) ^ 1
    return f"{prefix}1" + "".join(_BECH32[value] for value in [*data, *[check >> 5 * (5 - i) & 31 for i in range(6)]])


def _from_bech32(prefix: str, text: str) -> bytes:
    if not _TEXT.fullmatch(text) or not text.startswith(f"{prefix}1"):
        raise KeyRefused("The key is not complete, or a character of it is not one that keys have.")
    data = [_BECH32.index(c) for c in text[len(prefix) + 1 :]]
    if _polymod([*_expanded(prefix), *data]) != 1:
        raise KeyRefused("The key has a typing slip: its checksum does not fit.")
    return bytes(_regroup(data[:-6], 5, 8)[:_SHARE])
