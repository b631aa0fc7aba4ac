"""Of tenants: memberships, invitations (the operator's too), roles and policy."""

from datetime import datetime
from uuid import UUID

import msgspec

from bailee.access.model import Invitation, Membership, OwnTenant, TenantPolicy
from bailee.foundation.database import OperatorReader, OperatorWriter, Reader, TenantReader, TenantWriter, Writer
from bailee.foundation.ids import TenantId

# --- memberships ----------------------------------------------------------------------------------------

_MEMBERSHIP = """
SELECT account_id, email, name, role, state, source, created_at, updated_at, external_id FROM memberships
"""


async def insert_membership(
    tx: Writer, tenant: TenantId, account_id: UUID, email: str, name: str, role: str, source: str,
    external_id: str | None = None,
) -> bool:  # fmt: skip
    """False where the person belongs to the tenant already."""
    changed = await tx.run(
        """
        INSERT INTO memberships (tenant_id, account_id, email, name, role, state, source, external_id)
        VALUES (%s, %s, %s, %s, %s, 'active', %s, %s) ON CONFLICT DO NOTHING
        """,
        (tenant, account_id, email, name, role, source, external_id),
    )
    return changed == 1


async def find_membership(tx: TenantReader, account_id: UUID) -> Membership | None:
    return await tx.one(Membership, _MEMBERSHIP + " WHERE account_id = %s", (account_id,))


async def find_membership_by_email(tx: TenantReader, email: str) -> Membership | None:
    return await tx.one(Membership, _MEMBERSHIP + " WHERE email = %s", (email,))


async def list_memberships(
    tx: TenantReader, *, search: str = "", after: UUID | None = None, limit: int = 100
) -> list[Membership]:
    return await tx.all(
        Membership,
        _MEMBERSHIP
        + """
        WHERE (%(after)s::uuid IS NULL OR account_id > %(after)s)
          AND (%(search)s = '' OR strpos(lower(name || ' ' || email), lower(%(search)s)) > 0)
        ORDER BY account_id LIMIT %(limit)s
        """,
        {"search": search, "after": after, "limit": limit},
    )


async def list_own_tenants(tx: OperatorReader, account_id: UUID) -> list[OwnTenant]:
    """Where a person belongs, in the order of joining."""
    return await tx.all(
        OwnTenant,
        """
        SELECT m.tenant_id AS id, t.name, m.role, t.state FROM memberships m JOIN tenants t USING (tenant_id)
        WHERE m.account_id = %s AND m.state = 'active' AND t.state <> 'terminated' ORDER BY m.created_at, m.tenant_id
        """,
        (account_id,),
    )


async def belongs_elsewhere(tx: OperatorReader, account_id: UUID, tenant: UUID) -> bool:
    """Whether another tenant than `tenant` has a say about a person: one that goes on, even if it has shut them out."""
    found: bool = await tx.value(
        """
        SELECT EXISTS (
            SELECT FROM memberships m JOIN tenants t USING (tenant_id)
            WHERE m.account_id = %s AND m.tenant_id <> %s AND t.state <> 'terminated'
        )
        """,
        (account_id, tenant),
    )
    return found


async def find_role(tx: Reader, tenant: TenantId, name: str) -> list[str]:
    """What one of a tenant's own roles permits; nothing where there is none of that name."""
    found: list[str] | None = await tx.value(
        "SELECT permissions FROM tenant_roles WHERE tenant_id = %s AND name = %s", (tenant, name)
    )
    return found or []


async def set_role(tx: TenantWriter, account_id: UUID, before: str, after: str) -> bool:
    changed = await tx.run(
        """
        UPDATE memberships SET role = %s, role_changed_at = now(), updated_at = now()
        WHERE account_id = %s AND role = %s
        """,
        (after, account_id, before),
    )
    return changed == 1


async def set_membership_state(tx: TenantWriter, account_id: UUID, before: str, after: str) -> bool:
    changed = await tx.run(
        "UPDATE memberships SET state = %s, updated_at = now() WHERE account_id = %s AND state = %s",
        (after, account_id, before),
    )
    return changed == 1


async def delete_membership(tx: TenantWriter, account_id: UUID) -> bool:
    return await tx.run("DELETE FROM memberships WHERE account_id = %s", (account_id,)) == 1


