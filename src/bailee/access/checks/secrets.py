"""Proves 3.3: passwords are hashed one way, and lie nowhere in the clear."""

from datetime import timedelta

import httpx2
import pyotp

from bailee.access.checks.probe import ProbePeople, ProbePerson
from bailee.access.store import accounts as store
from bailee.assurance import Facts, Finding, Verdict, check
from bailee.assurance.markers import new_marker, search_files
from bailee.encryption.hashing import PasswordHasher
from bailee.encryption.tls import Certificates, own_endpoint
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database
from bailee.foundation.settings import EMBEDDED, Settings

_REFUSALS = frozenset({400, 401, 403, 409, 422})
_ARGON2ID = "$argon2id$v=19$"


@check("access.no_password_in_clear", measure="3.3", every=timedelta(hours=6))
async def no_password_in_clear(
    settings: Settings, certificates: Certificates, database: Database, hasher: PasswordHasher, people: ProbePeople,
    clock: Clock,
) -> Finding:  # fmt: skip
    """Signs in with a marked password and changes it, sends others through every door and through broken requests, then
    looks for them in data and logs.
    """
    sent = 0
    marker, used = new_marker(), new_marker()
    async with people.staff(with_factor=True, password=used) as person, own_endpoint(settings, certificates) as http:
        accepted = await _sign_in_and_change(http, person, new_marker(), clock)
    async with own_endpoint(settings, certificates) as http:
        bodies: tuple[tuple[str, object], ...] = (
            ("/api/v1/session", {"email": "canary@example.org", "password": marker, "code": "000000"}),
            ("/api/v1/session", {"email": marker, "password": marker, "code": marker}),
            ("/api/v1/session", {"email": "canary@example.org", "password": [marker], "code": None}),
            ("/api/v1/session/code", {"pending": "x", "code": marker}),
            ("/api/v1/password", {"token": "x", "password": marker}),
            ("/api/v1/enrolment", {"token": "x", "password": marker}),
            ("/api/v1/invitation/accept", {"token": "x", "name": "Canary", "password": marker}),
            ("/api/v1/account/password", {"old": marker, "new": marker}),
            ("/api/v1/setup", {"token": "x", "email": "canary@example.org", "name": "Canary", "password": marker}),
        )
        for path, body in bodies:
            sent += _was_refused(await http.post(path, json=body))
        sent += _was_refused(await http.post("/api/v1/session", content=f'{{"password": "{marker}'.encode()))
        sent += _was_refused(await http.get("/api/v1/session", headers={"Authorization": f"Bearer {marker}"}))
    async with database.operator_read() as tx:
        other = await store.count_other_hashes(tx, _ARGON2ID)
        outdated = await store.count_other_hashes(tx, hasher.parameters) - other
    search = await search_files(settings.data, [settings.data])
    facts: Facts = {
        "attempts": sent, "accepted": accepted, "files": search.files, "bytes": search.bytes, "found_in": search.found,
        "hashes_not_argon2id": other, "hashes_with_older_parameters": outdated, "search_proven": search.proven,
    }  # fmt: skip
    if search.found or other:
        return Finding(Verdict.BROKEN, "A password lies in the clear, or is not hashed as it must be.", facts)
    if not search.proven or sent < len(bodies) + 2 or not accepted:
        return Finding(Verdict.UNKNOWN, "The probe did not go through; nothing is proven.", facts)
    if settings.database.main != EMBEDDED:
        return Finding(Verdict.ATTENTION, "Nothing in our files; the database's are out of our sight.", facts)
    if outdated:
        return Finding(Verdict.ATTENTION, "Some hashes wait for their owner's next sign-in to be renewed.", facts)
    return Finding(Verdict.HOLDS, "Every hash is Argon2id; no marked password in any file or log.", facts)


async def _sign_in_and_change(http: httpx2.AsyncClient, person: ProbePerson, new: str, clock: Clock) -> bool:
    """Whether the marked password was good for a session, and another one took its place."""
    code = pyotp.TOTP(person.totp_secret).at(clock.now())
    body = {"email": person.email, "password": person.password, "code": code}
    begun = await http.post("/api/v1/session", json=body)
    if not begun.is_success:
        return False
    http.headers["Authorization"] = f"Bearer {begun.json()['token']}"
    changed = await http.post("/api/v1/account/password", json={"old": person.password, "new": new})
    return changed.is_success


def _was_refused(answer: httpx2.Response) -> bool:
    """Whether the request got as far as what it was sent to."""
    return answer.status_code in _REFUSALS
