"""Files: streamed in and out, encrypted in chunks under their data subject's key.

Storing, and what a crash after each step leaves: 1. the subject's key, ready; 2. the ciphertext, a whole object
that nothing names (the sweep removes it after a day); 3. the row that names it, with the event, in one
transaction. The object it replaces is removed by a job queued there.
"""

import hashlib
import re
from collections.abc import AsyncIterable, AsyncIterator
from datetime import datetime
from uuid import UUID

import msgspec

from bailee.encryption.envelope import DataKey, Place, key_id_of, seal, unseal
from bailee.encryption.service import Keyring
from bailee.encryption.streams import HEADER, seal_stream, sealed_range, stream_key_id, unseal_stream
from bailee.events import Events, Object, verb
from bailee.events.catalogue import FileDeleted, FileRead, FileStored
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database, TenantReader, TenantWriter
from bailee.foundation.errors import Conflict, FieldError, Invalid, NotFound, TooLarge
from bailee.foundation.ids import TenantId, new_id
from bailee.foundation.jobs import Jobs
from bailee.foundation.objects import Objects
from bailee.foundation.principal import Principal
from bailee.stores import store
from bailee.stores.errors import VersionMismatch
from bailee.stores.model import StoredFile
from bailee.stores.store import FileRow
from bailee.stores.vault import Vault, holder_of, verify_subject

DELETE_OBJECTS_JOB = "stores.delete_object"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)
_CONTENT_TYPE = re.compile(r"[\w.+-]{1,64}/[\w.+-]{1,64}(; ?[\w-]{1,32}=[\w.+-]{1,64})*", re.ASCII)
_KIND = "file"
_MAX_NAME = 128
_STRETCH = 1000


class _Description(msgspec.Struct, frozen=True):
    """What is inside a file's sealed metadata."""

    name: str
    subject: str | None
    content_type: str
    sha256: str


class OpenFile(msgspec.Struct, frozen=True):
    """One version of a file, found: what it is, and where its bytes lie."""

    file: StoredFile
    tenant: TenantId
    object_id: UUID


