"""Files, encrypted in chunks so that any part can be read alone and none be cut off, swapped or repeated.

    header = 01 ‖ key id[16] ‖ salt[16]
    file key = HKDF-SHA-256(data key, salt, "bailee/file/v1" ‖ tenant ‖ file ‖ version)
    chunk i = AES-256-GCM(file key, nonce = i[11] ‖ last[1], 256 KiB of plaintext) ‖ tag[16]

The nonce construction is that of STREAM (Hoang, Reyhanitabar, Rogaway, Vizár 2015): the last chunk is marked,
so a file that was cut short does not open. The file key is used for one file version only.
"""

import os
from collections.abc import AsyncIterable, AsyncIterator
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bailee.encryption.envelope import DataKey, Place
from bailee.encryption.errors import DecryptionFailed

FORMAT = 1
CHUNK = 256 * 1024
TAG = 16
_SALT = 16
HEADER = 1 + 16 + _SALT


def sealed_size(size: int) -> int:
    """How long the ciphertext of `size` bytes is."""
    return HEADER + size + max(1, -(-size // CHUNK)) * TAG


def _cipher(key: DataKey, salt: bytes, place: Place) -> AESGCM:
    info = b"bailee/file/v1" + place.aad(key.key_id)
    return AESGCM(HKDF(SHA256(), 32, salt, info).derive(key.secret.reveal()))


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11) + bytes((last,))


async def seal_stream(key: DataKey, plaintext: AsyncIterable[bytes], place: Place) -> AsyncIterator[bytes]:
    """The ciphertext, block by block, in constant memory."""
    salt = os.urandom(_SALT)
    cipher = _cipher(key, salt, place)
    yield bytes((FORMAT,)) + key.key_id.bytes + salt
    waiting = bytearray()
    number = 0
    async for block in plaintext:
        waiting += block
        while len(waiting) > CHUNK:  # a full chunk waits until it is known not to be the last
            yield cipher.encrypt(_nonce(number, last=False), bytes(waiting[:CHUNK]), None)
            del waiting[:CHUNK]
            number += 1
    yield cipher.encrypt(_nonce(number, last=True), bytes(waiting), None)


def stream_key_id(header: bytes) -> UUID:
    """Which key opens the stream. Raises DecryptionFailed."""
    if len(header) != HEADER or header[0] != FORMAT:
        raise DecryptionFailed("A stored file has an unknown format.")
    return UUID(bytes=header[1:17])


def sealed_range(size: int, start: int, end: int) -> tuple[int, int]:
    """Which ciphertext bytes [from, to) hold the plaintext bytes [start, end) of a file of `size` bytes."""
    first = start // CHUNK
    last = max(first, (end - 1) // CHUNK)
    return HEADER + first * (CHUNK + TAG), min(HEADER + (last + 1) * (CHUNK + TAG), sealed_size(size))


async def unseal_stream(
    key: DataKey, header: bytes, ciphertext: AsyncIterable[bytes], place: Place, *, size: int, start: int, end: int
) -> AsyncIterator[bytes]:
    """The plaintext bytes [start, end), from the ciphertext that `sealed_range` names. Raises DecryptionFailed."""
    if stream_key_id(header) != key.key_id:
        raise DecryptionFailed("A stored file names another key than the one at hand.")
    cipher = _cipher(key, header[17:], place)
    number, final = start // CHUNK, max(0, (size - 1) // CHUNK)
    stop = max(number, (end - 1) // CHUNK)
    waiting = bytearray()
    blocks = aiter(ciphertext)
    while number <= stop:
        length = (CHUNK if number < final else size - final * CHUNK) + TAG
        while len(waiting) < length:
            block = await anext(blocks, None)
            if block is None:
                raise DecryptionFailed("A stored file was cut short.")
            waiting += block
        try:
            plain = cipher.decrypt(_nonce(number, last=number == final), bytes(waiting[:length]), None)
        except InvalidTag:
            raise DecryptionFailed("A stored file does not verify: it was altered, or moved from elsewhere.") from None
        del waiting[:length]
        offset = number * CHUNK
        yield plain[max(0, start - offset) : end - offset]
        number += 1
