"""The schemas of tenants' own events."""

from datetime import datetime

import msgspec
from psycopg.types.json import Jsonb

from bailee.foundation.database import TenantReader, TenantWriter
from bailee.monitoring.model import EventType


class _Row(msgspec.Struct, frozen=True):
    name: str
    title: str
    fields: dict[str, object]
    changed_at: datetime


async def put_type(tx: TenantWriter, kind: EventType) -> None:
    await tx.run(
        """
        INSERT INTO event_types (tenant_id, name, title, fields) VALUES (%s, %s, %s, %s)
        ON CONFLICT (tenant_id, name) DO UPDATE
        SET title = excluded.title, fields = excluded.fields, changed_at = now()
        """,
        (tx.tenant, kind.name, kind.title, Jsonb(msgspec.to_builtins(kind.fields))),
    )


async def list_types(tx: TenantReader) -> list[EventType]:
    rows = await tx.all(_Row, "SELECT name, title, fields, changed_at FROM event_types ORDER BY name")
    return [msgspec.convert(msgspec.structs.asdict(row), EventType) for row in rows]


async def delete_type(tx: TenantWriter, name: str) -> bool:
    return await tx.run("DELETE FROM event_types WHERE name = %s", (name,)) == 1
