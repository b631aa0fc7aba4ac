"""Clients, grants, tokens and signing keys."""

from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from bailee.access.provider.model import Access, Client, ClientFields, ClientKind, Grant, KnownClient, Refresh, Standing
from bailee.foundation.database import OperatorReader, OperatorWriter, Reader, TenantReader, Writer
from bailee.foundation.ids import TenantId
from bailee.tenants.model import TenantState

# --- clients --------------------------------------------------------------------------------------------

_CLIENT = """
SELECT
    client_id AS id, name, kind, redirect_uris, post_logout_redirect_uris, scopes, created_at, revoked_at, last_used_at
FROM oauth_clients
"""


async def insert_client(tx: Writer, owner: TenantId, client_id: UUID, kind: ClientKind, fields: ClientFields) -> None:
    await tx.run(
        """
        INSERT INTO oauth_clients (tenant_id, client_id, name, kind, redirect_uris, post_logout_redirect_uris, scopes)
        VALUES (%s, %s, %s, %s, %s, %s, %s)
        """,
        (
            owner, client_id, fields.name, kind.value, fields.redirect_uris, fields.post_logout_redirect_uris,
            fields.scopes,
        ),
    )  # fmt: skip


async def find_client(tx: Reader, owner: TenantId, client_id: UUID) -> Client | None:
    return await tx.one(Client, _CLIENT + " WHERE tenant_id = %s AND client_id = %s", (owner, client_id))


async def list_clients(tx: Reader, owner: TenantId, *, after: UUID | None, limit: int) -> list[Client]:
    return await tx.all(
        Client,
        _CLIENT
        + """
        WHERE tenant_id = %(owner)s AND (%(after)s::uuid IS NULL OR client_id > %(after)s)
        ORDER BY client_id LIMIT %(limit)s
        """,
        {"owner": owner, "after": after, "limit": limit},
    )


async def count_clients(tx: Reader, owner: TenantId) -> int:
    count: int = await tx.value(
        "SELECT count(*) FROM oauth_clients WHERE tenant_id = %s AND revoked_at IS NULL", (owner,)
    )
    return count


async def update_client(tx: Writer, owner: TenantId, client_id: UUID, fields: ClientFields) -> bool:
    """False for a client that is revoked."""
    changed = await tx.run(
        """
        UPDATE oauth_clients SET name = %s, redirect_uris = %s, post_logout_redirect_uris = %s, scopes = %s
        WHERE tenant_id = %s AND client_id = %s AND revoked_at IS NULL
        """,
        (fields.name, fields.redirect_uris, fields.post_logout_redirect_uris, fields.scopes, owner, client_id),
    )
    return changed == 1


async def revoke_client(tx: Writer, owner: TenantId, client_id: UUID) -> bool:
    changed = await tx.run(
        """
        UPDATE oauth_clients SET revoked_at = now() WHERE tenant_id = %s AND client_id = %s AND revoked_at IS NULL
        """,
        (owner, client_id),
    )
    return changed == 1


async def find_known(tx: OperatorReader, client_id: UUID) -> KnownClient | None:
    return await tx.one(
        KnownClient,
        """
        SELECT
            c.tenant_id, c.client_id AS id, c.name, c.kind, c.redirect_uris, c.post_logout_redirect_uris, c.scopes,
            c.revoked_at, t.state AS tenant_state
        FROM oauth_clients c LEFT JOIN tenants t ON t.tenant_id = c.tenant_id
        WHERE c.client_id = %s
        """,
        (client_id,),
    )


async def touch_client(tx: OperatorWriter, owner: TenantId, client_id: UUID, secret_id: UUID | None) -> None:
    """Notes a use, to the minute."""
    await tx.run(
        """
        UPDATE oauth_clients SET last_used_at = now()
        WHERE tenant_id = %s AND client_id = %s
          AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
        """,
        (owner, client_id),
    )
    await tx.run(
        """
        UPDATE oauth_client_secrets SET last_used_at = now()
        WHERE tenant_id = %s AND secret_id = %s
          AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
        """,
        (owner, secret_id),
    )


# --- secrets --------------------------------------------------------------------------------------------


class SecretRow(msgspec.Struct, frozen=True):
    """A secret that is good, and whose it is."""

    id: UUID
    client_id: UUID
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


async def insert_secret(
    tx: Writer, owner: TenantId, client_id: UUID, secret_id: UUID, digest: bytes, expires_at: datetime | None
) -> None:
    await tx.run(
        """
        INSERT INTO oauth_client_secrets (tenant_id, secret_id, client_id, digest, expires_at)
        VALUES (%s, %s, %s, %s, %s)
        """,
        (owner, secret_id, client_id, digest, expires_at),
    )


