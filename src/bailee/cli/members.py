"""Commands about a tenant's own people: members, roles, policy."""

from typing import Annotated, Any

import cyclopts
import msgspec

from bailee.cli.context import connect
from bailee.cli.output import out, say, show_json, show_table
from bailee.cli.people import Who, Why, show_invitations, show_invited
from bailee.client import Client, Member, Policy
from bailee.foundation.errors import ConfigurationError

member = cyclopts.App(name="member", help="The people of your tenant: invite, roles, disable, remove.")
role_app = cyclopts.App(name="role", help="The roles that members can have; your own, where the plan has them.")
policy = cyclopts.App(name="policy", help="What your tenant demands of its members.")

type Networks = Annotated[
    list[str] | None,
    cyclopts.Parameter(name="--network", negative=(), help="Members may come from here alone (CIDR); may be repeated."),
]
type Anywhere = Annotated[bool, cyclopts.Parameter(negative=(), help="Members may come from any network.")]
type Permissions = Annotated[
    list[str], cyclopts.Parameter(name="--permission", negative=(), help="A scope or permission; may be repeated.")
]


# --- members ----------------------------------------------------------------------------------------------


@member.command(name="list")
def list_members(*, search: str | None = None, json: bool = False) -> None:
    """List the members."""
    with connect() as client:
        _show_members(list(client.members.list(search=search)), json=json)


@member.command
def invite(email: str, name: str, *, role: str, json: bool = False) -> None:
    """Invite somebody. Without a mail server the link is shown, for you to hand over."""
    with connect() as client:
        show_invited(client.members.invitations.create(email, name, role), json=json)


@member.command(name="invitations")
def list_invitations(*, json: bool = False) -> None:
    """List the invitations, newest first."""
    with connect() as client:
        show_invitations(list(client.members.invitations.list()), json=json)


@member.command
def uninvite(invitation_id: str) -> None:
    """Make an invitation's link worthless."""
    with connect() as client:
        client.members.invitations.withdraw(invitation_id)
    say("The invitation is withdrawn.")


@member.command
def role(person: Who, role_name: str) -> None:
    """Give a member another role."""
    with connect() as client:
        _show_members([client.members.change_role(_member_id(client, person), role_name)], json=False)


@member.command
def disable(person: Who) -> None:
    """Shut a member out, at once and everywhere."""
    with connect() as client:
        _show_members([client.members.disable(_member_id(client, person))], json=False)


@member.command
def enable(person: Who) -> None:
    """Let a member in again."""
    with connect() as client:
        _show_members([client.members.enable(_member_id(client, person))], json=False)


@member.command
def remove(person: Who, *, yes: bool = False) -> None:
    """End a membership. The person's account, and other memberships, stay."""
    if not yes and input(f"Remove {person}? Type it again: ").strip() != person:
        say("Nothing was done.")
        return
    with connect() as client:
        client.members.remove(_member_id(client, person))
    say(f"{person} is no longer a member.")


@member.command(name="reset-factors")
def reset_factors(person: Who, *, reason: Why) -> None:
    """Reset a member's lost second factor. The person is told by mail."""
    with connect() as client:
        client.members.reset_factors(_member_id(client, person), reason)
    say("Done. At the next sign-in the password is enough to enrol a new one.")


# --- roles ------------------------------------------------------------------------------------------------


@role_app.command(name="list")
def list_roles(*, json: bool = False) -> None:
    """List the roles, and what each permits."""
    with connect() as client:
        found = client.roles.list()
    if json:
        show_json({"items": found})
        return
    rows = ((r.name, r.title, "built in" if r.built_in else "own", r.permissions) for r in found)
    show_table(["Name", "Title", "Kind", "Permissions"], rows, empty="There are no roles.")


@role_app.command
def define(name: str, title: str, *, permission: Permissions, json: bool = False) -> None:
    """Make or change a role of your own; never one that permits more than you may do yourself."""
    with connect() as client:
        made = client.roles.define(name, title=title, permissions=permission)
    if json:
        show_json(made)
    else:
        say(f"The role {made.name} permits: {', '.join(made.permissions)}.")


@role_app.command(name="delete")
def delete_role(name: str) -> None:
    """Delete a role of your own that nobody has."""
    with connect() as client:
        client.roles.delete(name)
    say(f"The role {name} is gone.")


# --- policy -------------------------------------------------------------------------------------------------


@policy.command(name="show")
def show_policy(*, json: bool = False) -> None:
    """Show what is in force, and which demands your plan has."""
    with connect() as client:
        _show_policy(client.policy.get(), json=json)


@policy.command(name="set")
def set_policy(
    *,
    require_mfa: bool | None = None,
    require_sso: bool | None = None,
    min_password_length: int | None = None,
    min_password_score: int | None = None,
    session_hours: int | None = None,
    idle_minutes: int | None = None,
    network: Networks = None,
    any_network: Anywhere = False,
    json: bool = False,
) -> None:
    """Change the policy. What is not named stays; it holds from every member's next request."""
    wanted = {
        "require_mfa": require_mfa,
        "require_sso": require_sso,
        "min_password_length": min_password_length,
        "min_password_score": min_password_score,
        "session_hours": session_hours,
        "idle_minutes": idle_minutes,
        "networks": () if any_network else network and tuple(network),
    }
    changes: dict[str, Any] = {name: value for name, value in wanted.items() if value is not None}
    if not changes:
        raise ConfigurationError("Say what to change; `bailee policy set --help` lists it.")
    with connect() as client:
        changed = msgspec.structs.replace(client.policy.get(), **changes)
        _show_policy(client.policy.put(changed), json=json)


# --- inside -------------------------------------------------------------------------------------------------


def _member_id(client: Client, person: str) -> str:
    """The id of a member named by address or id. Raises ConfigurationError."""
    if "@" not in person:
        return person
    for one in client.members.list(search=person):
        if one.email == person.strip().lower():
            return one.account_id
    raise ConfigurationError("No member has that address. `bailee member list` shows them all.")


def _show_members(found: list[Member], *, json: bool) -> None:
    if json:
        show_json({"items": found})
        return
    rows = ((m.account_id, m.name, m.email, m.role, m.state, m.source, m.created_at) for m in found)
    show_table(["Id", "Name", "Address", "Role", "Status", "By", "Since"], rows, empty="There are no members.")


def _show_policy(found: Policy, *, json: bool) -> None:
    if json:
        show_json(found)
        return
    demands = msgspec.structs.asdict(found)
    rows = (
        (name.replace("_", " "), _plain(demands[name]), _availability(found, name))
        for name in demands
        if name not in ("version", "included", "available_with")
    )
    show_table(["Demand", "In force", "Plan"], rows, empty="")
    out.print(f"Version {found.version}.")


def _availability(found: Policy, name: str) -> str:
    return "included" if name in found.included else f"available with {' or '.join(found.available_with.get(name, ()))}"


def _plain(value: Any) -> Any:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if value != () else "any"
