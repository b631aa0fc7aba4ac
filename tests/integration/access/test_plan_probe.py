"""What a plan lacks is asked for, and nothing of it stays."""

from bailee.access.checks.plans import PlanProbe
from bailee.access.model import TenantPolicy
from bailee.assembly import Services
from bailee.foundation.ids import TenantId
from bailee.tenants.model import PLANS
from tests.integration.access.people import actions
from tests.integration.rig import create_tenant


async def _faults(services: Services, tenant: TenantId, features: frozenset[str]) -> list[str]:
    probe = PlanProbe(
        services.database, services.access.policies, services.access.members, services.federation.domains,
        services.federation.provisioning,
    )  # fmt: skip
    return await probe.run(tenant, features)


async def test_what_each_plan_lacks_is_refused(services: Services) -> None:
    for plan, features in PLANS.items():
        tenant = await create_tenant(services, plan=plan)
        assert await _faults(services, tenant.id, features) == []


async def test_what_is_not_refused_is_told_and_taken_back(services: Services) -> None:
    """A tenant that can do everything, and that is said to have the smallest plan."""
    tenant = await create_tenant(services, plan="enterprise")
    before = len(await actions(services, "policy.changed"))
    faults = await _faults(services, tenant.id, PLANS["standard"])
    assert len(faults) == 10
    for what in ("require_sso", "idle_minutes", "networks", "a role of its own", "a domain", "provisioning"):
        assert any(what in fault for fault in faults), what
    async with services.database.tenant_read(tenant.id) as tx:
        assert await services.access.policies.get(tx, tenant.id) == TenantPolicy()
        assert all(role.built_in for role in await services.access.members.roles(tx))
        assert await services.federation.domains.all(tx) == []
    assert len(await actions(services, "policy.changed")) == before
