"""What a directory may do to members, and what it may not: to owners, to other tenants, to people's accounts."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import msgspec
import pytest

from bailee.access.errors import GrantRefused, NotInPlan
from bailee.access.federation.scim.model import Group, GroupWanted, Narrow, Person, Profile
from bailee.access.model import AccountKind
from bailee.access.permissions import TENANT_ROLES
from bailee.foundation.errors import Conflict, Invalid, NotFound
from bailee.foundation.ids import TenantId, new_id
from bailee.foundation.principal import Forbidden, Principal
from tests.integration.access.federated import World, directory, member, world_of
from tests.integration.rig import key_principal, superuser
from tests.postgres import Pair


@pytest.fixture(scope="module")
async def world(pair: Pair) -> AsyncIterator[World]:
    async with world_of(pair) as made:
        yield made


async def _add(world: World, tenant: TenantId, email: str, *, by: Principal | None = None, **changes: object) -> Person:
    profile = msgspec.structs.replace(Profile(email, display_name="Somebody"), **changes)
    async with world.services.database.operator() as tx:
        return await world.services.federation.provisioning.add_person(tx, tenant, profile, by=by or directory(tenant))


async def _change(
    world: World, tenant: TenantId, person: Person, *, by: Principal | None = None, **changes: object
) -> Person:
    provisioning = world.services.federation.provisioning
    async with world.services.database.operator() as tx:
        before = await provisioning.person(tx, tenant, person.account_id)
        profile = msgspec.structs.replace(before.profile, **changes)
        return await provisioning.change_person(tx, tenant, person.account_id, profile, by=by or directory(tenant))


async def _remove(world: World, tenant: TenantId, account_id: UUID, *, by: Principal | None = None) -> None:
    async with world.services.database.operator() as tx:
        await world.services.federation.provisioning.remove_person(tx, tenant, account_id, by=by or directory(tenant))


async def _group(world: World, tenant: TenantId, name: str, *people: UUID, by: Principal | None = None) -> Group:
    wanted = GroupWanted(name, None, frozenset(people))
    async with world.services.database.tenant(tenant) as tx:
        return await world.services.federation.provisioning.add_group(tx, wanted, by=by or directory(tenant))


async def _regroup(world: World, tenant: TenantId, group: Group, *people: UUID, name: str | None = None) -> None:
    wanted = GroupWanted(name or group.display_name, None, frozenset(people))
    async with world.services.database.tenant(tenant) as tx:
        await world.services.federation.provisioning.change_group(tx, group.group_id, wanted, by=directory(tenant))


async def _role(world: World, tenant: TenantId, account_id: UUID) -> str:
    async with world.services.database.tenant_read(tenant) as tx:
        return (await world.services.access.members.get(tx, account_id)).role


# --- people ------------------------------------------------------------------------------------------------


async def test_somebody_new_is_a_member_without_a_password_and_signs_in_by_the_provider(world: World) -> None:
    tenant = await world.tenant("scim-new.example")
    person = await _add(world, tenant.id, "ann@scim-new.example")
    assert (person.role, person.state) == ("editor", "active")
    with superuser(world.services.settings.database.main) as connection:
        row = connection.execute(
            "SELECT kind, password_hash, source FROM accounts JOIN memberships USING (account_id) "
            "WHERE account_id = %s",
            (person.account_id,),
        ).fetchone()
    assert row == ("member", None, "scim")
    assert (await world.sign_in("ann@scim-new.example")).account.id == person.account_id


@pytest.mark.parametrize("email", ["a@elsewhere.example", "a@sub.scim-own.example", "ann", "", "änn@scim-own.example"])
async def test_an_address_outside_the_verified_domains_is_refused(world: World, email: str) -> None:
    tenant = await world.tenant("scim-own.example" if email == "ann" else f"x{new_id().hex}.example")
    with pytest.raises(Invalid):
        await _add(world, tenant.id, email)


async def test_somebody_of_staff_cannot_be_provisioned(world: World) -> None:
    tenant = await world.tenant("scim-staff.example")
    await world.account("admin@scim-staff.example", kind=AccountKind.STAFF)
    with pytest.raises(Conflict):
        await _add(world, tenant.id, "admin@scim-staff.example")


async def test_a_member_is_not_added_twice(world: World) -> None:
    tenant = await world.tenant("scim-twice.example")
    await _add(world, tenant.id, "bob@scim-twice.example")
    with pytest.raises(Conflict):
        await _add(world, tenant.id, "bob@scim-twice.example")


async def test_an_inactive_member_is_shut_out_at_once(world: World) -> None:
    tenant = await world.tenant("scim-leaver.example")
    person = await _add(world, tenant.id, "carol@scim-leaver.example")
    started = await world.sign_in("carol@scim-leaver.example")
    assert (await world.principal(started)).permissions == TENANT_ROLES["editor"].permissions
    await _change(world, tenant.id, person, active=False)
    assert (await world.principal(started)).permissions == frozenset()
    await _change(world, tenant.id, person, active=True)
    assert (await world.principal(started)).permissions == TENANT_ROLES["editor"].permissions
    await _remove(world, tenant.id, person.account_id)
    assert (await world.principal(started)).permissions == frozenset()
    actions = await world.actions(tenant.id)
    assert {"member.disabled", "member.enabled", "member.removed", "member.provisioned"} <= set(actions)


async def test_another_tenants_members_are_not_there(world: World) -> None:
    one, two = await world.tenant("scim-one.example"), await world.tenant("scim-two.example")
    person = await _add(world, one.id, "dora@scim-one.example")
    group = await _group(world, one.id, "Team", person.account_id)
    provisioning = world.services.federation.provisioning
    with pytest.raises(NotFound):
        await _change(world, two.id, person, active=False)
    with pytest.raises(NotFound):
        await _remove(world, two.id, person.account_id)
    with pytest.raises(NotFound):
        await _regroup(world, two.id, group)
    with pytest.raises(Invalid):
        await _group(world, two.id, "Theirs", person.account_id)
    async with world.services.database.tenant_read(two.id) as tx:
        assert await provisioning.people(tx, Narrow(), offset=0, limit=10) == []
        assert await provisioning.people(tx, Narrow(name="dora@scim-one.example"), offset=0, limit=10) == []
        assert await provisioning.groups(tx, Narrow(), offset=0, limit=10) == []


async def _of_two(world: World, domain: str) -> tuple[TenantId, TenantId, Person]:
    """Somebody of another tenant, whom this one's directory adds too."""
    own, other = await world.tenant(domain), await world.tenant(sso=False)
    account_id = await world.account(f"eve@{domain}")
    await world.join(other.id, account_id, f"eve@{domain}", "owner")
    with pytest.raises(Conflict, match="invite them"):
        await _add(world, own.id, f"eve@{domain}")
    await world.join(own.id, account_id, f"eve@{domain}")
    async with world.services.database.operator_read() as tx:
        person = await world.services.federation.provisioning.person(tx, own.id, account_id)
    return own.id, other.id, await _change(world, own.id, person, display_name="Called Names")


