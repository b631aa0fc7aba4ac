"""From responses to values: each parser is written once, for both clients.

A parser raises `ApiError` with the code `unreadable_answer` when a success cannot be understood:
what could not be read is never taken for a result.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import httpx2
import msgspec

from bailee.client.errors import ApiError, FieldError, Problem, api_error

type Parse[T] = Callable[[httpx2.Response], T]


def json_answer[T](kind: type[T]) -> Parse[T]:
    """A parser of one JSON value; members that `kind` does not know are passed over."""
    decoder = msgspec.json.Decoder(kind)

    def parse(response: httpx2.Response) -> T:
        try:
            return decoder.decode(response.content)
        except msgspec.MsgspecError as error:
            raise unreadable(response, _place(error)) from None

    return parse


def either_answer[T, U](member: str, kind: type[T], other: type[U]) -> Parse[T | U]:
    """A parser of a JSON object that is a `kind` if it has `member`, else an `other`."""
    first, second = json_answer(kind), json_answer(other)

    def parse(response: httpx2.Response) -> T | U:
        try:
            marked = member in msgspec.json.decode(response.content, type=dict[str, msgspec.Raw])
        except msgspec.MsgspecError as error:
            raise unreadable(response, _place(error)) from None
        return first(response) if marked else second(response)

    return parse


def member_answer[T](member: str, kind: type[T]) -> Parse[T]:
    """A parser of a JSON object of which one member is all that counts."""
    whole = json_answer(dict[str, msgspec.Raw])

    def parse(response: httpx2.Response) -> T:
        try:
            return msgspec.json.decode(whole(response)[member], type=kind)
        except KeyError:
            raise unreadable(response, f"it has no `{member}`") from None
        except msgspec.MsgspecError as error:
            raise unreadable(response, _place(error)) from None

    return parse


def ndjson_answer[T](kind: type[T]) -> Parse[list[T]]:
    """A parser of one JSON value per line."""
    decoder = msgspec.json.Decoder(kind)

    def parse(response: httpx2.Response) -> list[T]:
        try:
            return decoder.decode_lines(response.content)
        except msgspec.MsgspecError as error:
            raise unreadable(response, _place(error)) from None

    return parse


def text_answer(response: httpx2.Response) -> str:
    """The body as UTF-8 text."""
    try:
        return response.content.decode()
    except UnicodeDecodeError:
        raise unreadable(response, "it is not UTF-8 text") from None


def no_answer(_response: httpx2.Response) -> None:
    """For acts whose success says it all."""


def unreadable(response: httpx2.Response, why: str) -> ApiError:
    """The error for a success that cannot be understood."""
    return ApiError(
        Problem(
            status=response.status_code,
            code="unreadable_answer",
            title="The answer could not be understood",
            detail=f"The server accepted the request, but its answer could not be understood: {why}.",
            request_id=response.headers.get("X-Request-Id"),
        )
    )


def failure(response: httpx2.Response) -> ApiError:
    """The exception for an answer that is no success. The body must have been read."""
    return api_error(_problem(response))


def _problem(response: httpx2.Response) -> Problem:
    status = response.status_code
    document = _document(response)
    known = {name: document.pop(name, None) for name in ("title", "detail", "code", "request_id", "errors")}
    for name in ("type", "status"):  # the code and the response's own status say the same
        document.pop(name, None)
    return Problem(
        status=status,
        code=_text(known["code"]) or f"http_{status}",
        title=_text(known["title"]) or _phrase(status),
        detail=_text(known["detail"]) or f"The server answered {status} without saying why.",
        request_id=_text(known["request_id"]) or response.headers.get("X-Request-Id"),
        errors=_field_errors(known["errors"]),
        retry_after=_retry_after(response.headers.get("Retry-After"), document.pop("retry_after", None)),
        extra=document,
    )


def _document(response: httpx2.Response) -> dict[str, Any]:
    """The members of the problem document; none when a proxy or a stranger answered instead."""
    media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media_type not in {"application/problem+json", "application/json"}:
        return {}
    try:
        return msgspec.json.decode(response.content, type=dict[str, Any])
    except msgspec.MsgspecError:
        return {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown status"


def _field_errors(value: object) -> tuple[FieldError, ...]:
    try:
        return msgspec.convert(value, tuple[FieldError, ...])
    except msgspec.ValidationError:
        return ()


def _retry_after(header: str | None, member: object) -> float | None:
    """Seconds to wait: delay-seconds or an HTTP date (RFC 9110, 10.2.3), else the document's number."""
    if header is not None:
        if header.strip().isdecimal():
            return float(header)
        try:
            moment = parsedate_to_datetime(header)
        except ValueError:
            pass
        else:
            # "-0000" in place of GMT parses as a naive time.
            aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            return max(0.0, (aware - datetime.now(UTC)).total_seconds())
    if isinstance(member, int | float) and not isinstance(member, bool) and member >= 0:
        return float(member)
    return None


def _place(error: msgspec.MsgspecError) -> str:
    """Where decoding stopped. msgspec names types and places, never the values found there."""
    return str(error).rstrip(".").replace("\n", " ")
