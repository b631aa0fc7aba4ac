"""The attacker of 5.3: as tenant A, by SQL, API and object storage, it tries to reach what is tenant B's."""

import contextlib
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx2
import msgspec
import psycopg
from psycopg import errors as pg
from psycopg import sql

from bailee.foundation.database import Database
from bailee.foundation.errors import Error
from bailee.foundation.ids import TenantId
from bailee.foundation.objects import Objects
from bailee.foundation.principal import system
from bailee.infrastructure.store import TableSecurity
from bailee.stores.files import Files
from bailee.stores.probes import COLLECTION, Probe

_SETTING = "current_setting('app.tenant'"


def schema_faults(tables: list[TableSecurity]) -> Iterator[str]:
    """Tables whose row security is not as it must be."""
    for table in tables:
        if not table.tenant:
            if table.readable:
                yield f"{table.name}: no tenant_id, and the tenant role may read it"
            continue
        if not (table.enabled and table.forced):
            yield f"{table.name}: row security is not enabled and forced"
        if not table.policies or any(_SETTING not in policy for policy in table.policies):
            yield f"{table.name}: a policy of the tenant role does not compare with the tenant"
        if table.first_key_column != "tenant_id":
            yield f"{table.name}: tenant_id is not first in the primary key"


async def sql_faults(
    database: Database, tables: list[TableSecurity], attacker: TenantId, victim: TenantId
) -> list[str]:
    """What the attacker reaches with the tenant role's own SQL, table by table."""
    faults = []
    for table in (table for table in tables if table.tenant):
        name = sql.Identifier("bailee", table.name)
        for verb, statement in _attacks(name, victim):
            try:
                touched = await _touched(database, attacker, statement)
            except pg.InsufficientPrivilege:
                continue
            except pg.IntegrityError:  # row security let it pass; only a constraint stopped it
                touched = 1
            if touched:
                faults.append(f"{verb} {table.name}: {touched} rows of another tenant")
        faults += [f"{verb} {table.name}: rows without a tenant" for verb in await _without_tenant(database, name)]
    return faults


def _attacks(name: sql.Identifier, victim: UUID) -> Iterator[tuple[str, sql.Composed]]:
    theirs = sql.SQL("tenant_id = {}").format(sql.Literal(victim))
    yield "SELECT", sql.SQL("SELECT 1 FROM {} WHERE {}").format(name, theirs)
    yield (
        "SELECT or",
        sql.SQL("SELECT 1 FROM {} WHERE ({} OR true) AND tenant_id <> current_setting('app.tenant')::uuid").format(
            name, theirs
        ),
    )
    yield "UPDATE", sql.SQL("UPDATE {} SET tenant_id = tenant_id WHERE {}").format(name, theirs)
    yield "DELETE", sql.SQL("DELETE FROM {} WHERE {}").format(name, theirs)
    yield "INSERT", sql.SQL("INSERT INTO {} (tenant_id) VALUES ({})").format(name, sql.Literal(victim))
    yield "TRUNCATE", sql.SQL("TRUNCATE {} CASCADE").format(name)
    yield "COPY", sql.SQL("SELECT 1 FROM (TABLE {}) AS t WHERE t.tenant_id = {}").format(name, sql.Literal(victim))


class _Undo(Exception):
    """Rolls an attack back."""


async def _touched(database: Database, attacker: TenantId, statement: sql.Composed) -> int:
    """How many rows the attacker's statement touches; it never commits."""
    touched = 0
    with contextlib.suppress(_Undo):
        async with database.tenant(attacker) as tx:
            touched = (await tx.connection.execute(statement)).rowcount
            raise _Undo
    return touched


