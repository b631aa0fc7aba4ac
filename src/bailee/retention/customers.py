"""The operator's part in customers' holds.

Where a customer has no second person of its own, the operator's data protection is that. Where the contract has ended
and a hold keeps the archive, the customer has nobody at all: then two people of the data protection extend or lift the
hold, and one looks into the archive, for what the kind of the hold admits. Everywhere else the customer's own people
do, and the operator is refused; whoever tries to look where it is not theirs to is on record in the customer's log.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from uuid import UUID

from bailee.access.permissions import TENANT_ROLES
from bailee.events import verb
from bailee.events.catalogue import ArchiveRead, HoldApproved, HoldChangeDecided, HoldChangeRequested, HoldRefused
from bailee.foundation.database import Database, OperatorReader, TenantReader, TenantWriter
from bailee.foundation.errors import NotFound
from bailee.foundation.ids import TenantId
from bailee.foundation.principal import Forbidden, Principal
from bailee.retention.errors import CustomerDecides, PurposeRefused
from bailee.retention.holds import APPROVE, Holds, verify_reason
from bailee.retention.model import (
    EXTEND_REASON,
    ArchivePage,
    CustomerHold,
    Hold,
    HoldChange,
    Purpose,
    TerminationState,
)
from bailee.retention.store import holds as rows
from bailee.retention.store.terminations import find_termination
from bailee.stores.model import StoredFile

_DECIDING = [name for name, role in TENANT_ROLES.items() if APPROVE in role.permissions]


class CustomerHolds:
    """Holds of customers, for the operator's data protection."""

    def __init__(self, database: Database, holds: Holds) -> None:
        self._database = database
        self._holds = holds

    async def page(
        self, tx: OperatorReader, *, waiting: bool = False, state: str | None = None, tenant: UUID | None = None,
        before: UUID | None = None, limit: int = 100,
    ) -> list[CustomerHold]:  # fmt: skip
        """Holds of all customers or of one, newest first; where `waiting`, those that wait for a second person."""
        if waiting:
            found = await rows.list_undecided(tx, tenant=tenant, before=before, limit=limit)
        else:
            found = await rows.list_holds(tx, state=state, tenant=tenant, before=before, limit=limit)
        return await self._seen(tx, found)

    async def get(self, tx: OperatorReader, tenant: UUID, hold_id: UUID) -> CustomerHold:
        """Raises NotFound, for a hold of another customer too."""
        found = await rows.find_hold(tx, hold_id)
        if found is None or found.tenant_id != tenant:
            raise NotFound
        (seen,) = await self._seen(tx, [found])
        return seen

    async def _seen(self, tx: OperatorReader, holds: list[Hold]) -> list[CustomerHold]:
        tenants = sorted({one.tenant_id for one in holds})
        standings = {one.tenant_id: one for one in await rows.list_standings(tx, tenants, _DECIDING, APPROVE)}
        return [
            CustomerHold(one, standing.name, standing.deciders <= 1, standing.held)
            for one in holds
            if (standing := standings.get(one.tenant_id)) is not None
        ]

    # --- as the second person of who has none -------------------------------------------------------------

    @verb(HoldApproved, permission="holds.approve_for", step_up=True)
    async def approve(self, tx: TenantWriter, hold_id: UUID, *, by: Principal) -> Hold:
        """Puts a hold into force. Raises Forbidden where the customer has a second person; else as for its own."""
        await self._verify_alone(tx)
        return await self._holds.put_into_force(tx, hold_id, by=by)

    @verb(HoldRefused, permission="holds.refuse_for", step_up=True)
    async def refuse(self, tx: TenantWriter, hold_id: UUID, *, by: Principal) -> Hold:
        """Does not put it into force. Raises Forbidden where the customer has a second person; else as for its own."""
        await self._verify_alone(tx)
        return await self._holds.turn_down(tx, hold_id, by=by)

    @verb(HoldChangeDecided, permission="holds.decide_change_for", step_up=True)
    async def decide_change(self, tx: TenantWriter, hold_id: UUID, *, approved: bool, by: Principal) -> Hold:
        """Decides what was asked for of it. Raises Forbidden where the customer has a second person; SecondPersonNeeded
        for what one has asked for oneself; else as for the customer's own.
        """
        await self._verify_alone(tx)
        return await self._holds.decide(tx, hold_id, approved=approved, by=by)

    # --- in the place of who has nobody any more ------------------------------------------------------------

    @verb(HoldChangeRequested, permission="holds.lift_for", step_up=True)
    async def ask_to_lift(self, tx: TenantWriter, hold_id: UUID, *, reason: str, by: Principal) -> Hold:
        """Asks to lift it; what it keeps is deleted then. Raises NotFound, Invalid, Conflict; CustomerDecides."""
        verify_reason(reason)
        await self._verify_ended(tx, hold_id)
        return await self._holds.ask(tx, hold_id, HoldChange.LIFT, reason, None, by=by)

    @verb(HoldChangeRequested, permission="holds.extend_for", step_up=True)
    async def ask_to_extend(self, tx: TenantWriter, hold_id: UUID, *, ends_on: date, by: Principal) -> Hold:
        """Asks for a later last day. Raises NotFound, Invalid, Conflict; CustomerDecides."""
        await self._holds.verify_later(tx, hold_id, ends_on)
        await self._verify_ended(tx, hold_id)
        return await self._holds.ask(tx, hold_id, HoldChange.EXTEND, EXTEND_REASON, ends_on, by=by)

    async def look(
        self, tenant: TenantId, hold_id: UUID, *, purpose: Purpose, after: UUID | None, limit: int, by: Principal
    ) -> ArchivePage:
        """A page of what a hold covers. Raises NotFound, Conflict; CustomerDecides and PurposeRefused, which are on
        record too.
        """
        async with self._refusals(tenant, hold_id, purpose, by), self._database.tenant(tenant) as tx:
            return await self.read(tx, hold_id, purpose=purpose, after=after, limit=limit, by=by)

    async def open_file(
        self, tenant: TenantId, hold_id: UUID, file_id: UUID, *, purpose: Purpose, by: Principal
    ) -> tuple[StoredFile, AsyncIterator[bytes]]:
        """An archived file and its content. Errors as for `look`."""
        async with self._refusals(tenant, hold_id, purpose, by), self._database.tenant(tenant) as tx:
            return await self.read_file(tx, hold_id, file_id, purpose=purpose, by=by)

    @verb(ArchiveRead, permission="holds.look_for", step_up=True)
    async def read(
        self, tx: TenantWriter, hold_id: UUID, *, purpose: Purpose, after: UUID | None, limit: int, by: Principal
    ) -> ArchivePage:
        """Within a transaction that records it."""
        await self._verify_ended(tx, hold_id)
        return await self._holds.give_page(tx, hold_id, purpose=purpose, after=after, limit=limit, by=by)

    @verb(ArchiveRead, permission="holds.open_file_for", step_up=True)
    async def read_file(
        self, tx: TenantWriter, hold_id: UUID, file_id: UUID, *, purpose: Purpose, by: Principal
    ) -> tuple[StoredFile, AsyncIterator[bytes]]:
        """Within a transaction that records it."""
        await self._verify_ended(tx, hold_id)
        return await self._holds.give_file(tx, hold_id, file_id, purpose=purpose, by=by)

    # --- inside -----------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _refusals(
        self, tenant: TenantId, hold_id: UUID, purpose: Purpose, by: Principal
    ) -> AsyncIterator[None]:  # fmt: skip
        try:
            yield
        except (CustomerDecides, PurposeRefused):
            await self._holds.keep_refusal(tenant, hold_id, purpose, by)
            raise

    async def _verify_alone(self, tx: TenantReader) -> None:
        """Raises Forbidden for a customer that has a second person of its own."""
        roles = _DECIDING + await rows.list_roles_with(tx, tx.tenant, APPROVE)
        if await rows.count_deciders(tx, roles) > 1:
            raise Forbidden("This customer has a second person of its own, who decides it.")

    async def _verify_ended(self, tx: TenantReader, hold_id: UUID) -> None:
        """Raises NotFound; CustomerDecides unless the contract has ended and an archive is all that is kept."""
        await self._holds.get(tx, hold_id)
        found = await find_termination(tx, tx.tenant)
        if found is None or found.state is not TerminationState.HELD:
            raise CustomerDecides(
                "The operator does this only for a customer whose contract has ended and of whom a hold keeps an "
                "archive. Ask this customer’s own people."
            )
