"""Which backups still hold something, as this room asks for it."""

from datetime import datetime
from typing import Literal, Protocol, runtime_checkable
from uuid import UUID

import msgspec

from bailee.foundation.database import OperatorReader


class HeldBackup(msgspec.Struct, frozen=True):
    """A backup that still holds something; without an id it is a server's log of changes."""

    id: UUID | None
    server: Literal["main", "keyring", "objects"]
    kind: str
    taken_at: datetime
    expires_at: datetime


class Holding(msgspec.Struct, frozen=True):
    """Which backups hold what lived in a stretch of time; from when none of it is readable, and by when all is gone.
    None where no backup holds it.
    """

    backups: list[HeldBackup] = []
    unreadable_from: datetime | None = None
    gone_by: datetime | None = None


@runtime_checkable
class Rotation(Protocol):
    """Answers from the catalogue of backups."""

    configured: bool
    """Whether Bailee takes backups here."""

    async def holding(self, tx: OperatorReader, *, since: datetime, until: datetime) -> Holding:
        """Which backups hold what was there from `since` until `until`, when it was deleted."""

    async def overdue(self, tx: OperatorReader) -> list[HeldBackup]:
        """Backups that are past their date and still there."""


class NoRotation:
    """Where Bailee takes no backups: whoever takes others has to answer for them."""

    configured = False

    async def holding(self, tx: OperatorReader, *, since: datetime, until: datetime) -> Holding:  # noqa: ARG002  of the protocol
        """None that Bailee knows of."""
        return Holding()

    async def overdue(self, tx: OperatorReader) -> list[HeldBackup]:  # noqa: ARG002  of the protocol
        """None that Bailee knows of."""
        return []
