"""Proves 2.3: staff work with a second factor."""

from datetime import timedelta

import httpx2
import msgspec
import pyotp

from bailee.access.checks.probe import ProbePeople, ProbePerson
from bailee.access.sessions import MFA_FACTORS
from bailee.access.store import evidence
from bailee.assurance import Facts, Finding, Verdict, check
from bailee.encryption.tls import Certificates, own_endpoint
from bailee.events import Event
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database
from bailee.foundation.settings import Settings

_PERIOD = timedelta(days=1)
_REFUSED = 401


@check("access.staff_use_mfa", measure="2.3", every=timedelta(hours=6))
async def staff_use_mfa(
    settings: Settings, certificates: Certificates, database: Database, people: ProbePeople, clock: Clock
) -> Finding:
    """Reads every staff sign-in of the last day and every live session, and tries to sign in without a factor."""
    async with database.operator_read() as tx:
        begun = await evidence.list_staff_sign_ins(tx, clock.now() - _PERIOD)
        live = await evidence.count_staff_sessions(tx, without_mfa=False)
        live_without = await evidence.count_staff_sessions(tx, without_mfa=True)
    without = [str(one.event_id) for one in begun if not _carried_mfa(one.body)]
    async with people.staff() as person, own_endpoint(settings, certificates) as http:
        tries = [(await _sign_in(http, person, code)).status_code for code in (None, "", "000000")]
    async with people.staff(with_factor=True) as person, own_endpoint(settings, certificates) as http:
        with_factor = await _sign_in(http, person, pyotp.TOTP(person.totp_secret).at(clock.now()))
    let_in = sum(status < _REFUSED for status in tries)
    facts: Facts = {
        "sign_ins": len(begun), "sign_ins_without_mfa": without, "live_sessions": live,
        "live_sessions_without_mfa": live_without, "let_in": let_in,
        "attempts_without_factor": [str(status) for status in tries],
        "attempt_with_factor": with_factor.status_code,
    }  # fmt: skip
    if without or live_without or let_in:
        return Finding(Verdict.BROKEN, "Staff has got in, or could get in, without a second factor.", facts)
    if not with_factor.is_success or any(status != _REFUSED for status in tries):
        return Finding(Verdict.UNKNOWN, "The attempts were neither let in nor refused; nothing is proven.", facts)
    return Finding(
        Verdict.HOLDS,
        f"{len(begun)} sign-ins and {live} live sessions, all with a second factor; nobody let in without.",
        facts,
    )  # fmt: skip


async def _sign_in(http: httpx2.AsyncClient, person: ProbePerson, code: str | None) -> httpx2.Response:
    body = {"email": person.email, "password": person.password, "code": code}
    return await http.post("/api/v1/session", json=body)


def _carried_mfa(body: bytes) -> bool:
    factors = msgspec.json.decode(body, type=Event).details.get("factors", [])
    return not MFA_FACTORS.isdisjoint(factors)