async def test_what_a_directory_writes_stays_in_its_tenant(world: World) -> None:
    own, other, person = await _of_two(world, "scim-shared.example")
    await _change(world, own, person, active=False)
    async with world.services.database.tenant_read(other) as tx:
        there = await world.services.access.members.get(tx, person.account_id)
    assert (there.state, there.name, there.role) == ("active", "Somebody Else", "owner")
    with superuser(world.services.settings.database.main) as connection:
        row = connection.execute(
            "SELECT name, state FROM accounts WHERE account_id = %s", (person.account_id,)
        ).fetchone()
    assert row == ("Somebody Else", "active")
    await _remove(world, own, person.account_id)
    async with world.services.database.tenant_read(other) as tx:
        assert (await world.services.access.members.get(tx, person.account_id)).state == "active"


async def test_the_address_of_somebody_who_belongs_elsewhere_too_is_their_own(world: World) -> None:
    """Else a directory could have the password of another tenant's owner reset to a mailbox of its choice."""
    own, _other, person = await _of_two(world, "scim-takeover.example")
    with pytest.raises(Conflict):
        await _change(world, own, person, user_name="attacker@scim-takeover.example")


async def test_an_address_changes_within_the_domains_and_links_to_the_old_one_die(world: World) -> None:
    tenant = await world.tenant("scim-renamed.example")
    person = await _add(world, tenant.id, "old@scim-renamed.example")
    other = await _add(world, tenant.id, "other@scim-renamed.example")
    with superuser(world.services.settings.database.main) as connection:
        connection.execute(
            "INSERT INTO links VALUES (%s, 'password', %s, '\\x00', now() + interval '1 hour')",
            (new_id(), person.account_id),
        )
    changed = await _change(world, tenant.id, person, user_name="New@scim-renamed.example")
    assert changed.email == "new@scim-renamed.example"
    with superuser(world.services.settings.database.main) as connection:
        assert connection.execute(
            "SELECT email FROM accounts WHERE account_id = %s", (person.account_id,)
        ).fetchone() == ("new@scim-renamed.example",)
        assert connection.execute(
            "SELECT count(*) FROM links WHERE account_id = %s", (person.account_id,)
        ).fetchone() == (0,)
    for email, error in (("other@scim-renamed.example", Conflict), ("x@elsewhere.example", Invalid)):
        with pytest.raises(error):
            await _change(world, tenant.id, person, user_name=email)
    assert other.email == "other@scim-renamed.example"


