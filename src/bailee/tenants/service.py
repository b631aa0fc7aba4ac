"""What can be done with tenants."""

import unicodedata
from uuid import UUID

from bailee.encryption.service import Keyring
from bailee.events import Events, Object, verb
from bailee.events.catalogue import TenantChanged, TenantCreated, TenantKeyRotated, TenantStateChanged
from bailee.foundation.database import OperatorReader, OperatorWriter, Reader
from bailee.foundation.errors import Conflict, FieldError, Invalid, NotFound
from bailee.foundation.ids import TenantId, new_id
from bailee.foundation.jobs import Jobs
from bailee.foundation.principal import Principal
from bailee.foundation.revocation import announce
from bailee.tenants import store
from bailee.tenants.model import PLANS, TRANSITIONS, Tenant, TenantKind, TenantState

REWRAP_JOB = "encryption.rewrap"
_MAX_NAME = 200
_BY_TERMINATION = frozenset({TenantState.TERMINATING, TenantState.TERMINATED})
"""What nobody moves a tenant to, or back from, by hand: a termination does."""


class Tenants:
    """The register of tenants."""

    def __init__(self, keyring: Keyring, events: Events, jobs: Jobs) -> None:
        self._keyring = keyring
        self._events = events
        self._jobs = jobs

    @verb(TenantCreated, permission="tenants.create")
    async def create(
        self, tx: OperatorWriter, *, name: str, plan: str, by: Principal, kind: TenantKind = TenantKind.CUSTOMER
    ) -> Tenant:
        """A new, active tenant with keys of its own. Raises Invalid."""
        _verify(name, plan)
        tenant = TenantId(new_id())
        # The keys first: if this transaction fails they belong to nobody, and open nothing.
        await self._keyring.create_tenant(tenant)
        await store.insert_tenant(tx, tenant, name.strip(), plan, kind)
        await self._events.record(tx, TenantCreated(plan), by=by, on=Object("tenant", str(tenant)), tenant=tenant)
        return await self.get(tx, tenant)

    async def get(self, tx: Reader, tenant_id: UUID) -> Tenant:
        """Raises NotFound."""
        found = await store.find_tenant(tx, tenant_id)
        if found is None:
            raise NotFound
        return found

    async def page(
        self,
        tx: OperatorReader,
        *,
        search: str = "",
        after: UUID | None = None,
        limit: int = 100,
        kind: TenantKind = TenantKind.CUSTOMER,
    ) -> list[Tenant]:
        """Tenants in the order they were made, those after `after`."""
        return await store.list_tenants(tx, kind=kind, search=search, after=after, limit=limit)

    @verb(TenantChanged, permission="tenants.change")
    async def change(
        self, tx: OperatorWriter, tenant_id: UUID, *, name: str | None, plan: str | None, by: Principal
    ) -> Tenant:
        """Renames a tenant or moves it to another plan. Raises NotFound, Invalid; StepUpRequired for another plan, with
        which what the tenant demands of its members may end.
        """
        tenant = await self.get(tx, tenant_id)
        if plan not in (None, tenant.plan):
            by.require_step_up()
        _verify(name if name is not None else tenant.name, plan if plan is not None else tenant.plan)
        # What was not given is not written: somebody else may be changing it at this moment.
        await store.update_tenant(tx, tenant_id, name.strip() if name is not None else None, plan)
        await announce(tx)  # the plan says what a policy may demand
        changed = await self.get(tx, tenant_id)
        on = Object("tenant", str(tenant_id))
        await self._events.record(tx, TenantChanged(changed.plan), by=by, on=on, tenant=tenant.id)
        return changed

    @verb(TenantStateChanged, permission="tenants.move")
    async def move(self, tx: OperatorWriter, tenant_id: UUID, *, to: TenantState, by: Principal) -> Tenant:
        """Takes a tenant to another state. Raises NotFound, or Conflict when there is no way from here to there; people
        suspend and resume, and whoever ends a contract asks for its termination.
        """
        tenant = await self.get(tx, tenant_id)
        if not by.may(Principal.EVERYTHING) and (to in _BY_TERMINATION or tenant.state in _BY_TERMINATION):
            raise Conflict("The end of a contract is asked for, and cancelled, as its termination.")
        if to not in TRANSITIONS[tenant.state]:
            ways = ", ".join(sorted(TRANSITIONS[tenant.state])) or "nothing else"
            raise Conflict(f"This tenant is {tenant.state}; from there it can become {ways}.")
        if not await store.update_state(tx, tenant_id, tenant.state, to):
            raise Conflict("Somebody else has just changed this tenant. Look at it again.")
        await announce(tx)
        await self._events.record(
            tx, TenantStateChanged(tenant.state.value, to.value), by=by, on=Object("tenant", str(tenant_id)),
            tenant=tenant.id,
        )  # fmt: skip
        return await self.get(tx, tenant_id)

    @verb(TenantKeyRotated, permission="tenants.rotate_key", step_up=True)
    async def rotate_key(self, tx: OperatorWriter, tenant_id: UUID, *, by: Principal) -> int:
        """A new version of the tenant's key; its data keys are rewrapped in the background. Answers the version."""
        tenant = await self.get(tx, tenant_id)
        if tenant.state is TenantState.TERMINATED:
            raise Conflict("This tenant is terminated; it has no keys.")
        version = await self._keyring.rotate_tenant_key(tenant.id)
        await self._jobs.enqueue(tx, REWRAP_JOB, lock=f"rewrap:{tenant.id}", tenant_id=str(tenant.id))
        await self._events.record(
            tx, TenantKeyRotated(version), by=by, on=Object("tenant", str(tenant_id)), tenant=tenant.id
        )
        return version


def _verify(name: str, plan: str) -> None:
    errors = []
    if not name.strip() or len(name) > _MAX_NAME or any(unicodedata.category(c).startswith("C") for c in name):
        errors.append(FieldError("name", f"Give a name of 1 to {_MAX_NAME} printable characters."))
    if plan not in PLANS:
        errors.append(FieldError("plan", f"Choose one of {', '.join(PLANS)}."))
    if errors:
        raise Invalid("The tenant is not valid.", errors=errors)
