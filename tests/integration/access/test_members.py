"""Members and their roles: nobody gives more than they hold, nobody reaches into another tenant."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import UUID

import pytest

from bailee.access.errors import GrantRefused, NotInPlan
from bailee.access.model import Membership, TenantRole
from bailee.access.permissions import TENANT_CLOSING, TENANT_PERMISSIONS, TENANT_ROLES
from bailee.assembly import Services
from bailee.foundation.errors import Conflict, Invalid, NotFound
from bailee.foundation.ids import TenantId
from bailee.foundation.principal import Forbidden, Principal, StepUpRequired
from bailee.tenants.model import Tenant, TenantState
from tests.integration.access.people import Person, execute, is_refused, join, make_member
from tests.integration.rig import SYSTEM, create_tenant

REASON = "Lost the phone on a train."


class _World:
    """A tenant on the plan with everything, its owner, and a second tenant that is none of their business."""

    def __init__(self, services: Services, tenant: Tenant, owner: Person, stranger: Person) -> None:
        self.services = services
        self.tenant = tenant
        self.owner = owner
        self.stranger = stranger
        """The owner of the other tenant."""

    async def member(self, role: str, *, mfa: bool = True) -> Person:
        return await make_member(self.services, self.tenant.id, role, mfa=mfa)

    async def act[R](self, verb: Callable[..., Awaitable[R]], *arguments: object, by: Principal) -> R:
        async with self.services.database.tenant(self.tenant.id) as tx:
            return await verb(tx, *arguments, by=by)

    async def define(self, name: str, *permissions: str, by: Principal | None = None) -> TenantRole:
        by = by or await self.owner.principal()
        async with self.services.database.tenant(self.tenant.id) as tx:
            return await self.services.access.members.define_role(
                tx, name, title="Own", permissions=list(permissions), by=by
            )

    async def reset(self, account_id: UUID, by: Principal, *, tenant: TenantId | None = None) -> None:
        tenant = tenant or self.tenant.id
        async with self.services.database.tenant_read(tenant) as reader:
            member = await self.services.access.members.get(reader, account_id)
        async with self.services.database.operator() as tx:
            await self.services.access.members.reset_factors(tx, member, tenant=tenant, reason=REASON, by=by)


@asynccontextmanager
async def _stepped_down(services: Services, person: Person) -> AsyncIterator[None]:
    session_id = (await person.principal()).session_id
    await execute(
        services, "UPDATE sessions SET mfa_at = now() - interval '1 hour' WHERE session_id = %s", (session_id,)
    )
    yield
    await person.step_up()


@pytest.fixture(scope="module")
async def world(services: Services) -> _World:
    mine, theirs = await create_tenant(services, "Mine", "enterprise"), await create_tenant(services, "Theirs")
    return _World(services, mine, await make_member(services, mine.id), await make_member(services, theirs.id))


@pytest.fixture(scope="module")
async def administrator(world: _World) -> Person:
    return await world.member("administrator")


# --- within the tenant ----------------------------------------------------------------------------------------


async def test_a_role_is_changed_and_effective_with_the_next_request(world: _World) -> None:
    viewer, members = await world.member("viewer", mfa=False), world.services.access.members
    by, account_id = await world.owner.principal(), await viewer.id()
    changed = await world.act(members.change_role, account_id, "editor", by=by)
    assert changed.role == "editor"
    assert await is_refused(world.services, viewer.token), "the session is from before"
    await viewer.sign_in()
    (await viewer.principal()).require("records.create")
    with pytest.raises(Conflict):
        await world.act(members.change_role, account_id, "editor", by=by)
    with pytest.raises(Invalid):
        await world.act(members.change_role, account_id, "superuser", by=by)
    async with _stepped_down(world.services, world.owner):
        with pytest.raises(StepUpRequired):
            await world.act(members.change_role, account_id, "viewer", by=await world.owner.principal())


async def test_nobody_changes_their_own_membership(world: _World, administrator: Person) -> None:
    members, by, own = world.services.access.members, await administrator.principal(), await administrator.id()
    for attempt in (
        lambda: world.act(members.change_role, own, "owner", by=by),
        lambda: world.act(members.change_role, own, "viewer", by=by),
        lambda: world.act(members.disable, own, by=by),
        lambda: world.act(members.remove, own, by=by),
        lambda: world.reset(own, by),
    ):
        with pytest.raises(Forbidden):
            await attempt()


async def test_nobody_touches_whoever_may_do_more(world: _World, administrator: Person) -> None:
    members, by, above = world.services.access.members, await administrator.principal(), await world.owner.id()
    viewer = await world.member("viewer", mfa=False)
    for attempt in (
        lambda: world.act(members.change_role, above, "viewer", by=by),
        lambda: world.act(members.disable, above, by=by),
        lambda: world.act(members.enable, above, by=by),
        lambda: world.act(members.remove, above, by=by),
        lambda: world.reset(above, by),
    ):
        with pytest.raises(GrantRefused):
            await attempt()
    with pytest.raises(GrantRefused):
        await world.act(members.change_role, await viewer.id(), "owner", by=by)
    with pytest.raises(GrantRefused):
        async with world.services.database.tenant(world.tenant.id) as tx:
            await world.services.access.invitations.invite_member(
                tx, email="puppet@tenant.example", name="Puppet", role="owner", by=by
            )
    await world.act(members.change_role, await viewer.id(), "privacy_officer", by=await world.owner.principal())
    with pytest.raises(GrantRefused):
        await world.act(members.change_role, await viewer.id(), "viewer", by=by)


async def test_a_disabled_member_comes_back_as_they_were(world: _World) -> None:
    viewer, members, by = (
        await world.member("viewer", mfa=False),
        world.services.access.members,
        await world.owner.principal(),
    )
    account_id = await viewer.id()
    await world.act(members.disable, account_id, by=by)
    assert (await viewer.principal()).permissions == frozenset()
    with pytest.raises(Conflict):
        await world.act(members.disable, account_id, by=by)
    await world.act(members.enable, account_id, by=by)
    (await viewer.principal()).require("records.read")
    with pytest.raises(Conflict):
        await world.act(members.enable, account_id, by=by)


async def test_the_last_owner_stays(services: Services) -> None:
    tenant = await create_tenant(services)
    owner = await make_member(services, tenant.id, mfa=False)
    account_id, members = await owner.id(), services.access.members
    for verb, arguments in ((members.change_role, ("viewer",)), (members.disable, ()), (members.remove, ())):
        with pytest.raises(Conflict, match="last owner"):
            async with services.database.tenant(tenant.id) as tx:
                await verb(tx, account_id, *arguments, by=SYSTEM)


async def test_two_owners_who_remove_each_other_at_once_leave_one(services: Services) -> None:
    tenant = await create_tenant(services)
    first, second = await make_member(services, tenant.id), await make_member(services, tenant.id)
    pairs = [(await first.principal(), await second.id()), (await second.principal(), await first.id())]

    async def remove(by: Principal, account_id: UUID) -> None:
        async with services.database.tenant(tenant.id) as tx:
            await services.access.members.remove(tx, account_id, by=by)

    results = await asyncio.gather(*(remove(by, other) for by, other in pairs), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["Conflict", "NoneType"]


async def test_of_the_lesser_roles_none_manages_members(world: _World) -> None:
    account_id, members = await world.owner.id(), world.services.access.members
    for role in ("privacy_officer", "editor", "viewer", "auditor"):
        by = await (await world.member(role, mfa=False)).principal()
        with pytest.raises(Forbidden):
            await world.act(members.disable, account_id, by=by)
        assert by.permissions == TENANT_ROLES[role].permissions


# --- roles of the tenant's own ------------------------------------------------------------------------------


async def test_a_role_of_the_tenants_own_permits_what_it_says_and_changes_with_the_next_request(world: _World) -> None:
    await world.define("reader", "records.read", "tenant.read")
    reader = await world.member("reader", mfa=False)
    assert (await reader.principal()).permissions == {"records.read", "tenant.read"}
    await world.define("reader", "tenant.read")
    assert (await reader.principal()).permissions == {"tenant.read"}
    members, by = world.services.access.members, await world.owner.principal()
    with pytest.raises(Conflict, match="1 members"):
        await world.act(members.delete_role, "reader", by=by)
    await world.act(members.change_role, await reader.id(), "viewer", by=by)
    await world.act(members.delete_role, "reader", by=by)
    with pytest.raises(NotFound):
        await world.act(members.delete_role, "reader", by=by)


async def test_a_role_of_ones_own_cannot_hold_what_one_does_not(world: _World, administrator: Person) -> None:
    by = await administrator.principal()
    with pytest.raises(GrantRefused):
        await world.define("eraser", "subjects.erase", by=by)
    await world.define("wide", "subjects.erase", "tenant.read")
    with pytest.raises(GrantRefused):
        await world.define("wide", "tenant.read", by=by)
    viewer = await world.member("viewer", mfa=False)
    with pytest.raises(GrantRefused):
        await world.act(world.services.access.members.change_role, await viewer.id(), "wide", by=by)


@pytest.mark.parametrize(
    "name, permissions",
    [
        ("owner", ["tenant.read"]), ("Reader", ["tenant.read"]), ("r", ["tenant.read"]), ("re ader", ["tenant.read"]),
        ("reader\n", ["tenant.read"]), ("reader", []), ("reader", ["*"]), ("reader", ["tenants.read"]),
        ("reader", ["records:read"]),
    ],
)  # fmt: skip
async def test_a_role_has_a_name_of_its_own_and_permissions_of_a_tenant(
    world: _World, name: str, permissions: list[str]
) -> None:
    with pytest.raises(Invalid):
        await world.define(name, *permissions)


@pytest.mark.parametrize("plan", ["standard", "business"])
async def test_a_plan_without_own_roles_says_which_one_has_them(services: Services, plan: str) -> None:
    tenant = await create_tenant(services, plan=plan)
    with pytest.raises(NotInPlan) as refused:
        async with services.database.tenant(tenant.id) as tx:
            await services.access.members.define_role(
                tx, "reader", title="Reader", permissions=["records.read"], by=SYSTEM
            )
    told = "Roles of your own are available with the plan enterprise. Ask your provider to change the plan."
    assert str(refused.value) == told
    assert refused.value.code == "not_in_plan"


async def test_a_member_whose_role_is_gone_may_nothing_and_can_still_be_moved(world: _World) -> None:
    await world.define("passing", "records.read")
    person = await world.member("passing", mfa=False)
    await execute(
        world.services, "DELETE FROM tenant_roles WHERE tenant_id = %s AND name = 'passing'", (world.tenant.id,)
    )
    assert (await person.principal()).permissions == frozenset()
    members, by = world.services.access.members, await world.owner.principal()
    await world.act(members.change_role, await person.id(), "viewer", by=by)
    await person.sign_in()
    (await person.principal()).require("records.read")


async def test_a_role_of_the_same_name_in_another_tenant_is_another_role(world: _World, services: Services) -> None:
    other = await create_tenant(services, plan="enterprise")
    await world.define("shared", "records.read")
    async with services.database.tenant(other.id) as tx:
        await services.access.members.define_role(
            tx, "shared", title="Wide", permissions=sorted(TENANT_PERMISSIONS), by=SYSTEM
        )
    person = await world.member("shared", mfa=False)
    assert (await person.principal()).permissions == {"records.read"}


# --- more tenants than one ------------------------------------------------------------------------------------


async def test_a_person_who_is_disabled_in_one_tenant_goes_on_in_another(world: _World, services: Services) -> None:
    other = await create_tenant(services, "Other")
    person = await world.member("viewer")
    await join(services, person, other.id, "editor")
    account_id, by = await person.id(), await world.owner.principal()
    await world.act(services.access.members.disable, account_id, by=by)
    assert (await person.principal()).permissions == frozenset()
    async with services.database.operator() as tx:
        moved = await services.access.sessions.switch_tenant(tx, other.id, by=await person.principal())
    person.token = moved.token
    there = await person.principal()
    assert there.tenant_id == other.id
    there.require("records.create")
    with pytest.raises(NotFound):
        async with services.database.operator() as tx:
            await services.access.sessions.switch_tenant(tx, world.tenant.id, by=there)
    async with services.database.operator_read() as reader:
        assert [one.id for one in await services.access.sessions.own_tenants(reader, by=there)] == [other.id]


async def test_factors_of_somebody_with_two_tenants_are_not_one_tenants_to_reset(
    world: _World, services: Services
) -> None:
    other = await create_tenant(services, "Other")
    person = await world.member("viewer")
    await join(services, person, other.id)
    account_id, by = await person.id(), await world.owner.principal()
    with pytest.raises(Forbidden, match="another tenant"):
        await world.reset(account_id, by)
    await execute(
        services, "UPDATE memberships SET state = 'disabled' WHERE tenant_id = %s AND account_id = %s",
        (other.id, account_id),
    )  # fmt: skip
    with pytest.raises(Forbidden, match="another tenant"):
        await world.reset(account_id, by)
    async with services.database.tenant(other.id) as tx:
        await services.access.members.remove(tx, account_id, by=SYSTEM)
    await world.reset(account_id, by)
    assert person.recovery_codes
    person.totp = ""
    await person.sign_in()
    (await person.principal()).require("records.read")


async def test_a_member_of_another_tenant_is_nobody_here(world: _World) -> None:
    members, by, account_id = world.services.access.members, await world.owner.principal(), await world.stranger.id()
    for attempt in (
        lambda: world.act(members.change_role, account_id, "viewer", by=by),
        lambda: world.act(members.disable, account_id, by=by),
        lambda: world.act(members.enable, account_id, by=by),
        lambda: world.act(members.remove, account_id, by=by),
        lambda: world.reset(account_id, by),
    ):
        with pytest.raises(NotFound):
            await attempt()
    async with world.services.database.tenant_read(world.tenant.id) as reader:
        with pytest.raises(NotFound):
            await members.get(reader, account_id)
        listed = await members.page(reader, search=world.stranger.email)
    assert listed == []
    with pytest.raises(NotFound):
        async with world.services.database.operator() as tx:
            await world.services.access.sessions.switch_tenant(tx, (await world.stranger.principal()).tenant, by=by)


async def test_a_membership_that_was_read_elsewhere_does_not_open_another_tenant(world: _World) -> None:
    """The verb takes what its caller has read: that has to be of the tenant named."""
    stranger = await world.stranger.principal()
    async with world.services.database.tenant_read(stranger.tenant) as reader:
        theirs: Membership = await world.services.access.members.get(reader, stranger.account_id)
    with pytest.raises(Forbidden):
        async with world.services.database.operator() as tx:
            await world.services.access.members.reset_factors(
                tx, theirs, tenant=world.tenant.id, reason=REASON, by=await world.owner.principal()
            )


async def test_a_tenant_that_ends_leaves_its_members_reading_and_what_a_claim_needs(services: Services) -> None:
    tenant = await create_tenant(services)
    owner = await make_member(services, tenant.id)
    async with services.database.operator() as tx:
        await services.tenants.move(tx, tenant.id, to=TenantState.TERMINATING, by=SYSTEM)
    assert (await owner.principal()).permissions == TENANT_CLOSING
    async with services.database.operator() as tx:
        await services.tenants.move(tx, tenant.id, to=TenantState.TERMINATED, by=SYSTEM)
    assert (await owner.principal()).permissions == frozenset()
