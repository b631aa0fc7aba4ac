"""Proves 2.4: what a tenant's plan includes and the tenant has asked for is what a sign-in meets."""

import ipaddress
import secrets
import socket
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx2
import msgspec
import pyotp
from zxcvbn import zxcvbn  # type: ignore[import-untyped]  # it ships no types

from bailee.access.checks.plans import PlanProbe
from bailee.access.checks.probe import ProbePeople, ProbePerson
from bailee.access.checks.turns import in_turn, turn_of
from bailee.access.model import TenantPolicy
from bailee.access.policy import FEATURES, details_of
from bailee.access.store import evidence
from bailee.access.store.evidence import PolicyRow
from bailee.assurance import Facts, Finding, Verdict, check
from bailee.encryption.tls import Certificates, own_endpoint
from bailee.events import Event
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database
from bailee.foundation.settings import Settings
from bailee.tenants.model import PLANS, TenantKind
from bailee.tenants.service import Tenants

_PROBED = 20
"""Tenants that are signed in to in one run, in turn; all of them are compared with the log."""
_SECONDS = 60.0
_WEAK = "password1"
_WORDS = ("sunflower", "november", "mountain", "chocolate", "butterfly", "champion", "elephant", "rainbow")
_CANDIDATES = 40
_JUDGED = 72
"""How much of a password zxcvbn takes."""
_EVERY = timedelta(hours=6)
_MOST = 30


@check("access.tenant_policies_in_force", measure="2.4", every=_EVERY)
async def tenant_policies_in_force(
    settings: Settings, certificates: Certificates, database: Database, tenants: Tenants, people: ProbePeople,
    plans: PlanProbe, clock: Clock,
) -> Finding:  # fmt: skip
    """Compares each tenant's policy with its last announcement in the log, signs in as a member, and tries to set what
    the plan lacks.
    """
    async with database.operator_read() as tx:
        policies = await evidence.list_policies(tx)
        probes = await tenants.page(tx, kind=TenantKind.PROBE, limit=1)
    faults = [fault for row in policies for fault in _contradictions(row)]
    beyond = [str(row.tenant_id) for row in policies if _goes_beyond_plan(row)]
    chosen = in_turn(policies, _PROBED, turn_of(clock.now(), _EVERY))
    targets = [(row.tenant_id, row.plan, _promised(row)) for row in chosen]
    targets += [(tenant.id, tenant.plan, TenantPolicy()) for tenant in probes]
    here = _addresses(settings)
    for tenant, plan, policy in targets:
        async with people.member(tenant) as person, own_endpoint(settings, certificates) as http:
            probe = _Probe(http, people, person, policy, here, clock, mfa=settings.access.member_mfa)
            found = await probe.run()
        found += await plans.run(tenant, PLANS.get(plan, frozenset()))
        faults += [f"{tenant}: {fault}" for fault in found]
    facts: Facts = {
        "customers": len(policies), "with_policy": sum(row.changed for row in policies), "signed_in_to": len(targets),
        "beyond_their_plan": beyond[:_MOST], "faults": faults[:_MOST],
    }  # fmt: skip
    if faults:
        return Finding(Verdict.BROKEN, f"In {len(faults)} places the policy in force is not the one promised.", facts)
    if not targets:
        return Finding(Verdict.UNKNOWN, "There was no tenant to sign in to; nothing is proven.", facts)
    if beyond:
        return Finding(Verdict.ATTENTION, "There are policies that demand more than the tenant's plan has.", facts)
    return Finding(Verdict.HOLDS, f"{len(targets)} live sign-ins met the policies that were promised.", facts)


def _goes_beyond_plan(row: PolicyRow) -> bool:
    """Whether it demands what the plan does not have (any more)."""
    default, features = TenantPolicy(), PLANS.get(row.plan, frozenset())
    return any(
        getattr(row, field) != getattr(default, field) and feature not in features
        for field, (feature, _) in FEATURES.items()
    )


def _contradictions(row: PolicyRow) -> list[str]:
    """Where the table differs from what was announced last."""
    faults: list[str] = []
    announced = _announced(row)
    if announced is None and not row.changed:
        return faults
    if announced is None:
        faults.append(f"{row.tenant_id}: a policy is in force that nobody announced")
    elif announced != msgspec.to_builtins(details_of(_policy_of(row))):
        faults.append(f"{row.tenant_id}: the policy in the table is not the one announced last")
    return faults


def _announced(row: PolicyRow) -> dict[str, Any] | None:
    return msgspec.json.decode(row.announced, type=Event).details if row.announced else None


def _policy_of(row: PolicyRow) -> TenantPolicy:
    return TenantPolicy(**{name: getattr(row, name) for name in TenantPolicy.__struct_fields__})


def _promised(row: PolicyRow) -> TenantPolicy:
    """What the log says. Networks stand there as a digest, which the table's have been compared with. Single sign-on is
    asked for as long as the plan has it.
    """
    announced = _announced(row) or {}
    known = {name: announced[name] for name in TenantPolicy.__struct_fields__ if name in announced}
    sso = known.get("require_sso", False) and "sso" in PLANS.get(row.plan, frozenset())
    return TenantPolicy(**{**known, "networks": row.networks, "version": row.version, "require_sso": sso})


