"""Who is looked at when a check cannot look at everybody in one run: all of them, in turn."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def turn_of(now: datetime, every: timedelta) -> int:
    """The number of the run, counted from a fixed moment."""
    return (now - _EPOCH) // every


def in_turn[T](everybody: Sequence[T], count: int, turn: int) -> list[T]:
    """The `count` whose turn it is; within `len(everybody) / count` turns, rounded up, everybody has had one."""
    if len(everybody) <= count:
        return list(everybody)
    start = turn * count % len(everybody)
    return [*everybody[start : start + count], *everybody[: max(0, start + count - len(everybody))]]
