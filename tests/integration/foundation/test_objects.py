"""Objects on disk, the clock and ids: whole or not at all, and never backwards."""

import resource
import signal
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bailee.foundation.clock import Clock
from bailee.foundation.errors import NotFound, StorageFull
from bailee.foundation.ids import new_id
from bailee.foundation.objects import Objects


@pytest.fixture
def small_disk() -> Iterator[None]:
    """No file may grow beyond 100 kB, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


async def _blocks() -> AsyncIterator[bytes]:
    for _ in range(5):
        yield b"x" * 50_000


async def test_full_disk_changes_nothing_and_says_so(tmp_path: Path, small_disk: None) -> None:
    objects = Objects(tmp_path)
    await objects.put("a/b", b"before")
    with pytest.raises(StorageFull):
        await objects.put("a/b", b"x" * 200_000)
    with pytest.raises(StorageFull):
        await objects.put_stream("a/b", _blocks())
    assert await objects.get("a/b") == b"before"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b"]


async def test_stream_that_breaks_off_leaves_no_half_object(tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"half"
        raise ConnectionResetError

    objects = Objects(tmp_path)
    with pytest.raises((ConnectionResetError, StorageFull)):
        await objects.put_stream("a", broken())
    with pytest.raises(NotFound):
        await objects.get("a")
    assert list(tmp_path.iterdir()) == []  # noqa: ASYNC240  the same


@pytest.mark.parametrize("name", ["../a", "/etc/passwd", "a//b", ".part-x", "a/../b", "a\x00", "", "a/"])
async def test_name_outside_the_directory_is_not_found(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotFound):
        await Objects(tmp_path).get(name)
    with pytest.raises(NotFound):
        await Objects(tmp_path).put(name, b"x")


def test_clock_set_back_never_yields_an_earlier_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, wall = Clock(), datetime(2026, 1, 1, tzinfo=UTC)
    seen = []
    for step in (0, 5, -3600, -3599, 1, 10):
        monkeypatch.setattr(clock, "_wall", lambda step=step: wall + timedelta(seconds=step))
        seen.append(clock.now())
    assert seen == sorted(seen)
    assert seen[-1] == wall + timedelta(seconds=10)


def test_ids_increase_strictly() -> None:
    ids = [new_id() for _ in range(20_000)]
    assert ids == sorted(set(ids))
    assert {one.version for one in ids} == {7}
