"""Domains, connections, identities and sign-ins under way."""

from datetime import datetime
from typing import LiteralString
from uuid import UUID

import msgspec

from bailee.access.federation.model import Connection
from bailee.foundation.database import OperatorReader, OperatorWriter, TenantReader, TenantWriter
from bailee.foundation.ids import TenantId

# --- domains ----------------------------------------------------------------------------------------------


class DomainRow(msgspec.Struct, frozen=True):
    """A tenant's domain as it is stored."""

    tenant_id: TenantId
    domain_id: UUID
    domain: str
    token: str
    created_at: datetime
    verified_at: datetime | None
    checked_at: datetime | None
    failing_since: datetime | None
    failures: int


_DOMAIN = """
SELECT tenant_id, domain_id, domain, token, created_at, verified_at, checked_at, failing_since, failures
FROM tenant_domains
"""


async def insert_domain(tx: TenantWriter, domain_id: UUID, domain: str, token: str) -> bool:
    """False where the tenant has it already."""
    changed = await tx.run(
        """
        INSERT INTO tenant_domains (tenant_id, domain, domain_id, token) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING
        """,
        (tx.tenant, domain, domain_id, token),
    )
    return changed == 1


async def list_domains(tx: TenantReader) -> list[DomainRow]:
    return await tx.all(DomainRow, _DOMAIN + " ORDER BY domain")


async def find_domain(tx: TenantReader, domain_id: UUID) -> DomainRow | None:
    return await tx.one(DomainRow, _DOMAIN + " WHERE domain_id = %s", (domain_id,))


async def lock_domain(tx: OperatorWriter, tenant: TenantId, domain_id: UUID) -> DomainRow | None:
    """The row, held by this transaction."""
    return await tx.one(DomainRow, _DOMAIN + " WHERE tenant_id = %s AND domain_id = %s FOR UPDATE", (tenant, domain_id))


async def claim_domain(tx: OperatorWriter, domain: str, tenant: TenantId) -> bool:
    """Makes the domain this tenant's, unless it is another's. One of many concurrent claims succeeds."""
    await tx.run(
        """
        DELETE FROM verified_domains v USING tenants t
        WHERE v.domain = %s AND t.tenant_id = v.holder AND t.state = 'terminated'
        """,
        (domain,),
    )
    changed = await tx.run(
        """
        INSERT INTO verified_domains (domain, holder) VALUES (%s, %s)
        ON CONFLICT (domain) DO UPDATE SET holder = excluded.holder WHERE verified_domains.holder = excluded.holder
        """,
        (domain, tenant),
    )
    return changed == 1


async def release_domain(tx: OperatorWriter, domain: str, tenant: TenantId) -> None:
    await tx.run("DELETE FROM verified_domains WHERE domain = %s AND holder = %s", (domain, tenant))


async def mark_found(tx: OperatorWriter, tenant: TenantId, domain_id: UUID) -> None:
    await tx.run(
        """
        UPDATE tenant_domains
        SET verified_at = coalesce(verified_at, now()), checked_at = now(), failures = 0, failing_since = NULL
        WHERE tenant_id = %s AND domain_id = %s
        """,
        (tenant, domain_id),
    )


async def mark_missing(tx: OperatorWriter, tenant: TenantId, domain_id: UUID) -> None:
    await tx.run(
        """
        UPDATE tenant_domains
        SET checked_at = now(), failures = failures + 1, failing_since = coalesce(failing_since, now())
        WHERE tenant_id = %s AND domain_id = %s
        """,
        (tenant, domain_id),
    )


async def mark_unverified(tx: OperatorWriter, tenant: TenantId, domain_id: UUID) -> None:
    await tx.run(
        "UPDATE tenant_domains SET verified_at = NULL, failures = 0 WHERE tenant_id = %s AND domain_id = %s",
        (tenant, domain_id),
    )


async def delete_domain(tx: OperatorWriter, tenant: TenantId, domain_id: UUID) -> None:
    await tx.run("DELETE FROM tenant_domains WHERE tenant_id = %s AND domain_id = %s", (tenant, domain_id))


