"""The operator's people: who they are, their roles, invitations, privileges, the sealed account."""

from datetime import UTC, datetime
from typing import Any

from litestar import Response, get, post
from litestar.response import Template

from bailee.access.accounts import Accounts
from bailee.access.api.common import Address, id_of
from bailee.access.break_glass import BreakGlass
from bailee.access.grants import REPORT_DAYS, Grants
from bailee.access.invitations import Invitations
from bailee.access.model import AccountKind
from bailee.access.pages.common import Search, search_of
from bailee.access.permissions import STAFF_ROLES
from bailee.access.sessions import Sessions
from bailee.foundation.database import Database
from bailee.foundation.errors import Error, FieldError, Invalid, NotFound
from bailee.foundation.http import Cursor, decode_id_cursor, page_of, requires
from bailee.foundation.pages import EMPTY, PAGE_ROWS, Form, page, see
from bailee.foundation.principal import Principal
from bailee.tenants.api import tenant_id_of
from bailee.tenants.model import Tenant
from bailee.tenants.service import Tenants

_NOTICES = {
    "disable": "The account is disabled, and its sessions have ended.",
    "enable": "The account is active again.",
    "off_board": "The account is off-boarded: its sessions, factors, password and roles are gone.",
    "reset": "The second factors are gone, and the person is told by mail how to enrol a new one.",
    "sessions": "Every session of this account has ended.",
    "granted": "The role is granted.",
    "withdrawn": "The role is withdrawn.",
    "invited": "The invitation is on its way by mail.",
    "uninvited": "The invitation is withdrawn; its link opens nothing any more.",
}
STANDING = {name: role.title for name, role in STAFF_ROLES.items() if not role.elevation_only}


# --- people -------------------------------------------------------------------------------------------


@get("/staff", **requires("accounts.read"))
async def list_staff(
    database: Database, accounts: Accounts, principal: Principal, search: Search = "", cursor: Cursor = None
) -> Template:
    search = search_of(search)
    async with database.operator_read() as tx:
        rows = await accounts.page(
            tx, kind=AccountKind.STAFF, search=search, after=decode_id_cursor(cursor), limit=PAGE_ROWS + 1
        )
    found = page_of(rows, PAGE_ROWS, lambda account: account.id)
    return page("staff_list.html", principal, staff=found, search=search, later=cursor is not None)


@get("/staff/{account:str}", **requires("accounts.read"))
async def show_staff(
    database: Database, accounts: Accounts, grants: Grants, account: str, principal: Principal, done: str = ""
) -> Template:
    return await _shown(database, accounts, grants, account, principal, notice=_NOTICES.get(done, ""))


@post("/staff/{account:str}/roles", **requires("roles.grant", step_up=True))
async def grant_role(
    database: Database, accounts: Accounts, grants: Grants, account: str, form: Form, principal: Principal
) -> Response[Any]:
    try:
        async with database.operator() as tx:
            await grants.grant(tx, id_of(account), form.text("role"), by=principal)
    except Error as error:
        return await _shown(database, accounts, grants, account, principal, form=form, error=error)
    return see(f"/staff/{account}?done=granted")


@post("/staff/{account:str}/roles/{role:str}/withdraw", **requires("roles.withdraw", step_up=True))
async def withdraw_role(
    database: Database, accounts: Accounts, grants: Grants, account: str, role: str, principal: Principal
) -> Response[Any]:
    try:
        async with database.operator() as tx:
            await grants.withdraw(tx, id_of(account), role, by=principal)
    except Error as error:
        return await _shown(database, accounts, grants, account, principal, error=error)
    return see(f"/staff/{account}?done=withdrawn")


@post("/staff/{account:str}/disable", **requires("accounts.disable"))
async def disable(
    database: Database, accounts: Accounts, grants: Grants, account: str, principal: Principal
) -> Response[Any]:
    try:
        async with database.operator() as tx:
            await accounts.disable(tx, id_of(account), by=principal)
    except Error as error:
        return await _shown(database, accounts, grants, account, principal, error=error)
    return see(f"/staff/{account}?done=disable")


