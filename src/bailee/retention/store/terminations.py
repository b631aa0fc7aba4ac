"""Terminations, certificates, and the tables of a tenant that is deleted."""

from datetime import date, datetime
from typing import Any, LiteralString
from uuid import UUID

import msgspec
from psycopg import sql
from psycopg.types.json import Jsonb

from bailee.foundation.database import OperatorReader, OperatorWriter, Reader, TenantReader, TenantWriter, Writer
from bailee.foundation.ids import TenantId
from bailee.retention.model import Certificate, Termination, TerminationState

_TERMINATION: LiteralString = """
SELECT
    tenant_id, termination_id AS id, side, requested_by, requested_at, contract_ended_on, delete_from, state,
    tenant_name, began_at, closed_at, closed_by, counts
FROM terminations
"""


async def insert_termination(
    tx: OperatorWriter, tenant: TenantId, termination_id: UUID, *, side: str, by: str, at: datetime,
    contract_ended_on: date | None, delete_from: datetime, name: str,
) -> bool:  # fmt: skip
    """Says whether there was none."""
    added = await tx.run(
        """
        INSERT INTO terminations (
            tenant_id, termination_id, side, requested_by, requested_at, contract_ended_on, delete_from, state,
            tenant_name
        ) VALUES (%s, %s, %s, %s, %s, %s, %s, 'requested', %s) ON CONFLICT DO NOTHING
        """,
        (tenant, termination_id, side, by, at, contract_ended_on, delete_from, name),
    )
    return added == 1


async def find_termination(tx: Reader, tenant: UUID) -> Termination | None:
    """The one that is not cancelled."""
    return await tx.one(Termination, _TERMINATION + " WHERE tenant_id = %s AND state <> 'cancelled'", (tenant,))


async def hold_termination(tx: OperatorWriter, tenant: UUID) -> Termination | None:
    return await tx.one(
        Termination, _TERMINATION + " WHERE tenant_id = %s AND state <> 'cancelled' FOR UPDATE", (tenant,)
    )


async def list_terminations(tx: OperatorReader) -> list[Termination]:
    """Newest first."""
    return await tx.all(Termination, _TERMINATION + " ORDER BY termination_id DESC LIMIT 1000")


async def list_due(tx: OperatorReader, now: datetime) -> list[UUID]:
    """Tenants whose grace period is over, or whose deletion was interrupted or held."""
    return await tx.values(
        """
        SELECT tenant_id FROM terminations
        WHERE (state = 'requested' AND delete_from <= %s) OR state IN ('deleting', 'held') ORDER BY delete_from
        """,
        (now,),
    )


async def set_state(
    tx: OperatorWriter, tenant: UUID, before: TerminationState, after: TerminationState, by: str | None
) -> bool:
    """Says whether it was in `before`."""
    closed = after in (TerminationState.CANCELLED, TerminationState.COMPLETED)
    changed = await tx.run(
        """
        UPDATE terminations SET state = %(after)s, closed_by = coalesce(%(by)s, closed_by),
            closed_at = CASE WHEN %(closed)s THEN now() ELSE closed_at END,
            began_at = CASE WHEN %(after)s = 'deleting' THEN coalesce(began_at, now()) ELSE began_at END
        WHERE tenant_id = %(tenant)s AND state = %(before)s
        """,
        {"tenant": tenant, "before": before.value, "after": after.value, "by": by, "closed": closed},
    )
    return changed == 1


async def set_delete_from(tx: OperatorWriter, tenant: UUID, moment: datetime) -> None:
    await tx.run(
        "UPDATE terminations SET delete_from = %s WHERE tenant_id = %s AND state = 'requested'", (moment, tenant)
    )


async def set_notify(tx: OperatorWriter, tenant: UUID, emails: list[str]) -> None:
    await tx.run("UPDATE terminations SET notify = %s WHERE tenant_id = %s AND state <> 'cancelled'", (emails, tenant))


async def take_notify(tx: OperatorWriter, tenant: UUID) -> list[str]:
    """The addresses to write to, which are forgotten with this."""
    found: list[str] = await tx.value(
        "SELECT notify FROM terminations WHERE tenant_id = %s AND state <> 'cancelled'", (tenant,)
    )
    await set_notify(tx, tenant, [])
    return found or []


async def add_count(tx: OperatorWriter, tenant: UUID, name: str, count: int) -> None:
    await tx.run(
        """
        UPDATE terminations
        SET counts = counts || jsonb_build_object(
            %(name)s::text, coalesce((counts ->> %(name)s::text)::bigint, 0) + %(count)s::bigint
        )
        WHERE tenant_id = %(tenant)s AND state <> 'cancelled'
        """,
        {"tenant": tenant, "name": name, "count": count},
    )


