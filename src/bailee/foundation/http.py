"""What every room's API shares: problems, permissions, paging, entity tags."""

import base64
import binascii
import re
from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

import msgspec
from litestar import Response
from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import HeaderParameter, QueryParameter

from bailee.foundation.errors import Error, FieldError, Invalid, Malformed, fault_of
from bailee.foundation.principal import Principal

PROBLEM = "application/problem+json"
NDJSON = "application/x-ndjson"
MAX_LIMIT = 1000
_ETAG = re.compile(r'"(\d{1,18})"', re.ASCII)

# Plain aliases: Litestar does not look into `type` statements.
Limit = Annotated[int, QueryParameter(name="limit", ge=1, le=MAX_LIMIT, description="Items on a page.")]
Cursor = Annotated[str | None, QueryParameter(name="cursor", max_length=400, description="`next` of the page before.")]
IfMatch = Annotated[
    str | None,
    HeaderParameter(name="If-Match", max_length=200, description='The version seen, as `"3"`; `*` or nothing for any.'),
]
IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(name="Idempotency-Key", max_length=255, description="Makes a repeated request be done once."),
]


class Problem(msgspec.Struct, frozen=True):
    """An error as it is answered (RFC 9457). Some carry further members, such as `max_bytes`."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str | None = None
    errors: list[FieldError] = []


class Page[T](msgspec.Struct, frozen=True):
    """One page of a list. `next` is the cursor of the one after it, or null."""

    items: list[T]
    next: str | None


def problem_of(error: Error, request_id: UUID | None) -> dict[str, Any]:
    """The problem document of an error."""
    document = msgspec.to_builtins(
        Problem(
            type=f"urn:bailee:problem:{error.code}",
            title=error.title,
            status=error.status,
            detail=error.detail,
            code=error.code,
            request_id=str(request_id) if request_id else None,
            errors=list(error.errors),
        )
    )
    return {**document, **error.extra}


def problems(*statuses: int) -> dict[int, ResponseSpec]:
    """For a route's `responses`: the errors it answers, beside those that any route may."""
    everywhere = (400, 401, 403, 404, 413, 422, 429, 503, 507)
    spec = ResponseSpec(Problem, generate_examples=False, media_type=PROBLEM, description="A problem")
    return dict.fromkeys(sorted({*everywhere, *statuses}), spec)


def requires(*permissions: str, step_up: bool = False) -> dict[str, Any]:
    """For a route: what its caller must hold. It also stands in `opt`, for the authorisation matrix."""

    def guard(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
        principal: Principal = connection.auth
        for permission in permissions:
            principal.require(permission)
        if step_up:
            principal.require_step_up()

    return {"guards": [guard], "opt": {"permissions": permissions, "step_up": step_up}}


def own_account() -> dict[str, Any]:
    """For a route: open to whoever is signed in, about their own account."""

    def guard(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
        connection.auth.require_session()

    return {"guards": [guard], "opt": {"own_account": True}}


def download(name: str, content: bytes, media_type: str = "application/octet-stream") -> Response[bytes]:
    """A file to keep, in one piece."""
    return Response(content, media_type=media_type, headers=attachment(name))


def attachment(name: str) -> dict[str, str]:
    """Headers of a file to keep: never shown by the browser, whatever it holds (RFC 6266, RFC 8187)."""
    return {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}"}


def encode_cursor(position: str | UUID) -> str:
    """A position in a list, opaque to the caller."""
    return base64.urlsafe_b64encode(str(position).encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None) -> str | None:
    """The position that a cursor names. Raises Malformed."""
    if cursor is None:
        return None
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise _bad_cursor() from None


def decode_id_cursor(cursor: str | None) -> UUID | None:
    """The same where the position is an id."""
    position = decode_cursor(cursor)
    try:
        return None if position is None else UUID(position)
    except ValueError:
        raise _bad_cursor() from None


def _bad_cursor() -> Malformed:
    return Malformed("The cursor is not one of ours. Use the `next` of a page as it is.")


def page_of[T](rows: list[T], limit: int, position: Callable[[T], str | UUID]) -> Page[T]:
    """A page from up to `limit` + 1 rows: the one too many says that there is a next page."""
    items = rows[:limit]
    return Page(items, encode_cursor(position(items[-1])) if len(rows) > limit else None)


def etag(version: int) -> str:
    return f'"{version}"'


def version_of(if_match: str | None) -> int | None:
    """The version in an If-Match header; None for any. Raises Malformed."""
    if if_match is None or if_match.strip() == "*":
        return None
    match = _ETAG.fullmatch(if_match.strip())
    if match is None:
        raise Malformed('If-Match carries one entity tag, such as "3", or *.')
    return int(match.group(1))


def parse_uuid(text: str) -> UUID | None:
    """A UUID in its canonical form, or None: an id of another shape names nothing."""
    try:
        found = UUID(text)
    except ValueError:
        return None
    return found if str(found) == text.lower() else None


def decode_json[T](raw: bytes, kind: type[T]) -> T:
    """A JSON body of a type. Raises Malformed or Invalid; neither repeats what was sent."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        raise Invalid("The body is not valid.", errors=[fault_of(error)]) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Malformed("The body is not valid JSON in UTF-8.") from None
    except RecursionError:
        raise Malformed("The body nests too deeply.") from None
