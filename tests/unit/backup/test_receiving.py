"""A segment of the log while it is written: nothing that was acknowledged is ever without an object that holds it."""

import os
import random
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from bailee.backup.errors import BackupFailed
from bailee.backup.receiving import OpenSegment
from bailee.backup.repository import Stored
from bailee.backup.wal import SEGMENT, Stretch, list_stretches

START = 5 * SEGMENT
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


class _Store:
    """What lies in a repository, and what of it is locked."""

    def __init__(self, *, locks: bool) -> None:
        self.objects: dict[str, bytes] = {}
        self.locked: set[str] = set()
        self.locks = locks

    def segment(self, parts: Sequence[tuple[int, str]] = ()) -> OpenSegment:
        return self.segment_at(START, parts)

    def segment_at(self, start: int, parts: Sequence[tuple[int, str]]) -> OpenSegment:
        return OpenSegment(
            self.put, self.put_locked, self.remove, "wal/main/1/00000001", 1, start, [*parts], locks=self.locks
        )

    def put(self, name: str, content: bytes) -> None:
        assert name not in self.objects
        self.objects[name] = content

    def put_locked(self, name: str, content: bytes) -> None:
        self.put(name, content)
        self.locked.add(name)

    def remove(self, name: str) -> None:
        if not (self.locks and name in self.locked):  # as a store refuses it
            del self.objects[name]

    def list(self, prefix: str) -> Sequence[Stored]:
        return [Stored(name, len(content), MOMENT) for name, content in self.objects.items() if name.startswith(prefix)]

    def stretches(self) -> Sequence[Stretch]:
        return list_stretches(self, "wal")  # type: ignore[arg-type]  # what it needs of a repository

    def read(self, end: int) -> bytes:
        """All of the log from the start to `end`, as far as it lies there."""
        content = b""
        for one in self.stretches():
            if one.start <= START + len(content) < one.end:
                content += self.objects[one.stored.name][START + len(content) - one.start :]
        return content[: end - START]


@pytest.mark.parametrize("locks", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_whatever_is_acknowledged_lies_there_across_restarts(seed: int, locks: bool) -> None:
    chance = random.Random(seed)
    written = os.urandom(2 * SEGMENT + SEGMENT // 3)
    store, segment = _Store(locks=locks), None
    acknowledged, at = START, 0
    while at < len(written):
        if segment is None or chance.random() < 0.1:
            begin = (acknowledged - START) // SEGMENT * SEGMENT
            parts = [(one.end, one.stored.name) for one in store.stretches() if one.start >= START + begin]
            segment = store.segment_at(START + begin, parts)
            at = begin
        step = written[at : at + chance.randrange(1, SEGMENT // 3)]
        segment.add(START + at, step)
        at += len(step)
        if segment.waiting and chance.random() < 0.7:
            segment.store_part()
        if segment.loose and chance.random() < 0.3:
            segment.gather()
        acknowledged = max(acknowledged, segment.stored)
        assert store.read(acknowledged) == written[: acknowledged - START]
    assert store.locked <= store.objects.keys() or not locks


def test_small_parts_give_way_to_gathered_ones_and_those_to_the_whole() -> None:
    store = _Store(locks=False)
    segment = store.segment()
    for number in range(4):
        segment.add(START + number * 100, b"x" * 100)
        segment.store_part()
    assert (len(store.objects), segment.loose, segment.waiting) == (4, True, False)
    segment.gather()
    assert ([one.end - one.start for one in store.stretches()], segment.loose) == ([400], False)
    segment.add(START + 400, b"y" * 50)
    segment.gather()
    assert [one.end - one.start for one in store.stretches()] == [400, 50]
    assert segment.add(START + 450, bytes(SEGMENT - 450))
    (whole,) = store.stretches()
    assert whole.whole


def test_what_is_locked_stays_when_the_whole_is_there() -> None:
    store = _Store(locks=True)
    segment = store.segment()
    segment.add(START, b"x" * 100)
    segment.gather()
    segment.add(START + 100, bytes(SEGMENT - 100))
    assert [one.whole for one in store.stretches()] == [False, True]
    assert store.locked == store.objects.keys()


def test_what_an_earlier_stream_stored_goes_when_it_is_covered_and_not_before() -> None:
    store = _Store(locks=False)
    before = store.segment()
    before.add(START, b"x" * 300)
    before.store_part()
    segment = store.segment([(one.end, one.stored.name) for one in store.stretches()])
    segment.add(START, b"x" * 200)
    segment.gather()
    assert [one.end - one.start for one in store.stretches()] == [200, 300]
    segment.add(START + 200, b"x" * 150)
    segment.gather()
    assert [one.end - one.start for one in store.stretches()] == [200, 150]
    with pytest.raises(BackupFailed):
        segment.add(START + 900, b"gap")
