"""What runs in the background for tenants."""

from uuid import UUID

from bailee.encryption.service import Keyring
from bailee.events import Events, Object
from bailee.events.catalogue import KeysRewrapped
from bailee.foundation.database import Database
from bailee.foundation.ids import TenantId
from bailee.foundation.jobs import Jobs
from bailee.foundation.principal import system
from bailee.tenants.service import REWRAP_JOB


def register(jobs: Jobs, database: Database, keyring: Keyring, events: Events) -> None:
    """Puts this room's jobs into the queue's registry."""

    async def rewrap(tenant_id: str) -> None:
        tenant = TenantId(UUID(tenant_id))
        count = await keyring.rewrap(tenant)
        async with database.operator() as tx:
            details = KeysRewrapped(version=await keyring.active_version(tenant), count=count)
            await events.record(tx, details, by=system("worker"), on=Object("tenant", tenant_id), tenant=tenant)

    jobs.register(REWRAP_JOB, rewrap)
