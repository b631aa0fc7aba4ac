"""Exercises: the whole path on synthetic customers, from the first trace in the log to the last notice, with the time.

A tabletop exercise is begun, and then people do everything as they would in earnest. A drill does it all by itself, as
two persons who do not exist, and tries on its way what has to be refused. Notices of either never leave.
"""

from datetime import timedelta
from uuid import UUID

import msgspec

from bailee.events import Events, Object, verb
from bailee.events.catalogue import ExerciseEnded
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database, OperatorReader, OperatorWriter
from bailee.foundation.errors import Conflict, Error
from bailee.foundation.ids import new_id
from bailee.foundation.principal import ActorKind, Principal
from bailee.incidents.breaches import Breaches
from bailee.incidents.errors import NoticeIncomplete, SecondPersonNeeded
from bailee.incidents.incidents import Incidents
from bailee.incidents.model import PARTS, ExerciseResult, Incident, Notice, NoticeState, Phase, Scope
from bailee.incidents.notices import Notices
from bailee.incidents.store import breaches as rows
from bailee.incidents.store import incidents as incident_rows
from bailee.stores.probes import COLLECTION, Probe, Probes
from bailee.stores.subjects import Subjects
from bailee.stores.vault import Vault

_ADDRESS = "192.0.2.66"
"""Of the intruder: an address that nobody has (RFC 5737)."""
_TEXTS = {part: f"Said for the exercise: {text.lower()}." for part, text in PARTS.items()}
_FACTS = "In this exercise an API key was stolen, and used to read what two synthetic customers have stored."


class Trace(msgspec.Struct, frozen=True):
    """What the intruder of an exercise has left: where to look, and what is to be found there."""

    scope: Scope
    probes: tuple[Probe, Probe]


