"""What a directory may do to a tenant's members and groups, and what it may not.

A key with the scope `scim` is worth what an administrator is worth: it gives, takes and touches no role that permits
more, unless the key itself holds that too. Owners are made by owners. A person's account belongs to the person: a
directory changes its address only while the person belongs to that tenant alone, and never signs anybody in.
"""

from collections.abc import Iterable
from uuid import UUID

from bailee.access.accounts import Accounts
from bailee.access.addresses import RULE, domain_of, normalise_email
from bailee.access.errors import GrantRefused, NotInPlan
from bailee.access.federation import store as federation_rows
from bailee.access.federation.scim import store as rows
from bailee.access.federation.scim.model import Group, GroupWanted, Narrow, Person, Profile
from bailee.access.letters import Letters
from bailee.access.members import Members
from bailee.access.model import Account, AccountKind, AccountState
from bailee.access.permissions import PRIVACY_DUTIES, TENANT_ROLES
from bailee.access.store import accounts as account_rows
from bailee.access.store import members as member_rows
from bailee.events import Events, Object, verb
from bailee.events.catalogue import (
    AccountCreated,
    GroupProvisioned,
    GroupRemoved,
    MemberDisabled,
    MemberEnabled,
    MemberJoined,
    MemberProvisioned,
    MemberRemoved,
    MemberRoleChanged,
)
from bailee.foundation.database import OperatorReader, OperatorWriter, Reader, TenantReader, TenantWriter, constraints
from bailee.foundation.errors import Conflict, FieldError, Invalid, NotFound
from bailee.foundation.ids import TenantId, new_id
from bailee.foundation.mail import Mail
from bailee.foundation.principal import Principal
from bailee.foundation.revocation import announce
from bailee.tenants import store as tenant_rows
from bailee.tenants.model import PLANS

FEATURE, CALLED = "scim", "Provisioning by SCIM is"
_FALLBACK_ROLE = "viewer"
_MAX_TEXT = 200
_TEXTS = ("external_id", "display_name", "formatted_name", "given_name", "family_name")
_TAKEN = "That address, or that name, is in use or cannot be used here."