class Files:
    """The files of one tenant at a time."""

    def __init__(
        self, database: Database, keyring: Keyring, vault: Vault, objects: Objects, events: Events, jobs: Jobs,
        clock: Clock, max_bytes: int,
    ) -> None:  # fmt: skip
        self._database = database
        self._keyring = keyring
        self._vault = vault
        self._objects = objects
        self._events = events
        self._jobs = jobs
        self._clock = clock
        self._max_bytes = max_bytes

    async def store(
        self, tenant: TenantId, name: str, content: AsyncIterable[bytes], *, subject: str | None,
        content_type: str, version: int | None, by: Principal,
    ) -> tuple[StoredFile, bool]:  # fmt: skip
        """Stores a stream under `name`; says whether the name is new. `version` is the one the caller has seen.

        It opens its own transactions, none of which is open while the content streams in. Raises Invalid, TooLarge,
        VersionMismatch or Conflict.
        """
        _verify(name, content_type)
        verify_subject(None, subject)
        index = await self._keyring.index_key(tenant)
        holder = None if subject is None else holder_of(index, subject)
        # 1. the key
        async with self._database.tenant(tenant) as tx:
            key = await self._key(tx, holder)
        # 2. the object
        object_id = new_id()
        meter = _Meter(content, self._max_bytes)
        path = object_path(tenant, object_id)
        stored = False
        try:
            await self._objects.put_stream(path, seal_stream(key, meter, Place(tenant, _KIND, object_id, 1)))
            description = _Description(name, subject, content_type, meter.digest.hexdigest())
            # 3. the row
            async with self._database.tenant(tenant) as tx:
                if (await self._key(tx, holder)).key_id != key.key_id:
                    raise Conflict("This person was erased while the file was being sent.")
                file, created = await self._put_row(
                    tx, object_id, description, key, holder=holder, size=meter.size, version=version, by=by
                )
                # From here on the row may be there, whatever becomes of the commit's answer. The sweep knows.
                stored = True
        finally:
            if not stored:
                await self._objects.delete(path)
        return file, created

    @verb(FileRead, permission="files.open")
    async def open(self, tx: TenantWriter, name: str, *, version: int | None, by: Principal) -> OpenFile:
        """A file as it is now, on the record as read. Raises NotFound or VersionMismatch."""
        row, key = await self._find(tx, name)
        _verify_version(row.version, version)
        await self._events.record(tx, FileRead(), by=by, on=Object("file", row.name_token.hex()))
        return OpenFile(_shown(tx.tenant, row, key), tx.tenant, row.object_id)

    async def describe(self, tx: TenantReader, name: str) -> StoredFile:
        """A file's description. Raises NotFound."""
        row, key = await self._find(tx, name)
        return _shown(tx.tenant, row, key)

    async def content(self, opened: OpenFile, start: int, end: int) -> AsyncIterator[bytes]:
        """The plaintext bytes [start, end) of the very version that was opened.

        Raises NotFound, KeyDestroyed or DecryptionFailed before it yields anything, if the first bytes are at fault.
        """
        path = object_path(opened.tenant, opened.object_id)
        header = b"".join([block async for block in self._objects.read(path, 0, HEADER)])
        key = await self._keyring.open_key(opened.tenant, stream_key_id(header))
        place = Place(opened.tenant, _KIND, opened.object_id, 1)
        size = opened.file.size
        first, last = sealed_range(size, start, end)
        blocks = self._objects.read(path, first, last - first)
        async for block in unseal_stream(key, header, blocks, place, size=size, start=start, end=end):
            yield block

    async def page(self, tx: TenantReader, *, subject: str | None, after: UUID | None, limit: int) -> list[StoredFile]:
        """Files in the order they were stored, all or those of a subject."""
        index = await self._keyring.index_key(tx.tenant)
        holder = None if subject is None else holder_of(index, subject)
        return await self._open_rows(tx.tenant, await store.list_files(tx, holder=holder, after=after, limit=limit))

    async def of_subject(self, tx: TenantReader, subject: str) -> list[StoredFile]:
        """Every file of one person."""
        holder = holder_of(await self._keyring.index_key(tx.tenant), subject)
        found: list[FileRow] = []
        while stretch := await store.list_files(
            tx, holder=holder, after=found[-1].object_id if found else None, limit=_STRETCH
        ):
            found += stretch
        return await self._open_rows(tx.tenant, found)

    async def position(self, tx: TenantReader, name: str) -> UUID:
        """Where a file stands in the order of `page`. Raises NotFound."""
        row, _ = await self._find(tx, name)
        return row.object_id

    @verb(FileDeleted, permission="files.delete")
    async def delete(self, tx: TenantWriter, name: str, *, version: int | None, by: Principal) -> None:
        """Removes a file. Raises NotFound or VersionMismatch."""
        token = await self._token(tx.tenant, name)
        row = await store.hold_file(tx, token)
        if row is None:
            raise NotFound
        _verify_version(row.version, version)
        await store.delete_file(tx, token)
        await self._discard(tx, row.object_id)
        await self._events.record(tx, FileDeleted(), by=by, on=Object("file", token.hex()))

    # --- for the rooms beside it: who takes a file out or puts one in records it ---------------------------

    async def in_scope(
        self, tx: TenantReader, holders: list[bytes], *, everything: bool, until: datetime, after: UUID | None,
        limit: int,
    ) -> list[tuple[FileRow, StoredFile | None]]:  # fmt: skip
        """Files of these subjects, or all, as stored up to a moment. One that is being erased has no description."""
        rows = await store.list_files_in_scope(
            tx, holders, everything=everything, until=until, after=after, limit=limit
        )  # fmt: skip
        keys = await self._keyring.open_keys(tx.tenant, {key_id_of(row.metadata) for row in rows})
        opened = [keys.get(key_id_of(row.metadata)) for row in rows]
        return [(row, _shown(tx.tenant, row, key) if key else None) for row, key in zip(rows, opened, strict=True)]

    async def found(self, tx: TenantReader, name: str) -> OpenFile:
        """A file as it is now. Raises NotFound."""
        row, key = await self._find(tx, name)
        return OpenFile(_shown(tx.tenant, row, key), tx.tenant, row.object_id)

    def whole(self, tenant: TenantId, row: FileRow, file: StoredFile) -> AsyncIterator[bytes]:
        """The plaintext of the very version that was found."""
        return self.content(OpenFile(file, tenant, row.object_id), 0, file.size)

    async def take_out(self, tx: TenantWriter, row: FileRow) -> bool:
        """Removes this very version, and its object after the commit; says whether it was still the one."""
        if not await store.delete_file_version(tx, row):
            return False
        await self._discard(tx, row.object_id)
        return True

    async def put_in(self, tenant: TenantId, file: StoredFile, content: AsyncIterable[bytes], *, by: Principal) -> None:
        """Stores what was taken out under its name, or, where that is taken, beside it with a part of its digest.
        What is there already, as after a crash, is left as it is.
        """
        beside = f"{file.id[: _MAX_NAME - 9]}.{file.sha256[:8]}"
        async with self._database.tenant_read(tenant) as tx:
            present = [await self._described(tx, name) for name in (file.id, beside)]
        if any(one is not None and (one.sha256, one.subject) == (file.sha256, file.subject) for one in present):
            return
        name = file.id if present[0] is None else beside
        await self.store(
            tenant, name, content, subject=file.subject, content_type=file.content_type, version=None, by=by
        )  # fmt: skip

    # --- inside -----------------------------------------------------------------------------------------

    async def _described(self, tx: TenantReader, name: str) -> StoredFile | None:
        try:
            return await self.describe(tx, name)
        except NotFound:
            return None

    @verb(FileStored, permission="files.store")
    async def _put_row(
        self, tx: TenantWriter, object_id: UUID, description: _Description, key: DataKey, *,
        holder: bytes | None, size: int, version: int | None, by: Principal,
    ) -> tuple[StoredFile, bool]:  # fmt: skip
        token = await self._token(tx.tenant, description.name)
        earlier = await store.hold_file(tx, token)
        _verify_version(earlier.version if earlier else 0, version)
        metadata = seal(key, msgspec.json.encode(description), Place(tx.tenant, _KIND, object_id, 2))
        now = self._clock.now()
        row = FileRow(
            token, object_id, earlier.version + 1 if earlier else 1, holder, size, metadata,
            earlier.created_at if earlier else now, now,
        )  # fmt: skip
        if not await store.upsert_file(tx, row):
            raise Conflict("Somebody else has just stored a file under this name. Try again.")
        if earlier:
            await self._discard(tx, earlier.object_id)
        details = FileStored(size, row.version)
        await self._events.record(tx, details, by=by, on=Object("file", token.hex()))
        return _shown(tx.tenant, row, key), earlier is None

    async def _open_rows(self, tenant: TenantId, rows: list[FileRow]) -> list[StoredFile]:
        keys = await self._keyring.open_keys(tenant, {key_id_of(row.metadata) for row in rows})
        return [_shown(tenant, row, keys[key]) for row in rows if (key := key_id_of(row.metadata)) in keys]

    async def _discard(self, tx: TenantWriter, object_id: UUID) -> None:
        await self._jobs.enqueue(tx, DELETE_OBJECTS_JOB, tenant_id=str(tx.tenant), object_id=str(object_id))

    async def _key(self, tx: TenantWriter, holder: bytes | None) -> DataKey:
        if holder is None:
            return await self._keyring.general_key(tx.tenant)
        return (await self._vault.subject_keys(tx, [holder]))[holder]

    async def _token(self, tenant: TenantId, name: str) -> bytes:
        return (await self._keyring.index_key(tenant)).token(_KIND, name)

    async def _find(self, tx: TenantReader, name: str) -> tuple[FileRow, DataKey]:
        row = await store.find_file(tx, await self._token(tx.tenant, name))
        keys = await self._keyring.open_keys(tx.tenant, [key_id_of(row.metadata)]) if row else {}
        if row is None or not keys:
            raise NotFound
        return row, keys[key_id_of(row.metadata)]


