"""Collections, records, data subjects and files."""

from datetime import date, datetime
from typing import Any

import msgspec

from bailee.client.errors import FieldError
from bailee.client.models.base import Model


class Field(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """One field of a collection's map.

    `type` is string, integer, number, boolean, object, array, or a string's format: date, datetime, email, phone;
    `category` names the kind of personal data (nested fields inherit it); `searchable` is False, True, or how
    values are normalised before they are compared: exact, text, email, phone, date.
    """

    type: str | list[str]
    category: str | None = None
    format: str | None = None
    searchable: bool | str = False
    required: bool = False
    title: str | None = None
    max_length: int | None = None
    min_length: int | None = None
    minimum: int | float | None = None
    maximum: int | float | None = None
    enum: tuple[Any, ...] | None = None
    properties: "dict[str, Field] | None" = None
    additional_properties: bool = False
    items: "Field | None" = None


class Definition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a collection is to hold. `subject` is required, optional or none; `retention` a duration (ISO 8601)
    since it was created, or `{"for": …, "after": …}`, or `{"until": "instruction"}`.
    """

    title: str
    purpose: str
    fields: dict[str, Field]
    subject: str = "required"
    retention: str | dict[str, str] | None = None


class Collection(Model, frozen=True, kw_only=True):
    """A kind of record: its purpose, retention and map of fields."""

    name: str
    title: str
    purpose: str
    subject: str
    fields: dict[str, Field]
    version: int
    retention: str | dict[str, str] | None = None
    building: tuple[str, ...] = ()
    records: int = 0
    created_at: datetime
    updated_at: datetime


class MapVersion(Model, frozen=True, kw_only=True):
    """A collection's map as it was from a moment on."""

    version: int
    definition: dict[str, Any]
    created_at: datetime


class Record(Model, frozen=True, kw_only=True):
    """One record. `collection` is set where records of several collections stand together."""

    hidden = frozenset({"subject", "data"})

    id: str
    version: int
    data: dict[str, Any]
    subject: str | None = None
    collection: str | None = None
    created_at: datetime
    updated_at: datetime


class File(Model, frozen=True, kw_only=True):
    """What is known of a stored file; `size` is in bytes, `sha256` in hexadecimal."""

    hidden = frozenset({"subject"})

    id: str
    version: int
    size: int
    subject: str | None = None
    content_type: str | None = None
    sha256: str | None = None
    created_at: datetime
    updated_at: datetime


class FileHead(Model, frozen=True, kw_only=True):
    """What the headers of a download say; `size` is that of the whole file, None if not announced."""

    size: int | None
    content_type: str | None
    etag: str | None


class SubjectView(Model, frozen=True, kw_only=True):
    """What is held about one data subject; `next` is set only on a single page that is not the last."""

    hidden = frozenset({"subject"})

    subject: str
    records: tuple[Record, ...] = ()
    files: tuple[File, ...] = ()
    next: str | None = None


class ErasureReceipt(Model, frozen=True, kw_only=True):
    """What an erasure destroyed, and the event (and, once anchored, the ledger leaf) that proves it.

    One that is `waiting` goes on by itself when the archive holds nothing of the person any more.
    """

    hidden = frozenset({"subject"})

    subject: str
    erased_at: datetime
    records: int
    files: int
    keys: int
    event: str
    ledger_index: int | None = None
    state: str = "completed"
    until: date | None = None
    bases: tuple[str, ...] = ()


class BatchLine(Model, frozen=True, kw_only=True, omit_defaults=True):
    """One record to write in a batch; `id` may fix its UUID beforehand."""

    hidden = frozenset({"subject", "data"})

    data: dict[str, Any]
    subject: str | None = None
    id: str | None = None


class LineError(msgspec.Struct, frozen=True):
    """Why one line of a batch was refused."""

    code: str
    detail: str = ""
    errors: tuple[FieldError, ...] = ()


class BatchResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one line, counted from 1 over the whole input: an `id`, or an `error`."""

    line: int
    id: str | None = None
    error: LineError | None = None


class ReadResult(msgspec.Struct, frozen=True, kw_only=True):
    """One record of a batch read, counted from 1 over the whole input: a `record`, or an `error`."""

    line: int
    record: Record | None = None
    error: LineError | None = None
