"""How things are sealed in the archive: each bound to its tenant, its hold and its id."""

from uuid import UUID

import msgspec

from bailee.encryption.envelope import DataKey, Place, seal, unseal
from bailee.foundation.ids import TenantId
from bailee.retention.model import ArchivedFile, ArchivedRecord
from bailee.stores.model import Record, StoredFile
from bailee.stores.store import RecordRow
from bailee.stores.vault import decode_record, encode_record

_CONTENT, _DESCRIPTION = 1, 2


def seal_record(key: DataKey, tenant: TenantId, hold_id: UUID, row: RecordRow, record: Record) -> ArchivedRecord:
    """A record as the archive keeps it."""
    ciphertext = seal(key, encode_record(record), _record_place(tenant, hold_id, row.record_id, row.version))
    return ArchivedRecord(
        row.record_id, hold_id, row.collection, row.version, row.holder, ciphertext, row.created_at, row.updated_at
    )


def open_record(key: DataKey, tenant: TenantId, archived: ArchivedRecord) -> Record:
    """The record. Raises DecryptionFailed for one that was moved here from elsewhere."""
    place = _record_place(tenant, archived.hold_id, archived.record_id, archived.version)
    row = RecordRow(
        archived.record_id, archived.collection, archived.version, archived.holder, archived.ciphertext,
        archived.created_at, archived.updated_at,
    )  # fmt: skip
    return decode_record(row, unseal(key, archived.ciphertext, place))


def reseal_record(
    before: DataKey, after: DataKey, tenant: TenantId, archived: ArchivedRecord, hold_id: UUID
) -> ArchivedRecord:  # fmt: skip
    """The same under another hold's key."""
    record = open_record(before, tenant, archived)
    place = _record_place(tenant, hold_id, archived.record_id, archived.version)
    return msgspec.structs.replace(archived, hold_id=hold_id, ciphertext=seal(after, encode_record(record), place))


def file_place(tenant: TenantId, hold_id: UUID, file_id: UUID) -> Place:
    """Where the content of an archived file belongs."""
    return Place(tenant, _kind(hold_id), file_id, _CONTENT)


def seal_description(key: DataKey, tenant: TenantId, hold_id: UUID, file_id: UUID, file: StoredFile) -> bytes:
    return seal(key, msgspec.json.encode(file), Place(tenant, _kind(hold_id), file_id, _DESCRIPTION))


def open_description(key: DataKey, tenant: TenantId, row: ArchivedFile) -> StoredFile:
    """Raises DecryptionFailed."""
    raw = unseal(key, row.metadata, Place(tenant, _kind(row.hold_id), row.file_id, _DESCRIPTION))
    return msgspec.json.decode(raw, type=StoredFile)


def archive_path(tenant: TenantId, file_id: UUID) -> str:
    """Where the ciphertext of an archived file lies."""
    return f"archive/{tenant}/{file_id}"


def _kind(hold_id: UUID) -> str:
    return f"archive/{hold_id}"


def _record_place(tenant: TenantId, hold_id: UUID, record_id: UUID, version: int) -> Place:
    return Place(tenant, _kind(hold_id), record_id, version)
