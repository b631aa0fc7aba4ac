"""What customers are told, how it went to them, and who has read it."""

from datetime import datetime
from typing import LiteralString
from uuid import UUID

import msgspec
from psycopg.types.json import Jsonb

from bailee.foundation.database import OperatorReader, OperatorWriter, Reader, TenantReader, TenantWriter
from bailee.foundation.ids import TenantId
from bailee.incidents.model import Delivery, Notice, ReachedCollection, Reading

_NOTICE: LiteralString = """
SELECT
    n.tenant_id, n.incident_id, n.version, n.number, t.name AS tenant_name, n.state, n.exercise, n.nature, n.impact,
    n.mitigation_taken, n.mitigation_planned, n.contact, n.late_reason, n.verified_at, n.due_at, n.edited_by,
    n.edited_at, n.approved_by, n.approved_at, n.sent_by, n.sent_at, n.first_sent_at, n.late
FROM notices n JOIN tenants t ON t.tenant_id = n.tenant_id
"""


_LATEST: LiteralString = """
WHERE (%(incident)s::uuid IS NULL OR n.incident_id = %(incident)s) AND (n.state = 'sent' OR NOT %(sent)s)
  AND NOT EXISTS (
      SELECT FROM notices later
      WHERE later.tenant_id = n.tenant_id AND later.incident_id = n.incident_id AND later.version > n.version
        AND (later.state = 'sent' OR NOT %(sent)s)
  )
"""


class NewNotice(msgspec.Struct, frozen=True):
    """What a draft begins with."""

    tenant_id: TenantId
    incident_id: UUID
    version: int
    number: int
    exercise: bool
    nature: str
    impact: str
    mitigation_taken: str
    mitigation_planned: str
    contact: str
    verified_at: datetime
    due_at: datetime
    edited_by: list[str]
    first_sent_at: datetime | None
    reached: list[ReachedCollection]


async def insert_notice(tx: OperatorWriter, new: NewNotice) -> None:
    values = msgspec.structs.asdict(new) | {"reached": Jsonb(msgspec.to_builtins(new.reached))}
    await tx.run(
        """
        INSERT INTO notices
            (tenant_id, incident_id, version, number, state, exercise, nature, impact, mitigation_taken,
             mitigation_planned, contact, verified_at, due_at, edited_by, first_sent_at, reached)
        VALUES (%(tenant_id)s, %(incident_id)s, %(version)s, %(number)s, 'draft', %(exercise)s, %(nature)s, %(impact)s,
            %(mitigation_taken)s, %(mitigation_planned)s, %(contact)s, %(verified_at)s, %(due_at)s,
            %(edited_by)s, %(first_sent_at)s, %(reached)s)
        """,
        values,
    )


async def list_latest(tx: OperatorReader, incident_id: UUID) -> list[Notice]:
    """The latest version of each tenant's notice."""
    return await tx.all(
        Notice,
        _NOTICE + _LATEST + " ORDER BY t.name, n.tenant_id",
        {"incident": incident_id, "sent": False},
    )


async def find_notice(tx: Reader, tenant: TenantId, incident_id: UUID, version: int) -> Notice | None:
    return await tx.one(
        Notice, _NOTICE + " WHERE n.tenant_id = %s AND n.incident_id = %s AND n.version = %s",
        (tenant, incident_id, version),
    )  # fmt: skip


async def hold_notice(tx: OperatorWriter, tenant: UUID, incident_id: UUID, version: int) -> Notice | None:
    """The version, held for a change."""
    return await tx.one(
        Notice, _NOTICE + " WHERE n.tenant_id = %s AND n.incident_id = %s AND n.version = %s FOR UPDATE OF n",
        (tenant, incident_id, version),
    )  # fmt: skip


async def list_versions(tx: Reader, tenant: UUID, incident_id: UUID) -> list[Notice]:
    """Every version that `tx` may see, oldest first."""
    return await tx.all(
        Notice, _NOTICE + " WHERE n.tenant_id = %s AND n.incident_id = %s ORDER BY n.version", (tenant, incident_id)
    )