class Provisioning:
    """The directory's side of one tenant at a time."""

    def __init__(
        self, events: Events, accounts: Accounts, members: Members, mail: Mail, letters: Letters
    ) -> None:  # fmt: skip
        self._events = events
        self._accounts = accounts
        self._members = members
        self._mail = mail
        self._letters = letters

    async def verify_included(self, tx: Reader, tenant: TenantId) -> None:
        """Raises NotInPlan."""
        found = await tenant_rows.find_tenant(tx, tenant)
        if found is None:
            raise NotFound
        if FEATURE not in found.features:
            with_it = [name for name, features in PLANS.items() if FEATURE in features]
            raise NotInPlan(CALLED, with_it)

    # --- looking --------------------------------------------------------------------------------------

    async def people(self, tx: TenantReader, narrow: Narrow, *, offset: int, limit: int) -> list[Person]:
        """Members in the order their accounts were made."""
        return await rows.list_people(tx, narrow=narrow, offset=offset, limit=limit)

    async def count_people(self, tx: TenantReader, narrow: Narrow) -> int:
        return await rows.count_people(tx, narrow=narrow)

    async def person(self, tx: Reader, tenant: TenantId, account_id: UUID) -> Person:
        """Raises NotFound. A writing transaction of the operator holds the member until it ends."""
        if isinstance(tx, OperatorWriter):
            found = await rows.lock_person(tx, tenant, account_id)
        else:
            found = await rows.find_person(tx, tenant, account_id)
        if found is None:
            raise NotFound
        return found

    async def groups(self, tx: TenantReader, narrow: Narrow, *, offset: int, limit: int) -> list[Group]:
        """Groups in the order they were made."""
        return await rows.list_groups(tx, narrow=narrow, offset=offset, limit=limit)

    async def count_groups(self, tx: TenantReader, narrow: Narrow) -> int:
        return await rows.count_groups(tx, narrow=narrow)

    async def group(self, tx: TenantReader, group_id: UUID) -> Group:
        """Raises NotFound. A writing transaction holds the group until it ends."""
        if isinstance(tx, TenantWriter):
            found = await rows.lock_group(tx, group_id)
        else:
            found = await rows.find_group(tx, group_id)
        if found is None:
            raise NotFound
        return found

    # --- people ---------------------------------------------------------------------------------------

    @verb(MemberJoined, permission="scim.provision")
    async def add_person(self, tx: OperatorWriter, tenant: TenantId, profile: Profile, *, by: Principal) -> Person:
        """Makes somebody a member, with the account they have or a new one that has no password yet.

        Raises NotInPlan, Invalid, or Conflict for a member and for an address that is not a member's to have.
        """
        await self.verify_included(tx, tenant)
        email = await self._usable_email(tx, tenant, profile.user_name)
        _verify_texts(profile)
        role = await rows.find_default_role(tx, tenant) or _FALLBACK_ROLE
        account = await account_rows.find_by_email(tx, email)
        if account is not None:
            await self._free_address(tx, tenant, account, by)
        account_id = await self._make_account(tx, tenant, email, profile.name, role, by)
        await self._members.join(tx, tenant, account_id, email, profile.name, role, "scim", profile.external_id, by=by)
        await rows.put_profile(tx, tenant, account_id, profile)
        if not profile.active:
            await self._set_active(tx, tenant, account_id, by, active=False)
        return await self.person(tx, tenant, account_id)

    @verb(MemberProvisioned, permission="scim.provision")
    async def change_person(
        self, tx: OperatorWriter, tenant: TenantId, account_id: UUID, profile: Profile, *, by: Principal
    ) -> Person:
        """Writes a member's profile; one who is no longer active is shut out of this tenant at once.

        Raises NotInPlan, NotFound, Invalid, GrantRefused; Conflict for an address that is not to be had, for somebody
        who belongs to other tenants too and whose address is therefore their own, and for the last owner.
        """
        await self.verify_included(tx, tenant)
        person = await self._manageable(tx, tenant, account_id, by)
        _verify_texts(profile)
        before = person.profile
        if profile.user_name.strip().lower() != before.user_name:
            await self._change_email(tx, tenant, person, profile.user_name)
        await rows.put_profile(tx, tenant, account_id, profile)
        if profile.active != before.active:
            await self._set_active(tx, tenant, account_id, by, active=profile.active)
        changed = [name for name in Profile.__struct_fields__ if getattr(profile, name) != getattr(before, name)]
        await self._events.record(tx, MemberProvisioned(changed), by=by, on=_account(account_id), tenant=tenant)
        return await self.person(tx, tenant, account_id)

    @verb(MemberRemoved, permission="scim.provision")
    async def remove_person(self, tx: OperatorWriter, tenant: TenantId, account_id: UUID, *, by: Principal) -> None:
        """Ends a membership; the account and other tenants stay. Raises NotInPlan, NotFound, GrantRefused, Conflict."""
        await self.verify_included(tx, tenant)
        await self._manageable(tx, tenant, account_id, by)
        await self._verify_owner_left(tx, tenant, account_id)
        await rows.delete_person(tx, tenant, account_id)
        await announce(tx)
        await self._events.record(tx, MemberRemoved(), by=by, on=_account(account_id), tenant=tenant)

    # --- groups ---------------------------------------------------------------------------------------

    @verb(GroupProvisioned, permission="scim.provision")
    async def add_group(self, tx: TenantWriter, wanted: GroupWanted, *, by: Principal) -> Group:
        """Makes a group; one that is called like a role gives it. Raises NotInPlan, Invalid, Conflict."""
        await self.verify_included(tx, tx.tenant)
        _verify_group(wanted)
        group_id = new_id()
        await rows.lock_people(tx, sorted(wanted.members))
        with constraints({"scim_groups_name_key": Conflict(_TAKEN)}):
            await rows.insert_group(tx, group_id, wanted)
        return await self._fill(tx, group_id, wanted, frozenset(), frozenset(), by)

    @verb(GroupProvisioned, permission="scim.provision")
    async def change_group(self, tx: TenantWriter, group_id: UUID, wanted: GroupWanted, *, by: Principal) -> Group:
        """Writes a group's name and members. Raises NotInPlan, NotFound, Invalid, Conflict."""
        await self.verify_included(tx, tx.tenant)
        _verify_group(wanted)
        before = await self.group(tx, group_id)
        await rows.lock_people(tx, sorted({*before.members, *wanted.members}))
        held = await self._with_role(tx, before.members, by)
        with constraints({"scim_groups_name_key": Conflict(_TAKEN)}):
            await rows.update_group(tx, group_id, wanted)
        return await self._fill(tx, group_id, wanted, frozenset(before.members), held, by)

    @verb(GroupRemoved, permission="scim.provision")
    async def remove_group(self, tx: TenantWriter, group_id: UUID, *, by: Principal) -> None:
        """Ends a group; who had a role by it falls back. Raises NotInPlan, NotFound."""
        await self.verify_included(tx, tx.tenant)
        before = await self.group(tx, group_id)
        await rows.lock_people(tx, sorted(before.members))
        held = await self._with_role(tx, before.members, by)
        await rows.delete_group(tx, group_id)
        await self._give_roles(tx, before.members, held, by)
        await self._events.record(tx, GroupRemoved(), by=by, on=Object("group", str(group_id)))

    # --- inside: people -------------------------------------------------------------------------------

    async def _usable_email(self, tx: OperatorReader, tenant: TenantId, user_name: str) -> str:
        email = normalise_email(user_name)
        if not email:
            raise Invalid("The user is not valid.", errors=[FieldError("userName", RULE)])
        if await federation_rows.find_holder(tx, domain_of(email)) != tenant:
            message = "Use an address in one of the domains that this tenant has verified."
            raise Invalid("The user is not valid.", errors=[FieldError("userName", message)])
        return email

    async def _free_address(self, tx: OperatorWriter, tenant: TenantId, account: Account, by: Principal) -> None:
        """Takes the address from an account that nobody has any more. Raises Conflict for one in use: a member, staff,
        somebody who is disabled, or a person of other tenants, who accepts an invitation with the account they have.
        """
        usable = account.kind is AccountKind.MEMBER and account.state is AccountState.ACTIVE
        if not usable or await rows.count_tenants(tx, account.id, tenant):
            raise Conflict(_TAKEN)
        if await federation_rows.has_memberships(tx, account.id):
            raise Conflict("This person has an account with another tenant: invite them, so that they join with it.")
        await self._accounts.retire(tx, account, by=by)

    async def _make_account(
        self, tx: OperatorWriter, tenant: TenantId, email: str, name: str, role: str, by: Principal
    ) -> UUID:
        account_id = new_id()
        with constraints({"accounts_email_key": Conflict(_TAKEN)}):
            await account_rows.insert_account(
                tx, account_id, AccountKind.MEMBER, email, name, AccountState.ACTIVE, None, verified=True
            )
        await self._events.record(tx, AccountCreated(role), by=by, on=_account(account_id), tenant=tenant)
        return account_id

    async def _change_email(self, tx: OperatorWriter, tenant: TenantId, person: Person, user_name: str) -> None:
        """Raises Invalid or Conflict. The old address is told, and links that went there are dead."""
        email = await self._usable_email(tx, tenant, user_name)
        account: Account | None = await account_rows.find_account(tx, person.account_id)
        if account is None or account.kind is not AccountKind.MEMBER:
            raise NotFound
        await account_rows.lock_account(tx, person.account_id)
        if await rows.count_tenants(tx, person.account_id) != 1:
            raise Conflict("This person belongs elsewhere too: their address is theirs alone to change.")
        with constraints({"accounts_email_key": Conflict(_TAKEN)}):
            await rows.set_email(tx, tenant, person.account_id, email)
        await account_rows.delete_links(tx, person.account_id)
        await announce(tx)
        await self._mail.queue(tx, self._letters.changed(person.email, "The address"))

    async def _set_active(
        self, tx: OperatorWriter, tenant: TenantId, account_id: UUID, by: Principal, *, active: bool
    ) -> None:
        if not active:
            await self._verify_owner_left(tx, tenant, account_id)
        await rows.set_state(tx, tenant, account_id, "active" if active else "disabled")
        await announce(tx)
        details = MemberEnabled() if active else MemberDisabled()
        await self._events.record(tx, details, by=by, on=_account(account_id), tenant=tenant)

    async def _manageable(self, tx: OperatorWriter, tenant: TenantId, account_id: UUID, by: Principal) -> Person:
        person = await self.person(tx, tenant, account_id)
        if person.role == "owner":
            raise GrantRefused("Owners are beyond a directory. Ask another owner.")
        own = {person.role: await rows.find_role_permissions(tx, tenant, person.role)}
        if not _may_handle(_permissions_of(person.role, own), by):
            raise GrantRefused("This member may do more than a directory may decide about. Ask an owner.")
        return person

    async def _verify_owner_left(self, tx: OperatorWriter, tenant: TenantId, account_id: UUID) -> None:
        if await rows.lock_owners(tx, tenant) == [account_id]:
            raise Conflict("This is the tenant's last owner. Make somebody else an owner first.")

    # --- inside: groups -------------------------------------------------------------------------------

    async def _fill(
        self, tx: TenantWriter, group_id: UUID, wanted: GroupWanted, before: frozenset[UUID], held: frozenset[UUID],
        by: Principal,
    ) -> Group:  # fmt: skip
        added, gone = sorted(wanted.members - before), sorted(before - wanted.members)
        if len(await rows.list_members_among(tx, added)) != len(added):
            message = "Members of a group are users of this tenant, by their id."
            raise Invalid("The group is not valid.", errors=[FieldError("members", message)])
        await rows.add_members(tx, group_id, added)
        await rows.remove_members(tx, group_id, gone)
        await self._give_roles(tx, wanted.members | before, held, by)
        on = Object("group", str(group_id))
        await self._events.record(tx, GroupProvisioned(len(wanted.members)), by=by, on=on)
        return await self.group(tx, group_id)

    async def _with_role(self, tx: TenantReader, account_ids: Iterable[UUID], by: Principal) -> frozenset[UUID]:
        """Those who have a role by a group as things stand."""
        known = await self._grantable(tx, by)
        people = await rows.list_by_id(tx, sorted(account_ids))
        return frozenset(one.account_id for one in people if _role_by_groups(one, known))

    async def _give_roles(
        self, tx: TenantWriter, account_ids: Iterable[UUID], held: frozenset[UUID], by: Principal
    ) -> None:
        """Brings roles in line with the groups; who had one by a group and has none any more gets the default."""
        known = await self._grantable(tx, by)
        default = await rows.find_default_role(tx, tx.tenant) or _FALLBACK_ROLE
        for person in await rows.list_by_id(tx, sorted(account_ids)):
            role = _role_by_groups(person, known) or (default if person.account_id in held else person.role)
            if role == person.role or person.role not in known:
                continue
            await rows.set_role(tx, person.account_id, role)
            await announce(tx)
            details = MemberRoleChanged(person.role, role)
            await self._events.record(tx, details, by=by, on=_account(person.account_id))

    async def _grantable(self, tx: TenantReader, by: Principal) -> list[str]:
        """The roles that a directory may give and take, the first one before the others."""
        own = {one.name: one.permissions for one in await member_rows.list_roles(tx)}
        names = [*(name for name in TENANT_ROLES if name != "owner"), *sorted(own)]
        return [name for name in names if _may_handle(_permissions_of(name, own), by)]


