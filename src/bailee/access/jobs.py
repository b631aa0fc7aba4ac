"""What access control does by the clock."""

from datetime import timedelta

import structlog

from bailee.access.accounts import Accounts
from bailee.access.elevations import Elevations
from bailee.access.letters import Letters
from bailee.access.model import DORMANCY_NOTICE
from bailee.access.reviews import Reviews
from bailee.access.store import accounts as account_rows
from bailee.access.store import factors as factor_rows
from bailee.access.store import keys as key_rows
from bailee.access.store import members as member_rows
from bailee.access.store import sessions as session_rows
from bailee.access.store.keys import ExpiringKey
from bailee.events import Events, Object
from bailee.events.catalogue import ApiKeyExpiryAnnounced, DormancyAnnounced
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database, TenantWriter
from bailee.foundation.errors import Conflict, Error
from bailee.foundation.jobs import Jobs
from bailee.foundation.mail import Mail
from bailee.foundation.principal import system
from bailee.foundation.settings import Access
from bailee.tenants import store as tenant_rows

log = structlog.get_logger()

_KEY_NOTICE = timedelta(days=14)
_TOLD_OF_KEYS = ["owner", "administrator"]


class Upkeep:
    """The rounds."""

    def __init__(
        self, database: Database, events: Events, accounts: Accounts, elevations: Elevations, reviews: Reviews,
        mail: Mail, letters: Letters, limits: Access, clock: Clock,
    ) -> None:  # fmt: skip
        self._database = database
        self._events = events
        self._accounts = accounts
        self._elevations = elevations
        self._reviews = reviews
        self._mail = mail
        self._letters = letters
        self._limits = limits
        self._clock = clock

    def register(self, jobs: Jobs) -> None:
        """Puts the rounds on the schedule."""
        jobs.every("41 * * * *", "access.sweep", self.sweep)
        jobs.every("* * * * *", "access.deadlines", self.keep_deadlines)
        jobs.every("17 4 * * *", "access.dormancy", self.look_for_dormant)
        jobs.every("27 5 * * *", "access.expiring_keys", self.announce_expiring_keys)

    async def sweep(self) -> None:
        """Clears away what ended long ago."""
        async with self._database.operator() as tx:
            await session_rows.delete_old_failures(tx)
            await session_rows.delete_ended_sessions(tx)
            await session_rows.delete_old_pending(tx)
            await session_rows.delete_old_devices(tx)
            await account_rows.delete_old_links(tx)
            await factor_rows.delete_old_challenges(tx)

    async def keep_deadlines(self) -> None:
        """Ends elevations and reviews whose time is up."""
        async with self._database.operator() as tx:
            await self._elevations.end_expired(tx)
        async with self._database.operator_read() as reader:
            due = await self._reviews.due(reader)
        for review in due:
            async with self._database.operator() as tx:
                await self._reviews.close(tx, review, by=system("clock"))

    async def look_for_dormant(self) -> None:
        """Warns two weeks ahead, then disables; the last owner is warned and kept.

        Without a mail server the lists of people show the warning, for a colleague to tell them of it.
        """
        now = self._clock.now()
        dormant = timedelta(days=self._limits.dormant_days)
        async with self._database.operator_read() as reader:
            to_warn = await account_rows.list_unseen(reader, now - dormant + DORMANCY_NOTICE, warned=False)
            warned = await account_rows.list_unseen(reader, now - dormant, warned=True)
        for account in to_warn:
            try:
                async with self._database.operator() as tx:
                    await account_rows.mark_warned(tx, account.id)
                    disabled_on = max(account.seen_at + dormant, now + DORMANCY_NOTICE)
                    mailed = await self._mail.queue(tx, self._letters.dormant(account.email, disabled_on))
                    on = Object("account", str(account.id))
                    details = DormancyAnnounced(DORMANCY_NOTICE.days, mailed)
                    await self._events.record(tx, details, by=system("clock"), on=on)
            except Error:  # the others are warned all the same
                log.exception("a dormant account cannot be warned", account=str(account.id))
        for account in warned:
            if account.dormancy_warned_at is not None and now - account.dormancy_warned_at >= DORMANCY_NOTICE:
                try:
                    async with self._database.operator() as tx:
                        await self._accounts.disable_dormant(tx, account.id, by=system("clock"))
                except Conflict:
                    continue  # the last owner, or somebody who came back meanwhile
                except Error:  # the others are looked at all the same
                    log.exception("a dormant account cannot be disabled", account=str(account.id))

    async def announce_expiring_keys(self) -> None:
        """Writes to a tenant's owners and administrators two weeks before a key ends."""
        async with self._database.operator_read() as reader:
            keys = await key_rows.list_expiring(reader, self._clock.now() + _KEY_NOTICE)
        for key in keys:
            try:
                async with self._database.tenant(key.tenant_id) as tx:
                    await self._announce_expiry(tx, key)
            except Error:  # the other keys are announced all the same
                log.exception("a key's end cannot be announced", key=str(key.key_id))

    async def _announce_expiry(self, tx: TenantWriter, key: ExpiringKey) -> None:
        if not await key_rows.mark_reminded(tx, key.key_id):
            return
        tenant = await tenant_rows.find_tenant(tx, key.tenant_id)
        place = tenant.name if tenant else ""
        for email in await member_rows.list_emails_of(tx, _TOLD_OF_KEYS):
            await self._mail.queue(tx, self._letters.key_expires(email, key.name, place, key.expires_at))
        days = (key.expires_at - self._clock.now()).days
        on = Object("api_key", str(key.key_id))
        await self._events.record(tx, ApiKeyExpiryAnnounced(max(days, 0)), by=system("clock"), on=on)
