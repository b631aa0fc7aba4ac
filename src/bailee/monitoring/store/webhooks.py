"""Webhooks and their deliveries."""

from datetime import datetime
from typing import LiteralString
from uuid import UUID

import msgspec

from bailee.foundation.database import OperatorReader, OperatorWriter, Reader, Writer
from bailee.foundation.ids import TenantId
from bailee.monitoring.model import Webhook, WebhookDelivery

_WEBHOOK: LiteralString = "SELECT tenant_id, webhook_id AS id, url, topics, created_by, created_at FROM webhooks"
_DELIVERY: LiteralString = """
SELECT tenant_id, delivery_id AS id, webhook_id, topic, state, attempts, reason, created_at, ended_at
FROM webhook_deliveries
"""


async def insert_webhook(
    tx: Writer, tenant: TenantId, webhook_id: UUID, url: str, topics: list[str], secret: bytes, by: str
) -> None:
    await tx.run(
        """
        INSERT INTO webhooks (tenant_id, webhook_id, url, topics, secret, created_by) VALUES (%s, %s, %s, %s, %s, %s)
        """,
        (tenant, webhook_id, url, topics, secret, by),
    )


async def list_webhooks(tx: Reader, tenant: TenantId) -> list[Webhook]:
    return await tx.all(
        Webhook, _WEBHOOK + " WHERE tenant_id = %s AND removed_at IS NULL ORDER BY webhook_id", (tenant,)
    )


async def find_webhook(tx: Reader, tenant: TenantId, webhook_id: UUID) -> Webhook | None:
    return await tx.one(
        Webhook, _WEBHOOK + " WHERE tenant_id = %s AND webhook_id = %s AND removed_at IS NULL", (tenant, webhook_id)
    )


async def list_of_topic(tx: Reader, tenant: TenantId, topic: str) -> list[UUID]:
    return await tx.values(
        "SELECT webhook_id FROM webhooks WHERE tenant_id = %s AND %s = ANY (topics) AND removed_at IS NULL",
        (tenant, topic),
    )


async def remove_webhook(tx: Writer, tenant: TenantId, webhook_id: UUID) -> None:
    """Nothing more goes to it; what is on its way ends when its turn comes."""
    await tx.run(
        "UPDATE webhooks SET removed_at = now() WHERE tenant_id = %s AND webhook_id = %s", (tenant, webhook_id)
    )


async def insert_delivery(
    tx: Writer, tenant: TenantId, delivery_id: UUID, webhook_id: UUID, topic: str, body: bytes
) -> None:
    await tx.run(
        """
        INSERT INTO webhook_deliveries (tenant_id, delivery_id, webhook_id, topic, body) VALUES (%s, %s, %s, %s, %s)
        """,
        (tenant, delivery_id, webhook_id, topic, body),
    )


async def count_waiting(tx: Reader, tenant: TenantId, webhook_id: UUID) -> int:
    count: int = await tx.value(
        "SELECT count(*) FROM webhook_deliveries WHERE tenant_id = %s AND webhook_id = %s AND state = 'waiting'",
        (tenant, webhook_id),
    )
    return count


class Waiting(msgspec.Struct, frozen=True):
    """A delivery to be tried, with its place and the sealed secret that signs it."""

    tenant_id: TenantId
    delivery_id: UUID
    webhook_id: UUID
    url: str
    secret: bytes
    body: bytes
    attempts: int
    created_at: datetime
    removed: bool


async def claim_delivery(tx: OperatorWriter, delivery_id: UUID) -> Waiting | None:
    """A delivery that waits, its attempt counted: one that ends its worker each time is given up in the end."""
    return await tx.one(
        Waiting,
        """
        UPDATE webhook_deliveries d SET attempts = d.attempts + 1 FROM webhooks w
        WHERE d.delivery_id = %s AND d.state = 'waiting' AND w.tenant_id = d.tenant_id AND w.webhook_id = d.webhook_id
        RETURNING d.tenant_id, d.delivery_id, d.webhook_id, w.url, w.secret, d.body, d.attempts, d.created_at,
            w.removed_at IS NOT NULL AS removed
        """,
        (delivery_id,),
    )


async def end_attempt(tx: OperatorWriter, delivery_id: UUID, state: str, reason: str) -> None:
    await tx.run(
        """
        UPDATE webhook_deliveries SET state = %(state)s, reason = %(reason)s,
            ended_at = CASE WHEN %(state)s <> 'waiting' THEN now() END
        WHERE delivery_id = %(delivery)s AND state = 'waiting'
        """,
        {"state": state, "reason": reason, "delivery": delivery_id},
    )


async def list_deliveries(
    tx: Reader, tenant: TenantId, *, state: str | None, before: UUID | None, limit: int
) -> list[WebhookDelivery]:
    """Newest first."""
    return await tx.all(
        WebhookDelivery,
        _DELIVERY
        + """
        WHERE tenant_id = %(tenant)s AND (%(state)s::text IS NULL OR state = %(state)s)
          AND (%(before)s::uuid IS NULL OR delivery_id < %(before)s)
        ORDER BY delivery_id DESC LIMIT %(limit)s
        """,
        {"tenant": tenant, "state": state, "before": before, "limit": limit},
    )


async def find_delivery(tx: Reader, tenant: TenantId, delivery_id: UUID) -> WebhookDelivery | None:
    return await tx.one(
        WebhookDelivery, _DELIVERY + " WHERE tenant_id = %s AND delivery_id = %s", (tenant, delivery_id)
    )


async def revive(tx: Writer, tenant: TenantId, delivery_id: UUID) -> bool:
    """Has a dead delivery wait again, unless its webhook is gone."""
    changed = await tx.run(
        """
        UPDATE webhook_deliveries d SET state = 'waiting', attempts = 0, ended_at = NULL FROM webhooks w
        WHERE d.tenant_id = %s AND d.delivery_id = %s AND d.state = 'dead' AND w.tenant_id = d.tenant_id
          AND w.webhook_id = d.webhook_id AND w.removed_at IS NULL
        """,
        (tenant, delivery_id),
    )
    return changed == 1


async def delete_old(tx: OperatorWriter, days: int) -> None:
    await tx.run(
        "DELETE FROM webhook_deliveries WHERE state <> 'waiting' AND created_at < now() - make_interval(days => %s)",
        (days,),
    )


async def list_forgotten(tx: OperatorReader, job: str) -> list[UUID]:
    """Deliveries that wait and have lost their job."""
    return await tx.values(
        """
        SELECT delivery_id FROM webhook_deliveries d
        WHERE state = 'waiting' AND created_at < now() - interval '1 hour' AND NOT EXISTS (
            SELECT FROM procrastinate_jobs j
            WHERE j.task_name = %s AND j.status IN ('todo', 'doing')
              AND j.args ->> 'delivery_id' = d.delivery_id::text
        )
        """,
        (job,),
    )
