"""The verbs of legal holds. Whoever asks for one, for its end or for its extension needs a second person.

While a hold is only asked for, nothing moves. Approval makes its key, and leaves the job that moves what it covers to
the archive; from then on that data is reached here alone, for a purpose that the kind of the hold admits, and each
reading is an event.
"""

from collections.abc import AsyncIterator
from datetime import date
from typing import Literal
from uuid import UUID

import msgspec

from bailee.encryption.service import Keyring
from bailee.events import Events, Object, verb
from bailee.events.catalogue import (
    ArchiveRead,
    HoldApproved,
    HoldChangeDecided,
    HoldChangeRequested,
    HoldRefused,
    HoldRequested,
    HoldWithdrawn,
)
from bailee.events.model import Outcome
from bailee.events.verbs import WITHIN
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database, Reader, TenantReader, TenantWriter
from bailee.foundation.errors import Conflict, FieldError, Invalid, NotFound
from bailee.foundation.ids import TenantId, new_id
from bailee.foundation.jobs import Jobs
from bailee.foundation.principal import ActorKind, Forbidden, Principal
from bailee.foundation.texts import read_prose
from bailee.retention.archive import Archive, archive_lock
from bailee.retention.errors import PurposeRefused, SecondPersonNeeded
from bailee.retention.model import (
    ADMITS,
    EXTEND_REASON,
    LIFT_REASONS,
    MAX_YEARS,
    ArchivePage,
    Hold,
    HoldChange,
    HoldKind,
    HoldState,
    Purpose,
    TerminationState,
)
from bailee.retention.store import holds as rows
from bailee.retention.store.terminations import find_termination
from bailee.stores.durations import Duration
from bailee.stores.model import Scope, StoredFile
from bailee.stores.vault import Vault

ARCHIVE_JOB = "retention.archive"
APPROVE = "holds.approve"
MAX_ITEMS = 1000
_MAX_BASIS = 500


