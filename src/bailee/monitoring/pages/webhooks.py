"""Webhooks in the console and in the portal."""

from typing import Annotated, Any

from litestar import Response, get, post
from litestar.params import QueryParameter
from litestar.response import Template

from bailee.access.api.common import id_of
from bailee.foundation.database import Database
from bailee.foundation.errors import Error
from bailee.foundation.http import Cursor, decode_id_cursor, page_of, requires
from bailee.foundation.pages import EMPTY, PAGE_ROWS, Form, page, see
from bailee.foundation.principal import Principal
from bailee.monitoring.api.alerts import acting
from bailee.monitoring.api.events import view
from bailee.monitoring.model import TOPICS
from bailee.monitoring.webhooks import Webhooks

_STATES = ("", "dead", "waiting", "delivered")
_NOTICES = {
    "removed": "Nothing more goes there.",
    "tried": "Something harmless is on its way; what became of it stands below.",
    "again": "It is on its way again.",
}
# Not called `state`: that name is the framework's own.
Which = Annotated[str, QueryParameter(name="state", max_length=20)]


@get("/webhooks", **requires("webhooks.read"))
async def list_webhooks(
    database: Database, webhooks: Webhooks, principal: Principal, cursor: Cursor = None, which: Which = "",
    done: str = "",
) -> Template:  # fmt: skip
    return await _listed(database, webhooks, principal, cursor=cursor, which=which, notice=_NOTICES.get(done, ""))


@post("/webhooks", **requires("webhooks.add", step_up=True))
async def add(database: Database, webhooks: Webhooks, form: Form, principal: Principal) -> Response[Any]:
    try:
        async with acting(database, principal) as tx:
            made = await webhooks.add(
                tx, url=form.text("url").strip(), topics=form.all("topics"), by=principal
            )  # fmt: skip
    except Error as error:
        return await _listed(database, webhooks, principal, form=form, error=error)
    return page("webhook_added.html", principal, webhook=made)


@post("/webhooks/{webhook:str}/remove", **requires("webhooks.remove"))
async def remove(database: Database, webhooks: Webhooks, webhook: str, principal: Principal) -> Response[Any]:
    async with acting(database, principal) as tx:
        await webhooks.remove(tx, id_of(webhook), by=principal)
    return see("/webhooks?done=removed")


@post("/webhooks/{webhook:str}/try", **requires("webhooks.try"))
async def try_out(database: Database, webhooks: Webhooks, webhook: str, principal: Principal) -> Response[Any]:
    async with acting(database, principal) as tx:
        await webhooks.try_out(tx, id_of(webhook), by=principal)
    return see("/webhooks?done=tried")


@post("/webhook-deliveries/{delivery:str}/send", **requires("webhooks.send_again"))
async def send_again(database: Database, webhooks: Webhooks, delivery: str, principal: Principal) -> Response[Any]:
    try:
        async with acting(database, principal) as tx:
            await webhooks.send_again(tx, id_of(delivery), by=principal)
    except Error as error:
        return await _listed(database, webhooks, principal, error=error)
    return see("/webhooks?done=again")


async def _listed(
    database: Database, webhooks: Webhooks, principal: Principal, *, cursor: str | None = None, which: str = "",
    notice: str = "", form: Form = EMPTY, error: Error | None = None,
) -> Template:  # fmt: skip
    which = which if which in _STATES else ""
    async with view(database, principal) as tx:
        found = await webhooks.every(tx)
        rows = await webhooks.deliveries(tx, state=which or None, before=decode_id_cursor(cursor), limit=PAGE_ROWS + 1)
    return page(
        "webhooks_list.html", principal, webhooks=found, deliveries=page_of(rows, PAGE_ROWS, lambda one: one.id),
        later=cursor is not None, topics=TOPICS, states=_STATES, which=Form({"state": [which]}), notice=notice,
        form=form, error=error,
    )  # fmt: skip


routes: list[Any] = [list_webhooks, add, remove, try_out, send_again]
