"""First-run setup: the one-time link, the owner's account, the first code.

The link's token stands in the URL's fragment, which browsers keep to themselves: no log and no proxy sees it. A
script moves it into the form. The second page exists only as the answer to the first form, since it shows the
app's secret; it carries what it shows in its own fields, so that a mistyped code loses nothing.
"""

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import segno
from litestar import Response, get, post

from bailee.access.accounts import Accounts
from bailee.access.api import secret_of
from bailee.access.pages.session import code_of, nobody_yet, signed_in
from bailee.foundation.database import Database
from bailee.foundation.errors import Error, FieldError, Invalid
from bailee.foundation.pages import HOME, Form, page, see
from bailee.foundation.principal import Principal

_URI = re.compile(r"otpauth://totp/[!-~]{1,700}", re.ASCII)
_GROUP = 4


@get("/setup")
async def setup_form(database: Database, accounts: Accounts, principal: Principal) -> Response[Any]:
    if not await nobody_yet(database, accounts):
        return see(HOME if principal.session_id is not None else "/sign-in")
    return page("setup.html", principal)


@post("/setup")
async def begin(database: Database, accounts: Accounts, form: Form, principal: Principal) -> Response[Any]:
    try:
        _verify_repeated(form)
        async with database.operator() as tx:
            started = await accounts.begin_setup(
                tx,
                token=form.text("token").strip(),
                email=form.text("email"),
                name=form.text("name"),
                password=secret_of(form.text("password")),
                by=principal,
            )
    except Error as error:
        return page("setup.html", principal, form=form, error=error)
    return _confirmation(principal, started.totp_uri, started.confirmation)


@post("/setup/confirm")
async def confirm(database: Database, accounts: Accounts, form: Form, principal: Principal) -> Response[Any]:
    confirmation = form.text("confirmation")
    try:
        async with database.operator() as tx:
            started = await accounts.confirm_setup(tx, confirmation=confirmation, code=code_of(form), by=principal)
    except Error as error:
        return _confirmation(principal, form.text("uri"), confirmation, error)
    return signed_in(started, HOME)


def _verify_repeated(form: Form) -> None:
    if form.text("password") != form.text("repeat"):
        raise Invalid("The account is not valid.", errors=[FieldError("repeat", "The two passwords differ.")])


def _confirmation(principal: Principal, uri: str, confirmation: str, error: Error | None = None) -> Response[Any]:
    """The page with the app's secret, as a picture and as text."""
    if not _URI.fullmatch(uri):
        uri = ""
    secret = parse_qs(urlsplit(uri).query).get("secret", [""])[0]
    return page(
        "setup_confirm.html",
        principal,
        error=error,
        confirmation=confirmation,
        uri=uri,
        secret=" ".join(secret[at : at + _GROUP] for at in range(0, len(secret), _GROUP)),
        picture=segno.make_qr(uri).svg_data_uri(scale=5, border=3, light="#fff") if uri else "",
    )
