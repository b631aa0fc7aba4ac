"""What is usual of each account and key: from where, when, how much. Learnt as the events come, and told in numbers.

For a week after somebody was first seen nothing is called new: that is when one learns. How much somebody does is kept
as a spread over powers of two of what ten minutes had, so that a day of something odd does not become the usual.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from bailee.monitoring.store.stream import Sighting, Volume

_LEARNING = timedelta(days=7)
_DORMANT = timedelta(days=60)
_HOUR = timedelta(hours=1)
_CALLERS = frozenset({"staff", "member", "key", "client"})
_SIGN_IN = "session.begun"
_HOURS = 24
_MAX_PLACES = 1000

BUCKET = 600
"""Seconds: volumes are counted in ten minutes."""
_BINS = 40
_DAY = 86_400 // BUCKET
"""So many ten minutes have to have been seen before a volume can be unusual: a day."""
_WEEK = 168
"""Hours."""
_MONTH = 24
"""Of one hour of the week: the ten minutes of four weeks."""
_LEAST = 100
_TIMES = 4
_SHARE = 0.99


class Familiar:
    """From where each caller was seen to act: networks, countries, hours of the day."""

    def __init__(self, sightings: list[Sighting]) -> None:
        self._known: dict[tuple[str, str], dict[str, Sighting]] = {}
        self._first: dict[str, datetime] = {}
        self._last: dict[str, datetime] = {}
        self._changed: dict[tuple[str, str, str], Sighting] = {}
        for one in sightings:
            self._known.setdefault((one.kind, one.who), {})[one.what] = one
            self._note(one.who, one.first_at)
            self._note(one.who, one.last_at)

    def look(self, fields: Mapping[str, Any], moment: datetime) -> dict[str, Any]:
        """What is new: `new.network`, `new.country`, `new.device`, `rare.hour`, `dormant.days`; or `learning`."""
        who = fields.get("actor.id")
        if fields.get("actor.kind") not in _CALLERS or not who:
            return {}
        places = _seen(fields, moment)
        found = self._news(str(who), fields, moment, places)
        for kind, what in places:
            self._learn(kind, str(who), what, moment)
        self._note(str(who), moment)
        return found

    def take_changes(self) -> list[Sighting]:
        """What has been learnt since the last time, to be kept."""
        changed = list(self._changed.values())
        self._changed.clear()
        return changed

    def _news(
        self, who: str, fields: Mapping[str, Any], moment: datetime, places: list[tuple[str, str]]
    ) -> dict[str, Any]:
        first = self._first.get(who)
        if first is None or moment - first < _LEARNING:
            return {"learning": True}
        found: dict[str, Any] = {}
        for kind, what in places:
            known = self._known.get((kind, who), {})
            if kind == "hour":
                if known and not any(str((int(what) + shift) % _HOURS) in known for shift in (-1, 0, 1)):
                    found["rare.hour"] = True
            elif known and what not in known:
                found[f"new.{kind}"] = True
        last = self._last.get(who)
        if fields.get("action") == _SIGN_IN and last is not None and moment - last >= _DORMANT:
            found["dormant.days"] = (moment - last).days
        return found

    def _learn(self, kind: str, who: str, what: str, moment: datetime) -> None:
        places = self._known.setdefault((kind, who), {})
        known = places.get(what)
        if known is not None and moment - known.last_at < _HOUR:
            return
        if known is None and len(places) >= _MAX_PLACES:
            return  # somebody who is everywhere is at home nowhere
        seen = Sighting(kind, who, what, known.first_at if known else moment, moment)
        places[what] = self._changed[kind, who, what] = seen

    def _note(self, who: str, moment: datetime) -> None:
        if moment < self._first.setdefault(who, moment):
            self._first[who] = moment
        if moment > self._last.setdefault(who, moment):
            self._last[who] = moment


def _seen(fields: Mapping[str, Any], moment: datetime) -> list[tuple[str, str]]:
    """The kinds of place that an event shows, and which."""
    found = [(kind, str(fields[kind])) for kind in ("network", "country") if fields.get(kind)]
    if fields.get("action") == _SIGN_IN:
        found.append(("hour", str(moment.hour)))
        if device := fields.get("details.device"):
            found.append(("device", str(device)))
    return found


class _Usual(msgspec.Struct):
    """Of one caller and one kind of act: the ten minutes at hand, and the spread of those before."""

    since: datetime
    bucket: int
    amount: float
    spread: list[int]
    highest: int | None
    """The most that ten minutes usually have; None before that is known."""
    told: bool = False


class Volumes:
    """How much each caller does in ten minutes, at each hour of the week, and all callers of a tenant together."""

    def __init__(self, volumes: list[Volume]) -> None:
        self._usual = {
            (one.who, one.what): _Usual(
                one.since, one.bucket, one.amount, list(one.spread), _usually(one.spread, _enough_for(one.who))
            )
            for one in volumes
        }
        self._changed: set[tuple[str, str]] = set()

    def look(self, fields: Mapping[str, Any], now: float) -> dict[str, Any]:
        """`unusual` and `why` where the event takes its caller, or all callers of its tenant together, far above what
        is usual of them, or of them at this hour of the week; once in ten minutes.
        """
        who, measured = fields.get("actor.id"), _amount_of(fields)
        if measured is None or not who:
            return {}
        what, amount = measured
        bucket, hour = int(now // BUCKET), int(now // 3600)
        found = self._count(str(who), what, amount, bucket, now, _DAY)
        tenant = fields.get("tenant")
        together = self._count(f"tenant {tenant}", what, amount, bucket, now, _DAY) if tenant else None
        # The ten minutes of one hour of the week, numbered through: six a week.
        of_hour = hour // _WEEK * 6 + int(now % 3600 // BUCKET)
        at_hour = self._count(f"{who} hour {hour % _WEEK}", what, amount, of_hour, now, _MONTH)
        if found:
            return {"unusual": what, "why": f"{found[0]:,.0f} {what} in 10 min; usual 0–{found[1]:,}"}
        if at_hour:
            why = f"{at_hour[0]:,.0f} {what} in 10 min; usual at this hour of the week 0–{at_hour[1]:,}"
            return {"unusual": what, "why": why}
        if together:
            why = f"{together[0]:,.0f} {what} in 10 min by all of the tenant together; usual 0–{together[1]:,}"
            return {"unusual": what, "why": why}
        return {}

    def _count(
        self, who: str, what: str, amount: float, bucket: int, now: float, enough: int
    ) -> tuple[float, int] | None:
        """How much it is now and what is usual, where that is far more and was not told yet."""
        key = (who, what)
        usual = self._usual.get(key)
        if usual is None:
            began = datetime.fromtimestamp(now).astimezone()
            usual = self._usual[key] = _Usual(began, bucket, 0.0, [0] * _BINS, None)
        if bucket > usual.bucket:
            _turn(usual, bucket, enough)
            self._changed.add(key)
        usual.amount += amount
        highest = usual.highest
        if highest is None or usual.told or usual.amount <= max(_LEAST, _TIMES * highest):
            return None
        usual.told = True
        return usual.amount, highest

    def take_changes(self) -> list[Volume]:
        """What has been learnt since the last time, to be kept."""
        found = []
        for who, what in sorted(self._changed):
            usual = self._usual[who, what]
            found.append(Volume(who, what, usual.since, usual.bucket, usual.amount, usual.spread))
        self._changed.clear()
        return found


_ONE_BY_ONE = {
    "record.read": "reads",
    "file.read": "reads",
    "subject.viewed": "reads",
    "subject.erasure_begun": "erasures",
}
_BY_COUNT = {"records.listed": "reads", "records.read": "reads", "events.exported": "exports"}


def _amount_of(fields: Mapping[str, Any]) -> tuple[str, float] | None:
    """What an event adds to which volume."""
    action = str(fields.get("action"))
    if action in _ONE_BY_ONE:
        return _ONE_BY_ONE[action], 1.0
    if action in _BY_COUNT:
        count = fields.get("details.count")
        return _BY_COUNT[action], float(count) if isinstance(count, int) else 0.0
    return None


def _enough_for(who: str) -> int:
    return _MONTH if " hour " in who else _DAY


def _turn(usual: _Usual, bucket: int, enough: int) -> None:
    """Puts the ten minutes that are over into the spread, and those since then in which nothing happened."""
    usual.spread[min(int(usual.amount).bit_length(), _BINS - 1)] += 1
    usual.spread[0] += bucket - usual.bucket - 1
    usual.bucket, usual.amount, usual.told = bucket, 0.0, False
    usual.highest = _usually(usual.spread, enough)


def _usually(spread: list[int], enough: int) -> int | None:
    """The most that ten minutes have, all but one in a hundred; None before enough of them were seen."""
    total = sum(spread)
    if total < enough:
        return None
    below = 0
    for number, count in enumerate(spread):
        below += count
        if below >= total * _SHARE:
            return int((1 << number) - 1)
    return None
