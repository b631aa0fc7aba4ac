"""Commands about tenants and keys, and signing in. They go through the API as whoever you are."""

import getpass
from datetime import UTC, datetime, timedelta
from typing import Annotated

import cyclopts

from bailee.cli.context import Login, base_url, connect, find_login, keep_login, login_file
from bailee.cli.output import out, say, show_json, show_table
from bailee.client import ApiKey, Tenant

tenant = cyclopts.App(name="tenant", help="Customers: list, make, change.")
key = cyclopts.App(name="key", help="API keys: list, issue, revoke.")

type Expiry = Annotated[int | None, cyclopts.Parameter(help="Days until it expires; never without.")]
type Of = Annotated[str | None, cyclopts.Parameter(help="As staff: whose keys. As a tenant: leave it out.")]


def register(app: cyclopts.App) -> None:
    """Adds these commands."""
    app.command(tenant)
    app.command(key)
    app.command(login)
    app.command(logout)


def login(email: str, *, url: str | None = None) -> None:
    """Sign in as staff; asks for the password and the code. Kept in a file that only you can read."""
    target = url or base_url()
    with connect(anonymous=True) as client:
        session = client.session.sign_in(
            email=email, password=getpass.getpass("Password: "), code=input("Code: ").strip()
        )
    keep_login(Login(target, session.token or "", email))
    say(f"Signed in to {target} as {email} until {session.expires_at:%H:%M} UTC.")


def logout() -> None:
    """End the kept sign-in."""
    if find_login() is None:
        say("You are not signed in.")
        return
    try:
        with connect() as client:
            client.session.sign_out()
    finally:
        login_file().unlink(missing_ok=True)
    say("Signed out.")


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
    """Let a suspended or terminating tenant in again."""
    with connect() as client:
        _show_tenants([client.tenants.resume(tenant_id)], json=False)


@tenant.command
def terminate(tenant_id: str) -> None:
    """End the contract: the tenant can read and export, and add nothing."""
    with connect() as client:
        _show_tenants([client.tenants.terminate(tenant_id)], json=False)


@tenant.command
def close(tenant_id: str, *, yes: bool = False) -> None:
    """Destroy all keys of a terminating tenant. Nothing it stored can be read afterwards, by anybody."""
    if not yes and input(f"Destroy the keys of {tenant_id} for good? Type its id: ").strip() != tenant_id:
        say("Nothing was done.")
        return
    with connect() as client:
        _show_tenants([client.tenants.close(tenant_id)], json=False)


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
