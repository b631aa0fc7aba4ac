"""What surrounds each request: an id, an authenticated principal, and the headers of every answer."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from litestar.datastructures import MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from bailee.access.authentication import Authenticator, Caller
from bailee.access.devices import label_of
from bailee.access.networks import Network, address_of, network_of
from bailee.access.provider.endpoints import PROGRAM_PATHS
from bailee.foundation.errors import Error
from bailee.foundation.ids import new_id
from bailee.foundation.pages import COOKIE
from bailee.foundation.principal import ActorKind, Principal, Unauthenticated, anonymous

_API = ("/api/", "/scim/", "/ledger/", "/health", "/ready", "/metrics")
_BODY_SECONDS = 30.0
_UPLOADS = "/api/v1/files"
"""What takes its time, and asks for no second factor."""
_STILL_THERE = 1.0
"""A body that takes longer than so many seconds has its sender looked at again."""
_CSP = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; object-src 'none'; frame-ancestors 'none'; base-uri 'none'"
)
_API_CSP = "default-src 'none'; form-action 'none'; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; sandbox"
"""For what programs read: a browser that is led there, to a stored file for instance, shows what can do nothing."""
SECURITY_HEADERS = {
    "Content-Security-Policy": _CSP,
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with no-referrer browsers would send our forms with `Origin: null`
    "Permissions-Policy": (
        "camera=(), geolocation=(), microphone=(), payment=(), publickey-credentials-create=(self), "
        "publickey-credentials-get=(self)"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Server": "bailee",
}


def is_api(path: str) -> bool:
    """Whether a path speaks to programs: problems instead of pages, bearer tokens instead of cookies."""
    return path.startswith((*_API, *PROGRAM_PATHS))


class RequestTimedOut(Error):
    """The body did not come."""

    code = "request_timeout"
    status = 408
    title = "The request took too long"


class RightsChanged(Unauthenticated):
    """Who sends this may no longer do what they might when they began."""

    title = "Your rights have changed"


def patient(receive: Receive, seconds: float, complete: Callable[[], Awaitable[None]]) -> Receive:
    """`receive`, waiting at most so long for each part of the body, and awaiting `complete` when the last one is here.

    Raises RequestTimedOut.
    """
    done = False

    async def run() -> Any:
        nonlocal done
        if done:  # what comes now is the end of the connection, and that may take its time
            return await receive()
        try:
            async with asyncio.timeout(seconds):
                message = await receive()
        except TimeoutError:
            raise RequestTimedOut(f"No part of the body came for {seconds:g} s.") from None
        done = not message.get("more_body", False)
        if done:
            await complete()
        return message

    return run


def identify(authenticator: Authenticator, trusted_proxies: list[str]) -> "Any":
    """Middleware that puts the request's id and its principal into the scope.

    Programs send a bearer token, browsers a cookie, and neither way is open to the other: a cookie is worth
    nothing to the API, so no foreign page can make a browser use it.
    """
    proxies = [network_of(network) for network in trusted_proxies]

    def wrap(app: ASGIApp) -> ASGIApp:
        async def run(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != ScopeType.HTTP:
                await app(scope, receive, send)
                return
            request_id = new_id()
            headers = dict(scope["headers"])
            address = client_address(scope, proxies)
            caller = Caller(address, request_id, label_of(headers.get(b"user-agent", b"").decode("latin-1")))
            scope["state"]["request_id"] = request_id
            scope["state"]["began"] = time.monotonic()
            scope["user"] = scope["auth"] = anonymous(address, request_id, caller.device)
            structlog.contextvars.clear_contextvars()
            structlog.contextvars.bind_contextvars(request_id=str(request_id))
            token = _token_of(scope)
            try:
                principal = await authenticator.authenticate(token, caller)
                if is_api(scope["path"]) or principal.session_id is not None:  # an API key in a cookie is nobody
                    scope["auth"] = scope["user"] = principal
            except Unauthenticated:
                if is_api(scope["path"]):
                    raise
            began = time.monotonic()

            async def verify_still_there() -> None:
                """A body that was long in coming is acted on only for somebody who may still do what they might."""
                if scope["auth"].kind is not ActorKind.ANONYMOUS and time.monotonic() - began > _STILL_THERE:
                    present = await authenticator.authenticate(token, caller)
                    _verify_no_less(present, scope["auth"], stepped_up=not scope["path"].startswith(_UPLOADS))

            await app(scope, patient(receive, _BODY_SECONDS, verify_still_there), send)

        return run

    return wrap


def _token_of(scope: Scope) -> str | None:
    """What a request shows itself with. Raises Unauthenticated for another scheme."""
    if scope["path"].startswith((*PROGRAM_PATHS, "/metrics")):
        return None  # clients show their credentials to the endpoint itself
    if is_api(scope["path"]):
        return bearer_token(dict(scope["headers"]).get(b"authorization"))
    # A browser may send its cookies in several fields over HTTP/2 (RFC 9113 §8.2.3).
    return cookie_token(b"; ".join(value for name, value in scope["headers"] if name == b"cookie"))


def _verify_no_less(now: Principal, then: Principal, *, stepped_up: bool) -> None:
    """Raises RightsChanged. Where `stepped_up` matters, a second factor counts only while it is fresh."""
    stale = stepped_up and then.stepped_up and not now.stepped_up
    if stale or not then.permissions <= now.permissions or then.proof != now.proof:
        raise RightsChanged("Your rights have changed while this was being sent. Nothing was done; try again.")


def client_address(scope: Scope, proxies: list[Network]) -> str | None:
    """Where a request comes from: the peer, or what trusted proxies say about it.

    X-Forwarded-For is read from its end, as long as the one who wrote an entry is trusted: what stands before was
    written by somebody who is not. A proxy may add a line of its own instead of an entry; the lines count in order.
    """
    client = scope.get("client")
    peer = address_of(client[0]) if client else None
    if peer is None:
        return client[0] if client else None
    lines = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
    for entry in reversed(",".join(lines).split(",")):
        if not any(peer in network for network in proxies):
            break
        written = address_of(entry.strip())
        if written is None:
            break
        peer = written
    return str(peer)


def bearer_token(header: bytes | None) -> str | None:
    """The token of an Authorization header. Raises Unauthenticated for another scheme."""
    if header is None:
        return None
    scheme, _, token = header.decode("latin-1").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated("Send the token as: Authorization: Bearer <token>.")
    return token.strip()


def cookie_token(header: bytes) -> str | None:
    """The session token in a Cookie header."""
    # Only `;` parts cookies. A reader that also takes white space for a separator, or a quote for the beginning of a
    # string, can be led by a cookie of a sibling site to find another session in it.
    named = [one.partition("=") for one in header.decode("latin-1").split(";")]
    found = [value.strip() for name, _, value in named if name.strip() == COOKIE]
    return (found[0] or None) if len(found) == 1 else None


def finishing(*counts: Callable[[Scope, int], None]) -> Callable[[Message, Scope], Awaitable[None]]:
    """A hook that puts the security headers and the request's id on every answer, and counts it."""

    async def finish(message: Message, scope: Scope) -> None:
        if message["type"] != "http.response.start":
            return
        headers = MutableScopeHeaders.from_message(message)
        for name, value in SECURITY_HEADERS.items():
            headers[name] = value
        if is_api(scope["path"]):
            headers["Content-Security-Policy"] = _API_CSP
        if "cache-control" not in headers:
            headers["Cache-Control"] = "no-store"
        request_id = scope.get("state", {}).get("request_id")
        if request_id is not None:
            headers["X-Request-Id"] = str(request_id)
        for count in counts:
            count(scope, message["status"])

    return finish
