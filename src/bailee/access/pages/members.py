"""A tenant's members, for those of them who look after the others."""

from datetime import UTC, datetime
from typing import Any

from litestar import Response, get, post
from litestar.response import Template

from bailee.access.accounts import Accounts
from bailee.access.api.common import id_of
from bailee.access.invitations import Invitations
from bailee.access.members import Members
from bailee.access.pages.common import Search, search_of
from bailee.access.pages.staff import verify_typed
from bailee.foundation.database import Database
from bailee.foundation.errors import Error
from bailee.foundation.http import Cursor, decode_id_cursor, page_of, requires
from bailee.foundation.pages import EMPTY, PAGE_ROWS, Form, page, see
from bailee.foundation.principal import Principal

_NOTICES = {
    "role": "The member has another role now.",
    "disable": "The member is shut out of this tenant.",
    "enable": "The member can work here again.",
    "removed": "The membership has ended.",
    "reset": "The second factors are gone. The member was told by mail, and signs in with the password to enrol anew.",
    "invited": "The invitation is on its way by mail.",
    "uninvited": "The invitation is withdrawn; its link opens nothing any more.",
}


@get("/members", **requires("members.read"))
async def list_members(
    database: Database, members: Members, accounts: Accounts, principal: Principal, search: Search = "",
    cursor: Cursor = None, done: str = "",
) -> Template:  # fmt: skip
    search = search_of(search)
    async with database.tenant_read(principal.tenant) as tx:
        rows = await members.page(tx, search=search, after=decode_id_cursor(cursor), limit=PAGE_ROWS + 1)
        titles = {role.name: role.title for role in await members.roles(tx)}
    found = page_of(rows, PAGE_ROWS, lambda member: member.account_id)
    async with database.operator_read() as operator:
        unused = await accounts.unused(operator, [member.account_id for member in found.items])
    return page(
        "members_list.html", principal, members=found, titles=titles, search=search, later=cursor is not None,
        unused=unused, notice=_NOTICES.get(done, ""),
    )  # fmt: skip


@get("/members/{account:str}", **requires("members.read"))
async def show_member(
    database: Database, members: Members, account: str, principal: Principal, done: str = ""
) -> Template:
    return await _shown(database, members, account, principal, notice=_NOTICES.get(done, ""))


@post("/members/{account:str}/role", **requires("members.change_role", step_up=True))
async def change_role(
    database: Database, members: Members, account: str, form: Form, principal: Principal
) -> Response[Any]:
    try:
        async with database.tenant(principal.tenant) as tx:
            await members.change_role(tx, id_of(account), form.text("role"), by=principal)
    except Error as error:
        return await _shown(database, members, account, principal, form=form, error=error)
    return see(f"/members/{account}?done=role")


@post("/members/{account:str}/disable", **requires("members.disable"))
async def disable_member(database: Database, members: Members, account: str, principal: Principal) -> Response[Any]:
    try:
        async with database.tenant(principal.tenant) as tx:
            await members.disable(tx, id_of(account), by=principal)
    except Error as error:
        return await _shown(database, members, account, principal, error=error)
    return see(f"/members/{account}?done=disable")


@post("/members/{account:str}/enable", **requires("members.enable", step_up=True))
async def enable_member(database: Database, members: Members, account: str, principal: Principal) -> Response[Any]:
    try:
        async with database.tenant(principal.tenant) as tx:
            await members.enable(tx, id_of(account), by=principal)
    except Error as error:
        return await _shown(database, members, account, principal, error=error)
    return see(f"/members/{account}?done=enable")


@post("/members/{account:str}/remove", **requires("members.remove"))
async def remove_member(
    database: Database, members: Members, account: str, form: Form, principal: Principal
) -> Response[Any]:
    try:
        async with database.tenant(principal.tenant) as tx:
            found = await members.get(tx, id_of(account))
            verify_typed(form, found.email)
            await members.remove(tx, found.account_id, by=principal)
    except Error as error:
        return await _shown(database, members, account, principal, error=error)
    return see("/members?done=removed")


@post("/members/{account:str}/reset-factors", **requires("members.reset_factors", step_up=True))
async def reset_factors(
    database: Database, members: Members, account: str, form: Form, principal: Principal
) -> Response[Any]:
    async with database.tenant_read(principal.tenant) as reader:
        found = await members.get(reader, id_of(account))
    try:
        async with database.operator() as tx:
            await members.reset_factors(tx, found, tenant=principal.tenant, reason=form.text("reason"), by=principal)
    except Error as error:
        return await _shown(database, members, account, principal, form=form, error=error)
    return see(f"/members/{account}?done=reset")


# --- invitations --------------------------------------------------------------------------------------


@get("/members/invitations", **requires("members.read"))
async def list_invitations(
    database: Database, members: Members, invitations: Invitations, principal: Principal, cursor: Cursor = None,
    done: str = "",
) -> Template:  # fmt: skip
    return await _invitations(database, members, invitations, principal, cursor=cursor, notice=_NOTICES.get(done, ""))


@post("/members/invitations", **requires("members.invite", step_up=True))
async def invite(
    database: Database, members: Members, invitations: Invitations, form: Form, principal: Principal
) -> Response[Any]:
    try:
        async with database.tenant(principal.tenant) as tx:
            sent = await invitations.invite_member(
                tx, email=form.text("email"), name=form.text("name"), role=form.text("role"), by=principal
            )
    except Error as error:
        return await _invitations(database, members, invitations, principal, form=form, error=error)
    if sent.link is not None:
        return page("link_shown.html", principal, link=sent.link, onward="/members/invitations", here="/members")
    return see("/members/invitations?done=invited")


@post("/members/invitations/{invitation:str}/withdraw", **requires("members.withdraw_invitation"))
async def withdraw_invitation(
    database: Database, members: Members, invitations: Invitations, invitation: str, principal: Principal
) -> Response[Any]:
    try:
        async with database.tenant(principal.tenant) as tx:
            await invitations.withdraw_member(tx, id_of(invitation), by=principal)
    except Error as error:
        return await _invitations(database, members, invitations, principal, error=error)
    return see("/members/invitations?done=uninvited")


# --- inside -------------------------------------------------------------------------------------------


async def _shown(
    database: Database, members: Members, account: str, principal: Principal, *,
    notice: str = "", form: Form | None = None, error: Error | None = None,
) -> Template:  # fmt: skip
    async with database.tenant_read(principal.tenant) as tx:
        found = await members.get(tx, id_of(account))
        titles = {role.name: role.title for role in await members.roles(tx)}
    return page(
        "members_show.html", principal, form=form or Form({"role": [found.role]}), error=error, member=found,
        titles=titles, notice=notice, own=str(found.account_id) == principal.id,
    )  # fmt: skip


async def _invitations(
    database: Database, members: Members, invitations: Invitations, principal: Principal, *,
    cursor: str | None = None, notice: str = "", form: Form = EMPTY, error: Error | None = None,
) -> Template:  # fmt: skip
    async with database.tenant_read(principal.tenant) as tx:
        rows = await invitations.of_members(tx, before=decode_id_cursor(cursor), limit=PAGE_ROWS + 1)
        titles = {role.name: role.title for role in await members.roles(tx)}
    return page(
        "members_invitations.html", principal, form=form, error=error, notice=notice, titles=titles,
        invitations=page_of(rows, PAGE_ROWS, lambda one: one.id), now=datetime.now(UTC), later=cursor is not None,
    )  # fmt: skip


routes = [
    list_members, list_invitations, show_member, change_role, disable_member, enable_member, remove_member,
    reset_factors, invite, withdraw_invitation,
]  # fmt: skip
