"""Support cases."""

from datetime import datetime
from typing import LiteralString
from uuid import UUID

import msgspec

from bailee.foundation.database import OperatorReader, OperatorWriter, Reader, Writer
from bailee.foundation.ids import TenantId
from bailee.monitoring.model import SupportCase
from bailee.stores.model import Scope

_CASE: LiteralString = """
SELECT
    tenant_id, case_id AS id, reason, asked_by, asked_at, hours, collections, cardinality(holders)::bigint AS subjects,
    records,
    CASE WHEN state = 'granted' AND expires_at <= now() THEN 'ended' ELSE state END AS state, decided_by, decided_at,
    expires_at, CASE WHEN state = 'granted' AND expires_at <= now() THEN expires_at ELSE ended_at END AS ended_at,
    ended_by
FROM support_cases
"""


async def insert_case(
    tx: OperatorWriter, tenant: TenantId, case_id: UUID, *, reason: str, asked_by: UUID, hours: int, scope: Scope
) -> None:
    await tx.run(
        """
        INSERT INTO support_cases (tenant_id, case_id, reason, asked_by, hours, collections, holders, records)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (tenant, case_id, reason, asked_by, hours, scope.collections, scope.holders, scope.records),
    )


async def find_case(tx: Reader, case_id: UUID) -> SupportCase | None:
    return await tx.one(SupportCase, _CASE + " WHERE case_id = %s", (case_id,))


async def hold_case(tx: Writer, case_id: UUID) -> SupportCase | None:
    return await tx.one(SupportCase, _CASE + " WHERE case_id = %s FOR UPDATE", (case_id,))


async def find_scope(tx: Reader, case_id: UUID) -> Scope | None:
    return await tx.one(Scope, "SELECT collections, holders, records FROM support_cases WHERE case_id = %s", (case_id,))


async def list_cases(
    tx: Reader, *, state: str | None, tenant: UUID | None, before: UUID | None, limit: int
) -> list[SupportCase]:
    """Newest first."""
    return await tx.all(
        SupportCase,
        _CASE
        + """
        WHERE (%(before)s::uuid IS NULL OR case_id < %(before)s)
          AND (%(tenant)s::uuid IS NULL OR tenant_id = %(tenant)s)
          AND (
              %(state)s::text IS NULL
              OR CASE WHEN state = 'granted' AND expires_at <= now() THEN 'ended' ELSE state END = %(state)s
          )
        ORDER BY case_id DESC LIMIT %(limit)s
        """,
        {"before": before, "tenant": tenant, "state": state, "limit": limit},
    )


async def set_granted(tx: Writer, case_id: UUID, scope: Scope, hours: int, by: str, until: datetime) -> None:
    await tx.run(
        """
        UPDATE support_cases SET state = 'granted', decided_by = %s, decided_at = now(), hours = %s, collections = %s,
            holders = %s, records = %s, expires_at = %s
        WHERE case_id = %s
        """,
        (by, hours, scope.collections, scope.holders, scope.records, until, case_id),
    )


async def set_refused(tx: Writer, case_id: UUID, by: str) -> None:
    await tx.run(
        "UPDATE support_cases SET state = 'refused', decided_by = %s, decided_at = now() WHERE case_id = %s",
        (by, case_id),
    )


async def set_ended(tx: Writer, case_id: UUID, by: str) -> None:
    await tx.run(
        """
        UPDATE support_cases SET state = 'ended', ended_at = least(now(), coalesce(expires_at, now())), ended_by = %s
        WHERE case_id = %s
        """,
        (by, case_id),
    )


class Over(msgspec.Struct, frozen=True):
    tenant_id: TenantId
    case_id: UUID


async def list_over(tx: OperatorReader) -> list[Over]:
    """Granted cases whose time is up."""
    return await tx.all(
        Over, "SELECT tenant_id, case_id FROM support_cases WHERE state = 'granted' AND expires_at <= now()"
    )


async def count_reads_outside(tx: OperatorReader) -> int:
    """Reads by staff that no case of that tenant and person covers at that moment: there must be none."""
    count: int = await tx.value(
        """
        SELECT count(*) FROM events e
        WHERE e.actor_kind = 'staff' AND e.action IN ('support.record_read', 'support.records_listed')
          AND e.outcome = 'success' AND NOT EXISTS (
              SELECT FROM support_cases c
              WHERE c.tenant_id = e.tenant_id AND c.asked_by::text = e.actor_id AND c.decided_at <= e.occurred_at
                AND e.occurred_at <= least(c.expires_at, coalesce(c.ended_at, c.expires_at))
                AND c.case_id::text = convert_from(e.body, 'UTF8')::jsonb -> 'details' ->> 'case'
          )
        """
    )
    return count