class _Meter:
    """Counts and hashes a stream as it passes, and stops it at its limit."""

    def __init__(self, content: AsyncIterable[bytes], limit: int) -> None:
        self.size = 0
        self.digest = hashlib.sha256()
        self._content = content
        self._limit = limit

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for block in self._content:
            self.size += len(block)
            if self.size > self._limit:
                raise TooLarge(f"A file has at most {self._limit} bytes.", max_bytes=self._limit)
            self.digest.update(block)
            yield block


def object_path(tenant: TenantId, object_id: UUID) -> str:
    """Where the ciphertext of a file lies."""
    return f"files/{tenant}/{object_id}"


def _verify(name: str, content_type: str) -> None:
    errors = []
    if not _NAME.fullmatch(name):
        errors.append(FieldError("id", "A file's id is 1 to 128 letters, digits, dots, _ or -, not a dot first."))
    if not _CONTENT_TYPE.fullmatch(content_type):
        errors.append(FieldError("Content-Type", "Send a media type such as application/pdf."))
    if errors:
        raise Invalid("The file cannot be stored like this.", errors=errors)


def _verify_version(present: int, seen: int | None) -> None:
    if seen is not None and seen != present:
        raise VersionMismatch(f"The file is at version {present} by now. Look at it again and repeat your change.")


def _shown(tenant: TenantId, row: FileRow, key: DataKey) -> StoredFile:
    raw = unseal(key, row.metadata, Place(tenant, _KIND, row.object_id, 2))
    d = msgspec.json.decode(raw, type=_Description)
    return StoredFile(
        d.name, row.version, d.subject, row.size, d.content_type, d.sha256, row.created_at, row.updated_at
    )
