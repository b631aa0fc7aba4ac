"""What people write: a line or some prose, bounded and printable; a moment within bounds."""

from datetime import datetime

from bailee.foundation.errors import FieldError

MAX_LINE = 200
MAX_PROSE = 4000


def read_line(name: str, text: str, errors: list[FieldError], *, most: int = MAX_LINE, required: bool = True) -> str:
    """One line, trimmed. What is wrong with it is added to `errors`, under `name`."""
    text = text.strip()
    if (required and not text) or len(text) > most or not text.isprintable():
        errors.append(FieldError(name, f"Write one line of {int(required)} to {most} printable characters."))
    return text


def read_prose(name: str, text: str, errors: list[FieldError], *, most: int = MAX_PROSE, required: bool = True) -> str:
    """Some lines, trimmed; their ends become `\\n`. What is wrong with it is added to `errors`, under `name`."""
    text = text.replace("\r\n", "\n").strip()
    if (required and not text) or len(text) > most or not all(c.isprintable() or c in "\n\t" for c in text):
        errors.append(FieldError(name, f"Write {int(required)} to {most} printable characters."))
    return text


def read_moment(
    name: str, moment: datetime | None, errors: list[FieldError], *, earliest: datetime, latest: datetime
) -> datetime | None:
    """A moment between two others. What is wrong with it is added to `errors`, under `name`."""
    if moment is None:
        return None
    if moment.tzinfo is None:
        errors.append(FieldError(name, "Give the time with its offset, such as 2026-03-01T12:00:00Z."))
    elif not earliest <= moment <= latest:
        message = f"Give a time between {earliest:%Y-%m-%d %H:%M} and {latest:%Y-%m-%d %H:%M} UTC."
        errors.append(FieldError(name, message))
    else:
        return moment
    return None
