"""What a tenant demands of its members, as far as its plan goes (TOM 2.4)."""

import hashlib

import msgspec

from bailee.access.addresses import domain_of
from bailee.access.members import require_feature
from bailee.access.model import TenantPolicy
from bailee.access.networks import is_within, network_of
from bailee.access.store import members as rows
from bailee.events import Events, Object, verb
from bailee.events.catalogue import PolicyChanged
from bailee.foundation.database import Reader, TenantReader, TenantWriter
from bailee.foundation.errors import Conflict, FieldError, Invalid
from bailee.foundation.ids import TenantId
from bailee.foundation.principal import Principal
from bailee.foundation.revocation import announce

_MAX_NETWORKS = 100
_RANGES = {
    "min_password_length": (8, 64),
    "min_password_score": (2, 4),
    "session_hours": (1, 12),
    "idle_minutes": (5, 60),
}
FEATURES = {
    "require_mfa": ("mfa_policy", "Asking members for a second factor is"),
    "min_password_length": ("password_policy", "Asking for stronger passwords is"),
    "min_password_score": ("password_policy", "Asking for stronger passwords is"),
    "session_hours": ("session_policy", "Limiting sessions is"),
    "idle_minutes": ("session_policy", "Limiting sessions is"),
    "networks": ("ip_allow_list", "An allow-list of networks is"),
    "require_sso": ("sso", "Single sign-on is"),
}
"""For each demand, the part of a plan that it belongs to, and what to call it."""


class Policies:
    """The policy of one tenant at a time."""

    def __init__(self, events: Events) -> None:
        self._events = events

    async def get(self, tx: Reader, tenant: TenantId) -> TenantPolicy:
        """What is in force; the defaults where nothing was changed."""
        return await rows.find_policy(tx, tenant) or TenantPolicy()

    @verb(PolicyChanged, permission="policy.change", step_up=True)
    async def change(self, tx: TenantWriter, wanted: TenantPolicy, *, by: Principal) -> TenantPolicy:
        """Puts a policy in force for every member's next request; `wanted.version` is the version that was seen.

        Raises Invalid; Conflict when it was changed meanwhile, or would shut out whoever changes it; NotInPlan for a
        demand that goes beyond the plan.
        """
        present = await self.get(tx, tx.tenant)
        if wanted.version != present.version:
            raise Conflict("Somebody else has changed the policy meanwhile. Look at it again.")
        wanted = msgspec.structs.replace(wanted, networks=_networks(wanted.networks), version=present.version + 1)
        _verify(wanted)
        default = TenantPolicy()
        for field, (feature, what) in FEATURES.items():
            if getattr(wanted, field) != getattr(default, field):
                await require_feature(tx, feature, what)
        await self._verify_not_shut_out(tx, wanted, by)
        if not await rows.put_policy(tx, wanted, wanted.version):
            raise Conflict("Somebody else has changed the policy meanwhile. Look at it again.")
        await announce(tx)
        await self._events.record(tx, details_of(wanted), by=by, on=Object("policy", str(tx.tenant)))
        return wanted

    async def _verify_not_shut_out(self, tx: TenantReader, wanted: TenantPolicy, by: Principal) -> None:
        if by.session_id is None:
            return
        if wanted.networks and not is_within(by.address, map(network_of, wanted.networks)):
            message = "The network that you come from is not among them: you would shut yourself out."
            raise Invalid("The policy is not valid.", errors=[FieldError("networks", message)])
        # Of `require_mfa` nothing is to be feared: whoever changes a policy has just shown a second factor.
        if wanted.require_sso:
            member = await rows.find_membership(tx, by.account_id)
            if member is None or not await rows.has_sso(tx, domain_of(member.email)):
                raise Conflict(
                    "Set up single sign-on, and verify the domain of your own address, before you ask members to use "
                    "it: you would shut yourself out."
                )


def details_of(policy: TenantPolicy) -> PolicyChanged:
    """The event of a policy: its whole content, so that what was promised can be read from the log."""
    return PolicyChanged(
        version=policy.version, require_mfa=policy.require_mfa, require_sso=policy.require_sso,
        min_password_length=policy.min_password_length, min_password_score=policy.min_password_score,
        session_hours=policy.session_hours, idle_minutes=policy.idle_minutes, networks=len(policy.networks),
        networks_digest=hashlib.sha256("\n".join(sorted(policy.networks)).encode()).hexdigest(),
    )  # fmt: skip


def _verify(policy: TenantPolicy) -> None:
    errors = []
    for field, (lowest, highest) in _RANGES.items():
        if not lowest <= getattr(policy, field) <= highest:
            errors.append(FieldError(field, f"Choose {lowest} to {highest}."))
    if errors:
        raise Invalid("The policy is not valid.", errors=errors)


def _networks(texts: list[str]) -> list[str]:
    """In their canonical form. Raises Invalid."""
    if len(texts) > _MAX_NETWORKS:
        message = f"Give at most {_MAX_NETWORKS} networks."
        raise Invalid("The policy is not valid.", errors=[FieldError("networks", message)])
    try:
        return sorted({str(network_of(text)) for text in texts if text.strip()})
    except ValueError:
        message = "Give networks such as 192.0.2.0/24 or 2001:db8::/32, one a line."
        raise Invalid("The policy is not valid.", errors=[FieldError("networks", message)]) from None
