"""What PostgreSQL's catalogue says of our tables, roles and functions."""

import msgspec

from bailee.foundation.database import OperatorReader


class TableSecurity(msgspec.Struct, frozen=True):
    """One table: whether it is a tenant's, and how it is guarded."""

    name: str
    tenant: bool
    enabled: bool
    forced: bool
    readable: bool
    policies: list[str]
    """What opens it to tenants, and for what. Restrictive policies only narrow that."""
    first_key_column: str | None


async def list_tables(tx: OperatorReader) -> list[TableSecurity]:
    return await tx.all(
        TableSecurity,
        """
        SELECT c.relname::text AS name,
            EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id') AS tenant,
            c.relrowsecurity AS enabled,
            c.relforcerowsecurity AS forced,
            has_table_privilege('bailee_tenant', c.oid, 'SELECT') AS readable,
            ARRAY(
                SELECT coalesce(pg_get_expr(p.polqual, c.oid), '') FROM pg_policy p
                WHERE p.polrelid = c.oid AND p.polpermissive
                  AND (p.polroles && ARRAY['bailee_tenant'::regrole::oid, 0::oid])
                UNION ALL
                SELECT coalesce(pg_get_expr(p.polwithcheck, c.oid), '') FROM pg_policy p
                WHERE p.polrelid = c.oid AND p.polpermissive
                  AND (p.polroles && ARRAY['bailee_tenant'::regrole::oid, 0::oid])
            ) AS policies,
            (
                SELECT a.attname::text FROM pg_index i
                JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
                WHERE i.indrelid = c.oid AND i.indisprimary
            ) AS first_key_column
        FROM pg_class c WHERE c.relnamespace = 'bailee'::regnamespace AND c.relkind IN ('r', 'p') ORDER BY c.relname
        """,
    )


async def list_escapes(tx: OperatorReader) -> list[str]:
    """Ways around row security: roles, views, functions."""
    return await tx.values(
        """
        SELECT 'role ' || rolname || ' bypasses row security' FROM pg_roles
        WHERE rolname IN ('bailee_tenant', 'bailee_operator', 'bailee_owner') AND (rolsuper OR rolbypassrls)
        UNION ALL
        SELECT 'the tenant role is a member of ' || r.rolname FROM pg_auth_members m
        JOIN pg_roles r ON r.oid = m.roleid WHERE m.member = 'bailee_tenant'::regrole
        UNION ALL
        SELECT 'view ' || relname || ' does not use its caller''s rights' FROM pg_class
        WHERE relnamespace = 'bailee'::regnamespace
          AND (relkind = 'm' OR (relkind = 'v' AND NOT coalesce('security_invoker=true' = ANY (reloptions), false)))
        UNION ALL
        SELECT 'function ' || proname || ' runs with its owner''s rights' FROM pg_proc
        WHERE pronamespace = 'bailee'::regnamespace AND prosecdef
        """
    )
