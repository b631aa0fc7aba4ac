"""Where products send people: to sign in, and to sign out.

The session's cookie is SameSite=Strict: a browser that comes from another site does not send it. So whoever arrives
from there without a session is first answered with a page that leads to the same address again, now from our own site.

Our policy lets forms lead nowhere else (`form-action`), and browsers hold redirects after a form to it. So whoever has
just signed in leaves by a page of our own instead of a redirect.
"""

from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from litestar import Request, Response, get, post
from litestar.response import Template

from bailee.access.pages.cookies import signed_out, without_session
from bailee.access.provider.authorization import Authorization, Step
from bailee.access.provider.errors import AuthorizationRefused
from bailee.access.provider.logout import Logout, LogoutRequest
from bailee.access.provider.model import AFTER
from bailee.access.sessions import Sessions
from bailee.foundation.database import Database
from bailee.foundation.errors import Malformed
from bailee.foundation.pages import Form, local_path, page, see
from bailee.foundation.principal import Principal

AUTHORIZE, LOGOUT = "/oidc/authorize", "/oidc/logout"
_MAX_QUERY = 8000
_MAX_FIELDS = 50


@get(AUTHORIZE)
async def authorize(
    request: Request[Any, Any, Any], authorization: Authorization, principal: Principal
) -> Response[Any]:
    """Opens a product (OpenID Connect Core §3.1.2): back to it with a code, or first to what is missing."""
    form = query_of(request)
    back = await authorization.find_return(form)
    if _came_without_cookie(request, principal):
        return _leave(principal, _path(AUTHORIZE, form), "Bailee")
    try:
        asked = await authorization.examine(form, back)
        found = await authorization.decide(asked, by=principal)
    except AuthorizationRefused as refused:
        url = authorization.refusal(back, refused)
        if principal.session_id is None and not back.client.is_operators:
            # Any tenant names addresses of its own: a stranger is not sent there without a look at where it is.
            return _leave(principal, url, urlsplit(url).netloc, by_itself=False)
        return _answer(request, principal, url, back.client.name)
    if not isinstance(found, Step):
        return _answer(request, principal, found, back.client.name)
    again = asked.login or asked.max_age is not None
    onward = _path(AUTHORIZE, form, {AFTER: authorization.mark(form)} if again else {})
    if found is Step.SIGN_IN_AGAIN:
        return page("provider_again.html", principal, onward=onward, product=back.client.name)
    return see(f"{'/sign-in' if found is Step.SIGN_IN else '/step-up'}?{urlencode({'next': onward})}")


@post(AUTHORIZE)
async def authorize_by_form(form: Form) -> Response[Any]:
    """The same request, sent as a form: asked again as a page, for a form from elsewhere changes nothing here."""
    return see(_path(AUTHORIZE, form))


@post("/oidc/again")
async def sign_in_again(database: Database, sessions: Sessions, form: Form, principal: Principal) -> Response[Any]:
    """Ends the session, as the product wants the person to sign in anew; then on to that."""
    await _sign_out(database, sessions, principal)
    return signed_out(f"/sign-in?{urlencode({'next': local_path(form.text('next'))})}")


@get(LOGOUT)
async def log_out(
    request: Request[Any, Any, Any], database: Database, sessions: Sessions, logout: Logout, principal: Principal
) -> Response[Any]:
    """Ends the session that the product's ID token names; asks the person about any other."""
    form = query_of(request)
    asked = await logout.examine(form)
    if _came_without_cookie(request, principal):
        return _leave(principal, _path(LOGOUT, form), "Bailee")
    if principal.session_id is None:
        return _gone(request, principal, asked)
    if asked.session_id != principal.session_id:
        return page("provider_logout.html", principal, product=asked.client, fields=_fields(form))
    await _sign_out(database, sessions, principal)
    return without_session(_gone(request, principal, asked))


@post(LOGOUT)
async def log_out_by_form(form: Form) -> Response[Any]:
    """The same request, sent as a form: asked again as a page."""
    return see(_path(LOGOUT, form))


@post("/oidc/logout/confirm")
async def confirm_logout(
    request: Request[Any, Any, Any], database: Database, sessions: Sessions, logout: Logout, form: Form,
    principal: Principal,
) -> Response[Any]:  # fmt: skip
    """The person has said yes."""
    asked = await logout.examine(form)
    await _sign_out(database, sessions, principal)
    return without_session(_gone(request, principal, asked))


def query_of(request: Request[Any, Any, Any]) -> Form:
    """The parameters of a query, as a form has them. Raises Malformed."""
    raw = request.scope["query_string"]
    if len(raw) > _MAX_QUERY:
        raise Malformed("The address is too long.")
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise Malformed("The address has a query that cannot be read.") from None
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        if "\x00" in value:
            raise Malformed("The address has a query that cannot be read.")
        values.setdefault(name, []).append(value)
    return Form(values)


def _came_without_cookie(request: Request[Any, Any, Any], principal: Principal) -> bool:
    return principal.session_id is None and request.headers.get("sec-fetch-site") == "cross-site"


def _answer(request: Request[Any, Any, Any], principal: Principal, url: str, product: str) -> Response[Any]:
    """On to the product; by a page of ours where a form may have led here."""
    if request.headers.get("sec-fetch-site") == "same-origin":
        return _leave(principal, url, product)
    return see(url)


def _leave(principal: Principal, url: str, product: str, *, by_itself: bool = True) -> Response[Any]:
    answer: Template = page("provider_leave.html", principal, url=url, product=product, by_itself=by_itself)
    return answer


def _gone(request: Request[Any, Any, Any], principal: Principal, asked: LogoutRequest) -> Response[Any]:
    if asked.onward is None:
        return see("/sign-in?done=out")
    if asked.session_id is None and not asked.is_operators:
        return _leave(principal, asked.onward, urlsplit(asked.onward).netloc, by_itself=False)
    return _answer(request, principal, asked.onward, asked.client or "the application")


async def _sign_out(database: Database, sessions: Sessions, principal: Principal) -> None:
    if principal.session_id is not None:
        async with database.operator() as tx:
            await sessions.sign_out(tx, by=principal)


def _path(path: str, form: Form, more: dict[str, str] | None = None) -> str:
    kept = {name: values for name, values in form.values.items() if name not in (more or {})}
    return f"{path}?{urlencode({**kept, **(more or {})}, doseq=True)}"


def _fields(form: Form) -> dict[str, str]:
    """What the confirmation carries on; the ID token is not of the session and stays behind."""
    names = ("client_id", "post_logout_redirect_uri", "state", "id_token_hint")
    return {name: form.text(name) for name in names if form.text(name)}


routes = [sign_in_again, confirm_logout]
"""Behind the guard against foreign sites."""
from_anywhere = [authorize, authorize_by_form, log_out, log_out_by_form]
"""Where products send people. A form that comes here only leads to the page of the same name."""
