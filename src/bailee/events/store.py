"""The events' table."""

from datetime import datetime
from uuid import UUID

import msgspec

from bailee.foundation.database import OperatorReader, OperatorWriter, Reader, Writer


class EventRow(msgspec.Struct, frozen=True):
    """An event with what proves it."""

    event_id: UUID
    body: bytes
    salt: bytes
    leaf_index: int | None


class NewEvent(msgspec.Struct, frozen=True):
    tenant_id: UUID
    event_id: UUID
    occurred_at: datetime
    action: str
    actor_kind: str
    actor_id: str
    outcome: str
    body: bytes
    salt: bytes
    address: str | None
    session_id: UUID | None
    object_id: str | None
    collection: str | None
    reached: int | None
    """How much stored data the act read or changed; NULL for an act that does neither."""


async def insert_event(tx: Writer, event: NewEvent) -> None:
    await tx.run(
        """
        INSERT INTO events
            (tenant_id, event_id, occurred_at, action, actor_kind, actor_id, outcome, body, salt, address, session_id,
             object_id, collection, reached)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        msgspec.structs.astuple(event),
    )


_SELECT = """
    SELECT e.event_id, e.body, e.salt, l.leaf_index
    FROM events e LEFT JOIN ledger_leaves l ON l.tenant_id = e.tenant_id AND l.entry_id = e.event_id
"""


async def list_events(
    tx: Reader, *, action: str | None, tenant: UUID | None, before: UUID | None, limit: int
) -> list[EventRow]:
    """Newest first."""
    return await tx.all(
        EventRow,
        _SELECT
        + """
        WHERE (%(action)s::text IS NULL OR e.action = %(action)s OR starts_with(e.action, %(action)s || '.'))
          AND (%(tenant)s::uuid IS NULL OR e.tenant_id = %(tenant)s)
          AND (%(before)s::uuid IS NULL OR e.event_id < %(before)s)
        ORDER BY e.event_id DESC LIMIT %(limit)s
        """,
        {"action": action, "tenant": tenant, "before": before, "limit": limit},
    )


async def list_by_ids(tx: Reader, ids: list[UUID]) -> list[EventRow]:
    return await tx.all(EventRow, _SELECT + " WHERE e.event_id = ANY(%s) ORDER BY e.event_id", (ids,))


async def has_old(tx: OperatorReader, actions: list[str], before: datetime) -> bool:
    """Whether there is anything to forget."""
    found: bool = await tx.value(
        "SELECT EXISTS (SELECT FROM events WHERE action = ANY(%s) AND occurred_at < %s)", (actions, before)
    )
    return found


async def delete_old(tx: OperatorWriter, actions: list[str], before: datetime, most: int) -> int:
    """Forgets events that are numbered, that the detector has seen and the exports have sent, the oldest first."""
    return await tx.run(
        """
        DELETE FROM events e USING (
            SELECT v.tenant_id, v.event_id FROM events v
            JOIN ledger_leaves l ON l.tenant_id = v.tenant_id AND l.entry_id = v.event_id
            WHERE v.action = ANY(%s) AND v.occurred_at < %s
              AND l.leaf_index < coalesce((SELECT next_leaf FROM detector_state), 0)
              AND l.leaf_index < coalesce(
                  (SELECT min(next_leaf) FROM event_exports WHERE moved_at > now() - interval '30 days'),
                  9223372036854775807
              )
            ORDER BY v.event_id LIMIT %s
        ) AS old
        WHERE e.tenant_id = old.tenant_id AND e.event_id = old.event_id
        """,
        (actions, before, most),
    )


async def find_latest(tx: OperatorReader) -> datetime | None:
    """When the last event happened."""
    latest: datetime | None = await tx.value("SELECT occurred_at FROM events ORDER BY event_id DESC LIMIT 1")
    return latest