async def list_sent(tx: TenantReader, *, before: UUID | None, limit: int) -> list[Notice]:
    """The latest version of each notice that the tenant was sent, newest incident first."""
    return await tx.all(
        Notice,
        _NOTICE
        + _LATEST
        + " AND (%(before)s::uuid IS NULL OR n.incident_id < %(before)s) ORDER BY n.incident_id DESC LIMIT %(limit)s",
        {"incident": None, "sent": True, "before": before, "limit": limit},
    )


async def update_text(tx: OperatorWriter, notice: Notice, text: dict[str, str], editor: str) -> None:
    """Writes the parts anew. Whoever approved it before approved something else: it is a draft again."""
    await tx.run(
        """
        UPDATE notices SET
            nature = %(nature)s, impact = %(impact)s, mitigation_taken = %(mitigation_taken)s,
            mitigation_planned = %(mitigation_planned)s, contact = %(contact)s, late_reason = %(late_reason)s,
            state = 'draft', approved_by = NULL, approved_at = NULL, edited_at = now(),
            edited_by = CASE WHEN %(editor)s = ANY (edited_by) THEN edited_by ELSE edited_by || %(editor)s::text END
        WHERE tenant_id = %(tenant)s AND incident_id = %(incident)s AND version = %(version)s
        """,
        {
            **text, "editor": editor, "tenant": notice.tenant_id, "incident": notice.incident_id,
            "version": notice.version,
        },
    )  # fmt: skip


async def set_approved(tx: OperatorWriter, notice: Notice, by: str) -> None:
    await tx.run(
        """
        UPDATE notices SET state = 'approved', approved_by = %s, approved_at = now()
        WHERE tenant_id = %s AND incident_id = %s AND version = %s
        """,
        (by, notice.tenant_id, notice.incident_id, notice.version),
    )


async def set_sent(tx: OperatorWriter, notice: Notice, by: str, moment: datetime, *, late: bool) -> None:
    await tx.run(
        """
        UPDATE notices SET state = 'sent', sent_by = %(by)s, sent_at = %(at)s, late = %(late)s,
            first_sent_at = coalesce(first_sent_at, %(at)s)
        WHERE tenant_id = %(tenant)s AND incident_id = %(incident)s AND version = %(version)s
        """,
        {
            "by": by, "at": moment, "late": late, "tenant": notice.tenant_id, "incident": notice.incident_id,
            "version": notice.version,
        },
    )  # fmt: skip


async def update_reached(
    tx: OperatorWriter, tenant: TenantId, incident_id: UUID, reached: list[ReachedCollection]
) -> None:
    """What a draft is about, as the latest blast radius has it."""
    await tx.run(
        "UPDATE notices SET reached = %s WHERE tenant_id = %s AND incident_id = %s AND state <> 'sent'",
        (Jsonb(msgspec.to_builtins(reached)), tenant, incident_id),
    )


async def exclude(tx: OperatorWriter, notice: Notice, reason: str, by: str) -> None:
    """Notes that a customer whom the log names is not concerned after all."""
    await tx.run(
        """
        INSERT INTO notice_exclusions (tenant_id, incident_id, reason, excluded_by) VALUES (%s, %s, %s, %s)
        ON CONFLICT (tenant_id, incident_id) DO UPDATE
        SET reason = excluded.reason, excluded_by = excluded.excluded_by, excluded_at = clock_timestamp()
        """,
        (notice.tenant_id, notice.incident_id, reason, by),
    )


class _Exclusion(msgspec.Struct, frozen=True):
    tenant_id: TenantId
    excluded_at: datetime


async def map_excluded(tx: OperatorReader, incident_id: UUID) -> dict[TenantId, datetime]:
    """Who was excluded, and when."""
    found = await tx.all(
        _Exclusion, "SELECT tenant_id, excluded_at FROM notice_exclusions WHERE incident_id = %s", (incident_id,)
    )
    return {one.tenant_id: one.excluded_at for one in found}


async def delete_draft(tx: OperatorWriter, notice: Notice) -> None:
    await tx.run(
        "DELETE FROM notices WHERE tenant_id = %s AND incident_id = %s AND version = %s AND state <> 'sent'",
        (notice.tenant_id, notice.incident_id, notice.version),
    )


