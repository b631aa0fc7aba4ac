"""A backup's byte stream, cut into volumes that are compressed, encrypted and stored each for itself.

    volume = age(zstd(up to 8 MiB of the tar stream))

Each is worked on in memory alone: no plaintext touches a disk, and the memory is that of a few volumes however
large the database. Volumes are independent, so several threads make and open them at once. Joined in order they are
the tar that PostgreSQL sent: `for v in *.age; do age -d -i key $v | zstd -d; done | tar x` opens a backup by hand.
"""

import hashlib
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import accumulate

import msgspec
import zstandard

from bailee.backup.age import Identity, Recipient, decrypt, encrypt
from bailee.backup.errors import BackupDamaged
from bailee.backup.repository import Repository
from bailee.ledger.errors import ProofInvalid
from bailee.ledger.note import Signer, Verifier, open_statement

SIZE = 8 * 1024 * 1024
WORKERS = 2
READERS = 4
"""Half of them wait for the disk or the store while the others work."""
_WAITING = WORKERS + 1
_MAX_PLAIN = 1024 * 1024 * 1024
_NICE = 10
_SKIPPABLE = bytes.fromhex("502a4d18")


class Volume(msgspec.Struct, frozen=True):
    """One stored volume: the SHA-256 and size of its ciphertext, and how much plaintext it holds."""

    sha256: str
    size: int
    plain: int


class Sealer:
    """Compresses and encrypts to the keys of one backup."""

    def __init__(self, recipients: Sequence[Recipient], level: int) -> None:
        self.recipients = tuple(recipients)
        self.level = level

    def seal(self, plaintext: bytes | memoryview) -> bytes:
        return encrypt(zstandard.ZstdCompressor(level=self.level).compress(plaintext), self.recipients)


def unseal(sealed: bytes, identities: Sequence[Identity]) -> bytes:
    """Raises BackupDamaged, KeyRefused."""
    try:
        return zstandard.ZstdDecompressor().decompress(decrypt(sealed, identities), max_output_size=_MAX_PLAIN)
    except zstandard.ZstdError:
        raise BackupDamaged("An object of the backup does not decompress: it was altered.") from None


def seal_signed(sealer: Sealer, signer: Signer, name: str, plaintext: bytes) -> bytes:
    """An object that no manifest vouches for, with a signature over its name and content.

    The signature lies in a skippable frame (RFC 8878 §3.1.2) behind the data: `zstd -d` passes it over.
    """
    note = signer.sign_statement(_statement(name, plaintext)).encode()
    frame = zstandard.ZstdCompressor(level=sealer.level).compress(plaintext)
    return encrypt(frame + _SKIPPABLE + len(note).to_bytes(4, "little") + note, sealer.recipients)


def unseal_signed(name: str, sealed: bytes, identities: Sequence[Identity], verifiers: Sequence[Verifier]) -> bytes:
    """The same, opened. Raises BackupDamaged, also for an object in another's place, and KeyRefused."""
    opened = decrypt(sealed, identities)
    decompressor = zstandard.ZstdDecompressor().decompressobj()
    try:
        plaintext = decompressor.decompress(opened)
        tail = decompressor.unused_data
        note = tail[8:] if tail[:4] == _SKIPPABLE and int.from_bytes(tail[4:8], "little") == len(tail) - 8 else b""
        if open_statement(note.decode(), verifiers) == _statement(name, plaintext):
            return plaintext
    except (zstandard.ZstdError, ProofInvalid, UnicodeDecodeError):
        pass
    raise BackupDamaged(f"{name} was not made by this instance: it was altered, or put in another's place.")


def _statement(name: str, plaintext: bytes) -> str:
    return f"bailee-object/v1\n{name}\n{hashlib.sha256(plaintext).hexdigest()}\n"


def verify_hash(name: str, sealed: bytes, volume: Volume) -> None:
    """Raises BackupDamaged when it is not what the manifest says."""
    if len(sealed) != volume.size or hashlib.sha256(sealed).hexdigest() != volume.sha256:
        raise BackupDamaged(f"{name} is not what was stored: it was altered, cut short or put in another's place.")


class Packer:
    """Takes a stream in order and stores its volumes, several at once."""

    def __init__(self, repository: Repository, prefix: str, sealer: Sealer) -> None:
        self._repository = repository
        self._prefix = prefix
        self._sealer = sealer
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="volume", initializer=_step_back)
        self._room = threading.Semaphore(_WAITING)
        self._futures: list[Future[Volume]] = []

    def add(self, plaintext: bytes | memoryview) -> None:
        """Hands over one volume's plaintext, which must not change any more. Raises what an earlier one met."""
        self._room.acquire()
        for done in [one for one in self._futures[-_WAITING * 2 :] if one.done()]:
            done.result()
        future = self._pool.submit(self._store, len(self._futures), plaintext)
        future.add_done_callback(lambda _: self._room.release())
        self._futures.append(future)

    def finish(self) -> list[Volume]:
        """Waits for all. Raises what one of them met."""
        return [future.result() for future in self._futures]

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def _store(self, number: int, plaintext: bytes | memoryview) -> Volume:
        sealed = self._sealer.seal(plaintext)
        self._repository.put(volume_name(self._prefix, number), sealed)
        return Volume(hashlib.sha256(sealed).hexdigest(), len(sealed), len(plaintext))


def _step_back() -> None:
    """Lets whoever else is at work go first: a backup takes what is left of the processors."""
    if sys.platform == "linux":  # elsewhere a thread has no priority of its own
        give_way(threading.get_native_id())


def give_way(number: int) -> None:
    """Gives a process of ours a lower priority, or on Linux a thread."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, number, _NICE)


@contextmanager
def packing(repository: Repository, prefix: str, sealer: Sealer) -> Iterator[Packer]:
    """A packer whose threads end with the block."""
    packer = Packer(repository, prefix, sealer)
    try:
        yield packer
    finally:
        packer.close()


def unpack(
    repository: Repository,
    prefix: str,
    volumes: Sequence[Volume],
    identities: Sequence[Identity],
    take: Callable[[int, bytes], None],
) -> None:
    """Calls `take(offset, plaintext)` for each volume, in any order and from several threads at once.

    Raises BackupDamaged, KeyRefused, RepositoryUnavailable.
    """
    starts = list(accumulate((volume.plain for volume in volumes), initial=0))

    def one(number: int) -> None:
        take(starts[number], open_volume(repository, prefix, number, volumes[number], identities))

    with ThreadPoolExecutor(READERS, thread_name_prefix="volume") as pool:
        futures = [pool.submit(one, number) for number in range(len(volumes))]
        try:
            for future in futures:
                future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def open_volume(
    repository: Repository, prefix: str, number: int, volume: Volume, identities: Sequence[Identity]
) -> bytes:
    """The plaintext of one volume. Raises BackupDamaged, KeyRefused, RepositoryUnavailable."""
    name = volume_name(prefix, number)
    sealed = repository.get(name)
    verify_hash(name, sealed, volume)
    plaintext = unseal(sealed, identities)
    if len(plaintext) != volume.plain:
        raise BackupDamaged(f"{name} holds another amount of data than the manifest says.")
    return plaintext


def volume_name(prefix: str, number: int) -> str:
    """Where a volume lies; the names sort in the stream's order."""
    return f"{prefix}/{number:08}.zst.age"
