"""What surrounds each request: an id, an authenticated principal, and the headers of every answer."""

import asyncio
from http.cookies import CookieError, SimpleCookie
from typing import Any

import structlog
from litestar.datastructures import MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from bailee.access.authentication import Authenticator
from bailee.foundation.errors import Error
from bailee.foundation.ids import new_id
from bailee.foundation.pages import COOKIE
from bailee.foundation.principal import ActorKind, Unauthenticated, anonymous

_API = ("/api/", "/ledger/", "/health")
_BODY_SECONDS = 30.0
_CSP = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
SECURITY_HEADERS = {
    "Content-Security-Policy": _CSP,
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with no-referrer browsers would send our forms with `Origin: null`
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Server": "bailee",
}


def is_api(path: str) -> bool:
    """Whether a path speaks to programs: problems instead of pages, bearer tokens instead of cookies."""
    return path.startswith(_API)


class RequestTimedOut(Error):
    """The body did not come."""

    code = "request_timeout"
    status = 408
    title = "The request took too long"


def patient(receive: Receive, seconds: float) -> Receive:
    """`receive`, waiting at most so long for each part of the body. Raises RequestTimedOut."""
    complete = False

    async def run() -> Any:
        nonlocal complete
        if complete:  # what comes now is the end of the connection, and that may take its time
            return await receive()
        try:
            async with asyncio.timeout(seconds):
                message = await receive()
        except TimeoutError:
            raise RequestTimedOut(f"No part of the body came for {seconds:g} s.") from None
        complete = not message.get("more_body", False)
        return message

    return run


def identify(authenticator: Authenticator) -> "Any":
    """Middleware that puts the request's id and its principal into the scope.

    Programs send a bearer token, browsers a cookie, and neither way is open to the other: a cookie is worth
    nothing to the API, so no foreign page can make a browser use it.
    """

    def wrap(app: ASGIApp) -> ASGIApp:
        async def run(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != ScopeType.HTTP:
                await app(scope, receive, send)
                return
            request_id = new_id()
            address = scope["client"][0] if scope.get("client") else None  # type: ignore[index]
            headers = dict(scope["headers"])
            scope["state"]["request_id"] = request_id
            scope["user"] = scope["auth"] = anonymous(address, request_id)
            structlog.contextvars.clear_contextvars()
            structlog.contextvars.bind_contextvars(request_id=str(request_id))
            if is_api(scope["path"]):
                token = bearer_token(headers.get(b"authorization"))
            else:
                token = cookie_token(headers.get(b"cookie"))
            try:
                principal = await authenticator.authenticate(token, address, request_id)
                if is_api(scope["path"]) or principal.kind is not ActorKind.KEY:  # an API key in a cookie is nobody
                    scope["auth"] = scope["user"] = principal
            except Unauthenticated:
                if is_api(scope["path"]):
                    raise
            await app(scope, patient(receive, _BODY_SECONDS), send)

        return run

    return wrap


def bearer_token(header: bytes | None) -> str | None:
    """The token of an Authorization header. Raises Unauthenticated for another scheme."""
    if header is None:
        return None
    scheme, _, token = header.decode("latin-1").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated("Send the token as: Authorization: Bearer <token>.")
    return token.strip()


def cookie_token(header: bytes | None) -> str | None:
    """The session token in a Cookie header."""
    try:
        morsel = SimpleCookie((header or b"").decode("latin-1")).get(COOKIE)
    except CookieError:
        return None
    return morsel.value if morsel else None


async def finish(message: Message, scope: Scope) -> None:
    """Puts the security headers and the request's id on every answer."""
    if message["type"] != "http.response.start":
        return
    headers = MutableScopeHeaders.from_message(message)
    for name, value in SECURITY_HEADERS.items():
        headers[name] = value
    if "cache-control" not in headers:
        headers["Cache-Control"] = "no-store"
    request_id = scope.get("state", {}).get("request_id")
    if request_id is not None:
        headers["X-Request-Id"] = str(request_id)
