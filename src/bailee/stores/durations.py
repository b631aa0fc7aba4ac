"""Durations of the calendar: years, months, weeks and days (ISO 8601), counted in UTC.

Months are added first, and a day that the month does not have becomes its last one; then the days. PostgreSQL adds
`make_interval(months => …, days => …)` to a `timestamptz` in the same way.
"""

import calendar
import re
from datetime import UTC, date, datetime, timedelta

import msgspec

_DURATION = re.compile(r"P(?=\d)(?:(\d{1,9})Y)?(?:(\d{1,9})M)?(?:(\d{1,9})W)?(?:(\d{1,9})D)?", re.ASCII)
_MOST_YEARS = 1000
_MOST_MONTHS, _MOST_DAYS = _MOST_YEARS * 12, _MOST_YEARS * 366
_FOREVER = datetime(9999, 12, 31, tzinfo=UTC)
_CYCLE = [date(2023, 3, 1) + timedelta(days=day) for day in range(1461)]
"""Four years, with every length of a month and a leap day."""


class Duration(msgspec.Struct, frozen=True):
    """Months, then days."""

    months: int
    days: int

    def after(self, moment: datetime) -> datetime:
        """The moment so long after another; the end of time where the calendar ends."""
        whole = moment.year * 12 + moment.month - 1 + self.months
        year, month = whole // 12, whole % 12 + 1
        try:
            day = min(moment.day, calendar.monthrange(year, month)[1])
            return moment.replace(year=year, month=month, day=day) + timedelta(days=self.days)
        except (ValueError, OverflowError):
            return _FOREVER

    @property
    def in_days(self) -> int:
        """About how many days, for what counts rather than decides."""
        return self.months * 365 // 12 + self.days

    def covers(self, other: "Duration") -> bool:
        """Whether it is nowhere in the calendar shorter than `other`."""
        return all(self.after(start) >= other.after(start) for start in map(_midnight, _CYCLE))


def parse_duration(text: str) -> Duration | None:
    """`P3Y`, `P18M`, `P1Y6M`, `P2W`, `P90D`; None for what is no duration of days or more."""
    match = _DURATION.fullmatch(text)
    if match is None:
        return None
    years, months, weeks, days = (int(part or 0) for part in match.groups())
    return Duration(min(years * 12 + months, _MOST_MONTHS), min(weeks * 7 + days, _MOST_DAYS))


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
