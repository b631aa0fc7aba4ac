"""Limits, what is due, holds: frozen values, and what fits together."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

from bailee.foundation.ids import TenantId
from bailee.stores.model import CollectionRecord, StoredFile

ALL = "*"
"""In a limit: every collection."""


class LimitKind(StrEnum):
    FLOOR = "floor"
    """Set by law: kept at least so long."""
    CEILING = "ceiling"
    """Set by contract: kept at most so long."""


class Limit(msgspec.Struct, frozen=True):
    """A limit of a collection's retention, or of all where `collection` is `*`."""

    kind: LimitKind
    collection: str
    duration: str
    basis: str
    set_by: str
    set_at: datetime


class Outlook(msgspec.Struct, frozen=True):
    """What the rule of one collection would delete now, and within thirty days from now, these included."""

    collection: str
    rule: str
    """Such as `P3Y after created`; empty for until instruction."""
    records: int
    due: int
    due_soon: int
    oldest: datetime | None
    """When the time of the oldest record that is due began to run."""
    complete: bool = True
    """False where the collection is too large to be looked through for a preview: then these are at least."""


class Executed(msgspec.Struct, frozen=True):
    """What one run deleted: of each collection how many records, and how many keys of subjects with nothing left."""

    collections: dict[str, int]
    keys: int


class HoldKind(StrEnum):
    """On what a hold rests."""

    TAX = "tax"
    LITIGATION = "litigation"
    AUTHORITY = "authority"
    OTHER_LAW = "other_law"


class Purpose(StrEnum):
    """What somebody looks into the archive for."""

    LEGAL_CLAIM = "legal_claim"
    AUTHORITY_REQUEST = "authority_request"
    AUDIT = "audit"
    RETURN_TO_CONTROLLER = "return_to_controller"


ADMITS: dict[HoldKind, frozenset[Purpose]] = {
    HoldKind.TAX: frozenset({Purpose.AUDIT, Purpose.AUTHORITY_REQUEST, Purpose.RETURN_TO_CONTROLLER}),
    HoldKind.LITIGATION: frozenset({Purpose.LEGAL_CLAIM, Purpose.RETURN_TO_CONTROLLER}),
    HoldKind.AUTHORITY: frozenset({Purpose.AUTHORITY_REQUEST}),
    HoldKind.OTHER_LAW: frozenset({
        Purpose.LEGAL_CLAIM, Purpose.AUTHORITY_REQUEST, Purpose.AUDIT, Purpose.RETURN_TO_CONTROLLER,
    }),
}  # fmt: skip
"""For which purposes each kind of hold lets anybody look: what was kept for one obligation serves no other."""


class HoldState(StrEnum):
    REQUESTED = "requested"
    """Nothing has been moved."""
    ACTIVE = "active"
    ENDING = "ending"
    """Its time is over; it is being deleted."""
    LIFTING = "lifting"
    """It was placed in error; its data is on the way back."""
    ENDED = "ended"
    LIFTED = "lifted"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class HoldChange(StrEnum):
    """What was asked for of a hold that is active, and waits for a second person."""

    NONE = ""
    LIFT = "lift"
    EXTEND = "extend"


LIFT_REASONS = ("placed_in_error", "basis_ended", "scope_too_wide")
EXTEND_REASON = "basis_goes_on"
MAX_YEARS = 30


class Hold(msgspec.Struct, frozen=True):
    """A legal hold, without what it holds. `ends_on` is its last day, in UTC."""

    tenant_id: TenantId
    id: UUID
    origin: str
    kind: HoldKind
    basis: str
    everything: bool
    collections: list[str]
    subjects: int
    records: list[UUID]
    ends_on: date
    state: HoldState
    key_id: UUID | None
    requested_by: str
    requested_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    moved_at: datetime | None
    """Since when all that it covers is in the archive."""
    closed_at: datetime | None
    change: HoldChange
    change_by: str | None
    change_reason: str
    change_to: date | None
    items: int
    """Records and files that it covers."""
    deleted_records: int
    deleted_files: int
    returned_records: int
    returned_files: int


class CustomerHold(msgspec.Struct, frozen=True):
    """A customer's hold as the operator sees it, and what the operator may do about it."""

    hold: Hold
    tenant_name: str
    alone: bool
    """Whether the customer has no second person of its own: then the operator's data protection is that."""
    ended: bool
    """Whether the contract has ended and the archive alone is kept: then the operator's data protection looks into it,
    and asks to extend or lift the hold, in the customer's place.
    """


class ArchivedRecord(msgspec.Struct, frozen=True):
    """A record in the archive, sealed under the key of `hold_id`."""

    record_id: UUID
    hold_id: UUID
    collection: str
    version: int
    holder: bytes | None
    ciphertext: bytes
    created_at: datetime
    updated_at: datetime


class ArchivedFile(msgspec.Struct, frozen=True):
    """A file in the archive, sealed under the key of `hold_id`."""

    file_id: UUID
    hold_id: UUID
    holder: bytes | None
    size: int
    metadata: bytes
    created_at: datetime


class ArchivedView(msgspec.Struct, frozen=True):
    """A file as the archive shows it: what it was, and under which id it is opened here."""

    archive_id: UUID
    file: StoredFile


class ArchivePage(msgspec.Struct, frozen=True):
    """A page of what a hold covers; files come with the first."""

    records: list[CollectionRecord]
    files: list[ArchivedView]
    following: UUID | None


class Moved(msgspec.Struct, frozen=True):
    records: int = 0
    files: int = 0
    erased: int = 0


class TerminationState(StrEnum):
    REQUESTED = "requested"
    """The grace period runs; it can be cancelled."""
    CANCELLED = "cancelled"
    DELETING = "deleting"
    HELD = "held"
    """All is deleted but what a legal hold keeps."""
    COMPLETED = "completed"


class Termination(msgspec.Struct, frozen=True):
    """The end of a contract."""

    tenant_id: TenantId
    id: UUID
    side: str
    requested_by: str
    requested_at: datetime
    contract_ended_on: date | None
    delete_from: datetime
    state: TerminationState
    tenant_name: str
    began_at: datetime | None
    closed_at: datetime | None
    closed_by: str | None
    counts: dict[str, int]
    """What is deleted so far: rows by table; `files`, `keys`, `accounts`, `jobs`."""


class Certificate(msgspec.Struct, frozen=True):
    """A certificate of deletion as stored: the document in canonical JSON, and what proves it."""

    tenant_id: TenantId
    number: int
    document: bytes
    event_id: UUID
    note: str
    evidence: dict[str, Any] | None
    issued_at: datetime
    backups_gone_by: datetime | None
