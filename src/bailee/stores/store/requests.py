"""The table of requests that may be repeated."""

from typing import Any

import msgspec
from psycopg.types.json import Jsonb

from bailee.foundation.database import TenantReader, TenantWriter


class Earlier(msgspec.Struct, frozen=True):
    fingerprint: bytes
    answer: dict[str, Any] | None


async def claim_request(tx: TenantWriter, token: bytes, fingerprint: bytes) -> bool:
    """Whether this is the first request with the key. Waits for one that is under way in another transaction."""
    added = await tx.run(
        "INSERT INTO idempotency (tenant_id, token, fingerprint) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        (tx.tenant, token, fingerprint),
    )
    return added == 1


async def find_request(tx: TenantReader, token: bytes) -> Earlier | None:
    return await tx.one(Earlier, "SELECT fingerprint, answer FROM idempotency WHERE token = %s", (token,))


async def complete_request(tx: TenantWriter, token: bytes, answer: dict[str, Any]) -> None:
    await tx.run("UPDATE idempotency SET answer = %s WHERE token = %s", (Jsonb(answer), token))


async def delete_old_requests(tx: TenantWriter, days: int) -> int:
    return await tx.run("DELETE FROM idempotency WHERE created_at < now() - make_interval(days => %s)", (days,))
