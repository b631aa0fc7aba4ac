"""Commands about tenants and keys. They go through the API as whoever you are."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import cyclopts

from bailee.cli.context import connect
from bailee.cli.output import out, say, show_json, show_table
from bailee.cli.people import show_invited
from bailee.client import ApiKey, Tenant

tenant = cyclopts.App(name="tenant", help="Customers: list, make, change.")
key = cyclopts.App(name="key", help="API keys: list, issue, rotate, revoke.")

type Expiry = Annotated[int | None, cyclopts.Parameter(help="Days until it expires; never without.")]
type Of = Annotated[str | None, cyclopts.Parameter(help="As staff: whose keys. As a tenant: leave it out.")]


@tenant.command(name="list")
def list_tenants(*, search: str | None = None, json: bool = False) -> None:
    """List the tenants."""
    with connect() as client:
        found = list(client.tenants.list() if search is None else client.tenants.list(search=search))
    _show_tenants(found, json=json)


@tenant.command
def create(name: str, *, plan: str = "standard", json: bool = False) -> None:
    """Make a tenant."""
    with connect() as client:
        _show_tenants([client.tenants.create(name, plan=plan)], json=json)


@tenant.command
def show(tenant_id: str, *, json: bool = False) -> None:
    """Show one tenant."""
    with connect() as client:
        _show_tenants([client.tenants.get(tenant_id)], json=json)


@tenant.command
def change(tenant_id: str, *, name: str | None = None, plan: str | None = None, json: bool = False) -> None:
    """Rename a tenant, or change its plan."""
    with connect() as client:
        _show_tenants([client.tenants.change(tenant_id, name=name, plan=plan)], json=json)


@tenant.command
def suspend(tenant_id: str) -> None:
    """Keep a tenant out; its data stays."""
    with connect() as client:
        _show_tenants([client.tenants.suspend(tenant_id)], json=False)


@tenant.command
def resume(tenant_id: str) -> None:
    """Let a suspended tenant in again."""
    with connect() as client:
        _show_tenants([client.tenants.resume(tenant_id)], json=False)


@tenant.command(name="invite-owner")
def invite_owner(tenant_id: str, email: str, name: str, *, json: bool = False) -> None:
    """Invite a customer's first person, its owner, who then invites the others."""
    with connect() as client:
        show_invited(client.tenants.invite_owner(tenant_id, email=email, name=name), json=json)


@tenant.command(name="rotate-key")
def rotate_key(tenant_id: str) -> None:
    """Make a new version of a tenant's encryption key."""
    with connect() as client:
        client.tenants.rotate_key(tenant_id)
    say("A new version wraps from now on; existing keys are rewrapped in the background.")


@key.command(name="list")
def list_keys(*, tenant: Of = None, json: bool = False) -> None:
    """List API keys, revoked ones too."""
    with connect() as client:
        found = list(client.keys.list() if tenant is None else client.tenants.keys.list(tenant))
    if json:
        show_json({"items": found})
        return
    show_table(
        ["Id", "Name", "Permissions", "Created", "Expires", "Last used", "Revoked"],
        ((k.id, k.name, k.permissions, k.created_at, k.expires_at, k.last_used_at, k.revoked_at) for k in found),
        empty="There are no keys.",
    )


@key.command
def issue(name: str, *permissions: str, tenant: Of = None, days: Expiry = None, json: bool = False) -> None:
    """Issue an API key. Its token is shown now and never again."""
    expires = datetime.now(UTC) + timedelta(days=days) if days is not None else None
    with connect() as client:
        if tenant is None:
            issued = client.keys.create(name, permissions, expires_at=expires)
        else:
            issued = client.tenants.keys.create(tenant, name, permissions, expires_at=expires)
    _show_issued(issued, json=json)


@key.command
def rotate(key_id: str, *, overlap_hours: int = 24, json: bool = False) -> None:
    """Issue a key in place of another, which goes on for so many hours. The new token is shown this once."""
    with connect() as client:
        issued = client.keys.rotate(key_id, overlap_hours=overlap_hours)
    _show_issued(issued, json=json)


@key.command
def revoke(key_id: str, *, tenant: Of = None) -> None:
    """End an API key, at once and everywhere."""
    with connect() as client:
        if tenant is None:
            client.keys.revoke(key_id)
        else:
            client.tenants.keys.revoke(tenant, key_id)
    say("Revoked.")


def _show_issued(issued: ApiKey, *, json: bool) -> None:
    if json:
        show_json(issued)
    else:
        say(f"Key {issued.id}. Its token, shown once:")
        out.print(issued.token or "", markup=False)


def _show_tenants(found: list[Tenant], *, json: bool) -> None:
    if json:
        show_json({"items": found})
        return
    show_table(
        ["Id", "Name", "Plan", "State"], ((t.id, t.name, t.plan, t.state) for t in found), empty="There are no tenants."
    )
