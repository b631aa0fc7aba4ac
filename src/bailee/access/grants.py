"""Staff roles: granted, withdrawn, and held against their use (TOM 2.2).

Nobody grants what they do not hold, nobody changes their own roles, and the last owner stays.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from bailee.access.errors import GrantRefused
from bailee.access.model import AccountKind, AccountState, Grant
from bailee.access.permissions import STAFF_ROLES, staff_permissions, to_hold
from bailee.access.store import accounts as account_rows
from bailee.access.store import members as member_rows
from bailee.access.store import roles as rows
from bailee.access.store import sessions as session_rows
from bailee.events import Events, Object, verb
from bailee.events.catalogue import PrivilegesReported, RoleGranted, RoleLost, RoleWithdrawn
from bailee.events.verbs import WITHIN
from bailee.foundation.clock import Clock
from bailee.foundation.database import OperatorReader, OperatorWriter
from bailee.foundation.errors import Conflict, FieldError, Invalid, NotFound
from bailee.foundation.principal import Principal

REPORT_DAYS = 90


class Privileges(msgspec.Struct, frozen=True):
    """What one staff member holds, against what the log has seen of them."""

    account_id: UUID
    email: str
    name: str
    roles: list[str]
    since: datetime
    """When the newest of the roles was granted."""
    used: list[str]
    unused: list[str]
    """Permissions held and not used within the period. Reading that leaves no event is not counted either way."""


class Grants:
    """Who of the staff holds which role."""

    def __init__(self, events: Events, actions: dict[str, frozenset[str]], clock: Clock) -> None:
        """`actions` names, for each permission, the events that its verb records: the composition derives it."""
        self._events = events
        self._actions = actions
        self._clock = clock

    @verb(RoleGranted, permission="roles.grant", step_up=True, lasting=True)
    async def grant(self, tx: OperatorWriter, account_id: UUID, role: str, *, by: Principal) -> None:
        """Gives a staff member a role; their sessions end. Raises NotFound, Invalid, GrantRefused, Conflict."""
        verify_grantable([role], by)
        if by.id == str(account_id):
            raise GrantRefused("Somebody else has to grant you a role. For a limited time, request an elevation.")
        await account_rows.lock_account(tx, account_id)
        account = await account_rows.find_account(tx, account_id)
        if account is None or account.kind is not AccountKind.STAFF or account.sealed:
            raise NotFound
        if account.state not in (AccountState.ACTIVE, AccountState.PENDING):
            raise Conflict(f"This account is {account.state.value}.")
        if not await rows.insert_grant(tx, account_id, role, by.id):
            raise Conflict("This person has that role already.")
        await session_rows.delete_sessions(tx, account_id)
        await self._events.record(tx, RoleGranted(role), by=by, on=Object("account", str(account_id)))

    @verb(RoleWithdrawn, permission="roles.withdraw", step_up=True, lasting=True)
    async def withdraw(self, tx: OperatorWriter, account_id: UUID, role: str, *, by: Principal) -> None:
        """Takes a role away at once; the person's sessions end. Raises NotFound, GrantRefused, or Conflict for the last
        owner.
        """
        verify_grantable([role], by)
        if by.id == str(account_id):
            raise GrantRefused("Somebody else has to withdraw a role of yours.")
        await self._take(tx, account_id, role)
        await self._events.record(tx, RoleWithdrawn(role), by=by, on=Object("account", str(account_id)))

    @verb(RoleLost, permission=WITHIN)
    async def take_in_review(self, tx: OperatorWriter, account_id: UUID, role: str, *, by: Principal) -> None:
        """The same for an access review, which has its own verb. Raises NotFound, Conflict; GrantRefused for a person
        who could not withdraw the role either.
        """
        if role not in await rows.list_roles_of(tx, account_id):
            raise NotFound
        if not all(by.holds(permission) for permission in to_hold(role)):
            raise GrantRefused(
                "You cannot take a role that permits more than you may do yourself. Confirm it, or ask an owner to "
                "withdraw it; what nobody confirms ends with the review."
            )
        await self._take(tx, account_id, role)
        await self._events.record(tx, RoleLost(role, "review"), by=by, on=Object("account", str(account_id)))

    async def _take(self, tx: OperatorWriter, account_id: UUID, role: str) -> None:
        owners = await rows.lock_owners(tx)
        if role == "owner" and owners == [account_id]:
            raise Conflict("This is the last owner. Make somebody else an owner first.")
        if not await rows.delete_grant(tx, account_id, role):
            raise NotFound
        await session_rows.delete_sessions(tx, account_id)
        await member_rows.withdraw_all_invitations_of(tx, str(account_id))

    async def all(self, tx: OperatorReader, account_id: UUID | None = None) -> list[Grant]:
        """Every standing role, or one person's."""
        return await rows.list_grants(tx, account_id)

    @verb(PrivilegesReported, permission="privileges.report")
    async def report(self, tx: OperatorWriter, *, by: Principal) -> list[Privileges]:
        """Each staff member's permissions, used and unused in the last 90 days, from the log."""
        people: dict[UUID, list[Grant]] = {}
        for grant in await rows.list_grants(tx):
            people.setdefault(grant.account_id, []).append(grant)
        seen: dict[str, set[str]] = {}
        for use in await rows.list_uses(tx, self._clock.now() - timedelta(days=REPORT_DAYS)):
            seen.setdefault(use.actor_id, set()).add(use.action)
        await self._events.record(tx, PrivilegesReported(len(people)), by=by)
        return [self._privileges(grants, seen.get(str(account_id), set())) for account_id, grants in people.items()]

    def _privileges(self, grants: list[Grant], seen: set[str]) -> Privileges:
        held = {one for one in staff_permissions(grant.role for grant in grants) if one in self._actions}
        used = {one for one in held if not seen.isdisjoint(self._actions[one])}
        first = grants[0]
        return Privileges(
            first.account_id,
            first.email,
            first.name,
            [grant.role for grant in grants],
            max(grant.granted_at for grant in grants),
            sorted(used),
            sorted(held - used),
        )


def verify_grantable(roles: Iterable[str], by: Principal) -> None:
    """Raises Invalid for what is no standing role, GrantRefused for one with more than `by` holds."""
    for name in roles:
        role = STAFF_ROLES.get(name)
        if role is None or role.elevation_only:
            known = ", ".join(sorted(one for one, found in STAFF_ROLES.items() if not found.elevation_only))
            raise Invalid("The role is not valid.", errors=[FieldError("role", f"Choose one of: {known}.")])
        if not all(by.holds(permission) for permission in role.permissions):
            raise GrantRefused(
                "You cannot grant or take a role that permits more than you may do yourself; what you were lent for a "
                "time does not count."
            )
