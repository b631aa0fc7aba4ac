"""The base of every error that a person or a program may be shown."""

import re
from collections.abc import Sequence
from typing import ClassVar

import msgspec


class FieldError(msgspec.Struct, frozen=True):
    """One fault in the caller's input: where it is, and what to do about it."""

    path: str
    message: str


_SENT = ("Object contains unknown field", "Invalid")
"""msgspec's messages that quote what was sent; the others quote the schema."""
_PLACE = re.compile(r"[A-Za-z0-9_.\[\]]{1,200}", re.ASCII)


def fault_of(error: msgspec.ValidationError, whole: str = "body") -> FieldError:
    """What msgspec found, without what it repeats of the input: a name or a value can be a person's.

    `whole` names the input for a fault that lies nowhere in particular.
    """
    message, _, path = str(error).partition(" - at `")
    place = path.removesuffix("`").removeprefix("key in ").removeprefix("$").strip(".")
    return FieldError(place if _PLACE.fullmatch(place) else whole, f"{unquoted(message)}.")


def unquoted(message: str) -> str:
    """A validator's message without what was sent."""
    return re.split("[`'\"]", message, maxsplit=1)[0].rstrip() if message.startswith(_SENT) else message


class Error(Exception):
    """An expected failure, safe to show: its text tells the reader what to do.

    `code` is stable and part of the API, `status` the HTTP status it is answered with (RFC 9457).
    Nothing secret and no personal data goes into `detail` or `extra`.
    """

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"

    def __init__(
        self,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        retry_after: int | None = None,
        **extra: str | int,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = tuple(errors)
        self.retry_after = retry_after
        self.extra = extra


class Invalid(Error):
    """The input breaks a rule; `errors` names each place."""

    code = "invalid"
    status = 422
    title = "The input is not valid"


class Malformed(Error):
    """The input could not be read at all."""

    code = "malformed"
    status = 400
    title = "The request could not be read"


class NotFound(Error):
    """It does not exist, or the caller may not know that it does: the two answers are the same."""

    code = "not_found"
    status = 404
    title = "Not found"

    def __init__(self, detail: str = "There is nothing here that you may see.") -> None:
        super().__init__(detail)


class Conflict(Error):
    """The act contradicts the present state."""

    code = "conflict"
    status = 409
    title = "That conflicts with the present state"


class TooLarge(Error):
    """The body exceeds its limit."""

    code = "too_large"
    status = 413
    title = "The request is too large"


class Unavailable(Error):
    """A part that this act needs is away for the moment; nothing was changed."""

    code = "unavailable"
    status = 503
    title = "Temporarily unavailable"

    def __init__(self, detail: str, *, retry_after: int = 2) -> None:
        super().__init__(detail, retry_after=retry_after)


class StorageFull(Error):
    """The disk or the database has no room; nothing was changed."""

    code = "storage_full"
    status = 507
    title = "Storage is full"


class ConfigurationError(Error):
    """The settings or the machine do not allow Bailee to run as asked."""

    code = "configuration"
    title = "Configuration error"
