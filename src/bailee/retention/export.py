"""The return of a tenant's data: one ZIP with all of it, streamed in constant memory.

| entry | what it holds |
| --- | --- |
| `collections/<name>/map.json` | the data map |
| `collections/<name>/records.ndjson` | a record a line: id, version, subject, data, created_at, updated_at |
| `files.ndjson`, `files/<id>` | descriptions of files, and their contents |
| `events.ndjson` | the tenant's events, newest first |
| `holds.ndjson` | legal holds: that they are, not what they hold |
| `manifest.json` | the last entry: format, tenant, moment, counts, and the SHA-256 of every other entry |
"""

import hashlib
import io
import zipfile
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, override
from uuid import UUID

import msgspec
from anyio.to_thread import run_sync

from bailee.events import Events, Object, verb
from bailee.events.catalogue import TenantExported
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database, TenantWriter
from bailee.foundation.errors import NotFound
from bailee.foundation.ids import TenantId
from bailee.foundation.principal import Principal
from bailee.retention.holds import Holds
from bailee.stores import store
from bailee.stores.files import Files
from bailee.stores.model import StoredFile
from bailee.stores.vault import Vault

FORMAT = "bailee-export/v1"
_BATCH = 500
_EVERY = 100_000
_encode = msgspec.json.Encoder().encode


class Opened(msgspec.Struct, frozen=True):
    """What an export will hold, as counted at its beginning."""

    tenant: TenantId
    at: datetime
    records: int
    files: int


class Export:
    """Exports one tenant at a time."""

    def __init__(
        self, database: Database, vault: Vault, files: Files, holds: Holds, events: Events, clock: Clock
    ) -> None:  # fmt: skip
        self._database = database
        self._vault = vault
        self._files = files
        self._holds = holds
        self._events = events
        self._clock = clock

    @verb(TenantExported, permission="tenant.export", step_up=True)
    async def open(self, tx: TenantWriter, *, by: Principal) -> Opened:
        """Says in the log that everything is taken along, before the first byte."""
        maps = await store.list_collections(tx, after="", limit=_EVERY)
        records = sum((await store.count_records(tx, [one.name for one in maps])).values())
        files = len(await store.list_object_ids(tx))
        on = Object("tenant", str(tx.tenant))
        await self._events.record(tx, TenantExported(records, files), by=by, on=on)
        return Opened(tx.tenant, self._clock.now(), records, files)

    async def content(self, opened: Opened) -> AsyncIterator[bytes]:
        """The archive, block by block."""
        archive = _Archive()
        counts: dict[str, int] = {}
        async with self._database.tenant_read(opened.tenant) as tx:
            maps = await store.list_collections(tx, after="", limit=_EVERY)
        for one in maps:
            raw = _encode(one.definition)
            async for block in archive.write(f"collections/{one.name}/map.json", _once(raw)):
                yield block
            lines = self._records(opened.tenant, one.name, counts)
            async for block in archive.write(f"collections/{one.name}/records.ndjson", lines):
                yield block
        files: list[StoredFile] = []
        async for file in self._every_file(opened.tenant):
            files.append(file)
            async for block in archive.write(f"files/{file.id}", self._content(opened.tenant, file)):
                yield block
        counts["files"] = len(files)
        for name, entries in (
            ("files.ndjson", _lines(files)),
            ("events.ndjson", self._log(opened.tenant, counts)),
            ("holds.ndjson", self._held(opened.tenant)),
        ):
            async for block in archive.write(name, entries):
                yield block
        manifest = {
            "format": FORMAT, "tenant": str(opened.tenant), "at": opened.at.isoformat(), "counts": counts,
            "entries": dict(archive.digests),
        }  # fmt: skip
        async for block in archive.write("manifest.json", _once(_encode(manifest))):
            yield block
        yield archive.end()

    async def _records(self, tenant: TenantId, name: str, counts: dict[str, int]) -> AsyncIterator[bytes]:
        after: UUID | None = None
        counts[f"collections/{name}"] = 0
        while True:
            async with self._database.tenant_read(tenant) as tx:
                found = await store.list_stretch(tx, name, after=after, limit=_BATCH)
                records = await self._vault.open_rows(tenant, found)
            counts[f"collections/{name}"] += len(records)
            yield b"".join(_encode(record) + b"\n" for record in records)
            if len(found) < _BATCH:
                return
            after = found[-1].record_id

    async def _every_file(self, tenant: TenantId) -> AsyncIterator[StoredFile]:
        after: UUID | None = None
        while True:
            async with self._database.tenant_read(tenant) as tx:
                page = await self._files.page(tx, subject=None, after=after, limit=_BATCH)
                after = await self._files.position(tx, page[-1].id) if page else None
            for file in page:
                yield file
            if len(page) < _BATCH:
                return

    async def _content(self, tenant: TenantId, file: StoredFile) -> AsyncIterator[bytes]:
        async with self._database.tenant_read(tenant) as tx:
            try:
                opened = await self._files.found(tx, file.id)
            except NotFound:  # deleted since the list was read
                return
        async for block in self._files.content(opened, 0, opened.file.size):
            yield block

    async def _log(self, tenant: TenantId, counts: dict[str, int]) -> AsyncIterator[bytes]:
        before: UUID | None = None
        counts["events"] = 0
        while True:
            async with self._database.tenant_read(tenant) as tx:
                page = await self._events.page(tx, before=before, limit=_BATCH)
            counts["events"] += len(page)
            yield b"".join(_encode(event) + b"\n" for event in page)
            if len(page) < _BATCH:
                return
            before = UUID(page[-1].id)

    async def _held(self, tenant: TenantId) -> AsyncIterator[bytes]:
        async with self._database.tenant_read(tenant) as tx:
            found = await self._holds.page(tx, limit=_EVERY)
        yield b"".join(_encode(hold) + b"\n" for hold in found)


class _Archive:
    """A ZIP written to a stream that cannot seek: what is ready is taken out after each block."""

    def __init__(self) -> None:
        self._ready = _Ready()
        self._zip = zipfile.ZipFile(self._ready, "w", zipfile.ZIP_DEFLATED)
        self.digests: dict[str, str] = {}

    async def write(self, name: str, content: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """One entry."""
        digest = hashlib.sha256()
        with self._zip.open(name, "w", force_zip64=True) as entry:
            async for block in content:
                digest.update(block)
                await run_sync(entry.write, block)
                yield self._ready.take()
        self.digests[name] = digest.hexdigest()
        yield self._ready.take()

    def end(self) -> bytes:
        self._zip.close()
        return self._ready.take()


class _Ready(io.RawIOBase):
    """What `zipfile` writes to, and nothing can seek in."""

    def __init__(self) -> None:
        self._blocks: list[bytes] = []

    @override
    def writable(self) -> bool:
        return True

    @override
    def write(self, block: Any) -> int:
        self._blocks.append(bytes(block))
        return len(block)

    def take(self) -> bytes:
        ready, self._blocks = b"".join(self._blocks), []
        return ready


async def _once(raw: bytes) -> AsyncIterator[bytes]:
    yield raw


async def _lines(items: list[StoredFile]) -> AsyncIterator[bytes]:
    for item in items:
        yield _encode(item) + b"\n"
