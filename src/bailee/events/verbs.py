"""Verbs: the acts that change things. Each one declares its event, and cannot succeed without recording it."""

import functools
from collections.abc import Awaitable, Callable, Iterator
from types import ModuleType
from typing import Concatenate, Protocol, cast

import msgspec

from bailee.events.catalogue import Details
from bailee.foundation.database import Writer


class VerbSpec(msgspec.Struct, frozen=True):
    """What a verb has declared: its qualified name and the actions of which it records at least one."""

    name: str
    actions: frozenset[str]


class UnrecordedVerb(AssertionError):
    """A verb changed something and recorded none of its events: the transaction must not commit."""


class _Verb(Protocol):
    __verb__: VerbSpec


def verb[S, W: Writer, **P, R](
    *events: type[Details],
) -> Callable[[Callable[Concatenate[S, W, P], Awaitable[R]]], Callable[Concatenate[S, W, P], Awaitable[R]]]:
    """Marks a service's method `(self, tx, …)` as a verb that records one of `events` in `tx`."""
    actions = frozenset(kind.action for kind in events)

    def mark(
        method: Callable[Concatenate[S, W, P], Awaitable[R]],
    ) -> Callable[Concatenate[S, W, P], Awaitable[R]]:
        @functools.wraps(method)
        async def run(self: S, tx: W, /, *args: P.args, **kwargs: P.kwargs) -> R:
            before = len(tx.recorded)
            result = await method(self, tx, *args, **kwargs)
            if actions.isdisjoint(tx.recorded[before:]):
                raise UnrecordedVerb(f"{method.__qualname__} recorded none of {sorted(actions)}")
            return result

        cast("_Verb", run).__verb__ = VerbSpec(method.__qualname__, actions)
        return run

    return mark


def find_verbs(module: ModuleType) -> Iterator[VerbSpec]:
    """The verbs of the services that a module defines."""
    for service in vars(module).values():
        if isinstance(service, type) and service.__module__ == module.__name__:
            for method in vars(service).values():
                spec = getattr(method, "__verb__", None)
                if isinstance(spec, VerbSpec):
                    yield spec
