"""Time, in UTC, that never runs backwards within a process."""

import threading
from datetime import UTC, datetime, timedelta


class Clock:
    """The wall clock, held back from stepping back.

    When the machine's clock is set back, `now()` repeats its last value until the wall clock has
    caught up, so that orderings and expiries inside one process stay sound; `lag()` says by how much.
    """

    def __init__(self) -> None:
        self._last = datetime.min.replace(tzinfo=UTC)
        self._lock = threading.Lock()

    def _wall(self) -> datetime:
        return datetime.now(UTC)

    def now(self) -> datetime:
        """The present instant, timezone-aware, microsecond resolution, never before an earlier answer."""
        with self._lock:
            self._last = max(self._last, self._wall())
            return self._last

    def lag(self) -> timedelta:
        """How far the machine's clock is behind the latest instant this process has given out."""
        return max(timedelta(0), self._last - self._wall())
