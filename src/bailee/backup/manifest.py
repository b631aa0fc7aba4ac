"""The manifest of a backup: what belongs to it, with hashes; signed, and anchored in the ledger by its SHA-256.

It is written last. A backup whose manifest is not there does not exist: what lies beside is swept away after a day.
age authenticates nobody, so it is the manifest's signature, and the hashes in it, that say who made a volume.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from bailee.backup.errors import BackupDamaged
from bailee.backup.model import Generation, Kind, Server
from bailee.backup.repository import Repository, lock_all
from bailee.backup.tarindex import Entry
from bailee.backup.volumes import Volume, volume_name
from bailee.ledger.errors import ProofInvalid
from bailee.ledger.note import Signer, Verifier, open_statement

FORMAT = 1
_LABEL = "bailee-backup/v1"
ROOT = "backups"


class Postgres(msgspec.Struct, frozen=True):
    """Of which cluster it is, and from where to where its WAL goes (LSNs as numbers)."""

    major: int
    system_id: str
    timeline: int
    start_lsn: int
    stop_lsn: int
    segment: int
    database: str = "bailee"
    """Where our tables are."""
    foreign: bool = False
    """Whether the server was not ours: its configuration, and who its superuser is, are its own."""


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One backup. `index` is the sealed list of its files."""

    format: int
    id: UUID
    instance: str
    server: Server
    kind: Kind
    generation: Generation
    parent: UUID | None
    began_at: datetime
    taken_at: datetime
    expires_at: datetime
    recipients: list[str]
    volumes: list[Volume]
    index: Volume
    postgres: Postgres | None = None

    @property
    def prefix(self) -> str:
        return prefix_of(self.server, self.id)

    @property
    def plain(self) -> int:
        return sum(volume.plain for volume in self.volumes)

    @property
    def size(self) -> int:
        return self.index.size + sum(volume.size for volume in self.volumes)


class StoredObject(msgspec.Struct, frozen=True, array_like=True):
    """One object of the objects' backup: when it was changed, and the SHA-256 of each stretch of it."""

    name: str
    size: int
    modified: int
    chunks: list[str]


class Index(msgspec.Struct, frozen=True):
    """What a backup holds: a cluster's files with PostgreSQL's own manifest, or objects with those gone since."""

    entries: list[Entry] = []
    manifest: bytes = b""
    objects: list[StoredObject] = []
    removed: list[str] = []


def merged(base: Index, later: Index) -> Index:
    """The objects of both, as they were at the later one."""
    objects = {one.name: one for one in base.objects}
    for name in later.removed:
        objects.pop(name, None)
    objects |= {one.name: one for one in later.objects}
    return Index(objects=list(objects.values()))


def prefix_of(server: str, backup_id: UUID) -> str:
    """Where a backup lies in its repository."""
    return f"{ROOT}/{server}/{backup_id}"


def write_manifest(repository: Repository, manifest: Manifest, signer: Signer) -> str:
    """Stores signature and manifest, in this order; answers the manifest's SHA-256 in hex.

    Where the repository locks objects, what the backup consists of is locked until it expires: the rest before.
    """
    prefix = manifest.prefix
    volumes = [volume_name(prefix, number) for number in range(len(manifest.volumes))]
    lock_all(repository, [*volumes, f"{prefix}/index.zst.age"], manifest.expires_at)
    raw = msgspec.json.encode(manifest)
    digest = hashlib.sha256(raw).hexdigest()
    note = signer.sign_statement(f"{_LABEL}\n{manifest.id}\n{digest}\n")
    signature, itself = f"{prefix}/manifest.sig", f"{prefix}/manifest.json"
    repository.put(signature, note.encode())
    lock_all(repository, [signature], manifest.expires_at)
    repository.put(itself, raw)
    lock_all(repository, [itself], manifest.expires_at)
    return digest


def read_manifest(
    repository: Repository, server: str, backup_id: UUID, verifiers: Sequence[Verifier], sha256: str | None = None
) -> Manifest:
    """The manifest, its signature verified, and its hash where the ledger's is known. Raises BackupDamaged."""
    return read_signed(repository, server, backup_id, verifiers, sha256)[0]


def read_signed(
    repository: Repository, server: str, backup_id: UUID, verifiers: Sequence[Verifier], sha256: str | None = None
) -> tuple[Manifest, str]:
    """The same, with its SHA-256 in hex. Raises BackupDamaged."""
    prefix = prefix_of(server, backup_id)
    raw = repository.get(f"{prefix}/manifest.json")
    digest = hashlib.sha256(raw).hexdigest()
    try:
        text = open_statement(repository.get(f"{prefix}/manifest.sig").decode(), verifiers)
    except (ProofInvalid, UnicodeDecodeError):
        raise BackupDamaged(f"The manifest of backup {backup_id} is not signed by this instance.") from None
    if text != f"{_LABEL}\n{backup_id}\n{digest}\n" or sha256 not in (None, digest):
        raise BackupDamaged(f"The manifest of backup {backup_id} was altered.")
    try:
        manifest = msgspec.json.decode(raw, type=Manifest)
    except msgspec.DecodeError:
        raise BackupDamaged(f"The manifest of backup {backup_id} cannot be read.") from None
    if manifest.format != FORMAT or manifest.id != backup_id or manifest.server != server:
        raise BackupDamaged(f"The manifest of backup {backup_id} is of another format, or of another backup.")
    return manifest, digest


def list_backups(repository: Repository, server: str) -> list[UUID]:
    """The backups whose manifests are there, the oldest first."""
    found = []
    for one in repository.list(f"{ROOT}/{server}"):
        parts = one.name.split("/")
        if parts[-1] == "manifest.json":
            found.append(UUID(parts[-2]))
    return sorted(found)
