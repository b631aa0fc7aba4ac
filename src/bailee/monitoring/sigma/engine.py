"""The engine: events in their order, through every rule that could hold for them."""

from collections.abc import Iterator
from typing import Any

import msgspec

from bailee.monitoring.sigma.correlation import Correlator
from bailee.monitoring.sigma.matching import Fields
from bailee.monitoring.sigma.rules import ACTION, Correlation, Rule, RuleSet


class Match(msgspec.Struct, frozen=True):
    """A rule has held: for one event, or for those of a window."""

    rule_id: str
    title: str
    level: str
    time: float
    event_ids: list[str]
    group: dict[str, Any] = {}
    metric: float | None = None


class Engine:
    """Rules, and the state of the correlations among them."""

    def __init__(self, rules: RuleSet) -> None:
        self._by_action: dict[str, list[Rule]] = {}
        self._always: list[Rule] = []
        self._silent = frozenset(one.id for one in rules.rules if not one.told)
        self._correlations: dict[str, list[tuple[int, Correlation, Correlator]]] = {}
        for rule in rules.rules:
            if rule.actions is None:
                self._always.append(rule)
            for action in rule.actions or ():
                self._by_action.setdefault(action, []).append(rule)
        for one in rules.correlations:
            state = one.begin()
            for slot, rule_id in enumerate(one.rules):
                self._correlations.setdefault(rule_id, []).append((slot, one, state))

    @property
    def reach(self) -> float:
        """How far back the longest window looks, in seconds."""
        return max((state.seconds for found in self._correlations.values() for _, _, state in found), default=0.0)

    def feed(self, event_id: str, time: float, fields: Fields) -> list[Match]:
        """What an event, newer than those before it, brings to light. `time` is in Unix seconds."""
        candidates = self._by_action.get(str(fields.get(ACTION)).lower(), ())
        found: list[Match] = []
        for rules in (candidates, self._always):
            for rule in rules:
                if rule.holds(fields):
                    found.extend(self._held(rule, event_id, time, fields))
        return found

    def _held(self, rule: Rule, event_id: str, time: float, fields: Fields) -> Iterator[Match]:
        if rule.told:
            yield Match(rule.id, rule.title, rule.level, time, [event_id])
        for slot, one, state in self._correlations.get(rule.id, ()):
            window = state.feed(slot, event_id, time, fields)
            if window is None:
                continue
            group = dict(zip(one.group_by, window.group, strict=True))
            yield Match(one.id, one.title, one.level, time, window.event_ids, group, window.metric)
            yield from self._above(one, event_id, time, {**fields, **group, one.kind: window.metric})

    def _above(self, one: Correlation, event_id: str, time: float, fields: Fields) -> Iterator[Match]:
        """Correlations of correlations."""
        for slot, upper, state in self._correlations.get(one.id, ()):
            window = state.feed(slot, f"{one.id}:{event_id}", time, fields)
            if window is None:
                continue
            group = dict(zip(upper.group_by, window.group, strict=True))
            events = list(dict.fromkeys(found.rpartition(":")[2] for found in window.event_ids))
            yield Match(upper.id, upper.title, upper.level, time, events, group, window.metric)
            yield from self._above(upper, event_id, time, {**fields, **group, upper.kind: window.metric})
