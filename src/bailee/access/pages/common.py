"""What the pages of access control share: what is read from a form, and what is shown of a secret."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Annotated
from urllib.parse import parse_qs, urlsplit

import msgspec
import segno
from litestar.params import QueryParameter

from bailee.foundation.errors import Error, FieldError, Invalid
from bailee.foundation.pages import Form

_GROUP = 4
_LONGEST_URI = 800
_LAST_SECOND = time(23, 59, 59)

# Plain aliases: Litestar does not look into `type` statements.
Onward = Annotated[str, QueryParameter(name="next", max_length=2000)]
Search = Annotated[str, QueryParameter(name="search", max_length=200)]


class AppSecret(msgspec.Struct, frozen=True):
    """What an authenticator app takes: as a picture, and as text in groups of four."""

    uri: str
    text: str
    picture: str


def app_secret(uri: str) -> AppSecret:
    """The secret in an `otpauth:` URI, ready to be shown. It may come from a form: what is no such URI shows
    nothing.
    """
    parts = urlsplit(uri) if uri.isascii() and uri.isprintable() and len(uri) < 800 else None  # noqa: PLR2004  a QR code's
    if parts is None or (parts.scheme, parts.netloc) != ("otpauth", "totp"):
        return AppSecret("", "", "")
    secret = parse_qs(parts.query).get("secret", [""])[0]
    text = " ".join(secret[at : at + _GROUP] for at in range(0, len(secret), _GROUP))
    return AppSecret(uri, text, segno.make_qr(uri).svg_data_uri(scale=5, border=3, light="#fff"))


def code_of(form: Form) -> str:
    """A code as apps show it may have a space in its middle."""
    return "".join(form.text("code").split())


def search_of(text: str) -> str:
    """What to look for, as a query can hold it."""
    return text.replace("\x00", "").strip()


def verify_repeated(form: Form) -> None:
    """Raises Invalid when the password was not typed twice the same."""
    if form.text("password") != form.text("repeat"):
        raise Invalid("The password is not valid.", errors=[FieldError("repeat", "The two passwords differ.")])


def moved(error: Error, fields: Mapping[str, str]) -> Error:
    """An error whose messages stand at other fields: where a page has several forms, names are not enough."""
    error.errors = tuple(FieldError(fields.get(one.path, one.path), one.message) for one in error.errors)
    return error


def number_of(form: Form, field: str) -> int:
    """A whole number. Raises Invalid."""
    text = form.text(field).strip()
    if not (text.isascii() and text.isdigit()) or len(text) > 9:  # noqa: PLR2004  more digits than any limit here has
        raise Invalid("The input is not valid.", errors=[FieldError(field, "Enter a whole number.")])
    return int(text)


def end_of_day(form: Form, field: str) -> datetime | None:
    """The last second of a day, in UTC; None for an empty field. Raises Invalid."""
    text = form.text(field).strip()
    if not text:
        return None
    try:
        return datetime.combine(date.fromisoformat(text), _LAST_SECOND, UTC)
    except ValueError:
        message = "Enter a day such as 2031-12-31."
        raise Invalid("The input is not valid.", errors=[FieldError(field, message)]) from None
