"""Telling people, in time, that a legal hold ends and what it keeps is deleted.

A reminder is one transaction: that it was told, the letters, and the event commit together or not at all. A kill
leaves it to the next round; two rounds at once meet at the hold's row, and the later finds it told.
"""

from datetime import date

import structlog

from bailee.access.permissions import TENANT_ROLES
from bailee.access.store.accounts import list_staff_emails
from bailee.access.store.members import list_emails_in
from bailee.events import Events, Object, verb
from bailee.events.catalogue import HoldReminded
from bailee.events.verbs import SYSTEM
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database, OperatorReader, OperatorWriter
from bailee.foundation.errors import Conflict, Error, NotFound
from bailee.foundation.ids import TenantId
from bailee.foundation.mail import Mail
from bailee.foundation.principal import Principal, system
from bailee.retention.letters import Letters
from bailee.retention.store import holds as rows
from bailee.retention.store.holds import Ending

log = structlog.get_logger()

REMINDERS = (30, 7)
"""Days before the last day of a hold."""
_CHANGING = ("holds.extend", "holds.lift")
_STAFF = (["data_protection"], ["owner"])
"""Whoever of the operator is told where the customer has nobody: the first of these that there are."""
_CLOCK = system("clock")


class Reminders:
    """Writes to those who may extend a hold or lift it."""

    def __init__(self, database: Database, mail: Mail, letters: Letters, events: Events, clock: Clock) -> None:
        self._database = database
        self._mail = mail
        self._letters = letters
        self._events = events
        self._clock = clock

    async def round(self) -> None:
        """Tells of every hold that is due for it. Without a mail server nobody is told, and nothing counts as told."""
        if not self._mail.configured:
            return
        today = self._clock.now().date()
        async with self._database.operator_read() as tx:
            ending = await rows.list_ending(tx, today, max(REMINDERS), min(REMINDERS))
        for one in ending:
            days = reminder_due(one, today)
            if days is not None:
                try:
                    async with self._database.operator() as tx:
                        await self.remind(tx, one, days, by=_CLOCK)
                except Error:  # one customer's trouble keeps nobody else from being told
                    log.warning("nobody was told of the end of a hold", hold=str(one.hold_id), exc_info=True)

    @verb(HoldReminded, permission=SYSTEM)
    async def remind(self, tx: OperatorWriter, ending: Ending, days: int, *, by: Principal) -> int:
        """Tells of one hold; how many people. Raises Conflict when it has changed, was told of, or nobody is there."""
        if not await rows.set_reminded(tx, ending, days):
            raise Conflict("This hold has changed, or they were told of it, meanwhile.")
        hold = await rows.find_hold(tx, ending.hold_id)
        if hold is None:
            raise NotFound
        people, letter = await self._people_of(tx, ending.tenant_id), self._letters.hold_ends
        staff = not people
        if staff:
            people, letter = await _staff(tx), self._letters.customers_hold_ends
        if not people:
            raise Conflict("There is nobody who could be told.")
        for email in people:
            await self._mail.queue(tx, letter(email, hold))
        details = HoldReminded(days, len(people), "staff" if staff else "tenant")
        on = Object("legal_hold", str(hold.id))
        await self._events.record(tx, details, by=by, on=on, tenant=ending.tenant_id)
        return len(people)

    async def _people_of(self, tx: OperatorReader, tenant: TenantId) -> list[str]:
        """Where those of the customer are reached who may extend a hold or lift it."""
        roles = [name for name, role in TENANT_ROLES.items() if not role.permissions.isdisjoint(_CHANGING)]
        for permission in _CHANGING:
            roles += await rows.list_roles_with(tx, tenant, permission)
        return sorted(set(await list_emails_in(tx, tenant, roles)))


def reminder_due(ending: Ending, today: date) -> int | None:
    """Which reminder a hold is due for, or None: after an extension all of them come again."""
    left = (ending.ends_on - today).days
    days = min((one for one in REMINDERS if one >= left), default=None)
    if days is None or left < 0 or (ending.reminded_days is not None and ending.reminded_days <= days):
        return None
    return days


async def _staff(tx: OperatorReader) -> list[str]:
    for roles in _STAFF:
        people = await list_staff_emails(tx, roles)
        if people:
            return people
    return []
