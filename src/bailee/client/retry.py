"""When to try again, and after how long; no clock and no sleep of its own.

A request is repeated only when that is safe (it reads, or is idempotent by its method, or carries
an idempotency key), when its body can be sent a second time, and when the failure may pass.
"""

from secrets import SystemRandom

from bailee.client.errors import ApiError, BaileeError, ConnectionFailed

# Full jitter: a random wait below a ceiling that doubles, so that clients cut off by the same
# outage do not return in step.
FIRST_CEILING = 0.25
LAST_CEILING = 8.0

# The longest wait that a server can impose. When it asks for more, the caller gets the error, and
# `problem.retry_after` with it, in place of a thread that seems to hang.
LONGEST_WAIT = 60.0

PASSING_STATUSES = frozenset({429, 502, 503, 504})
PASSING_CODES = frozenset({"idempotency_in_progress"})

_random = SystemRandom()


class Attempts:
    """The attempts at one request: ask after each failure."""

    def __init__(self, *, repeatable: bool, retries: int) -> None:
        self._left = retries if repeatable else 0
        self._ceiling = FIRST_CEILING

    def delay_after(self, error: BaileeError) -> float | None:
        """Seconds to wait before the next attempt; None when there must not be one."""
        asked = error.problem.retry_after if isinstance(error, ApiError) else None
        if self._left == 0 or not _may_pass(error) or (asked or 0.0) > LONGEST_WAIT:
            return None
        self._left -= 1
        jitter = _random.uniform(0.0, self._ceiling)
        self._ceiling = min(LAST_CEILING, 2 * self._ceiling)
        return (asked or 0.0) + jitter


def _may_pass(error: BaileeError) -> bool:
    match error:
        case ConnectionFailed():
            return not error.lasting
        case ApiError():
            return error.status in PASSING_STATUSES or error.code in PASSING_CODES
        case _:
            return False
