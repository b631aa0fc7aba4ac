"""First-run setup: the one-time link, the owner's account, the first code.

The link's token stands in the URL's fragment, which browsers keep to themselves: no log and no proxy sees it. A
script moves it into the form. The second page exists only as the answer to the first form, since it shows the
app's secret; it carries what it shows in its own fields, so that a mistyped code loses nothing.
"""

from typing import Any

from litestar import Response, get, post

from bailee.access.accounts import Accounts
from bailee.access.api.sessions import setup
from bailee.access.model import SessionKind
from bailee.access.pages.common import app_secret, code_of, verify_repeated
from bailee.access.pages.cookies import with_session
from bailee.access.pages.session import nobody_yet
from bailee.foundation.database import Database
from bailee.foundation.errors import Error
from bailee.foundation.pages import HOME, Form, page, see
from bailee.foundation.principal import Principal


@get("/setup")
async def setup_form(database: Database, accounts: Accounts, principal: Principal) -> Response[Any]:
    if not await nobody_yet(database, accounts):
        return see(HOME if principal.session_id is not None else "/sign-in")
    return page("setup.html", principal)


@post("/setup")
async def begin(database: Database, accounts: Accounts, form: Form, principal: Principal) -> Response[Any]:
    try:
        verify_repeated(form)
        started = await setup(
            database, accounts, form.text("token").strip(), form.text("email"), form.text("name"),
            form.text("password"), principal,
        )  # fmt: skip
    except Error as error:
        return page("setup.html", principal, form=form, error=error)
    return _confirmation(principal, started.uri, started.confirmation)


@post("/setup/confirm")
async def confirm(database: Database, accounts: Accounts, form: Form, principal: Principal) -> Response[Any]:
    confirmation = form.text("confirmation")
    try:
        async with database.operator() as tx:
            started = await accounts.confirm_setup(
                tx, confirmation=confirmation, code=code_of(form), kind=SessionKind.BROWSER, by=principal
            )
    except Error as error:
        return _confirmation(principal, form.text("uri"), confirmation, error)
    return with_session(page("recovery_codes.html", principal, codes=started.recovery_codes, onward=HOME), started)


def _confirmation(principal: Principal, uri: str, confirmation: str, error: Error | None = None) -> Response[Any]:
    """The page with the app's secret, as a picture and as text."""
    return page("setup_confirm.html", principal, error=error, confirmation=confirmation, app=app_secret(uri))


routes = [setup_form, begin, confirm]
