"""Identifiers: time-ordered UUIDs (RFC 9562, version 7) and the tenant's type."""

import os
import threading
import time
from typing import NewType
from uuid import UUID

TenantId = NewType("TenantId", UUID)
"""A tenant that the caller is entitled to act for. Only access control and the tenants room mint one."""

OPERATOR = TenantId(UUID(int=0))
"""Stands where a tenant would: the operator's own events carry it."""

_lock = threading.Lock()
_last = 0


def new_id() -> UUID:
    """A UUIDv7, strictly increasing within the process.

    RFC 9562 §6.2 method 3: the 12 bits after the millisecond carry its fraction, and a value that
    would not increase is raised by one instead.
    """
    global _last  # noqa: PLW0603  one counter a process is what makes the ids monotonic
    nanoseconds = time.time_ns()
    milliseconds, rest = divmod(nanoseconds, 1_000_000)
    stamp = (milliseconds << 12) | (rest << 12) // 1_000_000
    with _lock:
        _last = stamp = max(stamp, _last + 1)
    random = int.from_bytes(os.urandom(8)) & ((1 << 62) - 1)
    return UUID(int=(stamp >> 12) << 80 | 0x7 << 76 | (stamp & 0xFFF) << 64 | 0b10 << 62 | random)
