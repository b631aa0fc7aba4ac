"""The operator's people over REST: accounts, roles, elevations, access reviews, the sealed account."""

from datetime import datetime
from typing import Annotated

import msgspec
from litestar import Router, delete, get, post, put
from litestar.params import QueryParameter

from bailee.access.accounts import Accounts
from bailee.access.api.common import Address, Count, Email, Links, Short, Text, id_of
from bailee.access.break_glass import BreakGlass, BreakGlassState, SealedEnvelope
from bailee.access.elevations import Elevations
from bailee.access.grants import Grants, Privileges
from bailee.access.invitations import Invitations
from bailee.access.model import (
    Account,
    AccountKind,
    Elevation,
    Invitation,
    Review,
    ReviewItem,
    SentInvitation,
)
from bailee.access.permissions import STAFF_ROLES
from bailee.access.reviews import Reviews
from bailee.access.sessions import Sessions
from bailee.foundation.database import Database
from bailee.foundation.http import Cursor, Limit, Page, decode_id_cursor, page_of, problems, requires
from bailee.foundation.principal import Principal
from bailee.tenants.api import tenant_id_of
from bailee.tenants.service import Tenants

Search = Annotated[str, QueryParameter(name="search", max_length=200, description="Part of a name or an address.")]


class NewStaff(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody to invite."""

    email: Email
    name: Short
    roles: list[Short]


class NewOwner(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A customer's first person."""

    email: Email
    name: Short


class Reason(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why, in 10 to 500 characters."""

    reason: Text


class NewElevation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A role to hold for 5 to 480 minutes."""

    role: Short
    reason: Text
    minutes: int


class NewReview(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A campaign to open."""

    title: Short
    due_at: datetime


class StaffRole(msgspec.Struct, frozen=True):
    """A role of the operator's staff."""

    name: str
    title: str
    permissions: list[str]
    elevation_only: bool


# --- people -----------------------------------------------------------------------------------------


@get("/staff", summary="The operator's staff", operation_id="listStaff", responses=problems(),
     **requires("accounts.read"))  # fmt: skip
async def list_staff(
    database: Database, accounts: Accounts, limit: Limit = 100, cursor: Cursor = None, search: Search = ""
) -> Page[Account]:
    async with database.operator_read() as tx:
        rows = await accounts.page(
            tx,
            kind=AccountKind.STAFF,
            search=search.replace("\x00", ""),
            after=decode_id_cursor(cursor),
            limit=limit + 1,
        )
    return page_of(rows, limit, lambda account: account.id)


@get("/staff/{account:str}", summary="One of the staff, or a customer's person", operation_id="getStaff",
     responses=problems(), **requires("accounts.read"))  # fmt: skip
async def get_staff(database: Database, accounts: Accounts, account: str) -> Account:
    async with database.operator_read() as tx:
        return await accounts.get_person(tx, id_of(account))


@post("/staff/{account:str}/disable", summary="Shut somebody out at once", operation_id="disableStaff", status_code=200,
      responses=problems(409), **requires("accounts.disable"))  # fmt: skip
async def disable_staff(database: Database, accounts: Accounts, account: str, principal: Principal) -> Account:
    async with database.operator() as tx:
        return await accounts.disable(tx, id_of(account), by=principal)


@post("/staff/{account:str}/enable", summary="Let somebody in again", operation_id="enableStaff", status_code=200,
      responses=problems(409), **requires("accounts.enable", step_up=True))  # fmt: skip
async def enable_staff(database: Database, accounts: Accounts, account: str, principal: Principal) -> Account:
    async with database.operator() as tx:
        return await accounts.enable(tx, id_of(account), by=principal)


@post("/staff/{account:str}/off-board", summary="Somebody leaves: sessions, factors and roles are gone",
      operation_id="offBoardStaff", status_code=200, responses=problems(409),
      **requires("accounts.off_board", step_up=True))  # fmt: skip
async def off_board_staff(database: Database, accounts: Accounts, account: str, principal: Principal) -> Account:
    async with database.operator() as tx:
        return await accounts.off_board(tx, id_of(account), by=principal)


@post("/staff/{account:str}/reset-factors", summary="Reset somebody's lost second factors",
      operation_id="resetStaffFactors", status_code=200, responses=problems(409),
      **requires("accounts.reset_factors", step_up=True))  # fmt: skip
async def reset_factors(
    database: Database, accounts: Accounts, account: str, data: Reason, principal: Principal
) -> Links:
    async with database.operator() as tx:
        return Links(await accounts.reset_factors(tx, id_of(account), reason=data.reason, by=principal))


@post("/staff/{account:str}/end-sessions", summary="End every session of somebody", operation_id="endStaffSessions",
      status_code=200, responses=problems(), **requires("sessions.end"))  # fmt: skip
async def end_sessions(database: Database, sessions: Sessions, account: str, principal: Principal) -> Count:
    async with database.operator() as tx:
        return Count(await sessions.end_all(tx, id_of(account), by=principal))


# --- customers' people -------------------------------------------------------------------------------


@get("/people", summary="A customer's person, by address", operation_id="findPerson", responses=problems(),
     **requires("accounts.read"))  # fmt: skip
async def find_person(database: Database, accounts: Accounts, email: Address) -> Account:
    async with database.operator_read() as tx:
        return await accounts.find_person(tx, email)


# --- invitations ------------------------------------------------------------------------------------


@get("/staff/invitations", summary="Invitations to the staff, newest first", operation_id="listStaffInvitations",
     responses=problems(), **requires("accounts.read"))  # fmt: skip
async def list_invitations(
    database: Database, invitations: Invitations, limit: Limit = 100, cursor: Cursor = None
) -> Page[Invitation]:
    async with database.operator_read() as tx:
        rows = await invitations.of_staff(tx, before=decode_id_cursor(cursor), limit=limit + 1)
    return page_of(rows, limit, lambda invitation: invitation.id)


@post("/staff/invitations", summary="Invite somebody to the staff", operation_id="inviteStaff", responses=problems(409),
      **requires("accounts.invite", step_up=True))  # fmt: skip
async def invite_staff(
    database: Database, invitations: Invitations, data: NewStaff, principal: Principal
) -> SentInvitation:
    async with database.operator() as tx:
        return await invitations.invite_staff(
            tx, email=data.email, name=data.name, roles=list(data.roles), by=principal
        )


@delete("/staff/invitations/{invitation:str}", summary="Withdraw an invitation", operation_id="withdrawStaffInvitation",
        responses=problems(409), **requires("accounts.withdraw_invitation"))  # fmt: skip
async def withdraw_invitation(
    database: Database, invitations: Invitations, invitation: str, principal: Principal
) -> None:
    async with database.operator() as tx:
        await invitations.withdraw_staff(tx, id_of(invitation), by=principal)


@post("/tenants/{tenant:str}/owner-invitation", summary="Invite a customer's first owner",
      operation_id="inviteTenantOwner", responses=problems(409),
      **requires("tenants.invite_owner", step_up=True))  # fmt: skip
async def invite_owner(
    database: Database, tenants: Tenants, invitations: Invitations, tenant: str, data: NewOwner, principal: Principal
) -> SentInvitation:
    async with database.operator_read() as operator:
        found = await tenants.get(operator, tenant_id_of(tenant))
    async with database.tenant(found.id) as tx:
        return await invitations.invite_owner(tx, email=data.email, name=data.name, by=principal)


# --- roles ------------------------------------------------------------------------------------------


@get("/staff/roles", summary="The roles of staff", operation_id="listStaffRoles", responses=problems(),
     **requires("elevations.request"))  # fmt: skip
async def list_roles() -> list[StaffRole]:
    return [
        StaffRole(name, role.title, sorted(role.permissions), role.elevation_only) for name, role in STAFF_ROLES.items()
    ]


@put("/staff/{account:str}/roles/{role:str}", summary="Grant a role", operation_id="grantRole", status_code=204,
     responses=problems(409), **requires("roles.grant", step_up=True))  # fmt: skip
async def grant_role(database: Database, grants: Grants, account: str, role: str, principal: Principal) -> None:
    async with database.operator() as tx:
        await grants.grant(tx, id_of(account), role, by=principal)


@delete("/staff/{account:str}/roles/{role:str}", summary="Withdraw a role", operation_id="withdrawRole",
        responses=problems(409), **requires("roles.withdraw", step_up=True))  # fmt: skip
async def withdraw_role(database: Database, grants: Grants, account: str, role: str, principal: Principal) -> None:
    async with database.operator() as tx:
        await grants.withdraw(tx, id_of(account), role, by=principal)


@get("/staff/privileges", summary="Permissions held and not used in 90 days", operation_id="reportPrivileges",
     responses=problems(), **requires("privileges.report"))  # fmt: skip
async def report_privileges(database: Database, grants: Grants, principal: Principal) -> list[Privileges]:
    async with database.operator() as tx:
        return await grants.report(tx, by=principal)


# --- elevations -------------------------------------------------------------------------------------


@get("/elevations", summary="Elevations, newest first", operation_id="listElevations", responses=problems(),
     **requires("elevations.request"))  # fmt: skip
async def list_elevations(
    database: Database, elevations: Elevations, limit: Limit = 100, cursor: Cursor = None
) -> Page[Elevation]:
    async with database.operator_read() as tx:
        rows = await elevations.page(tx, before=decode_id_cursor(cursor), limit=limit + 1)
    return page_of(rows, limit, lambda elevation: elevation.id)


@post("/elevations", summary="Ask for a role for a time", operation_id="requestElevation", responses=problems(409),
      **requires("elevations.request", step_up=True))  # fmt: skip
async def request_elevation(
    database: Database, elevations: Elevations, data: NewElevation, principal: Principal
) -> Elevation:
    async with database.operator() as tx:
        return await elevations.request(tx, role=data.role, reason=data.reason, minutes=data.minutes, by=principal)


@post("/elevations/{elevation:str}/approve", summary="Approve somebody's elevation", operation_id="approveElevation",
      status_code=200, responses=problems(409), **requires("elevations.decide", step_up=True))  # fmt: skip
async def approve_elevation(
    database: Database, elevations: Elevations, elevation: str, principal: Principal
) -> Elevation:
    async with database.operator() as tx:
        return await elevations.decide(tx, id_of(elevation), approve=True, by=principal)


@post("/elevations/{elevation:str}/refuse", summary="Refuse somebody's elevation", operation_id="refuseElevation",
      status_code=200, responses=problems(409), **requires("elevations.decide", step_up=True))  # fmt: skip
async def refuse_elevation(
    database: Database, elevations: Elevations, elevation: str, principal: Principal
) -> Elevation:
    async with database.operator() as tx:
        return await elevations.decide(tx, id_of(elevation), approve=False, by=principal)


@post("/elevations/{elevation:str}/end", summary="End an elevation, or take a request back",
      operation_id="endElevation", status_code=200, responses=problems(409), **requires("elevations.end"))  # fmt: skip
async def end_elevation(database: Database, elevations: Elevations, elevation: str, principal: Principal) -> Elevation:
    async with database.operator() as tx:
        return await elevations.end(tx, id_of(elevation), by=principal)


# --- access reviews ---------------------------------------------------------------------------------


@get("/reviews", summary="Access reviews, newest first", operation_id="listReviews", responses=problems(),
     **requires("reviews.decide"))  # fmt: skip
async def list_reviews(database: Database, reviews: Reviews, limit: Limit = 100, cursor: Cursor = None) -> Page[Review]:
    async with database.operator_read() as tx:
        rows = await reviews.page(tx, before=decode_id_cursor(cursor), limit=limit + 1)
    return page_of(rows, limit, lambda review: review.id)


@post("/reviews", summary="Open an access review", operation_id="openReview", responses=problems(409),
      **requires("reviews.open", step_up=True))  # fmt: skip
async def open_review(database: Database, reviews: Reviews, data: NewReview, principal: Principal) -> Review:
    async with database.operator() as tx:
        return await reviews.open(tx, title=data.title, due_at=data.due_at, by=principal)


@get("/reviews/{review:str}/items", summary="What a review is about: all of it, or the caller's part",
     operation_id="listReviewItems", responses=problems(), **requires("reviews.decide"))  # fmt: skip
async def list_items(database: Database, reviews: Reviews, review: str, principal: Principal) -> list[ReviewItem]:
    async with database.operator_read() as tx:
        items = await reviews.items(tx, id_of(review))
    everything = principal.may("reviews.read")
    return [item for item in items if everything or item.reviewer_id == principal.account_id]


@post("/reviews/{review:str}/items/{item:str}/confirm", summary="Confirm a role", operation_id="confirmReviewItem",
      status_code=200, responses=problems(409), **requires("reviews.decide"))  # fmt: skip
async def confirm_item(
    database: Database, reviews: Reviews, review: str, item: str, principal: Principal
) -> ReviewItem:
    async with database.operator() as tx:
        return await reviews.decide(tx, id_of(review), id_of(item), confirm=True, by=principal)


@post("/reviews/{review:str}/items/{item:str}/revoke", summary="Revoke a role", operation_id="revokeReviewItem",
      status_code=200, responses=problems(409), **requires("reviews.decide", step_up=True))  # fmt: skip
async def revoke_item(database: Database, reviews: Reviews, review: str, item: str, principal: Principal) -> ReviewItem:
    async with database.operator() as tx:
        return await reviews.decide(tx, id_of(review), id_of(item), confirm=False, by=principal)


@post("/reviews/{review:str}/close", summary="End a review: what is not confirmed is revoked",
      operation_id="closeReview", status_code=200, responses=problems(409),
      **requires("reviews.close", step_up=True))  # fmt: skip
async def close_review(database: Database, reviews: Reviews, review: str, principal: Principal) -> Review:
    async with database.operator() as tx:
        return await reviews.close(tx, id_of(review), by=principal)


# --- the sealed account -----------------------------------------------------------------------------


@get("/break-glass", summary="Whether the emergency account is sealed", operation_id="getBreakGlass",
     responses=problems(), **requires("accounts.read"))  # fmt: skip
async def get_break_glass(database: Database, break_glass: BreakGlass) -> BreakGlassState:
    async with database.operator_read() as tx:
        return await break_glass.state(tx)


@post("/break-glass/seal", summary="Seal the emergency account anew; its credentials are shown once",
      operation_id="sealBreakGlass", responses=problems(),
      **requires("break_glass.seal", step_up=True))  # fmt: skip
async def seal_break_glass(break_glass: BreakGlass, principal: Principal) -> SealedEnvelope:
    return await break_glass.seal(by=principal)


router = Router(
    "/",
    route_handlers=[
        find_person, list_staff, list_invitations, list_roles, report_privileges, get_staff, disable_staff,
        enable_staff, off_board_staff, reset_factors, end_sessions, invite_staff, withdraw_invitation, invite_owner,
        grant_role, withdraw_role, list_elevations, request_elevation, approve_elevation, refuse_elevation,
        end_elevation, list_reviews, open_review, list_items, confirm_item, revoke_item, close_review, get_break_glass,
        seal_break_glass,
    ],
    tags=["Access"],
)  # fmt: skip