async def list_secrets(tx: Reader, owner: TenantId, clients: list[UUID]) -> list[SecretRow]:
    """Those that are good at present, the newest first."""
    return await tx.all(
        SecretRow,
        """
        SELECT secret_id AS id, client_id, created_at, expires_at, last_used_at FROM oauth_client_secrets
        WHERE tenant_id = %s AND client_id = ANY(%s) AND (expires_at IS NULL OR expires_at > now())
        ORDER BY secret_id DESC
        """,
        (owner, clients),
    )


async def find_secret_life(tx: Reader, owner: TenantId, client_id: UUID) -> timedelta | None:
    """For how long the newest secret was made, whether or not it is still good; None for one without an end."""
    life: timedelta | None = await tx.value(
        """
        SELECT expires_at - created_at FROM oauth_client_secrets WHERE tenant_id = %s AND client_id = %s
        ORDER BY secret_id DESC LIMIT 1
        """,
        (owner, client_id),
    )
    return life


async def end_secrets(tx: Writer, owner: TenantId, client_id: UUID, kept: UUID | None, moment: datetime) -> None:
    """Ends a client's secrets now, and `kept` at `moment` or at its own end if that comes first."""
    await tx.run(
        """
        UPDATE oauth_client_secrets
        SET expires_at = CASE WHEN secret_id = %(kept)s
            THEN least(coalesce(expires_at, %(moment)s), %(moment)s) ELSE now() END
        WHERE tenant_id = %(owner)s AND client_id = %(client)s AND (expires_at IS NULL OR expires_at > now())
        """,
        {"owner": owner, "client": client_id, "kept": kept, "moment": moment},
    )


class SecretCheck(msgspec.Struct, frozen=True):
    """What client authentication compares with."""

    digest: bytes
    expires_at: datetime | None


async def find_secret(tx: OperatorReader, owner: TenantId, client_id: UUID, secret_id: UUID) -> SecretCheck | None:
    return await tx.one(
        SecretCheck,
        """
        SELECT digest, expires_at FROM oauth_client_secrets WHERE tenant_id = %s AND client_id = %s AND secret_id = %s
        """,
        (owner, client_id, secret_id),
    )


class ExpiringSecret(msgspec.Struct, frozen=True):
    """A client's only secret, whose end nears and has not been announced."""

    tenant_id: TenantId
    secret_id: UUID
    client_id: UUID
    name: str
    expires_at: datetime


async def list_expiring(tx: OperatorReader, before: datetime) -> list[ExpiringSecret]:
    return await tx.all(
        ExpiringSecret,
        """
        SELECT s.tenant_id, s.secret_id, s.client_id, c.name, s.expires_at
        FROM oauth_client_secrets s
        JOIN oauth_clients c ON c.tenant_id = s.tenant_id AND c.client_id = s.client_id AND c.revoked_at IS NULL
        WHERE s.reminded_at IS NULL AND s.expires_at > now() AND s.expires_at < %s
          AND NOT EXISTS (
              SELECT FROM oauth_client_secrets n
              WHERE n.tenant_id = s.tenant_id AND n.client_id = s.client_id AND n.secret_id > s.secret_id
          )
        ORDER BY s.expires_at LIMIT 500
        """,
        (before,),
    )


async def mark_reminded(tx: OperatorWriter, tenant: TenantId, secret_id: UUID) -> bool:
    changed = await tx.run(
        """
        UPDATE oauth_client_secrets SET reminded_at = now()
        WHERE tenant_id = %s AND secret_id = %s AND reminded_at IS NULL
        """,
        (tenant, secret_id),
    )
    return changed == 1


async def list_responsible(tx: OperatorReader, tenant: TenantId) -> list[str]:
    """The addresses of a tenant's owners and administrators."""
    return await tx.values(
        """
        SELECT email FROM memberships
        WHERE tenant_id = %s AND role IN ('owner', 'administrator') AND state = 'active' ORDER BY email LIMIT 1000
        """,
        (tenant,),
    )


# --- people ---------------------------------------------------------------------------------------------


