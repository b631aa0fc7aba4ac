"""Which backup is due, on what it rests, how long it is kept; also when the clock was set back."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from bailee.backup.model import Backup, BackupState, Generation
from bailee.backup.schedule import anew, expiry, plan, planned
from bailee.foundation.ids import new_id
from bailee.foundation.settings import BackupSettings

MAIN = BackupSettings().main
NOW = datetime(2026, 3, 18, 12, 30, tzinfo=UTC)  # a Wednesday


def _taken(generation: Generation, at: datetime, parent: UUID | None = None) -> Backup:
    return Backup(
        new_id(), "main", "incremental" if parent else "full", generation, BackupState.COMPLETE, parent, at, at,
        at + timedelta(days=1), 1, 1, "0" * 64, None, None, "", 1, "1", 18,
    )  # fmt: skip


def test_the_most_lasting_that_is_due_comes_first() -> None:
    found = plan(MAIN, [], NOW)
    assert found is not None
    assert (found.generation, found.kind, found.parent) == (Generation.MONTHLY, "full", None)
    monthly = _taken(Generation.MONTHLY, NOW - timedelta(days=8))
    found = plan(MAIN, [monthly], NOW)
    assert found is not None
    assert (found.generation, found.kind) == (Generation.WEEKLY, "full")


def test_daily_rests_on_the_newest_full_and_hourly_on_the_newest_day() -> None:
    weekly = _taken(Generation.WEEKLY, NOW - timedelta(days=1))
    monthly = _taken(Generation.MONTHLY, NOW - timedelta(days=10))
    daily = plan(MAIN, [weekly, monthly], NOW)
    assert daily is not None
    assert (daily.generation, daily.parent) == (Generation.DAILY, weekly.id)
    today = _taken(Generation.DAILY, NOW - timedelta(hours=3), weekly.id)
    hourly = plan(MAIN, [weekly, monthly, today], NOW)
    assert hourly is not None
    assert (hourly.generation, hourly.parent) == (Generation.HOURLY, today.id)
    assert plan(MAIN, [weekly, monthly, today, _taken(Generation.HOURLY, NOW, today.id)], NOW) is None


def test_a_clock_that_was_set_back_neither_stops_nor_floods() -> None:
    ahead = _taken(Generation.MONTHLY, NOW + timedelta(minutes=59))
    assert plan(MAIN, [ahead], NOW) is None  # it counts as taken now
    assert plan(MAIN, [ahead], NOW + timedelta(minutes=29)) is None
    later = plan(MAIN, [ahead], NOW + timedelta(hours=2))
    assert later is not None
    assert (later.generation, later.parent) == (Generation.HOURLY, ahead.id)


def test_what_a_clock_far_ahead_has_dated_stops_nothing_and_carries_nothing() -> None:
    ahead = _taken(Generation.MONTHLY, NOW + timedelta(days=400))
    first = plan(MAIN, [ahead], NOW)
    assert first is not None
    assert (first.generation, first.kind, first.parent) == (Generation.MONTHLY, "full", None)
    taken = _taken(Generation.MONTHLY, NOW)
    assert plan(MAIN, [ahead, taken], NOW) is None
    hourly = plan(MAIN, [ahead, taken], NOW + timedelta(hours=1))
    assert hourly is not None
    assert hourly.parent == taken.id


def test_what_others_rest_on_is_kept_longer_than_they_are() -> None:
    weekly = _taken(Generation.WEEKLY, NOW)
    last_daily = expiry(MAIN, Generation.DAILY, NOW + timedelta(days=7))
    assert expiry(MAIN, Generation.WEEKLY, NOW) > last_daily
    assert expiry(MAIN, Generation.DAILY, NOW) > expiry(MAIN, Generation.HOURLY, NOW + timedelta(days=1))
    assert planned(MAIN, [weekly], Generation.HOURLY).parent == weekly.id


def test_what_begins_anew_can_carry_all_that_comes_after_it() -> None:
    for generation, expected in ((Generation.HOURLY, Generation.WEEKLY), (Generation.MONTHLY, Generation.MONTHLY)):
        found = anew(MAIN, generation)
        assert (found.generation, found.kind, found.parent) == (expected, "full", None)
    assert anew(BackupSettings().keyring, Generation.HOURLY).generation is Generation.DAILY
