"""The release of the key: backups are opened for a declared purpose, and by two people (TOM 6.3)."""

from datetime import timedelta
from uuid import UUID

import msgspec

from bailee.access.accounts import verify_reason
from bailee.access.store import accounts as account_rows
from bailee.backup.age import Identity
from bailee.backup.keys import BackupKeys
from bailee.backup.letters import Letters
from bailee.backup.model import Purpose, Release, ReleaseState
from bailee.backup.store import releases as rows
from bailee.events import Events, Object, verb
from bailee.events.catalogue import BackupKeyReleased, ReleaseDecided, ReleaseRequested
from bailee.events.verbs import SYSTEM
from bailee.foundation.clock import Clock
from bailee.foundation.database import OperatorReader, OperatorWriter
from bailee.foundation.errors import Conflict, FieldError, Invalid, NotFound
from bailee.foundation.ids import new_id
from bailee.foundation.mail import Mail
from bailee.foundation.principal import Forbidden, Principal

_VALID = timedelta(hours=24)
_USABLE = timedelta(hours=4)
_DECIDERS = ["owner", "security_officer"]
_BY_PEOPLE = (Purpose.DISASTER_RECOVERY.value, Purpose.LEGAL_RETENTION.value)


class Releases:
    """Requests to open backups, and what became of them."""

    def __init__(self, keys: BackupKeys, events: Events, mail: Mail, letters: Letters, clock: Clock) -> None:
        self._keys = keys
        self._events = events
        self._mail = mail
        self._letters = letters
        self._clock = clock

    @verb(ReleaseRequested, permission="backup_releases.request", step_up=True)
    async def request(self, tx: OperatorWriter, *, purpose: str, reason: str, by: Principal) -> Release:
        """Asks for the key. A request lapses after a day. Raises Invalid."""
        if purpose not in _BY_PEOPLE:
            choose = "A backup is opened to recover the service, or for a legal duty to retain data; choose which."
            raise Invalid("The request is not valid.", errors=[FieldError("purpose", choose)])
        reason = verify_reason(reason)
        release_id = new_id()
        await rows.insert_release(tx, release_id, purpose, reason, by.account_id, self._clock.now() + _VALID)
        details = msgspec.convert({"purpose": purpose}, ReleaseRequested)
        await self._events.record(tx, details, by=by, on=_object(release_id))
        release = await self.get(tx, release_id)
        own = await account_rows.find_account(tx, by.account_id)
        for email in await account_rows.list_staff_emails(tx, _DECIDERS):
            if own is None or email != own.email:
                await self._mail.queue(tx, self._letters.release_requested(email, release))
        return release

    @verb(ReleaseDecided, permission="backup_releases.decide", step_up=True)
    async def decide(self, tx: OperatorWriter, release_id: UUID, *, approve: bool, by: Principal) -> Release:
        """A second person approves or refuses; what is approved can be used once, within four hours.

        Raises NotFound, Conflict, Forbidden for one's own request.
        """
        release = await self.get(tx, release_id)
        if release.requested_by == by.account_id:
            raise Forbidden("A second person has to decide on your request.")
        until = self._clock.now() + _USABLE
        if not await rows.decide_release(tx, release_id, by.account_id, until, approved=approve):
            raise Conflict("This request is no longer open.")
        details = msgspec.convert({"purpose": release.purpose.value, "approved": approve}, ReleaseDecided)
        await self._events.record(tx, details, by=by, on=_object(release_id))
        return await self.get(tx, release_id)

    @verb(BackupKeyReleased, permission=SYSTEM)
    async def use(self, tx: OperatorWriter, release_id: UUID, *, by: Principal) -> Identity:
        """Gives out the key, once. Raises NotFound, Conflict when it is not approved, or was used, or is too old."""
        release = await self.get(tx, release_id)
        if not await rows.use_release(tx, release_id):
            raise Conflict(f"This release is {release.state.value}; a release is used once, within four hours.")
        await self._released(tx, release.purpose.value, 2, release_id, by=by)
        return await self._keys.drill_identity()

    @verb(BackupKeyReleased, permission=SYSTEM)
    async def use_for_drill(self, tx: OperatorWriter, *, by: Principal) -> Identity:
        """Gives out the key to a rehearsal, whose copy nobody but Bailee sees."""
        await self._released(tx, "drill", 0, None, by=by)
        return await self._keys.drill_identity()

    async def get(self, tx: OperatorReader, release_id: UUID) -> Release:
        """Raises NotFound."""
        found = await rows.find_release(tx, release_id)
        if found is None:
            raise NotFound
        if found.state in (ReleaseState.REQUESTED, ReleaseState.APPROVED) and found.expires_at <= self._clock.now():
            return msgspec.structs.replace(found, state=ReleaseState.LAPSED)
        return found

    async def page(self, tx: OperatorReader, *, before: UUID | None = None, limit: int = 100) -> list[Release]:
        """Newest first."""
        found = await rows.list_releases(tx, before=before, limit=limit)
        return [await self.get(tx, one.id) for one in found]

    async def _released(
        self, tx: OperatorWriter, purpose: str, people: int,
        release_id: UUID | None, *, by: Principal,
    ) -> None:  # fmt: skip
        details = msgspec.convert({"purpose": purpose, "people": people}, BackupKeyReleased)
        await self._events.record(tx, details, by=by, on=_object(release_id) if release_id else None)


def _object(release_id: UUID) -> Object:
    return Object("backup_release", str(release_id))
