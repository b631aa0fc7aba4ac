"""Password hashing: Argon2id (RFC 9106), in a bounded pool off the event loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import argon2

from bailee.foundation.errors import Unavailable
from bailee.foundation.secrets import Secret

_WAITING = 64


class PasswordHasher:
    """Argon2id, m = 19 MiB, t = 2, p = 1 (OWASP's floor). At most `threads` hash at once and 64 wait:
    a flood of sign-ins is answered with Unavailable before it takes the machine.
    """

    def __init__(self, threads: int = 2) -> None:
        self._hasher = argon2.PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="argon2")
        self._places = threads + _WAITING
        # What an unknown account is compared with, so that it takes the same time.
        self._nobody = self._hasher.hash("nobody has this password")

    async def hash(self, password: Secret) -> str:
        """The PHC string to store."""
        return await self._run(lambda: self._hasher.hash(password.reveal()))

    async def verify(self, stored: str | None, password: Secret) -> bool:
        """Whether it is the password. Without a stored hash the answer is no, after the same work."""

        def check() -> bool:
            try:
                self._hasher.verify(stored or self._nobody, password.reveal())
            except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
                return False
            return stored is not None

        return await self._run(check)

    def is_outdated(self, stored: str) -> bool:
        """Whether it was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(stored)

    async def _run[T](self, work: Callable[[], T]) -> T:
        if self._places <= 0:
            raise Unavailable("Too many sign-ins at once. Try again in a moment.")
        self._places -= 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._places += 1

    def close(self) -> None:
        self._pool.shutdown(wait=False)
