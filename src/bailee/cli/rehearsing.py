"""A restored copy, examined by the product itself: what it takes over, whether its data opens, its log stands."""

from bailee.assembly import Services
from bailee.backup.drills import Rehearsed, Takeover
from bailee.foundation.errors import Error
from bailee.foundation.ids import TenantId
from bailee.foundation.principal import system
from bailee.ledger.fsck import verify_ledger
from bailee.stores.model import Scope
from bailee.tenants.model import TenantState

_BY = system("restore")


async def examine_copy(services: Services, told: Takeover) -> Rehearsed:
    """Replays, then opens up to `samples` records over all tenants and re-verifies the ledger."""
    outcome = await services.backup.replay.run(told.entries, told.opening, by=_BY)
    await services.sequencer.step()
    faults: list[str] = []
    samples = 0
    for tenant in await services.housekeeping.every_tenant() if told.samples else []:
        samples += await _open_some(services, tenant, told.samples - samples, faults)
    report = await verify_ledger(services.database, services.objects, services.signer)
    done = outcome.replayed
    return Rehearsed(
        done.erasures, done.terminations, done.holds, done.revocations, outcome.adopted_leaves, samples, report.leaves,
        faults + [f"the ledger: {fault}" for fault in report.faults],
    )  # fmt: skip


async def _open_some(services: Services, tenant: TenantId, most: int, faults: list[str]) -> int:
    """Opens records of one tenant; answers how many."""
    if most <= 0:
        return 0
    async with services.database.operator_read() as operator:
        if (await services.tenants.get(operator, tenant)).state is TenantState.TERMINATED:
            return 0
    opened = 0
    async with services.database.tenant_read(tenant) as tx:
        for collection in await services.collections.page(tx, limit=1000):
            try:
                found, _ = await services.vault.scoped(
                    tx, Scope([collection.name], [], []), limit=min(most - opened, 20)
                )
            except Error as error:
                faults.append(f"records of {collection.name} of {tenant} do not open: {error.detail}")
                continue
            if not found and collection.records:
                faults.append(f"no record of {collection.name} of {tenant} opens, of {collection.records}")
            opened += len(found)
            if opened >= most:
                break
    return opened
