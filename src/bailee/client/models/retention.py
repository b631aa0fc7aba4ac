"""Retention: what rules delete, their limits, and legal holds."""

from datetime import date, datetime
from typing import Any

import msgspec

from bailee.client.models.base import Model
from bailee.client.models.data import File, Record


class Outlook(Model, frozen=True, kw_only=True):
    """What the rule of one collection would delete now, and within thirty days. `rule` is empty where nothing is
    deleted by itself; without `complete` the counts are at least.
    """

    collection: str
    rule: str = ""
    records: int = 0
    due: int = 0
    due_soon: int = 0
    oldest: datetime | None = None
    complete: bool = True


class RetentionLimit(Model, frozen=True, kw_only=True):
    """A `floor` set by law or a `ceiling` set by contract; `collection` is `*` for all."""

    kind: str
    collection: str
    duration: str
    basis: str = ""
    set_by: str = ""
    set_at: datetime | None = None


class Executed(Model, frozen=True, kw_only=True):
    """What a run of the rules deleted: records by collection, and keys of people with nothing left."""

    collections: dict[str, int]
    keys: int = 0


class Hold(Model, frozen=True, kw_only=True):
    """A legal hold. `state`: requested, active, ending, lifting, ended, lifted, refused or withdrawn; `change`: lift or
    extend, where that waits for a second person. `ends_on` is its last day, in UTC.
    """

    id: str
    kind: str
    basis: str
    ends_on: date
    state: str
    origin: str = "person"
    everything: bool = False
    collections: tuple[str, ...] = ()
    subjects: int = 0
    records: tuple[str, ...] = ()
    tenant_id: str = ""
    requested_by: str = ""
    requested_at: datetime | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None
    moved_at: datetime | None = None
    closed_at: datetime | None = None
    change: str = ""
    change_by: str | None = None
    change_reason: str = ""
    change_to: date | None = None
    items: int = 0
    deleted_records: int = 0
    deleted_files: int = 0
    returned_records: int = 0
    returned_files: int = 0


class CustomerHold(Model, frozen=True, kw_only=True):
    """A customer's hold as staff see it. `alone`: the customer has no second person of its own, so that staff are that;
    `ended`: its contract has ended, and staff look into the archive, extend and lift in its place.
    """

    hold: Hold
    tenant_name: str = ""
    alone: bool = False
    ended: bool = False


class ArchivedFile(Model, frozen=True, kw_only=True):
    """A file in the archive, and under which id it is opened there."""

    archive_id: str
    file: File


class ArchivePage(Model, frozen=True, kw_only=True):
    """A page of what a hold covers; `next` is where to go on."""

    records: tuple[Record, ...] = ()
    files: tuple[ArchivedFile, ...] = ()
    next: str | None = None


class WaitingErasure(Model, frozen=True, kw_only=True):
    """An erasure that waits for what the archive holds of the person."""

    id: str
    until: date
    bases: tuple[str, ...] = ()
    began_at: datetime | None = None


class Termination(Model, frozen=True, kw_only=True):
    """The end of a contract. `state`: requested, cancelled, deleting, held or completed; `side` has asked for it."""

    id: str
    tenant_id: str
    side: str
    state: str
    delete_from: datetime
    tenant_name: str = ""
    requested_by: str = ""
    requested_at: datetime | None = None
    contract_ended_on: date | None = None
    began_at: datetime | None = None
    closed_at: datetime | None = None
    closed_by: str | None = None
    counts: dict[str, int] = msgspec.field(default_factory=dict)


class Certificate(Model, frozen=True, kw_only=True):
    """A certificate of deletion: the document, the signed note over its digest, and the evidence bundle."""

    format: str
    certificate: dict[str, Any]
    note: str
    evidence: dict[str, Any]


class HeldBackup(Model, frozen=True, kw_only=True):
    """A backup that still holds something; without an id it is a server's log of changes."""

    server: str
    kind: str
    taken_at: datetime
    expires_at: datetime
    id: str | None = None


class RotationCalendar(Model, frozen=True, kw_only=True):
    """Which backups hold something, from when it cannot be read any more, and by when all of it is gone."""

    since: datetime
    until: datetime | None = None
    backups: tuple[HeldBackup, ...] = ()
    unreadable_from: datetime | None = None
    gone_by: datetime | None = None
    backups_taken: bool = False