async def list_verified(tx: OperatorReader) -> list[DomainRow]:
    """Every domain that counts, of tenants that are still there."""
    return await tx.all(
        DomainRow,
        """
        SELECT d.tenant_id, d.domain_id, d.domain, d.token, d.created_at, d.verified_at, d.checked_at, d.failing_since,
            d.failures
        FROM tenant_domains d JOIN tenants t ON t.tenant_id = d.tenant_id
        WHERE d.verified_at IS NOT NULL AND t.state <> 'terminated' ORDER BY d.tenant_id, d.domain
        """,
    )


async def count_verified(tx: OperatorReader, tenant: TenantId) -> int:
    count: int = await tx.value(
        "SELECT count(*) FROM tenant_domains WHERE tenant_id = %s AND verified_at IS NOT NULL", (tenant,)
    )
    return count


async def find_holder(tx: OperatorReader, domain: str) -> TenantId | None:
    """Whose domain it is."""
    found: UUID | None = await tx.value("SELECT holder FROM verified_domains WHERE domain = %s", (domain,))
    return TenantId(found) if found else None


async def list_owner_emails(tx: OperatorReader, tenant: TenantId) -> list[str]:
    """Where a tenant's owners are reached."""
    return await tx.values(
        "SELECT email FROM memberships WHERE tenant_id = %s AND role = 'owner' AND state = 'active' ORDER BY email",
        (tenant,),
    )


# --- connections --------------------------------------------------------------------------------------------


class ConnectionRow(msgspec.Struct, frozen=True):
    """A connection as its tenant sees it, without the secret."""

    issuer: str
    client_id: str
    default_role: str
    enabled: bool
    created_at: datetime
    updated_at: datetime


async def put_connection(tx: OperatorWriter, connection: Connection) -> None:
    await tx.run(
        """
        INSERT INTO sso_connections (tenant_id, issuer, client_id, client_secret, default_role, enabled)
        VALUES (%s, %s, %s, %s, %s, %s)
        ON CONFLICT (tenant_id) DO UPDATE
        SET issuer = excluded.issuer, client_id = excluded.client_id, client_secret = excluded.client_secret,
            default_role = excluded.default_role, enabled = excluded.enabled, updated_at = now()
        """,
        (
            connection.tenant_id, connection.issuer, connection.client_id, connection.client_secret,
            connection.default_role, connection.enabled,
        ),
    )  # fmt: skip


async def show_connection(tx: TenantReader) -> ConnectionRow | None:
    return await tx.one(
        ConnectionRow,
        "SELECT issuer, client_id, default_role, enabled, created_at, updated_at FROM sso_connections",
    )


_CONNECTION: LiteralString = """
SELECT tenant_id, issuer, client_id, client_secret, default_role, enabled FROM sso_connections WHERE tenant_id = %s
"""


async def find_connection(tx: OperatorReader, tenant: TenantId, *, share: bool = False) -> Connection | None:
    """With `share` nobody changes it before this transaction ends."""
    return await tx.one(Connection, _CONNECTION + (" FOR SHARE" if share else ""), (tenant,))


async def lock_connection(tx: OperatorWriter, tenant: TenantId) -> Connection | None:
    """The same, held by this transaction alone."""
    return await tx.one(Connection, _CONNECTION + " FOR UPDATE", (tenant,))


async def delete_connection(tx: OperatorWriter, tenant: TenantId) -> bool:
    return await tx.run("DELETE FROM sso_connections WHERE tenant_id = %s", (tenant,)) == 1


async def end_sessions(tx: OperatorWriter, tenant: TenantId, *, but: UUID | None) -> int:
    """Ends the sessions that a tenant's identity provider has begun, all or all but one, and what they approved."""
    await tx.run("DELETE FROM device_requests WHERE vouched_by = %s", (tenant,))
    return await tx.run(
        "DELETE FROM sessions WHERE vouched_by = %s AND (%s::uuid IS NULL OR session_id <> %s)", (tenant, but, but)
    )


