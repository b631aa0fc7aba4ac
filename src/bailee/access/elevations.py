"""Elevation: a role for a time, with a reason and a second person's approval; it ends by itself (TOM 2.2)."""

from uuid import UUID

from bailee.access.accounts import verify_reason
from bailee.access.errors import GrantRefused
from bailee.access.letters import Letters
from bailee.access.model import Elevation
from bailee.access.permissions import STAFF_ROLES, to_hold
from bailee.access.store import accounts as account_rows
from bailee.access.store import roles as rows
from bailee.events import Events, Object, verb
from bailee.events.catalogue import ElevationDecided, ElevationEnded, ElevationRequested
from bailee.foundation.database import OperatorReader, OperatorWriter
from bailee.foundation.errors import Conflict, FieldError, Invalid, NotFound
from bailee.foundation.ids import new_id
from bailee.foundation.mail import Mail
from bailee.foundation.principal import ActorKind, Principal, system
from bailee.foundation.revocation import announce

_SHORTEST, _LONGEST = 5, 480
_DECIDERS = ("owner", "security_officer")


class Elevations:
    """Requests for a role, and what became of them."""

    def __init__(self, events: Events, mail: Mail, letters: Letters) -> None:
        self._events = events
        self._mail = mail
        self._letters = letters

    @verb(ElevationRequested, permission="elevations.request", step_up=True)
    async def request(self, tx: OperatorWriter, *, role: str, reason: str, minutes: int, by: Principal) -> Elevation:
        """Asks for a role for 5 to 480 minutes from its approval. A request lapses after a day.

        Raises Invalid, or Conflict while one for the same role is open.
        """
        errors = []
        if role not in STAFF_ROLES:
            errors.append(FieldError("role", f"Choose one of: {', '.join(sorted(STAFF_ROLES))}."))
        if not _SHORTEST <= minutes <= _LONGEST:
            errors.append(FieldError("minutes", f"Choose {_SHORTEST} to {_LONGEST} minutes."))
        if errors:
            raise Invalid("The request is not valid.", errors=errors)
        reason = verify_reason(reason)
        if role in await rows.list_roles_of(tx, by.account_id):
            raise Conflict("You hold that role already.")
        if await rows.has_open_elevation(tx, by.account_id, role):
            raise Conflict("You have asked for that role already, or hold it for the moment.")
        elevation_id = new_id()
        await rows.insert_elevation(tx, elevation_id, by.account_id, role, reason, minutes)
        on = Object("elevation", str(elevation_id))
        await self._events.record(tx, ElevationRequested(role, minutes), by=by, on=on)
        own = await account_rows.find_account(tx, by.account_id)
        for email in await account_rows.list_staff_emails(tx, _deciders(role)):
            if own is None or email != own.email:
                await self._mail.queue(tx, self._letters.elevation_requested(email, STAFF_ROLES[role].title))
        return await self.get(tx, elevation_id)

    @verb(ElevationDecided, permission="elevations.decide", step_up=True)
    async def decide(self, tx: OperatorWriter, elevation_id: UUID, *, approve: bool, by: Principal) -> Elevation:
        """Approves or refuses somebody else's request. Who approves holds the role's permissions, and not for a time
        only; of what nobody holds, an owner decides.

        Raises NotFound, Conflict, GrantRefused.
        """
        elevation = await self.get(tx, elevation_id)
        if by.kind is ActorKind.STAFF and elevation.account_id == by.account_id:
            raise GrantRefused("A second person has to decide on your request.")
        if approve and not all(by.holds(one) for one in to_hold(elevation.role)):
            raise GrantRefused("This role permits more than you may do yourself. Ask an owner to decide.")
        if not await rows.decide_elevation(tx, elevation_id, by.account_id, approved=approve):
            raise Conflict("This request is no longer open.")
        await announce(tx)
        on = Object("elevation", str(elevation_id))
        await self._events.record(tx, ElevationDecided(elevation.role, approve), by=by, on=on)
        return await self.get(tx, elevation_id)

    @verb(ElevationEnded, permission="elevations.end")
    async def end(self, tx: OperatorWriter, elevation_id: UUID, *, by: Principal) -> Elevation:
        """Ends an elevation or takes a request back: one's own, or anybody's for who decides on them.

        Raises NotFound, Conflict.
        """
        elevation = await self.get(tx, elevation_id)
        if elevation.account_id != by.account_id and not by.may("elevations.decide"):
            raise NotFound
        if not await rows.end_elevation(tx, elevation_id):
            raise Conflict("This elevation is over already.")
        await announce(tx)
        on = Object("elevation", str(elevation_id))
        await self._events.record(tx, ElevationEnded(elevation.role), by=by, on=on)
        return await self.get(tx, elevation_id)

    async def get(self, tx: OperatorReader, elevation_id: UUID) -> Elevation:
        """Raises NotFound."""
        found = await rows.find_elevation(tx, elevation_id)
        if found is None:
            raise NotFound
        return found

    async def page(self, tx: OperatorReader, *, before: UUID | None = None, limit: int = 100) -> list[Elevation]:
        """Newest first."""
        return await rows.list_elevations(tx, before=before, limit=limit)

    async def end_expired(self, tx: OperatorWriter) -> int:
        """Notes the end of those whose time is up; they have had no effect since."""
        ended = await rows.end_expired_elevations(tx)
        for one in ended:
            on = Object("elevation", str(one.id))
            await self._events.record(tx, ElevationEnded(one.role), by=system("clock"), on=on)
        return len(ended)


def _deciders(role: str) -> list[str]:
    """The roles of those who may approve a request for `role`."""
    return [name for name in _DECIDERS if to_hold(role) <= STAFF_ROLES[name].permissions]
