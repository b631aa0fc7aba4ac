from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bailee.stores.durations import Duration, parse_duration


def _day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "text, months, days",
    [("P3Y", 36, 0), ("P18M", 18, 0), ("P1Y6M", 18, 0), ("P2W", 0, 14), ("P90D", 0, 90), ("P1Y2M3W4D", 14, 25)],
)
def test_durations_are_read(text: str, months: int, days: int) -> None:
    assert parse_duration(text) == Duration(months, days)


@pytest.mark.parametrize("text", ["", "P", "3Y", "P1H", "PT5H", "P-1D", "P1.5Y", "P1D1Y", "p3y", "P３Y", "P3Y\n"])
def test_what_is_no_duration_of_days_is_none(text: str) -> None:
    assert parse_duration(text) is None


@pytest.mark.parametrize(
    "start, text, end",
    [
        ("2024-01-31", "P1M", "2024-02-29"),
        ("2023-01-31", "P1M", "2023-02-28"),
        ("2024-02-29", "P1Y", "2025-02-28"),
        ("2023-12-31", "P2M", "2024-02-29"),
        ("2024-01-31", "P1M1D", "2024-03-01"),
    ],
)
def test_months_and_years_are_those_of_the_calendar(start: str, text: str, end: str) -> None:
    duration = parse_duration(text)
    assert duration is not None
    assert duration.after(_day(start)) == _day(end)


def test_a_duration_beyond_the_calendar_ends_with_it() -> None:
    duration = parse_duration("P999999999Y999999999D")
    assert duration is not None
    assert duration.after(_day("2024-01-01")).year == 4026
    assert duration.after(_day("9000-01-01")).year == 9999


def test_one_duration_covers_another_only_where_it_is_never_shorter() -> None:
    year, days = Duration(12, 0), Duration(0, 365)
    assert year.covers(days)
    assert not days.covers(year)  # of a leap year it is a day short
    assert Duration(0, 366).covers(year)
    assert not Duration(1, 0).covers(Duration(0, 30))
    assert Duration(1, 0).covers(Duration(0, 28))


@given(
    st.integers(0, 60),
    st.integers(0, 400),
    st.datetimes(_day("2000-01-01").replace(tzinfo=None), _day("2100-01-01").replace(tzinfo=None)),
)
def test_longer_covers_shorter(months: int, days: int, start: datetime) -> None:
    longer, shorter = Duration(months, days + 1), Duration(months, days)
    assert longer.covers(shorter)
    assert longer.after(start) - shorter.after(start) == timedelta(days=1)
