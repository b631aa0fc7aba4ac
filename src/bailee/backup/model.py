"""Backups, their generations, releases of their key, drills and restores, as values."""

from datetime import datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID

import msgspec

type Server = Literal["main", "keyring", "objects", "settings"]
type Kind = Literal["full", "incremental"]

POSTGRES: tuple[Literal["main"], Literal["keyring"]] = ("main", "keyring")
SERVERS: tuple[Server, ...] = ("main", "keyring", "objects", "settings")


class Generation(StrEnum):
    """Which period a backup stands for, which says how long it is kept."""

    RECENT = "recent"
    HOURLY = "hourly"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    YEARLY = "yearly"


class BackupState(StrEnum):
    """What became of a backup."""

    RUNNING = "running"
    COMPLETE = "complete"
    FAILED = "failed"
    EXPIRED = "expired"


class Backup(msgspec.Struct, frozen=True):
    """One backup of one server, as the catalogue knows it. Bytes: `size` is what lies in the repository."""

    id: UUID
    server: Server
    kind: Kind
    generation: Generation
    state: BackupState
    parent_id: UUID | None
    began_at: datetime
    taken_at: datetime | None
    expires_at: datetime | None
    plain: int
    size: int
    manifest_sha256: str | None
    verified_at: datetime | None
    copied_at: datetime | None
    fault: str
    timeline: int | None
    system_id: str | None
    major: int | None


class RecoveryKey(msgspec.Struct, frozen=True):
    """A public key that backups are encrypted to. Its private half is on paper, with the operator."""

    id: UUID
    recipient: str
    made_at: datetime
    retired_at: datetime | None


class Purpose(StrEnum):
    """What a backup may be opened for (TOM 6.3), and nothing else."""

    DISASTER_RECOVERY = "disaster_recovery"
    LEGAL_RETENTION = "legal_retention"
    DRILL = "drill"


PURPOSES: dict[str, str] = {
    "disaster_recovery": "Recovery of the service", "legal_retention": "A legal duty to retain data",
    "drill": "Rehearsal of a recovery",
}  # fmt: skip


class ReleaseState(StrEnum):
    """How far the release of the key has come."""

    REQUESTED = "requested"
    APPROVED = "approved"
    REFUSED = "refused"
    USED = "used"
    LAPSED = "lapsed"


class Release(msgspec.Struct, frozen=True):
    """A request to open backups with the key that the provider holds: who, what for, and who said yes."""

    id: UUID
    purpose: Purpose
    reason: str
    state: ReleaseState
    requested_by: UUID
    requested_at: datetime
    decided_by: UUID | None
    decided_at: datetime | None
    used_at: datetime | None
    expires_at: datetime


class Drill(msgspec.Struct, frozen=True):
    """One rehearsal: how long it took to serve again, how much would have been lost, and what did not fit."""

    id: UUID
    began_at: datetime
    ended_at: datetime | None
    state: Literal["running", "passed", "failed"]
    restored_to: datetime | None
    rto_seconds: float | None
    rpo_seconds: float | None
    tables: int
    rows: int
    samples: int
    faults: list[str]


class RestoreNote(msgspec.Struct, frozen=True):
    """A restore that this instance has come from."""

    id: UUID
    purpose: Purpose
    opened_with: Literal["recovery_key", "release", "drill"]
    release_id: UUID | None
    restored_to: datetime | None
    restored_at: datetime
    erasures: int
    terminations: int
    holds: int
    replayed: bool


class Opening(msgspec.Struct, frozen=True):
    """How a copy came about: told to the copy itself, which keeps it. `keys_until`: up to when its keyring reaches."""

    purpose: Purpose
    opened_with: Literal["recovery_key", "release", "drill"]
    release_id: UUID | None
    restored_to: datetime | None
    keys_until: datetime


class Replayed(msgspec.Struct, frozen=True):
    """What was done again in a restored copy."""

    erasures: int = 0
    terminations: int = 0
    holds: int = 0
    revocations: int = 0

    def __add__(self, other: "Replayed") -> "Replayed":
        return Replayed(
            *(a + b for a, b in zip(msgspec.structs.astuple(self), msgspec.structs.astuple(other), strict=True))
        )
