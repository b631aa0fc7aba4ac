"""Row-level security, for every table with a tenant in both servers, as the catalogue lists them."""

from typing import Any

import psycopg
import pytest
from psycopg import errors as pg
from psycopg import sql

from bailee.assembly import Services
from bailee.foundation.database import Database
from bailee.tenants.model import Tenant
from tests.integration.rig import create_record, define, superuser
from tests.postgres import SERVERS

TABLES = """
    SELECT c.relname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'bailee' AND c.relkind IN ('r', 'p') AND a.attname = 'tenant_id' AND NOT a.attisdropped
    ORDER BY 1
"""


def _server(services: Services, server: str) -> tuple[str, Database]:
    databases = services.settings.database
    return (databases.main, services.database) if server == "main" else (databases.keyring, services.keyring_database)


def _rows(url: str, query: str) -> list[Any]:
    with superuser(url) as connection:
        return [row[0] if len(row) == 1 else row for row in connection.execute(query).fetchall()]


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_every_table_with_a_tenant_enforces_row_security_on_its_owner_too(
    services: Services, server: str
) -> None:
    url, _ = _server(services, server)
    tables = _rows(url, TABLES)
    assert len(tables) >= (10 if server == "main" else 2)
    forced = _rows(
        url, "SELECT relname FROM pg_class WHERE relnamespace = 'bailee'::regnamespace "
        "AND relrowsecurity AND relforcerowsecurity ORDER BY 1",
    )  # fmt: skip
    assert set(tables) <= set(forced)


async def test_every_policy_of_the_tenant_role_compares_with_the_setting_both_ways(
    services: Services, server: str
) -> None:
    url, _ = _server(services, server)
    inline = "(tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid)"
    policies = _rows(
        url,
        "SELECT tablename, qual, with_check FROM pg_policies"
        " WHERE 'bailee_tenant' = ANY(roles) AND permissive = 'PERMISSIVE' ORDER BY 1",
    )
    assert [row[0] for row in policies] == _rows(url, TABLES)
    assert all(row[1:] == (inline, inline) for row in policies)
    assert _rows(url, "SELECT policyname FROM pg_policies WHERE 'public' = ANY(roles)") == []


async def test_every_key_and_index_that_is_unique_begins_with_the_tenant(services: Services, server: str) -> None:
    url, _ = _server(services, server)
    tables = _rows(url, TABLES)
    keys = _rows(
        url,
        """
        SELECT c.relname, i.indexrelid::regclass::text, a.attname
        FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
        WHERE c.relnamespace = 'bailee'::regnamespace AND i.indisunique
        """,
    )
    assert [key for key in keys if key[0] in tables and key[2] != "tenant_id"] == []
    foreign = _rows(
        url,
        """
        SELECT conrelid::regclass::text, conname, a.attname, b.attname
        FROM pg_constraint JOIN pg_attribute a ON a.attrelid = conrelid AND a.attnum = conkey[1]
        JOIN pg_attribute b ON b.attrelid = confrelid AND b.attnum = confkey[1]
        WHERE contype = 'f' AND connamespace = 'bailee'::regnamespace
        """,
    )
    assert foreign
    assert [key for key in foreign if key[0].split(".")[-1] in tables and key[2:] != ("tenant_id", "tenant_id")] == []


async def test_no_role_of_ours_passes_row_security_or_owns_a_table(services: Services, server: str) -> None:
    url, _ = _server(services, server)
    powerful = (
        "SELECT rolname FROM pg_roles WHERE rolname LIKE 'bailee%' AND (rolsuper OR rolbypassrls OR rolcreaterole)"
    )
    assert _rows(url, powerful) == []
    owners = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'bailee'"
    assert _rows(url, owners) == ["bailee_owner"]


async def test_nothing_in_the_schema_goes_around_row_security(services: Services, server: str) -> None:
    """Views, materialised views and SECURITY DEFINER functions: there are none."""
    url, _ = _server(services, server)
    assert (
        _rows(url, "SELECT relname FROM pg_class WHERE relnamespace = 'bailee'::regnamespace AND relkind IN ('v', 'm')")
        == []
    )
    assert _rows(url, "SELECT proname FROM pg_proc WHERE pronamespace = 'bailee'::regnamespace AND prosecdef") == []


async def test_tenant_sees_only_its_own_rows_in_every_table(
    services: Services, server: str, two_tenants: tuple[Tenant, Tenant]
) -> None:
    for tenant in two_tenants:
        await define(services, tenant.id)
        await create_record(services, tenant.id, {"email": "a@example.com"}, "one")
    url, database = _server(services, server)
    for table in _rows(url, TABLES):
        name = sql.Identifier(table)
        for tenant in two_tenants:
            async with database.tenant(tenant.id) as tx:
                try:
                    async with tx.connection.transaction():
                        cursor = await tx.connection.execute(sql.SQL("SELECT DISTINCT tenant_id FROM {}").format(name))
                        assert {row[0] for row in await cursor.fetchall()} <= {tenant.id}, table
                except pg.InsufficientPrivilege:
                    continue


