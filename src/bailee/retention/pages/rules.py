"""A tenant's rules and limits in the console."""

from typing import Any

from litestar import Response, get, post
from litestar.response import Template

from bailee.foundation.database import Database
from bailee.foundation.errors import Error
from bailee.foundation.http import requires
from bailee.foundation.pages import EMPTY, Form, page, see
from bailee.foundation.principal import Principal
from bailee.retention.limits import Limits
from bailee.retention.model import ALL, LimitKind
from bailee.retention.rules import Rules

_NOTICES = {"set": "The floor holds from now on.", "removed": "The floor is removed."}


@get("/retention", **requires("retention.read"))
async def show(database: Database, rules: Rules, limits: Limits, principal: Principal, done: str = "") -> Template:
    return await _shown(database, rules, limits, principal, notice=_NOTICES.get(done, ""))


@post("/retention/run", **requires("retention.run", step_up=True))
async def run(database: Database, rules: Rules, limits: Limits, principal: Principal) -> Response[Any]:
    done = await rules.run(principal.tenant, by=principal)
    notice = f"{sum(done.collections.values())} records deleted, and {done.keys} keys of people with nothing left."
    return await _shown(database, rules, limits, principal, notice=notice)


@post("/retention/floors", **requires("retention.set_floor", step_up=True))
async def set_floor(
    database: Database, rules: Rules, limits: Limits, form: Form, principal: Principal
) -> Response[Any]:  # fmt: skip
    try:
        async with database.tenant(principal.tenant) as tx:
            await limits.set_floor(
                tx, collection=form.text("collection"), at_least=form.text("at_least").strip(),
                basis=form.text("basis"), by=principal,
            )  # fmt: skip
    except Error as error:
        return await _shown(database, rules, limits, principal, form=form, error=error)
    return see("/retention?done=set")


@post("/retention/floors/remove", **requires("retention.remove_floor", step_up=True))
async def remove_floor(
    database: Database, rules: Rules, limits: Limits, form: Form, principal: Principal
) -> Response[Any]:  # fmt: skip
    try:
        async with database.tenant(principal.tenant) as tx:
            await limits.remove_floor(tx, form.text("collection"), by=principal)
    except Error as error:
        return await _shown(database, rules, limits, principal, error=error)
    return see("/retention?done=removed")


async def _shown(
    database: Database, rules: Rules, limits: Limits, principal: Principal, *, notice: str = "", form: Form = EMPTY,
    error: Error | None = None,
) -> Template:  # fmt: skip
    async with database.tenant_read(principal.tenant) as tx:
        outlooks, found = await rules.preview(tx), await limits.every(tx)
    return page(
        "retention_show.html", principal, outlooks=outlooks, limits=found, notice=notice, form=form, error=error,
        all=ALL, floor=LimitKind.FLOOR, names=[ALL, *(one.collection for one in outlooks)],
    )  # fmt: skip


routes: list[Any] = [show, run, set_floor, remove_floor]
