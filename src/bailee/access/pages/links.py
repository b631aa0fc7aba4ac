"""What mailed links lead to: a new password, a new second factor, a first account.

A link's token stands in the URL's fragment, which browsers keep to themselves: no log and no proxy sees it. A script
moves it into a form; from there on it travels in bodies, and for somebody who has to sign in first in a cookie.
"""

from typing import Any

from litestar import Request, Response, get, post
from litestar.background_tasks import BackgroundTask
from litestar.response import Template

from bailee.access.api.common import secret_of
from bailee.access.errors import LinkRefused
from bailee.access.invitations import Invitations, InvitationView
from bailee.access.model import SessionKind
from bailee.access.pages.common import verify_repeated
from bailee.access.pages.cookies import invitation_of, signed_in, signed_out, with_invitation
from bailee.access.password_change import PasswordChange
from bailee.access.sessions import Sessions
from bailee.foundation.database import Database
from bailee.foundation.errors import Error
from bailee.foundation.http import own_account
from bailee.foundation.pages import EMPTY, HOME, Form, page
from bailee.foundation.principal import Principal

# --- a new password -----------------------------------------------------------------------------------


@get("/password")
async def password_form(principal: Principal) -> Template:
    return page("password.html", principal)


@post("/password/link")
async def ask_link(password_change: PasswordChange, form: Form, principal: Principal) -> Template:
    """Answered first and looked up after: the answer and its time are the same whoever has an account."""
    answer = page("password_asked.html", principal, status=202)
    answer.background = BackgroundTask(password_change.ask, email=form.text("email")[:254], by=principal)
    return answer


@post("/password")
async def choose_password(password_change: PasswordChange, form: Form, principal: Principal) -> Response[Any]:
    try:
        verify_repeated(form)
        await password_change.reset(
            token=form.text("token").strip(), new=secret_of(form.text("password")), by=principal
        )
    except Error as error:
        return page("password.html", principal, form=form, error=error)
    return signed_out("/sign-in?done=password")


# --- a new second factor ------------------------------------------------------------------------------


@get("/enrolment")
async def enrolment_form(principal: Principal) -> Template:
    return page("enrolment.html", principal)


@post("/enrolment")
async def begin_enrolment(password_change: PasswordChange, form: Form, principal: Principal) -> Response[Any]:
    """A session in which nothing but enrolling a factor works."""
    try:
        started = await password_change.enrol(
            token=form.text("token").strip(), password=secret_of(form.text("password")), by=principal
        )
    except Error as error:
        return page("enrolment.html", principal, form=form, error=error)
    return signed_in(started, "/account/factors")


# --- an invitation ------------------------------------------------------------------------------------


@get("/invitation")
async def invitation_form(
    request: Request[Any, Any, Any], database: Database, invitations: Invitations, principal: Principal
) -> Response[Any]:
    """Asks for the link's token; somebody who has signed in on the way here is shown the invitation again."""
    token = invitation_of(request)
    if token and principal.session_id is not None:
        try:
            return _shown(principal, token, await _view(database, invitations, token))
        except LinkRefused:
            return with_invitation(page("invitation.html", principal), "")
    return page("invitation.html", principal)


@post("/invitation", status_code=200)
async def show_invitation(
    database: Database, invitations: Invitations, form: Form, principal: Principal
) -> Response[Any]:
    token = form.text("token").strip()
    try:
        view = await _view(database, invitations, token)
    except LinkRefused as error:
        return page("invitation.html", principal, form=form, error=error)
    shown = _shown(principal, token, view, Form({"name": [view.name]}))
    return with_invitation(shown, token) if view.has_account and principal.session_id is None else shown


@post("/invitation/accept")
async def accept_invitation(
    database: Database, invitations: Invitations, form: Form, principal: Principal
) -> Response[Any]:
    token = form.text("token")
    try:
        view = await _view(database, invitations, token)
    except LinkRefused as error:
        return page("invitation.html", principal, error=error)
    try:
        verify_repeated(form)
        started = await invitations.accept(
            token=token, name=form.text("name"), password=secret_of(form.text("password")), kind=SessionKind.BROWSER,
            by=principal,
        )  # fmt: skip
    except Error as error:
        return _shown(principal, token, view, form, error)
    return signed_in(started, "/account/factors" if view.staff else HOME)


@post("/invitation/join", **own_account())
async def join_tenant(
    database: Database, invitations: Invitations, sessions: Sessions, form: Form, principal: Principal
) -> Response[Any]:
    """Joins with the account one has, and goes there."""
    token = form.text("token")
    try:
        view = await _view(database, invitations, token)
    except LinkRefused as error:
        return page("invitation.html", principal, error=error)
    try:
        async with database.operator() as tx:
            tenant = await invitations.join(tx, token=token, by=principal)
            started = await sessions.switch_tenant(tx, tenant, by=principal)
    except Error as error:
        return _shown(principal, token, view, error=error)
    return with_invitation(signed_in(started, HOME), "")


async def _view(database: Database, invitations: Invitations, token: str) -> InvitationView:
    async with database.operator_read() as tx:
        return await invitations.view(tx, token)


def _shown(
    principal: Principal, token: str, view: InvitationView, form: Form = EMPTY, error: Error | None = None
) -> Template:
    return page("invitation_accept.html", principal, form=form, error=error, token=token, invitation=view)


routes = [
    password_form, ask_link, choose_password, enrolment_form, begin_enrolment, invitation_form, show_invitation,
    accept_invitation, join_tenant,
]  # fmt: skip
