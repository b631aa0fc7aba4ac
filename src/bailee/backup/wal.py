"""The write-ahead log in a repository: what it is called there, how far it reaches, and reading it again.

    wal/<server>/<system id>/<timeline>/<segment>.<random>.zst.age                  a whole segment
    wal/<server>/<system id>/<timeline>/<segment>.<from>-<to>.<random>.zst.age      a part of one

Nobody foresees the names: whoever can write to the repository cannot put something in the place of what is to come, and
lock it there. A stretch may lie there several times, ours or not. What reads takes the first that is signed by us, and
asks for no particular name.
"""

import re
import secrets
from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec

from bailee.backup.age import Identity
from bailee.backup.copying import lsn_text
from bailee.backup.errors import BackupDamaged
from bailee.backup.repository import Repository, Stored
from bailee.backup.volumes import unseal_signed
from bailee.ledger.note import Verifier

SEGMENT = 16 * 1024 * 1024
ROOT = "wal"
_NAME = re.compile(r"([0-9A-F]{24})(?:\.([0-9a-f]{8})-([0-9a-f]{8}))?(?:\.[0-9a-f]{16})?\.zst\.age", re.ASCII)


class Stretch(msgspec.Struct, frozen=True, order=True):
    """WAL that lies in the repository: [start, end) of one timeline."""

    timeline: int
    start: int
    end: int
    whole: bool
    stored: Stored


class WalDamaged(BackupDamaged):
    """WAL that is missing, or not what was stored; what lies before `reached` can be restored without."""

    def __init__(self, detail: str, reached: int) -> None:
        super().__init__(detail)
        self.reached = reached


def prefix_of(server: str, system_id: str, timeline: int) -> str:
    """Where the WAL of one timeline of one cluster lies."""
    return f"{ROOT}/{server}/{system_id}/{timeline:08X}"


def segment_name(timeline: int, position: int) -> str:
    """The name of the WAL file that holds a position (24 hex digits), for segments of 16 MiB."""
    number = position // SEGMENT
    per_id = (1 << 32) // SEGMENT
    return f"{timeline:08X}{number // per_id:08X}{number % per_id:08X}"


def stored_name(segment: str, start: int = 0, end: int = SEGMENT) -> str:
    """A fresh name for a segment, or for a part of it."""
    part = f".{start:08x}-{end:08x}" if end - start < SEGMENT else ""
    return f"{segment}{part}.{secrets.token_hex(8)}.zst.age"


def list_stretches(repository: Repository, prefix: str) -> list[Stretch]:
    """What lies below `prefix`, by timeline and position."""
    found = []
    per_id = (1 << 32) // SEGMENT
    for one in repository.list(prefix):
        matched = _NAME.fullmatch(one.name.rpartition("/")[2])
        if matched is None:
            continue
        name, low, high = matched.groups()
        start = (int(name[8:16], 16) * per_id + int(name[16:], 16)) * SEGMENT
        begin, end = (int(low, 16), int(high, 16)) if low else (0, SEGMENT)
        if 0 <= begin < end <= SEGMENT:
            found.append(Stretch(int(name[:8], 16), start + begin, start + end, low is None, one))
    return sorted(found, key=lambda one: (one.timeline, one.start, one.end))


def covered_to(stretches: Sequence[Stretch], timeline: int, start: int) -> int:
    """How far WAL lies without a gap from `start` on."""
    reached = start
    for one in stretches:
        if one.timeline == timeline and one.start <= reached < one.end:
            reached = one.end
    return reached


def stored_until(stretches: Sequence[Stretch], timeline: int, start: int) -> datetime | None:
    """When the newest of the WAL that reaches on from `start` without a gap was stored. Of several that hold it the
    oldest counts: what somebody adds later does not make it reach further.
    """
    reached = covered_to(stretches, timeline, start)
    return (
        min(
            (one.stored.stored_at for one in stretches if one.timeline == timeline and one.start < reached <= one.end),
            default=None,
        )
        if reached > start
        else None
    )


def fetch_segments(
    repository: Repository, stretches: Sequence[Stretch], timeline: int, start: int, end: int,
    identities: Sequence[Identity], verifiers: Sequence[Verifier],
) -> Iterator[tuple[str, bytes]]:  # fmt: skip
    """The WAL files, by name, that hold [start, end); the last one filled up with zeros. Raises WalDamaged."""
    position = start // SEGMENT * SEGMENT
    while position < end:
        mine = [one for one in stretches if one.timeline == timeline and position <= one.start < position + SEGMENT]
        content, faults = _segment(repository, mine, position, identities, verifiers)
        reached = position + len(content)
        if reached < min(end, position + SEGMENT):
            raise WalDamaged("; ".join(faults) or f"WAL is missing after {lsn_text(reached)}.", reached)
        yield segment_name(timeline, position), content.ljust(SEGMENT, b"\0")
        position += SEGMENT


def _segment(
    repository: Repository, mine: Sequence[Stretch], position: int, identities: Sequence[Identity],
    verifiers: Sequence[Verifier],
) -> tuple[bytes, list[str]]:  # fmt: skip
    """What lies there of one segment: the whole, or its parts put together as far as they follow on; and what was wrong
    with those that are damaged, or not ours.
    """
    content = bytearray()
    faults = []
    for one in sorted(mine, key=lambda one: (not one.whole, one.start, one.stored.stored_at)):
        low, high = one.start - position, one.end - position
        if low <= len(content) < high:
            name = one.stored.name
            try:
                part = unseal_signed(name, repository.get(name), identities, verifiers)
            except BackupDamaged as error:
                faults.append(error.detail if name in error.detail else f"{name}: {error.detail}")
                continue
            if len(part) == high - low:
                content += part[len(content) - low :]
            else:
                faults.append(f"{name} holds another amount of WAL than its name says.")
    return bytes(content), faults
