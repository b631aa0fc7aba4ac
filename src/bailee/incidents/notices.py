"""Notices: what each customer is told of a breach, read by a second person, and sent (TOM 9.2, 9.3).

The first version is the notice; further ones supplement or correct it. Nothing is sent while a part of it says nothing.
"""

from datetime import datetime
from uuid import UUID

import msgspec

from bailee.access.store import members as member_rows
from bailee.events import Events, Object, verb
from bailee.events.catalogue import (
    NoticeApproved,
    NoticeDiscarded,
    NoticeEdited,
    NoticeRead,
    NoticesDrafted,
    NoticeSent,
    NoticeSubjectsListed,
)
from bailee.events.verbs import WITHIN
from bailee.foundation.clock import Clock
from bailee.foundation.database import OperatorReader, OperatorWriter, Reader, TenantReader, TenantWriter
from bailee.foundation.errors import Conflict, FieldError, Invalid, NotFound
from bailee.foundation.ids import TenantId, new_id
from bailee.foundation.mail import Mail
from bailee.foundation.principal import Principal
from bailee.foundation.settings import IncidentSettings
from bailee.foundation.texts import read_prose
from bailee.incidents.errors import NoticeIncomplete, SecondPersonNeeded
from bailee.incidents.incidents import Incidents
from bailee.incidents.letters import Letters
from bailee.incidents.model import (
    NOTICE_WITHIN,
    PARTS,
    Delivery,
    DeliveryState,
    Incident,
    Notice,
    NoticeState,
    ReachedCollection,
    ReachedTenant,
    Reading,
    Sureness,
)
from bailee.incidents.stopwatch import advance, elapsed, this_machine
from bailee.incidents.store import breaches as breach_rows
from bailee.incidents.store import incidents as incident_rows
from bailee.incidents.store import notices as rows
from bailee.incidents.store import reach as reach_rows
from bailee.incidents.store.breaches import BreachRow
from bailee.incidents.store.notices import NewNotice
from bailee.monitoring.webhooks import Webhooks
from bailee.stores.reached import Reached
from bailee.tenants.model import TenantKind
from bailee.tenants.service import Tenants

RECIPIENTS = ["owner", "administrator", "privacy_officer"]
"""The roles in a tenant whose holders are written to."""
_MAX_PART = 8000
_MOST_REACHES = 1000
_INTERNAL = frozenset({"edited_by", "edited_at", "approved_by", "approved_at", "sent_by"})
"""Who of us has written what is not for the customer."""


class NoticeSubject(msgspec.Struct, frozen=True):
    """A data subject that a notice concerns. `subject` is null when nothing is left of the person."""

    subject: str | None
    sureness: Sureness


