"""Which tenants there are."""

from uuid import UUID

from bailee.foundation.database import OperatorReader


async def list_living(tx: OperatorReader) -> list[UUID]:
    """Tenants that are not terminated, synthetic ones too."""
    return await tx.values("SELECT tenant_id FROM tenants WHERE state <> 'terminated' ORDER BY tenant_id")