async def has_memberships(tx: OperatorReader, account_id: UUID) -> bool:
    """Whether a tenant that goes on has a person among its members, disabled ones too."""
    found: bool = await tx.value(
        """
        SELECT EXISTS (
            SELECT FROM memberships m JOIN tenants t USING (tenant_id)
            WHERE m.account_id = %s AND t.state <> 'terminated'
        )
        """,
        (account_id,),
    )
    return found


async def find_member_role(tx: OperatorReader, tenant: TenantId, account_id: UUID) -> str | None:
    role: str | None = await tx.value(
        "SELECT role FROM memberships WHERE tenant_id = %s AND account_id = %s", (tenant, account_id)
    )
    return role


# --- identities -----------------------------------------------------------------------------------------------


async def find_identity(tx: OperatorReader, tenant: TenantId, issuer: str, subject: str) -> UUID | None:
    """The account that a subject stands for in this tenant, and in no other."""
    found: UUID | None = await tx.value(
        "SELECT account_id FROM federated_identities WHERE tenant_id = %s AND issuer = %s AND subject = %s",
        (tenant, issuer, subject),
    )
    return found


async def insert_identity(tx: OperatorWriter, tenant: TenantId, issuer: str, subject: str, account_id: UUID) -> bool:
    """False where the subject, or the account, is linked otherwise."""
    changed = await tx.run(
        """
        INSERT INTO federated_identities (tenant_id, issuer, subject, account_id) VALUES (%s, %s, %s, %s)
        ON CONFLICT DO NOTHING
        """,
        (tenant, issuer, subject, account_id),
    )
    return changed == 1


async def touch_identity(tx: OperatorWriter, tenant: TenantId, issuer: str, subject: str) -> None:
    await tx.run(
        """
        UPDATE federated_identities SET used_at = now() WHERE tenant_id = %s AND issuer = %s AND subject = %s
        """,
        (tenant, issuer, subject),
    )


async def find_member_state(tx: OperatorReader, tenant: TenantId, account_id: UUID) -> str | None:
    """How somebody belongs to a tenant: `active`, `disabled`, or not."""
    state: str | None = await tx.value(
        "SELECT state FROM memberships WHERE tenant_id = %s AND account_id = %s", (tenant, account_id)
    )
    return state


# --- sign-ins under way -----------------------------------------------------------------------------------------


class Intent(msgspec.Struct, frozen=True):
    """A sign-in that was sent to an identity provider."""

    intent_id: UUID
    digest: bytes
    browser_digest: bytes
    holder: TenantId
    issuer: str
    client_id: str
    onward: str
    anew: bool
    """Whether the person was to show again who they are."""
    former: UUID | None
    """The session of the browser that began it."""


async def insert_intent(tx: OperatorWriter, intent: Intent, address: str, expires_at: datetime) -> None:
    await tx.run(
        """
        INSERT INTO sso_intents
            (intent_id, digest, browser_digest, holder, issuer, client_id, onward, anew, former, address, expires_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (
            intent.intent_id, intent.digest, intent.browser_digest, intent.holder, intent.issuer, intent.client_id,
            intent.onward, intent.anew, intent.former, address, expires_at,
        ),
    )  # fmt: skip


async def use_intent(tx: OperatorWriter, intent_id: UUID, digest: bytes, browser_digest: bytes) -> Intent | None:
    """Uses an intent up, for the browser that holds it. One of many concurrent uses gets it.

    The digests are of random secrets: comparing them in the database tells nothing about those.
    """
    return await tx.one(
        Intent,
        """
        DELETE FROM sso_intents
        WHERE intent_id = %s AND digest = %s AND browser_digest = %s AND expires_at > now()
        RETURNING intent_id, digest, browser_digest, holder, issuer, client_id, onward, anew, former
        """,
        (intent_id, digest, browser_digest),
    )


async def count_intents(tx: OperatorReader, address: str, since: datetime) -> int:
    count: int = await tx.value(
        "SELECT count(*) FROM sso_intents WHERE address = %s AND created_at > %s", (address, since)
    )
    return count


async def delete_old_intents(tx: OperatorWriter) -> int:
    return await tx.run("DELETE FROM sso_intents WHERE expires_at < now()")
