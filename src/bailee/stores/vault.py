"""Records: create, read, replace, patch, delete, search. Each is sealed under its data subject's key.

A writer holds three things until its transaction ends: the collection, so that the map does not change under it;
its subject, so that the key is not destroyed under it; and the record it changes.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any
from uuid import UUID

import msgspec
import structlog

from bailee.encryption.blind_index import IndexKey, normalise
from bailee.encryption.envelope import DataKey, Place, key_id_of, seal, unseal
from bailee.encryption.service import Keyring
from bailee.events import Events, Object, verb
from bailee.events.catalogue import (
    RecordChanged,
    RecordCreated,
    RecordDeleted,
    RecordRead,
    RecordsListed,
    RecordsRead,
    RecordsWritten,
)
from bailee.foundation.clock import Clock
from bailee.foundation.database import TenantReader, TenantWriter
from bailee.foundation.errors import Conflict, Error, FieldError, Invalid, NotFound, TooLarge
from bailee.foundation.ids import TenantId, new_id
from bailee.foundation.principal import Principal
from bailee.stores import store
from bailee.stores.datamap import Definition
from bailee.stores.errors import KeptByLaw, RecordExists, VersionMismatch
from bailee.stores.model import MAX_SUBJECT, CollectionRecord, CollectionRow, Record, Scope, Secrets
from bailee.stores.search import field_scope, tokens_of
from bailee.stores.store import RecordRow, SubjectRow
from bailee.stores.validation import validate
from bailee.stores.withholding import Withholding, kept_until

log = structlog.get_logger()

MAX_RECORD = 1024 * 1024
MAX_PATCH_DEPTH = 100
SUBJECT_SCOPE = "subject"
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Secrets).decode


type Change = Callable[[dict[str, Any]], dict[str, Any]]


class NewRecord(msgspec.Struct, frozen=True):
    """A record to store. Without `id` it gets one."""

    data: dict[str, Any]
    subject: str | None = None
    id: UUID | None = None


class _Prepared(msgspec.Struct, frozen=True):
    """A new record that has passed everything that needs no database."""

    record_id: UUID
    secrets: Secrets
    plaintext: bytes
    holder: bytes | None
    tokens: set[tuple[str, bytes]]


class Vault:
    """The records of one tenant at a time."""

    def __init__(self, keyring: Keyring, withholding: Withholding, events: Events, clock: Clock) -> None:
        self._keyring = keyring
        self._withholding = withholding
        self._events = events
        self._clock = clock

    # --- writing ------------------------------------------------------------------------------------

    @verb(RecordCreated, permission="records.create")
    async def create(self, tx: TenantWriter, collection: str, new: NewRecord, *, by: Principal) -> Record:
        """Stores one record. Raises NotFound, Invalid, TooLarge or RecordExists."""
        row = await self._hold_collection(tx, collection)
        prepared = self._prepare(row, new, await self._keyring.index_key(tx.tenant))
        stored = await self._insert(tx, row, [prepared])
        if prepared.record_id not in stored:
            raise RecordExists("A record with that id exists. Leave the id out, or choose another.")
        on = Object("record", str(prepared.record_id))
        await self._events.record(tx, RecordCreated(collection), by=by, on=on)
        return _opened(stored[prepared.record_id], prepared.secrets)

    @verb(RecordsWritten, permission="records.import")
    async def create_many(
        self, tx: TenantWriter, collection: str, records: Sequence[NewRecord | Error], *, by: Principal
    ) -> list[UUID | Error]:
        """Stores the good ones in one transaction and answers for each its id, or what is wrong with it.

        A line that could not be parsed comes as its error, and goes back as it came. Raises NotFound.
        """
        row = await self._hold_collection(tx, collection)
        key = await self._keyring.index_key(tx.tenant)
        prepared: list[_Prepared | Error] = []
        seen: set[UUID] = set()
        for record in records:
            one = record if isinstance(record, Error) else self._try_prepare(row, record, key)
            if isinstance(one, _Prepared) and one.record_id in seen:
                one = RecordExists("That id stands on an earlier line of this batch.")
            if isinstance(one, _Prepared):
                seen.add(one.record_id)
            prepared.append(one)
        good = [one for one in prepared if isinstance(one, _Prepared)]
        stored = await self._insert(tx, row, good) if good else {}
        await self._events.record(
            tx, RecordsWritten(collection, len(stored), len(records) - len(stored)), by=by,
            on=Object("collection", collection),
        )  # fmt: skip
        taken = RecordExists("A record with that id exists.")
        return [
            one if isinstance(one, Error) else one.record_id if one.record_id in stored else taken for one in prepared
        ]

    @verb(RecordChanged, permission="records.replace")
    async def replace(
        self, tx: TenantWriter, collection: str, record_id: UUID, data: dict[str, Any], *,
        version: int | None, by: Principal,
    ) -> Record:  # fmt: skip
        """Puts `data` in the place of what was there; the subject stays.

        `version` is the one the caller has seen; None means whatever is there. Raises NotFound, VersionMismatch,
        Invalid or TooLarge.
        """
        return await self._change(tx, collection, record_id, version, by, lambda _: data)

    @verb(RecordChanged, permission="records.change")
    async def patch(
        self, tx: TenantWriter, collection: str, record_id: UUID, changes: dict[str, Any], *,
        version: int | None, by: Principal,
    ) -> Record:  # fmt: skip
        """Applies a JSON merge patch (RFC 7396) to the data. Errors as for `replace`."""
        return await self._change(tx, collection, record_id, version, by, lambda data: merge_patch(data, changes))

    @verb(RecordDeleted, permission="records.delete")
    async def delete(
        self, tx: TenantWriter, collection: str, record_id: UUID, *, version: int | None, by: Principal
    ) -> None:
        """Removes a record. Raises NotFound, VersionMismatch, or KeptByLaw below the floor of its collection."""
        row = await self._hold_record(tx, collection, record_id, version)
        await self._verify_floor(tx, row)
        await store.delete_tokens(tx, row.record_id)
        await store.delete_record(tx, row.record_id)
        await self._events.record(tx, RecordDeleted(collection), by=by, on=Object("record", str(record_id)))

    # --- reading: every access to content leaves its event ------------------------------------------

    @verb(RecordRead, permission="records.read")
    async def read(self, tx: TenantWriter, collection: str, record_id: UUID, *, by: Principal) -> Record:
        """One record, opened. Raises NotFound."""
        row = await store.find_record(tx, collection, record_id)
        if row is None:
            raise NotFound
        opened = await self.open_rows(tx.tenant, [row])
        if not opened:  # its key is destroyed: it is being erased
            raise NotFound
        await self._events.record(tx, RecordRead(collection), by=by, on=Object("record", str(record_id)))
        return opened[0]

    @verb(RecordsRead, permission="records.fetch")
    async def read_many(
        self, tx: TenantWriter, collection: str, ids: list[UUID], *, by: Principal
    ) -> dict[UUID, Record]:
        """The records that exist among `ids`. Raises NotFound for the collection."""
        await self._get_collection(tx, collection)
        records = await self.open_rows(tx.tenant, await store.find_records(tx, collection, ids))
        details = RecordsRead(collection, len(records))
        await self._events.record(tx, details, by=by, on=Object("collection", collection))
        return {record.id: record for record in records}

    @verb(RecordsListed, permission="records.search")
    async def search(
        self, tx: TenantWriter, collection: str, *, subject: str | None, where: dict[str, str],
        after: UUID | None, limit: int, by: Principal,
    ) -> tuple[list[Record], UUID | None]:  # fmt: skip
        """Records in the order they were made: all, or those of a subject and with equal values in `where`.

        With them goes the id after which the next page begins, if there is one; a page can be short, for a record
        that is just being erased is left out.

        Raises NotFound, Invalid for a field that is not searchable, Conflict for one whose index is being built.
        """
        row = await self._get_collection(tx, collection)
        key = await self._keyring.index_key(tx.tenant)
        tokens = _wanted(row, where, key)
        holder = None if subject is None else holder_of(key, subject)
        rows = await store.list_records(tx, collection, holder=holder, tokens=tokens, after=after, limit=limit + 1)
        rows, following = rows[:limit], rows[limit - 1].record_id if len(rows) > limit else None
        details = RecordsListed(collection, len(rows), ["subject"] * (holder is not None) + _names(where))
        await self._events.record(tx, details, by=by, on=Object("collection", collection))
        return await self.open_rows(tx.tenant, rows), following

    # --- for the rooms beside it ----------------------------------------------------------------------

    async def scoped(
        self, tx: TenantReader, scope: Scope, *, only: UUID | None = None, after: UUID | None = None, limit: int = 1
    ) -> tuple[list[CollectionRecord], UUID | None]:
        """Records within a scope, or the one `only`, and where the next page begins. Who gives them out records it."""
        rows = await store.list_in_scope(
            tx, scope.collections, scope.holders, scope.records, only=only, after=after, limit=limit + 1
        )
        page = rows[:limit]
        names = {row.record_id: row.collection for row in page}
        records = [
            CollectionRecord(r.id, r.version, r.subject, r.data, r.created_at, r.updated_at, collection=names[r.id])
            for r in await self.open_rows(tx.tenant, page)
        ]
        return records, page[-1].record_id if len(rows) > limit else None

    async def holder(self, tenant: TenantId, subject: str) -> bytes:
        """The blind index of a data subject's identifier. Raises Invalid."""
        verify_subject(None, subject)
        return holder_of(await self._keyring.index_key(tenant), subject)

    async def open_rows(self, tenant: TenantId, rows: Iterable[RecordRow]) -> list[Record]:
        """Sealed rows, opened. One whose key is destroyed is left out: it is being erased."""
        return await open_sealed(self._keyring, tenant, list(rows))

    async def put_back(self, tx: TenantWriter, collection: str, records: Sequence[Record]) -> set[UUID]:
        """Records that were taken out, again as they were, with their versions and their tokens; the ids that were
        free. Who puts them back records it. Raises NotFound.
        """
        row = await self._hold_collection(tx, collection)
        index = await self._keyring.index_key(tx.tenant)
        holders = {one.id: holder_of(index, one.subject) for one in records if one.subject is not None}
        keys = await self.subject_keys(tx, holders.values())
        general = await self._keyring.general_key(tx.tenant)
        rows = []
        for one in records:
            holder = holders.get(one.id)
            place = Place(tx.tenant, collection, one.id, one.version)
            sealed = seal(keys[holder] if holder else general, encode_record(one), place)
            rows.append(RecordRow(one.id, collection, one.version, holder, sealed, one.created_at, one.updated_at))
        stored = await store.insert_records(tx, rows)
        for one in records:
            if one.id in stored:
                await self._index(tx, row.definition, collection, one, index)
        return stored

    async def subject_keys(self, tx: TenantWriter, holders: Iterable[bytes]) -> dict[bytes, DataKey]:
        """The keys of subjects, made when they are new, and held against erasure until `tx` ends."""
        wanted = sorted(set(holders))
        if not wanted:
            return {}
        held = await store.hold_subjects(tx, wanted)
        missing = [holder for holder in wanted if holder not in held]
        if missing:
            fresh = await self._keyring.new_subject_keys(tx.tenant, len(missing))
            rows = [SubjectRow(holder, key.key_id) for holder, key in zip(missing, fresh, strict=True)]
            await store.insert_subjects(tx, rows)  # whoever was quicker has made the key that counts
            held = await store.hold_subjects(tx, wanted)
        keys = await self._keyring.open_keys(tx.tenant, held.values())
        if len(keys) != len(set(held.values())) or len(held) != len(wanted):
            raise Conflict("This person is being erased at this moment. Try again afterwards.")
        return {holder: keys[key_id] for holder, key_id in held.items()}

    async def reindex(
        self, tx: TenantWriter, collection: str, version: int, after: UUID | None, limit: int
    ) -> list[UUID] | None:
        """Writes the tokens of one stretch of records, which nobody changes meanwhile; answers their ids.

        None when the map is no longer at `version`: somebody else's job indexes for the new one.
        """
        row = await self._hold_collection(tx, collection)
        if row.version != version:
            return None
        key = await self._keyring.index_key(tx.tenant)
        rows = await store.hold_records(tx, collection, after=after, limit=limit)
        for record in await self.open_rows(tx.tenant, rows):
            await self._index(tx, row.definition, collection, record, key)
        return [row.record_id for row in rows]

    # --- inside -----------------------------------------------------------------------------------------

    async def _index(
        self, tx: TenantWriter, definition: Definition, collection: str, record: Record, key: IndexKey
    ) -> None:
        try:
            tokens = tokens_of(definition, collection, record.data, key)
        except Invalid:  # stored before the field was searchable, and too long or too many to be
            log.warning("record not indexed", record=str(record.id))
            return
        await store.insert_tokens(tx, collection, [(record.id, field, token) for field, token in tokens])

    async def _verify_floor(self, tx: TenantWriter, row: RecordRow) -> None:
        floor = await self._withholding.floor(tx, row.collection)
        if floor is None:
            return
        opened = await self.open_rows(tx.tenant, [row])
        if not opened:
            raise NotFound
        until = kept_until(floor, (await self._get_collection(tx, row.collection)).definition.rule(), opened[0])
        if self._clock.now() < until:
            raise KeptByLaw(
                f"This is kept until {until:%Y-%m-%d}: {floor.basis}.", until=f"{until:%Y-%m-%d}", basis=floor.basis
            )

    def _prepare(self, row: CollectionRow, new: NewRecord, key: IndexKey) -> _Prepared:
        definition = row.definition
        subject = verify_subject(definition, new.subject)
        _sized(Secrets(new.data, new.subject))  # before anything looks into it
        data = validate(definition, new.data)
        secrets = Secrets(data, subject)
        plaintext = _sized(secrets)
        tokens = tokens_of(definition, row.name, data, key)
        holder = None if subject is None else holder_of(key, subject)
        return _Prepared(new.id or new_id(), secrets, plaintext, holder, tokens)

    def _try_prepare(self, row: CollectionRow, new: NewRecord, key: IndexKey) -> _Prepared | Error:
        try:
            return self._prepare(row, new, key)
        except (Invalid, TooLarge) as error:
            return error

    async def _insert(self, tx: TenantWriter, row: CollectionRow, new: list[_Prepared]) -> dict[UUID, RecordRow]:
        keys = await self.subject_keys(tx, (one.holder for one in new if one.holder is not None))
        general = await self._keyring.general_key(tx.tenant) if any(one.holder is None for one in new) else None
        now = self._clock.now()
        rows = {}
        for one in new:
            key = general if one.holder is None else keys[one.holder]
            if key is None:  # cannot be: there is a general key whenever one has no holder
                raise NotFound
            ciphertext = seal(key, one.plaintext, Place(tx.tenant, row.name, one.record_id, 1))
            rows[one.record_id] = RecordRow(one.record_id, row.name, 1, one.holder, ciphertext, now, now)
        stored = await store.insert_records(tx, list(rows.values()))
        await store.insert_tokens(
            tx, row.name,
            [(one.record_id, field, token) for one in new if one.record_id in stored for field, token in one.tokens],
        )  # fmt: skip
        return {record_id: rows[record_id] for record_id in stored}

    async def _change(
        self, tx: TenantWriter, collection: str, record_id: UUID, version: int | None, by: Principal,
        make: Change,
    ) -> Record:  # fmt: skip
        map_row = await self._hold_collection(tx, collection)
        row = await self._hold_record(tx, collection, record_id, version)
        before = await self.open_rows(tx.tenant, [row])
        if not before:
            raise NotFound
        made = make(before[0].data)
        _sized(Secrets(made, before[0].subject))
        data = validate(map_row.definition, made)
        secrets = Secrets(data, before[0].subject)
        key = await self._keyring.open_key(tx.tenant, key_id_of(row.ciphertext))
        place = Place(tx.tenant, collection, record_id, row.version + 1)
        changed = msgspec.structs.replace(
            row, version=place.version, ciphertext=seal(key, _sized(secrets), place), updated_at=self._clock.now()
        )
        await store.update_record(tx, changed)
        await store.delete_tokens(tx, record_id)
        tokens = tokens_of(map_row.definition, collection, data, await self._keyring.index_key(tx.tenant))
        await store.insert_tokens(tx, collection, [(record_id, field, token) for field, token in tokens])
        details = RecordChanged(collection, changed.version)
        await self._events.record(tx, details, by=by, on=Object("record", str(record_id)))
        return _opened(changed, secrets)

    async def _hold_collection(self, tx: TenantWriter, name: str) -> CollectionRow:
        row = await store.hold_collection(tx, name, to_change=False)
        if row is None:
            raise NotFound
        return row

    async def _get_collection(self, tx: TenantReader, name: str) -> CollectionRow:
        row = await store.find_collection(tx, name)
        if row is None:
            raise NotFound
        return row

    async def _hold_record(self, tx: TenantWriter, collection: str, record_id: UUID, version: int | None) -> RecordRow:
        found = await store.find_record(tx, collection, record_id)
        if found is not None and found.holder is not None:
            # The subject before the record, as erasure takes them: two who take both cannot wait for each other.
            await store.hold_subjects(tx, [found.holder])
        row = await store.hold_record(tx, collection, record_id) if found else None
        if row is None:
            raise NotFound
        if version is not None and version != row.version:
            raise VersionMismatch(
                f"The record is at version {row.version} by now. Read it again and repeat your change."
            )
        return row


