"""What the checks of this room look at."""

from datetime import date, datetime
from uuid import UUID

from bailee.foundation.database import OperatorReader, TenantReader
from bailee.retention.model import ADMITS


async def list_completed(tx: OperatorReader) -> list[UUID]:
    """Tenants of whom nothing is to be left."""
    return await tx.values("SELECT tenant_id FROM terminations WHERE state = 'completed' ORDER BY tenant_id")


async def list_overdue_terminations(tx: OperatorReader, before: datetime) -> list[UUID]:
    """Tenants whose deletion was to have begun, and to be done, before a moment; what a hold keeps aside."""
    return await tx.values(
        """
        SELECT tenant_id FROM terminations WHERE state IN ('requested', 'deleting') AND delete_from < %s
        ORDER BY tenant_id
        """,
        (before,),
    )


async def list_terminated_otherwise(tx: OperatorReader) -> list[UUID]:
    """Terminated tenants without a termination, which nothing deletes."""
    return await tx.values(
        """
        SELECT t.tenant_id FROM tenants t WHERE t.state = 'terminated' AND NOT EXISTS (
            SELECT FROM terminations e WHERE e.tenant_id = t.tenant_id AND e.state <> 'cancelled'
        ) ORDER BY t.tenant_id
        """
    )


async def list_late_certificates(tx: OperatorReader, before: datetime) -> list[UUID]:
    """Tenants whose last backup was to be gone before a moment, and who have no second certificate."""
    return await tx.values(
        """
        SELECT c.tenant_id FROM deletion_certificates c
        WHERE c.number = 1 AND coalesce(c.backups_gone_by, c.issued_at) < %s AND NOT EXISTS (
            SELECT FROM deletion_certificates s WHERE s.tenant_id = c.tenant_id AND s.number = 2
        ) ORDER BY c.tenant_id
        """,
        (before,),
    )


async def list_unlawful(tx: OperatorReader, today: date) -> list[UUID]:
    """Active holds without a basis or a second person, or past their last day by more than the day of their end."""
    return await tx.values(
        """
        SELECT hold_id FROM legal_holds
        WHERE state IN ('active', 'ending') AND (
            btrim(basis) = '' OR ends_on < %s::date - 1
            OR (origin = 'person' AND (decided_by IS NULL OR decided_by = requested_by))
        ) ORDER BY hold_id
        """,
        (today,),
    )


async def count_misread(tx: OperatorReader) -> int:
    """Looks into the archive for a purpose that the kind of the hold does not admit."""
    pairs = [(kind.value, purpose.value) for kind, admitted in ADMITS.items() for purpose in admitted]
    count: int = await tx.value(
        """
        SELECT count(*) FROM events e
        CROSS JOIN LATERAL (SELECT convert_from(e.body, 'UTF8')::jsonb -> 'details' AS details) AS b
        JOIN legal_holds h ON h.tenant_id = e.tenant_id AND h.hold_id::text = b.details ->> 'hold'
        WHERE e.action = 'archive.read' AND e.outcome = 'success' AND NOT EXISTS (
            SELECT FROM unnest(%s::text[], %s::text[]) AS fitting (kind, purpose)
            WHERE fitting.kind = h.kind AND fitting.purpose = b.details ->> 'purpose'
        )
        """,
        ([kind for kind, _ in pairs], [purpose for _, purpose in pairs]),
    )
    return count


async def count_uncalled(tx: OperatorReader) -> int:
    """Looks of the operator's staff into archives of customers who had people of their own."""
    count: int = await tx.value(
        """
        SELECT count(*) FROM events e
        WHERE e.action = 'archive.read' AND e.outcome = 'success' AND e.actor_kind = 'staff' AND NOT EXISTS (
            SELECT FROM terminations t
            WHERE t.tenant_id = e.tenant_id AND t.state IN ('held', 'completed') AND t.began_at <= e.occurred_at
        )
        """
    )
    return count


async def count_twice(tx: TenantReader) -> int:
    """Records that are in the archive and, the very same, among the ordinary ones."""
    count: int = await tx.value(
        """
        SELECT count(*) FROM archived_records a
        JOIN records r ON r.tenant_id = a.tenant_id AND r.record_id = a.record_id AND r.created_at = a.created_at
        """
    )
    return count