@post("/staff/{account:str}/enable", **requires("accounts.enable", step_up=True))
async def enable(
    database: Database, accounts: Accounts, grants: Grants, account: str, principal: Principal
) -> Response[Any]:
    try:
        async with database.operator() as tx:
            await accounts.enable(tx, id_of(account), by=principal)
    except Error as error:
        return await _shown(database, accounts, grants, account, principal, error=error)
    return see(f"/staff/{account}?done=enable")


@post("/staff/{account:str}/off-board", **requires("accounts.off_board", step_up=True))
async def off_board(
    database: Database, accounts: Accounts, grants: Grants, account: str, form: Form, principal: Principal
) -> Response[Any]:
    """Asked for with the person's address: there is no way back but a new invitation."""
    try:
        async with database.operator() as tx:
            found = await accounts.get_person(tx, id_of(account))
            verify_typed(form, found.email)
            await accounts.off_board(tx, found.id, by=principal)
    except Error as error:
        return await _shown(database, accounts, grants, account, principal, error=error)
    return see(f"/staff/{account}?done=off_board")


@post("/staff/{account:str}/reset-factors", **requires("accounts.reset_factors", step_up=True))
async def reset_factors(
    database: Database, accounts: Accounts, grants: Grants, account: str, form: Form, principal: Principal
) -> Response[Any]:
    try:
        async with database.operator() as tx:
            link = await accounts.reset_factors(tx, id_of(account), reason=form.text("reason"), by=principal)
    except Error as error:
        return await _shown(database, accounts, grants, account, principal, form=form, error=error)
    if link is not None:
        return page("link_shown.html", principal, link=link, onward=f"/staff/{account}", here="/staff")
    return see(f"/staff/{account}?done=reset")


@post("/staff/{account:str}/end-sessions", **requires("sessions.end"))
async def end_sessions(database: Database, sessions: Sessions, account: str, principal: Principal) -> Response[Any]:
    async with database.operator() as tx:
        await sessions.end_all(tx, id_of(account), by=principal)
    return see(f"/staff/{account}?done=sessions")


# --- customers' people --------------------------------------------------------------------------------


@get("/people", **requires("accounts.read"))
async def find_person(
    database: Database, accounts: Accounts, principal: Principal, email: Address = ""
) -> Response[Any]:  # fmt: skip
    """By the whole address: staff help those who ask, and browse nobody."""
    email, error = search_of(email), None
    if email:
        try:
            async with database.operator_read() as tx:
                return see(f"/staff/{(await accounts.find_person(tx, email)).id}")
        except NotFound as fault:
            error = fault
    found: Response[Any] = page("people.html", principal, email=email, error=error)
    return found


# --- invitations --------------------------------------------------------------------------------------


@get("/staff/invitations", **requires("accounts.read"))
async def list_invitations(
    database: Database, invitations: Invitations, principal: Principal, cursor: Cursor = None, done: str = ""
) -> Template:
    return await _invitations(database, invitations, principal, cursor=cursor, notice=_NOTICES.get(done, ""))


@post("/staff/invitations", **requires("accounts.invite", step_up=True))
async def invite(database: Database, invitations: Invitations, form: Form, principal: Principal) -> Response[Any]:
    try:
        async with database.operator() as tx:
            sent = await invitations.invite_staff(
                tx, email=form.text("email"), name=form.text("name"), roles=form.all("roles"), by=principal
            )
    except Error as error:
        return await _invitations(database, invitations, principal, form=form, error=error)
    if sent.link is not None:
        return page("link_shown.html", principal, link=sent.link, onward="/staff/invitations", here="/staff")
    return see("/staff/invitations?done=invited")


@post("/staff/invitations/{invitation:str}/withdraw", **requires("accounts.withdraw_invitation"))
async def withdraw_invitation(
    database: Database, invitations: Invitations, invitation: str, principal: Principal
) -> Response[Any]:
    try:
        async with database.operator() as tx:
            await invitations.withdraw_staff(tx, id_of(invitation), by=principal)
    except Error as error:
        return await _invitations(database, invitations, principal, error=error)
    return see("/staff/invitations?done=uninvited")


@get("/tenants/{tenant:str}/owner", **requires("tenants.invite_owner"))
async def owner_form(
    database: Database, tenants: Tenants, tenant: str, principal: Principal, done: str = ""
) -> Template:
    found = await _tenant(database, tenants, tenant)
    return page("tenant_owner.html", principal, tenant=found, notice=_NOTICES.get(done, ""))


