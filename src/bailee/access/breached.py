"""Passwords known from breaches: a list that comes with us and, if there is one, the file of Have I Been Pwned.

The file holds a line `SHA1:COUNT` for each password, ordered by hash, as the official downloader writes it. It is
searched where it lies, with some 40 reads, and never loaded: it has tens of gigabytes.
"""

import hashlib
import itertools
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from zxcvbn.frequency_lists import FREQUENCY_LISTS  # type: ignore[import-untyped]  # it ships no types

from bailee.foundation.errors import ConfigurationError, Unavailable

_COMMON = frozenset(word.casefold() for word in FREQUENCY_LISTS["passwords"][:10_000])
"""By frequency; 3,395 of them have 8 characters or more, where OWASP ASVS 6.2.4 asks for 3,000."""
_LINE = re.compile(rb"([0-9A-Fa-f]{40}):([0-9]{1,10})\r?\n?")
_LONGEST = 64
_SAMPLES = 256


class Damaged(Exception):
    """Not a list of breached passwords, or no longer one."""


class Line(msgspec.Struct, frozen=True):
    """One line of the file: where it begins and where the next one does."""

    start: int
    end: int
    digest: bytes
    count: int


class HashFile:
    """A sorted file of hashes, by its descriptor. The methods raise Damaged and OSError."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._size = os.fstat(descriptor).st_size

    def line_at(self, offset: int) -> Line:
        """The line that this byte belongs to."""
        begin = max(0, offset - _LONGEST)
        block = os.pread(self._descriptor, 2 * _LONGEST, begin)
        start = block.rfind(b"\n", 0, offset - begin) + 1
        end = block.find(b"\n", offset - begin) + 1 or len(block)
        match = _LINE.fullmatch(block[start:end])
        if match is None:
            raise Damaged
        return Line(begin + start, begin + end, match[1].upper(), int(match[2]))

    def first_from(self, digest: bytes) -> int:
        """Where the first line begins whose hash is this one or a later one; the size if there is none."""
        low, high = 0, self._size  # always at the beginning of a line, or at the end
        while low < high:
            line = self.line_at((low + high) // 2)
            low, high = (line.end, high) if line.digest < digest else (low, line.start)
        return low

    def count(self, digest: bytes) -> int:
        """In how many breaches it was seen."""
        offset = self.first_from(digest)
        line = self.line_at(offset) if offset < self._size else None
        return line.count if line and line.digest == digest else 0

    def verify(self) -> None:
        """Reads samples from the first line to the last: the form of each, and their order."""
        if self._size == 0:
            raise Damaged
        offsets = [self._size * part // _SAMPLES for part in range(_SAMPLES)]
        lines = [self.line_at(offset) for offset in (*offsets, self._size - 1)]
        for before, after in itertools.pairwise(lines):
            if before.start != after.start and before.digest >= after.digest:
                raise Damaged


class BreachedPasswords:
    """Knows passwords from breaches. `file` is empty, or names the list of Have I Been Pwned.

    Raises ConfigurationError when it does not look like one.
    """

    def __init__(self, file: str = "") -> None:
        self._descriptor: int | None = None
        self._file: HashFile | None = None
        if file:
            self._descriptor = _open(Path(file))
            self._file = HashFile(self._descriptor)

    def contains(self, password: str) -> bool:
        """Whether it is known: one of the common ones in any case, or exactly one of the file. Reads the disk.

        Raises Unavailable when the file cannot be read any more: what could not be checked has not passed.
        """
        if password.casefold() in _COMMON:
            return True
        if self._file is None:
            return False
        digest = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()
        try:
            return self._file.count(digest.encode()) > 0
        except (Damaged, OSError):
            raise Unavailable(
                "New passwords cannot be checked now: the operator has to look at access.breached_file."
            ) from None

    def close(self) -> None:
        """Lets the file go; nothing is looked up afterwards."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = self._file = None


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turns what is wrong with the file into a ConfigurationError that names it."""
    try:
        yield
    except Damaged:
        raise ConfigurationError(
            f"{path} is not a list of breached passwords: lines of a SHA-1 hash, a colon and a number, ordered by"
            " hash. Delete it, and fetch it with `bailee passwords fetch`."
        ) from None
    except OSError as error:
        raise ConfigurationError(f"{path} could not be used: {error.strerror}.") from None


def _open(path: Path) -> int:
    with told(path):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # not waiting for a pipe's writer
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise Damaged
            HashFile(descriptor).verify()
        except BaseException:
            os.close(descriptor)
            raise
    return descriptor
