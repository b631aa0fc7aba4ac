"""A tenant's own people over REST: members, invitations, roles, policy."""

from typing import Annotated

import msgspec
from litestar import Router, delete, get, post, put
from litestar.params import QueryParameter

from bailee.access.api.common import Email, Short, Text, id_of
from bailee.access.api.staff import Reason
from bailee.access.invitations import Invitations
from bailee.access.members import Members
from bailee.access.model import Invitation, Membership, SentInvitation, TenantPolicy, TenantRole
from bailee.access.policy import FEATURES, Policies
from bailee.foundation.database import Database
from bailee.foundation.http import Cursor, Limit, Page, decode_id_cursor, page_of, problems, requires
from bailee.foundation.principal import Principal
from bailee.tenants.model import PLANS
from bailee.tenants.service import Tenants

Search = Annotated[str, QueryParameter(name="search", max_length=200, description="Part of a name or an address.")]


class NewMember(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody to invite."""

    email: Email
    name: Short
    role: Short


class RoleChoice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The role to have."""

    role: Short


class RoleDefinition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A role of the tenant's own."""

    title: Short
    permissions: list[Text]


class WantedPolicy(TenantPolicy, frozen=True, forbid_unknown_fields=True):
    """The policy to put in force; `version` is the one that was seen."""


class PolicyView(TenantPolicy, frozen=True, kw_only=True):
    """What is in force, and which demands the plan includes; for the others, the plans that do."""

    included: list[str]
    available_with: dict[str, list[str]]


def shown(policy: TenantPolicy, features: frozenset[str]) -> PolicyView:
    """A policy with what the plan says to each of its demands."""
    included = [field for field, (feature, _what) in FEATURES.items() if feature in features]
    lacking = {
        field: [plan for plan, parts in PLANS.items() if feature in parts]
        for field, (feature, _what) in FEATURES.items()
        if feature not in features
    }
    return PolicyView(**msgspec.structs.asdict(policy), included=included, available_with=lacking)


@get("/members", summary="The tenant's members", operation_id="listMembers", responses=problems(),
     **requires("members.read"))  # fmt: skip
async def list_members(
    database: Database, members: Members, principal: Principal, limit: Limit = 100, cursor: Cursor = None,
    search: Search = "",
) -> Page[Membership]:  # fmt: skip
    async with database.tenant_read(principal.tenant) as tx:
        rows = await members.page(
            tx, search=search.replace("\x00", ""), after=decode_id_cursor(cursor), limit=limit + 1
        )
    return page_of(rows, limit, lambda member: member.account_id)


@get("/members/{account:str}", summary="One member", operation_id="getMember", responses=problems(),
     **requires("members.read"))  # fmt: skip
async def get_member(database: Database, members: Members, account: str, principal: Principal) -> Membership:
    async with database.tenant_read(principal.tenant) as tx:
        return await members.get(tx, id_of(account))


@post("/members/{account:str}/role", summary="Give a member another role", operation_id="changeMemberRole",
      status_code=200, responses=problems(409), **requires("members.change_role", step_up=True))  # fmt: skip
async def change_role(
    database: Database, members: Members, account: str, data: RoleChoice, principal: Principal
) -> Membership:
    async with database.tenant(principal.tenant) as tx:
        return await members.change_role(tx, id_of(account), data.role, by=principal)


@post("/members/{account:str}/disable", summary="Shut a member out at once", operation_id="disableMember",
      status_code=200, responses=problems(409), **requires("members.disable"))  # fmt: skip
async def disable_member(database: Database, members: Members, account: str, principal: Principal) -> Membership:
    async with database.tenant(principal.tenant) as tx:
        return await members.disable(tx, id_of(account), by=principal)


@post("/members/{account:str}/enable", summary="Let a member in again", operation_id="enableMember", status_code=200,
      responses=problems(409), **requires("members.enable", step_up=True))  # fmt: skip
async def enable_member(database: Database, members: Members, account: str, principal: Principal) -> Membership:
    async with database.tenant(principal.tenant) as tx:
        return await members.enable(tx, id_of(account), by=principal)


@delete("/members/{account:str}", summary="End a membership", operation_id="removeMember", responses=problems(409),
        **requires("members.remove"))  # fmt: skip
async def remove_member(database: Database, members: Members, account: str, principal: Principal) -> None:
    async with database.tenant(principal.tenant) as tx:
        await members.remove(tx, id_of(account), by=principal)


@post("/members/{account:str}/reset-factors", summary="Reset a member's lost second factors",
      operation_id="resetMemberFactors", status_code=204, responses=problems(409),
      **requires("members.reset_factors", step_up=True))  # fmt: skip
async def reset_member_factors(
    database: Database, members: Members, account: str, data: Reason, principal: Principal
) -> None:
    async with database.tenant_read(principal.tenant) as reader:
        member = await members.get(reader, id_of(account))
    async with database.operator() as tx:
        await members.reset_factors(tx, member, tenant=principal.tenant, reason=data.reason, by=principal)


@get("/members/invitations", summary="Invitations, newest first", operation_id="listInvitations", responses=problems(),
     **requires("members.read"))  # fmt: skip
async def list_invitations(
    database: Database, invitations: Invitations, principal: Principal, limit: Limit = 100, cursor: Cursor = None
) -> Page[Invitation]:
    async with database.tenant_read(principal.tenant) as tx:
        rows = await invitations.of_members(tx, before=decode_id_cursor(cursor), limit=limit + 1)
    return page_of(rows, limit, lambda invitation: invitation.id)


@post("/members/invitations", summary="Invite somebody", operation_id="inviteMember", responses=problems(409),
      **requires("members.invite", step_up=True))  # fmt: skip
async def invite_member(
    database: Database, invitations: Invitations, data: NewMember, principal: Principal
) -> SentInvitation:
    async with database.tenant(principal.tenant) as tx:
        return await invitations.invite_member(tx, email=data.email, name=data.name, role=data.role, by=principal)


@delete("/members/invitations/{invitation:str}", summary="Withdraw an invitation", operation_id="withdrawInvitation",
        responses=problems(409), **requires("members.withdraw_invitation"))  # fmt: skip
async def withdraw_invitation(
    database: Database, invitations: Invitations, invitation: str, principal: Principal
) -> None:
    async with database.tenant(principal.tenant) as tx:
        await invitations.withdraw_member(tx, id_of(invitation), by=principal)


@get("/roles", summary="The roles that members can have", operation_id="listRoles", responses=problems(),
     **requires("roles.read"))  # fmt: skip
async def list_roles(database: Database, members: Members, principal: Principal) -> list[TenantRole]:
    async with database.tenant_read(principal.tenant) as tx:
        return await members.roles(tx)


@put("/roles/{role:str}", summary="Define a role of the tenant's own", operation_id="defineRole",
     responses=problems(409), **requires("roles.define", step_up=True))  # fmt: skip
async def define_role(
    database: Database, members: Members, role: str, data: RoleDefinition, principal: Principal
) -> TenantRole:
    async with database.tenant(principal.tenant) as tx:
        return await members.define_role(tx, role, title=data.title, permissions=list(data.permissions), by=principal)


@delete("/roles/{role:str}", summary="Delete a role of the tenant's own", operation_id="deleteRole",
        responses=problems(409), **requires("roles.delete", step_up=True))  # fmt: skip
async def delete_role(database: Database, members: Members, role: str, principal: Principal) -> None:
    async with database.tenant(principal.tenant) as tx:
        await members.delete_role(tx, role, by=principal)


@get("/policy", summary="What the tenant demands of its members", operation_id="getPolicy", responses=problems(),
     **requires("policy.read"))  # fmt: skip
async def get_policy(database: Database, tenants: Tenants, policies: Policies, principal: Principal) -> PolicyView:
    async with database.tenant_read(principal.tenant) as tx:
        tenant = await tenants.get(tx, principal.tenant)
        return shown(await policies.get(tx, principal.tenant), tenant.features)


@put("/policy", summary="Put a policy in force", operation_id="changePolicy", responses=problems(409),
     **requires("policy.change", step_up=True))  # fmt: skip
async def change_policy(
    database: Database, tenants: Tenants, policies: Policies, data: WantedPolicy, principal: Principal
) -> PolicyView:
    wanted = TenantPolicy(**msgspec.structs.asdict(data))
    async with database.tenant(principal.tenant) as tx:
        tenant = await tenants.get(tx, principal.tenant)
        return shown(await policies.change(tx, wanted, by=principal), tenant.features)


router = Router(
    "/",
    route_handlers=[
        list_members, list_invitations, get_member, change_role, disable_member, enable_member, remove_member,
        reset_member_factors, invite_member, withdraw_invitation, list_roles, define_role, delete_role, get_policy,
        change_policy,
    ],
    tags=["Access"],
)  # fmt: skip
