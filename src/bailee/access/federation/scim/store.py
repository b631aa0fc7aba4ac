"""Members and groups for a directory. Every statement names its tenant: some run in the operator's transactions."""

from uuid import UUID

from bailee.access.federation.scim.model import EVERYBODY, Group, GroupWanted, Narrow, Person, Profile
from bailee.foundation.database import OperatorReader, OperatorWriter, Reader, TenantReader, TenantWriter
from bailee.foundation.ids import TenantId

# --- people ------------------------------------------------------------------------------------------------

_PERSON = """
SELECT
    m.account_id, m.email, m.name, m.role, m.state, m.external_id, m.created_at, m.updated_at,
    u.account_id IS NOT NULL AS written, u.display_name, u.formatted_name, u.given_name, u.family_name,
    ARRAY(
        SELECT g.group_id FROM scim_group_members g
        WHERE g.tenant_id = m.tenant_id AND g.account_id = m.account_id ORDER BY g.group_id
    ) AS group_ids,
    ARRAY(
        SELECT n.display_name FROM scim_group_members g
        JOIN scim_groups n ON n.tenant_id = g.tenant_id AND n.group_id = g.group_id
        WHERE g.tenant_id = m.tenant_id AND g.account_id = m.account_id ORDER BY g.group_id
    ) AS group_names
FROM memberships m LEFT JOIN scim_users u ON u.tenant_id = m.tenant_id AND u.account_id = m.account_id
WHERE m.tenant_id = %(tenant)s
"""
_COUNT_PEOPLE = "SELECT count(*) FROM memberships m WHERE m.tenant_id = %(tenant)s"
_NARROWED = """
  AND (%(id)s::uuid IS NULL OR m.account_id = %(id)s)
  AND (%(name)s::text IS NULL OR m.email = lower(%(name)s))
  AND (%(external_id)s::text IS NULL OR m.external_id = %(external_id)s)
"""


async def list_people(
    tx: TenantReader, *, narrow: Narrow = EVERYBODY, offset: int = 0, limit: int = 1000
) -> list[Person]:
    return await tx.all(
        Person,
        _PERSON + _NARROWED + " ORDER BY m.account_id OFFSET %(offset)s LIMIT %(limit)s",
        {**_parameters(tx.tenant, narrow), "offset": offset, "limit": limit},
    )


async def count_people(tx: TenantReader, *, narrow: Narrow = EVERYBODY) -> int:
    count: int = await tx.value(
        _COUNT_PEOPLE + _NARROWED,
        _parameters(tx.tenant, narrow),
    )
    return count


async def find_person(tx: Reader, tenant: TenantId, account_id: UUID) -> Person | None:
    return await tx.one(Person, _PERSON + " AND m.account_id = %(account)s", {"tenant": tenant, "account": account_id})


async def lock_person(tx: OperatorWriter, tenant: TenantId, account_id: UUID) -> Person | None:
    """The same, held by this transaction."""
    return await tx.one(
        Person, _PERSON + " AND m.account_id = %(account)s FOR UPDATE OF m", {"tenant": tenant, "account": account_id}
    )


async def put_profile(tx: OperatorWriter, tenant: TenantId, account_id: UUID, profile: Profile) -> None:
    """What the directory has written: the membership's share and its own."""
    await tx.run(
        """
        UPDATE memberships SET name = %s, external_id = %s, updated_at = now() WHERE tenant_id = %s AND account_id = %s
        """,
        (profile.name, profile.external_id, tenant, account_id),
    )
    await tx.run(
        """
        INSERT INTO scim_users (tenant_id, account_id, display_name, formatted_name, given_name, family_name)
        VALUES (%s, %s, %s, %s, %s, %s)
        ON CONFLICT (tenant_id, account_id) DO UPDATE
        SET display_name = excluded.display_name, formatted_name = excluded.formatted_name,
            given_name = excluded.given_name, family_name = excluded.family_name
        """,
        (
            tenant, account_id, profile.display_name, profile.formatted_name, profile.given_name, profile.family_name,
        ),
    )  # fmt: skip


