"""What keeps data from being deleted, as this room asks for it; the retention room, above it, knows the answers."""

from collections.abc import Awaitable
from datetime import UTC, date, datetime
from typing import Any, Protocol

import msgspec

from bailee.foundation.database import TenantReader, TenantWriter
from bailee.foundation.principal import Principal
from bailee.stores.datamap import Rule
from bailee.stores.durations import Duration
from bailee.stores.model import Record
from bailee.stores.store import RecordRow


class Floor(msgspec.Struct, frozen=True):
    """For how long the law has a collection's records kept, and which law."""

    duration: Duration
    basis: str


class Withheld(msgspec.Struct, frozen=True):
    """What the archive holds of one person: until when at the latest, and on what bases."""

    until: date
    bases: list[str]


class LawKept(msgspec.Struct, frozen=True):
    """Records of one person that floors keep, opened; until when at the latest, and on what basis."""

    records: list[tuple[RecordRow, Record]]
    until: date
    basis: str


class Withholding(Protocol):
    """Answers what may not be deleted."""

    async def verify_map(self, tx: TenantWriter, collection: str, rule: Rule | None) -> None:
        """Raises Invalid for a map that lies below the floor or above the ceiling of its collection."""

    async def floor(self, tx: TenantReader, collection: str) -> Floor | None:
        """The floor of a collection."""

    async def due_to_law(self, tx: TenantWriter, holder: bytes) -> LawKept | None:
        """What floors keep of a person, held against change."""

    def impose(self, tx: TenantWriter, /, kept: LawKept, *, by: Principal) -> Awaitable[None]:
        """Moves that to the archive, in `tx`."""

    async def withheld(self, tx: TenantReader, holder: bytes) -> Withheld | None:
        """What the archive holds of a person."""


def event_of(rule: Rule | None, record: Record) -> datetime | None:
    """When the time of a record begins to run; None when that has not happened yet."""
    if rule is None or rule.after == "created":
        return record.created_at
    if rule.after == "changed":
        return record.updated_at
    value: Any = record.data
    for name in rule.after.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return _moment(value) if isinstance(value, str) else None


def kept_until(floor: Floor, rule: Rule | None, record: Record) -> datetime:
    """Until when a floor keeps a record. While its time has not begun, it runs from the last change."""
    return floor.duration.after(event_of(rule, record) or record.updated_at)


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:  # stored before the field was a date
        return None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
