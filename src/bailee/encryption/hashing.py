"""Password hashing: Argon2id (RFC 9106), in a bounded pool off the event loop."""

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import argon2

from bailee.foundation.errors import Unavailable
from bailee.foundation.secrets import Secret

_WAITING = 64
_NICENESS = 10
_FLOOR = (19 * 1024, 2)
"""OWASP's floor: KiB of memory and passes, with one lane."""


class PasswordHasher:
    """Argon2id. At most `threads` hash at once, by default on half of the cores, and 64 more wait: a flood of
    sign-ins is answered with Unavailable before it takes the machine. The threads yield the processor to others.

    `parameters` is how a hash of today's begins in its PHC string.
    """

    # Milliseconds for one hash on two shared cores (3 × 12 runs each: median, slowest), with t = 2 and p = 1:
    # 19 MiB 27, 44 · 32 MiB 68, 79 · 46 MiB 102, 121 · 64 MiB 145, 167. A sign-in may cost 80, so it is 32 MiB.
    MEMORY_KIB: ClassVar[int] = 32 * 1024
    PASSES: ClassVar[int] = 2

    def __init__(self, threads: int | None = None, *, memory_cost: int = MEMORY_KIB, time_cost: int = PASSES) -> None:
        """`memory_cost` in KiB. Raises ValueError below OWASP's floor (19 MiB, 2 passes)."""
        if memory_cost < _FLOOR[0] or time_cost < _FLOOR[1]:
            raise ValueError("Argon2id takes at least 19456 KiB and 2 passes")
        threads = threads or max(1, len(os.sched_getaffinity(0)) // 2)
        self.parameters = f"$argon2id$v=19$m={memory_cost},t={time_cost},p=1$"
        self._hasher = argon2.PasswordHasher(time_cost=time_cost, memory_cost=memory_cost, parallelism=1)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="argon2", initializer=_yield_to_others)
        self._places = threads + _WAITING
        # What an unknown account is compared with, so that it takes the same time.
        self._nobody = self._hasher.hash("nobody has this password")

    async def hash(self, password: Secret) -> str:
        """The PHC string to store."""
        return await self.run(lambda: self._hasher.hash(password.reveal()))

    async def verify(self, stored: str | None, password: Secret) -> bool:
        """Whether it is the password. Without a stored hash the answer is no, after the same work."""

        def check() -> bool:
            try:
                self._hasher.verify(stored or self._nobody, password.reveal())
            except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
                return False
            return stored is not None

        return await self.run(check)

    def is_outdated(self, stored: str) -> bool:
        """Whether it was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(stored)

    async def run[T](self, work: Callable[[], T]) -> T:
        """Other heavy work on a password, such as judging its strength, within the same bounds. Raises Unavailable."""
        if self._places <= 0:
            raise Unavailable("Too many sign-ins at once. Try again in a moment.")
        self._places -= 1
        done = self._pool.submit(work)
        # The place is free when the work is: a caller who goes away does not take his work out of the pool.
        loop = asyncio.get_running_loop()
        done.add_done_callback(lambda _: _tell(loop, self._leave))
        return await asyncio.wrap_future(done)

    def _leave(self) -> None:
        self._places += 1

    def close(self) -> None:
        """Ends the pool when what it holds is done; it takes nothing more."""
        self._pool.shutdown(wait=False)


def _tell(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody counts places any more
        loop.call_soon_threadsafe(call)


def _yield_to_others() -> None:
    """On Linux a priority is a thread's own: those who wait for a hash must not slow down those who do not."""
    thread = threading.get_native_id()
    with contextlib.suppress(OSError):  # not permitted here: slower for others, and right all the same
        os.setpriority(os.PRIO_PROCESS, thread, max(_NICENESS, os.getpriority(os.PRIO_PROCESS, thread)))