async def find_standing(tx: OperatorReader, session_id: UUID, tenant: UUID | None) -> Standing | None:
    """A session as seen from `tenant`, or from the tenant that it is in."""
    return await tx.one(
        Standing,
        """
        SELECT
            s.session_id, s.account_id, s.digest, s.created_at, s.seen_at, s.expires_at, s.mfa_at, s.weak_password,
            s.vouched_by AS sso_tenant_id, s.kind AS session_kind, a.kind, a.state, a.sealed,
            EXISTS (SELECT FROM totp_factors f WHERE f.account_id = a.account_id AND f.confirmed_at IS NOT NULL)
            OR EXISTS (SELECT FROM passkeys k WHERE k.account_id = a.account_id) AS has_mfa,
            '{}'::text [] AS roles, '{}'::text [] AS elevated,
            at.tenant_id, t.state AS tenant_state, t.plan, m.role AS member_role, m.state AS member_state,
            m.role_changed_at, r.permissions AS custom, p.require_mfa, p.require_sso, p.session_hours, p.idle_minutes,
            p.networks, a.email, a.verified_at IS NOT NULL AS email_verified, a.name, a.epoch, s.factors,
            t.name AS tenant_name
        FROM sessions s
        CROSS JOIN LATERAL (SELECT coalesce(%(tenant)s::uuid, s.acting_for) AS tenant_id) AS at
        JOIN accounts a ON a.account_id = s.account_id
        LEFT JOIN memberships m ON m.tenant_id = at.tenant_id AND m.account_id = s.account_id
        LEFT JOIN tenants t ON t.tenant_id = at.tenant_id
        LEFT JOIN tenant_roles r ON r.tenant_id = at.tenant_id AND r.name = m.role
        LEFT JOIN tenant_policies p ON p.tenant_id = at.tenant_id
        WHERE s.session_id = %(session)s
        """,
        {"session": session_id, "tenant": tenant},
    )


# --- grants ---------------------------------------------------------------------------------------------

_GRANT = """
SELECT
    tenant_id, grant_id AS id, client_id, account_id, epoch, session_id, scopes, nonce, auth_time, code_digest,
    code_challenge, redirect_uri, code_expires_at, code_used_at, expires_at, ended_at
FROM oauth_grants
"""


