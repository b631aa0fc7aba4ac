"""What a check is: an async function that tries whether a measure holds, and says what it saw."""

import inspect
from collections.abc import Awaitable, Callable
from datetime import timedelta
from enum import StrEnum
from types import ModuleType
from typing import Any, Protocol, cast

import msgspec

from bailee.foundation.errors import ConfigurationError


class Verdict(StrEnum):
    """What a check may find. `unknown` is given by the runner alone: the check failed to run."""

    HOLDS = "holds"
    ATTENTION = "attention"
    BROKEN = "broken"
    UNKNOWN = "unknown"


type Fact = str | int | bool | list[str] | None
type Facts = dict[str, Fact]


class Finding(msgspec.Struct, frozen=True):
    """A verdict with its reason, and the facts behind it: counts, names, versions; no content."""

    verdict: Verdict
    summary: str
    facts: Facts = {}


class Check(msgspec.Struct, frozen=True):
    """A check, ready to run."""

    name: str
    measure: str
    every: timedelta
    run: Callable[[], Awaitable[Finding]]
    description: str


class CheckSpec(msgspec.Struct, frozen=True):
    """What the decorator notes on a function."""

    name: str
    measure: str
    every: timedelta


class _Checking(Protocol):
    __check__: CheckSpec


type CheckFunction = Callable[..., Awaitable[Finding]]


def check(name: str, *, measure: str, every: timedelta) -> Callable[[CheckFunction], CheckFunction]:
    """Makes a function a check. What it needs it names as keyword parameters by type; the composition provides them."""

    def mark(function: CheckFunction) -> CheckFunction:
        cast("_Checking", function).__check__ = CheckSpec(name, measure, every)
        return function

    return mark


def bind_checks(modules: list[ModuleType], available: list[object]) -> list[Check]:
    """The checks that modules define, each with what it needs. Raises ConfigurationError for a need nobody meets."""
    found = []
    for module in modules:
        for function in vars(module).values():
            spec = getattr(function, "__check__", None)
            if isinstance(spec, CheckSpec):
                found.append(_bind(function, spec, available))
    names = [one.name for one in found]
    if len(set(names)) != len(names):
        raise ConfigurationError(f"Two checks share a name: {sorted(names)}.")
    return found


def _bind(function: CheckFunction, spec: CheckSpec, available: list[object]) -> Check:
    needs: dict[str, Any] = {}
    for name, parameter in inspect.signature(function, eval_str=True).parameters.items():
        matches = [one for one in available if isinstance(one, parameter.annotation)]
        if len(matches) != 1:
            needed = parameter.annotation.__name__
            raise ConfigurationError(f"The check {spec.name} needs one {needed}; {len(matches)} are there.")
        needs[name] = matches[0]

    async def run() -> Finding:
        return await function(**needs)

    return Check(spec.name, spec.measure, spec.every, run, inspect.getdoc(function) or "")
