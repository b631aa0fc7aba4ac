"""One's own account: name, password, sessions, and the tenants that one belongs to."""

from typing import Any

from litestar import Response, get, post
from litestar.response import Template

from bailee.access.accounts import Accounts
from bailee.access.api.common import id_of, secret_of
from bailee.access.factors import Factors
from bailee.access.pages.common import verify_repeated
from bailee.access.pages.cookies import signed_in, signed_out
from bailee.access.password_change import PasswordChange
from bailee.access.sessions import Sessions
from bailee.foundation.database import Database
from bailee.foundation.errors import Error
from bailee.foundation.http import own_account
from bailee.foundation.pages import HOME, Form, page, see
from bailee.foundation.principal import ActorKind, Principal, Unauthenticated

_NOTICES = {
    "name": "Your name is changed.",
    "password": "Your password is changed, and your other sessions have ended.",
    "ended": "That session has ended.",
    "others": "Your other sessions have ended.",
}


@get("/account", **own_account())
async def show_account(
    database: Database, accounts: Accounts, factors: Factors, sessions: Sessions, principal: Principal, done: str = ""
) -> Template:
    return await _shown(database, accounts, factors, sessions, principal, notice=_NOTICES.get(done, ""))


@post("/account/name", **own_account())
async def rename(
    database: Database, accounts: Accounts, factors: Factors, sessions: Sessions, form: Form, principal: Principal
) -> Response[Any]:
    try:
        async with database.operator() as tx:
            await accounts.rename(tx, name=form.text("name"), by=principal)
    except Unauthenticated:
        raise
    except Error as error:
        return await _shown(database, accounts, factors, sessions, principal, form=form, error=error)
    return see("/account?done=name")


@post("/account/password", **own_account())
async def change_password(
    database: Database, accounts: Accounts, factors: Factors, sessions: Sessions, password_change: PasswordChange,
    form: Form, principal: Principal,
) -> Response[Any]:  # fmt: skip
    try:
        verify_repeated(form)
        started = await password_change.change(
            old=secret_of(form.text("old")), new=secret_of(form.text("password")), by=principal
        )
    except Unauthenticated:
        raise
    except Error as error:
        return await _shown(database, accounts, factors, sessions, principal, error=error)
    return signed_in(started, "/account?done=password")


@post("/account/sessions/end-others", **own_account())
async def end_others(database: Database, sessions: Sessions, principal: Principal) -> Response[Any]:
    async with database.operator() as tx:
        await sessions.end_others(tx, by=principal)
    return see("/account?done=others")


@post("/account/sessions/{session:str}/end", **own_account())
async def end_session(database: Database, sessions: Sessions, session: str, principal: Principal) -> Response[Any]:
    session_id = id_of(session)
    async with database.operator() as tx:
        await sessions.end(tx, session_id, by=principal)
    return signed_out("/sign-in?done=out") if session_id == principal.session_id else see("/account?done=ended")


@post("/account/tenant", **own_account())
async def switch_tenant(database: Database, sessions: Sessions, form: Form, principal: Principal) -> Response[Any]:
    async with database.operator() as tx:
        started = await sessions.switch_tenant(tx, id_of(form.text("tenant")), by=principal)
    return signed_in(started, HOME)


async def _shown(
    database: Database, accounts: Accounts, factors: Factors, sessions: Sessions, principal: Principal, *,
    notice: str = "", form: Form | None = None, error: Error | None = None,
) -> Template:  # fmt: skip
    async with database.operator_read() as tx:
        account = await accounts.get(tx, principal.account_id)
        own = await factors.own(tx, by=principal)
        stays = await sessions.own(tx, by=principal)
        member = principal.kind is ActorKind.MEMBER
        places = await sessions.own_tenants(tx, by=principal) if member else []
    return page(
        "account.html",
        principal,
        form=form or Form({"name": [account.name]}),
        error=error,
        account=account,
        factors=own,
        sessions=stays,
        tenants=places,
        member=member,
        notice=notice,
    )


routes = [show_account, rename, change_password, end_others, end_session, switch_tenant]
