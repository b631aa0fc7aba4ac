"""Breaches: that an incident is one is an explicit act, and starts the clock (TOM 9.2)."""

import hashlib
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from bailee.access.store import accounts as account_rows
from bailee.events import Events, Object, verb
from bailee.events.catalogue import BreachDismissed, BreachReminded, BreachVerified, ReachComputed
from bailee.events.verbs import SYSTEM
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database, OperatorReader, OperatorWriter
from bailee.foundation.errors import Conflict, Error, FieldError, Invalid
from bailee.foundation.ids import TenantId
from bailee.foundation.mail import Mail
from bailee.foundation.principal import Principal, system
from bailee.foundation.texts import read_moment, read_prose
from bailee.incidents.errors import SecondPersonNeeded
from bailee.incidents.incidents import Incidents
from bailee.incidents.letters import Letters, when
from bailee.incidents.model import NOTICE_WITHIN, REMINDERS, Breach, Incident, Reach, Scope
from bailee.incidents.notices import Notices
from bailee.incidents.reach import Tracer
from bailee.incidents.stopwatch import advance, elapsed, this_machine
from bailee.incidents.store import breaches as rows
from bailee.incidents.store import incidents as incident_rows
from bailee.incidents.store import notices as notice_rows
from bailee.incidents.store import reach as reach_rows
from bailee.incidents.store.breaches import BreachRow

log = structlog.get_logger()

_CLOCK = system("clock")
_EARLIEST = timedelta(days=30)
_ESCALATES_AT = 75
_ALL_AT = 90
_EVERYBODY = ["owner", "security_officer", "data_protection"]


