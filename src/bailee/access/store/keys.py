"""API keys."""

from datetime import datetime
from uuid import UUID

import msgspec

from bailee.access.model import ApiKey
from bailee.foundation.database import OperatorReader, TenantReader, TenantWriter
from bailee.foundation.ids import TenantId
from bailee.tenants.model import TenantState

_KEY = """
SELECT key_id AS id, name, permissions, created_at, expires_at, revoked_at, last_used_at, replaces FROM api_keys
"""


class KeyCheck(msgspec.Struct, frozen=True):
    """What authentication needs of a key."""

    digest: bytes
    permissions: list[str]
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    state: TenantState


async def insert_key(
    tx: TenantWriter,
    key_id: UUID,
    name: str,
    digest: bytes,
    permissions: list[str],
    expires_at: datetime | None,
    replaces: UUID | None = None,
) -> None:
    await tx.run(
        """
        INSERT INTO api_keys (tenant_id, key_id, name, digest, permissions, expires_at, replaces)
        VALUES (%s, %s, %s, %s, %s, %s, %s)
        """,
        (tx.tenant, key_id, name, digest, permissions, expires_at, replaces),
    )


async def find_key(tx: TenantReader, key_id: UUID) -> ApiKey | None:
    return await tx.one(ApiKey, _KEY + " WHERE key_id = %s", (key_id,))


async def list_keys(tx: TenantReader, *, after: UUID | None, limit: int) -> list[ApiKey]:
    return await tx.all(
        ApiKey,
        _KEY + " WHERE (%(after)s::uuid IS NULL OR key_id > %(after)s) ORDER BY key_id LIMIT %(limit)s",
        {"after": after, "limit": limit},
    )


async def revoke_key(tx: TenantWriter, key_id: UUID) -> bool:
    return (
        await tx.run("UPDATE api_keys SET revoked_at = now() WHERE key_id = %s AND revoked_at IS NULL", (key_id,)) == 1
    )


async def find_key_check(tx: TenantReader, key_id: UUID) -> KeyCheck | None:
    return await tx.one(
        KeyCheck,
        """
        SELECT k.digest, k.permissions, k.expires_at, k.revoked_at, k.last_used_at, t.state
        FROM api_keys k JOIN tenants t ON t.tenant_id = k.tenant_id
        WHERE k.key_id = %s
        """,
        (key_id,),
    )


async def touch_key(tx: TenantWriter, key_id: UUID) -> None:
    await tx.run("UPDATE api_keys SET last_used_at = now() WHERE key_id = %s", (key_id,))


async def end_key_at(tx: TenantWriter, key_id: UUID, moment: datetime) -> bool:
    """Brings a live key's end forward to `moment`; never puts it off."""
    changed = await tx.run(
        """
        UPDATE api_keys SET expires_at = least(coalesce(expires_at, %(moment)s), %(moment)s)
        WHERE key_id = %(key_id)s AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
        """,
        {"key_id": key_id, "moment": moment},
    )
    return changed == 1


class ExpiringKey(msgspec.Struct, frozen=True):
    """A key whose end nears and has not been announced."""

    tenant_id: TenantId
    key_id: UUID
    name: str
    expires_at: datetime


async def list_expiring(tx: OperatorReader, before: datetime) -> list[ExpiringKey]:
    return await tx.all(
        ExpiringKey,
        """
        SELECT tenant_id, key_id, name, expires_at FROM api_keys k
        WHERE revoked_at IS NULL AND reminded_at IS NULL AND expires_at > now() AND expires_at < %s
          AND NOT EXISTS (SELECT FROM api_keys n WHERE n.tenant_id = k.tenant_id AND n.replaces = k.key_id)
        ORDER BY expires_at LIMIT 500
        """,
        (before,),
    )


async def mark_reminded(tx: TenantWriter, key_id: UUID) -> bool:
    return (
        await tx.run("UPDATE api_keys SET reminded_at = now() WHERE key_id = %s AND reminded_at IS NULL", (key_id,))
        == 1
    )
