"""Tries to set what a tenant's plan lacks. Whatever is not refused is taken back with its transaction."""

from collections.abc import Awaitable, Callable

import msgspec

from bailee.access.errors import NotInPlan
from bailee.access.federation import domains as federation_domains
from bailee.access.federation.scim import provisioning as scim
from bailee.access.members import Members
from bailee.access.model import TenantPolicy
from bailee.access.policy import FEATURES, Policies
from bailee.foundation.database import Database, TenantWriter
from bailee.foundation.ids import TenantId
from bailee.foundation.principal import system

_BY = system("probe")
_DEMANDS = {
    "require_mfa": True, "require_sso": True, "min_password_length": 64, "min_password_score": 4, "session_hours": 1,
    "idle_minutes": 5, "networks": ["192.0.2.0/24"],
}  # fmt: skip
"""For each demand that a policy can make, one that goes beyond the default."""


class _TakenBack(Exception):
    """Nothing refused an attempt."""


class PlanProbe:
    """Asks the services themselves, as the system: over HTTPS it would take an account that is the tenant's owner."""

    def __init__(
        self, database: Database, policies: Policies, members: Members, domains: federation_domains.Domains,
        provisioning: scim.Provisioning,
    ) -> None:  # fmt: skip
        self._database = database
        self._policies = policies
        self._members = members
        self._domains = domains
        self._provisioning = provisioning

    async def run(self, tenant: TenantId, features: frozenset[str]) -> list[str]:
        """What a tenant could set although its plan, which has `features`, does not have it."""
        attempts: list[tuple[str, str, Callable[[TenantWriter], Awaitable[object]]]] = [
            (feature, f"the demand {field}", self._demand(tenant, field)) for field, (feature, _) in FEATURES.items()
        ]
        attempts += [
            ("custom_roles", "a role of its own", self._define_role),
            (federation_domains.FEATURE, "a domain for single sign-on", self._add_domain),
            (scim.FEATURE, "provisioning", lambda tx: self._provisioning.verify_included(tx, tenant)),
        ]
        return [
            f"the plan lacks {feature}, and {what} was not refused"
            for feature, what, attempt in attempts
            if feature not in features and not await self._is_refused(tenant, attempt)
        ]

    def _demand(self, tenant: TenantId, field: str) -> Callable[[TenantWriter], Awaitable[object]]:
        async def attempt(tx: TenantWriter) -> None:
            present = await self._policies.get(tx, tenant)
            # On top of the defaults: what is in force may go beyond the plan itself, since before it was changed.
            wanted = msgspec.convert({field: _DEMANDS[field], "version": present.version}, TenantPolicy)
            await self._policies.change(tx, wanted, by=_BY)

        return attempt

    async def _define_role(self, tx: TenantWriter) -> None:
        await self._members.define_role(tx, "probe", title="Probe", permissions=["tenant.read"], by=_BY)

    async def _add_domain(self, tx: TenantWriter) -> None:
        await self._domains.add(tx, "probe.example", by=_BY)

    async def _is_refused(self, tenant: TenantId, attempt: Callable[[TenantWriter], Awaitable[object]]) -> bool:
        try:
            async with self._database.tenant(tenant) as tx:
                await attempt(tx)
                raise _TakenBack
        except NotInPlan:
            return True
        except _TakenBack:
            return False