class Notices:
    """The register of notices."""

    def __init__(
        self, events: Events, incidents: Incidents, tenants: Tenants, reached: Reached, mail: Mail,
        webhooks: Webhooks, letters: Letters,
        settings: IncidentSettings, clock: Clock,
    ) -> None:  # fmt: skip
        self._events = events
        self._incidents = incidents
        self._tenants = tenants
        self._reached = reached
        self._mail = mail
        self._webhooks = webhooks
        self._letters = letters
        self._settings = settings
        self._clock = clock
        mail.on_outcome(self._delivered)
        webhooks.on_outcome(self._delivered)

    # --- looking, as the operator ---------------------------------------------------------------------

    async def latest(self, tx: OperatorReader, incident_id: UUID) -> list[Notice]:
        """The latest version of the notice to each customer concerned."""
        return await rows.list_latest(tx, incident_id)

    async def get(self, tx: OperatorReader, incident_id: UUID, tenant_id: UUID) -> list[Notice]:
        """Every version of one customer's notice, oldest first. Raises NotFound."""
        found = await rows.list_versions(tx, tenant_id, incident_id)
        if not found:
            raise NotFound
        return found

    async def version(
        self, tx: Reader, tenant_id: UUID, incident_id: UUID, version: int
    ) -> tuple[Notice, list[ReachedCollection]]:
        """One version that `tx` may see, and what it is about. Raises NotFound."""
        for notice in await rows.list_versions(tx, tenant_id, incident_id):
            if notice.version == version:
                return notice, await rows.find_reached(tx, notice.tenant_id, incident_id, version)
        raise NotFound

    async def deliveries(self, tx: Reader, incident_id: UUID, tenant: TenantId) -> list[Delivery]:
        return await rows.list_deliveries(tx, tenant, incident_id)

    async def readings(self, tx: Reader, incident_id: UUID, tenant: TenantId) -> list[Reading]:
        return await rows.list_readings(tx, tenant, incident_id)

    # --- writing --------------------------------------------------------------------------------------

    @verb(NoticesDrafted, permission="notices.draft")
    async def draft(
        self, tx: OperatorWriter, incident_id: UUID, tenant_id: UUID, *, by: Principal
    ) -> Notice:  # fmt: skip
        """The first draft for a customer of whom the log knows nothing; or the next version after one that was sent.

        Raises NotFound; Conflict when the breach is not verified, or a draft is there.
        """
        incident = await self._incidents.hold(tx, incident_id)
        breach = await self._breach(tx, incident_id)
        tenant = await self._tenants.get(tx, tenant_id)
        if (tenant.kind is TenantKind.PROBE) is not incident.exercise:
            raise Conflict("Exercises are about synthetic customers, and nothing else is.")
        versions = await rows.list_versions(tx, tenant_id, incident_id)
        if versions and versions[-1].state is not NoticeState.SENT:
            raise Conflict("There is a draft for this customer already. Edit it.")
        if versions:
            last = versions[-1]
            new = NewNotice(
                tenant.id, incident_id, last.version + 1, incident.number, incident.exercise, last.nature, last.impact,
                last.mitigation_taken, last.mitigation_planned, last.contact, breach.verified_at, breach.due_at,
                sorted({*last.edited_by, by.id}), last.first_sent_at,
                await rows.find_reached(tx, tenant.id, incident_id, last.version),
            )  # fmt: skip
        else:
            unknown = ReachedTenant(tenant.id, tenant.name, None, None, [], 0, 0)
            named = (await self._named(tx, incident_id)).get(tenant.id, unknown)
            new = await self._first(tx, incident, breach, named, by)
        await rows.insert_notice(tx, new)
        await breach_rows.set_told(tx, incident_id, await self._told_at(tx, incident_id, breach))
        text = f"Version {new.version} of the notice to {tenant.name} drafted"
        await self._incidents.write(tx, incident_id, "notice", text, by, reference=str(tenant.id))
        await self._events.record(tx, NoticesDrafted(new.version), by=by, on=_object(incident_id, tenant.id))
        return await self._latest_of(tx, incident_id, tenant_id)

    @verb(NoticesDrafted, permission=WITHIN)
    async def draft_all(
        self, tx: OperatorWriter, incident_id: UUID, tenants: list[ReachedTenant], *, by: Principal
    ) -> int:
        """A draft for each customer that was reached and has none, prefilled; how many were made. A part of the verbs
        that find out who was reached.
        """
        incident = await self._incidents.hold(tx, incident_id)
        breach = await self._breach(tx, incident_id)
        present = {one.tenant_id for one in await rows.list_concerned(tx, incident_id)}
        for tenant in tenants:
            if tenant.tenant_id in present:
                await rows.update_reached(tx, tenant.tenant_id, incident_id, tenant.collections)
        new = [one for one in tenants if one.tenant_id not in present]
        for tenant in new:
            await rows.insert_notice(tx, await self._first(tx, incident, breach, tenant, by))
        if new:
            text = f"Notices drafted for {len(new)} customers"
            await self._incidents.write(tx, incident_id, "notice", text, by)
        await breach_rows.set_told(tx, incident_id, await self._told_at(tx, incident_id, breach))
        await self._events.record(tx, NoticesDrafted(1), by=by, on=Object("incident", str(incident_id)))
        return len(new)

    @verb(NoticeEdited, permission="notices.edit")
    async def edit(
        self, tx: OperatorWriter, incident_id: UUID, tenant_id: UUID, version: int, *, text: dict[str, str],
        by: Principal,
    ) -> Notice:  # fmt: skip
        """Writes parts of it; the others stay. It has to be approved again. Raises NotFound, Invalid, Conflict."""
        notice = await self._hold_unsent(tx, incident_id, tenant_id, version)
        errors: list[FieldError] = []
        parts = {
            name: read_prose(name, text.get(name, getattr(notice, name)), errors, most=_MAX_PART, required=False)
            for name in (*PARTS, "late_reason")
        }
        if errors:
            raise Invalid("The notice is not changed.", errors=errors)
        await rows.update_text(tx, notice, parts, by.id)
        text_of = f"Version {version} of the notice to {notice.tenant_name} edited"
        await self._incidents.write(tx, incident_id, "notice", text_of, by, reference=str(notice.tenant_id))
        await self._events.record(tx, NoticeEdited(version), by=by, on=_object(incident_id, notice.tenant_id))
        return await self._latest_of(tx, incident_id, tenant_id)

    @verb(NoticeDiscarded, permission="notices.discard")
    async def discard(
        self, tx: OperatorWriter, incident_id: UUID, tenant_id: UUID, version: int, *, reason: str, by: Principal
    ) -> None:
        """Throws a draft away: the customer is not concerned, or nothing is to be added. Whom the log names can only be
        excluded by a second person, with a fresh second factor.

        Raises NotFound, Invalid, SecondPersonNeeded, StepUpRequired, Conflict for what was sent.
        """
        notice = await self._hold_unsent(tx, incident_id, tenant_id, version)
        errors: list[FieldError] = []
        reason = read_prose("reason", reason, errors)
        if errors:
            raise Invalid("The draft is not discarded.", errors=errors)
        if version == 1 and notice.tenant_id in await self._named(tx, incident_id):
            by.require("notices.approve")
            by.require_step_up()
            if by.id in notice.edited_by:
                raise SecondPersonNeeded("The log names this customer. Somebody who has not written here excludes it.")
            await rows.exclude(tx, notice, reason, by.id)
        await rows.delete_draft(tx, notice)
        text = f"Draft {version} to {notice.tenant_name} discarded: {reason}"
        await self._incidents.write(tx, incident_id, "notice", text, by, reference=str(notice.tenant_id))
        await self._events.record(tx, NoticeDiscarded(version), by=by, on=_object(incident_id, notice.tenant_id))
        breach = await self._breach(tx, incident_id)
        await breach_rows.set_told(tx, incident_id, await self._told_at(tx, incident_id, breach))

    @verb(NoticeApproved, permission="notices.approve", step_up=True)
    async def approve(
        self, tx: OperatorWriter, incident_id: UUID, tenant_id: UUID, version: int, *, by: Principal
    ) -> Notice:
        """Finds a draft right, as somebody who has not written in it. Raises NotFound, NoticeIncomplete,
        SecondPersonNeeded, Conflict.
        """
        notice = await self._hold_unsent(tx, incident_id, tenant_id, version)
        _verify_complete(notice)
        if by.id in notice.edited_by:
            raise SecondPersonNeeded("You have written in this draft. Somebody else has to read and approve it.")
        await rows.set_approved(tx, notice, by.id)
        text = f"Version {version} of the notice to {notice.tenant_name} approved"
        await self._incidents.write(tx, incident_id, "notice", text, by, reference=str(notice.tenant_id))
        await self._events.record(tx, NoticeApproved(version), by=by, on=_object(incident_id, notice.tenant_id))
        return await self._latest_of(tx, incident_id, tenant_id)

    @verb(NoticeSent, permission="notices.send", step_up=True)
    async def send(
        self, tx: OperatorWriter, incident_id: UUID, tenant_id: UUID, version: int, *, by: Principal
    ) -> Notice:
        """Sends an approved version: into the portal at once, and by mail to those in charge at the customer. Of an
        exercise nothing leaves. Raises NotFound, NoticeIncomplete, SecondPersonNeeded, Conflict.
        """
        notice = await self._hold_unsent(tx, incident_id, tenant_id, version)
        _verify_complete(notice)
        if notice.state is not NoticeState.APPROVED:
            raise SecondPersonNeeded("This draft was not approved by a second person, or was changed since.")
        now = self._clock.now()
        breach = await self._breach(tx, incident_id)
        passed = elapsed(advance(breach.mark, now, this_machine()), breach.verified_at)
        late = version == 1 and (now > notice.due_at or passed > NOTICE_WITHIN)
        if late and not notice.late_reason:
            message = "More than 24 hours have passed: say why the notice comes late."
            raise Invalid("The notice is not sent.", errors=[FieldError("late_reason", message)])
        await rows.set_sent(tx, notice, by.id, now, late=late)
        sent = await self._latest_of(tx, incident_id, tenant_id)
        deliveries = await self._deliver(tx, sent, now)
        await rows.insert_deliveries(tx, sent, deliveries)
        text = f"Version {version} of the notice to {notice.tenant_name} sent, to {len(deliveries)} places"
        await self._incidents.write(tx, incident_id, "notice", text, by, reference=str(notice.tenant_id))
        details = NoticeSent(version, len(deliveries), late, notice.exercise)
        about = None if notice.exercise else notice.tenant_id
        await self._events.record(tx, details, by=by, on=_object(incident_id, notice.tenant_id), tenant=about)
        await breach_rows.set_told(tx, incident_id, await self._told_at(tx, incident_id, breach))
        return sent

    async def _deliver(self, tx: OperatorWriter, notice: Notice, now: datetime) -> list[Delivery]:
        def delivery(channel: str, to: str, state: DeliveryState, reason: str = "") -> Delivery:
            ended = None if state == "waiting" else now
            return msgspec.convert(
                {
                    "id": new_id(), "version": notice.version, "channel": channel, "recipient": to, "state": state,
                    "reason": reason, "queued_at": now, "ended_at": ended,
                },
                Delivery,
            )  # fmt: skip

        found = [delivery("portal", "", "exercise" if notice.exercise else "delivered")]
        recipients = await member_rows.list_emails_in(tx, notice.tenant_id, RECIPIENTS)
        if not recipients and not notice.exercise:
            found.append(delivery("mail", "", "failed", "nobody there has a role that is written to"))
        for email in recipients:
            if notice.exercise:
                found.append(delivery("mail", email, "exercise"))
                continue
            one = delivery("mail", email, "waiting")
            if not await self._mail.queue(tx, self._letters.notice(email, notice), mail_id=one.id):
                one = delivery("mail", email, "failed", "no mail server is set up")
            found.append(one)
        if not notice.exercise:
            facts = msgspec.to_builtins(notice, str_keys=True) | {"authority_by": notice.authority_by}
            facts = {name: value for name, value in facts.items() if name not in _INTERNAL}
            for delivery_id in await self._webhooks.tell(tx, notice.tenant_id, "notices", facts):
                waiting = delivery("webhook", "", "waiting")
                found.append(msgspec.structs.replace(waiting, id=delivery_id))
        return found

    async def _delivered(self, tx: OperatorWriter, mail_id: UUID, reason: str) -> None:
        await rows.end_delivery(tx, mail_id, "failed" if reason else "delivered", reason)

    # --- reading, as the customer ---------------------------------------------------------------------

    async def sent(self, tx: TenantReader, *, before: UUID | None = None, limit: int = 100) -> list[Notice]:
        """What the tenant was told, newest first: of each incident the latest version."""
        return await rows.list_sent(tx, before=before, limit=limit)

    @verb(NoticeRead, permission="notices.open")
    async def open(self, tx: TenantWriter, incident_id: UUID, *, by: Principal) -> list[Notice]:
        """Every version that the tenant was sent, oldest first; that they were read is on record. Raises NotFound."""
        found = await rows.list_versions(tx, tx.tenant, incident_id)
        if not found:
            raise NotFound
        for notice in found:
            await rows.put_reading(tx, incident_id, notice.version, UUID(by.id))
        await self._events.record(tx, NoticeRead(found[-1].version), by=by, on=Object("incident", str(incident_id)))
        return found

    async def reached(self, tx: TenantReader, incident_id: UUID, version: int) -> list[ReachedCollection]:
        """What of the tenant's data a version is about."""
        return await rows.find_reached(tx, tx.tenant, incident_id, version)

    @verb(NoticeSubjectsListed, permission="notices.list_subjects")
    async def list_subjects(
        self, tx: TenantWriter, incident_id: UUID, *, sureness: str, after: bytes | None, limit: int, by: Principal
    ) -> tuple[list[NoticeSubject], bytes | None]:
        """The data subjects concerned, in the order of their blind indexes, and where the next page begins: those who
        were reached for `certain`, or everybody who `possible`-y was. Raises NotFound, Invalid.
        """
        if sureness not in ("certain", "possible"):
            message = "Choose certain or possible."
            raise Invalid("The query is not valid.", errors=[FieldError("sureness", message)])
        versions = await rows.list_versions(tx, tx.tenant, incident_id)
        if not versions:
            raise NotFound
        if sureness == "certain":
            holders = await rows.list_subjects(tx, incident_id, after=after, limit=limit + 1)
        else:
            reached = await rows.find_reached(tx, tx.tenant, incident_id, versions[-1].version)
            names = [one.collection for one in reached if one.sureness == "possible" and one.collection]
            holders = await self._reached.holders_in(tx, names, after=after, limit=limit + 1)
        page = holders[:limit]
        names_of = await self._reached.identifiers(tx, page)
        details = NoticeSubjectsListed(len(page))
        await self._events.record(tx, details, by=by, on=Object("incident", str(incident_id)))
        listed = [NoticeSubject(names_of.get(one), msgspec.convert(sureness, Sureness)) for one in page]
        return listed, page[-1] if len(holders) > limit else None

    # --- inside ---------------------------------------------------------------------------------------

    async def _breach(self, tx: OperatorReader, incident_id: UUID) -> BreachRow:
        found = await breach_rows.find_breach(tx, incident_id)
        if found is None:
            raise Conflict("Customers are told of a breach that was verified: verify it first.")
        return found

    async def _hold_unsent(self, tx: OperatorWriter, incident_id: UUID, tenant_id: UUID, version: int) -> Notice:
        await self._incidents.hold(tx, incident_id)
        notice = await rows.hold_notice(tx, tenant_id, incident_id, version)
        if notice is None:
            raise NotFound
        if notice.state is NoticeState.SENT:
            raise Conflict("This version was sent. Draft a supplement to add to it or to correct it.")
        return notice

    async def _latest_of(self, tx: OperatorReader, incident_id: UUID, tenant_id: UUID) -> Notice:
        return (await self.get(tx, incident_id, tenant_id))[-1]

    async def _told_at(self, tx: OperatorReader, incident_id: UUID, breach: BreachRow) -> datetime | None:
        """When every customer concerned had its notice: now, before, or not yet.

        Concerned are those whom any blast radius of the incident names, but for whom a second person has excluded
        since, and those for whom somebody has drafted a notice. While that is nobody, the clock runs: a trace that
        finds nothing stops it as little as no trace.
        """
        concerned = {one.tenant_id: one.sent for one in await rows.list_concerned(tx, incident_id)}
        for tenant_id in await self._named(tx, incident_id):
            concerned.setdefault(tenant_id, False)
        if not concerned or not all(concerned.values()):
            return None
        return breach.told_at or self._clock.now()

    async def _named(self, tx: OperatorReader, incident_id: UUID) -> dict[TenantId, ReachedTenant]:
        """The customers whom a blast radius names that nobody has excluded since, as the latest one has them."""
        excluded = await rows.map_excluded(tx, incident_id)
        found: dict[TenantId, ReachedTenant] = {}
        for reach in reversed(await reach_rows.list_reaches(tx, incident_id, _MOST_REACHES)):
            for tenant in reach.tenants:
                if tenant.tenant_id not in excluded or reach.computed_at > excluded[tenant.tenant_id]:
                    found[tenant.tenant_id] = tenant
        return found

    async def _first(
        self, tx: OperatorReader, incident: Incident, breach: BreachRow, tenant: ReachedTenant, by: Principal
    ) -> NewNotice:
        """A draft, prefilled with what is known."""
        tasks = await incident_rows.list_tasks(tx, incident.id)
        entries = await incident_rows.list_entries(tx, incident.id, limit=1000)
        done = [f"– {one.title}" for one in tasks if one.done_at is not None and one.origin != "lesson"]
        done = [f"– {one.text.partition(': ')[2]}" for one in entries if one.kind == "phase"] + done
        planned = [f"– {one.title}" for one in tasks if one.done_at is None]
        return NewNotice(
            tenant.tenant_id, incident.id, 1, incident.number, incident.exercise, _nature(breach.facts, tenant),
            _impact(incident, tenant), "\n".join(done), "\n".join(planned), self._settings.contact, breach.verified_at,
            breach.due_at, sorted({by.id, breach.verified_by}), None, tenant.collections,
        )  # fmt: skip