async def set_state(tx: OperatorWriter, tenant: TenantId, account_id: UUID, state: str) -> None:
    await tx.run(
        "UPDATE memberships SET state = %s, updated_at = now() WHERE tenant_id = %s AND account_id = %s",
        (state, tenant, account_id),
    )


async def set_email(tx: OperatorWriter, tenant: TenantId, account_id: UUID, email: str) -> None:
    """A new address for somebody who belongs to this tenant alone. What was begun with the old one ends."""
    await tx.run("UPDATE accounts SET email = %s, epoch = epoch + 1 WHERE account_id = %s", (email, account_id))
    await tx.run(
        "UPDATE memberships SET email = %s, updated_at = now() WHERE tenant_id = %s AND account_id = %s",
        (email, tenant, account_id),
    )


async def count_tenants(tx: OperatorReader, account_id: UUID, tenant: TenantId | None = None) -> int:
    """How many tenants somebody belongs to; with `tenant` whether that one is among them."""
    count: int = await tx.value(
        """
        SELECT count(*) FROM memberships
        WHERE account_id = %(account)s AND (%(tenant)s::uuid IS NULL OR tenant_id = %(tenant)s)
        """,
        {"account": account_id, "tenant": tenant},
    )
    return count


async def delete_person(tx: OperatorWriter, tenant: TenantId, account_id: UUID) -> None:
    """The membership, and by its foreign keys everything that hangs on it."""
    await tx.run("DELETE FROM memberships WHERE tenant_id = %s AND account_id = %s", (tenant, account_id))


