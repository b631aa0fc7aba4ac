"""How far the log reaches: by what is listed, which may be somebody else's."""

from datetime import UTC, datetime, timedelta

from bailee.backup.repository import Stored
from bailee.backup.wal import SEGMENT, Stretch, covered_to, stored_until

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def _stretch(start: int, end: int, minutes: int) -> Stretch:
    whole = end - start == SEGMENT
    return Stretch(1, start, end, whole, Stored(f"{start}-{end}-{minutes}", 1, MOMENT + timedelta(minutes=minutes)))


def test_what_is_added_later_over_the_same_log_makes_it_reach_no_further_in_time() -> None:
    ours = [_stretch(0, 100, 1), _stretch(100, 250, 2)]
    added = [_stretch(0, 250, 60), _stretch(100, 250, 61), _stretch(200, 250, 62)]
    for found in (ours, sorted(ours + added, key=lambda one: (one.timeline, one.start, one.end))):
        assert covered_to(found, 1, 50) == 250
        assert stored_until(found, 1, 50) == MOMENT + timedelta(minutes=2)


def test_a_gap_ends_it_and_nothing_is_nothing() -> None:
    found = [_stretch(0, 100, 1), _stretch(150, 250, 2)]
    assert (covered_to(found, 1, 0), stored_until(found, 1, 0)) == (100, MOMENT + timedelta(minutes=1))
    assert (covered_to(found, 1, 120), stored_until(found, 1, 120)) == (120, None)
    assert (covered_to(found, 2, 0), stored_until(found, 2, 0)) == (0, None)
