"""Alerts, their events and notes, and suppressions."""

from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

import msgspec
from psycopg.types.json import Jsonb

from bailee.foundation.database import OperatorWriter, Reader, Writer
from bailee.foundation.ids import TenantId
from bailee.monitoring.model import Alert, AlertNote, Suppression

_ALERT: LiteralString = """
SELECT
    tenant_id, alert_id AS id, rule_id, title, level, grouped_by, reason, status, assignee, resolution, matches,
    metric, first_at, last_at, opened_at, closed_at
FROM alerts
"""


class NewAlert(msgspec.Struct, frozen=True):
    """What a match becomes."""

    tenant_id: TenantId
    alert_id: UUID
    rule_id: UUID
    title: str
    level: str
    digest: bytes
    grouped_by: dict[str, Any]
    reason: str
    matches: int
    metric: float | None
    first_at: datetime
    last_at: datetime


async def open_or_count(tx: OperatorWriter, alert: NewAlert) -> None:
    """A new alert, or more matches of the one that is open: there is one for each rule and group."""
    await tx.run(
        """
        INSERT INTO alerts
            (tenant_id, alert_id, rule_id, title, level, digest, grouped_by, reason, status, matches, metric, first_at,
             last_at)
        VALUES (%(tenant)s, %(alert)s, %(rule)s, %(title)s, %(level)s, %(digest)s, %(group)s, %(reason)s, 'open',
            %(matches)s, %(metric)s, %(first)s, %(last)s)
        ON CONFLICT (tenant_id, digest) WHERE status <> 'closed' DO UPDATE
        SET matches = alerts.matches + excluded.matches, metric = greatest(alerts.metric, excluded.metric),
            last_at = greatest(alerts.last_at, excluded.last_at), reason = excluded.reason
        """,
        {
            "tenant": alert.tenant_id, "alert": alert.alert_id, "rule": alert.rule_id, "title": alert.title,
            "level": alert.level, "digest": alert.digest, "group": Jsonb(alert.grouped_by), "reason": alert.reason,
            "matches": alert.matches, "metric": alert.metric, "first": alert.first_at, "last": alert.last_at,
        },
    )  # fmt: skip


async def find_open(tx: Reader, tenant: TenantId, digest: bytes) -> UUID | None:
    """The alert of a rule and group that is not closed."""
    found: UUID | None = await tx.value(
        "SELECT alert_id FROM alerts WHERE tenant_id = %s AND digest = %s AND status <> 'closed'", (tenant, digest)
    )
    return found


async def add_events(tx: OperatorWriter, tenant: TenantId, alert_id: UUID, event_ids: list[UUID], most: int) -> None:
    """Notes which events an alert is about, up to a number."""
    await tx.run(
        """
        INSERT INTO alert_events (tenant_id, alert_id, event_id)
        SELECT %(tenant)s, %(alert)s, e FROM unnest(%(events)s::uuid []) AS e
        WHERE (SELECT count(*) FROM alert_events WHERE tenant_id = %(tenant)s AND alert_id = %(alert)s) < %(most)s
        ON CONFLICT DO NOTHING
        """,
        {"tenant": tenant, "alert": alert_id, "events": event_ids, "most": most},
    )


async def count_new(tx: OperatorWriter, tenant: TenantId, level: str) -> int:
    """Alerts of a level that were opened within the hour."""
    count: int = await tx.value(
        "SELECT count(*) FROM alerts WHERE tenant_id = %s AND level = %s AND opened_at > now() - interval '1 hour'",
        (tenant, level),
    )
    return count


async def set_mailed(tx: OperatorWriter, alert_ids: list[UUID]) -> None:
    await tx.run("UPDATE alerts SET mailed_at = now() WHERE alert_id = ANY(%s)", (alert_ids,))


async def list_held_back(tx: OperatorWriter) -> list[Alert]:
    """Alerts of the level high that nobody was written to about, and nobody has closed; held until `tx` ends."""
    return await tx.all(
        Alert,
        _ALERT
        + " WHERE mailed_at IS NULL AND level = 'high' AND status <> 'closed' ORDER BY alert_id LIMIT 5000 FOR UPDATE",
    )


async def suppress_if_asked(
    tx: OperatorWriter, tenant: TenantId, rule_id: UUID, digest: bytes, matches: int
) -> bool:  # fmt: skip
    """Whether somebody has asked not to be told of this at present; counts what was not told."""
    return (
        await tx.run(
            """
            UPDATE alert_suppressions SET matches = matches + %s
            WHERE tenant_id = %s AND rule_id = %s AND (digest IS NULL OR digest = %s) AND expires_at > now()
            """,
            (matches, tenant, rule_id, digest),
        )
        > 0
    )


