"""The two clients: the same surface, blocking and asynchronous."""

import os
from types import TracebackType
from typing import Self, override

import httpx2

from bailee.client.aio import AsyncRunner
from bailee.client.connection import Connection
from bailee.client.groups import Surface
from bailee.client.sync import SyncRunner


class Client(Surface[SyncRunner]):
    """A client that blocks; it may be shared between threads. Close it, or use it in a `with` block.

    `base_url` starts with https://, and certificates are always verified; `ca_file` (PEM) adds an
    authority to the system's. `token` is an API key or the token of a staff session; None serves
    to sign in. `timeout` in seconds holds for each step: connecting, sending, and each pause in
    the answer. A request that failed for a passing reason (no connection, 429, 502, 503, 504) is
    repeated up to `retries` times where that is safe. `transport` replaces the network in tests.

    Methods raise ApiError when the server refuses, ConnectionFailed when it cannot be reached, and
    ValueError for arguments that cannot be sent. Raises ValueError for unusable settings, OSError
    (ssl.SSLError) when `ca_file` cannot be read.
    """

    def __init__(
        self,
        base_url: str,
        token: str | None = None,
        *,
        ca_file: str | os.PathLike[str] | None = None,
        timeout: float = 30.0,
        retries: int = 4,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        super().__init__(SyncRunner(Connection(base_url, token, ca_file, timeout, retries), transport))

    @override
    def __repr__(self) -> str:
        return f"Client({self.runner.connection.base_url!r})"

    def close(self) -> None:
        """Close the connections."""
        self.runner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class AsyncClient(Surface[AsyncRunner]):
    """A client for asyncio, to use on one event loop; otherwise as `Client`."""

    def __init__(
        self,
        base_url: str,
        token: str | None = None,
        *,
        ca_file: str | os.PathLike[str] | None = None,
        timeout: float = 30.0,
        retries: int = 4,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        super().__init__(AsyncRunner(Connection(base_url, token, ca_file, timeout, retries), transport))

    @override
    def __repr__(self) -> str:
        return f"AsyncClient({self.runner.connection.base_url!r})"

    async def close(self) -> None:
        """Close the connections."""
        await self.runner.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()