# --- the tables of tenants ----------------------------------------------------------------------------------


class TenantTable(msgspec.Struct, frozen=True):
    """A table with rows of tenants, and which role deletes from it."""

    name: str
    by_tenant: bool
    by_operator: bool
    parents: list[str]
    """Tables of tenants that its rows refer to."""


async def list_tenant_tables(tx: OperatorReader) -> list[TenantTable]:
    """Every table with a `tenant_id`, from the database's own catalogue."""
    return await tx.all(
        TenantTable,
        """
        SELECT
            c.relname::text AS name, has_table_privilege('bailee_tenant', c.oid, 'DELETE') AS by_tenant,
            has_table_privilege('bailee_operator', c.oid, 'DELETE') AS by_operator,
            coalesce((
                SELECT array_agg(DISTINCT p.relname::text) FROM pg_constraint f JOIN pg_class p ON p.oid = f.confrelid
                WHERE f.contype = 'f' AND f.conrelid = c.oid AND f.confrelid <> c.oid
            ), '{}') AS parents
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'bailee' AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND EXISTS (
            SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
        )
        ORDER BY c.relname
        """,
    )


async def delete_rows(tx: Writer, tenant: UUID, table: str, limit: int) -> int:
    """Deletes up to `limit` rows of a tenant; `table` is a name out of `list_tenant_tables`."""
    query = sql.SQL(
        "DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table} WHERE tenant_id = %s LIMIT %s))"
    )
    cursor = await tx.connection.execute(query.format(table=sql.Identifier(table)), (tenant, limit))
    return cursor.rowcount


async def count_rows(tx: Reader, tenant: UUID, table: str) -> int:
    query = sql.SQL("SELECT count(*) FROM {table} WHERE tenant_id = %s").format(table=sql.Identifier(table))
    row = await (await tx.connection.execute(query, (tenant,))).fetchone()
    return int(row[0]) if row else 0


# --- people, jobs and what is not keyed by tenant -------------------------------------------------------------


async def list_accounts_of(tx: OperatorReader, tenant: UUID) -> list[UUID]:
    """Accounts of members that belong to nobody else who goes on."""
    return await tx.values(
        """
        SELECT m.account_id FROM memberships m JOIN accounts a USING (account_id)
        WHERE m.tenant_id = %(tenant)s AND a.kind = 'member' AND NOT EXISTS (
            SELECT FROM memberships o JOIN tenants t ON t.tenant_id = o.tenant_id
            WHERE o.account_id = m.account_id AND o.tenant_id <> %(tenant)s AND t.state <> 'terminated'
        )
        """,
        {"tenant": tenant},
    )


async def list_account_tables(tx: OperatorReader) -> list[str]:
    """Tables that hold something on accounts and are no tenant's."""
    return await tx.values(
        """
        SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'bailee' AND c.relkind IN ('r', 'p') AND c.relname <> 'accounts' AND EXISTS (
            SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'account_id' AND NOT a.attisdropped
        ) AND NOT EXISTS (
            SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
        ) ORDER BY c.relname
        """
    )


async def delete_of_accounts(tx: OperatorWriter, table: str, accounts: list[UUID]) -> None:
    query = sql.SQL("DELETE FROM {table} WHERE account_id = ANY(%s)").format(table=sql.Identifier(table))
    await tx.connection.execute(query, (accounts,))


async def delete_accounts(tx: OperatorWriter, accounts: list[UUID]) -> int:
    return await tx.run("DELETE FROM accounts WHERE account_id = ANY(%s) AND kind = 'member'", (accounts,))


async def delete_habits(tx: OperatorWriter, who: list[str]) -> None:
    """What was usual for these people, keys and tenants."""
    await tx.run("DELETE FROM familiar WHERE who = ANY(%s)", (who,))
    await tx.run("DELETE FROM usual_volumes WHERE who = ANY(%s)", (who,))


async def delete_domains(tx: OperatorWriter, tenant: UUID) -> int:
    return await tx.run("DELETE FROM verified_domains WHERE holder = %s", (tenant,))


async def delete_jobs(tx: OperatorWriter, tenant: UUID, keep: list[str]) -> int:
    """Jobs of a tenant that wait, but for those that delete it."""
    return await tx.run(
        """
        DELETE FROM procrastinate_jobs
        WHERE args ->> 'tenant_id' = %s AND status IN ('todo', 'failed', 'succeeded') AND task_name <> ALL(%s)
        """,
        (str(tenant), keep),
    )


