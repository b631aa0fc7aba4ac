"""Proves 2.1 (no default secret) and 3.3 (no password in the clear)."""

import stat
from datetime import timedelta

import anyio.to_thread
import httpx2

from bailee.access import store
from bailee.access.accounts import Accounts
from bailee.assurance import Facts, Finding, Verdict, check
from bailee.assurance.markers import new_marker, search_files
from bailee.encryption.hashing import PasswordHasher
from bailee.encryption.tls import Certificates, own_endpoint
from bailee.foundation.database import Database
from bailee.foundation.secrets import Secret
from bailee.foundation.settings import Settings

_DEFAULTS = (
    "admin",
    "administrator",
    "password",
    "password1",
    "12345678",
    "changeme",
    "letmein1",
    "bailee",
    "bailee123",
    "",
)
_PRIVATE = ("root.key", "tls/ca.key", "tls/server.key")
_MOST_ACCOUNTS = 200


@check("access.no_default_secret", measure="2.1", every=timedelta(hours=6))
async def no_default_secret(
    settings: Settings, certificates: Certificates, database: Database, accounts: Accounts, hasher: PasswordHasher
) -> Finding:
    """Tries default passwords on every account, setup without a link, and the files that hold secrets."""
    async with database.operator_read() as tx:
        everyone = await accounts.everyone(tx)
        waiting = await accounts.needs_setup(tx)
        leftover = not waiting and await store.has_setup_link(tx)
        hashes = {
            account.email: (await store.find_credentials(tx, account_id=account.id))
            for account in everyone[:_MOST_ACCOUNTS]
        }
    guessable = 0
    for email, credentials in hashes.items():
        for guess in (*_DEFAULTS, email, email.partition("@")[0]):
            if credentials and await hasher.verify(credentials.password_hash, Secret(guess.encode())):
                guessable += 1
                break
    nameless = sum(1 for account in everyone if not account.name.strip() or "@" not in account.email)
    readable = await anyio.to_thread.run_sync(_readable_secrets, settings)
    async with own_endpoint(settings, certificates) as http:
        body = {"token": "", "email": "setup@example.org", "name": "Setup", "password": "no default password"}
        open_setup = (await http.post("/api/v1/setup", json=body)).is_success
    facts: Facts = {
        "accounts": len(everyone), "with_default_password": guessable, "without_person": nameless,
        "secrets_others_can_read": readable, "setup_without_link": open_setup, "setup_link_left": leftover,
    }  # fmt: skip
    if guessable or nameless or readable or open_setup or leftover:
        return Finding(Verdict.BROKEN, "There is a default or shared way in.", facts)
    if waiting:
        return Finding(Verdict.ATTENTION, "First-run setup is not finished: nobody has an account yet.", facts)
    return Finding(Verdict.HOLDS, "No default password, no open setup, no secret that others can read.", facts)


def _readable_secrets(settings: Settings) -> list[str]:
    names = [*_PRIVATE, *([settings.web.private_key] if settings.web.private_key else [])]
    paths = [(settings.data / name) for name in names]
    return [path.name for path in paths if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077]


@check("access.no_password_in_clear", measure="3.3", every=timedelta(hours=6))
async def no_password_in_clear(settings: Settings, certificates: Certificates, database: Database) -> Finding:
    """Sends marked passwords through sign-in, setup and broken requests, then looks for them in data and logs."""
    sent = 0
    async with own_endpoint(settings, certificates) as http:
        marker = new_marker()
        bodies: tuple[tuple[str, object], ...] = (
            ("/api/v1/session", {"email": "canary@example.org", "password": marker, "code": "000000"}),
            ("/api/v1/session", {"email": marker, "password": marker, "code": marker}),
            ("/api/v1/session", {"email": "canary@example.org", "password": [marker], "code": None}),
            ("/api/v1/setup", {"token": "x", "email": "canary@example.org", "name": "Canary", "password": marker}),
        )
        for path, body in bodies:
            sent += _was_refused(await http.post(path, json=body))
        sent += _was_refused(await http.post("/api/v1/session", content=f'{{"password": "{marker}'.encode()))
        sent += _was_refused(await http.get("/api/v1/session", headers={"Authorization": f"Bearer {marker}"}))
    async with database.operator_read() as tx:
        weak = await store.count_other_hashes(tx, "$argon2id$v=19$m=19456,t=2,p=1$")
    search = await search_files(settings.data, [settings.data])
    facts: Facts = {
        "attempts": sent, "files": search.files, "bytes": search.bytes, "found_in": search.found,
        "hashes_not_argon2id": weak, "search_proven": search.proven,
    }  # fmt: skip
    if search.found or weak:
        return Finding(Verdict.BROKEN, "A password lies in the clear, or under an outdated hash.", facts)
    if not search.proven or sent < len(bodies) + 2:
        return Finding(Verdict.UNKNOWN, "The probe did not go through; nothing is proven.", facts)
    return Finding(Verdict.HOLDS, "Every hash is Argon2id; no marked password in any file or log.", facts)


def _was_refused(answer: httpx2.Response) -> bool:
    return answer.is_client_error