class Breaches:
    """Verification, extent and clock of breaches."""

    def __init__(
        self, database: Database, events: Events, incidents: Incidents, notices: Notices, tracer: Tracer, mail: Mail,
        letters: Letters, clock: Clock,
    ) -> None:  # fmt: skip
        self._database = database
        self._events = events
        self._incidents = incidents
        self._notices = notices
        self._tracer = tracer
        self._mail = mail
        self._letters = letters
        self._clock = clock

    async def find(self, tx: OperatorReader, incident_id: UUID) -> Breach | None:
        """The breach that an incident is, if it is one, with its clock as it stands."""
        row = await rows.find_breach(tx, incident_id)
        return self._breach(row) if row else None

    async def running(self, tx: OperatorReader) -> list[tuple[Incident, Breach]]:
        """Those whose clock runs, the most pressing first."""
        found = []
        for incident_id in await rows.list_running(tx):
            row = await rows.find_breach(tx, incident_id)
            if row is not None:
                found.append((await self._incidents.get(tx, incident_id), self._breach(row)))
        return found

    async def reaches(self, tx: OperatorReader, incident_id: UUID, *, limit: int = 20) -> list[Reach]:
        """What was computed of its blast radius, newest first."""
        return await reach_rows.list_reaches(tx, incident_id, limit)

    @verb(BreachVerified, permission="breaches.verify", step_up=True)
    async def verify(
        self, tx: OperatorWriter, incident_id: UUID, *, facts: str, by: Principal, at: datetime | None = None
    ) -> Breach:  # fmt: skip
        """Says that an incident is a breach of personal data: who says so, since when, on what facts. The 24 hours run
        from then. Drafts are made at once for the customers that the log names.

        Raises NotFound; Invalid; Conflict when it is verified already, or closed.
        """
        incident = await self._incidents.hold(tx, incident_id)
        if incident.breach == "verified":
            raise Conflict("This breach is verified already; its clock runs.")
        errors: list[FieldError] = []
        facts = read_prose("facts", facts, errors)
        now = self._clock.now()
        at = read_moment("at", at, errors, earliest=now - _EARLIEST, latest=now + timedelta(minutes=1))
        if errors:
            raise Invalid("The breach is not verified.", errors=errors)
        verified_at = min(at or now, now)
        machine = this_machine()
        row = BreachRow(
            incident_id, verified_at, by.id, facts, verified_at + NOTICE_WITHIN, now - verified_at, now, machine.boot,
            machine.booted_for, 0, None,
        )  # fmt: skip
        await rows.put_breach(tx, row)
        await incident_rows.update_breach(tx, incident_id, "verified")
        text = f"Verified as a breach of personal data. Customers are told by {when(row.due_at)}. Facts: {facts}"
        await self._incidents.write(tx, incident_id, "breach", text, by, at=verified_at)
        details = BreachVerified(hashlib.sha256(facts.encode()).hexdigest())
        await self._events.record(tx, details, by=by, on=_object(incident_id))
        reaches = await reach_rows.list_reaches(tx, incident_id, 1)
        if reaches:
            await self._notices.draft_all(tx, incident_id, reaches[0].tenants, by=by)
        return await self._get(tx, incident_id)

    @verb(BreachDismissed, permission="breaches.dismiss", step_up=True)
    async def dismiss(self, tx: OperatorWriter, incident_id: UUID, *, reason: str, by: Principal) -> Incident:
        """Says that it is none, and why. One that was verified takes a second person, and no notice sent.

        Raises NotFound, Invalid, SecondPersonNeeded, Conflict.
        """
        incident = await self._incidents.hold(tx, incident_id)
        errors: list[FieldError] = []
        reason = read_prose("reason", reason, errors)
        if errors:
            raise Invalid("The breach is not dismissed.", errors=errors)
        if incident.breach == "dismissed":
            raise Conflict("It has been said already that this is no breach.")
        row = await rows.find_breach(tx, incident_id)
        if row is not None:
            if row.verified_by == by.id:
                raise SecondPersonNeeded("You have verified it yourself. Somebody else has to say that it is none.")
            if any(one.sent for one in await notice_rows.list_concerned(tx, incident_id)):
                raise Conflict("A customer has been told of it. Send a correction instead.")
        await incident_rows.update_breach(tx, incident_id, "dismissed")
        await self._incidents.write(tx, incident_id, "breach", f"No breach of personal data: {reason}", by)
        await self._events.record(tx, BreachDismissed(), by=by, on=_object(incident_id))
        return await self._incidents.get(tx, incident_id)

    async def trace(self, incident_id: UUID, scope: Scope, *, by: Principal) -> Reach:
        """Computes the blast radius and keeps it with the incident. Of a verified breach drafts are made at once.

        Raises NotFound, Invalid, Conflict when it is closed.
        """
        async with self._database.operator_read() as reader:
            incident = await self._incidents.get(reader, incident_id)
        by.require("breaches.trace")
        computed = await self._tracer.compute(scope, by=by.id, synthetic=incident.exercise)
        async with self._database.operator() as tx:
            return await self.keep(tx, incident_id, computed.reach, computed.holders, by=by)

    @verb(ReachComputed, permission="breaches.trace")
    async def keep(
        self, tx: OperatorWriter, incident_id: UUID, reach: Reach, holders: dict[TenantId, set[bytes]], *, by: Principal
    ) -> Reach:
        """Keeps what was computed."""
        await self._incidents.hold(tx, incident_id)
        await reach_rows.insert_reach(tx, incident_id, reach)
        for tenant in reach.tenants:
            await notice_rows.put_subjects(
                tx, tenant.tenant_id, incident_id, sorted(holders.get(tenant.tenant_id, set()))
            )
        certain = sum(one.subjects_certain for one in reach.tenants)
        possible = sum(one.subjects_possible for one in reach.tenants)
        text = (
            f"Blast radius computed over {reach.events} events: {len(reach.tenants)} customers, {certain} people for "
            f"certain, up to {possible} more possibly"
        )
        await self._incidents.write(tx, incident_id, "reach", text, by, reference=str(reach.id))
        details = ReachComputed(len(reach.tenants), certain, possible)
        await self._events.record(tx, details, by=by, on=_object(incident_id))
        if await rows.find_breach(tx, incident_id) is not None:
            await self._notices.draft_all(tx, incident_id, reach.tenants, by=by)
        return reach

    # --- the clock --------------------------------------------------------------------------------------

    async def keep_time(self) -> None:
        """The round: reads every clock that runs, and reminds of it."""
        async with self._database.operator_read() as reader:
            running = await rows.list_running(reader)
        for incident_id in running:
            try:
                async with self._database.operator() as tx:
                    await self._tick(tx, incident_id)
            except Error:  # the other clocks are read all the same, and this one in a minute
                log.exception("a breach clock could not be read", incident=str(incident_id))

    async def _tick(self, tx: OperatorWriter, incident_id: UUID) -> None:
        await incident_rows.hold_incident(tx, incident_id)  # in the order in which notices hold them
        row = await rows.hold_running(tx, incident_id)
        if row is None:  # somebody has told the last customer meanwhile
            return
        mark = advance(row.mark, self._clock.now(), this_machine())
        share = elapsed(mark, row.verified_at) / NOTICE_WITHIN * 100
        due = [percent for percent in REMINDERS if row.reminded < percent <= share]
        await rows.update_clock(tx, incident_id, mark, max(due, default=row.reminded))
        if due:
            await self.remind(tx, incident_id, max(due), by=_CLOCK)

    @verb(BreachReminded, permission=SYSTEM)
    async def remind(self, tx: OperatorWriter, incident_id: UUID, percent: int, *, by: Principal) -> int:
        """Writes to the owner; from 75 % on to the deputy too, from 90 % on, or without an owner, to everybody in
        charge. How many that are.
        """
        incident = await self._incidents.get(tx, incident_id)
        row = await rows.find_breach(tx, incident_id)
        if row is None:
            raise Conflict("This incident is no verified breach.")
        people = [one for one in (incident.owner, incident.deputy if percent >= _ESCALATES_AT else None) if one]
        emails = {found.email for one in people if (found := await account_rows.find_account(tx, one)) is not None}
        if percent >= _ALL_AT or not emails:
            emails.update(await account_rows.list_staff_emails(tx, _EVERYBODY))
        for email in sorted(emails):
            await self._mail.queue(tx, self._letters.reminder(email, incident, self._breach(row), percent))
        escalated = percent >= _ESCALATES_AT
        text = f"{percent} % of the 24 hours have passed; {len(emails)} people reminded" \
            + (", the deputy among them" if escalated and incident.deputy else "")  # fmt: skip
        await self._incidents.write(tx, incident_id, "clock", text, by)
        details = BreachReminded(percent, len(emails), escalated)
        await self._events.record(tx, details, by=by, on=_object(incident_id))
        return len(emails)

    def _breach(self, row: BreachRow) -> Breach:
        mark = advance(row.mark, self._clock.now(), this_machine())
        return Breach(
            row.incident_id, row.verified_at, row.verified_by, row.facts, row.due_at, elapsed(mark, row.verified_at),
            row.reminded, row.told_at,
        )  # fmt: skip

    async def _get(self, tx: OperatorReader, incident_id: UUID) -> Breach:
        found = await self.find(tx, incident_id)
        if found is None:
            raise Conflict("This incident is no verified breach.")
        return found


def _object(incident_id: UUID) -> Object:
    return Object("incident", str(incident_id))
