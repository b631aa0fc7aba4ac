"""The way in and out: by password and a second factor in two steps, or by passkey in one."""

from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.response import Template

from bailee.access.accounts import Accounts
from bailee.access.api.common import secret_of
from bailee.access.errors import SignInOver
from bailee.access.model import PasskeyChallenge, PendingSignIn, SessionKind
from bailee.access.pages.common import Onward
from bailee.access.pages.cookies import device_of, signed_in, signed_out
from bailee.access.sessions import Sessions
from bailee.access.sign_in import SignIn
from bailee.foundation.database import Database
from bailee.foundation.errors import Error
from bailee.foundation.http import parse_uuid
from bailee.foundation.pages import HOME, Form, local_path, page, see
from bailee.foundation.principal import Principal

_FIRST_PAGES = (("/toms", "measures.read"), ("/members", "members.read"))
_NOTICES = {
    "password": "Your password is changed, and every session has ended. Sign in with the new one.",
    "out": "You are signed out.",
}


@get("/")
async def home(database: Database, accounts: Accounts, principal: Principal) -> Response[Any]:
    """On to the first page that one may see, to sign-in, or to setup while nobody has an account."""
    if principal.session_id is None:
        return see("/setup" if await nobody_yet(database, accounts) else "/sign-in")
    return see(next((path for path, permission in _FIRST_PAGES if principal.may(permission)), "/account"))


@get("/sign-in")
async def sign_in_form(
    database: Database, accounts: Accounts, principal: Principal, onward: Onward = HOME, done: str = ""
) -> Response[Any]:
    if principal.session_id is not None:
        return see(local_path(onward))
    if await nobody_yet(database, accounts):
        return see("/setup")
    return page("sign_in.html", principal, onward=local_path(onward), notice=_NOTICES.get(done, ""))


@post("/sign-in")
async def sign_in_by_password(
    request: Request[Any, Any, Any], sign_in: SignIn, form: Form, principal: Principal
) -> Response[Any]:
    onward = local_path(form.text("next"))
    try:
        found = await sign_in.by_password(
            email=form.text("email"),
            password=secret_of(form.text("password")),
            device=device_of(request),
            kind=SessionKind.BROWSER,
            by=principal,
        )
    except Error as error:
        return _first(principal, onward, error, form)
    if isinstance(found, PendingSignIn):
        return page("sign_in_second.html", principal, onward=onward, pending=found)
    return signed_in(found, onward)


@post("/sign-in/code")
async def sign_in_by_code(sign_in: SignIn, form: Form, principal: Principal) -> Response[Any]:
    onward, pending = local_path(form.text("next")), _pending(form)
    try:
        started = await sign_in.by_code(
            pending=pending.pending, code=form.text("code"), kind=SessionKind.BROWSER, by=principal
        )
    except SignInOver as error:
        return _first(principal, onward, error)
    except Error as error:
        return page("sign_in_second.html", principal, error=error, onward=onward, pending=pending)
    return signed_in(started, onward)


@post("/sign-in/passkey/options", status_code=200)
async def passkey_options(sign_in: SignIn, form: Form, principal: Principal) -> PasskeyChallenge:
    """What the browser's key is to answer: one of the account's after a password, any that it has for us without."""
    pending = form.text("pending")
    return await (sign_in.passkey_for(pending=pending) if pending else sign_in.passkey_for_anyone(by=principal))


@post("/sign-in/passkey")
async def sign_in_by_passkey(sign_in: SignIn, form: Form, principal: Principal) -> Response[Any]:
    onward, pending = local_path(form.text("next")), _pending(form)
    challenge_id, answer = answer_of(form)
    try:
        if pending.pending:
            started = await sign_in.by_passkey_after_password(
                pending=pending.pending, challenge_id=challenge_id, answer=answer, kind=SessionKind.BROWSER,
                by=principal,
            )  # fmt: skip
        else:
            started = await sign_in.by_passkey(
                challenge_id=challenge_id, answer=answer, kind=SessionKind.BROWSER, by=principal
            )
    except Error as error:
        if not pending.pending or isinstance(error, SignInOver):
            return _first(principal, onward, error)
        return page("sign_in_second.html", principal, error=error, onward=onward, pending=pending)
    return signed_in(started, onward)


@post("/sign-out")
async def sign_out(database: Database, sessions: Sessions, principal: Principal) -> Response[Any]:
    if principal.session_id is not None:
        async with database.operator() as tx:
            await sessions.sign_out(tx, by=principal)
    return signed_out("/sign-in?done=out")


async def nobody_yet(database: Database, accounts: Accounts) -> bool:
    async with database.operator_read() as tx:
        return await accounts.needs_setup(tx)


def answer_of(form: Form) -> tuple[UUID, bytes]:
    """What a passkey has answered, and to which challenge; one that is not well-formed answers none."""
    return parse_uuid(form.text("challenge_id")) or UUID(int=0), form.text("answer").encode()


def _pending(form: Form) -> PendingSignIn:
    return PendingSignIn(form.text("pending"), form.all("methods"))


def _first(principal: Principal, onward: str, error: Error, form: Form | None = None) -> Template:
    return page("sign_in.html", principal, form=form or Form(), error=error, onward=onward, notice="")


routes = [
    home, sign_in_form, sign_in_by_password, sign_in_by_code, passkey_options, sign_in_by_passkey, sign_out,
]  # fmt: skip
