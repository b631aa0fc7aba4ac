"""A tenant's single sign-on: its identity provider, and the domains whose people it signs in."""

from typing import Any

from litestar import Response, get, post
from litestar.response import Template

from bailee.access.api.common import id_of, secret_of
from bailee.access.errors import NotInPlan
from bailee.access.federation.connections import SsoConnections
from bailee.access.federation.domains import CALLED, FEATURE, Domains
from bailee.access.federation.model import SsoConnection, SsoReport
from bailee.access.federation.scim.model import EVERYBODY
from bailee.access.federation.scim.provisioning import CALLED as PROVISIONING_CALLED
from bailee.access.federation.scim.provisioning import FEATURE as PROVISIONING
from bailee.access.federation.scim.provisioning import Provisioning
from bailee.access.members import Members, require_feature
from bailee.access.pages.common import moved
from bailee.foundation.database import Database, TenantReader
from bailee.foundation.errors import Error, NotFound
from bailee.foundation.http import Cursor, decode_cursor, encode_cursor, requires
from bailee.foundation.pages import EMPTY, PAGE_ROWS, Form, page, see
from bailee.foundation.principal import Principal
from bailee.foundation.settings import Settings

_NOTICES = {
    "configured": "The identity provider is saved. Try it out, then sign in through it in a private window.",
    "off": "Single sign-on is switched off, and the sessions that it began have ended.",
    "unset": "The identity provider is removed, and the sessions that it began have ended.",
    "added": "The domain is added. Publish its TXT record, then verify it.",
    "verified": "The domain is verified.",
    "removed": "The domain is removed.",
}
_NEW = Form({"default_role": ["viewer"], "enabled": ["on"]})
_OWNER = "owner"
_MAX_DIGITS = 9


# --- the identity provider ------------------------------------------------------------------------------


@get(["/sso", "/sso/test"], **requires("sso.read"))
async def show_connection(
    database: Database, sso_connections: SsoConnections, members: Members, principal: Principal, done: str = ""
) -> Template:
    """Also where a test has answered: whoever comes back there, from a step-up for instance, finds the page."""
    return await _connection(database, sso_connections, members, principal, notice=_NOTICES.get(done, ""))


@post("/sso", **requires("sso.configure", step_up=True))
async def configure_connection(
    database: Database, sso_connections: SsoConnections, members: Members, form: Form, principal: Principal
) -> Response[Any]:
    secret = form.text("client_secret")
    enabled = form.text("enabled") == "on"
    try:
        await sso_connections.configure(
            issuer=form.text("issuer"),
            client_id=form.text("client_id"),
            client_secret=secret_of(secret) if secret else None,
            default_role=form.text("default_role"),
            enabled=enabled,
            by=principal,
        )
    except Error as error:
        wrong = moved(error, {"role": "default_role"})
        return await _connection(database, sso_connections, members, principal, form=form, error=wrong)
    return see(f"/sso?done={'configured' if enabled else 'off'}")


@post("/sso/test", **requires("sso.configure"))
async def try_connection(
    database: Database, sso_connections: SsoConnections, members: Members, principal: Principal
) -> Response[Any]:
    """Answers with what was found: it counts for this moment, and is kept nowhere."""
    try:
        report = await sso_connections.try_out(by=principal)
    except Error as error:
        return await _connection(database, sso_connections, members, principal, error=error)
    return await _connection(database, sso_connections, members, principal, report=report)


@post("/sso/remove", **requires("sso.remove", step_up=True))
async def remove_connection(
    database: Database, sso_connections: SsoConnections, members: Members, principal: Principal
) -> Response[Any]:
    try:
        async with database.operator() as tx:
            await sso_connections.remove(tx, principal.tenant, by=principal)
    except Error as error:
        return await _connection(database, sso_connections, members, principal, error=error)
    return see("/sso?done=unset")


# --- domains --------------------------------------------------------------------------------------------


@get("/domains", **requires("sso.read"))
async def list_domains(database: Database, domains: Domains, principal: Principal, done: str = "") -> Template:
    return await _domains(database, domains, principal, notice=_NOTICES.get(done, ""))


@post("/domains", **requires("domains.add"))
async def add_domain(database: Database, domains: Domains, form: Form, principal: Principal) -> Response[Any]:
    try:
        async with database.tenant(principal.tenant) as tx:
            await domains.add(tx, form.text("domain"), by=principal)
    except Error as error:
        return await _domains(database, domains, principal, form=form, error=error)
    return see("/domains?done=added")


