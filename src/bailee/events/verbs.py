"""Verbs: the acts that change things.

Each one declares its event, and cannot succeed without recording it; and its permission, without which nobody gets
as far as its first line. The catalogue of permissions is derived from these declarations.
"""

import functools
from collections.abc import Awaitable, Callable, Iterator
from types import ModuleType
from typing import Concatenate, Protocol, cast

import msgspec

from bailee.events.catalogue import Details
from bailee.foundation.database import Writer
from bailee.foundation.principal import Principal

ANYONE = "anyone"
"""In place of a permission: open to whoever holds what the verb itself examines, such as a one-time link."""
OWN = "own account"
"""In place of a permission: whoever is signed in, about their own account and session."""
SYSTEM = "the system"
"""In place of a permission: Bailee itself, in a job or at its start."""
WITHIN = "another verb"
"""In place of a permission: a part that several verbs share, each of which has asked for its own permission."""
PLACES = frozenset({ANYONE, OWN, SYSTEM, WITHIN})


class VerbSpec(msgspec.Struct, frozen=True):
    """What a verb has declared: its qualified name, the actions of which it records at least one, its permission,
    whether a person has to have shown a second factor within the last minutes, and whether what it does outlasts an
    elevation, so that what somebody was lent does not permit it.
    """

    name: str
    actions: frozenset[str]
    permission: str
    step_up: bool = False
    lasting: bool = False

    def authorise(self, by: Principal) -> None:
        """Raises Unauthenticated, Forbidden, LentOnly or StepUpRequired."""
        if self.permission == OWN:
            by.require_session()
        elif self.permission == SYSTEM:
            by.require(Principal.EVERYTHING)
        elif self.permission not in PLACES and self.lasting:
            by.require_standing(self.permission)
        elif self.permission not in PLACES:
            by.require(self.permission)
        if self.step_up:
            by.require_step_up()


class UnrecordedVerb(AssertionError):
    """A verb changed something and recorded none of its events: the transaction must not commit."""


class _Verb(Protocol):
    __verb__: VerbSpec


def verb[S, W: Writer, **P, R](
    *events: type[Details], permission: str, step_up: bool = False, lasting: bool = False
) -> Callable[[Callable[Concatenate[S, W, P], Awaitable[R]]], Callable[Concatenate[S, W, P], Awaitable[R]]]:
    """Marks a service's method `(self, tx, …, *, by)` as a verb: `by` holds `permission`, `tx` gets one of `events`."""
    actions = frozenset(kind.action for kind in events)

    def mark(
        method: Callable[Concatenate[S, W, P], Awaitable[R]],
    ) -> Callable[Concatenate[S, W, P], Awaitable[R]]:
        spec = VerbSpec(method.__qualname__, actions, permission, step_up, lasting)

        @functools.wraps(method)
        async def run(self: S, tx: W, /, *args: P.args, **kwargs: P.kwargs) -> R:
            spec.authorise(cast("Principal", kwargs["by"]))
            before = len(tx.recorded)
            result = await method(self, tx, *args, **kwargs)
            if actions.isdisjoint(tx.recorded[before:]):
                raise UnrecordedVerb(f"{method.__qualname__} recorded none of {sorted(actions)}")
            return result

        cast("_Verb", run).__verb__ = spec
        return run

    return mark


def spec_of(method: object) -> VerbSpec:
    """What a verb has declared. Raises TypeError for a method that is none."""
    spec = getattr(method, "__verb__", None)
    if not isinstance(spec, VerbSpec):
        raise TypeError(f"{method!r} is not a verb")
    return spec


def find_verbs(module: ModuleType) -> Iterator[VerbSpec]:
    """The verbs of the services that a module defines."""
    for service in vars(module).values():
        if isinstance(service, type) and service.__module__ == module.__name__:
            for method in vars(service).values():
                spec = getattr(method, "__verb__", None)
                if isinstance(spec, VerbSpec):
                    yield spec