@post("/tenants/{tenant:str}/owner", **requires("tenants.invite_owner", step_up=True))
async def invite_owner(
    database: Database, tenants: Tenants, invitations: Invitations, tenant: str, form: Form, principal: Principal
) -> Response[Any]:
    found = await _tenant(database, tenants, tenant)
    at = f"/tenants/{found.id}/owner"
    try:
        async with database.tenant(found.id) as tx:
            sent = await invitations.invite_owner(tx, email=form.text("email"), name=form.text("name"), by=principal)
    except Error as error:
        return page("tenant_owner.html", principal, form=form, error=error, tenant=found, notice="")
    if sent.link is not None:
        return page("link_shown.html", principal, link=sent.link, onward=at, here="/tenants")
    return see(f"{at}?done=invited")


# --- privileges and the sealed account ----------------------------------------------------------------


@get("/privileges", **requires("privileges.report"))
async def report_privileges(database: Database, grants: Grants, principal: Principal) -> Template:
    """What is held and not used. Looking at it is recorded."""
    async with database.operator() as tx:
        people = await grants.report(tx, by=principal)
    return page("privileges.html", principal, people=people, days=REPORT_DAYS)


@get("/break-glass", **requires("accounts.read"))
async def show_break_glass(database: Database, break_glass: BreakGlass, principal: Principal) -> Template:
    async with database.operator_read() as tx:
        state = await break_glass.state(tx)
    shown = "missing" if not state.exists else "sealed" if state.sealed else "opened"
    return page("break_glass.html", principal, state=shown)


@post("/break-glass", **requires("break_glass.seal", step_up=True))
async def seal_break_glass(break_glass: BreakGlass, principal: Principal) -> Template:
    """Answers with what goes into the safe: a redirect would have to keep it somewhere."""
    return page("break_glass_sealed.html", principal, status=201, envelope=await break_glass.seal(by=principal))


# --- inside -------------------------------------------------------------------------------------------


def verify_typed(form: Form, wanted: str) -> None:
    """Raises Invalid unless what cannot be undone was confirmed by typing what it is about."""
    if form.text("confirm").strip() != wanted:
        message = "Enter the address exactly as it is shown above."
        raise Invalid("Nothing was changed.", errors=[FieldError("confirm", message)])


async def _shown(
    database: Database, accounts: Accounts, grants: Grants, account: str, principal: Principal, *,
    notice: str = "", form: Form = EMPTY, error: Error | None = None,
) -> Template:  # fmt: skip
    async with database.operator_read() as tx:
        found = await accounts.get_person(tx, id_of(account))
        held = await grants.all(tx, found.id)
    free = {name: title for name, title in STANDING.items() if name not in {grant.role for grant in held}}
    return page(
        "staff_show.html", principal, form=form, error=error, account=found, grants=held, free=free,
        titles={name: role.title for name, role in STAFF_ROLES.items()}, notice=notice,
        own=str(found.id) == principal.id,
    )  # fmt: skip


async def _invitations(
    database: Database, invitations: Invitations, principal: Principal, *, cursor: str | None = None,
    notice: str = "", form: Form = EMPTY, error: Error | None = None,
) -> Template:  # fmt: skip
    async with database.operator_read() as tx:
        rows = await invitations.of_staff(tx, before=decode_id_cursor(cursor), limit=PAGE_ROWS + 1)
    return page(
        "staff_invitations.html", principal, form=form, error=error, notice=notice, roles=STANDING,
        invitations=page_of(rows, PAGE_ROWS, lambda one: one.id), now=datetime.now(UTC), later=cursor is not None,
    )  # fmt: skip


async def _tenant(database: Database, tenants: Tenants, tenant: str) -> Tenant:
    async with database.operator_read() as tx:
        return await tenants.get(tx, tenant_id_of(tenant))


routes = [
    find_person, list_staff, list_invitations, show_staff, grant_role, withdraw_role, disable, enable, off_board,
    reset_factors,
    end_sessions, invite, withdraw_invitation, owner_form, invite_owner, report_privileges, show_break_glass,
    seal_break_glass,
]  # fmt: skip
