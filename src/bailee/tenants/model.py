"""A tenant, its states, and the plans."""

from datetime import datetime
from enum import StrEnum

import msgspec

from bailee.foundation.ids import TenantId


class TenantState(StrEnum):
    """Where a tenant is in its life."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    """Nobody of the tenant gets in; the data stays."""
    TERMINATING = "terminating"
    """The contract has ended: data can be read and taken along, not added to."""
    TERMINATED = "terminated"
    """The keys are destroyed; there is no way back."""


TRANSITIONS: dict[TenantState, frozenset[TenantState]] = {
    TenantState.ACTIVE: frozenset({TenantState.SUSPENDED, TenantState.TERMINATING}),
    TenantState.SUSPENDED: frozenset({TenantState.ACTIVE, TenantState.TERMINATING}),
    TenantState.TERMINATING: frozenset({TenantState.ACTIVE, TenantState.TERMINATED}),
    TenantState.TERMINATED: frozenset(),
}


class TenantKind(StrEnum):
    """A customer, or one of the synthetic tenants that the checks store their markers with."""

    CUSTOMER = "customer"
    PROBE = "probe"


_STANDARD = frozenset({"vault", "search", "batch", "files"})
_BUSINESS = _STANDARD | {"mfa_policy", "password_policy", "session_policy", "ip_allow_list"}
PLANS: dict[str, frozenset[str]] = {
    "standard": _STANDARD,
    "business": _BUSINESS,
    "enterprise": _BUSINESS | {"sso", "scim", "custom_roles"},
}
"""What each plan includes."""


class Tenant(msgspec.Struct, frozen=True):
    """One customer."""

    id: TenantId
    name: str
    plan: str
    state: TenantState
    kind: TenantKind
    created_at: datetime
    updated_at: datetime

    @property
    def features(self) -> frozenset[str]:
        return PLANS.get(self.plan, frozenset())