def _addresses(settings: Settings) -> list[str]:
    """Where our own endpoint sees us come from, as far as can be told: the addresses of its own name."""
    host = urlsplit(settings.base_url).hostname or "localhost"
    return sorted({str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)})


def _guessable(policy: TenantPolicy) -> str | None:
    """A password that is long enough, and a step easier to guess than the policy allows; None where none was found."""
    for _ in range(_CANDIDATES):
        padding = "".join(secrets.choice("0123456789") for _ in range(secrets.randbelow(8)))
        word = secrets.choice(_WORDS)
        # Said again and again it is long, and as easy as once.
        candidate = word * -(-policy.min_password_length // len(word)) + padding
        if zxcvbn(candidate[:_JUDGED])["score"] == policy.min_password_score - 1:
            return candidate
    return None


class _Probe:
    """One member's morning: signs in, looks at the tenant, tries a weak password, enrols a factor, looks again. Before
    that two sessions that are made to look older than they are.
    """

    def __init__(
        self, http: httpx2.AsyncClient, people: ProbePeople, person: ProbePerson, policy: TenantPolicy,
        here: list[str], clock: Clock, *, mfa: bool,
    ) -> None:  # fmt: skip
        """`mfa` is what the operator demands of every member."""
        self._mfa = mfa or policy.require_mfa
        self._http = http
        self._people = people
        self._person = person
        self._policy = policy
        self._here = here
        self._clock = clock

    async def run(self) -> list[str]:
        faults = await self._try_old_sessions()
        began = self._clock.now()
        answer = await self._sign_in()
        if not answer.is_success:
            return [f"a member with the right password was answered {answer.status_code}"]
        session = answer.json()
        self._carry(session)
        ends = datetime.fromisoformat(session["expires_at"])
        if ends - began > timedelta(hours=self._policy.session_hours, seconds=_SECONDS):
            faults.append("the session lasts longer than the policy allows")
        shut_out = self._is_shut_out()
        faults += await self._look(allowed=not (shut_out or self._mfa), when="with a password alone")
        faults += await self._try_passwords()
        faults += await self._enrol()
        faults += await self._look(allowed=not shut_out, when="with a second factor")
        return faults

    async def _sign_in(self) -> httpx2.Response:
        credentials = {"email": self._person.email, "password": self._person.password}
        return await self._http.post("/api/v1/session", json=credentials)

    async def _try_old_sessions(self) -> list[str]:
        """Each is tried for the first time when it is old: nothing is remembered of its token."""
        rested = timedelta(minutes=self._policy.idle_minutes + 1)
        lived = timedelta(hours=self._policy.session_hours, minutes=1)
        faults = []
        for what, rest, life in (("rested", rested, timedelta()), ("lived", timedelta(), lived)):
            answer = await self._sign_in()
            if not answer.is_success:
                return []  # told of by the sign-in that follows
            await self._people.age(self._person, rest=rest, life=life)
            bearer = {"Authorization": f"Bearer {answer.json()['token']}"}
            looked = await self._http.get("/api/v1/session", headers=bearer)
            if looked.status_code != httpx2.codes.UNAUTHORIZED:
                faults.append(f"a session that has {what} longer than the policy allows: {looked.status_code}")
        return faults

    def _is_shut_out(self) -> bool:
        """Whether a member who comes from here, by password, must not get in at all."""
        if self._policy.require_sso:
            return True
        networks = [ipaddress.ip_network(one) for one in self._policy.networks]
        within = any(ipaddress.ip_address(address) in network for address in self._here for network in networks)
        return bool(networks) and not within

    def _carry(self, session: dict[str, Any]) -> None:
        self._http.headers["Authorization"] = f"Bearer {session['token']}"

    async def _look(self, *, allowed: bool, when: str) -> list[str]:
        answer = await self._http.get("/api/v1/tenant")
        if answer.is_success is allowed and (allowed or answer.status_code == httpx2.codes.FORBIDDEN):
            return []
        expected = "let in" if allowed else "kept out"
        return [f"{when} a member should be {expected}, and was answered {answer.status_code}"]

    async def _try_passwords(self) -> list[str]:
        short = secrets.token_urlsafe(64)[: self._policy.min_password_length - 1]
        faults = []
        candidates = [("known from breaches", _WEAK), ("shorter than the policy", short)]
        if guessable := _guessable(self._policy):
            candidates.append(("easier to guess than the policy", guessable))
        for what, candidate in candidates:
            body = {"old": self._person.password, "new": candidate}
            answer = await self._http.post("/api/v1/account/password", json=body)
            if answer.status_code != httpx2.codes.UNPROCESSABLE_ENTITY:
                faults.append(f"a password {what} was answered {answer.status_code}")
        return faults

    async def _enrol(self) -> list[str]:
        begun = await self._http.post("/api/v1/account/factors/totp")
        if not begun.is_success:
            return [f"enrolling a factor was answered {begun.status_code}"]
        code = pyotp.TOTP(begun.json()["secret"]).at(self._clock.now())
        done = await self._http.post("/api/v1/account/factors/totp/confirm", json={"code": code})
        if not done.is_success:
            return [f"confirming a factor was answered {done.status_code}"]
        self._carry(done.json())
        return []
