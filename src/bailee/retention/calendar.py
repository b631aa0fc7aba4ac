"""The rotation calendar: which backups still hold a tenant or a data subject, until when that can be read, and until
when it exists.
"""

from datetime import datetime
from uuid import UUID

import msgspec

from bailee.backup.rotation import HeldBackup
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database, OperatorReader
from bailee.foundation.errors import NotFound
from bailee.foundation.ids import TenantId
from bailee.retention.model import TerminationState
from bailee.retention.rotation import BackupDates
from bailee.retention.store import terminations as rows
from bailee.stores.vault import Vault
from bailee.tenants.service import Tenants


class CalendarView(msgspec.Struct, frozen=True):
    """`until` is None while it is still stored; then the dates are those of a deletion at this moment."""

    since: datetime
    until: datetime | None
    backups: list[HeldBackup]
    unreadable_from: datetime | None
    gone_by: datetime | None
    backups_taken: bool
    """Whether Bailee takes backups here; whoever takes others has to answer for them."""


class Calendar:
    """Looks into the rotation of backups."""

    def __init__(self, database: Database, tenants: Tenants, vault: Vault, dates: BackupDates, clock: Clock) -> None:
        self._database = database
        self._tenants = tenants
        self._vault = vault
        self._dates = dates
        self._clock = clock

    async def of_tenant(self, tx: OperatorReader, tenant_id: UUID) -> CalendarView:
        """Raises NotFound."""
        tenant = await self._tenants.get(tx, tenant_id)
        ended = await rows.find_termination(tx, tenant_id)
        over = ended is not None and ended.state is TerminationState.COMPLETED
        return await self._view(tx, tenant.created_at, ended.closed_at if ended and over else None)

    async def of_subject(self, tenant: TenantId, subject: str) -> CalendarView:
        """Of one of a tenant's data subjects, stored or erased. Raises NotFound, Invalid."""
        holder = await self._vault.holder(tenant, subject)
        async with self._database.tenant_read(tenant) as tenant_tx:
            span = await rows.find_subject_span(tenant_tx, holder)
        if span is None:
            raise NotFound
        async with self._database.operator_read() as tx:
            return await self._view(tx, span.since, span.until)

    async def _view(self, tx: OperatorReader, since: datetime, until: datetime | None) -> CalendarView:
        holding = await self._dates.holding(tx, since=since, until=until or self._clock.now())
        return CalendarView(since, until, holding.backups, holding.unreadable_from, holding.gone_by, self._dates.taken)