@pytest.mark.parametrize("setting", ["unset", "empty", "reset"])
async def test_role_without_a_tenant_sees_and_changes_nothing(
    services: Services, server: str, tenant: Tenant, setting: str
) -> None:
    await define(services, tenant.id)
    url, database = _server(services, server)
    async with database.session("bailee_tenant") as connection:
        if setting == "empty":
            await connection.execute("SET app.tenant = ''")
        if setting == "reset":
            async with connection.transaction():
                await connection.execute(sql.SQL("SET LOCAL app.tenant = {}").format(str(tenant.id)))
        for table in _rows(url, TABLES):
            name = sql.Identifier(table)
            for query in ("SELECT FROM {}", "DELETE FROM {}", "UPDATE {} SET tenant_id = tenant_id"):
                try:
                    cursor = await connection.execute(sql.SQL(query).format(name))
                except pg.InsufficientPrivilege:
                    continue
                assert cursor.rowcount == 0, (table, query)


async def test_row_cannot_be_written_for_or_moved_to_another_tenant(
    services: Services, server: str, two_tenants: tuple[Tenant, Tenant]
) -> None:
    mine, theirs = two_tenants
    for tenant in two_tenants:
        await define(services, tenant.id)
        await create_record(services, tenant.id, {"email": "a@example.com"}, "one")
    url, database = _server(services, server)
    for table in _rows(url, TABLES):
        name = sql.Identifier(table)
        for query in (
            "UPDATE {} SET tenant_id = %s",
            "INSERT INTO {} OVERRIDING SYSTEM VALUE SELECT (jsonb_populate_record(t, "
            "jsonb_build_object('tenant_id', %s::text))).* FROM {} t LIMIT 1",
        ):
            touched = 0
            async with database.tenant(mine.id) as tx:
                try:
                    async with tx.connection.transaction():
                        statement = sql.SQL(query).format(*[name] * query.count("{}"))
                        touched = (await tx.connection.execute(statement, (str(theirs.id),))).rowcount
                except pg.InsufficientPrivilege:
                    continue  # no grant, or the policy: both refuse
                except pg.SyntaxError as error:
                    raise AssertionError(table) from error
                assert touched == 0, (table, query)


async def test_tables_are_not_truncated_or_altered_by_the_application(services: Services, server: str) -> None:
    url, database = _server(services, server)
    for role in ("bailee_tenant", "bailee_operator"):
        async with database.session(role) as connection:
            for table in _rows(url, TABLES):
                for query in ("TRUNCATE {}", "ALTER TABLE {} DISABLE ROW LEVEL SECURITY", "DROP TABLE {}"):
                    with pytest.raises(pg.InsufficientPrivilege):
                        await connection.execute(sql.SQL(query).format(sql.Identifier(table)))


async def test_operator_has_no_grant_on_what_tenants_store(services: Services) -> None:
    async with services.database.session("bailee_operator") as connection:
        for table in ("records", "record_tokens", "subjects", "files", "idempotency", "erasures", "collections"):
            with pytest.raises(pg.InsufficientPrivilege):
                await connection.execute(sql.SQL("SELECT FROM {}").format(sql.Identifier(table)))
    async with services.keyring_database.session("bailee_operator") as connection:
        for table in ("tenant_keys", "data_keys"):
            with pytest.raises(pg.InsufficientPrivilege):
                await connection.execute(sql.SQL("SELECT FROM {}").format(sql.Identifier(table)))


async def test_pooled_connection_keeps_no_tenant(services: Services, tenant: Tenant) -> None:
    await define(services, tenant.id)
    for fail in (False, True):
        try:
            async with services.database.tenant(tenant.id) as tx:
                assert await tx.value("SELECT current_setting('app.tenant')") == str(tenant.id)
                if fail:
                    raise ZeroDivisionError
        except ZeroDivisionError:
            pass
        pool = services.database._pools["bailee_tenant"]
        for _ in range(5):
            async with pool.connection() as connection:
                cursor = await connection.execute("SELECT nullif(current_setting('app.tenant', true), '')")
                assert await cursor.fetchone() == (None,)


async def test_prepared_plans_do_not_carry_one_tenants_rows_to_another(
    services: Services, two_tenants: tuple[Tenant, Tenant]
) -> None:
    await define(services, two_tenants[0].id)
    for _ in range(10):  # beyond the threshold at which statements are prepared and plans made generic
        for tenant, expected in zip(two_tenants, (1, 0), strict=True):
            async with services.database.tenant_read(tenant.id) as tx:
                assert await tx.value("SELECT count(*) FROM collections") == expected


async def test_foreign_and_unique_keys_are_no_oracle(services: Services, two_tenants: tuple[Tenant, Tenant]) -> None:
    """A row of another tenant and none at all are answered alike."""
    mine, theirs = two_tenants
    for tenant in two_tenants:
        await define(services, tenant.id)
    await define(services, theirs.id, "secret_project")
    answers = []
    for collection in ("secret_project", "no_such_thing"):
        with pytest.raises(psycopg.IntegrityError) as refused:
            async with services.database.tenant(mine.id) as tx:
                await tx.run(
                    "INSERT INTO records (tenant_id, record_id, collection, version, ciphertext,"
                    " created_at, updated_at) VALUES (%s, gen_random_uuid(), %s, 1, '', now(), now())",
                    (mine.id, collection),
                )
        answers.append((type(refused.value), refused.value.diag.constraint_name))
    assert answers[0] == answers[1]
