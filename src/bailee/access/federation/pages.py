"""The way through a company's identity provider, as a browser goes it.

Both pages lead on by themselves instead of redirecting. A form's answer may not redirect to a foreign site (our
Content-Security-Policy says so), and a redirect on the way back would still count as the foreign site's navigation,
with which browsers send no SameSite=Strict cookie: the person would arrive signed out.
"""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

from litestar import Request, Response, get, post
from litestar.datastructures import Cookie

from bailee.access.errors import TooManyAttempts
from bailee.access.federation.errors import NoCompanySignIn, ProviderUnusable, SsoRefused
from bailee.access.federation.model import Returned
from bailee.access.federation.sign_in import SsoSignIn
from bailee.access.pages.cookies import with_session
from bailee.access.provider.model import AFTER
from bailee.foundation.errors import Error
from bailee.foundation.pages import HOME, Form, local_path, page
from bailee.foundation.principal import Principal

SSO_COOKIE = "__Host-bailee-sso"
"""Ties what comes back to the browser that began it. Lax: it is read when another site sends the browser here."""


@post("/sso/start")
async def start(sso_sign_in: SsoSignIn, form: Form, principal: Principal) -> Response[Any]:
    onward = local_path(form.text("next"))
    try:
        found = await sso_sign_in.begin(
            email=form.text("email"), onward=onward, anew=AFTER in dict(parse_qsl(urlsplit(onward).query)), by=principal
        )
        if found is None:
            raise NoCompanySignIn
    except ProviderUnusable:
        return _again(principal, onward, NoCompanySignIn(reachable=False), form)
    except (NoCompanySignIn, TooManyAttempts) as error:
        return _again(principal, onward, error, form)
    answer: Response[Any] = page("sso_onward.html", principal, url=found.url, host=found.host)
    answer.set_cookie(_cookie(found.browser, found.seconds))
    return answer


@get("/sso/callback")
async def callback(
    request: Request[Any, Principal, Any], sso_sign_in: SsoSignIn, principal: Principal
) -> Response[Any]:
    sent = request.query_params
    returned = Returned(
        sent.get("state", ""), request.cookies.get(SSO_COOKIE, ""), sent.get("code", ""), sent.get("iss"),
        sent.get("error"),
    )  # fmt: skip
    try:
        started, onward = await sso_sign_in.finish(returned, by=principal)
    except (SsoRefused, TooManyAttempts) as refused:
        answer = _again(principal, HOME, refused, Form())
    else:
        onward = local_path(onward)
        answer = with_session(page("sso_done.html", principal, url=onward), started)
    answer.set_cookie(_cookie("", 0))
    return answer


def _again(principal: Principal, onward: str, error: Error, form: Form) -> Response[Any]:
    return page("sign_in.html", principal, form=form, error=error, onward=onward, notice="")


def _cookie(value: str, seconds: int) -> Cookie:
    return Cookie(key=SSO_COOKIE, value=value, max_age=seconds, path="/", secure=True, httponly=True, samesite="lax")


routes = [start, callback]
