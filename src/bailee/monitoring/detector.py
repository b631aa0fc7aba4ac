"""The detector: every event, in the order of the ledger, through every rule, within a second of its commit.

Durable after each step, and what a crash there leaves:

1. A batch of events is read, from the leaf that `detector_state` names. Crash: nothing has happened.
2. Alerts and what was learnt are written, and the next leaf, in one transaction. Crash before its commit: the batch is
   looked at again; after: it is not, and no alert is told twice or lost.
3. The state of counts and sequences is in memory alone. Whoever starts reads the events again that the longest window
   reaches back to, and tells nothing of them: from then on the state is as if nobody had stopped.

Two detectors exclude each other by a session-level advisory lock.
"""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast
from uuid import UUID

import msgspec
import structlog

from bailee.events import Event
from bailee.foundation.clock import Clock
from bailee.foundation.database import Connection, Database, OperatorReader, OperatorWriter
from bailee.foundation.errors import Error
from bailee.foundation.settings import Monitoring
from bailee.monitoring.alerts import Alerts, Raised
from bailee.monitoring.baselines import Familiar, Volumes
from bailee.monitoring.countries import Countries
from bailee.monitoring.fields import WHY, Reader, Seen
from bailee.monitoring.model import Level
from bailee.monitoring.sigma.engine import Engine, Match
from bailee.monitoring.sigma.rules import RuleSet, load
from bailee.monitoring.store import stream

log = structlog.get_logger()

RULES = Path(__file__).parent / "rules"
_LOCK = 0x6465746563  # "detec"
_BATCH = 2000
_PAUSE = 0.2
_LONGEST_REACH = timedelta(hours=24)


class Detector:
    """Looks at events as they come. One instance a worker process; the lock lets one of them work."""

    def __init__(
        self, database: Database, alerts: Alerts, rules: RuleSet, countries: Countries, clock: Clock
    ) -> None:  # fmt: skip
        self._database = database
        self._alerts = alerts
        self._rules = rules
        self._countries = countries
        self._clock = clock
        self._engine: Engine | None = None
        self._familiar = Familiar([])
        self._volumes = Volumes([])

    async def run(self) -> None:
        """Works until cancelled, through lost connections."""
        while True:
            try:
                async with self._database.session() as connection:
                    await self._hold_lock(connection)
                    self._engine = None
                    while True:
                        busy = await self.step()
                        await connection.execute("SELECT 1")  # the lock is ours while this session lives
                        await asyncio.sleep(0 if busy else _PAUSE)
            except asyncio.CancelledError:
                raise
            except Error as error:
                log.warning("detector waits", reason=error.code)
            except Exception:  # whatever it was, the events are still there
                log.exception("detector begins again")
            self._engine = None
            await asyncio.sleep(1)

    async def step(self) -> bool:
        """Looks at the next events; whether there may be more. What fails leaves everything as it was."""
        if self._engine is None:
            await self._begin()
        try:
            async with self._database.operator() as tx:
                return await self._look(tx)
        except BaseException:
            self._engine = None  # it has seen what nobody will know of
            raise

    async def _hold_lock(self, connection: Connection) -> None:
        while True:
            held = await (await connection.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,))).fetchone()
            if held and held[0]:
                return
            await asyncio.sleep(1)

    async def _begin(self) -> None:
        """Makes the state anew, from what is stored and from the events that windows reach back to."""
        engine = Engine(self._rules)
        async with self._database.operator_read() as tx:
            self._familiar = Familiar(await stream.list_familiar(tx))
            self._volumes = Volumes(await stream.list_volumes(tx))
            upto = await stream.find_next(tx)
            reach = min(timedelta(seconds=engine.reach), _LONGEST_REACH)
            leaf = await stream.first_since(tx, self._clock.now() - reach, upto)
            # Of those events everything was learnt when they were new.
            reader = Reader(self._countries, Familiar([]), Volumes([]))
            while leaf < upto:
                for one in await stream.list_from(tx, leaf, min(_BATCH, upto - leaf)):
                    seen = reader.read(_event(one))
                    engine.feed(seen.event_id, seen.time, seen.fields)
                leaf += _BATCH
        self._engine = engine

    async def _look(self, tx: OperatorWriter) -> bool:
        engine = self._engine
        if engine is None:
            return True
        leaf = await stream.lock_next(tx)
        end = min(await stream.count_leaves(tx), leaf + _BATCH)
        if end <= leaf:
            return False
        reader = Reader(self._countries, self._familiar, self._volumes)
        found: list[Raised] = []
        for one in await stream.list_from(tx, leaf, end - leaf):
            seen = reader.read(_event(one))
            matches = engine.feed(seen.event_id, seen.time, seen.fields)
            found += [raised_of(match, seen) for match in matches if match.level != "informational"]
        await self._alerts.take(tx, found)
        await stream.put_familiar(tx, self._familiar.take_changes())
        await stream.put_volumes(tx, self._volumes.take_changes())
        await stream.advance(tx, end)
        return True


class Lag(msgspec.Struct, frozen=True):
    """How far the detector is behind the ledger: how many events, and since when the oldest of them has its place."""

    events: int
    """Below zero when the detector is where no event is yet."""
    seconds: int


async def lag_of(tx: OperatorReader, now: datetime) -> Lag:
    """The detector's lag at this moment."""
    leaf = await stream.find_next(tx)
    oldest = await stream.find_time(tx, leaf)
    waits = max(int((now - oldest).total_seconds()), 0) if oldest else 0
    return Lag(await stream.count_leaves(tx) - leaf, waits)


def rule_folders(settings: Monitoring) -> list[Path]:
    """Where rules and their trials are: those that ship, and the operator's own."""
    return [RULES, *([Path(settings.rules)] if settings.rules else [])]


def load_rules(settings: Monitoring) -> RuleSet:
    """The rules that ship, and the operator's own."""
    return load(rule_folders(settings), settings.lists)


def raised_of(match: Match, seen: Seen) -> Raised:
    """What a match becomes. A rule about one event is told once for each caller."""
    fields = seen.fields
    group = match.group or {name: fields[name] for name in ("actor.id", "address") if fields.get(name)}
    if match.group == {} and "actor.id" in group:
        group.pop("address", None)
    return Raised(
        UUID(match.rule_id), match.title, cast("Level", match.level), group, str(fields.get(WHY) or _why(match)),
        match.time, [UUID(one) for one in match.event_ids], match.metric,
    )  # fmt: skip


def _why(match: Match) -> str:
    if match.metric is None:
        return "One event was enough."
    shared = ", ".join(match.group) or "everything"
    return f"{match.metric:,.0f} within the rule's time, by {shared}."


def _event(one: stream.Streamed) -> Event:
    return msgspec.json.decode(one.body, type=Event)
