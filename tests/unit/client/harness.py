"""A scripted server, and one way to drive both clients: each test runs against each of them."""

import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, override

import httpx2

from bailee.client import AsyncClient, Client

BASE_URL = "https://bailee.test"
TOKEN = "bailee_do-not-print-me"

type Answer = httpx2.Response | Exception | Callable[[httpx2.Request], httpx2.Response]


class Script:
    """Gives its answers in turn, and keeps the requests."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)
        self.requests: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        assert self._answers, f"the client asks once too often: {request.method} {request.url}"
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return _fresh(answer) if isinstance(answer, httpx2.Response) else answer(request)

    @property
    def spent(self) -> bool:
        return not self._answers

    def header(self, name: str) -> list[str | None]:
        """What each request said in one header."""
        return [request.headers.get(name) for request in self.requests]


def _fresh(answer: httpx2.Response) -> httpx2.Response:
    """A copy, since a response can be read once, and parametrised tests share theirs."""
    if isinstance(answer.stream, Broken):
        return httpx2.Response(answer.status_code, headers=answer.headers, stream=answer.stream)
    return httpx2.Response(answer.status_code, headers=answer.headers, content=answer.content)


class Rig:
    """One client of either kind in front of a script. It does not sleep: it notes for how long it would."""

    def __init__(self, kind: str, *answers: Answer, retries: int = 4) -> None:
        self.script = Script(*answers)
        self.slept: list[float] = []
        transport = httpx2.MockTransport(self.script)
        self.client: Any
        if kind == "blocking":
            self.client = Client(BASE_URL, TOKEN, transport=transport, retries=retries)
            self.client.runner.sleep = self.slept.append
        else:
            self.client = AsyncClient(BASE_URL, TOKEN, transport=transport, retries=retries)
            self.client.runner.sleep = self._sleep

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    async def one(self, result: Any) -> Any:
        """The result of a method."""
        return await result if inspect.isawaitable(result) else result

    async def every(self, results: Any) -> list[Any]:
        """All that an iteration yields."""
        if hasattr(results, "__aiter__"):
            return [result async for result in results]
        return list(results)

    async def streamed(self, download: Any) -> tuple[Any, bytes]:
        """The head and the content of a download."""
        if hasattr(download, "__aenter__"):
            async with download as stream:
                return stream.head, await stream.read()
        with download as stream:
            return stream.head, stream.read()

    async def close(self) -> None:
        await self.one(self.client.close())


class Broken(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """A body whose connection breaks after some of it."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    @override
    def __iter__(self) -> Iterator[bytes]:
        yield self._content
        raise httpx2.ReadError("connection reset")

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._content
        raise httpx2.ReadError("connection reset")


def problem(status: int, code: str, *, headers: dict[str, str] | None = None, **members: Any) -> httpx2.Response:
    """A problem document as the server writes it."""
    document = {
        "type": f"https://bailee.invalid/problems/{code}",
        "title": "It cannot be done",
        "status": status,
        "detail": "Do it differently.",
        "code": code,
        "request_id": "req-1",
    }
    content_type = {"Content-Type": "application/problem+json"}
    return httpx2.Response(status, json=document | members, headers=content_type | (headers or {}))


def record(record_id: str = "0190", **members: Any) -> dict[str, Any]:
    times = {"created_at": "2026-01-02T03:04:05Z", "updated_at": "2026-01-02T03:04:05.678901Z"}
    return {"id": record_id, "version": 1, "subject": "ada", "data": {"email": "ada@example.org"}} | times | members
