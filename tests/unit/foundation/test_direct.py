"""What goes past the page cache is what was given, wherever it begins and ends, and whoever writes beside it."""

import errno
import multiprocessing
import os
import random
from pathlib import Path

import pytest

from bailee.foundation.direct import ALIGNMENT, pwrite_direct, reserve

_MEGABYTE = 1024 * 1024


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


@pytest.mark.parametrize("offset", [0, 1, 512, ALIGNMENT - 1, ALIGNMENT, 3 * _MEGABYTE + 512])
@pytest.mark.parametrize("size", [0, 1, ALIGNMENT, 256 * 1024, 256 * 1024 + ALIGNMENT, _MEGABYTE, 3 * _MEGABYTE + 77])
def test_any_stretch_is_written_where_it_belongs(tmp_path: Path, offset: int, size: int) -> None:
    before, content = os.urandom(5 * _MEGABYTE), os.urandom(size)
    (tmp_path / "f").write_bytes(before)
    handle = _open(tmp_path / "f")
    try:
        pwrite_direct(handle, memoryview(content), offset)
    finally:
        os.close(handle)
    expected = bytearray(before.ljust(offset + size, b"\0"))
    expected[offset : offset + size] = content
    assert (tmp_path / "f").read_bytes() == bytes(expected)


def test_processes_that_write_side_by_side_do_not_touch_each_other(tmp_path: Path) -> None:
    content = os.urandom(24 * _MEGABYTE)
    cuts = sorted(random.Random(7).sample(range(0, len(content), 512), 11))
    stretches = list(zip([0, *cuts], [*cuts, len(content)], strict=True))
    context = multiprocessing.get_context("fork")

    def share(first: int) -> None:
        for low, high in stretches[first::2]:
            handle = _open(tmp_path / "f")
            pwrite_direct(handle, memoryview(content)[low:high], low)
            os.close(handle)

    _warm(tmp_path)  # what the parent has is not to be shared
    processes = [context.Process(target=share, args=(first,)) for first in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert (tmp_path / "f").read_bytes() == content


def _warm(place: Path) -> None:
    handle = _open(place / "warm")
    pwrite_direct(handle, memoryview(bytes(_MEGABYTE)), 0)
    os.close(handle)


def test_file_system_in_memory_takes_it_too() -> None:
    path = Path("/dev/shm") / f"bailee-direct-{os.getpid()}"  # noqa: S108  memory on purpose
    handle = _open(path)
    try:
        pwrite_direct(handle, memoryview(b"x" * _MEGABYTE), 3)
        assert path.read_bytes() == b"\0" * 3 + b"x" * _MEGABYTE
    finally:
        os.close(handle)
        path.unlink()


def test_reserved_room_is_empty_and_there(tmp_path: Path) -> None:
    handle = _open(tmp_path / "f")
    try:
        reserve(handle, 3 * _MEGABYTE + 5)
        pwrite_direct(handle, memoryview(b"y" * _MEGABYTE), _MEGABYTE)
        found = os.fstat(handle)
    finally:
        os.close(handle)
    content = (tmp_path / "f").read_bytes()
    assert content == bytes(_MEGABYTE) + b"y" * _MEGABYTE + bytes(_MEGABYTE + 5)
    assert found.st_blocks * 512 >= len(content)


def test_room_that_cannot_be_had_is_refused_at_once_and_none_is_kept(tmp_path: Path) -> None:
    handle = _open(tmp_path / "f")
    try:
        with pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
            reserve(handle, 2**63 - 1)
        assert os.fstat(handle).st_blocks == 0
    finally:
        os.close(handle)
