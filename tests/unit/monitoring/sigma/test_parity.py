"""Our evaluator against another one: pySigma's backend for SQLite, on the same rules and events, match for match."""

import json
import random
import sqlite3
from typing import Any

import pytest
from sigma.backends.sqlite.sqlite import sqliteBackend
from sigma.collection import SigmaCollection

from bailee.monitoring.sigma.engine import Engine
from bailee.monitoring.sigma.rules import parse

ID = "00000000-0000-4000-8000-{:012d}"
HEAD = "level: low\nlogsource:\n  product: bailee\n"
START = 1_700_000_000.0

type Events = list[dict[str, Any]]

USERS = ["ann", "Bob", "carla", "DAVE", None]
ADDRESSES = ["192.0.2.1", "192.0.2.77", "198.51.100.9", "203.0.113.200", None]
COMMANDS = [
    "powershell -enc SQBFAFgA", "cmd /c whoami", "C:\\Windows\\System32\\cmd.exe", "100% sure_thing", "a*b?c", "", None,
    "POWERSHELL –enc x", "net user add", "naïve", "it's \"quoted\"",
]  # fmt: skip


def _events(seed: int, count: int = 400) -> Events:
    """Events in the order of their time, no two at the same moment."""
    rng = random.Random(seed)
    now, found = START, []
    for number in range(count):
        now += rng.choice([0.5, 1, 3, 20, 70])
        user = rng.choice(USERS)
        found.append({
            "id": f"e{number}", "time": now, "action": rng.choice(["login", "logout", "read", "write"]), "user": user,
            "owner": rng.choice([user, *USERS]), "address": rng.choice(ADDRESSES), "command": rng.choice(COMMANDS),
            "count": rng.choice([0, 1, 5, 50, 500, 12.5, None]),
        })  # fmt: skip
    return found


def _database(events: Events) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    connection.create_function("REGEXP", 2, lambda pattern, value: value is not None and _search(pattern, str(value)))
    texts = ", ".join(f"{name} TEXT COLLATE NOCASE" for name in ("action", "user", "owner", "address", "command"))
    connection.execute(f"CREATE TABLE logs (id TEXT, time REAL, {texts}, count NUMERIC)")
    connection.executemany(
        "INSERT INTO logs VALUES (:id, :time, :action, :user, :owner, :address, :command, :count)", events
    )
    return connection


def _search(pattern: str, value: str) -> bool:
    import re  # noqa: PLC0415  Python's own, unlike the product's, so that both have to agree

    return re.search(pattern, value) is not None


def _backend() -> sqliteBackend:
    return sqliteBackend(timestamp_field="time", event_id_field="id", timestamp_format="unix")  # type: ignore[no-untyped-call]


DETECTIONS = {
    "equals": "action: login",
    "case": "user: BOB",
    "list": "action: [login, read]",
    "wildcard": "command: 'powershell*'",
    "inner wildcard": "command: '*sys?em32*'",
    "like's own characters": "command: '100% sure_thing'",
    "escaped wildcards": "command: 'a\\*b\\?c'",
    "backslashes": "command|endswith: '\\cmd.exe'",
    "contains": "command|contains: USER",
    "startswith": "command|startswith: net",
    "endswith": "command|endswith: whoami",
    "contains all": "command|contains|all: [net, add]",
    "cased": "user|cased: Bob",
    "cased contains": "command|contains|cased: POWER",
    "regular expression": "command|re: '^[a-z]+ .*(whoami|add)$'",
    "regular expression, any case": "command|re|i: 'power.*enc'",
    "network": "address|cidr: 192.0.2.0/25",
    "networks": "address|cidr: [198.51.100.0/24, 203.0.113.0/24]",
    "null": "user: null",
    "empty": "command: ''",
    "exists": "command|exists: true",
    "missing": "command|exists: false",
    "number": "count: 5",
    "fraction": "count: 12.5",
    "more than": "count|gt: 5",
    "at least": "count|gte: 50",
    "less than": "count|lt: 5",
    "at most": "count|lte: 1",
    "field reference": "user|fieldref: owner",
    "field reference, begins": "owner|fieldref|startswith: user",
    "base64 at any offset": "command|base64offset|contains: IEX",
    "dashes": "command|windash|contains: ' -enc'",
    "quotes": 'command|contains: "it\'s"',
    "two fields": "action: login\n    user: [ann, bob]",
}
CONDITIONS = {
    "not": "not s",
    "and not": "s and not other",
    "or": "s or other",
    "one of": "1 of them",
    "all of": "all of them",
    "nested": "(s or other) and not (s and other)",
}


