"""The end of a contract: asked for, with a grace period in which the data is taken along and all can be cancelled."""

from datetime import date, datetime, timedelta
from uuid import UUID

import msgspec

from bailee.events import Events, Object, verb
from bailee.events.catalogue import TerminationCancelled, TerminationHastened, TerminationRequested
from bailee.events.verbs import WITHIN
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database, OperatorReader, OperatorWriter, Reader
from bailee.foundation.errors import Conflict, FieldError, Invalid, NotFound
from bailee.foundation.ids import TenantId, new_id
from bailee.foundation.principal import ActorKind, Principal, system
from bailee.foundation.settings import RetentionSettings
from bailee.retention.holds import person_of
from bailee.retention.model import Termination, TerminationState
from bailee.retention.store import terminations as rows
from bailee.tenants.model import TenantState
from bailee.tenants.service import Tenants

_MOST_GRACE = 365
_TERMINATION = system("termination")


class Terminations:
    """The register of ends."""

    def __init__(
        self, database: Database, tenants: Tenants, settings: RetentionSettings, events: Events, clock: Clock
    ) -> None:
        self._database = database
        self._tenants = tenants
        self._settings = settings
        self._events = events
        self._clock = clock

    async def get(self, tx: Reader, tenant: UUID) -> Termination:
        """Raises NotFound where the contract goes on."""
        found = await rows.find_termination(tx, tenant)
        if found is None:
            raise NotFound
        return found

    async def every(self, tx: OperatorReader) -> list[Termination]:
        """Newest first, cancelled ones too."""
        return await rows.list_terminations(tx)

    async def request_own(self, *, by: Principal) -> Termination:
        """Ends the contract of the caller's own tenant."""
        async with self._database.operator() as tx:
            return await self.request(tx, by.tenant, by=by)

    async def cancel_own(self, *, by: Principal) -> Termination:
        """Has the contract of the caller's own tenant go on."""
        async with self._database.operator() as tx:
            return await self.cancel(tx, by.tenant, by=by)

    @verb(TerminationRequested, permission="tenant.terminate", step_up=True)
    async def request(self, tx: OperatorWriter, tenant: TenantId, *, by: Principal) -> Termination:
        """For the tenant's owner. Raises Conflict where it is asked for already, NotFound for another's."""
        _verify_own(tenant, by)
        return await self.begin(tx, tenant, "tenant", None, self._settings.grace_days, by=by)

    @verb(TerminationRequested, permission="tenants.terminate", step_up=True)
    async def request_for(
        self, tx: OperatorWriter, tenant_id: UUID, *, contract_ended_on: date, grace_days: int | None, by: Principal
    ) -> Termination:
        """For the operator, who names the day on which the contract ends. Raises NotFound, Conflict, Invalid."""
        tenant = await self._tenants.get(tx, tenant_id)
        days = self._settings.grace_days if grace_days is None else grace_days
        if not 0 <= days <= _MOST_GRACE:
            message = f"Choose 0 to {_MOST_GRACE} days."
            raise Invalid("Nothing was asked for.", errors=[FieldError("grace_days", message)])
        return await self.begin(tx, tenant.id, "operator", contract_ended_on, days, by=by)

    @verb(TerminationRequested, permission=WITHIN)
    async def begin(
        self, tx: OperatorWriter, tenant_id: TenantId, side: str, contract_ended_on: date | None, days: int, *,
        by: Principal,
    ) -> Termination:  # fmt: skip
        """What both ways share. The grace period runs from now, or from the end of the contract where that is later."""
        tenant, now = await self._tenants.get(tx, tenant_id), self._clock.now()
        if tenant.state is TenantState.TERMINATED:
            raise Conflict("This customer is terminated.")
        start = now
        if contract_ended_on is not None:
            start = max(
                now, datetime(contract_ended_on.year, contract_ended_on.month, contract_ended_on.day, tzinfo=now.tzinfo)
            )
        added = await rows.insert_termination(
            tx, tenant_id, new_id(), side=side, by=person_of(by), at=now, contract_ended_on=contract_ended_on,
            delete_from=start + timedelta(days=days), name=tenant.name,
        )  # fmt: skip
        if not added:
            raise Conflict("The end of this contract is asked for already.")
        if tenant.state is not TenantState.TERMINATING:
            await self._tenants.move(tx, tenant_id, to=TenantState.TERMINATING, by=_TERMINATION)
        details = TerminationRequested("tenant" if side == "tenant" else "operator", days)
        await self._events.record(tx, details, by=by, on=_object(tenant_id), tenant=tenant_id)
        return await self.get(tx, tenant_id)

    @verb(TerminationCancelled, permission="tenant.cancel_termination", step_up=True)
    async def cancel(self, tx: OperatorWriter, tenant: TenantId, *, by: Principal) -> Termination:
        """For the tenant's owner, who can cancel what the tenant has asked for. Raises NotFound, Conflict."""
        _verify_own(tenant, by)
        if (await self.get(tx, tenant)).side != "tenant":
            raise Conflict("Whoever runs the service has ended this contract; ask there.")
        return await self.undo(tx, tenant, by=by)

    @verb(TerminationCancelled, permission="tenants.cancel_termination", step_up=True)
    async def cancel_for(self, tx: OperatorWriter, tenant_id: UUID, *, by: Principal) -> Termination:
        """For the operator. Raises NotFound, Conflict once deletion has begun."""
        return await self.undo(tx, (await self._tenants.get(tx, tenant_id)).id, by=by)

    @verb(TerminationCancelled, permission=WITHIN)
    async def undo(self, tx: OperatorWriter, tenant: TenantId, *, by: Principal) -> Termination:
        """What both ways share."""
        found = await self.get(tx, tenant)
        if not await rows.set_state(
            tx, tenant, TerminationState.REQUESTED, TerminationState.CANCELLED, person_of(by)
        ):  # fmt: skip
            raise Conflict("It is too late to cancel, or somebody else just has.")
        await self._tenants.move(tx, tenant, to=TenantState.ACTIVE, by=_TERMINATION)
        await self._events.record(tx, TerminationCancelled(), by=by, on=_object(tenant), tenant=tenant)
        return msgspec.structs.replace(
            found, state=TerminationState.CANCELLED, closed_by=by.id, closed_at=self._clock.now()
        )  # fmt: skip

    @verb(TerminationHastened, permission="tenants.close", step_up=True)
    async def hasten(self, tx: OperatorWriter, tenant_id: UUID, *, by: Principal) -> Termination:
        """Ends a grace period at once that the operator has given. Raises NotFound, and Conflict for one that the
        tenant has asked for: it is theirs.
        """
        found = await rows.hold_termination(tx, tenant_id)
        if found is None:
            raise NotFound
        if found.state is not TerminationState.REQUESTED:
            raise Conflict(f"This termination is {found.state}.")
        if found.side == "tenant":
            raise Conflict("The customer has asked for this end; its grace period is not shortened.")
        await rows.set_delete_from(tx, tenant_id, self._clock.now())
        await self._events.record(
            tx, TerminationHastened(), by=by, on=_object(found.tenant_id), tenant=found.tenant_id
        )  # fmt: skip
        return await self.get(tx, tenant_id)


def _verify_own(tenant: TenantId, by: Principal) -> None:
    if by.kind is not ActorKind.SYSTEM and by.tenant_id != tenant:
        raise NotFound


def _object(tenant: UUID) -> Object:
    return Object("tenant", str(tenant))