class Exercises:
    """Begins and ends exercises, and drills."""

    def __init__(
        self, database: Database, events: Events, incidents: Incidents, breaches: Breaches, notices: Notices,
        probes: Probes, vault: Vault, subjects: Subjects, clock: Clock,
    ) -> None:  # fmt: skip
        self._database = database
        self._events = events
        self._incidents = incidents
        self._breaches = breaches
        self._notices = notices
        self._probes = probes
        self._vault = vault
        self._subjects = subjects
        self._clock = clock

    async def page(self, tx: OperatorReader, *, limit: int = 100) -> list[ExerciseResult]:
        """How the last exercises went, newest first."""
        return await rows.list_exercises(tx, limit)

    async def begin(self, *, by: Principal) -> Incident:
        """Has an intruder read from two synthetic customers, and opens the incident that people are to handle."""
        by.require("exercises.run")
        return (await self._begin(by))[0]

    async def _begin(self, by: Principal) -> tuple[Incident, Trace]:
        trace = await self._intrude()
        key, window = trace.scope.keys[0], f"{trace.scope.since:%Y-%m-%d %H:%M:%S} to {trace.scope.until:%H:%M:%S} UTC"
        async with self._database.operator() as tx:
            incident = await self._incidents.open(
                tx, title="Exercise: a stolen API key", impact="serious", extent="some", exercise=True, by=by,
                summary=f"The API key {key} was used from {_ADDRESS} by somebody it does not belong to, from "
                f"{window}. This is an exercise with synthetic customers: handle it as if it were none.",
            )  # fmt: skip
            await self._incidents.follow_playbook(tx, incident.id, "stolen-credentials", by=by)
        return incident, trace

    async def _intrude(self) -> Trace:
        first, second = await self._probes.plant()
        key = new_id()
        since = self._clock.now()
        for probe in (first, second):
            thief = Principal(
                ActorKind.KEY, str(key), frozenset({"records.read", "subjects.view"}), probe.tenant, address=_ADDRESS
            )
            async with self._database.tenant(probe.tenant) as tx:
                await self._vault.read(tx, COLLECTION, probe.record, by=thief)
                await self._subjects.view(tx, probe.subject, after=None, limit=10, by=thief)
        return Trace(Scope(since, self._clock.now() + timedelta(seconds=1), keys=[key]), (first, second))

    async def end(self, incident_id: UUID, *, by: Principal) -> ExerciseResult:
        """Ends a tabletop exercise, and keeps how it went. Raises NotFound, Conflict."""
        by.require("exercises.run")
        async with self._database.operator() as tx:
            incident = await self._incidents.hold(tx, incident_id)
            if not incident.exercise:
                raise Conflict("This incident is no exercise.")
            breach = await rows.find_breach(tx, incident_id)
            faults = []
            if breach is None:
                faults.append("The breach was not verified.")
            elif breach.told_at is None:
                faults.append("Not every customer concerned was told.")
            elif breach.told_at > breach.due_at:
                faults.append("Customers were told after the 24 hours.")
            told = breach.told_at - breach.verified_at if breach and breach.told_at else timedelta(0)
            notices = await self._notices.latest(tx, incident_id)
            result = ExerciseResult(
                new_id(), incident_id, incident.opened_at, self._clock.now(), by.id, len(notices),
                round(told.total_seconds(), 3), not faults, faults, drill=False,
            )  # fmt: skip
            return await self.keep(tx, result, by=by)

    @verb(ExerciseEnded, permission="exercises.run")
    async def keep(self, tx: OperatorWriter, result: ExerciseResult, *, by: Principal) -> ExerciseResult:
        """Keeps how an exercise went, and closes its incident."""
        await rows.insert_exercise(tx, result)
        if result.incident_id is not None:
            verdict = "passed" if result.passed else "failed: " + " ".join(result.faults)
            text = f"Exercise {verdict}, {result.seconds} s from the verification to the last notice"
            await self._incidents.write(tx, result.incident_id, "exercise", text, by)
            await incident_rows.update_phase(tx, result.incident_id, Phase.CLOSED)
        on = Object("exercise", str(result.id))
        await self._events.record(tx, ExerciseEnded(int(result.seconds), result.passed), by=by, on=on)
        return result

    # --- the drill --------------------------------------------------------------------------------------

    async def drill(self, *, by: Principal) -> ExerciseResult:
        """Goes the whole path by itself. What does not go as it has to is a fault of the result."""
        by.require("exercises.run")
        began_at = self._clock.now()
        writer, reader = _person("drill-writer"), _person("drill-reader")
        faults: list[str] = []
        incident_id: UUID | None = None
        told = timedelta(0)
        try:
            incident, trace = await self._begin(writer)
            incident_id = incident.id
            await self._trace(incident_id, trace, writer, faults)
            async with self._database.operator() as tx:
                await self._breaches.verify(tx, incident_id, facts=_FACTS, by=writer)
                drafts = await self._notices.latest(tx, incident_id)
            if {one.tenant_id for one in drafts} != {one.tenant for one in trace.probes}:
                faults.append("The verification did not make a draft for each customer that was reached.")
            for draft in drafts:
                await self._tell(draft, writer, reader, faults)
            async with self._database.operator_read() as view:
                breach = await rows.find_breach(view, incident_id)
            if breach is None or breach.told_at is None:
                faults.append("The clock did not stop when the last customer was told.")
            else:
                told = breach.told_at - breach.verified_at
        except Error as error:
            faults.append(f"The path broke off: {error.detail}")
        result = ExerciseResult(
            new_id(), incident_id, began_at, self._clock.now(), by.id, 2, round(told.total_seconds(), 3), not faults,
            faults, drill=True,
        )  # fmt: skip
        async with self._database.operator() as tx:
            return await self.keep(tx, result, by=by)

    async def _trace(self, incident_id: UUID, trace: Trace, writer: Principal, faults: list[str]) -> None:
        reach = await self._breaches.trace(incident_id, trace.scope, by=writer)
        found = {one.tenant_id: (one.subjects_certain, one.sureness) for one in reach.tenants}
        if found != {one.tenant: (1, "certain") for one in trace.probes}:
            faults.append("The blast radius is not what the intruder has reached.")

    async def _tell(self, draft: Notice, writer: Principal, reader: Principal, faults: list[str]) -> None:
        place = (draft.incident_id, draft.tenant_id, draft.version)
        async with self._database.operator() as tx:
            await self._notices.edit(tx, *place, text={**_TEXTS, "impact": ""}, by=writer)
        await self._expect(NoticeIncomplete, "approve", place, reader, faults)
        async with self._database.operator() as tx:
            await self._notices.edit(tx, *place, text=_TEXTS, by=writer)
        await self._expect(SecondPersonNeeded, "approve", place, writer, faults)
        await self._expect(SecondPersonNeeded, "send", place, writer, faults)
        async with self._database.operator() as tx:
            await self._notices.approve(tx, *place, by=reader)
            sent = await self._notices.send(tx, *place, by=writer)
            deliveries = await self._notices.deliveries(tx, draft.incident_id, draft.tenant_id)
        if sent.state is not NoticeState.SENT or any(one.state != "exercise" for one in deliveries):
            faults.append("A notice of an exercise was not sent, or left the house.")

    async def _expect(
        self, refusal: type[Error], act: str, place: tuple[UUID, UUID, int], by: Principal, faults: list[str]
    ) -> None:
        """Tries what has to be refused."""
        try:
            async with self._database.operator() as tx:
                if act == "approve":
                    await self._notices.approve(tx, *place, by=by)
                else:
                    await self._notices.send(tx, *place, by=by)
        except refusal:
            return
        faults.append(f"To {act} was not refused, as it has to be: {refusal.title.lower()}.")


def _person(name: str) -> Principal:
    return Principal(ActorKind.SYSTEM, name, frozenset({Principal.EVERYTHING}))
