"""The way in and out."""

from datetime import UTC, datetime
from typing import Annotated, Any

from litestar import Response, get, post
from litestar.datastructures import Cookie
from litestar.params import QueryParameter

from bailee.access.accounts import Accounts
from bailee.access.api import secret_of
from bailee.access.model import StartedSession
from bailee.foundation.database import Database
from bailee.foundation.errors import Error
from bailee.foundation.pages import COOKIE, HOME, Form, local_path, page, see
from bailee.foundation.principal import Principal


@get("/")
async def home(database: Database, accounts: Accounts, principal: Principal) -> Response[Any]:
    """On to the first page, to sign-in, or to setup while nobody has an account."""
    if principal.session_id is not None:
        return see(HOME)
    return see("/setup" if await nobody_yet(database, accounts) else "/sign-in")


@get("/sign-in")
async def sign_in_form(
    database: Database,
    accounts: Accounts,
    principal: Principal,
    onward: Annotated[str, QueryParameter(name="next", max_length=2000)] = HOME,
) -> Response[Any]:
    if principal.session_id is not None:
        return see(local_path(onward))
    if await nobody_yet(database, accounts):
        return see("/setup")
    return page("sign_in.html", principal, onward=local_path(onward))


@post("/sign-in")
async def sign_in(database: Database, accounts: Accounts, form: Form, principal: Principal) -> Response[Any]:
    onward = local_path(form.text("next"))
    try:
        started = await accounts.sign_in(
            database,
            email=form.text("email"),
            password=secret_of(form.text("password")),
            code=code_of(form),
            by=principal,
        )
    except Error as error:
        return page("sign_in.html", principal, form=form, error=error, onward=onward)
    return signed_in(started, onward)


@post("/sign-out")
async def sign_out(database: Database, accounts: Accounts, principal: Principal) -> Response[Any]:
    if principal.session_id is not None:
        async with database.operator() as tx:
            await accounts.sign_out(tx, by=principal)
    answer: Response[Any] = see("/sign-in")
    answer.set_cookie(_cookie("", 0))
    return answer


def signed_in(started: StartedSession, onward: str) -> Response[Any]:
    """On to a page, with the session in a cookie that scripts and other sites cannot use."""
    answer: Response[Any] = see(onward)
    answer.set_cookie(_cookie(started.token, int((started.expires_at - datetime.now(UTC)).total_seconds())))
    return answer


def code_of(form: Form) -> str:
    """A code as apps show it may have a space in its middle."""
    return "".join(form.text("code").split())


async def nobody_yet(database: Database, accounts: Accounts) -> bool:
    async with database.operator_read() as tx:
        return await accounts.needs_setup(tx)


def _cookie(token: str, seconds: int) -> Cookie:
    return Cookie(key=COOKIE, value=token, max_age=seconds, path="/", secure=True, httponly=True, samesite="strict")
