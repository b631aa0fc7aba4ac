"""Which backup is due, on which other it rests, and how long it is kept.

A full backup stands for a week or longer (a day, where no weekly ones are kept). A daily one holds what changed since
the newest full one, an hourly one what changed since the newest of a day or longer: no restore joins more than three.
The settings see to it that what others rest on is kept longer than they are.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from bailee.backup.model import Backup, Generation, Kind
from bailee.foundation.settings import RotationSettings

_ORDER = list(Generation)
_AHEAD = timedelta(hours=1)


class Plan(msgspec.Struct, frozen=True):
    """A backup to take."""

    generation: Generation
    kind: Kind
    parent: UUID | None


def keeps(rotation: RotationSettings) -> dict[Generation, timedelta]:
    """How long each generation is kept that is made at all."""
    found = {
        Generation.HOURLY: timedelta(hours=rotation.hourly), Generation.DAILY: timedelta(days=rotation.daily),
        Generation.WEEKLY: timedelta(weeks=rotation.weekly), Generation.MONTHLY: timedelta(days=31 * rotation.monthly),
        Generation.YEARLY: timedelta(days=366 * rotation.yearly),
    }  # fmt: skip
    return {name: kept for name, kept in found.items() if kept}


def plan(
    rotation: RotationSettings,
    present: Sequence[Backup],
    now: datetime,
    *,
    extra: dict[Generation, timedelta] = {},  # noqa: B006  read only
) -> Plan | None:
    """The most lasting backup that is due, of a server whose complete backups are `present`; None for nothing."""
    kept = {**extra, **keeps(rotation)}
    present = credible(present, now)
    for generation in sorted(kept, key=_ORDER.index, reverse=True):
        # The clock may have been set back a little: what was taken later than now counts as taken now.
        done = any(
            _rank(one) >= _ORDER.index(generation)
            and _period(generation, min(one.began_at, now)) == _period(generation, now)
            for one in present
        )
        if not done:
            return planned(rotation, present, generation)
    return None


def credible(present: Sequence[Backup], now: datetime) -> list[Backup]:
    """Without those that a clock which ran far ahead has dated: they would stand for every period until their date.

    They can be restored, and go when their time is up; but nothing waits for them, and nothing rests on them.
    """
    return [one for one in present if one.began_at <= now + _AHEAD]


def planned(rotation: RotationSettings, present: Sequence[Backup], generation: Generation) -> Plan:
    """A backup of this generation, with what it rests on."""
    lowest_full = _lowest_full(rotation)
    if _ORDER.index(generation) >= _ORDER.index(lowest_full):
        return Plan(generation, "full", None)
    needed = Generation.DAILY if generation in (Generation.HOURLY, Generation.RECENT) else lowest_full
    bases = [one for one in present if _rank(one) >= _ORDER.index(needed)]
    if not bases:
        return Plan(generation, "full", None)
    return Plan(generation, "incremental", max(bases, key=lambda one: one.began_at).id)


def anew(rotation: RotationSettings, generation: Generation) -> Plan:
    """A full backup in place of one that cannot rest on what it should: one that all later ones can rest on."""
    return Plan(max(generation, _lowest_full(rotation), key=_ORDER.index), "full", None)


def _lowest_full(rotation: RotationSettings) -> Generation:
    """From which generation on a backup is a full one, on which others rest."""
    return Generation.WEEKLY if rotation.weekly else Generation.DAILY


def expiry(rotation: RotationSettings, generation: Generation, taken_at: datetime) -> datetime:
    """When a backup is deleted."""
    return taken_at + {Generation.RECENT: timedelta(days=1), **keeps(rotation)}[generation]


def wal_keep(rotation: RotationSettings) -> timedelta:
    """How long WAL is kept: to reach the first moment of the window from the daily backup before it."""
    return timedelta(days=rotation.window_days + 1)


RECENT = {Generation.RECENT: timedelta(days=1)}
"""For objects, which have no WAL: a look every minute, kept for a day."""


def _rank(backup: Backup) -> int:
    return _ORDER.index(backup.generation)


def _period(generation: Generation, moment: datetime) -> tuple[int, ...]:
    match generation:
        case Generation.YEARLY:
            return (moment.year,)
        case Generation.MONTHLY:
            return (moment.year, moment.month)
        case Generation.WEEKLY:
            return moment.isocalendar()[:2]
        case Generation.DAILY:
            return (moment.toordinal(),)
        case Generation.HOURLY:
            return (moment.toordinal(), moment.hour)
        case Generation.RECENT:
            return (moment.toordinal(), moment.hour, moment.minute)