async def list_alerts(
    tx: Reader, *, status: str | None, level: str | None, tenant: UUID | None, before: UUID | None, limit: int
) -> list[Alert]:
    """Newest first."""
    return await tx.all(
        Alert,
        _ALERT
        + """
        WHERE (%(status)s::text IS NULL OR status = %(status)s OR (%(status)s = 'unfinished' AND status <> 'closed'))
          AND (%(level)s::text IS NULL OR level = %(level)s)
          AND (%(tenant)s::uuid IS NULL OR tenant_id = %(tenant)s)
          AND (%(before)s::uuid IS NULL OR alert_id < %(before)s)
        ORDER BY alert_id DESC LIMIT %(limit)s
        """,
        {"status": status, "level": level, "tenant": tenant, "before": before, "limit": limit},
    )


async def find_alert(tx: Reader, alert_id: UUID) -> Alert | None:
    return await tx.one(Alert, _ALERT + " WHERE alert_id = %s", (alert_id,))


async def find_digest(tx: Reader, alert_id: UUID) -> bytes | None:
    found: bytes | None = await tx.value("SELECT digest FROM alerts WHERE alert_id = %s", (alert_id,))
    return found


async def list_event_ids(tx: Reader, alert_id: UUID, limit: int) -> list[UUID]:
    return await tx.values(
        "SELECT event_id FROM alert_events WHERE alert_id = %s ORDER BY event_id DESC LIMIT %s", (alert_id, limit)
    )


async def set_status(tx: Writer, alert_id: UUID, before: list[str], after: str) -> bool:
    changed = await tx.run(
        "UPDATE alerts SET status = %s WHERE alert_id = %s AND status = ANY(%s)", (after, alert_id, before)
    )
    return changed == 1


async def close(tx: Writer, alert_id: UUID, resolution: str, closed_by: str) -> bool:
    changed = await tx.run(
        """
        UPDATE alerts SET status = 'closed', resolution = %s, closed_at = now(), closed_by = %s
        WHERE alert_id = %s AND status <> 'closed'
        """,
        (resolution, closed_by, alert_id),
    )
    return changed == 1


async def assign(tx: Writer, alert_id: UUID, assignee: UUID | None) -> bool:
    return await tx.run("UPDATE alerts SET assignee = %s WHERE alert_id = %s", (assignee, alert_id)) == 1


async def insert_note(tx: Writer, tenant: TenantId, alert_id: UUID, note_id: UUID, author: str, note: str) -> None:
    await tx.run(
        "INSERT INTO alert_notes (tenant_id, note_id, alert_id, author, note) VALUES (%s, %s, %s, %s, %s)",
        (tenant, note_id, alert_id, author, note),
    )


async def list_notes(tx: Reader, alert_id: UUID) -> list[AlertNote]:
    return await tx.all(
        AlertNote,
        """
        SELECT note_id AS id, author, note, written_at FROM alert_notes WHERE alert_id = %s ORDER BY note_id LIMIT 1000
        """,
        (alert_id,),
    )


async def insert_suppression(
    tx: Writer, suppression_id: UUID, alert: Alert, digest: bytes | None, reason: str, created_by: str,
    expires_at: datetime,
) -> None:  # fmt: skip
    await tx.run(
        """
        INSERT INTO alert_suppressions
            (tenant_id, suppression_id, rule_id, title, digest, reason, created_by, expires_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (alert.tenant_id, suppression_id, alert.rule_id, alert.title, digest, reason, created_by, expires_at),
    )


_SUPPRESSION: LiteralString = """
SELECT
    suppression_id AS id, rule_id, title, digest IS NOT NULL AS of_one_group, reason, created_by, created_at,
    expires_at, expires_at > now() AS in_force, matches
FROM alert_suppressions
"""


async def list_suppressions(tx: Reader, *, before: UUID | None, limit: int) -> list[Suppression]:
    """Newest first, over ones among them."""
    return await tx.all(
        Suppression,
        _SUPPRESSION
        + """
        WHERE (%(before)s::uuid IS NULL OR suppression_id < %(before)s) ORDER BY suppression_id DESC LIMIT %(limit)s
        """,
        {"before": before, "limit": limit},
    )


async def find_suppression(tx: Reader, suppression_id: UUID) -> Suppression | None:
    return await tx.one(Suppression, _SUPPRESSION + " WHERE suppression_id = %s", (suppression_id,))


async def end_suppression(tx: Writer, suppression_id: UUID) -> bool:
    changed = await tx.run(
        "UPDATE alert_suppressions SET expires_at = now() WHERE suppression_id = %s AND expires_at > now()",
        (suppression_id,),
    )
    return changed == 1
