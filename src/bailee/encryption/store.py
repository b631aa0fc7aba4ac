"""The keyring's tables."""

from uuid import UUID

import msgspec

from bailee.foundation.database import OperatorReader, OperatorWriter, TenantReader, TenantWriter, constraints
from bailee.foundation.errors import Conflict


class WrappedKey(msgspec.Struct, frozen=True):
    """A data key with the tenant key that opens it."""

    key_id: UUID
    purpose: str
    version: int
    wrapped: bytes
    tenant_wrapped: bytes


class WrappedTenantKey(msgspec.Struct, frozen=True):
    version: int
    wrapped: bytes


class NewKey(msgspec.Struct, frozen=True):
    key_id: UUID
    purpose: str
    version: int
    wrapped: bytes


async def active_tenant_key(tx: TenantReader) -> WrappedTenantKey | None:
    """The newest version, which wraps."""
    return await tx.one(
        WrappedTenantKey, "SELECT version, wrapped FROM tenant_keys ORDER BY version DESC LIMIT 1 FOR SHARE"
    )


async def list_tenant_keys(tx: TenantReader) -> list[WrappedTenantKey]:
    return await tx.all(WrappedTenantKey, "SELECT version, wrapped FROM tenant_keys ORDER BY version")


async def insert_tenant_key(tx: TenantWriter, version: int, wrapped: bytes) -> None:
    taken = Conflict("Somebody else has just rotated this tenant's key.")
    with constraints({"tenant_keys_pkey": taken}):
        await tx.run(
            "INSERT INTO tenant_keys (tenant_id, version, wrapped) VALUES (%s, %s, %s)", (tx.tenant, version, wrapped)
        )


async def replace_tenant_key(tx: TenantWriter, version: int, wrapped: bytes) -> None:
    await tx.run("UPDATE tenant_keys SET wrapped = %s WHERE version = %s", (wrapped, version))


async def insert_data_keys(tx: TenantWriter, keys: list[NewKey]) -> None:
    await tx.run(
        """
        INSERT INTO data_keys (tenant_id, key_id, purpose, version, wrapped)
        SELECT %s, * FROM unnest(%s::uuid[], %s::text[], %s::bigint[], %s::bytea[])
        """,
        (
            tx.tenant,
            [key.key_id for key in keys],
            [key.purpose for key in keys],
            [key.version for key in keys],
            [key.wrapped for key in keys],
        ),
    )


_WRAPPED = """
    SELECT d.key_id, d.purpose, d.version, d.wrapped, t.wrapped AS tenant_wrapped
    FROM data_keys d JOIN tenant_keys t ON t.tenant_id = d.tenant_id AND t.version = d.version
"""


async def list_data_keys(tx: TenantReader, ids: list[UUID]) -> list[WrappedKey]:
    return await tx.all(WrappedKey, _WRAPPED + " WHERE d.key_id = ANY(%s)", (ids,))


async def list_by_purpose(tx: TenantReader, purpose: str) -> list[WrappedKey]:
    return await tx.all(WrappedKey, _WRAPPED + " WHERE d.purpose = %s ORDER BY d.key_id", (purpose,))


async def delete_data_keys(tx: TenantWriter, ids: list[UUID]) -> int:
    return await tx.run("DELETE FROM data_keys WHERE key_id = ANY(%s)", (ids,))


async def list_key_ids(tx: TenantReader, *, but: str = "") -> list[UUID]:
    return await tx.values("SELECT key_id FROM data_keys WHERE purpose <> %s ORDER BY key_id", (but,))


async def list_existing(tx: TenantReader, ids: list[UUID]) -> list[UUID]:
    return await tx.values("SELECT key_id FROM data_keys WHERE key_id = ANY(%s)", (ids,))


async def hold_tenant_keys(tx: TenantWriter) -> None:
    """Keeps new data keys from being wrapped until `tx` ends."""
    await tx.values("SELECT version FROM tenant_keys FOR UPDATE")


async def delete_tenant_keys(tx: TenantWriter) -> None:
    await tx.run("DELETE FROM tenant_keys")


async def list_outdated(tx: TenantWriter, version: int, limit: int) -> list[WrappedKey]:
    """Keys under an older tenant key, held by this transaction."""
    return await tx.all(
        WrappedKey,
        _WRAPPED + " WHERE d.version < %s ORDER BY d.key_id LIMIT %s FOR UPDATE OF d SKIP LOCKED",
        (version, limit),
    )


async def rewrap_data_key(tx: TenantWriter, key_id: UUID, version: int, wrapped: bytes) -> None:
    await tx.run("UPDATE data_keys SET version = %s, wrapped = %s WHERE key_id = %s", (version, wrapped, key_id))


async def delete_unused_tenant_keys(tx: TenantWriter, version: int) -> int:
    """Older versions that wrap nothing any more. One that a writer holds at this moment stays for the next time."""
    free = await tx.values("SELECT version FROM tenant_keys WHERE version < %s FOR UPDATE SKIP LOCKED", (version,))
    # A statement of its own, so that it sees what those who held them have committed.
    return await tx.run(
        """
        DELETE FROM tenant_keys t WHERE t.version = ANY(%s)
          AND NOT EXISTS (SELECT FROM data_keys d WHERE d.tenant_id = t.tenant_id AND d.version = t.version)
        """,
        (free,),
    )


async def announce_destroyed(tx: TenantWriter, ids: list[UUID]) -> None:
    """Tells every process to drop these keys, when `tx` commits."""
    await tx.run(
        "SELECT pg_notify('bailee_keys', %s || ':' || id) FROM unnest(%s::text[]) AS id",
        (str(tx.tenant), [str(key_id) for key_id in ids]),
    )


async def is_fresh(tx: OperatorReader) -> bool:
    """Whether nothing has been wrapped yet: the ledger's seed is the first thing that is."""
    fresh: bool = await tx.value("SELECT NOT EXISTS (SELECT FROM instance_secrets)")
    return fresh


async def find_instance_secret(tx: OperatorReader, name: str) -> bytes | None:
    wrapped: bytes | None = await tx.value("SELECT wrapped FROM instance_secrets WHERE name = %s", (name,))
    return wrapped


async def insert_instance_secret(tx: OperatorWriter, name: str, wrapped: bytes) -> None:
    await tx.run("INSERT INTO instance_secrets (name, wrapped) VALUES (%s, %s) ON CONFLICT DO NOTHING", (name, wrapped))


async def replace_instance_secret(tx: OperatorWriter, name: str, wrapped: bytes) -> None:
    await tx.run("UPDATE instance_secrets SET wrapped = %s WHERE name = %s", (wrapped, name))


async def list_instance_secrets(tx: OperatorReader) -> list[str]:
    return await tx.values("SELECT name FROM instance_secrets ORDER BY name")
