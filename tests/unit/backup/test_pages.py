"""What the pages of backups compute: stretches of time, ages, and the picture of the drills."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from bailee.backup.api.common import Stretch, joined
from bailee.backup.model import Drill
from bailee.backup.pages.common import age
from bailee.backup.pages.trend import trends_of
from bailee.backup.planning import Span

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ID = UUID(int=1)


def _span(server: str, since: int, until: int) -> Span:
    return Span(server, ID, NOW + timedelta(hours=since), NOW + timedelta(hours=until))


def _stretch(server: str, since: int, until: int) -> Stretch:
    return Stretch(server, NOW + timedelta(hours=since), NOW + timedelta(hours=until))


def _drill(state: str, rto: float | None, rpo: float | None) -> Drill:
    return Drill(ID, NOW, NOW, state, NOW, rto, rpo, 1, 1, 1, [])  # type: ignore[arg-type]  # a state as text


def test_spans_that_meet_are_one_stretch_and_a_gap_parts_them() -> None:
    spans = [_span("main", 9, 10), _span("main", 3, 6), _span("main", 1, 5), _span("keyring", 2, 4)]
    assert joined(spans) == [_stretch("main", 9, 10), _stretch("main", 1, 6), _stretch("keyring", 2, 4)]


def test_a_span_within_another_shortens_nothing() -> None:
    assert joined([_span("main", 1, 9), _span("main", 2, 3)]) == [_stretch("main", 1, 9)]


@pytest.mark.parametrize(
    "passed, said",
    [
        (timedelta(seconds=-5), "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(minutes=1), "1 minute ago"),
        (timedelta(minutes=119), "1 hour ago"),
        (timedelta(hours=49), "2 days ago"),
    ],
)
def test_age_is_told_in_the_largest_unit_that_fits(passed: timedelta, said: str) -> None:
    assert age(NOW - passed, NOW) == said


def test_trend_runs_from_the_oldest_to_the_newest_and_marks_what_failed() -> None:
    rto, rpo = trends_of([_drill("running", None, None), _drill("failed", 40, 5), _drill("passed", 20, 6)], 60)
    assert [(one.x, one.failed) for one in rto.dots] == [(10, False), (590, True)]
    assert rto.dots[0].y > rto.dots[1].y  # longer stands higher
    assert (rto.top, rto.limit, rpo.top, rpo.limit) == (40, None, 60, 20)
    assert rto.line == "10,70 590,20"


def test_one_drill_makes_no_trend() -> None:
    assert trends_of([_drill("passed", 20, None)], 60) == []


def test_drills_that_took_no_time_are_drawn_on_the_lower_line() -> None:
    (rto,) = trends_of([_drill("passed", 0, None), _drill("passed", 0, None)], 60)
    assert {one.y for one in rto.dots} == {120}
