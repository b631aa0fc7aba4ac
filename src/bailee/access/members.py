"""Members of a tenant and the roles they have in it (TOM 2.4)."""

import re
from uuid import UUID

import msgspec

from bailee.access.accounts import verify_reason
from bailee.access.errors import GrantRefused, NotInPlan
from bailee.access.factors import Factors, verify_label
from bailee.access.letters import Letters
from bailee.access.model import Membership, TenantPolicy, TenantRole
from bailee.access.passwords import PasswordRules
from bailee.access.permissions import TENANT_PERMISSIONS, TENANT_ROLES, may_hand_out
from bailee.access.sign_in import rules_of
from bailee.access.store import accounts as account_rows
from bailee.access.store import members as rows
from bailee.access.store import sessions as session_rows
from bailee.events import Events, Object, verb
from bailee.events.catalogue import (
    FactorsReset,
    MemberDisabled,
    MemberEnabled,
    MemberJoined,
    MemberRemoved,
    MemberRoleChanged,
    RoleDefined,
    RoleDeleted,
)
from bailee.events.verbs import WITHIN
from bailee.foundation.database import OperatorWriter, Reader, TenantReader, TenantWriter
from bailee.foundation.errors import Conflict, FieldError, Invalid, NotFound
from bailee.foundation.ids import TenantId, new_id
from bailee.foundation.mail import Mail
from bailee.foundation.principal import Forbidden, Principal
from bailee.foundation.revocation import announce
from bailee.tenants import store as tenant_rows
from bailee.tenants.model import PLANS, Tenant

_ROLE_NAME = re.compile(r"[a-z][a-z0-9_]{1,39}", re.ASCII)
_MAX_ROLES = 50


