"""Backups, who may open them, and rehearsals of restores."""

from datetime import datetime

from bailee.client.models.base import Model


class Backup(Model, frozen=True, kw_only=True):
    """One backup of main, keyring, objects or settings. `kind`: full or incremental; `generation`: recent, hourly,
    daily, weekly, monthly or yearly; `state`: running, complete, failed or expired. `size` in bytes, as it lies there.
    """

    id: str
    server: str
    kind: str
    generation: str
    state: str
    parent_id: str | None = None
    began_at: datetime | None = None
    taken_at: datetime | None = None
    expires_at: datetime | None = None
    plain: int = 0
    size: int = 0
    manifest_sha256: str | None = None
    verified_at: datetime | None = None
    copied_at: datetime | None = None
    fault: str = ""
    timeline: int | None = None
    system_id: str | None = None
    major: int | None = None


class RestorePoint(Model, frozen=True, kw_only=True):
    """From a backup's end on, every moment until `until` can be restored."""

    server: str
    backup: str
    since: datetime
    until: datetime


class RecoveryKey(Model, frozen=True, kw_only=True):
    """The public half of a key that backups are encrypted to."""

    id: str
    recipient: str
    made_at: datetime | None = None
    retired_at: datetime | None = None


class BackupRelease(Model, frozen=True, kw_only=True):
    """A request to open backups. `state`: requested, approved, refused, used or lapsed."""

    id: str
    purpose: str
    state: str
    reason: str = ""
    requested_by: str = ""
    requested_at: datetime | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None
    used_at: datetime | None = None
    expires_at: datetime | None = None


class BackupDrill(Model, frozen=True, kw_only=True):
    """A rehearsal of a restore. `rto_seconds` until it served again, `rpo_seconds` that would have been lost;
    `state`: running, passed or failed.
    """

    id: str
    state: str
    began_at: datetime | None = None
    ended_at: datetime | None = None
    restored_to: datetime | None = None
    rto_seconds: float | None = None
    rpo_seconds: float | None = None
    tables: int = 0
    rows: int = 0
    samples: int = 0
    faults: tuple[str, ...] = ()


class Restore(Model, frozen=True, kw_only=True):
    """A restore that this instance has come from, and what was done again before it opened."""

    id: str
    purpose: str
    opened_with: str
    release_id: str | None = None
    restored_to: datetime | None = None
    restored_at: datetime | None = None
    erasures: int = 0
    terminations: int = 0
    holds: int = 0
    replayed: bool = False
