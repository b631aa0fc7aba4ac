"""Commands about OAuth clients: a tenant's own, or as staff the operator's."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import cyclopts

from bailee.cli.context import connect
from bailee.cli.output import out, say, show_json, show_table
from bailee.client import OAuthClient

client_app = cyclopts.App(
    name="client", help="OAuth clients of your tenant, or as staff of your own product: register, rotate, revoke."
)

type Scopes = Annotated[
    list[str],
    cyclopts.Parameter(
        name="--scope", negative=(), help="openid to sign people in, or one of the API; may be repeated."
    ),
]
type Addresses = Annotated[
    list[str] | None,
    cyclopts.Parameter(name="--redirect-uri", negative=(), help="Where people come back to; may be repeated."),
]
type Afterwards = Annotated[
    list[str] | None,
    cyclopts.Parameter(
        name="--post-logout-redirect-uri", negative=(), help="Where they come after signing out; may be repeated."
    ),
]
type Public = Annotated[bool, cyclopts.Parameter(negative=(), help="On people's own devices: it has no secret.")]
type Expiry = Annotated[int | None, cyclopts.Parameter(help="Days until the secret expires; never without.")]


@client_app.command(name="list")
def list_clients(*, json: bool = False) -> None:
    """List the clients, revoked ones too."""
    with connect() as client:
        found = list(client.clients.list())
    if json:
        show_json({"items": found})
        return
    show_table(
        ["Id", "Name", "Kind", "Scopes", "Redirect addresses", "Registered", "Last used", "Revoked"],
        ((c.id, c.name, c.kind, c.scopes, c.redirect_uris, c.created_at, c.last_used_at, c.revoked_at) for c in found),
        empty="There are no clients.",
    )


@client_app.command
def register(
    name: str,
    *,
    scope: Scopes,
    redirect_uri: Addresses = None,
    post_logout_redirect_uri: Afterwards = None,
    public: Public = False,
    days: Expiry = None,
    json: bool = False,
) -> None:
    """Register a client. Its secret is shown now and never again."""
    expires = datetime.now(UTC) + timedelta(days=days) if days is not None else None
    with connect() as client:
        issued = client.clients.register(
            name,
            scope,
            redirect_uris=redirect_uri or (),
            post_logout_redirect_uris=post_logout_redirect_uri or (),
            public=public,
            secret_expires_at=expires,
        )
    _show_issued(issued, json=json)


@client_app.command(name="rotate-secret")
def rotate_secret(client_id: str, *, overlap_hours: int = 24, json: bool = False) -> None:
    """Issue a new secret; the one before goes on for so many hours. The new one is shown this once."""
    with connect() as client:
        issued = client.clients.rotate_secret(client_id, overlap_hours=overlap_hours)
    _show_issued(issued, json=json)


@client_app.command
def revoke(client_id: str) -> None:
    """End a client and every token of it, at once and everywhere."""
    with connect() as client:
        client.clients.revoke(client_id)
    say("Revoked.")


def _show_issued(issued: OAuthClient, *, json: bool) -> None:
    if json:
        show_json(issued)
    elif issued.secret is None:
        say(f"Client {issued.id}. It is public, and has no secret.")
    else:
        say(f"Client {issued.id}. Its secret, shown once:")
        out.print(issued.secret, markup=False)
