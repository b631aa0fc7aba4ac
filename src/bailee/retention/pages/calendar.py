"""Which backups still hold a data subject, in the console. The identifier is sent in a form, so that no address and no
log has it.
"""

from typing import Any

from litestar import Response, get, post
from litestar.response import Template

from bailee.foundation.errors import Error
from bailee.foundation.http import requires
from bailee.foundation.pages import Form, page
from bailee.foundation.principal import Principal
from bailee.retention.calendar import Calendar


@get("/retention/calendar", **requires("subjects.view"))
async def ask(principal: Principal) -> Template:
    return page("retention_calendar.html", principal, dates=None)


@post("/retention/calendar", **requires("subjects.view"))
async def show(calendar: Calendar, form: Form, principal: Principal) -> Response[Any]:
    try:
        dates = await calendar.of_subject(principal.tenant, form.text("subject").strip())
    except Error as error:
        return page("retention_calendar.html", principal, form=form, error=error, dates=None)
    return page("retention_calendar.html", principal, form=form, dates=dates)


routes: list[Any] = [ask, show]
