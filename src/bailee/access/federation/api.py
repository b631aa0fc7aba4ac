"""A tenant's domains and its identity provider, over REST."""

from typing import Annotated

import msgspec
from litestar import Router, delete, get, post, put

from bailee.access.api.common import id_of, secret_of
from bailee.access.federation.connections import SsoConnections
from bailee.access.federation.domains import Domains
from bailee.access.federation.model import Domain, SsoConnection, SsoReport
from bailee.foundation.database import Database
from bailee.foundation.http import problems, requires
from bailee.foundation.principal import Principal


class NewDomain(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A domain to add."""

    domain: Annotated[str, msgspec.Meta(max_length=300)]


class WantedConnection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The identity provider to use. Without `client_secret` the one before stays."""

    issuer: Annotated[str, msgspec.Meta(max_length=500)]
    client_id: Annotated[str, msgspec.Meta(max_length=255)]
    client_secret: Annotated[str, msgspec.Meta(max_length=1000)] | None = None
    default_role: Annotated[str, msgspec.Meta(max_length=40)] = "viewer"
    enabled: bool = True


@get("/domains", summary="The tenant's domains", operation_id="listDomains", responses=problems(),
     **requires("sso.read"))  # fmt: skip
async def list_domains(database: Database, domains: Domains, principal: Principal) -> list[Domain]:
    async with database.tenant_read(principal.tenant) as tx:
        return await domains.all(tx)


@post("/domains", summary="Add a domain", operation_id="addDomain", responses=problems(409), **requires("domains.add"))
async def add_domain(database: Database, domains: Domains, data: NewDomain, principal: Principal) -> Domain:
    async with database.tenant(principal.tenant) as tx:
        return await domains.add(tx, data.domain, by=principal)


@post("/domains/{domain:str}/verify", summary="Look the domain's TXT record up now", operation_id="verifyDomain",
      status_code=200, responses=problems(409), **requires("domains.verify"))  # fmt: skip
async def verify_domain(domains: Domains, domain: str, principal: Principal) -> Domain:
    return await domains.verify(id_of(domain), by=principal)


@delete("/domains/{domain:str}", summary="Remove a domain", operation_id="removeDomain", responses=problems(409),
        **requires("domains.remove", step_up=True))  # fmt: skip
async def remove_domain(database: Database, domains: Domains, domain: str, principal: Principal) -> None:
    async with database.operator() as tx:
        await domains.remove(tx, principal.tenant, id_of(domain), by=principal)


@get("/sso", summary="The tenant's identity provider", operation_id="getSso", responses=problems(),
     **requires("sso.read"))  # fmt: skip
async def get_connection(database: Database, sso_connections: SsoConnections, principal: Principal) -> SsoConnection:
    async with database.tenant_read(principal.tenant) as tx:
        return await sso_connections.get(tx)


@put("/sso", summary="Set the identity provider up", operation_id="configureSso", responses=problems(409),
     **requires("sso.configure", step_up=True))  # fmt: skip
async def configure(sso_connections: SsoConnections, data: WantedConnection, principal: Principal) -> SsoConnection:
    secret = secret_of(data.client_secret) if data.client_secret is not None else None
    return await sso_connections.configure(
        issuer=data.issuer, client_id=data.client_id, client_secret=secret, default_role=data.default_role,
        enabled=data.enabled, by=principal,
    )  # fmt: skip


@post("/sso/test", summary="Ask the identity provider for its description and keys", operation_id="testSso",
      status_code=200, responses=problems(), **requires("sso.configure"))  # fmt: skip
async def try_out(sso_connections: SsoConnections, principal: Principal) -> SsoReport:
    return await sso_connections.try_out(by=principal)


@delete("/sso", summary="Remove the identity provider", operation_id="removeSso", responses=problems(409),
        **requires("sso.remove", step_up=True))  # fmt: skip
async def remove_connection(database: Database, sso_connections: SsoConnections, principal: Principal) -> None:
    async with database.operator() as tx:
        await sso_connections.remove(tx, principal.tenant, by=principal)


router = Router(
    "/",
    route_handlers=[
        list_domains, add_domain, verify_domain, remove_domain, get_connection, configure, try_out, remove_connection,
    ],
    tags=["Access"],
)  # fmt: skip
