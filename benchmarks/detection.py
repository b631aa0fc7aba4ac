"""Events through every rule that ships, as the detector does it: decoding, baselines and rules."""

import itertools
import statistics
import time
from datetime import UTC, datetime, timedelta

import msgspec

from bailee.events import Event
from bailee.events.catalogue import (
    AuthorisationFailed,
    Details,
    RecordCreated,
    RecordRead,
    RecordsRead,
    SignedIn,
    SignInFailed,
)  # fmt: skip
from bailee.events.model import Object, Outcome, make_event
from bailee.foundation.ids import TenantId, new_id
from bailee.foundation.principal import ActorKind, Principal, anonymous
from bailee.foundation.settings import Monitoring
from bailee.monitoring.baselines import Familiar, Volumes
from bailee.monitoring.countries import Countries
from bailee.monitoring.detector import load_rules
from bailee.monitoring.fields import Reader
from bailee.monitoring.sigma.engine import Engine
from benchmarks.figures import Figure

ROUNDS = 5
EVENTS = 60_000
CALLERS = 500
SELDOM = 20
"""One event in so many is a wrong password, one a sign-in, and one a refusal; the others are a product's work."""


def figures() -> list[Figure]:
    """A day of many callers, through all rules, beside the goal and beside decoding alone."""
    bodies = list(itertools.islice(_day(), EVENTS))
    whole, decoding = [], []
    for _ in range(ROUNDS):
        whole.append(_rate(bodies, with_rules=True))
        decoding.append(_rate(bodies, with_rules=False))
    rate = statistics.median(whole)
    return [
        Figure("events through all rules", rate, "30,000 a second", 30_000, "at least 1"),
        Figure("events through all rules", rate, "the same events, decoded alone", statistics.median(decoding)),
    ]


def _rate(bodies: list[bytes], *, with_rules: bool) -> float:
    engine = Engine(load_rules(Monitoring()))
    reader = Reader(Countries(""), Familiar([]), Volumes([]))
    start = time.perf_counter()
    for body in bodies:
        event = msgspec.json.decode(body, type=Event)
        if with_rules:
            seen = reader.read(event)
            engine.feed(seen.event_id, seen.time, seen.fields)
    return len(bodies) / (time.perf_counter() - start)


def _day() -> itertools.chain[bytes]:
    tenant, moment = TenantId(new_id()), datetime(2026, 1, 5, 8, tzinfo=UTC)
    callers = [
        Principal(ActorKind.KEY, str(new_id()), tenant_id=tenant, address=f"192.0.2.{number % 250}")
        for number in range(CALLERS)
    ]
    staff = [
        Principal(ActorKind.STAFF, str(new_id()), address=f"203.0.113.{number % 250}") for number in range(CALLERS)
    ]
    work: list[Details] = [RecordRead("people"), RecordCreated("people"), RecordsRead("people", 20)]

    def made(number: int) -> bytes:
        by, details, outcome = callers[number * 7 % CALLERS], work[number % len(work)], Outcome.SUCCESS
        on = Object("record", str(new_id()))
        if number % SELDOM == 0:
            by, details = anonymous(f"198.51.100.{number % 250}", new_id()), SignInFailed("credentials")
            on, outcome = Object("account", callers[number % CALLERS].id), Outcome.REFUSED
        elif number % SELDOM == 1:
            by, details = staff[number % len(staff)], SignedIn(["totp"])
        elif number % SELDOM == 2:
            details, outcome = AuthorisationFailed("GET /api/v1/tenants", 403), Outcome.REFUSED
        event = make_event(
            event_id=new_id(), time=moment + timedelta(seconds=number / 20), tenant=tenant, by=by, details=details,
            object_=on, outcome=outcome,
        )  # fmt: skip
        return msgspec.json.encode(event)

    return itertools.chain(map(made, itertools.count()))
