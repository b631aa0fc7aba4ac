"""Errors, rendered once: a problem document for programs, a page for people."""

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode, urlsplit
from uuid import UUID

import msgspec
import structlog
from litestar import Request, Response
from litestar.background_tasks import BackgroundTask
from litestar.exceptions import HTTPException, ValidationException
from litestar.response import Redirect, Template

from bailee.access.federation.scim.api import PREFIX as SCIM_PREFIX
from bailee.access.federation.scim.errors import SCIM, scim_error
from bailee.events import Events, Object
from bailee.events.catalogue import AuthorisationFailed, SystemFailed
from bailee.events.model import Outcome
from bailee.foundation.database import Database
from bailee.foundation.errors import (
    Error,
    FieldError,
    Invalid,
    Malformed,
    NotFound,
    StorageFull,
    TooLarge,
    unquoted,
)
from bailee.foundation.http import PROBLEM, problem_of
from bailee.foundation.ids import new_id
from bailee.foundation.pages import HOME, local_path
from bailee.foundation.principal import ActorKind, Principal, StepUpRequired, Unauthenticated
from bailee.web.middleware import is_api

log = structlog.get_logger()

_EVENTS_A_SECOND = 20
_ANONYMOUS_A_SECOND = 1
_NO_SPACE = 28
_UNAUTHORISED = (401, 403)


class MethodNotAllowed(Error):
    """The path exists, and does not take this method."""

    code = "method_not_allowed"
    status = 405
    title = "Method not allowed"


class UnsupportedMedia(Error):
    """The body's media type is not what the route takes."""

    code = "unsupported_media_type"
    status = 415
    title = "Unsupported media type"


class Unexpected(Error):
    """A fault of ours. The request's id leads to the log."""


