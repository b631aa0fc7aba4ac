"""Commands to sign in and out."""

import getpass
import platform
import time
import webbrowser
from typing import Annotated

import cyclopts

from bailee.cli.confirming import CommandLineClient
from bailee.cli.context import anonymous, base_url, ca_file, connect
from bailee.cli.logins import Login, find_login, forget_login, keep_login
from bailee.cli.output import out, say, show_json
from bailee.client import (
    ApiError,
    BaileeError,
    Client,
    ConnectionFailed,
    DeviceRequest,
    PendingSignIn,
    Session,
    Unauthorized,
)
from bailee.foundation.errors import ConfigurationError

_LABEL = 60
_SLOWER = 5

type Where = Annotated[
    str | None, cyclopts.Parameter(help="Address of the Bailee; else the last one, or this machine's.")
]
type Open = Annotated[bool, cyclopts.Parameter(name="--open", negative=(), help="Open the browser here as well.")]
type As = Annotated[
    str | None,
    cyclopts.Parameter(name="--password", help="Sign in here as this address: asks for the password and a code."),
]


def login(*, url: Where = None, open_browser: Open = False, email: As = None) -> None:
    """Sign in by a browser, on this machine or any other. Kept in the keyring, or in a file that only you can read."""
    target = (url or base_url()).rstrip("/")
    before = _login_before()
    with anonymous(target) as client:
        session = _by_password(client, email) if email else _by_browser(client, open_browser=open_browser)
    if before is not None and before.url == target:
        _end(before)
    kept = keep_login(Login(target, session.token or "", session.account.email))
    place = "the keyring" if kept.in_keyring else "a file that only you can read"
    say(f"Signed in to {target} as {kept.email} until {session.expires_at.astimezone():%H:%M %Z}. Kept in {place}.")


def logout() -> None:
    """End the kept sign-in, here and on the server."""
    kept = find_login()
    if kept is None:
        say("You are not signed in.")
        return
    ended = _end(kept)
    forget_login(kept)
    if ended:
        say("Signed out.")
    else:
        say("Forgotten here. The server could not be told: there the session ends by itself, or in the console.")


def whoami(*, json: bool = False) -> None:
    """Say who you are to the server, and what you may do."""
    with connect() as client:
        try:
            session = client.session.get()
        except Unauthorized as error:
            if error.problem.detail and "own account" not in error.problem.detail:
                raise
            _show_key(client, json=json)
            return
        tenants = list(client.account.tenants()) if session.account.kind == "member" else []
    if json:
        show_json({"session": session, "tenants": tenants})
        return
    account = session.account
    out.print(f"{account.name} <{account.email}>, {account.kind}", markup=False)
    for tenant in tenants:
        out.print(f"{'*' if tenant.current else ' '} {tenant.name}: {tenant.role} ({tenant.id})", markup=False)
    if account.roles:
        out.print(f"Roles: {', '.join(account.roles)}", markup=False)
    out.print(
        f"Signed in until {session.expires_at.astimezone():%Y-%m-%d %H:%M %Z}; {len(session.permissions)} permissions."
    )
    for one in session.unmet:
        say(one)


def switch(tenant_id: str) -> None:
    """Work in another of your tenants from now on; `bailee whoami` lists them."""
    with connect() as client:
        if not isinstance(client, CommandLineClient):
            raise ConfigurationError("This is for a sign-in that is kept: unset BAILEE_TOKEN, and use `bailee login`.")
        client.confirming.keep(client.session.switch_tenant(tenant_id))
    say(f"You work in {tenant_id} now.")


# --- inside ---------------------------------------------------------------------------------------------


def _login_before() -> Login | None:
    """What is kept, as far as it can be read: it is about to be replaced."""
    try:
        return find_login()
    except ConfigurationError:
        return None


def _by_browser(client: Client, *, open_browser: bool) -> Session:
    """The device flow (RFC 8628 §3.4, §3.5). Raises Invalid when it was refused, ConfigurationError for no answer."""
    asked = client.device.start(_machine())
    say("Open this page in a browser, on any machine, and enter the code:")
    say(f"    {asked.verification_uri}")
    say(f"    {asked.user_code}")
    say(f"It is good for {asked.expires_in // 60} minutes. Waiting …")
    if open_browser and asked.verification_uri.startswith("https://"):
        webbrowser.open(asked.verification_uri)
    return _wait(client, asked)


def _wait(client: Client, asked: DeviceRequest) -> Session:
    interval, deadline = float(asked.interval), time.monotonic() + asked.expires_in
    while time.monotonic() < deadline:
        time.sleep(interval)
        try:
            return client.device.poll(asked.device_code)
        except ConnectionFailed as error:
            if error.lasting:
                raise
            interval += _SLOWER
        except ApiError as error:
            if error.code == "slow_down":
                interval += _SLOWER
            elif error.code != "authorization_pending":
                raise
    raise ConfigurationError("Nobody approved the sign-in in time. Start `bailee login` again.")


def _by_password(client: Client, email: str) -> Session:
    answer = client.session.sign_in(email, getpass.getpass("Password: "))
    if not isinstance(answer, PendingSignIn):
        return answer
    if not {"totp", "recovery_code"} & set(answer.methods):
        raise ConfigurationError("Your second factor is a passkey, which works in a browser: use `bailee login` alone.")
    return client.session.finish(answer.pending, getpass.getpass("Code of your app, or a recovery code: ").strip())


def _end(login: Login) -> bool:
    """Whether the server has ended the session, or knew nothing of it any more."""
    try:
        with Client(login.url, login.token, ca_file=ca_file(login.url)) as client:
            client.session.sign_out()
    except Unauthorized:
        return True
    except (BaileeError, OSError, ValueError):
        return False
    return True


def _machine() -> str:
    """What this machine calls itself."""
    name = "".join(letter for letter in platform.node() if letter.isprintable()).strip()
    return name[:_LABEL] or "an unnamed machine"


def _show_key(client: Client, *, json: bool) -> None:
    tenant = client.tenants.own()
    if json:
        show_json({"tenant": tenant})
    else:
        out.print(f"An API key of {tenant.name} ({tenant.id}).", markup=False)
