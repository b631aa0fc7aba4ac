"""A tenant's roles and its policy: what its members may do, and what is asked of them."""

from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.response import Template

from bailee.access.api.members import shown
from bailee.access.members import Members
from bailee.access.model import TenantPolicy, TenantRole
from bailee.access.pages.common import number_of
from bailee.access.permissions import TENANT_PERMISSIONS
from bailee.access.policy import FEATURES, Policies
from bailee.foundation.database import Database
from bailee.foundation.errors import Error, NotFound
from bailee.foundation.http import requires
from bailee.foundation.pages import EMPTY, Form, page, see
from bailee.foundation.principal import Principal
from bailee.tenants.model import PLANS
from bailee.tenants.service import Tenants

_NOTICES = {
    "defined": "The role is saved; it counts from the next request of whoever has it.",
    "deleted": "The role is gone.",
    "policy": "The policy is in force.",
}
_CUSTOM = "custom_roles"


def grouped(permissions: frozenset[str]) -> dict[str, list[str]]:
    """Permissions by what they are about."""
    groups: dict[str, list[str]] = {}
    for permission in sorted(permissions):
        groups.setdefault(permission.partition(".")[0].replace("_", " "), []).append(permission)
    return groups


# --- roles --------------------------------------------------------------------------------------------


@get("/roles", **requires("roles.read"))
async def list_roles(
    database: Database, tenants: Tenants, members: Members, principal: Principal, done: str = ""
) -> Template:
    async with database.tenant_read(principal.tenant) as tx:
        roles = await members.roles(tx)
        included = _CUSTOM in (await tenants.get(tx, principal.tenant)).features
    return page(
        "roles_list.html", principal, roles=roles, included=included, plans=_plans_with(_CUSTOM),
        notice=_NOTICES.get(done, ""),
    )  # fmt: skip


@get("/roles/new", **requires("roles.define"))
async def new_role(principal: Principal) -> Template:
    return _editor(principal, None)


@post("/roles/new", **requires("roles.define", step_up=True))
async def create_role(database: Database, members: Members, form: Form, principal: Principal) -> Response[Any]:
    return await _define(database, members, form.text("name").strip(), None, form, principal)


@get("/roles/{role:str}", **requires("roles.read"))
async def show_role(database: Database, members: Members, role: str, principal: Principal) -> Template:
    found = await _role(database, members, role, principal)
    return _editor(principal, found, Form({"title": [found.title], "permissions": found.permissions}))


@post("/roles/{role:str}", **requires("roles.define", step_up=True))
async def change_role(
    database: Database, members: Members, role: str, form: Form, principal: Principal
) -> Response[Any]:
    found = await _role(database, members, role, principal)
    return await _define(database, members, found.name, found, form, principal)


@post("/roles/{role:str}/delete", **requires("roles.delete", step_up=True))
async def delete_role(database: Database, members: Members, role: str, principal: Principal) -> Response[Any]:
    found = await _role(database, members, role, principal)
    try:
        async with database.tenant(principal.tenant) as tx:
            await members.delete_role(tx, found.name, by=principal)
    except Error as error:
        return _editor(principal, found, Form({"title": [found.title], "permissions": found.permissions}), error)
    return see("/roles?done=deleted")


async def _define(
    database: Database, members: Members, name: str, there: TenantRole | None, form: Form, principal: Principal
) -> Response[Any]:
    try:
        async with database.tenant(principal.tenant) as tx:
            await members.define_role(
                tx, name, title=form.text("title"), permissions=form.all("permissions"), by=principal
            )
    except Error as error:
        return _editor(principal, there, form, error)
    return see("/roles?done=defined")


async def _role(database: Database, members: Members, name: str, principal: Principal) -> TenantRole:
    async with database.tenant_read(principal.tenant) as tx:
        for role in await members.roles(tx):
            if role.name == name:
                return role
    raise NotFound


def _editor(principal: Principal, role: TenantRole | None, form: Form = EMPTY, error: Error | None = None) -> Template:
    return page("roles_edit.html", principal, form=form, error=error, role=role, groups=grouped(TENANT_PERMISSIONS))


# --- policy -------------------------------------------------------------------------------------------


@get("/policy", **requires("policy.read"))
async def show_policy(
    database: Database, tenants: Tenants, policies: Policies, principal: Principal, done: str = ""
) -> Template:
    return await _policy(database, tenants, policies, principal, notice=_NOTICES.get(done, ""))


@post("/policy", **requires("policy.change", step_up=True))
async def change_policy(
    database: Database, tenants: Tenants, policies: Policies, form: Form, principal: Principal
) -> Response[Any]:
    try:
        async with database.tenant(principal.tenant) as tx:
            features = (await tenants.get(tx, principal.tenant)).features
            await policies.change(tx, _wanted(form, features), by=principal)
    except Error as error:
        return await _policy(database, tenants, policies, principal, form=form, error=error)
    return see("/policy?done=policy")


def _wanted(form: Form, features: frozenset[str]) -> TenantPolicy:
    """What the form asks for; what the plan lacks was not offered, and is as for every tenant. Raises Invalid."""
    numbers = ("min_password_length", "min_password_score", "session_hours", "idle_minutes")
    found: dict[str, Any] = {}
    for field, (feature, _what) in FEATURES.items():
        if feature not in features:
            continue
        if field in numbers:
            found[field] = number_of(form, field)
        elif field == "networks":
            found[field] = form.text(field).split()
        else:
            found[field] = form.text(field) == "on"
    return TenantPolicy(**found, version=number_of(form, "version"))


async def _policy(
    database: Database, tenants: Tenants, policies: Policies, principal: Principal, *,
    notice: str = "", form: Form | None = None, error: Error | None = None,
) -> Template:  # fmt: skip
    async with database.tenant_read(principal.tenant) as tx:
        tenant = await tenants.get(tx, principal.tenant)
        policy = shown(await policies.get(tx, principal.tenant), tenant.features)
    return page(
        "policy.html", principal, form=form or _filled(policy), error=error, policy=policy, tenant=tenant,
        notice=notice,
    )  # fmt: skip


def _filled(policy: TenantPolicy) -> Form:
    """The form that asks for what is in force."""
    values: dict[str, list[str]] = {"networks": ["\n".join(policy.networks)]}
    for field, value in msgspec.structs.asdict(policy).items():
        if isinstance(value, bool):
            values[field] = ["on"] if value else []
        elif isinstance(value, int):
            values[field] = [str(value)]
    return Form(values)


def _plans_with(feature: str) -> list[str]:
    return [plan for plan, features in PLANS.items() if feature in features]


routes = [
    list_roles, new_role, create_role, show_role, change_role, delete_role, show_policy, change_policy,
]  # fmt: skip