def _permissions_of(role: str, own: dict[str, list[str]]) -> frozenset[str]:
    built_in = TENANT_ROLES.get(role)
    return built_in.permissions if built_in else frozenset(own.get(role, []))


def _may_handle(permissions: frozenset[str], by: Principal) -> bool:
    """Whether `by` may decide about somebody with these permissions: an administrator's, and its own. Who may erase
    people may say who decides about keeping them: no key does that itself.
    """
    own = TENANT_ROLES["administrator"].permissions
    if by.may("subjects.erase"):
        own |= PRIVACY_DUTIES
    return all(one in own or by.may(one) for one in permissions)


def _role_by_groups(person: Person, known: list[str]) -> str | None:
    """The first role, in the order of `known`, that one of the person's groups is called like."""
    called = {"_".join(name.lower().replace("-", " ").split()) for name in person.group_names}
    return next((role for role in known if role in called), None)


def _verify_texts(profile: Profile) -> None:
    errors = [
        FieldError(field, f"Use at most {_MAX_TEXT} printable characters.")
        for field in _TEXTS
        if not _is_plain(getattr(profile, field))
    ]
    if errors:
        raise Invalid("The user is not valid.", errors=errors)


def _verify_group(wanted: GroupWanted) -> None:
    if not wanted.display_name.strip() or not _is_plain(wanted.display_name) or not _is_plain(wanted.external_id):
        message = f"Use 1 to {_MAX_TEXT} printable characters."
        raise Invalid("The group is not valid.", errors=[FieldError("displayName", message)])


def _is_plain(text: str | None) -> bool:
    return text is None or (len(text) <= _MAX_TEXT and text.isprintable())


def _account(account_id: UUID) -> Object:
    return Object("account", str(account_id))
