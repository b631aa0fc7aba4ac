"""Proves 5.3: an attacker inside one tenant reaches nothing of another."""

from datetime import timedelta

from bailee.access.keys import ApiKeys
from bailee.access.permissions import SCOPES
from bailee.assurance import Facts, Finding, Verdict, check
from bailee.encryption.service import Keyring
from bailee.encryption.tls import Certificates, own_endpoint
from bailee.foundation.database import Database
from bailee.foundation.objects import Objects
from bailee.foundation.principal import system
from bailee.foundation.settings import Settings
from bailee.infrastructure import store
from bailee.infrastructure.isolation import api_faults, object_faults, schema_faults, sql_faults
from bailee.infrastructure.store import TableSecurity
from bailee.stores import store as stores_store
from bailee.stores.files import Files
from bailee.stores.probes import COLLECTION, Probe, Probes

_PROBER = system("probe")
_MOST = 30


@check("infrastructure.tenants_are_isolated", measure="5.3", every=timedelta(hours=6))
async def tenants_are_isolated(
    settings: Settings, certificates: Certificates, database: Database, keyring: Keyring, objects: Objects,
    probes: Probes, keys: ApiKeys, files: Files,
) -> Finding:  # fmt: skip
    """As tenant A, tries every tenant table with SQL, every route with a key, and object storage, for B's data."""
    attacker, victim = await probes.plant()
    tables: list[TableSecurity] = []
    faults: list[str] = []
    for server in (database, keyring.database):
        async with server.operator_read() as tx:
            found, escapes = await store.list_tables(tx), await store.list_escapes(tx)
        tables += found
        faults += [*schema_faults(found), *escapes]
        faults += await sql_faults(server, found, attacker.tenant, victim.tenant)
    calls, reached = await _attack_api(settings, certificates, database, keys, attacker, victim)
    faults += reached
    faults += await object_faults(database, files, objects, attacker.tenant, victim)
    intact = await _is_intact(database, files, victim)
    facts: Facts = {
        "tables": sum(table.tenant for table in tables), "api_calls": calls, "reached": faults[:_MOST],
        "victim_sees_its_own": intact,
    }  # fmt: skip
    if faults:
        return Finding(Verdict.BROKEN, f"One tenant reached another's data in {len(faults)} ways.", facts)
    if not intact:
        return Finding(Verdict.BROKEN, "The probe changed another tenant's data.", facts)
    return Finding(
        Verdict.HOLDS, f"{facts['tables']} tables and {calls} calls: nothing of another tenant reached.", facts
    )


async def _attack_api(
    settings: Settings, certificates: Certificates, database: Database, keys: ApiKeys, attacker: Probe, victim: Probe
) -> tuple[int, list[str]]:
    permissions = sorted(SCOPES)
    async with database.tenant(victim.tenant) as tx:
        theirs = await keys.issue(tx, name="probe", permissions=permissions, expires_at=None, by=_PROBER)
    async with database.tenant(attacker.tenant) as tx:
        ours = await keys.issue(tx, name="probe", permissions=permissions, expires_at=None, by=_PROBER)
    try:
        async with own_endpoint(settings, certificates) as http:
            http.headers["Authorization"] = f"Bearer {ours.token}"
            calls, faults = await api_faults(http, victim, theirs.id)
            http.headers["Authorization"] = f"Bearer {theirs.token}"
            if not (await http.get("/api/v1/collections")).is_success:
                faults.append("the victim's own key was revoked, or did not work")
    finally:
        for probe, key in ((attacker, ours), (victim, theirs)):
            async with database.tenant(probe.tenant) as tx:
                if (await keys.get(tx, key.id)).revoked_at is None:
                    await keys.revoke(tx, key.id, by=_PROBER)
    return calls, faults


async def _is_intact(database: Database, files: Files, victim: Probe) -> bool:
    """Whether the victim still has what was planted: there was something to reach, and it is as it was."""
    async with database.tenant_read(victim.tenant) as tx:
        record = await stores_store.find_record(tx, COLLECTION, victim.record)
        file = await files.describe(tx, victim.file)
    return record is not None and record.version == 1 and file.size == len(victim.marker)