async def open_sealed(keyring: Keyring, tenant: TenantId, rows: Sequence[RecordRow]) -> list[Record]:
    """Sealed rows, opened. One whose key is destroyed is left out: it is being erased."""
    keys = await keyring.open_keys(tenant, {key_id_of(row.ciphertext) for row in rows})
    opened = []
    for row in rows:
        key = keys.get(key_id_of(row.ciphertext))
        if key is not None:
            place = Place(tenant, row.collection, row.record_id, row.version)
            opened.append(decode_record(row, unseal(key, row.ciphertext, place)))
    return opened


def encode_record(record: Record) -> bytes:
    """What is sealed of a record, wherever it lies."""
    return _encode(Secrets(record.data, record.subject))


def decode_record(row: RecordRow, plaintext: bytes) -> Record:
    """The record of a row whose ciphertext has been opened."""
    return _opened(row, _decode(plaintext))


def holder_of(key: IndexKey, subject: str) -> bytes:
    """The blind index of a data subject's identifier."""
    return key.token(SUBJECT_SCOPE, normalise("exact", subject))


def verify_subject(definition: Definition | None, subject: str | None) -> str | None:
    """The identifier, if it is one and the collection wants one. Raises Invalid."""
    message = None
    if subject is None:
        if definition is not None and definition.subject == "required":
            message = "This collection needs the data subject's identifier."
    elif definition is not None and definition.subject == "none":
        message = "This collection holds nothing about data subjects; leave the subject out."
    elif not 1 <= len(subject) <= MAX_SUBJECT or not subject.isprintable() or subject != subject.strip():
        message = f"An identifier is 1 to {MAX_SUBJECT} printable characters without spaces around them."
    if message:
        raise Invalid("The record is not valid.", errors=[FieldError("subject", message)])
    return subject


