"""Proves 3.2: marked data is written, then looked for in every file at rest."""

from datetime import timedelta

from bailee.assurance import Facts, Finding, Verdict, check
from bailee.assurance.markers import search_files
from bailee.foundation.database import Database
from bailee.foundation.errors import NotFound
from bailee.foundation.principal import system
from bailee.foundation.settings import EMBEDDED, Settings
from bailee.stores import store
from bailee.stores.files import Files
from bailee.stores.probes import COLLECTION, Probes
from bailee.stores.vault import Vault


@check("stores.no_plaintext_at_rest", measure="3.2", every=timedelta(hours=6))
async def no_plaintext_at_rest(
    settings: Settings, database: Database, probes: Probes, vault: Vault, files: Files
) -> Finding:
    """Stores a marked record and file, proves they can be read back, and searches data files, WAL, objects and logs."""
    probe, _ = await probes.plant()
    async with database.tenant_read(probe.tenant) as tx:
        row = await store.find_record(tx, COLLECTION, probe.record)
    opened = await vault.open_rows(probe.tenant, [row] if row else [])
    try:
        async with database.tenant(probe.tenant) as writer:
            file = await files.open(writer, probe.file, version=None, by=system("check"))
        content = b"".join([block async for block in files.content(file, 0, file.file.size)])
    except NotFound:
        content = b""
    readable = bool(opened) and opened[0].data["marker"] == probe.marker and content == probe.marker.encode()
    search = await search_files(settings.data, [settings.data])
    local = settings.database.main == EMBEDDED
    facts: Facts = {
        "files": search.files, "bytes": search.bytes, "found_in": search.found, "written_and_read_back": readable,
        "search_proven": search.proven, "database_files_searched": local,
    }  # fmt: skip
    if search.found:
        return Finding(Verdict.BROKEN, "Marked data lies in the clear.", facts)
    if not readable or not search.proven:
        return Finding(Verdict.UNKNOWN, "The probe did not go through; nothing is proven.", facts)
    if not local:
        return Finding(
            Verdict.ATTENTION, "Nothing in the clear here; the database's own files are on another machine.", facts
        )
    return Finding(
        Verdict.HOLDS, f"Nothing in the clear in {search.files} files of data, WAL, objects and logs.", facts
    )
