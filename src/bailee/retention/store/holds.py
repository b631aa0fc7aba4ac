"""Legal holds."""

from datetime import date, datetime
from typing import LiteralString
from uuid import UUID

import msgspec

from bailee.foundation.database import OperatorReader, OperatorWriter, Reader, TenantReader, TenantWriter
from bailee.foundation.ids import TenantId
from bailee.retention.model import Hold, HoldChange, HoldKind, HoldState
from bailee.stores.model import Scope

_HOLD: LiteralString = """
SELECT
    h.tenant_id, h.hold_id AS id, h.origin, h.kind, h.basis, h.everything, h.collections,
    cardinality(h.holders)::bigint AS subjects, h.records, h.ends_on, h.state, h.key_id, h.requested_by,
    h.requested_at, h.decided_by, h.decided_at, h.moved_at, h.closed_at, h.change, h.change_by, h.change_reason,
    h.change_to,
    (SELECT count(*) FROM archive_listings l WHERE l.tenant_id = h.tenant_id AND l.hold_id = h.hold_id) AS items,
    h.deleted_records, h.deleted_files, h.returned_records, h.returned_files
FROM legal_holds h
"""


async def insert_hold(
    tx: TenantWriter, hold_id: UUID, *, origin: str, kind: HoldKind, basis: str, everything: bool, scope: Scope,
    ends_on: date, by: str, at: datetime,
) -> None:  # fmt: skip
    await tx.run(
        """
        INSERT INTO legal_holds (
            tenant_id, hold_id, origin, kind, basis, everything, collections, holders, records, ends_on, state,
            requested_by, requested_at
        ) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 'requested', %s, %s)
        """,
        (
            tx.tenant, hold_id, origin, kind.value, basis, everything, scope.collections, scope.holders,
            scope.records, ends_on, by, at,
        ),
    )  # fmt: skip


async def find_hold(tx: Reader, hold_id: UUID) -> Hold | None:
    return await tx.one(Hold, _HOLD + " WHERE h.hold_id = %s", (hold_id,))


async def hold_hold(tx: TenantWriter, hold_id: UUID) -> Hold | None:
    """The hold, held for a change."""
    return await tx.one(Hold, _HOLD + " WHERE h.hold_id = %s FOR UPDATE OF h", (hold_id,))


async def find_scope(tx: TenantReader, hold_id: UUID) -> Scope | None:
    return await tx.one(Scope, "SELECT collections, holders, records FROM legal_holds WHERE hold_id = %s", (hold_id,))


async def list_holds(
    tx: Reader, *, state: str | None = None, tenant: UUID | None = None, before: UUID | None = None, limit: int = 100
) -> list[Hold]:
    """Newest first."""
    return await tx.all(
        Hold,
        _HOLD
        + """
        WHERE (%(before)s::uuid IS NULL OR h.hold_id < %(before)s)
          AND (%(tenant)s::uuid IS NULL OR h.tenant_id = %(tenant)s)
          AND (%(state)s::text IS NULL OR h.state = %(state)s)
        ORDER BY h.hold_id DESC LIMIT %(limit)s
        """,
        {"before": before, "tenant": tenant, "state": state, "limit": limit},
    )


async def list_undecided(
    tx: OperatorReader, *, tenant: UUID | None, before: UUID | None, limit: int
) -> list[Hold]:  # fmt: skip
    """Holds that wait for a second person, or of which something was asked that does; newest first."""
    return await tx.all(
        Hold,
        _HOLD
        + """
        WHERE (h.state = 'requested' OR (h.state = 'active' AND h.change <> ''))
          AND (%(before)s::uuid IS NULL OR h.hold_id < %(before)s)
          AND (%(tenant)s::uuid IS NULL OR h.tenant_id = %(tenant)s)
        ORDER BY h.hold_id DESC LIMIT %(limit)s
        """,
        {"before": before, "tenant": tenant, "limit": limit},
    )


class Standing(msgspec.Struct, frozen=True):
    """What decides about the operator's part in the holds of a tenant."""

    tenant_id: TenantId
    name: str
    deciders: int
    held: bool


async def list_standings(
    tx: OperatorReader, tenants: list[TenantId], roles: list[str], permission: str
) -> list[Standing]:
    """How many people of each tenant have one of the roles, or one of its own with the permission; and whether its
    contract has ended and a hold keeps its archive.
    """
    return await tx.all(
        Standing,
        """
        SELECT
            t.tenant_id, t.name,
            (
                SELECT count(*) FROM memberships m
                WHERE m.tenant_id = t.tenant_id AND m.state = 'active' AND (m.role = ANY(%(roles)s) OR EXISTS (
                    SELECT FROM tenant_roles r
                    WHERE r.tenant_id = m.tenant_id AND r.name = m.role AND %(permission)s = ANY(r.permissions)
                ))
            ) AS deciders,
            EXISTS (SELECT FROM terminations e WHERE e.tenant_id = t.tenant_id AND e.state = 'held') AS held
        FROM tenants t WHERE t.tenant_id = ANY(%(tenants)s)
        """,
        {"tenants": tenants, "roles": roles, "permission": permission},
    )


