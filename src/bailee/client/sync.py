"""The blocking side: executes calls with httpx2.Client."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext

import httpx2

from bailee.client.answers import failure
from bailee.client.bodies import chunks
from bailee.client.call import Call
from bailee.client.connection import DEFAULT_HEADERS, Connection, connecting, quiet_log
from bailee.client.errors import BaileeError
from bailee.client.models.base import Page
from bailee.client.models.data import FileHead
from bailee.client.retry import Attempts


class SyncRunner:
    """Executes calls one at a time, with retries; safe to share between threads."""

    def __init__(self, connection: Connection, transport: httpx2.BaseTransport | None) -> None:
        self.connection = connection
        self.sleep: Callable[[float], None] = time.sleep
        self._http = httpx2.Client(
            auth=connection.auth,
            headers=DEFAULT_HEADERS,
            timeout=connection.timeout,
            verify=connection.tls(),
            transport=transport,
        )
        self._open = ExitStack()
        self._open.enter_context(quiet_log(connection.base_url))
        self._open.enter_context(self._http)

    def close(self) -> None:
        self._open.close()

    def run[T](self, call: Call[T]) -> T:
        """The result of the call, or of the last of those that follow it."""
        result = self.once(call)
        while (following := call.follow(result)) is not None:
            call, result = following, self.once(following)
        return result

    def once[T](self, call: Call[T]) -> T:
        """The result of this call alone."""
        with call.sink or nullcontext():
            return self._retried(call, lambda: self._attempt(call))

    def listing[T](self, call: Call[Page[T]]) -> "Listing[T]":
        return Listing(self, call)

    def series[T](self, calls: Iterable[Call[list[T]]]) -> Iterator[T]:
        """The results of all calls, each made when its first result is asked for."""
        for call in calls:
            yield from self.once(call)

    @contextmanager
    def stream(self, call: Call[FileHead]) -> Iterator["Download"]:
        """A response whose body is read by the caller."""
        with closing(self._retried(call, lambda: self._start(call))) as response:
            yield Download(self.connection.base_url, call.parse(response), response)

    def _retried[T, R](self, call: Call[T], attempt: Callable[[], R]) -> R:
        attempts = Attempts(repeatable=call.repeatable, retries=self.connection.retries)
        while True:
            try:
                return attempt()
            except BaileeError as error:
                delay = attempts.delay_after(error)
                if delay is None:
                    raise
            self.sleep(delay)

    def _attempt[T](self, call: Call[T]) -> T:
        with connecting(self.connection.base_url), closing(self._start(call)) as response:
            if call.sink is None:
                response.read()
            else:
                call.sink.begin(response)
                for chunk in response.iter_bytes():
                    call.sink.write(chunk)
                call.sink.commit()
            return call.parse(response)

    def _start[T](self, call: Call[T]) -> httpx2.Response:
        """The head of a success; the body is not read yet."""
        content = call.body if isinstance(call.body, bytes | None) else chunks(call.body)
        url = self.connection.url(call.target)
        with connecting(self.connection.base_url):
            request = self._http.build_request(call.method, url, headers=call.request_headers(), content=content)
            response = self._http.send(request, stream=True)
            if response.is_success:
                return response
            with closing(response):
                response.read()
        raise failure(response)


class Listing[T]:
    """All items of a list, fetched page by page while they are consumed. Each iteration starts anew."""

    def __init__(self, runner: SyncRunner, call: Call[Page[T]]) -> None:
        self._runner = runner
        self._call = call

    def pages(self) -> Iterator[Page[T]]:
        """The pages, with their cursors."""
        call: Call[Page[T]] | None = self._call
        while call is not None:
            page = self._runner.once(call)
            yield page
            call = call.follow(page)

    def __iter__(self) -> Iterator[T]:
        for page in self.pages():
            yield from page.items


class Download:
    """A file as it arrives: iterate over its chunks once, or `read` it whole."""

    def __init__(self, base_url: str, head: FileHead, response: httpx2.Response) -> None:
        self.head = head
        self._base_url = base_url
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        with connecting(self._base_url):
            yield from self._response.iter_bytes()

    def read(self) -> bytes:
        return b"".join(self)
