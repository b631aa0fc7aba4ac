"""Retention: what rules delete, and their limits."""

from datetime import datetime

from bailee.client.models.base import Model


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