async def list_active(tx: TenantReader) -> list[Hold]:
    """Those that keep what they cover in the archive, in the order of their ends."""
    return await tx.all(Hold, _HOLD + " WHERE h.state = 'active' ORDER BY h.ends_on, h.hold_id")


async def set_decided(
    tx: TenantWriter, hold_id: UUID, state: HoldState, by: str, at: datetime, key_id: UUID | None
) -> None:
    await tx.run(
        "UPDATE legal_holds SET state = %s, decided_by = %s, decided_at = %s, key_id = %s WHERE hold_id = %s",
        (state.value, by, at, key_id, hold_id),
    )


async def set_state(tx: TenantWriter, hold_id: UUID, state: HoldState) -> None:
    closed = state in (HoldState.ENDED, HoldState.LIFTED, HoldState.WITHDRAWN)
    await tx.run(
        "UPDATE legal_holds SET state = %s, closed_at = CASE WHEN %s THEN now() ELSE closed_at END WHERE hold_id = %s",
        (state.value, closed, hold_id),
    )


async def set_moved(tx: TenantWriter, hold_id: UUID) -> None:
    await tx.run("UPDATE legal_holds SET moved_at = now() WHERE hold_id = %s", (hold_id,))


async def set_change(
    tx: TenantWriter, hold_id: UUID, change: HoldChange, by: str | None, reason: str, to: date | None
) -> None:
    await tx.run(
        "UPDATE legal_holds SET change = %s, change_by = %s, change_reason = %s, change_to = %s WHERE hold_id = %s",
        (change.value, by, reason, to, hold_id),
    )


async def set_end(tx: TenantWriter, hold_id: UUID, ends_on: date) -> None:
    """Another last day, of which nobody was told yet."""
    await tx.run(
        """
        UPDATE legal_holds SET ends_on = %(day)s, reminded_days = CASE WHEN ends_on = %(day)s THEN reminded_days END
        WHERE hold_id = %(hold)s
        """,
        {"day": ends_on, "hold": hold_id},
    )


async def add_counts(
    tx: TenantWriter, hold_id: UUID, *, deleted_records: int = 0, deleted_files: int = 0, returned_records: int = 0,
    returned_files: int = 0,
) -> None:  # fmt: skip
    await tx.run(
        """
        UPDATE legal_holds SET deleted_records = deleted_records + %s, deleted_files = deleted_files + %s,
            returned_records = returned_records + %s, returned_files = returned_files + %s
        WHERE hold_id = %s
        """,
        (deleted_records, deleted_files, returned_records, returned_files, hold_id),
    )


class Working(msgspec.Struct, frozen=True):
    tenant_id: TenantId
    hold_id: UUID


async def list_working(tx: OperatorReader, today: date) -> list[Working]:
    """Holds with something to do: data to move in or back, or a last day that has passed."""
    return await tx.all(
        Working,
        """
        SELECT tenant_id, hold_id FROM legal_holds
        WHERE state IN ('ending', 'lifting') OR (state = 'active' AND (moved_at IS NULL OR ends_on < %s))
        ORDER BY tenant_id, hold_id
        """,
        (today,),
    )


async def count_deciders(tx: TenantReader, roles: list[str]) -> int:
    """How many people of the tenant have one of these roles."""
    count: int = await tx.value("SELECT count(*) FROM memberships WHERE role = ANY(%s) AND state = 'active'", (roles,))
    return count


async def list_roles_with(tx: Reader, tenant: TenantId, permission: str) -> list[str]:
    """A tenant's own roles that hold a permission."""
    return await tx.values(
        "SELECT name FROM tenant_roles WHERE tenant_id = %s AND %s = ANY(permissions)", (tenant, permission)
    )


class Ending(msgspec.Struct, frozen=True):
    """A hold whose last day is near, and of which of its reminders people were told."""

    tenant_id: TenantId
    hold_id: UUID
    ends_on: date
    reminded_days: int | None


async def list_ending(tx: OperatorReader, today: date, first: int, last: int) -> list[Ending]:
    """Holds that people have asked for, that end within `first` days, and of which the `last` reminder is to come."""
    return await tx.all(
        Ending,
        """
        SELECT tenant_id, hold_id, ends_on, reminded_days FROM legal_holds
        WHERE state = 'active' AND origin = 'person' AND (reminded_days IS NULL OR reminded_days > %(last)s)
          AND ends_on BETWEEN %(today)s::date AND %(today)s::date + %(first)s::int
        ORDER BY ends_on, hold_id
        """,
        {"today": today, "first": first, "last": last},
    )


async def set_reminded(tx: OperatorWriter, ending: Ending, days: int) -> bool:
    """Says whether the hold is still so, and nobody was told meanwhile."""
    changed = await tx.run(
        """
        UPDATE legal_holds SET reminded_days = %(days)s
        WHERE tenant_id = %(tenant)s AND hold_id = %(hold)s AND state = 'active' AND ends_on = %(day)s
          AND (reminded_days IS NULL OR reminded_days > %(days)s)
        """,
        {"tenant": ending.tenant_id, "hold": ending.hold_id, "day": ending.ends_on, "days": days},
    )
    return changed == 1