class Concerned(msgspec.Struct, frozen=True):
    """A tenant with a first notice, sent or not."""

    tenant_id: TenantId
    sent: bool


async def list_concerned(tx: OperatorReader, incident_id: UUID) -> list[Concerned]:
    return await tx.all(
        Concerned,
        "SELECT tenant_id, state = 'sent' AS sent FROM notices WHERE incident_id = %s AND version = 1",
        (incident_id,),
    )


# --- whom it concerns ----------------------------------------------------------------------------------


async def put_subjects(tx: OperatorWriter, tenant: TenantId, incident_id: UUID, holders: list[bytes]) -> None:
    await tx.run(
        """
        INSERT INTO notice_subjects (tenant_id, incident_id, holder) SELECT %s, %s, h FROM unnest(%s::bytea []) AS h
        ON CONFLICT DO NOTHING
        """,
        (tenant, incident_id, holders),
    )


async def list_subjects(tx: TenantReader, incident_id: UUID, *, after: bytes | None, limit: int) -> list[bytes]:
    """Blind indexes of the data subjects reached for certain, in their order."""
    return await tx.values(
        """
        SELECT holder FROM notice_subjects
        WHERE incident_id = %(incident)s AND (%(after)s::bytea IS NULL OR holder > %(after)s)
        ORDER BY holder LIMIT %(limit)s
        """,
        {"incident": incident_id, "after": after, "limit": limit},
    )


async def find_reached(tx: Reader, tenant: TenantId, incident_id: UUID, version: int) -> list[ReachedCollection]:
    """What a notice was drafted from."""
    found = await tx.value(
        "SELECT reached FROM notices WHERE tenant_id = %s AND incident_id = %s AND version = %s",
        (tenant, incident_id, version),
    )
    return msgspec.convert(found or [], list[ReachedCollection])


# --- deliveries and readings ---------------------------------------------------------------------------


async def insert_deliveries(tx: OperatorWriter, notice: Notice, deliveries: list[Delivery]) -> None:
    await tx.run_many(
        """
        INSERT INTO notice_deliveries
            (tenant_id, incident_id, delivery_id, version, channel, recipient, state, reason, ended_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        [
            (
                notice.tenant_id, notice.incident_id, one.id, one.version, one.channel, one.recipient, one.state,
                one.reason, one.ended_at,
            )
            for one in deliveries
        ],
    )  # fmt: skip


async def list_deliveries(tx: Reader, tenant: TenantId, incident_id: UUID) -> list[Delivery]:
    return await tx.all(
        Delivery,
        """
        SELECT delivery_id AS id, version, channel, recipient, state, reason, queued_at, ended_at
        FROM notice_deliveries WHERE tenant_id = %s AND incident_id = %s ORDER BY version, delivery_id
        """,
        (tenant, incident_id),
    )


async def end_delivery(tx: OperatorWriter, delivery_id: UUID, state: str, reason: str) -> None:
    """What became of it. Nothing for an id that is none of ours."""
    await tx.run(
        """
        UPDATE notice_deliveries SET state = %s, reason = %s, ended_at = now() WHERE delivery_id = %s
        """,
        (state, reason, delivery_id),
    )


async def put_reading(tx: TenantWriter, incident_id: UUID, version: int, reader: UUID) -> bool:
    """Whether they had not read it before."""
    changed = await tx.run(
        """
        INSERT INTO notice_readings (tenant_id, incident_id, version, account_id) VALUES (%s, %s, %s, %s)
        ON CONFLICT DO NOTHING
        """,
        (tx.tenant, incident_id, version, reader),
    )
    return changed == 1


async def list_readings(tx: Reader, tenant: TenantId, incident_id: UUID) -> list[Reading]:
    return await tx.all(
        Reading,
        """
        SELECT version, account_id, read_at FROM notice_readings WHERE tenant_id = %s AND incident_id = %s
        ORDER BY read_at
        """,
        (tenant, incident_id),
    )
