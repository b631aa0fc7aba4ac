"""Collections, records and files as they are given out."""

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from bailee.stores.datamap import Definition, Field, Retention

MAX_SUBJECT = 256


class Collection(msgspec.Struct, frozen=True):
    """A collection with its data map."""

    name: str
    version: int
    title: str
    purpose: str
    subject: str
    retention: str | Retention | None
    fields: dict[str, Field]
    building: list[str]
    """Searchable fields whose index is still being built over existing records."""
    records: int
    created_at: datetime
    updated_at: datetime


class Record(msgspec.Struct, frozen=True):
    """One record, opened."""

    id: UUID
    version: int
    subject: str | None
    data: dict[str, Any]
    created_at: datetime
    updated_at: datetime


class CollectionRecord(Record, frozen=True, kw_only=True):
    """A record that says where it is."""

    collection: str


class Scope(msgspec.Struct, frozen=True):
    """A part of what a tenant stores: whole collections, all of some data subjects, single records."""

    collections: list[str]
    holders: list[bytes]
    """Blind indexes of the subjects' identifiers."""
    records: list[UUID]


class StoredFile(msgspec.Struct, frozen=True):
    """A file's description. `sha256` is of the plaintext, in hex."""

    id: str
    version: int
    subject: str | None
    size: int
    content_type: str
    sha256: str
    created_at: datetime
    updated_at: datetime


class ErasureReceipt(msgspec.Struct, frozen=True):
    """What an erasure removed, and the event that proves it. It does not name the person.

    One that waits has not removed what the archive holds on the bases named, until when at the latest; it goes on by
    itself, and its receipt is complete then.
    """

    erased_at: datetime
    records: int
    files: int
    keys: int
    event: UUID
    state: Literal["completed", "waiting"] = "completed"
    until: date | None = None
    bases: list[str] = []


class Secrets(msgspec.Struct, frozen=True):
    """What is inside a record's ciphertext."""

    data: dict[str, Any]
    subject: str | None = None


class CollectionRow(msgspec.Struct, frozen=True):
    """A collection as stored, its definition parsed."""

    name: str
    version: int
    definition: Definition
    building: list[str]
    created_at: datetime
    updated_at: datetime

    def shown(self, records: int) -> Collection:
        d = self.definition
        return Collection(
            self.name, self.version, d.title, d.purpose, d.subject, d.retention, d.fields, self.building, records,
            self.created_at, self.updated_at,
        )  # fmt: skip
