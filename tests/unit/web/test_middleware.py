"""A body that does not come, and one that does."""

import asyncio
from typing import Any

import pytest

from bailee.web.middleware import RequestTimedOut, patient


async def test_body_that_does_not_come_ends_the_request() -> None:
    async def receive() -> Any:
        await asyncio.sleep(60)

    with pytest.raises(RequestTimedOut):
        await patient(receive, 0.01)()


async def test_after_the_body_the_end_of_the_connection_may_take_its_time() -> None:
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": b"a", "more_body": True},
        {"type": "http.request", "body": b"b", "more_body": False},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Any:
        if len(messages) == 1:
            await asyncio.sleep(0.05)
        return messages.pop(0)

    waiting = patient(receive, 0.01)
    assert [(await waiting())["type"] for _ in range(3)] == ["http.request", "http.request", "http.disconnect"]
