"""One's own second factors: the app, passkeys, recovery codes. The first of them is enrolled here too."""

from typing import Any

from litestar import Response, get, post
from litestar.response import Template

from bailee.access.api.common import id_of
from bailee.access.factors import Factors
from bailee.access.model import Enrolled, PasskeyChallenge
from bailee.access.pages.common import Onward, app_secret, code_of, moved
from bailee.access.pages.cookies import signed_in, with_session
from bailee.access.pages.session import answer_of
from bailee.foundation.database import Database
from bailee.foundation.errors import Conflict, Error, Invalid
from bailee.foundation.http import own_account
from bailee.foundation.pages import EMPTY, HOME, Form, local_path, page, see
from bailee.foundation.principal import Principal, Unauthenticated

_HERE = "/account/factors"
_NOTICES = {
    "added": "It is added: you can sign in with it from now on.",
    "renamed": "The name is changed.",
    "removed": "It is removed: it opens nothing any more.",
}


@get(_HERE, **own_account())
async def show_factors(
    database: Database, factors: Factors, principal: Principal, onward: Onward = HOME, done: str = ""
) -> Template:
    return await _shown(database, factors, principal, local_path(onward), notice=_NOTICES.get(done, ""))


@post(f"{_HERE}/totp", **own_account())
async def begin_totp(database: Database, factors: Factors, form: Form, principal: Principal) -> Response[Any]:
    onward = local_path(form.text("next"))
    try:
        async with database.operator() as tx:
            begun = await factors.begin_totp(tx, by=principal)
    except Conflict as error:
        return await _shown(database, factors, principal, onward, error=error)
    return page("account_totp.html", principal, app=app_secret(begun.uri), onward=onward)


@post(f"{_HERE}/totp/confirm", **own_account())
async def confirm_totp(database: Database, factors: Factors, form: Form, principal: Principal) -> Response[Any]:
    onward = local_path(form.text("next"))
    try:
        async with database.operator() as tx:
            done = await factors.confirm_totp(tx, code=code_of(form), by=principal)
    except Invalid as error:
        return page("account_totp.html", principal, error=error, app=app_secret(form.text("uri")), onward=onward)
    return _enrolled(done, principal, onward)


@post(f"{_HERE}/totp/remove", **own_account())
async def remove_totp(database: Database, factors: Factors, principal: Principal) -> Response[Any]:
    try:
        async with database.operator() as tx:
            await factors.remove_totp(tx, by=principal)
    except Conflict as error:
        return await _shown(database, factors, principal, HOME, error=error)
    return see(f"{_HERE}?done=removed")


@post(f"{_HERE}/passkeys/options", status_code=200, **own_account())
async def begin_passkey(database: Database, factors: Factors, principal: Principal) -> PasskeyChallenge:
    async with database.operator() as tx:
        return await factors.begin_passkey(tx, by=principal)


@post(f"{_HERE}/passkeys", **own_account())
async def confirm_passkey(database: Database, factors: Factors, form: Form, principal: Principal) -> Response[Any]:
    onward = local_path(form.text("next"))
    challenge_id, answer = answer_of(form)
    try:
        async with database.operator() as tx:
            done = await factors.confirm_passkey(
                tx, challenge_id=challenge_id, answer=answer, name=form.text("name"), by=principal
            )
    except Unauthenticated:
        raise
    except Error as error:
        return await _shown(database, factors, principal, onward, form=form, error=error)
    return _enrolled(done, principal, onward)


@post(f"{_HERE}/passkeys/{{passkey:str}}/rename", **own_account())
async def rename_passkey(
    database: Database, factors: Factors, passkey: str, form: Form, principal: Principal
) -> Response[Any]:
    try:
        async with database.operator() as tx:
            await factors.rename_passkey(tx, id_of(passkey), name=form.text("name"), by=principal)
    except Invalid as error:
        at_it = moved(error, {"name": f"name-{passkey}"})
        return await _shown(database, factors, principal, HOME, error=at_it)
    return see(f"{_HERE}?done=renamed")


@post(f"{_HERE}/passkeys/{{passkey:str}}/remove", **own_account())
async def remove_passkey(database: Database, factors: Factors, passkey: str, principal: Principal) -> Response[Any]:
    try:
        async with database.operator() as tx:
            await factors.remove_passkey(tx, id_of(passkey), by=principal)
    except Conflict as error:
        return await _shown(database, factors, principal, HOME, error=error)
    return see(f"{_HERE}?done=removed")


@post(f"{_HERE}/recovery-codes", **own_account())
async def new_recovery_codes(database: Database, factors: Factors, principal: Principal) -> Template:
    async with database.operator() as tx:
        codes = await factors.new_recovery_codes(tx, by=principal)
    return page("recovery_codes.html", principal, codes=codes, onward=_HERE)


def _enrolled(done: Enrolled, principal: Principal, onward: str) -> Response[Any]:
    """The session under its new token; with the first factor the recovery codes, this once."""
    if not done.recovery_codes:
        return signed_in(done, f"{_HERE}?done=added")
    return with_session(page("recovery_codes.html", principal, codes=done.recovery_codes, onward=onward), done)


async def _shown(
    database: Database, factors: Factors, principal: Principal, onward: str, *,
    notice: str = "", form: Form = EMPTY, error: Error | None = None,
) -> Template:  # fmt: skip
    async with database.operator_read() as tx:
        own = await factors.own(tx, by=principal)
    return page(
        "account_factors.html", principal, form=form, error=error, factors=own, onward=onward, notice=notice,
        may_add=principal.stepped_up or not (own.totp or own.passkeys),
    )  # fmt: skip


routes = [
    show_factors, begin_totp, confirm_totp, remove_totp, begin_passkey, confirm_passkey, rename_passkey,
    remove_passkey, new_recovery_codes,
]  # fmt: skip
