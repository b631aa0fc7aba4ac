"""What every room's pages share: forms, redirects, the answer itself, and the guard against foreign sites."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
from litestar import Request, Response
from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler
from litestar.response import Redirect, Template
from litestar.types import Guard

from bailee.foundation.database import Database, OperatorWriter
from bailee.foundation.errors import Error, Malformed, TooLarge
from bailee.foundation.principal import Forbidden, Principal, StepUpRequired

COOKIE = "__Host-bailee"
"""Holds the session's token: bound to this host, to TLS and to requests that start on our own pages."""
HOME = "/"
"""Leads on to the first page that whoever asks may see."""
PAGE_ROWS = 50
_FORM = "application/x-www-form-urlencoded"
_MAX_FORM = 64 * 1024
_MAX_FIELDS = 200
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_HTTPS = ":443"


class ForeignSite(Forbidden):
    """A form that was not sent from one of our own pages."""

    code = "foreign_site"
    title = "This did not come from one of our pages"


class Form(msgspec.Struct, frozen=True):
    """What a person sent. A field that is missing reads as empty."""

    values: dict[str, list[str]] = {}

    def text(self, name: str) -> str:
        """The first value of a field."""
        return next(iter(self.values.get(name, [])), "")

    def all(self, name: str) -> list[str]:
        """Every value of a field, as check boxes send them."""
        return self.values.get(name, [])


EMPTY = Form()


async def read_form(request: Request[Any, Any, Any]) -> Form:
    """The request's urlencoded form. Raises Malformed or TooLarge; neither repeats what was sent."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise Malformed(f"Pages take forms as {_FORM}.")
    raw = await request.body()
    if len(raw) > _MAX_FORM:
        raise TooLarge("The form is too large.")
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise Malformed("The form is not valid UTF-8, or has too many fields.") from None
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        if "\x00" in value:
            raise Malformed("A field holds a NUL character.")
        values.setdefault(name, []).append(value)
    return Form(values)


def page(
    template: str,
    principal: Principal,
    *,
    status: int = 200,
    form: Form = EMPTY,
    error: Error | None = None,
    **context: Any,
) -> Template:
    """A page. With `error` it is the form again: same input, the message beside its field, the error's status.

    A missing second factor is no fault of the form: StepUpRequired is raised on, and leads to where one is shown.
    """
    if isinstance(error, StepUpRequired):
        raise error
    headers = {"Retry-After": str(error.retry_after)} if error and error.retry_after is not None else {}
    return Template(
        template,
        context={"principal": principal, "form": form, "error": error, **context},
        status_code=error.status if error else status,
        headers=headers,
    )


def see(path: str) -> Redirect:
    """After a POST: the page to look at now (303), so that a reload repeats nothing."""
    return Redirect(path, status_code=303)


async def attempt(
    database: Database,
    act: Callable[[OperatorWriter], Awaitable[object]],
    again: Callable[[Error], Awaitable[Response[Any]]],
    to: str,
) -> Response[Any]:
    """Does something in one transaction and goes on to a page; what is wrong is shown on the page that was left."""
    try:
        async with database.operator() as tx:
            await act(tx)
    except Error as error:
        return await again(error)
    return see(to)


def local_path(text: str) -> str:
    """A path of our own to go on to; HOME for anything that could lead elsewhere."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return HOME
    foreign = parts.scheme or parts.netloc or not text.startswith("/") or text.startswith("//")
    return HOME if foreign or "\\" in text or not text.isascii() or not text.isprintable() else text


def same_origin(base_url: str) -> Guard:
    """A guard for all pages: what changes something must have been sent from one of them, sign-in included.

    Browsers put `Origin` on every POST and no page can forge it (Fetch §3.2); where it is absent, Sec-Fetch-Site
    must say same-origin. The origin is the configured one: a Host header is the sender's word.
    """
    parts = urlsplit(base_url)
    own = f"{parts.scheme}://{parts.netloc}".lower().removesuffix(_HTTPS)

    def guard(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
        if connection.scope.get("method") in _SAFE_METHODS:
            return
        origin = connection.headers.get("origin")
        trusted = connection.headers.get("sec-fetch-site") == "same-origin" if origin is None else origin == own
        if not trusted:
            raise ForeignSite(f"Nothing was changed. Open {own} and send the form from there.")

    return guard