async def test_an_owner_is_beyond_a_directory(world: World) -> None:
    tenant = await world.tenant("scim-owner.example")
    account_id = await world.account("boss@scim-owner.example")
    await world.join(tenant.id, account_id, "boss@scim-owner.example", "owner")
    async with world.services.database.operator_read() as tx:
        boss = await world.services.federation.provisioning.person(tx, tenant.id, account_id)
    with pytest.raises(GrantRefused):
        await _change(world, tenant.id, boss, active=False)
    with pytest.raises(GrantRefused):
        await _remove(world, tenant.id, account_id)
    with pytest.raises(GrantRefused):  # one that may do everything itself
        await _remove(world, tenant.id, account_id, by=member(tenant.id))


async def test_an_owner_is_beyond_a_directory_that_may_erase(world: World) -> None:
    """All that an owner holds beyond an administrator: with it the directory would take an owner's address."""
    tenant = await world.tenant("scim-erase.example")
    account_id = await world.account("boss@scim-erase.example")
    await world.join(tenant.id, account_id, "boss@scim-erase.example", "owner")
    by = key_principal(tenant.id, "scim.provision", "subjects.erase")
    async with world.services.database.operator_read() as tx:
        boss = await world.services.federation.provisioning.person(tx, tenant.id, account_id)
    for changes in ({"user_name": "mine@scim-erase.example"}, {"active": False}):
        with pytest.raises(GrantRefused):
            await _change(world, tenant.id, boss, by=by, **changes)


async def test_a_newcomer_gets_nothing_of_who_had_the_address_before(world: World) -> None:
    tenant = await world.tenant("scim-recycled.example")
    first = await _add(world, tenant.id, "sales@scim-recycled.example")
    with superuser(world.services.settings.database.main) as connection:
        connection.execute("UPDATE accounts SET password_hash = 'x' WHERE account_id = %s", (first.account_id,))
    await _remove(world, tenant.id, first.account_id)
    second = await _add(world, tenant.id, "sales@scim-recycled.example")
    assert second.account_id != first.account_id
    with superuser(world.services.settings.database.main) as connection:
        row = connection.execute(
            "SELECT state, password_hash, email FROM accounts WHERE account_id = %s", (first.account_id,)
        ).fetchone()
    assert row == ("off_boarded", None, f"{first.account_id}@former.invalid")


async def test_two_changes_of_a_persons_groups_at_once_leave_no_role_behind(world: World) -> None:
    tenant = await world.tenant("scim-race.example")
    person = await _add(world, tenant.id, "gil@scim-race.example")
    for _ in range(5):
        one = await _group(world, tenant.id, "Administrator", person.account_id)
        two = await _group(world, tenant.id, "Viewer", person.account_id)
        await asyncio.gather(_regroup(world, tenant.id, one), _regroup(world, tenant.id, two))
        assert await _role(world, tenant.id, person.account_id) == "editor", "what everybody new gets"
        for group in (one, two):
            async with world.services.database.tenant(tenant.id) as tx:
                await world.services.federation.provisioning.remove_group(tx, group.group_id, by=directory(tenant.id))


# --- groups ------------------------------------------------------------------------------------------------