async def insert_grant(tx: OperatorWriter, grant: Grant) -> None:
    await tx.run(
        """
        INSERT INTO oauth_grants
            (tenant_id, grant_id, client_id, account_id, epoch, session_id, scopes, nonce, auth_time, code_digest,
             code_challenge, redirect_uri, code_expires_at, code_used_at, expires_at, ended_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        msgspec.structs.astuple(grant),
    )


async def find_grant(tx: OperatorReader, tenant: UUID, grant_id: UUID) -> Grant | None:
    return await tx.one(Grant, _GRANT + " WHERE tenant_id = %s AND grant_id = %s", (tenant, grant_id))


async def use_code(tx: OperatorWriter, tenant: UUID, grant_id: UUID, client_id: UUID, digest: bytes) -> bool:
    """Uses a code up, whatever comes of it then. One of many concurrent attempts succeeds."""
    changed = await tx.run(
        """
        UPDATE oauth_grants SET code_used_at = now()
        WHERE tenant_id = %s AND grant_id = %s AND client_id = %s AND code_digest = %s
          AND code_used_at IS NULL AND code_expires_at > now() AND ended_at IS NULL
        """,
        (tenant, grant_id, client_id, digest),
    )
    return changed == 1


async def end_grant(tx: OperatorWriter, tenant: UUID, grant_id: UUID) -> bool:
    """Ends an authorisation, and with it every token issued from it. False where it has ended already."""
    changed = await tx.run(
        "UPDATE oauth_grants SET ended_at = now() WHERE tenant_id = %s AND grant_id = %s AND ended_at IS NULL",
        (tenant, grant_id),
    )
    return changed == 1


async def delete_old(tx: OperatorWriter) -> int:
    """Clears away what ended a week ago; until then a replay is still recognised."""
    count = await tx.run("DELETE FROM oauth_grants WHERE expires_at < now() - interval '7 days'")
    count += await tx.run("DELETE FROM access_tokens WHERE expires_at < now() - interval '1 day'")
    return count


# --- tokens ---------------------------------------------------------------------------------------------


async def insert_refresh(tx: OperatorWriter, tenant: UUID, token_id: UUID, grant_id: UUID, digest: bytes) -> None:
    await tx.run(
        "INSERT INTO oauth_refresh_tokens (tenant_id, token_id, grant_id, digest) VALUES (%s, %s, %s, %s)",
        (tenant, token_id, grant_id, digest),
    )


async def find_refresh(tx: OperatorReader, tenant: UUID, token_id: UUID) -> Refresh | None:
    return await tx.one(
        Refresh,
        """
        SELECT token_id, grant_id, digest, created_at, used_at FROM oauth_refresh_tokens
        WHERE tenant_id = %s AND token_id = %s
        """,
        (tenant, token_id),
    )


async def use_refresh(tx: OperatorWriter, tenant: UUID, token_id: UUID) -> bool:
    """Uses a refresh token up. One of many concurrent attempts succeeds."""
    changed = await tx.run(
        "UPDATE oauth_refresh_tokens SET used_at = now() WHERE tenant_id = %s AND token_id = %s AND used_at IS NULL",
        (tenant, token_id),
    )
    return changed == 1


async def insert_access(tx: OperatorWriter, tenant: UUID, token: Access) -> None:
    await tx.run(
        """
        INSERT INTO access_tokens
            (tenant_id, token_id, client_id, grant_id, scopes, digest, created_at, expires_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (tenant, *msgspec.structs.astuple(token)),
    )


async def find_access(tx: OperatorReader, tenant: UUID, token_id: UUID) -> Access | None:
    return await tx.one(
        Access,
        """
        SELECT token_id, client_id, grant_id, scopes, digest, created_at, expires_at FROM access_tokens
        WHERE tenant_id = %s AND token_id = %s
        """,
        (tenant, token_id),
    )


async def delete_access(tx: OperatorWriter, tenant: UUID, token_id: UUID) -> bool:
    return await tx.run("DELETE FROM access_tokens WHERE tenant_id = %s AND token_id = %s", (tenant, token_id)) == 1


class ClientCheck(msgspec.Struct, frozen=True):
    """What the API needs of a client's access token."""

    client_id: UUID
    digest: bytes
    scopes: list[str]
    """Of the token, as far as the client still has them."""
    expires_at: datetime
    state: TenantState


async def find_client_check(tx: TenantReader, token_id: UUID) -> ClientCheck | None:
    """A token for the API; one that was issued for a person is none."""
    return await tx.one(
        ClientCheck,
        """
        SELECT
            a.client_id, a.digest, a.expires_at, t.state,
            ARRAY(SELECT unnest(a.scopes) INTERSECT SELECT unnest(c.scopes)) AS scopes
        FROM access_tokens a
        JOIN oauth_clients c ON c.tenant_id = a.tenant_id AND c.client_id = a.client_id AND c.revoked_at IS NULL
        JOIN tenants t ON t.tenant_id = a.tenant_id
        WHERE a.token_id = %s AND a.grant_id IS NULL
        """,
        (token_id,),
    )


# --- signing keys ---------------------------------------------------------------------------------------


class KeyRow(msgspec.Struct, frozen=True):
    """A signing key: its public half, and the sealed private one."""

    key_id: UUID
    state: str
    public_jwk: str
    sealed: bytes
    activated_at: datetime | None
    retired_at: datetime | None


async def list_signing_keys(tx: OperatorReader) -> list[KeyRow]:
    """Those that sign, will sign, or signed what may still be looked at."""
    return await tx.all(
        KeyRow,
        """
        SELECT key_id, state, public_jwk, sealed, activated_at, retired_at FROM signing_keys
        WHERE state <> 'withdrawn' ORDER BY key_id
        """,
    )


async def lock_signing_keys(tx: OperatorWriter) -> None:
    """One process at a time changes them."""
    await tx.value("SELECT pg_advisory_xact_lock(hashtextextended('signing keys', 0))")


async def insert_signing_key(tx: OperatorWriter, key_id: UUID, state: str, public_jwk: str, sealed: bytes) -> None:
    await tx.run(
        """
        INSERT INTO signing_keys (key_id, state, public_jwk, sealed, activated_at)
        VALUES (%(id)s, %(state)s, %(public)s, %(sealed)s, CASE WHEN %(state)s = 'current' THEN now() END)
        """,
        {"id": key_id, "state": state, "public": public_jwk, "sealed": sealed},
    )


async def retire_signing_key(tx: OperatorWriter, before: str, after: str) -> None:
    """Takes the key in one state out of service: `retired` is still published for a while, `withdrawn` is not."""
    await tx.run("UPDATE signing_keys SET state = %s, retired_at = now() WHERE state = %s", (after, before))


async def activate_signing_key(tx: OperatorWriter) -> None:
    await tx.run("UPDATE signing_keys SET state = 'current', activated_at = now() WHERE state = 'next'")


async def delete_old_signing_keys(tx: OperatorWriter) -> int:
    return await tx.run(
        "DELETE FROM signing_keys WHERE state IN ('retired', 'withdrawn') AND retired_at < now() - interval '90 days'"
    )
