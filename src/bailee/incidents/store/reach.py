"""What the log says of who reached what."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from psycopg.types.json import Jsonb

from bailee.foundation.database import OperatorReader, OperatorWriter, TenantReader
from bailee.foundation.ids import TenantId
from bailee.incidents.model import Reach, Scope

_HITS = """
WITH hits AS (
    SELECT event_id, tenant_id, action, collection, object_id, reached, occurred_at FROM events
    WHERE reached IS NOT NULL AND reached > 0
      AND actor_id = ANY(%(actors)s) AND occurred_at BETWEEN %(since)s AND %(until)s
    UNION
    SELECT event_id, tenant_id, action, collection, object_id, reached, occurred_at FROM events
    WHERE reached IS NOT NULL AND reached > 0
      AND address = ANY(%(addresses)s) AND occurred_at BETWEEN %(since)s AND %(until)s
    UNION
    SELECT event_id, tenant_id, action, collection, object_id, reached, occurred_at FROM events
    WHERE reached IS NOT NULL AND reached > 0
      AND session_id IS NOT NULL AND session_id = ANY(%(sessions)s)
      AND occurred_at BETWEEN %(since)s AND %(until)s
)
"""


class Hit(msgspec.Struct, frozen=True):
    """Acts of one kind on one collection of one tenant, with what each named of records, files or subjects."""

    tenant_id: TenantId
    action: str
    collection: str | None
    acts: int
    reached: int
    first_at: datetime
    last_at: datetime
    objects: list[str]


async def list_hits(tx: OperatorReader, scope: Scope, single: list[str]) -> list[Hit]:
    """What the log holds of a scope. `single` are the actions that name the one thing they reached."""
    return await tx.all(
        Hit,
        _HITS
        + """
        SELECT
            tenant_id, action, collection, count(*) AS acts, sum(reached)::bigint AS reached,
            min(occurred_at) AS first_at, max(occurred_at) AS last_at,
            CASE
                WHEN action = ANY(%(single)s)
                    THEN array_agg(DISTINCT object_id) FILTER (WHERE object_id IS NOT NULL)
                ELSE '{}'
            END AS objects
        FROM hits GROUP BY tenant_id, action, collection
        """,
        {
            "actors": [str(one) for one in (*scope.accounts, *scope.keys)], "addresses": scope.addresses,
            "sessions": scope.sessions, "since": scope.since, "until": scope.until, "single": single,
        },
    )  # fmt: skip


class _Deleted(msgspec.Struct, frozen=True):
    collection: str
    records: int


async def map_deleted(tx: TenantReader, since: datetime) -> dict[str, int]:
    """How many records the tenant has deleted since a moment, by collection: what may have been listed before."""
    found = await tx.all(
        _Deleted,
        """
        SELECT collection, count(*) AS records FROM events
        WHERE tenant_id = %s AND action = 'record.deleted' AND outcome = 'success' AND occurred_at >= %s
        GROUP BY collection
        """,
        (tx.tenant, since),
    )
    return {one.collection: one.records for one in found}


async def insert_reach(tx: OperatorWriter, incident_id: UUID, reach: Reach) -> None:
    await tx.run(
        """
        INSERT INTO incident_reaches (incident_id, reach_id, scope, computed_at, computed_by, events, seconds, tenants)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (
            incident_id, reach.id, Jsonb(msgspec.to_builtins(reach.scope)), reach.computed_at, reach.computed_by,
            reach.events, reach.seconds, Jsonb(msgspec.to_builtins(reach.tenants)),
        ),
    )  # fmt: skip


class _Row(msgspec.Struct, frozen=True):
    id: UUID
    scope: dict[str, Any]
    computed_at: datetime
    computed_by: str
    events: int
    seconds: float
    tenants: list[dict[str, Any]]


async def list_reaches(tx: OperatorReader, incident_id: UUID, limit: int) -> list[Reach]:
    """What was computed, newest first."""
    found = await tx.all(
        _Row,
        """
        SELECT reach_id AS id, scope, computed_at, computed_by, events, seconds, tenants FROM incident_reaches
        WHERE incident_id = %s ORDER BY reach_id DESC LIMIT %s
        """,
        (incident_id, limit),
    )
    return [msgspec.convert(msgspec.structs.asdict(row), Reach) for row in found]
