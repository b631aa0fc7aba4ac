"""Correlations: counts, distinct values and sequences of matches within a moving window (Sigma 2 correlations).

A window ends with the event at hand and reaches back by the rule's timespan, both ends included. Events without one
of the fields that a rule groups by have no part in it. Each event that completes a window is told, with the newest of
what stands in it; to tell an alert once is the alerts' business, not the window's.

Memory is bounded: quiet groups are forgotten, past a number of groups those go first that were quiet longest, and a
window that is full lets its oldest go.
"""

import math
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from typing import Any

import msgspec

from bailee.monitoring.sigma.matching import Fields

MAX_GROUPS = 100_000
"""Groups of one rule at a time."""
MAX_WINDOW = 10_000
"""Matches of one group in its window: a count goes no higher."""
EVIDENCE = 100
"""Events that a window names: the newest."""

type Aliases = dict[str, str]
"""For one of the rules: the field that stands behind a name of `group-by`."""
type Operator = Callable[[float, float], bool]

OPERATORS: dict[str, Operator] = {
    "lt": lambda metric, limit: metric < limit,
    "lte": lambda metric, limit: metric <= limit,
    "gt": lambda metric, limit: metric > limit,
    "gte": lambda metric, limit: metric >= limit,
    "eq": lambda metric, limit: metric == limit,
    "neq": lambda metric, limit: metric != limit,
}


class Window(msgspec.Struct, frozen=True):
    """A window that meets its rule's condition: group, bounds as Unix seconds, metric, and the newest events."""

    group: tuple[Any, ...]
    start: float
    end: float
    metric: float
    event_ids: list[str]


class _Hit(msgspec.Struct, frozen=True):
    """One match: when, which event, which of the rules by its place, and what is counted: event, value or rule."""

    time: float
    event_id: str
    slot: int
    counted: Hashable


class _Group:
    """What stands in one window, with its counts kept as it moves."""

    __slots__ = ("counts", "hits", "total")

    def __init__(self) -> None:
        self.hits: deque[_Hit] = deque()
        self.counts: dict[Hashable, int] = {}
        """How often each thing stands in the window that the measure tells apart: events, values or rules."""
        self.total = 0.0

    def add(self, hit: _Hit) -> None:
        self.hits.append(hit)
        counted = hit.counted
        if counted is not None:
            self.counts[counted] = self.counts.get(counted, 0) + 1
            self.total += _amount(counted)

    def drop(self) -> None:
        """Lets the oldest go."""
        counted = self.hits.popleft().counted
        if counted is not None:
            left = self.counts[counted] - 1
            if left:
                self.counts[counted] = left
            else:
                del self.counts[counted]
            self.total -= _amount(counted)

    def newest(self) -> list[str]:
        """The newest events, oldest of them first."""
        found: dict[str, None] = {}
        for hit in reversed(self.hits):
            found[hit.event_id] = None
            if len(found) == EVIDENCE:
                break
        return list(reversed(found))


class Correlator:
    """The state of one correlation rule."""

    def __init__(
        self, kind: str, *, slots: int, group_by: list[str], seconds: float, holds: Operator, limit: float,
        field: str | None, aliases: list[Aliases],
    ) -> None:  # fmt: skip
        self.seconds = seconds
        self._measure = MEASURES[kind]
        self._by_event = kind == "event_count"
        self._slots = slots
        self._holds = holds
        self._limit = limit
        field = field if kind.startswith("value_") else None
        self._names = [
            ([names.get(name, name) for name in group_by], names.get(field, field) if field else None)
            for names in aliases
        ]
        """For each rule: the fields that it groups by, and the one that is measured."""
        self._groups: OrderedDict[tuple[Hashable, ...], _Group] = OrderedDict()
        self._swept = 0.0

    def __len__(self) -> int:
        """Groups that are remembered."""
        return len(self._groups)

    def feed(self, slot: int, event_id: str, time: float, fields: Fields) -> Window | None:
        """Adds a match of the rule at `slot`; the window that it completes, if it completes one."""
        names, field = self._names[slot]
        shown = tuple([fields.get(name) for name in names])
        if None in shown:
            return None
        key = tuple([_key(one) for one in shown])
        group = self._groups.get(key)
        if group is None:
            self._make_room(time)
            group = self._groups[key] = _Group()
        self._groups.move_to_end(key)
        if self._by_event:
            counted: Hashable = event_id
        else:
            counted = _key(fields.get(field)) if field else slot
        group.add(_Hit(time, event_id, slot, counted))
        start = time - self.seconds
        while group.hits[0].time < start or len(group.hits) > MAX_WINDOW:
            group.drop()
        metric = self._measure(group, self._slots)
        if metric is None or not self._holds(metric, self._limit):
            return None
        return Window(shown, start, time, metric, group.newest())

    def _make_room(self, now: float) -> None:
        """Now and then forgets the groups in which nothing has happened for a window; the quietest of too many."""
        if now - self._swept >= self.seconds:
            self._swept = now
            while self._groups:
                key, group = next(iter(self._groups.items()))
                if group.hits[-1].time >= now - self.seconds:
                    break
                del self._groups[key]
        if len(self._groups) >= MAX_GROUPS:
            self._groups.popitem(last=False)


def _key(value: Any) -> Hashable:
    """What values are told apart by: texts without regard to case."""
    if isinstance(value, str):
        return value.lower()
    return tuple(map(_key, value)) if isinstance(value, list) else value


def _amount(value: Hashable) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0


# --- what is measured ----------------------------------------------------------------------------------------


def _average(group: _Group, _slots: int) -> float | None:
    count = sum(count for value, count in group.counts.items() if isinstance(value, int | float))
    return group.total / count if count else None


def _in_order(group: _Group, slots: int) -> float:
    """How many of the rules, in their order and each strictly after the one before it, the window holds at the most."""
    if len(group.counts) == 1:
        return 1
    moments: list[list[float]] = [[] for _ in range(slots)]
    for hit in group.hits:
        moments[hit.slot].append(hit.time)
    ends: list[float] = []
    """ends[n]: the earliest moment at which n + 1 of the rules looked at so far can have happened in order."""
    for times in moments:
        for length in range(len(ends), -1, -1):
            after = ends[length - 1] if length else -math.inf
            first = next((time for time in times if time > after), None)
            if first is None:
                continue
            if length == len(ends):
                ends.append(first)
            else:
                ends[length] = min(ends[length], first)
    return len(ends)


MEASURES: dict[str, Callable[[_Group, int], float | None]] = {
    "event_count": lambda group, _slots: len(group.counts),
    "value_count": lambda group, _slots: len(group.counts),
    "value_sum": lambda group, _slots: group.total,
    "value_avg": _average,
    "temporal": lambda group, _slots: len(group.counts),
    "temporal_ordered": _in_order,
}
"""The kinds of correlation that are evaluated here."""
