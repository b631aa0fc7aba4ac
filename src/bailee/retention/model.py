"""Limits, what is due, holds: frozen values, and what fits together."""

from datetime import datetime
from enum import StrEnum

import msgspec

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