@post("/domains/{domain:str}/verify", **requires("domains.verify"))
async def verify_domain(database: Database, domains: Domains, domain: str, principal: Principal) -> Response[Any]:
    try:
        await domains.verify(id_of(domain), by=principal)
    except Error as error:
        return await _domains(database, domains, principal, error=error)
    return see("/domains?done=verified")


@post("/domains/{domain:str}/remove", **requires("domains.remove", step_up=True))
async def remove_domain(database: Database, domains: Domains, domain: str, principal: Principal) -> Response[Any]:
    try:
        async with database.operator() as tx:
            await domains.remove(tx, principal.tenant, id_of(domain), by=principal)
    except Error as error:
        return await _domains(database, domains, principal, error=error)
    return see("/domains?done=removed")


# --- the directory --------------------------------------------------------------------------------------


@get("/directory", **requires("sso.read"))
async def show_directory(
    database: Database, provisioning: Provisioning, settings: Settings, principal: Principal, cursor: Cursor = None
) -> Template:  # fmt: skip
    """Where a directory provisions people, and the groups that it has sent."""
    start = _offset(cursor)
    async with database.tenant_read(principal.tenant) as tx:
        lacking = await _lacking(tx, PROVISIONING, PROVISIONING_CALLED)
        total = await provisioning.count_groups(tx, EVERYBODY)
        groups = await provisioning.groups(tx, EVERYBODY, offset=start, limit=PAGE_ROWS)
    onward = encode_cursor(str(start + PAGE_ROWS)) if start + PAGE_ROWS < total else None
    return page(
        "directory.html", principal, address=f"{settings.base_url}/scim/v2", lacking=lacking, total=total,
        groups={"items": groups, "next": onward}, later=cursor is not None,
    )  # fmt: skip


# --- inside ---------------------------------------------------------------------------------------------


async def _connection(
    database: Database, sso_connections: SsoConnections, members: Members, principal: Principal, *,
    notice: str = "", form: Form | None = None, error: Error | None = None, report: SsoReport | None = None,
) -> Template:  # fmt: skip
    async with database.tenant_read(principal.tenant) as tx:
        connection = await _found(sso_connections, tx)
        lacking = await _lacking(tx)
        titles = {role.name: role.title for role in await members.roles(tx)}
    return page(
        "sso_settings.html", principal, form=form or _filled(connection), error=error, notice=notice, report=report,
        connection=connection, lacking=lacking, titles=titles, redirect_uri=sso_connections.redirect_uri,
        roles=[name for name in titles if name != _OWNER],
    )  # fmt: skip


async def _found(sso_connections: SsoConnections, tx: TenantReader) -> SsoConnection | None:
    try:
        return await sso_connections.get(tx)
    except NotFound:
        return None


async def _lacking(tx: TenantReader, feature: str = FEATURE, called: str = CALLED) -> str:
    """What to tell a tenant whose plan is without a feature; empty for the others."""
    try:
        await require_feature(tx, feature, called)
    except NotInPlan as error:
        return error.detail
    return ""


def _offset(cursor: str | None) -> int:
    position = decode_cursor(cursor) or "0"
    return int(position) if position.isascii() and position.isdigit() and len(position) < _MAX_DIGITS else 0


def _filled(connection: SsoConnection | None) -> Form:
    """The form that asks for what is there."""
    if connection is None:
        return _NEW
    return Form({
        "issuer": [connection.issuer],
        "client_id": [connection.client_id],
        "default_role": [connection.default_role],
        "enabled": ["on"] if connection.enabled else [],
    })  # fmt: skip


async def _domains(
    database: Database, domains: Domains, principal: Principal, *,
    notice: str = "", form: Form = EMPTY, error: Error | None = None,
) -> Template:  # fmt: skip
    async with database.tenant_read(principal.tenant) as tx:
        found = await domains.all(tx)
        lacking = await _lacking(tx)
    return page(
        "domains_list.html", principal, form=form, error=error, notice=notice, domains=found, lacking=lacking
    )  # fmt: skip


routes = [
    show_connection, configure_connection, try_connection, remove_connection, list_domains, add_domain, verify_domain,
    remove_domain, show_directory,
]  # fmt: skip