def _rule(detection: str, condition: str) -> str:
    return (
        f"title: A rule\nid: {ID.format(1)}\nname: a\n{HEAD}detection:\n  s:\n    {detection}\n"
        f"  other:\n    user: ann\n  condition: {condition}\n"
    )


@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize("detection", DETECTIONS)
def test_single_events_match_as_in_sql(detection: str, condition: str) -> None:
    text = _rule(DETECTIONS[detection], CONDITIONS[condition])
    events = _events(7)
    (query,) = _backend().convert(SigmaCollection.from_yaml(text))
    expected = {row[0] for row in _database(events).execute(query.replace("SELECT *", "SELECT id"))}
    rules = parse({"rule.yml": text}, {})
    assert not rules.faults
    engine = Engine(rules)
    found = {match.event_ids[0] for one in events for match in engine.feed(one["id"], one["time"], one)}
    assert found == expected


BASES = (
    f"title: Login\nid: {ID.format(1)}\nname: login\n{HEAD}detection:\n  s:\n    action: login\n  condition: s\n---\n"
    f"title: Read\nid: {ID.format(2)}\nname: read\n{HEAD}detection:\n  s:\n    action: read\n  condition: s\n---\n"
    f"title: Write\nid: {ID.format(3)}\nname: write\n{HEAD}detection:\n  s:\n    action: write\n  condition: s\n---\n"
)
CORRELATIONS = {
    "events": ("event_count", "login", "user", "5m", "gte: 4"),
    "events of two rules": ("event_count", "login, read", "user", "2m", "gte: 5"),
    "events, no group": ("event_count", "login", "", "1m", "gt: 3"),
    "events, two fields": ("event_count", "login", "user, address", "10m", "gte: 2"),
    "few events": ("event_count", "login", "user", "5m", "lt: 2"),
    "exactly": ("event_count", "read", "address", "5m", "eq: 3"),
    "values": ("value_count", "login", "address", "10m", "field: user\n    gte: 3"),
    "values of few": ("value_count", "read", "user", "3m", "field: address\n    lte: 1"),
    "a sum": ("value_sum", "read", "user", "10m", "field: count\n    gte: 500"),
    "an average": ("value_avg", "read, write", "address", "10m", "field: count\n    gt: 100"),
    "together": ("temporal", "login, read", "user", "1m", "gte: 2"),
    "three together": ("temporal", "login, read, write", "user", "5m", "gte: 3"),
    "two of three together": ("temporal", "login, read, write", "address", "2m", "gte: 2"),
    "in order": ("temporal_ordered", "login, read", "user", "2m", "gte: 2"),
    "three in order": ("temporal_ordered", "login, read, write", "user", "10m", "gte: 3"),
}


def _correlation(kind: str, rules: str, group: str, span: str, condition: str) -> str:
    grouping = f"  group-by: [{group}]\n" if group else ""
    return (
        f"{BASES}title: Together\nid: {ID.format(9)}\nname: together\nlevel: low\ncorrelation:\n  type: {kind}\n"
        f"  rules: [{rules}]\n{grouping}  timespan: {span}\n  condition:\n    {condition}\n"
    )


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("what", CORRELATIONS)
def test_correlations_match_as_in_sql(what: str, seed: int) -> None:
    text = _correlation(*CORRELATIONS[what])
    events = _events(seed, 150)
    queries = _backend().convert(SigmaCollection.from_yaml(text))
    connection = _database(events)
    expected = {}
    for _alert, group, _at, _start, end, _metric_name, metric, _count, ids, _children in connection.execute(
        queries[-1]
    ):
        key = (tuple(json.loads(group).values()), round(end, 3))
        expected[key] = (round(metric, 6), {one.partition(":")[2] for one in json.loads(ids)})
    rules = parse({"rules.yml": text}, {})
    assert not rules.faults
    engine = Engine(rules)
    found = {}
    for one in events:
        for match in (match for match in engine.feed(one["id"], one["time"], one) if match.rule_id == ID.format(9)):
            group = tuple(v.lower() if isinstance(v, str) else v for v in match.group.values())
            found[(group, round(match.time, 3))] = (round(match.metric or 0, 6), set(match.event_ids))
    assert found.keys() == expected.keys()
    assert {key: value[0] for key, value in found.items()} == {key: value[0] for key, value in expected.items()}
    if not CORRELATIONS[what][0].startswith(("value_sum", "value_avg", "temporal_ordered")):
        assert found == expected, "and the same events stand in each window"


def test_the_trials_find_something() -> None:
    """A comparison of nothing with nothing would prove nothing."""
    for what, parts in CORRELATIONS.items():
        engine = Engine(parse({"rules.yml": _correlation(*parts)}, {}))
        hits = [m for seed in range(4) for one in _events(seed, 150) for m in engine.feed(one["id"], one["time"], one)]
        assert hits, what
