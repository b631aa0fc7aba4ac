"""What people write: a line or some prose, bounded and printable."""

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
