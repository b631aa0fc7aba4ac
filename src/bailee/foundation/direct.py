"""Writing large stretches past the page cache (O_DIRECT on Linux): no copy of them is kept in memory that nobody reads,
and what others have there stays. Where a file system cannot do that, they go through the cache as ever.
"""

import ctypes
import errno
import fcntl
import mmap
import os
import threading
from contextlib import suppress

ALIGNMENT = 4096
"""In bytes: what every common disk asks for, in files and in memory."""
_BUFFER = 1024 * 1024
_LEAST = 256 * 1024
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT = 32 * 1024 * 1024  # the most that older ones accept
_DIRECT: int = getattr(os, "O_DIRECT", 0)


class _Buffers(threading.local):
    """One for each thread, aligned; private, so that forked processes do not share it."""

    def __init__(self) -> None:
        self.buffer = mmap.mmap(-1, _BUFFER, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)


_buffers = _Buffers()


def pwrite_all(handle: int, content: memoryview, offset: int) -> None:
    """Writes all of `content` at `offset`. Raises OSError."""
    while content:
        count = os.pwrite(handle, content, offset)
        content, offset = content[count:], offset + count


def pwrite_direct(handle: int, content: memoryview, offset: int) -> None:
    """The same, with what is aligned of a large stretch going to the disk at once. Not durable before fsync.

    The handle is open for writing, and not shared. Raises OSError.
    """
    end = offset + len(content)
    first, last = -(-offset // ALIGNMENT) * ALIGNMENT, end // ALIGNMENT * ALIGNMENT
    if last - first < _LEAST or not _switch(handle, on=True):
        pwrite_all(handle, content, offset)
        return
    try:
        buffer = memoryview(_buffers.buffer)
        for at in range(first, last, _BUFFER):
            size = min(_BUFFER, last - at)
            buffer[:size] = content[at - offset : at - offset + size]
            pwrite_all(handle, buffer[:size], at)
    finally:
        _switch(handle, on=False)
    pwrite_all(handle, content[: first - offset], offset)
    pwrite_all(handle, content[last - offset :], last)


def reserve(handle: int, size: int) -> None:
    """Sets `size` bytes aside for an empty file that will be filled out of order: writers do not wait for each other
    then, and a disk that has too little room says so at once.

    Does nothing where the file system cannot; posix_fallocate would write zeros there. Raises OSError.
    """
    if not _DIRECT:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.fallocate(handle, 0, ctypes.c_int64(0), ctypes.c_int64(size)) == 0:
        return
    number = ctypes.get_errno()
    if number not in (errno.EOPNOTSUPP, errno.ENOSYS):
        os.ftruncate(handle, 0)  # what could be had of it is given back
        raise OSError(number, os.strerror(number))


def keep_memory() -> None:
    """Has this process keep what it frees of large buffers for the next ones (glibc): the kernel need not hand out and
    clear the same megabytes over and over.
    """
    with suppress(AttributeError):
        libc = ctypes.CDLL(None)
        for option in (_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD):
            libc.mallopt(option, _KEPT)


def _switch(handle: int, *, on: bool) -> bool:
    """Whether the file system can do it."""
    if not _DIRECT:
        return False
    flags = fcntl.fcntl(handle, fcntl.F_GETFL)
    try:
        fcntl.fcntl(handle, fcntl.F_SETFL, flags | _DIRECT if on else flags & ~_DIRECT)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return False
    return True
