"""The cookies: the session's, a browser's proof that it has signed in before, and an invitation on its way."""

from datetime import UTC, datetime
from typing import Any

from litestar import Request, Response
from litestar.datastructures import Cookie

from bailee.access.model import StartedSession
from bailee.foundation.pages import COOKIE, see

DEVICE_COOKIE = "__Host-bailee-device"
"""Spares somebody who signs in from a browser of theirs what strangers' failures on the account cause."""
_DEVICE_SECONDS = 180 * 24 * 3600
_INVITATION_COOKIE = "__Host-bailee-invitation"
_INVITATION_SECONDS = 3600


def signed_in(started: StartedSession, onward: str) -> Response[Any]:
    """On to a page, with the session in a cookie that scripts and other sites cannot use."""
    return with_session(see(onward), started)


def with_session(answer: Response[Any], started: StartedSession) -> Response[Any]:
    """An answer that begins a session, or goes on with it under its new token."""
    seconds = int((started.expires_at - datetime.now(UTC)).total_seconds())
    answer.set_cookie(_cookie(COOKIE, started.token, seconds))
    if started.device is not None:
        answer.set_cookie(_cookie(DEVICE_COOKIE, started.device, _DEVICE_SECONDS))
    return answer


def signed_out(onward: str) -> Response[Any]:
    """On to a page, without a session. The browser stays a known one."""
    return without_session(see(onward))


def without_session(answer: Response[Any]) -> Response[Any]:
    """An answer that takes the session from the browser, and what the browser has kept of our pages. Not every cookie:
    it stays a known one.
    """
    answer.set_cookie(_cookie(COOKIE, "", 0))
    answer.headers["Clear-Site-Data"] = '"cache", "storage"'
    return answer


def device_of(request: Request[Any, Any, Any]) -> str | None:
    """What an earlier sign-in of this browser was given."""
    return request.cookies.get(DEVICE_COOKIE)


def invitation_of(request: Request[Any, Any, Any]) -> str:
    """The token of the invitation that somebody is about to join with; empty for none."""
    return request.cookies.get(_INVITATION_COOKIE, "")


def with_invitation(answer: Response[Any], token: str) -> Response[Any]:
    """Keeps an invitation's token while its holder signs in; an empty one is forgotten."""
    answer.set_cookie(_cookie(_INVITATION_COOKIE, token, _INVITATION_SECONDS if token else 0))
    return answer


def _cookie(name: str, value: str, seconds: int) -> Cookie:
    return Cookie(key=name, value=value, max_age=seconds, path="/", secure=True, httponly=True, samesite="strict")
