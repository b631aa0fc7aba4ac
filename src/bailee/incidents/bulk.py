"""The same for every draft of an incident: hundreds of customers can be concerned, and the day has 24 hours.

Each notice is its own transaction, under the rules that hold for one: what is refused stays as it was, with its reason,
and the others go on.
"""

from collections.abc import Awaitable, Callable
from uuid import UUID

import msgspec

from bailee.foundation.database import Database, OperatorWriter
from bailee.foundation.errors import Error, Unavailable
from bailee.foundation.ids import TenantId
from bailee.foundation.principal import Principal
from bailee.incidents.incidents import Incidents
from bailee.incidents.model import Notice, NoticeState
from bailee.incidents.notices import Notices


class Refusal(msgspec.Struct, frozen=True):
    """A notice with which it was not done, and why."""

    tenant_id: TenantId
    tenant_name: str
    reason: str


class BulkResult(msgspec.Struct, frozen=True):
    """With how many it was done, and with which it was not."""

    done: int
    refused: list[Refusal]


class Bulk:
    """Does things with all notices of an incident that are not sent."""

    def __init__(self, database: Database, incidents: Incidents, notices: Notices) -> None:
        self._database = database
        self._incidents = incidents
        self._notices = notices

    async def edit(self, incident_id: UUID, *, text: dict[str, str], by: Principal) -> BulkResult:
        """Writes the same parts into every draft; those that are not given stay. Raises NotFound, as the others do."""
        by.require("notices.edit")
        return await self._each(
            incident_id,
            lambda tx, one: self._notices.edit(tx, incident_id, one.tenant_id, one.version, text=text, by=by),
            {NoticeState.DRAFT, NoticeState.APPROVED},
        )

    async def approve(self, incident_id: UUID, *, by: Principal) -> BulkResult:
        """Approves every draft that is complete and that this person has not written in."""
        by.require("notices.approve")
        by.require_step_up()
        return await self._each(
            incident_id,
            lambda tx, one: self._notices.approve(tx, incident_id, one.tenant_id, one.version, by=by),
            {NoticeState.DRAFT},
        )

    async def send(self, incident_id: UUID, *, by: Principal) -> BulkResult:
        """Sends every approved version."""
        by.require("notices.send")
        by.require_step_up()
        return await self._each(
            incident_id,
            lambda tx, one: self._notices.send(tx, incident_id, one.tenant_id, one.version, by=by),
            {NoticeState.APPROVED},
        )

    async def _each(
        self, incident_id: UUID, act: Callable[[OperatorWriter, Notice], Awaitable[Notice]], states: set[NoticeState]
    ) -> BulkResult:
        async with self._database.operator_read() as reader:
            await self._incidents.get(reader, incident_id)
            found = [one for one in await self._notices.latest(reader, incident_id) if one.state in states]
        done, refused = 0, []
        for one in found:
            try:
                async with self._database.operator() as tx:
                    await act(tx, one)
                done += 1
            except Unavailable:
                raise  # the database is away: the rest would fare no better
            except Error as error:
                reason = " ".join([error.detail, *(fault.message for fault in error.errors)])
                refused.append(Refusal(one.tenant_id, one.tenant_name, reason))
        return BulkResult(done, refused)
