"""Step-up: a second factor shown again before what is delicate, and a new token for the session."""

from typing import Any
from urllib.parse import urlencode

from litestar import Response, get, post
from litestar.response import Template

from bailee.access.factors import Factors
from bailee.access.model import PasskeyChallenge
from bailee.access.pages.common import Onward
from bailee.access.pages.cookies import signed_in
from bailee.access.pages.session import answer_of
from bailee.access.sign_in import SignIn
from bailee.foundation.database import Database
from bailee.foundation.errors import Error
from bailee.foundation.http import own_account
from bailee.foundation.pages import HOME, Form, local_path, page, see
from bailee.foundation.principal import Principal, Unauthenticated


@get("/step-up", **own_account())
async def step_up_form(
    database: Database, factors: Factors, principal: Principal, onward: Onward = HOME
) -> Response[Any]:
    onward = local_path(onward)
    if principal.stepped_up:
        return see(onward)
    async with database.operator_read() as tx:
        own = await factors.own(tx, by=principal)
    if not (own.totp or own.passkeys or own.recovery_codes):
        return see(f"/account/factors?{urlencode({'next': onward})}")
    return page("step_up.html", principal, onward=onward, passkeys=bool(own.passkeys))


@post("/step-up", **own_account())
async def step_up(
    database: Database, factors: Factors, sign_in: SignIn, form: Form, principal: Principal
) -> Response[Any]:
    try:
        started = await sign_in.step_up_by_code(code=form.text("code"), by=principal)
    except Unauthenticated:
        raise
    except Error as error:
        return await _again(database, factors, form, principal, error)
    return signed_in(started, local_path(form.text("next")))


@post("/step-up/passkey/options", status_code=200, **own_account())
async def step_up_options(sign_in: SignIn, principal: Principal) -> PasskeyChallenge:
    return await sign_in.passkey_for_step_up(by=principal)


@post("/step-up/passkey", **own_account())
async def step_up_by_passkey(
    database: Database, factors: Factors, sign_in: SignIn, form: Form, principal: Principal
) -> Response[Any]:
    challenge_id, answer = answer_of(form)
    try:
        started = await sign_in.step_up_by_passkey(challenge_id=challenge_id, answer=answer, by=principal)
    except Unauthenticated:
        raise
    except Error as error:
        return await _again(database, factors, form, principal, error)
    return signed_in(started, local_path(form.text("next")))


async def _again(database: Database, factors: Factors, form: Form, principal: Principal, error: Error) -> Template:
    async with database.operator_read() as tx:
        own = await factors.own(tx, by=principal)
    onward = local_path(form.text("next"))
    return page("step_up.html", principal, error=error, onward=onward, passkeys=bool(own.passkeys))


routes = [step_up_form, step_up, step_up_options, step_up_by_passkey]
