"""What can go wrong, as exceptions that carry the server's problem document (RFC 9457).

    BaileeError
    ├── ApiError              the server answered, and refused
    │   ├── Invalid           400, 422   `problem.errors` names each place
    │   ├── Unauthorized      401        the token is missing, unknown, expired or revoked
    │   ├── Forbidden         403        the token lacks the permission
    │   ├── NotFound          404        it does not exist, or the token may not know that it does
    │   ├── Conflict          409        the act contradicts the present state
    │   ├── VersionMismatch   412        somebody changed it since the version named by If-Match
    │   ├── TooLarge          413
    │   ├── RateLimited       429        `problem.retry_after` says how long to wait
    │   └── Unavailable       503        a part that the act needs is away for the moment
    └── ConnectionFailed      no answer: refused, broken, timed out, or not trusted

No text here holds a token, a password, or the path of a request (paths name data subjects).
"""

from typing import Any, override

import msgspec


class FieldError(msgspec.Struct, frozen=True):
    """One fault in the input: where it is (`data.email`), and what to do about it."""

    path: str
    message: str


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """The server's problem document; `code` is stable and made for programs.

    `retry_after` is in seconds, from the header or the document. `extra` holds the members that
    only some problems have, such as `max_bytes`. An answer that was no problem document gets a
    problem made here: `http_<status>`, or `unreadable_answer` for a success that cannot be parsed.
    """

    status: int
    code: str
    title: str
    detail: str = ""
    request_id: str | None = None
    errors: tuple[FieldError, ...] = ()
    retry_after: float | None = None
    extra: dict[str, Any] = {}


class BaileeError(Exception):
    """The base of every error that this package raises on its own account."""


class ConnectionFailed(BaileeError):
    """No usable answer came. The act may have happened or not.

    `lasting` marks a failure that trying again cannot cure, such as an untrusted certificate.
    """

    def __init__(self, detail: str, *, timed_out: bool = False, lasting: bool = False) -> None:
        super().__init__(detail)
        self.timed_out = timed_out
        self.lasting = lasting


class ApiError(BaileeError):
    """The server refused; `problem` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.problem.status

    @property
    def code(self) -> str:
        """The stable code of the problem."""
        return self.problem.code

    @override
    def __str__(self) -> str:
        problem = self.problem
        text = f"{problem.detail or problem.title} ({problem.status} {problem.code})"
        faults = "".join(f"; {error.path}: {error.message}" for error in problem.errors)
        request = f" [request {problem.request_id}]" if problem.request_id else ""
        return f"{text}{faults}{request}"


class Invalid(ApiError):
    """The input breaks a rule or could not be read; `problem.errors` names each place."""


class Unauthorized(ApiError):
    """The token is missing, unknown, expired or revoked."""


class Forbidden(ApiError):
    """The token lacks the permission for this act."""


class NotFound(ApiError):
    """It does not exist, or the token may not know that it does."""


class Conflict(ApiError):
    """The act contradicts the present state."""


class VersionMismatch(ApiError):
    """Somebody changed it since the version that was named: read it again, then decide."""


class TooLarge(ApiError):
    """The body exceeds its limit."""


class RateLimited(ApiError):
    """Too many requests; `problem.retry_after` says how long to wait."""


class Unavailable(ApiError):
    """A part that this act needs is away for the moment."""


_BY_STATUS: dict[int, type[ApiError]] = {
    400: Invalid,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    412: VersionMismatch,
    413: TooLarge,
    422: Invalid,
    429: RateLimited,
    503: Unavailable,
}


def api_error(problem: Problem) -> ApiError:
    """The exception that fits the problem's status."""
    return _BY_STATUS.get(problem.status, ApiError)(problem)
