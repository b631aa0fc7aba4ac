"""The tenants' table."""

from uuid import UUID

from bailee.foundation.database import OperatorReader, OperatorWriter, Reader
from bailee.tenants.model import Tenant, TenantKind, TenantState

_COLUMNS = "SELECT tenant_id AS id, name, plan, state, kind, created_at, updated_at FROM tenants"


async def insert_tenant(tx: OperatorWriter, tenant_id: UUID, name: str, plan: str, kind: TenantKind) -> None:
    await tx.run(
        "INSERT INTO tenants (tenant_id, name, plan, state, kind) VALUES (%s, %s, %s, 'active', %s)",
        (tenant_id, name, plan, kind.value),
    )


async def find_tenant(tx: Reader, tenant_id: UUID) -> Tenant | None:
    return await tx.one(Tenant, _COLUMNS + " WHERE tenant_id = %s", (tenant_id,))


async def list_tenants(
    tx: OperatorReader, *, kind: TenantKind, search: str, after: UUID | None, limit: int
) -> list[Tenant]:
    return await tx.all(
        Tenant,
        _COLUMNS
        + """
        WHERE kind = %(kind)s AND (%(after)s::uuid IS NULL OR tenant_id > %(after)s)
          AND (%(search)s = '' OR strpos(lower(name), lower(%(search)s)) > 0)
        ORDER BY tenant_id LIMIT %(limit)s
        """,
        {"kind": kind.value, "after": after, "search": search, "limit": limit},
    )


async def update_tenant(tx: OperatorWriter, tenant_id: UUID, name: str | None, plan: str | None) -> None:
    """Writes what is given."""
    await tx.run(
        """
        UPDATE tenants SET name = coalesce(%s, name), plan = coalesce(%s, plan), updated_at = now() WHERE tenant_id = %s
        """,
        (name, plan, tenant_id),
    )


async def update_state(tx: OperatorWriter, tenant_id: UUID, before: TenantState, after: TenantState) -> bool:
    changed = await tx.run(
        "UPDATE tenants SET state = %s, updated_at = now() WHERE tenant_id = %s AND state = %s",
        (after.value, tenant_id, before.value),
    )
    return changed == 1
