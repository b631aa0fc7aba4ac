"""Commands about a tenant's single sign-on: its identity provider and its domains."""

import getpass
import sys
from pathlib import Path
from typing import Annotated

import cyclopts

from bailee.cli.context import connect
from bailee.cli.output import say, show_json, show_table
from bailee.client import Client, Domain, NotFound, SsoConnection
from bailee.foundation.errors import ConfigurationError

sso = cyclopts.App(name="sso", help="The identity provider that signs your tenant's people in.")
domain_app = cyclopts.App(name="domain", help="The domains of your tenant, proven by a DNS record.")

_STDIN = Path("-")
type Issuer = Annotated[
    str | None, cyclopts.Parameter(help="To the letter as the provider's discovery document writes it.")
]
type ClientId = Annotated[str | None, cyclopts.Parameter(help="What the provider calls Bailee.")]
type SecretFile = Annotated[
    Path | None,
    cyclopts.Parameter(
        help="Holds the client's secret; - for standard input. Without it the secret is asked for where one is needed."
    ),
]
type DefaultRole = Annotated[str | None, cyclopts.Parameter(help="What people get who are new.")]
type Enabled = Annotated[bool | None, cyclopts.Parameter(help="Whether people can sign in through it.")]
type Which = Annotated[str, cyclopts.Parameter(help="Name or id of the domain.")]


# --- the identity provider --------------------------------------------------------------------------------


@sso.command(name="show")
def show_connection(*, json: bool = False) -> None:
    """Show the identity provider. Its client secret is never shown."""
    with connect() as client:
        _show_connection(client.sso.get(), json=json)


@sso.command(name="set")
def set_connection(
    *,
    issuer: Issuer = None,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    default_role: DefaultRole = None,
    enabled: Enabled = None,
    json: bool = False,
) -> None:
    """Set the identity provider up, or change it. What is not named stays."""
    if (issuer, client_id, secret_file, default_role, enabled) == (None,) * 5:
        raise ConfigurationError("Say what to change; `bailee sso set --help` lists it.")
    with connect() as client:
        before = _find_connection(client)
        if before is None and (issuer is None or client_id is None):
            raise ConfigurationError("No identity provider is set up yet: give --issuer and --client-id.")
        wanted_issuer = issuer or (before.issuer if before else "")
        wanted_client = client_id or (before.client_id if before else "")
        same = before is not None and (before.issuer, before.client_id) == (wanted_issuer, wanted_client)
        changed = client.sso.configure(
            wanted_issuer,
            wanted_client,
            client_secret=None if same and secret_file is None else _read_secret(secret_file),
            default_role=default_role or (before.default_role if before else "viewer"),
            enabled=enabled if enabled is not None else before is None or before.enabled,
        )
    _show_connection(changed, json=json)


@sso.command(name="test")
def try_out(*, json: bool = False) -> None:
    """Ask the identity provider for its description and keys. Nobody is signed in."""
    with connect() as client:
        report = client.sso.test()
    if json:
        show_json(report)
    else:
        say(f"{report.issuer} answers, and {report.signing_keys} of its keys can be used.")


@sso.command(name="remove")
def remove_connection(*, yes: bool = False) -> None:
    """Take the identity provider away, and end the sessions that it began."""
    if not yes and input("Remove the identity provider? Type remove: ").strip() != "remove":
        say("Nothing was done.")
        return
    with connect() as client:
        client.sso.remove()
    say("The identity provider is removed.")


# --- domains ----------------------------------------------------------------------------------------------


@domain_app.command(name="list")
def list_domains(*, json: bool = False) -> None:
    """List the domains, verified or not, and the TXT records that prove them."""
    with connect() as client:
        _show_domains(client.domains.list(), json=json)


@domain_app.command
def add(domain: str, *, json: bool = False) -> None:
    """Add a domain. Publish the TXT record that is shown, then verify it."""
    with connect() as client:
        _show_domains([client.domains.add(domain)], json=json)


@domain_app.command
def verify(domain: Which, *, json: bool = False) -> None:
    """Look the domain's TXT record up now."""
    with connect() as client:
        _show_domains([client.domains.verify(_domain_id(client, domain))], json=json)


@domain_app.command(name="remove")
def remove_domain(domain: Which, *, yes: bool = False) -> None:
    """Let go of a domain: nobody new signs in by it."""
    if not yes and input(f"Remove {domain}? Type it again: ").strip() != domain:
        say("Nothing was done.")
        return
    with connect() as client:
        client.domains.remove(_domain_id(client, domain))
    say(f"{domain} is removed.")


# --- inside -----------------------------------------------------------------------------------------------


def _find_connection(client: Client) -> SsoConnection | None:
    try:
        return client.sso.get()
    except NotFound:
        return None


def _read_secret(file: Path | None) -> str:
    """The client's secret: never an argument, which others on the machine could read. Raises ConfigurationError."""
    if file is not None:
        return _text_of(file).rstrip("\r\n")
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise ConfigurationError("The client's secret is needed, and nobody is here to be asked: give --secret-file.")
    return getpass.getpass("The client's secret: ").strip()


def _text_of(file: Path) -> str:
    try:
        return sys.stdin.read() if file == _STDIN else file.read_text("utf-8")
    except OSError as error:
        raise ConfigurationError(f"The file with the client's secret cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:  # whose own message shows a part of it
        raise ConfigurationError("The file with the client's secret is not UTF-8 text.") from None


def _domain_id(client: Client, domain: str) -> str:
    """The id of a domain named by itself or by its id. Raises ConfigurationError."""
    if "." not in domain:
        return domain
    name = domain.strip().lower().removesuffix(".")
    for one in client.domains.list():
        if one.domain == name:
            return one.id
    raise ConfigurationError("That domain is not among yours. `bailee domain list` shows them all.")


def _state_of(domain: Domain) -> str:
    if domain.verified_at is not None:
        return "failing" if domain.failing_since else "verified"
    return "lost" if domain.failing_since else "unverified"


def _show_domains(found: list[Domain], *, json: bool) -> None:
    if json:
        show_json({"items": found})
        return
    rows = ((d.id, d.domain, _state_of(d), d.checked_at, d.record_name, d.record_value) for d in found)
    show_table(["Id", "Domain", "Status", "Looked up", "TXT record", "Value"], rows, empty="There are no domains.")


def _show_connection(found: SsoConnection, *, json: bool) -> None:
    if json:
        show_json(found)
        return
    row = (
        found.issuer, found.client_id, "on" if found.enabled else "off", found.default_role, found.redirect_uri,
        found.updated_at,
    )  # fmt: skip
    columns = ["Issuer", "Client", "Status", "Role of new people", "Redirect address", "Changed"]
    show_table(columns, [row], empty="")