class Members:
    """The people of one tenant at a time."""

    def __init__(self, events: Events, factors: Factors, mail: Mail, letters: Letters) -> None:
        self._events = events
        self._factors = factors
        self._mail = mail
        self._letters = letters

    async def page(
        self, tx: TenantReader, *, search: str = "", after: UUID | None = None, limit: int = 100
    ) -> list[Membership]:
        """Members in the order their accounts were made; `search` in names and addresses."""
        return await rows.list_memberships(tx, search=search, after=after, limit=limit)

    async def get(self, tx: TenantReader, account_id: UUID) -> Membership:
        """Raises NotFound."""
        found = await rows.find_membership(tx, account_id)
        if found is None:
            raise NotFound
        return found

    async def password_rules(self, tx: TenantReader) -> PasswordRules:
        """What a new member's password has to be."""
        policy = await rows.find_policy(tx, tx.tenant)
        return rules_of([policy or TenantPolicy()])

    @verb(MemberJoined, permission=WITHIN)
    async def join(
        self, tx: OperatorWriter, tenant: TenantId, account_id: UUID, email: str, name: str, role: str, source: str,
        external_id: str | None = None, *, by: Principal,
    ) -> None:  # fmt: skip
        """Makes somebody a member; for whoever has examined that they may be. Raises Conflict."""
        await account_rows.lock_account(tx, account_id)  # a directory that changes the address waits, or has done so
        if not await rows.insert_membership(tx, tenant, account_id, email, name, role, source, external_id):
            raise Conflict("This person is a member already.")
        await announce(tx)
        details = msgspec.convert({"role": role, "source": source}, MemberJoined)
        await self._events.record(tx, details, by=by, on=Object("account", str(account_id)), tenant=tenant)

    @verb(MemberRoleChanged, permission="members.change_role", step_up=True)
    async def change_role(self, tx: TenantWriter, account_id: UUID, role: str, *, by: Principal) -> Membership:
        """Gives a member another role; their sessions are over here, and so are invitations of theirs that nobody has
        accepted. Raises NotFound, Invalid, NotInPlan, GrantRefused, or Conflict for the last owner.
        """
        member = await self._changeable(tx, account_id, by)
        await self.verify_grantable(tx, role, by)
        if role == member.role:
            raise Conflict("This member has that role already.")
        await self._verify_owner_left(tx, member)
        if not await rows.set_role(tx, account_id, member.role, role):
            raise Conflict("Somebody else has just changed this member. Look again.")
        await rows.withdraw_invitations_of(tx, tx.tenant, str(account_id))
        await announce(tx)
        on = Object("account", str(account_id))
        await self._events.record(tx, MemberRoleChanged(member.role, role), by=by, on=on)
        return await self.get(tx, account_id)

    @verb(MemberDisabled, permission="members.disable")
    async def disable(self, tx: TenantWriter, account_id: UUID, *, by: Principal) -> Membership:
        """Shuts a member out of this tenant at once. Raises NotFound, Conflict, GrantRefused."""
        member = await self._changeable(tx, account_id, by)
        await self._verify_owner_left(tx, member)
        if not await rows.set_membership_state(tx, account_id, "active", "disabled"):
            raise Conflict("This member is disabled already.")
        await rows.withdraw_invitations_of(tx, tx.tenant, str(account_id))
        await announce(tx)
        await self._events.record(tx, MemberDisabled(), by=by, on=Object("account", str(account_id)))
        return await self.get(tx, account_id)

    @verb(MemberEnabled, permission="members.enable", step_up=True)
    async def enable(self, tx: TenantWriter, account_id: UUID, *, by: Principal) -> Membership:
        """Lets a disabled member in again. Raises NotFound, Conflict, GrantRefused."""
        await self._changeable(tx, account_id, by)
        if not await rows.set_membership_state(tx, account_id, "disabled", "active"):
            raise Conflict("This member is active already.")
        await announce(tx)
        await self._events.record(tx, MemberEnabled(), by=by, on=Object("account", str(account_id)))
        return await self.get(tx, account_id)

    @verb(MemberRemoved, permission="members.remove")
    async def remove(self, tx: TenantWriter, account_id: UUID, *, by: Principal) -> None:
        """Ends a membership; the person's account and other tenants stay. Raises NotFound, Conflict, GrantRefused."""
        member = await self._changeable(tx, account_id, by)
        await self._verify_owner_left(tx, member)
        await rows.delete_membership(tx, account_id)
        await rows.withdraw_invitations_of(tx, tx.tenant, str(account_id))
        await announce(tx)
        await self._events.record(tx, MemberRemoved(), by=by, on=Object("account", str(account_id)))

    @verb(FactorsReset, permission="members.reset_factors", step_up=True)
    async def reset_factors(
        self, tx: OperatorWriter, member: Membership, *, tenant: TenantId, reason: str, by: Principal
    ) -> None:
        """A member has lost every second factor: sessions end, and the next sign-in asks for the password alone.

        Raises Invalid, GrantRefused for a member with a role that permits more than `by` may do, or Forbidden for
        somebody who belongs to another tenant too: that one has a say.
        """
        reason = verify_reason(reason)
        if by.id == str(member.account_id):
            raise Forbidden("Somebody else has to do this to your account.")
        await self._verify_not_above(tx, tenant, member.role, by)
        if await rows.belongs_elsewhere(tx, member.account_id, tenant):
            raise Forbidden("This person belongs to another tenant too. Ask whoever runs the service.")
        count = await self._factors.reset(tx, member.account_id)
        await session_rows.delete_sessions(tx, member.account_id)
        await session_rows.delete_devices(tx, member.account_id)
        await account_rows.insert_reset(tx, new_id(), member.account_id, by.id, reason, tenant)
        await announce(tx)
        on = Object("account", str(member.account_id))
        await self._events.record(tx, FactorsReset(count), by=by, on=on, tenant=tenant)
        await self._mail.queue(tx, self._letters.factors_reset(member.email))

    # --- roles ----------------------------------------------------------------------------------------

    async def roles(self, tx: TenantReader) -> list[TenantRole]:
        """The roles that members can have here."""
        built_in = [
            TenantRole(name, role.title, sorted(role.permissions), built_in=True) for name, role in TENANT_ROLES.items()
        ]
        own = await rows.list_roles(tx)
        return built_in + [TenantRole(one.name, one.title, one.permissions, built_in=False) for one in own]

    @verb(RoleDefined, permission="roles.define", step_up=True)
    async def define_role(
        self, tx: TenantWriter, name: str, *, title: str, permissions: list[str], by: Principal
    ) -> TenantRole:
        """A role of the tenant's own, new or changed. Raises Invalid, GrantRefused, NotInPlan."""
        await require_feature(tx, "custom_roles", "Roles of your own are")
        chosen = sorted(set(permissions))
        errors = []
        if not _ROLE_NAME.fullmatch(name) or name in (*TENANT_ROLES, "new"):
            message = "Use a name of 2 to 40 lower-case letters, digits and _, other than the built-in ones."
            errors.append(FieldError("name", message))
        if not chosen or not set(chosen) <= TENANT_PERMISSIONS:
            errors.append(
                FieldError("permissions", f"Choose at least one of: {', '.join(sorted(TENANT_PERMISSIONS))}.")
            )
        if errors:
            raise Invalid("The role is not valid.", errors=errors)
        title = verify_label(title, "title")
        existing = {one.name: one.permissions for one in await rows.list_roles(tx)}
        if name not in existing and len(existing) >= _MAX_ROLES:
            raise Conflict(f"A tenant has at most {_MAX_ROLES} roles of its own.")
        # What members hold through the role counts too: nobody widens, or narrows, what they do not hold themselves.
        if not may_hand_out({*chosen, *existing.get(name, [])}, by):
            raise GrantRefused("You cannot give a role permissions that you do not hold yourself.")
        await rows.put_role(tx, name, title, chosen)
        await announce(tx)
        await self._events.record(tx, RoleDefined(name, chosen), by=by, on=Object("role", name))
        return TenantRole(name, title, chosen, built_in=False)

    @verb(RoleDeleted, permission="roles.delete", step_up=True)
    async def delete_role(self, tx: TenantWriter, name: str, *, by: Principal) -> None:
        """Raises NotFound, or Conflict while members have the role."""
        if name not in {one.name for one in await rows.list_roles(tx)}:
            raise NotFound
        holders = await rows.count_with_role(tx, name)
        if holders:
            raise Conflict(f"{holders} members have this role. Give them another one first.")
        if await rows.is_default_role(tx, name):
            raise Conflict("Single sign-on gives this role to people who are new. Choose another one there first.")
        await rows.delete_role(tx, name)
        await self._events.record(tx, RoleDeleted(name), by=by, on=Object("role", name))

    async def verify_grantable(self, tx: TenantReader, role: str, by: Principal) -> None:
        """Raises Invalid for a role that is not here, NotInPlan for one of the tenant's own that its plan does not have
        any more, GrantRefused for one with more than `by` holds.
        """
        known = {one.name: one.permissions for one in await self.roles(tx)}
        if role not in known:
            raise Invalid("The role is not valid.", errors=[FieldError("role", f"Choose one of: {', '.join(known)}.")])
        if role not in TENANT_ROLES:
            await require_feature(tx, "custom_roles", "Roles of your own are")
        if not all(by.may(permission) for permission in known[role]):
            raise GrantRefused("You cannot give or take a role that permits more than you may do yourself.")

    # --- inside ---------------------------------------------------------------------------------------

    async def _changeable(self, tx: TenantReader, account_id: UUID, by: Principal) -> Membership:
        member = await self.get(tx, account_id)
        if by.id == str(account_id):
            raise GrantRefused("Somebody else has to change your own membership.")
        await self._verify_not_above(tx, tx.tenant, member.role, by)
        return member

    async def _verify_not_above(self, tx: Reader, tenant: TenantId, role: str, by: Principal) -> None:
        """Raises GrantRefused for a role with more than `by` holds. One that is gone permits nothing."""
        if not all(by.may(permission) for permission in await permissions_of(tx, tenant, role)):
            raise GrantRefused("This member may do more than you. Ask somebody with at least the same rights.")

    async def _verify_owner_left(self, tx: TenantWriter, member: Membership) -> None:
        if await rows.lock_owners(tx) == [member.account_id]:
            raise Conflict("This is the tenant's last owner. Make somebody else an owner first.")


async def permissions_of(tx: Reader, tenant: TenantId, role: str) -> frozenset[str]:
    """What a tenant's role permits, built in or its own. One that is gone permits nothing."""
    built_in = TENANT_ROLES.get(role)
    return built_in.permissions if built_in else frozenset(await rows.find_role(tx, tenant, role))


async def require_feature(tx: TenantReader, feature: str, what: str) -> Tenant:
    """Raises NotInPlan, which names the plans that have it; `what` is what it says is available, with the verb."""
    tenant = await tenant_rows.find_tenant(tx, tx.tenant)
    if tenant is None:
        raise NotFound
    if feature not in tenant.features:
        raise NotInPlan(what, [name for name, features in PLANS.items() if feature in features])
    return tenant