async def _without_tenant(database: Database, name: sql.Identifier) -> list[str]:
    """Row security must show nothing when no tenant is set, and when it is set to nothing."""
    reached = []
    async with database.session("bailee_tenant") as connection:
        for setting in (None, "", str(UUID(int=0))):
            if setting is not None:
                await connection.execute("SELECT set_config('app.tenant', %s, false)", (setting,))
            query = sql.SQL("SELECT 1 FROM {} WHERE tenant_id <> {} LIMIT 1").format(name, sql.Literal(UUID(int=0)))
            try:
                rows = await (await connection.execute(query)).fetchall()
            except psycopg.Error:
                rows = []
            if rows:
                reached.append(f"SELECT (tenant {setting!r})")
    return reached


# --- the API -----------------------------------------------------------------------------------------


async def api_faults(http: httpx2.AsyncClient, victim: Probe, key_id: UUID) -> tuple[int, list[str]]:
    """Calls every route of the published document with the attacker's key and the victim's identifiers."""
    document: dict[str, Any] = (await http.get("/api/v1/openapi.json")).json()
    calls, faults = 0, []
    for template, operations in document["paths"].items():
        for method in ("get", "put", "patch", "post", "delete"):
            if method not in operations or not template.startswith("/api/"):
                continue
            for path in _paths(template, victim, key_id):
                answer = await _call(http, method, path)
                calls += 1
                reason = _verdict(answer, template, method, victim)
                if reason:
                    faults.append(f"{method.upper()} {template}: {reason}")
    return calls, faults


def _paths(template: str, victim: Probe, key_id: UUID) -> Iterator[str]:
    values = {
        "tenant": str(victim.tenant), "name": COLLECTION, "record": str(victim.record), "subject": victim.subject,
        "file": victim.file, "key": str(key_id), "measure": "1.1", "action": "suspend",
    }  # fmt: skip
    path = template
    for name, value in values.items():
        path = path.replace(f"{{{name}}}", value)
    yield path
    yield f"{path}?tenant={victim.tenant}&tenant_id={victim.tenant}"


async def _call(http: httpx2.AsyncClient, method: str, path: str) -> httpx2.Response:
    if "/batch" in path or path.split("?", maxsplit=1)[0].endswith("/read"):
        headers, body = {"Content-Type": "application/x-ndjson"}, b'{"id": "%s"}\n' % path.encode()
    else:
        headers, body = {"Content-Type": "application/json"}, b'{"data": {"marker": "taken"}, "subject": null}'
    return await http.request(method.upper(), path, content=None if method == "get" else body, headers=headers)


_THEIRS = ("{record}", "{subject}", "{key}", "{tenant}")


def _verdict(answer: httpx2.Response, template: str, method: str, victim: Probe) -> str | None:
    if victim.marker in answer.text or str(victim.tenant) in answer.text.replace(f"tenant={victim.tenant}", ""):
        return "the answer holds another tenant's data"
    if answer.status_code >= 500:  # noqa: PLR2004  a fault is no refusal
        return f"answered {answer.status_code}"
    if any(name in template for name in _THEIRS) and answer.is_success:
        return f"succeeded on another tenant's identifier ({method})"
    return None


# --- object storage -------------------------------------------------------------------------------------


async def object_faults(
    database: Database, files: Files, objects: Objects, attacker: TenantId, victim: Probe
) -> list[str]:
    """Opens the victim's object as the attacker, and asks for objects by names that climb out."""
    faults = []
    by = system("probe")
    async with database.tenant(victim.tenant) as tx:
        theirs = await files.open(tx, victim.file, version=None, by=by)
    stolen = msgspec.structs.replace(theirs, tenant=attacker)
    for opened in (stolen, msgspec.structs.replace(stolen, object_id=UUID(int=0))):
        try:
            content = b"".join([block async for block in files.content(opened, 0, len(victim.marker))])
            if victim.marker.encode() in content:
                faults.append("another tenant's file was readable")
        except Error:
            continue
    for name in (f"files/{attacker}/../{victim.tenant}", "../root.key", "/etc/passwd", f"files/{attacker}/./.."):
        try:
            await objects.get(name)
            faults.append("an object's name climbed out of its tenant")
        except Error:
            continue
    return faults