async def count_keeping_holds(tx: OperatorReader, tenant: UUID) -> int:
    """Legal holds of a tenant that have something in the archive."""
    count: int = await tx.value(
        "SELECT count(*) FROM legal_holds WHERE tenant_id = %s AND state IN ('active', 'ending', 'lifting')", (tenant,)
    )
    return count


async def close_other_holds(tx: TenantWriter) -> None:
    """Nobody decides any more what was only asked for; and what was on its way back is deleted with the rest."""
    await tx.run("UPDATE legal_holds SET state = 'withdrawn', closed_at = now() WHERE state = 'requested'")
    await tx.run("UPDATE legal_holds SET state = 'ending' WHERE state = 'lifting'")
    await tx.run("UPDATE legal_holds SET change = '', change_by = NULL WHERE change <> ''")


# --- certificates ---------------------------------------------------------------------------------------------

_CERTIFICATE: LiteralString = """
SELECT tenant_id, number, document, event_id, note, evidence, issued_at, backups_gone_by FROM deletion_certificates
"""


async def insert_certificate(
    tx: OperatorWriter, certificate: Certificate, digest: bytes | None, expires_at: datetime | None
) -> None:
    await tx.run(
        """
        INSERT INTO deletion_certificates (
            tenant_id, number, document, event_id, note, issued_at, backups_gone_by, link_digest, link_expires_at
        ) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (
            certificate.tenant_id, certificate.number, certificate.document, certificate.event_id, certificate.note,
            certificate.issued_at, certificate.backups_gone_by, digest, expires_at,
        ),
    )  # fmt: skip


async def list_certificates(tx: Reader, tenant: UUID) -> list[Certificate]:
    return await tx.all(Certificate, _CERTIFICATE + " WHERE tenant_id = %s ORDER BY number", (tenant,))


async def set_evidence(tx: OperatorWriter, tenant: UUID, number: int, evidence: dict[str, Any]) -> None:
    await tx.run(
        "UPDATE deletion_certificates SET evidence = %s WHERE tenant_id = %s AND number = %s",
        (Jsonb(evidence), tenant, number),
    )


async def use_link(tx: OperatorWriter, digest: bytes, now: datetime) -> UUID | None:
    """Whose certificate a link opens; it opens it once."""
    tenant: UUID | None = await tx.value(
        """
        UPDATE deletion_certificates SET link_used_at = %(now)s
        WHERE link_digest = %(digest)s AND link_used_at IS NULL AND link_expires_at > %(now)s RETURNING tenant_id
        """,
        {"digest": digest, "now": now},
    )
    return tenant


async def list_unproven(tx: OperatorReader) -> list[UUID]:
    """Tenants with a certificate that has no proof yet."""
    return await tx.values(
        "SELECT DISTINCT tenant_id FROM deletion_certificates WHERE evidence IS NULL ORDER BY tenant_id"
    )


async def list_second_due(tx: OperatorReader, now: datetime) -> list[UUID]:
    """Tenants whose last backup is to be gone by now, as the first certificate says, and who have no second."""
    return await tx.values(
        """
        SELECT c.tenant_id FROM deletion_certificates c
        WHERE c.number = 1 AND (c.backups_gone_by IS NULL OR c.backups_gone_by <= %s) AND NOT EXISTS (
            SELECT FROM deletion_certificates s WHERE s.tenant_id = c.tenant_id AND s.number = 2
        ) ORDER BY c.tenant_id
        """,
        (now,),
    )


# --- the rotation calendar ------------------------------------------------------------------------------------


class Span(msgspec.Struct, frozen=True):
    """Since when something was there, and until when; None while it still is."""

    since: datetime
    until: datetime | None


async def find_subject_span(tx: TenantReader, holder: bytes) -> Span | None:
    """Since when there is a data subject, or was until its last erasure."""
    return await tx.one(
        Span,
        """
        SELECT min(since) AS since, CASE WHEN bool_or(there) THEN NULL ELSE max(until) END AS until FROM (
            SELECT created_at AS since, NULL::timestamptz AS until, true AS there FROM subjects
            WHERE holder = %(holder)s
            UNION ALL
            SELECT coalesce(subject_since, began_at), coalesce(completed_at, began_at), false FROM erasures
            WHERE holder = %(holder)s
        ) AS spans HAVING count(*) > 0
        """,
        {"holder": holder},
    )