def _verify_complete(notice: Notice) -> None:
    """Raises NoticeIncomplete, naming each part that says nothing."""
    if notice.missing:
        errors = [FieldError(part, f"Say it: {PARTS[part].lower()}.") for part in notice.missing]
        raise NoticeIncomplete("A notice says what happened, what follows, what is done about it, and whom to ask.",
                               errors=errors)  # fmt: skip


def _nature(facts: str, tenant: ReachedTenant) -> str:
    lines = [facts, ""]
    for one in tenant.collections:
        kinds = f" ({', '.join(one.categories).replace('_', ' ')})" if one.categories else ""
        name = f"“{one.title or one.collection}”{kinds}" if one.collection else "Files"
        people = f"{one.subjects_certain} people for certain"
        if one.subjects_possible:
            people += f", up to {one.subjects_possible} more possibly"
        lines.append(f"– {name}: {one.records} records read or changed; {people}.")
    if tenant.first_at and tenant.last_at:
        lines.append(
            f"\nThis happened between {tenant.first_at:%Y-%m-%d %H:%M} and {tenant.last_at:%Y-%m-%d %H:%M} UTC."
        )
    return "\n".join(lines).strip()


def _impact(incident: Incident, tenant: ReachedTenant) -> str:
    kinds = sorted({kind for one in tenant.collections for kind in one.categories})
    changed = sum(one.changes for one in tenant.collections)
    lines = [f"Data of these kinds may be known to somebody who must not know it: {', '.join(kinds)}."] if kinds else []
    if changed:
        lines.append(f"Data was changed or deleted in {changed} acts.")
    if lines:
        lines.append(f"We rate the likely harm to the people concerned as {incident.impact}.")
    return "\n".join(lines).replace("_", " ")


def _object(incident_id: UUID, tenant: TenantId) -> Object:
    return Object("notice", f"{incident_id}:{tenant}")
