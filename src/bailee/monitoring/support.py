"""Support cases: staff see what a customer stores only where, and as long as, the customer lets them (TOM 4.3).

Somebody of the staff asks for named collections, data subjects or records, for some hours, with a reason. Somebody of
the customer grants it, whole or in part, or does not. Whoever has asked, and nobody else, then reads within it; each
reading is an event in the customer's own log. It ends by itself, or as soon as either side ends it.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Literal
from uuid import UUID

from bailee.access.store import members as member_rows
from bailee.events import Events, Object, verb
from bailee.events.catalogue import (
    SupportEnded,
    SupportGranted,
    SupportListed,
    SupportRead,
    SupportRefused,
    SupportRequested,
)
from bailee.events.verbs import SYSTEM
from bailee.foundation.clock import Clock
from bailee.foundation.database import (
    Database,
    OperatorReader,
    OperatorWriter,
    Reader,
    TenantReader,
    TenantWriter,
    Writer,
)
from bailee.foundation.errors import Conflict, FieldError, Invalid, NotFound
from bailee.foundation.ids import TenantId, new_id
from bailee.foundation.jobs import Jobs
from bailee.foundation.mail import Mail, Message
from bailee.foundation.principal import ActorKind, Principal, system
from bailee.foundation.texts import read_prose
from bailee.monitoring.model import CaseState, SupportCase
from bailee.monitoring.store import support as rows
from bailee.monitoring.webhooks import Webhooks
from bailee.stores.model import CollectionRecord, Scope
from bailee.stores.reached import Reached
from bailee.stores.vault import Vault
from bailee.tenants.model import TenantState
from bailee.tenants.service import Tenants

MAX_HOURS = 168
MAX_ITEMS = 100
_DECIDERS = ["owner", "administrator", "privacy_officer"]
_CLOCK = system("clock")


class SupportCases:
    """The register of cases, and the reading within one."""

    def __init__(
        self, database: Database, events: Events, tenants: Tenants, vault: Vault, reached: Reached, mail: Mail,
        webhooks: Webhooks, base_url: str, clock: Clock,
    ) -> None:  # fmt: skip
        self._database = database
        self._events = events
        self._tenants = tenants
        self._vault = vault
        self._reached = reached
        self._mail = mail
        self._webhooks = webhooks
        self._base = base_url
        self._clock = clock

    def register(self, jobs: Jobs) -> None:
        """Ends cases by the minute."""
        jobs.every("* * * * *", "monitoring.support_cases", self.end_over)

    # --- looking --------------------------------------------------------------------------------------

    async def page(
        self, tx: Reader, *, state: str | None = None, tenant: UUID | None = None, before: UUID | None = None,
        limit: int = 100,
    ) -> list[SupportCase]:  # fmt: skip
        """Cases that `tx` may see, newest first."""
        return await rows.list_cases(tx, state=state, tenant=tenant, before=before, limit=limit)

    async def get(self, tx: Reader, case_id: UUID) -> SupportCase:
        """Raises NotFound, as for somebody else's."""
        found = await rows.find_case(tx, case_id)
        if found is None:
            raise NotFound
        return found

    async def subjects(self, tx: TenantReader, case_id: UUID) -> list[str]:
        """For the customer: whose data it is about, as far as there is any left."""
        scope = await self._scope(tx, case_id)
        return sorted((await self._reached.identifiers(tx, scope.holders)).values())

    # --- asking and granting --------------------------------------------------------------------------

    @verb(SupportRequested, permission="support_cases.request")
    async def request(
        self, tx: OperatorWriter, tenant_id: UUID, *, reason: str, hours: int, collections: Sequence[str],
        subjects: Sequence[str], records: Sequence[UUID], by: Principal,
    ) -> SupportCase:  # fmt: skip
        """Asks a customer to let this person see something. Those in charge there are written to.

        Raises NotFound, Invalid, Conflict for a customer that is not active.
        """
        tenant = await self._tenants.get(tx, tenant_id)
        if tenant.state is not TenantState.ACTIVE:
            raise Conflict(f"This customer is {tenant.state}.")
        errors: list[FieldError] = []
        reason = read_prose("reason", reason, errors, most=1000)
        _verify(hours, collections, subjects, records, errors)
        if errors:
            raise Invalid("The case is not opened.", errors=errors)
        holders = [await self._vault.holder(tenant.id, one) for one in subjects]
        scope = Scope(sorted(set(collections)), sorted(set(holders)), sorted(set(records)))
        case_id = new_id()
        await rows.insert_case(
            tx, tenant.id, case_id, reason=reason, asked_by=by.account_id, hours=hours, scope=scope
        )  # fmt: skip
        details = SupportRequested(len(scope.collections), len(scope.holders), len(scope.records), hours)
        await self._events.record(tx, details, by=by, on=_object(case_id), tenant=tenant.id)
        for email in await member_rows.list_emails_in(tx, tenant.id, _DECIDERS):
            await self._mail.queue(tx, self._letter(email, reason, case_id))
        await self._webhooks.tell(tx, tenant.id, "support", {"case": str(case_id), "hours": hours})
        return await self.get(tx, case_id)

    @verb(SupportGranted, permission="support_cases.grant", step_up=True)
    async def grant(
        self, tx: TenantWriter, case_id: UUID, *, by: Principal, hours: int | None = None,
        collections: Sequence[str] | None = None, subjects: Sequence[str] | None = None,
        records: Sequence[UUID] | None = None,
    ) -> SupportCase:  # fmt: skip
        """Lets them see it, for the hours that they have asked for or fewer. A list that is given takes the place of
        the one that was asked for, and holds nothing that was not in that. Raises NotFound, Invalid, Conflict.
        """
        case = await self._hold(tx, case_id, CaseState.REQUESTED)
        asked = await self._scope(tx, case_id)
        holders = asked.holders
        if subjects is not None:
            holders = [await self._vault.holder(tx.tenant, one) for one in subjects]
        scope = Scope(
            asked.collections if collections is None else list(collections), holders,
            asked.records if records is None else list(records),
        )  # fmt: skip
        granted = case.hours if hours is None else hours
        errors = []
        for name, given, wanted in (
            ("collections", set(scope.collections), set(asked.collections)),
            ("subjects", set(scope.holders), set(asked.holders)),
            ("records", set(scope.records), set(asked.records)),
        ):
            if not given <= wanted:
                errors.append(FieldError(name, "Grant what was asked for, or a part of it."))
        if not 1 <= granted <= case.hours:
            errors.append(FieldError("hours", f"Choose 1 to {case.hours} hours."))
        if not (scope.collections or scope.holders or scope.records):
            errors.append(FieldError("collections", "Leave something in, or refuse the case."))
        if errors:
            raise Invalid("The case is not granted.", errors=errors)
        await rows.set_granted(tx, case_id, scope, granted, by.id, self._clock.now() + timedelta(hours=granted))
        details = SupportGranted(len(scope.collections), len(scope.holders), len(scope.records), granted)
        await self._events.record(tx, details, by=by, on=_object(case_id))
        return await self.get(tx, case_id)

    @verb(SupportRefused, permission="support_cases.refuse")
    async def refuse(self, tx: TenantWriter, case_id: UUID, *, by: Principal) -> SupportCase:
        """Does not let them. Raises NotFound, Conflict."""
        await self._hold(tx, case_id, CaseState.REQUESTED)
        await rows.set_refused(tx, case_id, by.id)
        await self._events.record(tx, SupportRefused(), by=by, on=_object(case_id))
        return await self.get(tx, case_id)

    @verb(SupportEnded, permission="support_cases.end")
    async def end(self, tx: Writer, case_id: UUID, *, by: Principal) -> SupportCase:
        """Ends it at once: the next reading is refused. Raises NotFound, Conflict."""
        case = await self._hold(tx, case_id, CaseState.GRANTED, CaseState.REQUESTED)
        await rows.set_ended(tx, case_id, by.id)
        because: Literal["customer", "staff"] = "staff" if by.kind is ActorKind.STAFF else "customer"
        await self._events.record(tx, SupportEnded(because), by=by, on=_object(case_id), tenant=case.tenant_id)
        return await self.get(tx, case_id)

    @verb(SupportEnded, permission=SYSTEM)
    async def expire(self, tx: OperatorWriter, tenant: TenantId, case_id: UUID, *, by: Principal) -> None:
        """Says in the log that the time of a case was up."""
        await rows.set_ended(tx, case_id, by.id)
        await self._events.record(tx, SupportEnded("over"), by=by, on=_object(case_id), tenant=tenant)

    async def end_over(self) -> None:
        """The round."""
        async with self._database.operator_read() as reader:
            over = await rows.list_over(reader)
        for one in over:
            async with self._database.operator() as tx:
                await self.expire(tx, one.tenant_id, one.case_id, by=_CLOCK)

    # --- reading --------------------------------------------------------------------------------------

    async def admit(self, tx: OperatorReader, case_id: UUID, *, by: Principal) -> SupportCase:
        """The case, for whoever may read within it at this moment. Raises NotFound, Conflict."""
        case = await self.get(tx, case_id)
        if case.asked_by != by.account_id:
            raise NotFound  # whoever has not asked has nothing to see
        if case.state is not CaseState.GRANTED:
            raise Conflict(f"This case is {case.state}: nothing can be read within it.")
        return case

    @verb(SupportListed, permission="support_cases.list_records")
    async def records(
        self, tx: TenantWriter, case_id: UUID, *, after: UUID | None, limit: int, by: Principal
    ) -> tuple[list[CollectionRecord], UUID | None]:
        """A page of the records within a case, opened, and where the next begins. Raises NotFound, Conflict."""
        scope = await self._readable(tx, case_id, by)
        records, following = await self._vault.scoped(tx, scope, after=after, limit=limit)
        counts = Counter(one.collection for one in records)
        for name, count in counts.items() or [(None, 0)]:
            await self._events.record(tx, SupportListed(name, count, str(case_id)), by=by, on=_object(case_id))
        return records, following

    @verb(SupportRead, permission="support_cases.read_record")
    async def record(self, tx: TenantWriter, case_id: UUID, record_id: UUID, *, by: Principal) -> CollectionRecord:
        """One record within a case, opened. Raises NotFound for what is not there or not within it, Conflict."""
        scope = await self._readable(tx, case_id, by)
        found, _ = await self._vault.scoped(tx, scope, only=record_id)
        if not found:
            raise NotFound
        details = SupportRead(found[0].collection, str(case_id))
        await self._events.record(tx, details, by=by, on=Object("record", str(record_id)))
        return found[0]

    # --- inside ---------------------------------------------------------------------------------------

    async def _readable(self, tx: TenantWriter, case_id: UUID, by: Principal) -> Scope:
        """The scope, held: whoever ends the case waits for this reading, and the next one finds it ended."""
        case = await self._hold(tx, case_id, CaseState.GRANTED)
        if case.asked_by != by.account_id:
            raise NotFound
        return await self._scope(tx, case_id)

    async def _hold(self, tx: Writer, case_id: UUID, *states: CaseState) -> SupportCase:
        case = await rows.hold_case(tx, case_id)
        if case is None:
            raise NotFound
        if case.state not in states:
            raise Conflict(f"This case is {case.state}.")
        return case

    async def _scope(self, tx: Reader, case_id: UUID) -> Scope:
        found = await rows.find_scope(tx, case_id)
        if found is None:
            raise NotFound
        return found

    def _letter(self, to: str, reason: str, case_id: UUID) -> Message:
        return Message(
            to=to,
            subject="Our support asks to see some of your data",
            text=f"Somebody of our support asks you to let them see a part of what you store:\n\n{reason}\n\n"
            f"See what it is, and grant it, a part of it, or nothing: {self._base}/support/{case_id}\n\nWithout your "
            "grant nobody of us sees anything. While it lasts you see each reading, and can end it at any time.\n",
        )  # fmt: skip


def _verify(
    hours: int, collections: Sequence[str], subjects: Sequence[str], records: Sequence[UUID], errors: list[FieldError]
) -> None:
    if not 1 <= hours <= MAX_HOURS:
        errors.append(FieldError("hours", f"Choose 1 to {MAX_HOURS} hours."))
    if not (collections or subjects or records):
        errors.append(FieldError("collections", "Name a collection, a data subject or a record."))
    for name, items in (("collections", collections), ("subjects", subjects), ("records", records)):
        if len(items) > MAX_ITEMS:
            errors.append(FieldError(name, f"Name at most {MAX_ITEMS}."))


def _object(case_id: UUID) -> Object:
    return Object("support_case", str(case_id))
