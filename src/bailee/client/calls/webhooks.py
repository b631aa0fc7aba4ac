"""Webhooks: a tenant's own, or for staff the operator's."""

from collections.abc import Sequence

from bailee.client.answers import json_answer, member_answer, no_answer
from bailee.client.call import Call, act, api, paged, query, sent_json, with_followers
from bailee.client.models.base import Page
from bailee.client.models.monitoring import Webhook, WebhookDelivery


def every() -> Call[list[Webhook]]:
    """The webhooks there are."""
    return Call(method="GET", path=api("webhooks"), parse=json_answer(list[Webhook]))


def add(url: str, topics: Sequence[str]) -> Call[Webhook]:
    """Add one, about `alerts`, `notices` or `support`; its secret is in this answer alone. Needs a fresh second factor.

    Raises Invalid, Conflict.
    """
    return sent_json("POST", api("webhooks"), {"url": url, "topics": list(topics)}, json_answer(Webhook))


def remove(webhook_id: str) -> Call[None]:
    """Remove one. Raises NotFound."""
    return Call(method="DELETE", path=api("webhooks", webhook_id), parse=no_answer)


def try_out(webhook_id: str) -> Call[str]:
    """Send something harmless there; the id of the delivery. Raises NotFound."""
    return act(api("webhooks", webhook_id, "try"), member_answer("delivery", str))


def deliveries(*, state: str | None = None, page_size: int | None = None) -> Call[Page[WebhookDelivery]]:
    """What went out, newest first. `state`: waiting, delivered, or `dead`, which nobody took."""
    path = api("webhook-deliveries")
    return with_followers(paged(Page[WebhookDelivery], path, parameters=query(state=state), limit=page_size))


def send_again(delivery_id: str) -> Call[WebhookDelivery]:
    """Send a dead delivery again. Raises NotFound, Conflict."""
    return act(api("webhook-deliveries", delivery_id, "send"), json_answer(WebhookDelivery))
