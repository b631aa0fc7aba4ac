"""Turns functions that build calls into methods of both clients.

An operation is written once, as a function from arguments to a `Call`. A group names it:

    class Keys[R](Group[R]):
        revoke = Operation(keys.revoke)

and `client.keys.revoke(key_id)` has the function's parameters, and the call's result: as such with
a `Client`, to be awaited with an `AsyncClient`.
"""

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from functools import wraps
from typing import Any, Self, overload

from bailee.client.aio import AsyncDownload, AsyncListing, AsyncRunner
from bailee.client.call import Call
from bailee.client.models.base import Page
from bailee.client.models.data import FileHead
from bailee.client.sync import Download, Listing, SyncRunner


class Group[R]:
    """Operations on one kind of thing; `runner` executes them."""

    def __init__(self, runner: R) -> None:
        self.runner = runner


def _bound[**P](build: Callable[P, Any], execute: Callable[[Any], Any]) -> Callable[P, Any]:
    @wraps(build)
    def method(*args: P.args, **kwargs: P.kwargs) -> Any:
        return execute(build(*args, **kwargs))

    return method


class Operation[**P, T]:
    """A method with one result."""

    def __init__(self, build: Callable[P, Call[T]]) -> None:
        self.build = build
        self.__doc__ = build.__doc__

    @overload
    def __get__(self, group: None, owner: type) -> Self: ...
    @overload
    def __get__(self, group: Group[SyncRunner], owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, group: Group[AsyncRunner], owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, group: Group[Any] | None, owner: type) -> Any:
        return self if group is None else _bound(self.build, group.runner.run)


class Paged[**P, T]:
    """A method whose result is a list, to be iterated over."""

    def __init__(self, build: Callable[P, Call[Page[T]]]) -> None:
        self.build = build
        self.__doc__ = build.__doc__

    @overload
    def __get__(self, group: None, owner: type) -> Self: ...
    @overload
    def __get__(self, group: Group[SyncRunner], owner: type) -> Callable[P, Listing[T]]: ...
    @overload
    def __get__(self, group: Group[AsyncRunner], owner: type) -> Callable[P, AsyncListing[T]]: ...
    def __get__(self, group: Group[Any] | None, owner: type) -> Any:
        return self if group is None else _bound(self.build, group.runner.listing)


class Batch[**P, T]:
    """A method that makes as many requests as its input needs, and yields their results."""

    def __init__(self, build: Callable[P, Iterator[Call[list[T]]]]) -> None:
        self.build = build
        self.__doc__ = build.__doc__

    @overload
    def __get__(self, group: None, owner: type) -> Self: ...
    @overload
    def __get__(self, group: Group[SyncRunner], owner: type) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(self, group: Group[AsyncRunner], owner: type) -> Callable[P, AsyncIterator[T]]: ...
    def __get__(self, group: Group[Any] | None, owner: type) -> Any:
        return self if group is None else _bound(self.build, group.runner.series)


class Streamed[**P]:
    """A method whose result is a context manager around a body that is still to be read."""

    def __init__(self, build: Callable[P, Call[FileHead]]) -> None:
        self.build = build
        self.__doc__ = build.__doc__

    @overload
    def __get__(self, group: None, owner: type) -> Self: ...
    @overload
    def __get__(self, group: Group[SyncRunner], owner: type) -> Callable[P, AbstractContextManager[Download]]: ...
    @overload
    def __get__(
        self, group: Group[AsyncRunner], owner: type
    ) -> Callable[P, AbstractAsyncContextManager[AsyncDownload]]: ...
    def __get__(self, group: Group[Any] | None, owner: type) -> Any:
        return self if group is None else _bound(self.build, group.runner.stream)