def merge_patch(target: Any, patch: Any, depth: int = 0) -> Any:
    """RFC 7396 §2. Raises Invalid for a patch that nests too deeply."""
    if not isinstance(patch, dict):
        return patch
    if depth > MAX_PATCH_DEPTH:
        raise Invalid(f"A merge patch nests at most {MAX_PATCH_DEPTH} deep.")
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value, depth + 1)
    return merged


def _sized(secrets: Secrets) -> bytes:
    try:
        plaintext = _encode(secrets)
    except UnicodeEncodeError:
        raise Invalid("The record is not valid.", errors=[FieldError("data", "This is not valid Unicode.")]) from None
    if len(plaintext) > MAX_RECORD:
        raise TooLarge(f"A record has at most {MAX_RECORD} bytes; store large content as a file.", max_bytes=MAX_RECORD)
    return plaintext


def _opened(row: RecordRow, secrets: Secrets) -> Record:
    return Record(row.record_id, row.version, secrets.subject, secrets.data, row.created_at, row.updated_at)


def _wanted(row: CollectionRow, where: dict[str, str], key: IndexKey) -> list[tuple[str, bytes]]:
    searchable = row.definition.searchable()
    unknown = [path for path in where if path not in searchable]
    if unknown:
        fields = ", ".join(sorted(searchable)) or "none"
        raise Invalid(f"A search compares searchable fields; in this collection: {fields}.")
    building = sorted(set(where) & set(row.building))
    if building:
        raise Conflict(f"The index of {', '.join(building)} is being built. Search it in a moment.")
    return [
        (path, key.token(field_scope(row.name, path), normalise(searchable[path], value)))
        for path, value in where.items()
    ]


def _names(where: dict[str, str]) -> list[str]:
    return [path.lower() for path in where]
