"""Proves 2.1: every account is one person's and in use, and first-run setup leaves no way in."""

import stat
from datetime import timedelta

import anyio.to_thread

from bailee.access.accounts import Accounts
from bailee.access.addresses import SEALED
from bailee.access.break_glass import BreakGlass
from bailee.access.checks.turns import in_turn, turn_of
from bailee.access.model import Account, AccountKind
from bailee.access.store import accounts as rows
from bailee.access.store import evidence
from bailee.assurance import Facts, Finding, Verdict, check
from bailee.encryption.hashing import PasswordHasher
from bailee.encryption.tls import Certificates, own_endpoint
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database
from bailee.foundation.secrets import Secret
from bailee.foundation.settings import Settings

_DEFAULTS = ("admin", "password", "changeme", "12345678", "bailee", "bailee123", "")
_PRIVATE = ("root.key", "tls/ca.key", "tls/server.key")
_TRIED = 20
"""Accounts whose password is guessed at in one run, in turn: a hash is slow, and people wait in the same queue."""
_EVERY = timedelta(hours=6)
_SETUP_REFUSED = 403
_GRACE = timedelta(days=2)


@check("access.no_default_secret", measure="2.1", every=_EVERY)
async def no_default_secret(
    settings: Settings, certificates: Certificates, database: Database, accounts: Accounts, hasher: PasswordHasher,
    clock: Clock,
) -> Finding:  # fmt: skip
    """Tries default passwords, setup without a link, and the files that hold secrets."""
    async with database.operator_read() as tx:
        everyone = await accounts.everyone(tx)
        waiting = await accounts.needs_setup(tx)
        leftover = not waiting and await rows.has_setup_link(tx)
    tried = in_turn(everyone, _TRIED, turn_of(clock.now(), _EVERY))
    guessable = [account for account in tried if await _is_guessable(database, hasher, account)]
    readable = await anyio.to_thread.run_sync(_readable_secrets, settings)
    async with own_endpoint(settings, certificates) as http:
        body = {"token": "", "email": "setup@example.org", "name": "Setup", "password": "no default password"}
        setup = await http.post("/api/v1/setup", json=body)
    open_setup = setup.is_success
    facts: Facts = {
        "accounts": len(everyone), "tried": len(tried), "with_default_password": len(guessable),
        "secrets_others_can_read": readable, "setup_without_link": setup.status_code, "setup_link_left": leftover,
    }  # fmt: skip
    if guessable or readable or open_setup or leftover:
        return Finding(Verdict.BROKEN, "There is a default or shared way in.", facts)
    if setup.status_code != _SETUP_REFUSED:
        return Finding(
            Verdict.UNKNOWN, "Setup without a link was neither let in nor refused; nothing is proven.", facts
        )
    if waiting:
        return Finding(Verdict.ATTENTION, "First-run setup is not finished: nobody has an account yet.", facts)
    return Finding(Verdict.HOLDS, "No default password, no open setup, no secret that others can read.", facts)


async def _is_guessable(database: Database, hasher: PasswordHasher, account: Account) -> bool:
    async with database.operator_read() as tx:
        credentials = await rows.find_credentials(tx, account_id=account.id)
    if credentials is None or credentials.password_hash is None:
        return False
    for guess in (*_DEFAULTS, account.email, account.email.partition("@")[0]):
        if await hasher.verify(credentials.password_hash, Secret(guess.encode())):
            return True
    return False


def _readable_secrets(settings: Settings) -> list[str]:
    names = [*_PRIVATE, *([settings.web.private_key] if settings.web.private_key else [])]
    paths = [(settings.data / name) for name in names]
    return [path.name for path in paths if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077]


@check("access.accounts_are_people", measure="2.1", every=timedelta(hours=6))
async def accounts_are_people(
    settings: Settings, database: Database, accounts: Accounts, break_glass: BreakGlass, clock: Clock
) -> Finding:
    """Looks for accounts without a person, for those nobody uses, and for what people who left have kept."""
    dormant_since = clock.now() - timedelta(days=settings.access.dormant_days) - _GRACE
    async with database.operator_read() as tx:
        everyone = await accounts.everyone(tx)
        dormant = await evidence.count_dormant(tx, dormant_since)
        both = await evidence.count_staff_of_tenants(tx)
        kept = await evidence.count_roles_of_the_gone(tx)
        glass = await break_glass.state(tx)
        nowhere = await evidence.count_members_nowhere(tx)
    unseen = sum(1 for one in everyone if one.sealed and one.email != SEALED)
    nameless = sum(1 for one in everyone if not one.name.strip() or "@" not in one.email)
    names = [one.email.partition("@")[0] for one in everyone if one.kind is AccountKind.STAFF and not one.sealed]
    shared = sorted({name for name in names if name in _SHARED})
    facts: Facts = {
        "accounts": len(everyone), "without_person": nameless, "dormant_and_active": dormant,
        "staff_and_member_at_once": both, "rights_of_those_who_left": kept, "sealed_beside_the_one": unseen,
        "members_of_no_tenant": nowhere,
        "names_of_shared_accounts": shared,
        "break_glass": "sealed" if glass.sealed else "open" if glass.exists else "none",
    }  # fmt: skip
    if nameless or dormant or both or kept or unseen:
        return Finding(Verdict.BROKEN, "There is an account that is nobody's, unused, or outlives its person.", facts)
    if shared or (glass.exists and not glass.sealed):
        advice = (
            "seal the break-glass account anew" if not shared else "rename or retire what looks like a shared account"
        )
        return Finding(Verdict.ATTENTION, f"Every account is one person's; {advice}.", facts)
    return Finding(Verdict.HOLDS, f"{len(everyone)} accounts, each one person's, none dormant.", facts)


_SHARED = frozenset(
    {"admin", "administrator", "root", "team", "info", "office", "support", "ops", "it", "shared", "all"}
)
