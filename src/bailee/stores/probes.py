"""Synthetic tenants with marked data, for the checks to look for and to reach for."""

from collections.abc import AsyncIterator
from uuid import UUID

import msgspec

from bailee.assurance.markers import new_marker
from bailee.foundation.database import Database
from bailee.foundation.ids import TenantId
from bailee.foundation.principal import Principal, system
from bailee.stores.collection import Collections
from bailee.stores.files import Files
from bailee.stores.vault import NewRecord, Vault
from bailee.tenants.model import Tenant, TenantKind
from bailee.tenants.service import Tenants

COLLECTION = "probe"
_PROBER: Principal = system("probe")
_NAMES = ("Probe A", "Probe B")
_DEFINITION = {
    "title": "Probe",
    "purpose": "Marked data for the checks",
    "subject": "optional",
    "fields": {"marker": {"type": "string", "category": "none", "searchable": True}},
}


class Probe(msgspec.Struct, frozen=True):
    """A synthetic tenant with one record, one file and one subject, all marked."""

    tenant: TenantId
    marker: str
    subject: str
    record: UUID
    file: str


class Probes:
    """Makes the synthetic tenants when they are missing, and fresh marked data in them."""

    def __init__(
        self, database: Database, tenants: Tenants, collections: Collections, vault: Vault, files: Files
    ) -> None:
        self._database = database
        self._tenants = tenants
        self._collections = collections
        self._vault = vault
        self._files = files

    async def plant(self) -> tuple[Probe, Probe]:
        """Fresh marked data in both tenants, the earlier removed."""
        first, second = await self._both()
        return await self._plant(first.id), await self._plant(second.id)

    async def _both(self) -> tuple[Tenant, Tenant]:
        async with self._database.operator() as tx:
            await tx.run("SELECT pg_advisory_xact_lock(hashtext('bailee.probes'))")
            present = await self._tenants.page(tx, kind=TenantKind.PROBE, limit=2)
            for name in _NAMES[len(present) :]:
                present.append(
                    await self._tenants.create(tx, name=name, plan="enterprise", by=_PROBER, kind=TenantKind.PROBE)
                )
        return present[0], present[1]

    async def _plant(self, tenant: TenantId) -> Probe:
        marker = new_marker()
        subject = f"{marker}-subject"
        async with self._database.tenant(tenant) as tx:
            await self._collections.define(tx, COLLECTION, _DEFINITION, by=_PROBER)
            earlier, _ = await self._vault.search(
                tx, COLLECTION, subject=None, where={}, after=None, limit=50, by=_PROBER
            )
            for record in earlier:
                await self._vault.delete(tx, COLLECTION, record.id, version=None, by=_PROBER)
            stored = await self._vault.create(tx, COLLECTION, NewRecord({"marker": marker}, subject), by=_PROBER)
        await self._files.store(
            tenant,
            "probe.txt",
            _blocks(marker.encode()),
            subject=None,
            content_type="text/plain",
            version=None,
            by=_PROBER,
        )
        return Probe(tenant, marker, subject, stored.id, "probe.txt")


async def _blocks(content: bytes) -> AsyncIterator[bytes]:
    yield content
