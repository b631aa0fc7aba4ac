"""Services with an identity provider and a name server of their own, and the people who come through them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import msgspec

from bailee.access.authentication import Caller
from bailee.access.federation.model import Domain, Returned
from bailee.access.model import AccountKind, AccountState, StartedSession
from bailee.access.permissions import TENANT_ROLES, expand
from bailee.access.store import accounts as account_rows
from bailee.access.store import members as member_rows
from bailee.assembly import Services
from bailee.foundation.ids import TenantId, new_id
from bailee.foundation.principal import ActorKind, Principal, anonymous
from bailee.foundation.secrets import Secret
from bailee.foundation.settings import Access
from bailee.tenants.model import Tenant
from tests.dns import DnsServer, dns_server
from tests.integration.rig import create_tenant, open_settings, running
from tests.oidc_server import CLIENT_ID, CLIENT_SECRET, OidcServer, oidc_server
from tests.postgres import Pair


class World(msgspec.Struct):
    """Everything that federation touches."""

    services: Services
    provider: OidcServer
    dns: DnsServer

    async def tenant(self, *domains: str, sso: bool = True, plan: str = "enterprise") -> Tenant:
        """A tenant with verified domains, and with the identity provider set up."""
        made = await create_tenant(self.services, plan=plan)
        for domain in domains:
            await self.verified(made.id, domain)
        if sso:
            await self.configure(made.id)
        return made

    async def domain(self, tenant: TenantId, name: str) -> Domain:
        """A domain that is added and not verified."""
        async with self.services.database.tenant(tenant) as tx:
            return await self.services.federation.domains.add(tx, name, by=member(tenant))

    async def verified(self, tenant: TenantId, name: str) -> Domain:
        added = await self.domain(tenant, name)
        self.dns.publish(added.record_name, added.record_value)
        return await self.services.federation.domains.verify(added.id, by=member(tenant))

    async def configure(self, tenant: TenantId, **changes: Any) -> None:
        wanted: dict[str, Any] = {
            "issuer": self.provider.issuer, "client_id": CLIENT_ID, "client_secret": Secret(CLIENT_SECRET.encode()),
            "default_role": "editor", "enabled": True, "by": member(tenant), **changes,
        }  # fmt: skip
        await self.services.federation.sso_connections.configure(**wanted)

    async def begin(self, email: str) -> Returned:
        """What comes back with a browser that was sent to the identity provider."""
        onward = await self.services.federation.sso_sign_in.begin(
            email=email, onward="/records", by=anonymous("192.0.2.1")
        )
        assert onward is not None
        back = urlsplit(self.provider.authorize(onward.url))
        found = {name: values[0] for name, values in parse_qs(back.query).items()}
        return Returned(found["state"], onward.browser, found["code"], found.get("iss"), None)

    async def finish(self, returned: Returned) -> StartedSession:
        started, _onward = await self.services.federation.sso_sign_in.finish(returned, by=anonymous("192.0.2.1"))
        return started

    async def sign_in(self, email: str, subject: str | None = None, **claims: Any) -> StartedSession:
        """Somebody signs in through the provider."""
        self.provider.person(subject or f"sub of {email}", email, **claims)
        return await self.finish(await self.begin(email))

    async def principal(self, started: StartedSession) -> Principal:
        """Whom the session's token speaks for."""
        return await self.services.access.authenticator.authenticate(started.token, Caller("192.0.2.1", new_id()))

    async def account(
        self, email: str, *, kind: AccountKind = AccountKind.MEMBER, state: AccountState = AccountState.ACTIVE
    ) -> UUID:
        """Somebody who has an account."""
        account_id = new_id()
        async with self.services.database.operator() as tx:
            await account_rows.insert_account(tx, account_id, kind, email, "Somebody Else", state, None)
        return account_id

    async def join(self, tenant: TenantId, account_id: UUID, email: str, role: str = "viewer") -> None:
        async with self.services.database.operator() as tx:
            await member_rows.insert_membership(tx, tenant, account_id, email, "Somebody Else", role, "invitation")

    async def actions(self, tenant: TenantId | None = None) -> list[str]:
        """What was recorded, newest first."""
        async with self.services.database.operator_read() as tx:
            return await tx.values(
                "SELECT action FROM events WHERE %s::uuid IS NULL OR tenant_id = %s ORDER BY event_id DESC",
                (tenant, tenant),
            )


@asynccontextmanager
async def world_of(pair: Pair, **access: Any) -> AsyncIterator[World]:
    """A world that lasts for the duration; `access` changes the settings."""
    with dns_server() as names, oidc_server() as provider, open_settings(pair) as settings:
        chosen = {
            "dns_servers": [names.address], "sso_ca_file": str(provider.ca_file), "sso_allow_private": True, **access,
        }  # fmt: skip
        changed = msgspec.structs.replace(settings, access=Access(**chosen))
        async with running(changed) as services:
            yield World(services, provider, names)


def member(tenant: TenantId, role: str = "owner", *, stepped_up: bool = True) -> Principal:
    """A member of a tenant, signed in."""
    return Principal(
        ActorKind.MEMBER, str(new_id()), TENANT_ROLES[role].permissions, tenant, session_id=new_id(),
        stepped_up=stepped_up,
    )  # fmt: skip


def directory(tenant: TenantId, *scopes: str) -> Principal:
    """A tenant's directory: an API key with the scope `scim`, and others if wanted."""
    return Principal(ActorKind.KEY, str(new_id()), expand(["scim", *scopes]), tenant)
