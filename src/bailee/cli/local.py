"""The services of this machine's Bailee, for commands that act on it without the API."""

import asyncio
from collections.abc import Awaitable, Callable

from bailee.assembly import Services, open_services
from bailee.cli.context import settings
from bailee.foundation.logs import configure_logs


def with_services[T](work: Callable[[Services], Awaitable[T]]) -> T:
    """What `work` answers, on services that are open while it runs."""
    here = settings()
    configure_logs("cli", here.logs.level, here.data / "logs")

    async def run() -> T:
        async with open_services(here) as services:
            return await work(services)

    return asyncio.run(run())
