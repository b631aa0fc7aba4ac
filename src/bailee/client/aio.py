"""The asyncio side: executes calls with httpx2.AsyncClient. `sync` is its model, step by step."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, nullcontext

import httpx2

from bailee.client.answers import failure
from bailee.client.bodies import CHUNK, Body
from bailee.client.call import Call
from bailee.client.connection import DEFAULT_HEADERS, Connection, connecting, quiet_log
from bailee.client.errors import BaileeError
from bailee.client.models.base import Page
from bailee.client.models.data import FileHead
from bailee.client.retry import Attempts


class AsyncRunner:
    """Executes calls, with retries; any number at a time, on one event loop."""

    def __init__(self, connection: Connection, transport: httpx2.AsyncBaseTransport | None) -> None:
        self.connection = connection
        self.sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
        self._http = httpx2.AsyncClient(
            auth=connection.auth,
            headers=DEFAULT_HEADERS,
            timeout=connection.timeout,
            verify=connection.tls(),
            transport=transport,
        )
        self._open = AsyncExitStack()
        self._open.enter_context(quiet_log(connection.base_url))
        self._open.push_async_callback(self._http.aclose)

    async def close(self) -> None:
        await self._open.aclose()

    async def run[T](self, call: Call[T]) -> T:
        """The result of the call, or of the last of those that follow it."""
        result = await self.once(call)
        while (following := call.follow(result)) is not None:
            call, result = following, await self.once(following)
        return result

    async def once[T](self, call: Call[T]) -> T:
        """The result of this call alone."""
        with call.sink or nullcontext():
            return await self._retried(call, lambda: self._attempt(call))

    def listing[T](self, call: Call[Page[T]]) -> "AsyncListing[T]":
        return AsyncListing(self, call)

    async def series[T](self, calls: Iterable[Call[list[T]]]) -> AsyncIterator[T]:
        """The results of all calls, each made when its first result is asked for."""
        for call in calls:
            for result in await self.once(call):
                yield result

    @asynccontextmanager
    async def stream(self, call: Call[FileHead]) -> AsyncIterator["AsyncDownload"]:
        """A response whose body is read by the caller."""
        async with aclosing(await self._retried(call, lambda: self._start(call))) as response:
            yield AsyncDownload(self.connection.base_url, call.parse(response), response)

    async def _retried[T, R](self, call: Call[T], attempt: Callable[[], Awaitable[R]]) -> R:
        attempts = Attempts(repeatable=call.repeatable, retries=self.connection.retries)
        while True:
            try:
                return await attempt()
            except BaileeError as error:
                delay = attempts.delay_after(error)
                if delay is None:
                    raise
            await self.sleep(delay)

    async def _attempt[T](self, call: Call[T]) -> T:
        with connecting(self.connection.base_url):
            async with aclosing(await self._start(call)) as response:
                if call.sink is None:
                    await response.aread()
                else:
                    call.sink.begin(response)
                    async for chunk in response.aiter_bytes():
                        await asyncio.to_thread(call.sink.write, chunk)
                    await asyncio.to_thread(call.sink.commit)
                return call.parse(response)

    async def _start[T](self, call: Call[T]) -> httpx2.Response:
        """The head of a success; the body is not read yet."""
        content = call.body if isinstance(call.body, bytes | None) else _chunks(call.body)
        url = self.connection.url(call.target)
        with connecting(self.connection.base_url):
            request = self._http.build_request(call.method, url, headers=call.request_headers(), content=content)
            response = await self._http.send(request, stream=True)
            if response.is_success:
                return response
            async with aclosing(response):
                await response.aread()
        raise failure(response)


async def _chunks(body: Body) -> AsyncIterator[bytes]:
    """The body, piece by piece, read in a thread: disks block."""
    with body.open() as file:
        while chunk := await asyncio.to_thread(file.read, CHUNK):
            yield chunk


class AsyncListing[T]:
    """All items of a list, fetched page by page while they are consumed. Each iteration starts anew."""

    def __init__(self, runner: AsyncRunner, call: Call[Page[T]]) -> None:
        self._runner = runner
        self._call = call

    async def pages(self) -> AsyncGenerator[Page[T]]:
        """The pages, with their cursors."""
        call: Call[Page[T]] | None = self._call
        while call is not None:
            page = await self._runner.once(call)
            yield page
            call = call.follow(page)

    async def __aiter__(self) -> AsyncIterator[T]:
        async with aclosing(self.pages()) as pages:
            async for page in pages:
                for item in page.items:
                    yield item


class AsyncDownload:
    """A file as it arrives: iterate over its chunks once, or `read` it whole."""

    def __init__(self, base_url: str, head: FileHead, response: httpx2.Response) -> None:
        self.head = head
        self._base_url = base_url
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with connecting(self._base_url):
            async for chunk in self._response.aiter_bytes():
                yield chunk

    async def read(self) -> bytes:
        return b"".join([chunk async for chunk in self])
