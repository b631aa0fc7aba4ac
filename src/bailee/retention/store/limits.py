"""Floors and ceilings, and when rules were last executed."""

from datetime import datetime

import msgspec

from bailee.foundation.database import TenantReader, TenantWriter
from bailee.retention.model import ALL, Limit, LimitKind

_LIMIT = "SELECT kind, collection, duration, basis, set_by, set_at FROM retention_limits"


async def list_limits(tx: TenantReader, collection: str | None = None) -> list[Limit]:
    """All limits, or those that bind one collection."""
    return await tx.all(
        Limit,
        _LIMIT
        + """
        WHERE %(collection)s::text IS NULL OR collection IN (%(collection)s, %(all)s) ORDER BY kind, collection
        """,
        {"collection": collection, "all": ALL},
    )


async def put_limit(tx: TenantWriter, kind: LimitKind, collection: str, duration: str, basis: str, by: str) -> None:
    await tx.run(
        """
        INSERT INTO retention_limits (tenant_id, kind, collection, duration, basis, set_by)
        VALUES (%s, %s, %s, %s, %s, %s)
        ON CONFLICT (tenant_id, kind, collection) DO UPDATE
        SET duration = excluded.duration, basis = excluded.basis, set_by = excluded.set_by, set_at = now()
        """,
        (tx.tenant, kind.value, collection, duration, basis, by),
    )


async def delete_limit(tx: TenantWriter, kind: LimitKind, collection: str) -> bool:
    deleted = await tx.run("DELETE FROM retention_limits WHERE kind = %s AND collection = %s", (kind.value, collection))
    return deleted == 1


async def hold_maps(tx: TenantWriter, *, alone: bool) -> None:
    """Keeps maps from being defined while a limit is set, and the other way round, until `tx` ends."""
    if alone:
        await tx.value("SELECT pg_advisory_xact_lock(hashtextextended('retention:' || %s, 0))", (str(tx.tenant),))
    else:
        await tx.value(
            "SELECT pg_advisory_xact_lock_shared(hashtextextended('retention:' || %s, 0))", (str(tx.tenant),)
        )


async def put_run(tx: TenantWriter, collection: str, at: datetime) -> None:
    await tx.run(
        """
        INSERT INTO retention_runs (tenant_id, collection, ran_at) VALUES (%s, %s, %s)
        ON CONFLICT (tenant_id, collection) DO UPDATE SET ran_at = excluded.ran_at
        """,
        (tx.tenant, collection, at),
    )


class Run(msgspec.Struct, frozen=True):
    collection: str
    ran_at: datetime


async def list_runs(tx: TenantReader) -> list[Run]:
    """When each collection's rule was last executed to the end."""
    return await tx.all(Run, "SELECT collection, ran_at FROM retention_runs")