async def lock_owners(tx: OperatorWriter, tenant: TenantId) -> list[UUID]:
    """The tenant's active owners, held by this transaction."""
    await tx.value("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"owners {tenant}",))
    return await tx.values(
        "SELECT account_id FROM memberships WHERE tenant_id = %s AND role = 'owner' AND state = 'active'", (tenant,)
    )


# --- groups --------------------------------------------------------------------------------------------------

_GROUP = """
SELECT
    g.group_id, g.display_name, g.external_id, g.created_at, g.updated_at,
    ARRAY(
        SELECT m.account_id FROM scim_group_members m
        WHERE m.tenant_id = g.tenant_id AND m.group_id = g.group_id ORDER BY m.account_id
    ) AS members
FROM scim_groups g
WHERE g.tenant_id = %(tenant)s
"""
_COUNT_GROUPS = "SELECT count(*) FROM scim_groups g WHERE g.tenant_id = %(tenant)s"
_NARROWED_GROUP = """
  AND (%(id)s::uuid IS NULL OR g.group_id = %(id)s)
  AND (%(name)s::text IS NULL OR lower(g.display_name) = lower(%(name)s))
  AND (%(external_id)s::text IS NULL OR g.external_id = %(external_id)s)
"""


async def list_groups(
    tx: TenantReader, *, narrow: Narrow = EVERYBODY, offset: int = 0, limit: int = 1000
) -> list[Group]:
    return await tx.all(
        Group,
        _GROUP + _NARROWED_GROUP + " ORDER BY g.group_id OFFSET %(offset)s LIMIT %(limit)s",
        {**_parameters(tx.tenant, narrow), "offset": offset, "limit": limit},
    )


async def count_groups(tx: TenantReader, *, narrow: Narrow = EVERYBODY) -> int:
    count: int = await tx.value(
        _COUNT_GROUPS + _NARROWED_GROUP,
        _parameters(tx.tenant, narrow),
    )
    return count


async def find_group(tx: TenantReader, group_id: UUID) -> Group | None:
    return await tx.one(Group, _GROUP + " AND g.group_id = %(group)s", {"tenant": tx.tenant, "group": group_id})


async def lock_group(tx: TenantWriter, group_id: UUID) -> Group | None:
    """The same, held by this transaction."""
    return await tx.one(
        Group, _GROUP + " AND g.group_id = %(group)s FOR UPDATE OF g", {"tenant": tx.tenant, "group": group_id}
    )


async def insert_group(tx: TenantWriter, group_id: UUID, wanted: GroupWanted) -> None:
    await tx.run(
        "INSERT INTO scim_groups (tenant_id, group_id, display_name, external_id) VALUES (%s, %s, %s, %s)",
        (tx.tenant, group_id, wanted.display_name, wanted.external_id),
    )


async def update_group(tx: TenantWriter, group_id: UUID, wanted: GroupWanted) -> None:
    await tx.run(
        """
        UPDATE scim_groups SET display_name = %s, external_id = %s, updated_at = now()
        WHERE tenant_id = %s AND group_id = %s
        """,
        (wanted.display_name, wanted.external_id, tx.tenant, group_id),
    )


async def delete_group(tx: TenantWriter, group_id: UUID) -> None:
    await tx.run("DELETE FROM scim_groups WHERE tenant_id = %s AND group_id = %s", (tx.tenant, group_id))


async def add_members(tx: TenantWriter, group_id: UUID, account_ids: list[UUID]) -> None:
    await tx.run(
        """
        INSERT INTO scim_group_members (tenant_id, group_id, account_id)
        SELECT %s, %s, a FROM unnest(%s::uuid []) AS a ON CONFLICT DO NOTHING
        """,
        (tx.tenant, group_id, account_ids),
    )


async def remove_members(tx: TenantWriter, group_id: UUID, account_ids: list[UUID]) -> None:
    await tx.run(
        "DELETE FROM scim_group_members WHERE tenant_id = %s AND group_id = %s AND account_id = ANY(%s)",
        (tx.tenant, group_id, account_ids),
    )


async def list_members_among(tx: TenantReader, account_ids: list[UUID]) -> list[UUID]:
    """Those of `account_ids` that belong to the tenant."""
    return await tx.values(
        "SELECT account_id FROM memberships WHERE tenant_id = %s AND account_id = ANY(%s)", (tx.tenant, account_ids)
    )


async def lock_people(tx: TenantWriter, account_ids: list[UUID]) -> None:
    """Holds members in one order, so that of two changes of their groups the second sees what the first has done."""
    await tx.values(
        """
        SELECT account_id FROM memberships WHERE tenant_id = %s AND account_id = ANY(%s) ORDER BY account_id FOR UPDATE
        """,
        (tx.tenant, account_ids),
    )


async def list_by_id(tx: TenantReader, account_ids: list[UUID]) -> list[Person]:
    return await tx.all(
        Person,
        _PERSON + " AND m.account_id = ANY(%(accounts)s) ORDER BY m.account_id",
        {"tenant": tx.tenant, "accounts": account_ids},
    )


async def set_role(tx: TenantWriter, account_id: UUID, role: str) -> None:
    await tx.run(
        """
        UPDATE memberships SET role = %s, role_changed_at = now(), updated_at = now()
        WHERE tenant_id = %s AND account_id = %s
        """,
        (role, tx.tenant, account_id),
    )


async def find_role_permissions(tx: Reader, tenant: TenantId, name: str) -> list[str]:
    """What a role of the tenant's own permits; nothing for one that is not there."""
    return await tx.values(
        "SELECT unnest(permissions) FROM tenant_roles WHERE tenant_id = %s AND name = %s", (tenant, name)
    )


async def find_default_role(tx: Reader, tenant: TenantId) -> str | None:
    """What the tenant's connection gives to people who are new."""
    role: str | None = await tx.value("SELECT default_role FROM sso_connections WHERE tenant_id = %s", (tenant,))
    return role


def _parameters(tenant: TenantId, narrow: Narrow) -> dict[str, object]:
    return {"tenant": tenant, "id": narrow.id, "name": narrow.name, "external_id": narrow.external_id}