async def lock_owners(tx: TenantWriter) -> list[UUID]:
    """The tenant's active owners, held by this transaction."""
    await tx.value("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"owners {tx.tenant}",))
    return await list_owners(tx)


async def list_owners(tx: TenantReader) -> list[UUID]:
    """The tenant's active owners."""
    return await tx.values("SELECT account_id FROM memberships WHERE role = 'owner' AND state = 'active'")


async def list_emails_of(tx: TenantReader, roles: list[str]) -> list[str]:
    """Where the active members with one of `roles` are reached."""
    return await tx.values(
        "SELECT email FROM memberships WHERE role = ANY(%s) AND state = 'active' ORDER BY account_id", (roles,)
    )


async def list_emails_in(tx: OperatorReader, tenant: TenantId, roles: list[str]) -> list[str]:
    """The same, as the operator."""
    return await tx.values(
        """
        SELECT email FROM memberships WHERE tenant_id = %s AND role = ANY(%s) AND state = 'active' ORDER BY account_id
        """,
        (tenant, roles),
    )


async def is_default_role(tx: TenantReader, role: str) -> bool:
    """Whether single sign-on gives it to people who are new."""
    found: bool = await tx.value("SELECT EXISTS (SELECT FROM sso_connections WHERE default_role = %s)", (role,))
    return found


async def count_with_role(tx: TenantReader, role: str) -> int:
    count: int = await tx.value("SELECT count(*) FROM memberships WHERE role = %s", (role,))
    return count


# --- invitations ------------------------------------------------------------------------------------------

_INVITATION = """
SELECT invitation_id AS id, email, name, roles, created_at, expires_at, accepted_at, withdrawn_at FROM invitations
"""


class InvitationCheck(msgspec.Struct, frozen=True):
    """What accepting compares with."""

    tenant_id: TenantId
    email: str
    name: str
    roles: list[str]
    digest: bytes
    invited_by: str
    mailed: bool
    """Whether its link went to the address, and to nobody else."""


async def insert_invitation(
    tx: Writer, tenant: TenantId, invitation_id: UUID, email: str, name: str, roles: list[str], digest: bytes,
    invited_by: str, expires_at: datetime, *, mailed: bool,
) -> None:  # fmt: skip
    """A new invitation; any open one to the same address in the same place is withdrawn."""
    await tx.run(
        """
        UPDATE invitations SET withdrawn_at = now()
        WHERE tenant_id = %s AND email = %s AND accepted_at IS NULL AND withdrawn_at IS NULL
        """,
        (tenant, email),
    )
    await tx.run(
        """
        INSERT INTO invitations (tenant_id, invitation_id, email, name, roles, digest, invited_by, expires_at, mailed)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (tenant, invitation_id, email, name, roles, digest, invited_by, expires_at, mailed),
    )


async def find_invitation(tx: Reader, tenant: TenantId, invitation_id: UUID) -> Invitation | None:
    return await tx.one(
        Invitation, _INVITATION + " WHERE tenant_id = %s AND invitation_id = %s", (tenant, invitation_id)
    )


async def list_invitations(
    tx: Reader, tenant: TenantId, *, before: UUID | None = None, limit: int = 100
) -> list[Invitation]:
    return await tx.all(
        Invitation,
        _INVITATION
        + """
        WHERE tenant_id = %(tenant)s AND (%(before)s::uuid IS NULL OR invitation_id < %(before)s)
        ORDER BY invitation_id DESC LIMIT %(limit)s
        """,
        {"tenant": tenant, "before": before, "limit": limit},
    )


async def find_open_invitation(tx: OperatorReader, tenant: TenantId, invitation_id: UUID) -> InvitationCheck | None:
    return await tx.one(
        InvitationCheck,
        """
        SELECT tenant_id, email, name, roles, digest, invited_by, mailed FROM invitations
        WHERE tenant_id = %s AND invitation_id = %s
          AND accepted_at IS NULL AND withdrawn_at IS NULL AND expires_at > now()
        """,
        (tenant, invitation_id),
    )


async def use_invitation(tx: OperatorWriter, tenant: TenantId, invitation_id: UUID) -> bool:
    """Uses an invitation up. One of many concurrent attempts succeeds."""
    changed = await tx.run(
        """
        UPDATE invitations SET accepted_at = now()
        WHERE tenant_id = %s AND invitation_id = %s
          AND accepted_at IS NULL AND withdrawn_at IS NULL AND expires_at > now()
        """,
        (tenant, invitation_id),
    )
    return changed == 1


async def withdraw_invitation(tx: Writer, tenant: TenantId, invitation_id: UUID) -> bool:
    changed = await tx.run(
        """
        UPDATE invitations SET withdrawn_at = now()
        WHERE tenant_id = %s AND invitation_id = %s AND accepted_at IS NULL AND withdrawn_at IS NULL
        """,
        (tenant, invitation_id),
    )
    return changed == 1


async def withdraw_invitations_of(tx: Writer, tenant: TenantId, invited_by: str) -> int:
    """Those that somebody has sent in one place: what they gave was theirs to give, and is not any more."""
    return await tx.run(
        """
        UPDATE invitations SET withdrawn_at = now()
        WHERE tenant_id = %s AND invited_by = %s AND accepted_at IS NULL AND withdrawn_at IS NULL
        """,
        (tenant, invited_by),
    )


async def withdraw_all_invitations_of(tx: OperatorWriter, invited_by: str) -> int:
    """The same everywhere."""
    return await tx.run(
        """
        UPDATE invitations SET withdrawn_at = now()
        WHERE invited_by = %s AND accepted_at IS NULL AND withdrawn_at IS NULL
        """,
        (invited_by,),
    )


async def has_owner(tx: OperatorWriter, tenant: TenantId) -> bool:
    """Whether a tenant has an active owner, held by this transaction as `lock_owners` does."""
    await tx.value("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"owners {tenant}",))
    found: bool = await tx.value(
        "SELECT EXISTS (SELECT FROM memberships WHERE tenant_id = %s AND role = 'owner' AND state = 'active')",
        (tenant,),
    )
    return found


# --- roles of a tenant's own --------------------------------------------------------------------------------


class RoleRow(msgspec.Struct, frozen=True):
    name: str
    title: str
    permissions: list[str]


async def put_role(tx: TenantWriter, name: str, title: str, permissions: list[str]) -> None:
    await tx.run(
        """
        INSERT INTO tenant_roles (tenant_id, name, title, permissions) VALUES (%s, %s, %s, %s)
        ON CONFLICT (tenant_id, name) DO UPDATE
        SET title = excluded.title, permissions = excluded.permissions, updated_at = now()
        """,
        (tx.tenant, name, title, permissions),
    )


async def list_roles(tx: TenantReader) -> list[RoleRow]:
    return await tx.all(RoleRow, "SELECT name, title, permissions FROM tenant_roles ORDER BY name")


async def delete_role(tx: TenantWriter, name: str) -> bool:
    return await tx.run("DELETE FROM tenant_roles WHERE name = %s", (name,)) == 1


# --- policy ---------------------------------------------------------------------------------------------------

_POLICY = """
SELECT require_mfa, require_sso, min_password_length, min_password_score, session_hours, idle_minutes, networks, version
FROM tenant_policies
"""


async def find_policy(tx: Reader, tenant: TenantId) -> TenantPolicy | None:
    return await tx.one(TenantPolicy, _POLICY + " WHERE tenant_id = %s", (tenant,))


async def put_policy(tx: TenantWriter, policy: TenantPolicy, version: int) -> bool:
    """Writes version `version` over the one before. False when somebody else was faster."""
    changed = await tx.run(
        """
        INSERT INTO tenant_policies
            (tenant_id, require_mfa, require_sso, min_password_length, min_password_score, session_hours, idle_minutes,
             networks, version)
        VALUES (%(tenant)s, %(mfa)s, %(sso)s, %(length)s, %(score)s, %(hours)s, %(idle)s, %(networks)s, %(version)s)
        ON CONFLICT (tenant_id) DO UPDATE
        SET require_mfa = excluded.require_mfa, require_sso = excluded.require_sso,
            min_password_length = excluded.min_password_length, min_password_score = excluded.min_password_score,
            session_hours = excluded.session_hours, idle_minutes = excluded.idle_minutes, networks = excluded.networks,
            version = excluded.version, updated_at = now()
        WHERE tenant_policies.version = excluded.version - 1
        """,
        {
            "tenant": tx.tenant, "mfa": policy.require_mfa, "sso": policy.require_sso,
            "length": policy.min_password_length, "score": policy.min_password_score, "hours": policy.session_hours,
            "idle": policy.idle_minutes, "networks": policy.networks, "version": version,
        },
    )  # fmt: skip
    return changed == 1


async def list_policies_of(tx: OperatorReader, account_id: UUID) -> list[TenantPolicy]:
    """What the tenants that a person belongs to demand."""
    return await tx.all(
        TenantPolicy,
        """
        SELECT
            p.require_mfa, p.require_sso, p.min_password_length, p.min_password_score, p.session_hours, p.idle_minutes,
            p.networks, p.version
        FROM tenant_policies p JOIN memberships m USING (tenant_id)
        WHERE m.account_id = %s AND m.state = 'active'
        """,
        (account_id,),
    )


async def has_sso(tx: TenantReader, domain: str) -> bool:
    """Whether members of a domain could sign in through an identity provider: one is in use, the domain verified."""
    found: bool = await tx.value(
        """
        SELECT EXISTS (SELECT FROM sso_connections WHERE enabled)
           AND EXISTS (SELECT FROM tenant_domains WHERE verified_at IS NOT NULL AND domain = %s)
        """,
        (domain,),
    )
    return found