class NewHold(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be held, why, and until which day. Scope: everything, or collections, data subjects, records."""

    kind: HoldKind
    basis: str
    ends_on: date
    everything: bool = False
    collections: list[str] = []
    subjects: list[str] = []
    records: list[UUID] = []


class Holds:
    """The holds of one tenant at a time, for its own people."""

    def __init__(
        self, database: Database, keyring: Keyring, vault: Vault, archive: Archive, events: Events, jobs: Jobs,
        clock: Clock,
    ) -> None:  # fmt: skip
        self._database = database
        self._keyring = keyring
        self._vault = vault
        self._archive = archive
        self._events = events
        self._jobs = jobs
        self._clock = clock

    async def page(
        self, tx: Reader, *, state: str | None = None, tenant: UUID | None = None, before: UUID | None = None,
        limit: int = 100,
    ) -> list[Hold]:  # fmt: skip
        """Holds that `tx` may see, newest first."""
        return await rows.list_holds(tx, state=state, tenant=tenant, before=before, limit=limit)

    async def get(self, tx: Reader, hold_id: UUID) -> Hold:
        """Raises NotFound."""
        found = await rows.find_hold(tx, hold_id)
        if found is None:
            raise NotFound
        return found

    # --- asking, and the second person ------------------------------------------------------------------

    @verb(HoldRequested, permission="holds.request", step_up=True)
    async def request(self, tx: TenantWriter, new: NewHold, *, by: Principal) -> Hold:
        """Asks for a hold. Raises Invalid."""
        errors: list[FieldError] = []
        basis = read_prose("basis", new.basis, errors, most=_MAX_BASIS)
        self._verify_end(new.ends_on, errors)
        parts = {"collections": len(new.collections), "subjects": len(new.subjects), "records": len(new.records)}
        if new.everything == any(parts.values()):
            errors.append(FieldError("everything", "Hold everything, or name collections, data subjects or records."))
        for name, count in parts.items():
            if count > MAX_ITEMS:
                errors.append(FieldError(name, f"Name at most {MAX_ITEMS}."))
        if errors:
            raise Invalid("The hold is not asked for.", errors=errors)
        holders = sorted({await self._vault.holder(tx.tenant, one) for one in new.subjects})
        scope = Scope(sorted(set(new.collections)), holders, sorted(set(new.records)))
        hold_id = new_id()
        await rows.insert_hold(
            tx, hold_id, origin="person", kind=new.kind, basis=basis, everything=new.everything, scope=scope,
            ends_on=new.ends_on, by=person_of(by), at=self._clock.now(),
        )  # fmt: skip
        details = HoldRequested(
            new.kind.value, new.everything, len(scope.collections), len(scope.holders), len(scope.records)
        )
        await self._events.record(tx, details, by=by, on=_object(hold_id))
        return await self.get(tx, hold_id)

    @verb(HoldWithdrawn, permission="holds.withdraw")
    async def withdraw(self, tx: TenantWriter, hold_id: UUID, *, by: Principal) -> Hold:
        """Takes back what was asked for and is not decided. Raises NotFound, Conflict."""
        await self._held(tx, hold_id, HoldState.REQUESTED)
        await rows.set_state(tx, hold_id, HoldState.WITHDRAWN)
        await self._events.record(tx, HoldWithdrawn(), by=by, on=_object(hold_id))
        return await self.get(tx, hold_id)

    @verb(HoldApproved, permission=APPROVE, step_up=True)
    async def approve(self, tx: TenantWriter, hold_id: UUID, *, by: Principal) -> Hold:
        """Puts the hold into force, as another person than who asked. Raises NotFound, Conflict, SecondPersonNeeded."""
        return await self.put_into_force(tx, hold_id, by=by)

    @verb(HoldApproved, permission=WITHIN)
    async def put_into_force(self, tx: TenantWriter, hold_id: UUID, *, by: Principal) -> Hold:
        """What both ways share."""
        hold = await self._held(tx, hold_id, HoldState.REQUESTED)
        _verify_other(hold.requested_by, by)
        if hold.ends_on < self._today():
            raise Conflict("Its last day has passed; ask for another.")
        # The key first: if this transaction fails it belongs to nothing, and opens nothing.
        key = await self._keyring.new_archive_key(tx.tenant)
        await rows.set_decided(tx, hold_id, HoldState.ACTIVE, person_of(by), self._clock.now(), key.key_id)
        await self._work(tx, hold_id)
        await self._events.record(tx, HoldApproved(hold.kind.value), by=by, on=_object(hold_id))
        return await self.get(tx, hold_id)

    @verb(HoldRefused, permission="holds.refuse")
    async def refuse(self, tx: TenantWriter, hold_id: UUID, *, by: Principal) -> Hold:
        """Does not put it into force, as another person than who asked. Raises NotFound, Conflict."""
        return await self.turn_down(tx, hold_id, by=by)

    @verb(HoldRefused, permission=WITHIN)
    async def turn_down(self, tx: TenantWriter, hold_id: UUID, *, by: Principal) -> Hold:
        """What both ways share."""
        hold = await self._held(tx, hold_id, HoldState.REQUESTED)
        _verify_other(hold.requested_by, by)
        await rows.set_decided(tx, hold_id, HoldState.REFUSED, person_of(by), self._clock.now(), None)
        await self._events.record(tx, HoldRefused(), by=by, on=_object(hold_id))
        return await self.get(tx, hold_id)

    # --- lifting and extending --------------------------------------------------------------------------

    @verb(HoldChangeRequested, permission="holds.lift", step_up=True)
    async def ask_to_lift(self, tx: TenantWriter, hold_id: UUID, *, reason: str, by: Principal) -> Hold:
        """Asks to undo a hold, so that its data moves back. Raises NotFound, Conflict, Invalid."""
        verify_reason(reason)
        return await self.ask(tx, hold_id, HoldChange.LIFT, reason, None, by=by)

    @verb(HoldChangeRequested, permission="holds.extend", step_up=True)
    async def ask_to_extend(self, tx: TenantWriter, hold_id: UUID, *, ends_on: date, by: Principal) -> Hold:
        """Asks for a later last day. Raises NotFound, Conflict, Invalid."""
        await self.verify_later(tx, hold_id, ends_on)
        return await self.ask(tx, hold_id, HoldChange.EXTEND, EXTEND_REASON, ends_on, by=by)

    @verb(HoldChangeRequested, permission=WITHIN)
    async def ask(
        self, tx: TenantWriter, hold_id: UUID, change: Literal[HoldChange.LIFT, HoldChange.EXTEND], reason: str,
        to: date | None, *, by: Principal,
    ) -> Hold:  # fmt: skip
        """What both share."""
        hold = await self._held(tx, hold_id, HoldState.ACTIVE)
        if hold.change is not HoldChange.NONE:
            raise Conflict("Something has been asked for already; decide that first.")
        if hold.origin == "floor":
            raise Conflict("The law imposed this by a floor; it ends on its day.")
        await rows.set_change(tx, hold_id, change, person_of(by), reason, to)
        details = msgspec.convert({"change": change.value, "reason": reason}, HoldChangeRequested)
        await self._events.record(tx, details, by=by, on=_object(hold_id))
        return await self.get(tx, hold_id)

    @verb(HoldChangeDecided, permission="holds.decide_change", step_up=True)
    async def decide_change(self, tx: TenantWriter, hold_id: UUID, *, approved: bool, by: Principal) -> Hold:
        """Decides what was asked for, as another person than who asked. Raises NotFound, Conflict."""
        return await self.decide(tx, hold_id, approved=approved, by=by)

    @verb(HoldChangeDecided, permission=WITHIN)
    async def decide(self, tx: TenantWriter, hold_id: UUID, *, approved: bool, by: Principal) -> Hold:
        """What both ways share."""
        hold = await self._held(tx, hold_id, HoldState.ACTIVE)
        if hold.change is HoldChange.NONE:
            raise Conflict("Nothing has been asked for.")
        if approved:
            _verify_other(hold.change_by or "", by)
        await rows.set_change(tx, hold_id, HoldChange.NONE, None, "", None)
        if approved and hold.change is HoldChange.EXTEND and hold.change_to is not None:
            await rows.set_end(tx, hold_id, hold.change_to)
        elif approved:
            # Where the contract has ended there is nowhere for the data to move back to: it is deleted with the rest.
            over = await find_termination(tx, tx.tenant)
            gone = over is not None and over.state in (TerminationState.DELETING, TerminationState.HELD)
            await rows.set_state(tx, hold_id, HoldState.ENDING if gone else HoldState.LIFTING)
            await self._work(tx, hold_id)
        details = msgspec.convert({"change": hold.change.value, "approved": approved}, HoldChangeDecided)
        await self._events.record(tx, details, by=by, on=_object(hold_id))
        return await self.get(tx, hold_id)

    # --- looking ----------------------------------------------------------------------------------------

    async def look(
        self, tenant: TenantId, hold_id: UUID, *, purpose: Purpose, after: UUID | None, limit: int, by: Principal
    ) -> ArchivePage:
        """A page of what a hold covers. Raises NotFound, Conflict, and PurposeRefused, which is on record too."""
        try:
            async with self._database.tenant(tenant) as tx:
                return await self.read(tx, hold_id, purpose=purpose, after=after, limit=limit, by=by)
        except PurposeRefused:
            await self.keep_refusal(tenant, hold_id, purpose, by)
            raise

    async def open_file(
        self, tenant: TenantId, hold_id: UUID, file_id: UUID, *, purpose: Purpose, by: Principal
    ) -> tuple[StoredFile, AsyncIterator[bytes]]:
        """An archived file and its content. Errors as for `look`."""
        try:
            async with self._database.tenant(tenant) as tx:
                return await self.read_file(tx, hold_id, file_id, purpose=purpose, by=by)
        except PurposeRefused:
            await self.keep_refusal(tenant, hold_id, purpose, by)
            raise

    @verb(ArchiveRead, permission="holds.look", step_up=True)
    async def read(
        self, tx: TenantWriter, hold_id: UUID, *, purpose: Purpose, after: UUID | None, limit: int, by: Principal
    ) -> ArchivePage:
        """Within a transaction that records it."""
        return await self.give_page(tx, hold_id, purpose=purpose, after=after, limit=limit, by=by)

    @verb(ArchiveRead, permission=WITHIN)
    async def give_page(
        self, tx: TenantWriter, hold_id: UUID, *, purpose: Purpose, after: UUID | None, limit: int, by: Principal
    ) -> ArchivePage:
        """What both ways share."""
        await self._admit(tx, hold_id, purpose)
        found = await self._archive.page(tx, hold_id, after=after, limit=limit)
        details = ArchiveRead(str(hold_id), purpose.value, len(found.records) + len(found.files))
        await self._events.record(tx, details, by=by, on=_object(hold_id))
        return found

    @verb(ArchiveRead, permission="holds.open_file", step_up=True)
    async def read_file(
        self, tx: TenantWriter, hold_id: UUID, file_id: UUID, *, purpose: Purpose, by: Principal
    ) -> tuple[StoredFile, AsyncIterator[bytes]]:
        """Within a transaction that records it."""
        return await self.give_file(tx, hold_id, file_id, purpose=purpose, by=by)

    @verb(ArchiveRead, permission=WITHIN)
    async def give_file(
        self, tx: TenantWriter, hold_id: UUID, file_id: UUID, *, purpose: Purpose, by: Principal
    ) -> tuple[StoredFile, AsyncIterator[bytes]]:
        """What both ways share."""
        await self._admit(tx, hold_id, purpose)
        opened = await self._archive.open_file(tx, hold_id, file_id)
        await self._events.record(tx, ArchiveRead(str(hold_id), purpose.value, 1), by=by, on=_object(hold_id))
        return opened

    async def _admit(self, tx: TenantWriter, hold_id: UUID, purpose: Purpose) -> Hold:
        hold = await self._held(tx, hold_id, HoldState.ACTIVE)
        if purpose not in ADMITS[hold.kind]:
            fitting = ", ".join(sorted(ADMITS[hold.kind]))
            raise PurposeRefused(f"What is kept for this is looked at for nothing else. It admits: {fitting}.")
        return hold

    async def keep_refusal(self, tenant: TenantId, hold_id: UUID, purpose: Purpose, by: Principal) -> None:
        """Puts on record that somebody wanted to look and was not let."""
        async with self._database.tenant(tenant) as tx:
            await self._events.record(
                tx, ArchiveRead(str(hold_id), purpose.value, 0), by=by, on=_object(hold_id), outcome=Outcome.REFUSED
            )

    # --- inside -----------------------------------------------------------------------------------------

    async def _held(self, tx: TenantWriter, hold_id: UUID, state: HoldState) -> Hold:
        hold = await rows.hold_hold(tx, hold_id)
        if hold is None:
            raise NotFound
        if hold.state is not state:
            raise Conflict(f"This hold is {hold.state}.")
        return hold

    async def _work(self, tx: TenantWriter, hold_id: UUID) -> None:
        await self._jobs.enqueue(
            tx, ARCHIVE_JOB, lock=archive_lock(tx.tenant), tenant_id=str(tx.tenant), hold_id=str(hold_id)
        )

    async def verify_later(self, tx: TenantReader, hold_id: UUID, ends_on: date) -> None:
        """Raises Invalid for a day that does not extend the hold, NotFound."""
        errors: list[FieldError] = []
        self._verify_end(ends_on, errors)
        if ends_on <= (await self.get(tx, hold_id)).ends_on and not errors:
            errors.append(FieldError("ends_on", "Give a day after the present last one; to end it sooner, lift it."))
        if errors:
            raise Invalid("Nothing was asked for.", errors=errors)

    def _verify_end(self, ends_on: date, errors: list[FieldError]) -> None:
        latest = Duration(MAX_YEARS * 12, 0).after(self._clock.now()).date()
        if not self._today() <= ends_on <= latest:
            errors.append(FieldError("ends_on", f"Give a day from today to {latest:%Y-%m-%d}."))

    def _today(self) -> date:
        return self._clock.now().date()


def person_of(by: Principal) -> str:
    """Only people hold something, let it go, or end a contract. Raises Forbidden for a machine."""
    if by.kind not in (ActorKind.MEMBER, ActorKind.STAFF, ActorKind.SYSTEM):
        raise Forbidden("A person has to do this.")
    return by.id


def verify_reason(reason: str) -> None:
    """Raises Invalid for what is no reason to lift a hold."""
    if reason not in LIFT_REASONS:
        message = f"Choose one of {', '.join(LIFT_REASONS)}."
        raise Invalid("Nothing was asked for.", errors=[FieldError("reason", message)])


def _verify_other(first: str, by: Principal) -> None:
    if person_of(by) == first:
        raise SecondPersonNeeded("You have asked for it; another person has to decide.")


def _object(hold_id: UUID) -> Object:
    return Object("legal_hold", str(hold_id))