async def test_a_group_called_like_a_role_gives_it_and_leaving_takes_it(world: World) -> None:
    tenant = await world.tenant("scim-roles.example")
    person = await _add(world, tenant.id, "finn@scim-roles.example")
    plain = await _group(world, tenant.id, "Everybody", person.account_id)
    assert await _role(world, tenant.id, person.account_id) == "editor"
    auditors = await _group(world, tenant.id, "Auditor", person.account_id)
    assert await _role(world, tenant.id, person.account_id) == "auditor"
    admins = await _group(world, tenant.id, "administrator", person.account_id)
    assert await _role(world, tenant.id, person.account_id) == "administrator"
    await _regroup(world, tenant.id, admins)
    assert await _role(world, tenant.id, person.account_id) == "auditor"
    await _regroup(world, tenant.id, auditors, person.account_id, name="Former auditors")
    assert await _role(world, tenant.id, person.account_id) == "editor"
    await _regroup(world, tenant.id, plain)
    assert await _role(world, tenant.id, person.account_id) == "editor"
    assert (await world.actions(tenant.id)).count("member.role_changed") == 4


async def test_removing_a_role_s_group_takes_the_role(world: World) -> None:
    tenant = await world.tenant("scim-ungrouped.example")
    person = await _add(world, tenant.id, "gil@scim-ungrouped.example")
    group = await _group(world, tenant.id, "Viewer", person.account_id)
    assert await _role(world, tenant.id, person.account_id) == "viewer"
    async with world.services.database.tenant(tenant.id) as tx:
        await world.services.federation.provisioning.remove_group(tx, group.group_id, by=directory(tenant.id))
    assert await _role(world, tenant.id, person.account_id) == "editor"


@pytest.mark.parametrize("name", ["owner", "Owner", " OWNER ", "Privacy officer", "privacy-officer"])
async def test_no_group_gives_more_than_a_directory_may(world: World, name: str) -> None:
    tenant = await world.tenant(f"x{new_id().hex}.example", sso=False)
    async with world.services.database.tenant_read(tenant.id) as tx:
        (domain,) = await world.services.federation.domains.all(tx)
    person = await _add(world, tenant.id, f"hal@{domain.domain}")
    await _group(world, tenant.id, name.strip(), person.account_id)
    assert await _role(world, tenant.id, person.account_id) == "viewer"


async def test_a_directory_gives_what_its_key_holds_itself(world: World) -> None:
    tenant = await world.tenant("scim-more.example")
    person = await _add(world, tenant.id, "ida@scim-more.example")
    await _group(world, tenant.id, "Privacy officer", person.account_id, by=directory(tenant.id, "subjects:erase"))
    assert await _role(world, tenant.id, person.account_id) == "privacy_officer"


async def test_an_owner_keeps_the_role_in_any_group(world: World) -> None:
    tenant = await world.tenant("scim-kept.example")
    account_id = await world.account("jo@scim-kept.example")
    await world.join(tenant.id, account_id, "jo@scim-kept.example", "owner")
    await _group(world, tenant.id, "Viewer", account_id)
    assert await _role(world, tenant.id, account_id) == "owner"


async def test_two_groups_are_not_called_the_same(world: World) -> None:
    tenant = await world.tenant("scim-names.example")
    await _group(world, tenant.id, "Team")
    with pytest.raises(Conflict):
        await _group(world, tenant.id, "TEAM")


# --- who may -----------------------------------------------------------------------------------------------


async def test_a_plan_without_provisioning_says_which_has_it(world: World) -> None:
    tenant = await world.tenant("scim-plan.example")
    with superuser(world.services.settings.database.main) as connection:
        connection.execute("UPDATE tenants SET plan = 'standard' WHERE tenant_id = %s", (tenant.id,))
    with pytest.raises(NotInPlan) as refused:
        await _add(world, tenant.id, "kim@scim-plan.example")
    told = "Provisioning by SCIM is available with the plan enterprise. Ask your provider to change the plan."
    assert str(refused.value) == told
    with pytest.raises(NotInPlan):
        await _group(world, tenant.id, "Team")


async def test_a_key_without_the_scope_provisions_nobody(world: World) -> None:
    tenant = await world.tenant("scim-scope.example")
    others = key_principal(tenant.id, "members:read", "members:write", "records:write")
    with pytest.raises(Forbidden):
        await _add(world, tenant.id, "lea@scim-scope.example", by=others)
    with pytest.raises(Forbidden):
        await _group(world, tenant.id, "Team", by=others)
