"""Webhooks over REST: a tenant's own, or for staff the operator's."""

from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Router, delete, get, post
from litestar.params import QueryParameter

from bailee.access.api.common import id_of
from bailee.foundation.database import Database
from bailee.foundation.http import Cursor, Limit, Page, decode_id_cursor, page_of, problems, requires
from bailee.foundation.principal import Principal
from bailee.monitoring.api.alerts import acting
from bailee.monitoring.api.events import view
from bailee.monitoring.model import Webhook, WebhookDelivery
from bailee.monitoring.webhooks import NewWebhook, Webhooks

# Not called `state`: that name is the framework's own.
Which = Annotated[
    str | None,
    QueryParameter(name="state", pattern="^(waiting|delivered|dead)$", description="`dead` is what nobody took."),
]


class WebhookRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where to, and about what: alerts, notices, support."""

    url: str
    topics: list[str]


class Queued(msgspec.Struct, frozen=True):
    """The delivery to look for."""

    delivery: UUID


@get("/webhooks", summary="Your webhooks", operation_id="listWebhooks", responses=problems(),
     **requires("webhooks.read"))  # fmt: skip
async def list_webhooks(database: Database, webhooks: Webhooks, principal: Principal) -> list[Webhook]:
    async with view(database, principal) as tx:
        return await webhooks.every(tx)


@post("/webhooks", summary="Add a webhook; its secret is shown once", operation_id="addWebhook",
      responses=problems(409), **requires("webhooks.add", step_up=True))  # fmt: skip
async def add_webhook(
    database: Database, webhooks: Webhooks, data: WebhookRequest, principal: Principal
) -> NewWebhook:  # fmt: skip
    async with acting(database, principal) as tx:
        return await webhooks.add(tx, url=data.url, topics=data.topics, by=principal)


@delete("/webhooks/{webhook:str}", summary="Remove a webhook", operation_id="removeWebhook", responses=problems(),
        **requires("webhooks.remove"))  # fmt: skip
async def remove_webhook(database: Database, webhooks: Webhooks, webhook: str, principal: Principal) -> None:
    async with acting(database, principal) as tx:
        await webhooks.remove(tx, id_of(webhook), by=principal)


@post("/webhooks/{webhook:str}/try", summary="Send something harmless there", operation_id="tryWebhook",
      responses=problems(), **requires("webhooks.try"))  # fmt: skip
async def try_webhook(database: Database, webhooks: Webhooks, webhook: str, principal: Principal) -> Queued:
    async with acting(database, principal) as tx:
        return Queued(await webhooks.try_out(tx, id_of(webhook), by=principal))


@get("/webhook-deliveries", summary="What went out, and what nobody took; newest first",
     operation_id="listWebhookDeliveries", responses=problems(), **requires("webhooks.read"))  # fmt: skip
async def list_deliveries(
    database: Database, webhooks: Webhooks, principal: Principal, limit: Limit = 100, cursor: Cursor = None,
    which: Which = None,
) -> Page[WebhookDelivery]:  # fmt: skip
    async with view(database, principal) as tx:
        found = await webhooks.deliveries(tx, state=which, before=decode_id_cursor(cursor), limit=limit + 1)
    return page_of(found, limit, lambda one: one.id)


@post("/webhook-deliveries/{delivery:str}/send", summary="Send a dead delivery again", status_code=200,
      operation_id="sendWebhookAgain", responses=problems(409),
      **requires("webhooks.send_again"))  # fmt: skip
async def send_again(
    database: Database, webhooks: Webhooks, delivery: str, principal: Principal
) -> WebhookDelivery:  # fmt: skip
    async with acting(database, principal) as tx:
        return await webhooks.send_again(tx, id_of(delivery), by=principal)


router = Router(
    "/",
    route_handlers=[list_webhooks, add_webhook, remove_webhook, try_webhook, list_deliveries, send_again],
    tags=["Webhooks"],
)  # fmt: skip