class Problems:
    """Renders errors, and records the ones that security cares for."""

    def __init__(self, database: Database, events: Events) -> None:
        self._database = database
        self._events = events
        self._second = 0
        self._spent: dict[str, int] = {}

    def handlers(self) -> dict[type[Exception] | int, Any]:
        return {Error: self.expected, HTTPException: self.http, Exception: self.unexpected}

    def expected(self, request: Request[Any, Any, Any], error: Error) -> Response[Any]:
        """One of ours."""
        background = None
        principal: Principal | None = request.scope.get("auth")
        presented = "authorization" in request.headers or bool(principal and principal.kind is not ActorKind.ANONYMOUS)
        if error.status in _UNAUTHORISED and presented and principal and self._may_record(principal):
            details = AuthorisationFailed(_route(request), error.status)
            background = BackgroundTask(self._record, details, principal, Outcome.REFUSED)
        elif error.status >= 500:  # noqa: PLR2004  a server error
            log.error("request failed", code=error.code, route=_route(request))
        return render(request, error, background)

    def http(self, request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
        """One of the framework's, in our words."""
        return self.expected(request, _translate(error))

    def unexpected(self, request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
        """One that nobody foresaw: logged by type and place, answered without either."""
        if isinstance(error, OSError) and error.errno == _NO_SPACE:
            return self.expected(request, StorageFull("The disk is full; nothing was changed."))
        if isinstance(error, RecursionError):
            return self.expected(request, Malformed("The body nests too deeply."))
        if isinstance(error, UnicodeDecodeError):  # the framework's JSON decoder lets it through
            return self.expected(request, Malformed("The body is not valid JSON in UTF-8."))
        log.error("unexpected error", route=_route(request), exc_info=error)
        background = None
        principal: Principal | None = request.scope.get("auth")
        if principal and self._may_record(principal):
            details = SystemFailed(type(error).__qualname__[:127].replace("<", "_").replace(">", "_"))
            background = BackgroundTask(self._record, details, principal, Outcome.FAILURE)
        return render(request, Unexpected("Something went wrong on our side. Quote the request id."), background)

    async def _record(self, details: AuthorisationFailed | SystemFailed, by: Principal, outcome: Outcome) -> None:
        try:
            async with self._database.operator() as tx:
                await self._events.record(
                    tx, details, by=by, on=Object("request", str(by.request_id)), tenant=by.tenant_id, outcome=outcome
                )
        except Error as error:
            log.warning("event not recorded", action=details.action, reason=error.code)

    def _may_record(self, principal: Principal) -> bool:
        """At most so many a second: a flood of bad requests must not become a flood of writes.

        Whoever is known has places of their own, so strangers' noise does not hide what a stolen key is refused.
        """
        now = int(time.monotonic())
        if now != self._second:
            self._second, self._spent = now, {}
        spender = principal.id if principal.kind is not ActorKind.ANONYMOUS else ""
        self._spent[spender] = self._spent.get(spender, 0) + 1
        return self._spent[spender] <= (_EVENTS_A_SECOND if spender else _ANONYMOUS_A_SECOND)


def render(request: Request[Any, Any, Any], error: Error, background: BackgroundTask | None = None) -> Response[Any]:
    """An error as the caller's kind reads it."""
    headers = {"Retry-After": str(error.retry_after)} if error.retry_after is not None else {}
    # A path that no route has is refused before the middleware runs: it gets its id here.
    request_id: UUID = request.scope["state"].setdefault("request_id", new_id())
    if is_api(request.scope["path"]):
        if error.status == 401:  # noqa: PLR2004  RFC 9110 wants the challenge
            headers["WWW-Authenticate"] = "Bearer"
        if request.scope["path"].startswith(f"{SCIM_PREFIX}/"):
            status, body = scim_error(error)
            return Response(body, status_code=status, media_type=SCIM, headers=headers, background=background)
        return Response(
            msgspec.json.encode(problem_of(error, request_id)), status_code=error.status, media_type=PROBLEM,
            headers=headers, background=background,
        )  # fmt: skip
    if isinstance(error, Unauthenticated):
        # A form that was sent without a session is lost; a page is come back to.
        onward = _asked_for(request) if request.method == "GET" else HOME
        return Redirect(f"/sign-in?{urlencode({'next': onward})}", status_code=303, background=background)
    if isinstance(error, StepUpRequired):
        onward = _asked_for(request) if request.method == "GET" else _came_from(request)
        return Redirect(f"/step-up?{urlencode({'next': onward})}", status_code=303, background=background)
    return Template(
        "error.html", context={"error": error, "request_id": request_id, "principal": request.scope.get("auth")},
        status_code=error.status, headers=headers, background=background,
    )  # fmt: skip


def _asked_for(request: Request[Any, Any, Any]) -> str:
    """The page's own address, to come back to."""
    url = request.url
    return local_path(f"{url.path}?{url.query}" if url.query else url.path)


def _came_from(request: Request[Any, Any, Any]) -> str:
    """The page of ours that a form was sent from."""
    try:
        parts = urlsplit(request.headers.get("referer", ""))
    except ValueError:
        return HOME
    if not parts.netloc or parts.netloc != request.headers.get("host"):
        return HOME
    return local_path(f"{parts.path}?{parts.query}" if parts.query else parts.path)


def _translate(error: HTTPException) -> Error:
    if isinstance(error, ValidationException):
        places: list[Any] = list(error.extra or ())
        found = [
            FieldError(str(place.get("key") or "body"), f"{unquoted(str(place.get('message')))}.") for place in places
        ]
        return Invalid("The request is not valid.", errors=found)
    if error.status_code in _TRANSLATIONS:
        return _TRANSLATIONS[error.status_code]()
    if 400 <= error.status_code < 500:  # noqa: PLR2004  the caller's fault
        return Malformed("The request could not be read. Is the body valid JSON in UTF-8?")
    return Unexpected("Something went wrong on our side. Quote the request id.")


_TRANSLATIONS: dict[int, Callable[[], Error]] = {
    404: NotFound,
    405: lambda: MethodNotAllowed("This path does not take that method."),
    413: lambda: TooLarge("The body is too large."),
    415: lambda: UnsupportedMedia("The body's media type is not what this path takes."),
}


def _route(request: Request[Any, Any, Any]) -> str:
    """The route's template, never the path: a path can name a person."""
    handler: Any = dict(request.scope).get("route_handler")  # there is none when no route matched
    template = min(handler.paths, default="/") if handler else "/"
    path = request.scope.get("path_template") or template
    return f"{request.method} {path}"[:200]
