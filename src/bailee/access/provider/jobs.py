"""What the provider does by the clock."""

from datetime import timedelta

from bailee.access.letters import Letters
from bailee.access.provider import store as rows
from bailee.access.provider.signing import Signing
from bailee.access.store import accounts as account_rows
from bailee.events import Events, Object
from bailee.events.catalogue import ClientSecretExpiryAnnounced
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database, OperatorReader
from bailee.foundation.ids import OPERATOR
from bailee.foundation.jobs import Jobs
from bailee.foundation.mail import Mail
from bailee.foundation.principal import system
from bailee.tenants import store as tenant_rows

_NOTICE = timedelta(days=14)
_TOLD_OF_THE_OPERATORS = ["owner", "infrastructure"]


class ProviderUpkeep:
    """The rounds."""

    def __init__(
        self, database: Database, events: Events, signing: Signing, mail: Mail, letters: Letters, clock: Clock
    ) -> None:
        self._database = database
        self._events = events
        self._signing = signing
        self._mail = mail
        self._letters = letters
        self._clock = clock

    def register(self, jobs: Jobs) -> None:
        """Puts the rounds on the schedule."""
        jobs.every("51 * * * *", "provider.sweep", self.sweep)
        jobs.every("7 3 * * *", "provider.keys", self.rotate_keys)
        jobs.every("37 5 * * *", "provider.expiring_secrets", self.announce_expiring_secrets)

    async def sweep(self) -> None:
        """Clears away grants and tokens that ended long ago."""
        async with self._database.operator() as tx:
            await rows.delete_old(tx)

    async def rotate_keys(self) -> None:
        """Rotates the signing keys every 30 days."""
        if await self._signing.is_due():
            await self._signing.rotate(withdraw=False, by=system("clock"))

    async def announce_expiring_secrets(self) -> None:
        """Writes to whoever is responsible for a client two weeks before its secret ends."""
        async with self._database.operator_read() as reader:
            expiring = await rows.list_expiring(reader, self._clock.now() + _NOTICE)
        for secret in expiring:
            async with self._database.operator() as tx:
                if not await rows.mark_reminded(tx, secret.tenant_id, secret.secret_id):
                    continue
                place, addresses = await self._responsible(tx, secret)
                for address in addresses:
                    letter = self._letters.client_secret_expires(address, secret.name, place, secret.expires_at)
                    await self._mail.queue(tx, letter)
                days = max((secret.expires_at - self._clock.now()).days, 0)
                on = Object("client", str(secret.client_id))
                tenant = None if secret.tenant_id == OPERATOR else secret.tenant_id
                await self._events.record(
                    tx, ClientSecretExpiryAnnounced(days), by=system("clock"), on=on, tenant=tenant
                )

    async def _responsible(self, tx: OperatorReader, secret: rows.ExpiringSecret) -> tuple[str, list[str]]:
        if secret.tenant_id == OPERATOR:
            return "your own product", await account_rows.list_staff_emails(tx, _TOLD_OF_THE_OPERATORS)
        tenant = await tenant_rows.find_tenant(tx, secret.tenant_id)
        return tenant.name if tenant else "", await rows.list_responsible(tx, secret.tenant_id)
