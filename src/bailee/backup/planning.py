"""What a restore to a moment takes: which backups, how much WAL. Decided before anything is written."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
import structlog

from bailee.backup.age import Identity
from bailee.backup.copying import lsn_text
from bailee.backup.errors import BackupDamaged, RestoreRefused
from bailee.backup.manifest import Index, Manifest, list_backups, merged, read_manifest
from bailee.backup.repository import Repository
from bailee.backup.volumes import unseal, verify_hash
from bailee.backup.wal import Stretch, covered_to, list_stretches, prefix_of, stored_until
from bailee.ledger.note import Verifier

log = structlog.get_logger()

_WHILE = timedelta(minutes=1)


class Access(msgspec.Struct, frozen=True):
    """A repository with what opens it, and who must have signed what lies in it."""

    repository: Repository
    identities: list[Identity]
    verifiers: list[Verifier]


class ServerPlan(msgspec.Struct, frozen=True):
    """How one server is restored: backups that rest on each other, then WAL from the last one's end.

    `at` is None for everything there is. WAL is fetched up to `wal_end` at first, where `at` should be reached, and up
    to `wal_all` if it is not. `until` is when the last of it was stored.
    """

    server: str
    chain: list[Manifest]
    stretches: list[Stretch]
    wal_end: int
    wal_all: int
    at: datetime | None
    until: datetime
    target: str = ""
    """The name of a restore point, in place of a moment."""
    without: frozenset[UUID] = frozenset()
    """Backups that turned out to be damaged."""

    @property
    def newest(self) -> Manifest:
        return self.chain[-1]

    @property
    def plain(self) -> int:
        return sum(one.plain for one in self.chain)

    def ending(self, reached: int) -> "ServerPlan":
        """The same with no WAL from `reached` on."""
        stretches = [one for one in self.stretches if one.end <= reached]
        timeline = self.newest.postgres.timeline if self.newest.postgres else 0
        until = stored_until(stretches, timeline, _stop(self)) or self.newest.taken_at
        return msgspec.structs.replace(self, wal_end=min(self.wal_end, reached), wal_all=reached, until=until)

    @property
    def major(self) -> int:
        """The major version of PostgreSQL whose programs it takes."""
        return self.newest.postgres.major if self.newest.postgres else 0


class RestorePlan(msgspec.Struct, frozen=True):
    """A whole restore of both servers, and of the settings. What objects there are is encrypted: see `plan_objects`."""

    main: ServerPlan
    keyring: ServerPlan
    settings: Manifest | None


class Span(msgspec.Struct, frozen=True):
    """From a backup's end on, every moment until `until` can be restored."""

    server: str
    backup: UUID
    since: datetime
    until: datetime


def list_spans(access: Access, server: str) -> list[Span]:
    """What can be restored, newest first. A backup that is damaged is left out."""
    return [Span(server, plan.newest.id, plan.newest.taken_at, plan.until) for plan in candidates(access, server)]


def plan_server(
    access: Access, server: str, at: datetime | None, target: str = "", target_lsn: int = 0, system_id: str = "", *,
    without: frozenset[UUID] = frozenset(),
) -> ServerPlan:  # fmt: skip
    """The newest backup from before `at` whose WAL reaches that far; or from before the restore point `target`, which
    lies at `target_lsn` of the cluster `system_id`. It does not rest on one of `without`.

    Raises RestoreRefused, RepositoryUnavailable.
    """
    reasons = []
    for plan in candidates(access, server, without):
        if target:
            part = plan.newest.postgres
            if part and part.stop_lsn <= target_lsn <= plan.wal_all and system_id in ("", part.system_id):
                return msgspec.structs.replace(plan, target=target, wal_end=min(plan.wal_end, target_lsn))
            continue
        if at is None:
            return plan
        if plan.newest.taken_at > at:
            continue
        if plan.until >= at:
            return msgspec.structs.replace(plan, at=at, wal_end=_needed(plan, at))
        reasons.append(f"from the backup of {plan.newest.taken_at:%Y-%m-%d %H:%M:%S} on, WAL reaches to "
                       f"{plan.until:%Y-%m-%d %H:%M:%S} UTC")  # fmt: skip
    if at is None or target:
        raise RestoreRefused(f"There is no backup of {server} here that can be restored like this with these keys.")
    if reasons:
        raise RestoreRefused(
            f"{server} cannot be restored to {at:%Y-%m-%d %H:%M:%S} UTC: {reasons[0]}. Choose a moment up to then, or "
            "leave the moment out for the newest state there is."
        )
    raise RestoreRefused(f"There is no backup of {server} from before {at:%Y-%m-%d %H:%M:%S} UTC here.")


def plan_restore(access: Access, at: datetime | None, *, with_settings: bool) -> RestorePlan:
    """What a restore takes; no key is needed for that. The keyring always comes as new as it can: what was erased stays
    unreadable. Raises RestoreRefused, RepositoryUnavailable.
    """
    return RestorePlan(
        plan_server(access, "main", at), plan_server(access, "keyring", None),
        _newest(access, "settings") if with_settings else None,
    )  # fmt: skip


def plan_objects(access: Access, at: datetime | None) -> Index:
    """The objects of the moment: those of the last look before it, and of the first one after it. Opens their lists.

    Raises BackupDamaged, KeyRefused.
    """
    snapshots = []
    for backup_id in reversed(list_backups(access.repository, "objects")):
        manifest = _read(access, "objects", backup_id)
        if manifest is None:
            continue
        snapshots.append(manifest)
        if at is None or manifest.taken_at <= at:
            break
    found: dict[str, Index] = {}
    chosen = [snapshots[-1], *([snapshots[-2]] if len(snapshots) > 1 else [])] if snapshots else []
    listing = Index()
    for manifest in chosen:
        whole = _listing(access, manifest, found)
        listing = Index(objects=list({one.name: one for one in [*listing.objects, *whole.objects]}.values()))
    return listing


def open_index(access: Access, manifest: Manifest) -> Index:
    """The list of what a backup holds. Raises BackupDamaged, KeyRefused."""
    name = f"{manifest.prefix}/index.zst.age"
    sealed = access.repository.get(name)
    verify_hash(name, sealed, manifest.index)
    return msgspec.msgpack.decode(unseal(sealed, access.identities), type=Index)


def _listing(access: Access, manifest: Manifest, known: dict[str, Index]) -> Index:
    if str(manifest.id) not in known:
        index = open_index(access, manifest)
        if manifest.parent is not None:
            base = read_manifest(access.repository, "objects", manifest.parent, access.verifiers)
            index = merged(_listing(access, base, known), index)
        known[str(manifest.id)] = index
    return known[str(manifest.id)]


def candidates(access: Access, server: str, without: frozenset[UUID] = frozenset()) -> Iterator[ServerPlan]:
    """Each backup that is whole with what it rests on, newest first, and the WAL that goes on from it."""
    listed: dict[str, Sequence[Stretch]] = {}
    known: dict[UUID, Manifest | None] = {}
    for backup_id in reversed(list_backups(access.repository, server)):
        chain = _chain(access, server, backup_id, known)
        if not chain or chain[-1].postgres is None or without.intersection(one.id for one in chain):
            continue
        part = chain[-1].postgres
        prefix = prefix_of(server, part.system_id, part.timeline)
        if prefix not in listed:
            listed[prefix] = list_stretches(access.repository, prefix)
        stretches = listed[prefix]
        start = part.stop_lsn
        end = covered_to(stretches, part.timeline, start)
        until = stored_until(stretches, part.timeline, start) if end > start else None
        yield ServerPlan(
            server, chain, list(stretches), end, end, None, max(until or chain[-1].taken_at, chain[-1].taken_at),
            without=without,
        )  # fmt: skip


def _needed(plan: ServerPlan, at: datetime) -> int:
    """Where the moment is likely to have been reached: what was stored a while after it."""
    later = [one.end for one in plan.stretches if one.stored.stored_at > at + _WHILE and one.end > _stop(plan)]
    return min([plan.wal_all, *later[:1]])


def _stop(plan: ServerPlan) -> int:
    return plan.newest.postgres.stop_lsn if plan.newest.postgres else 0


def _chain(access: Access, server: str, backup_id: UUID, known: dict[UUID, Manifest | None]) -> list[Manifest] | None:
    """A backup with what it rests on, the full one first; None when one of them is missing or damaged."""
    chain: list[Manifest] = []
    following: UUID | None = backup_id
    while following is not None:
        if following not in known:
            known[following] = _read(access, server, following)
        found = known[following]
        if found is None:
            return None
        chain.insert(0, found)
        following = found.parent
    return chain


def _read(access: Access, server: str, backup_id: UUID) -> Manifest | None:
    try:
        return read_manifest(access.repository, server, backup_id, access.verifiers)
    except BackupDamaged as error:
        log.warning("a backup is passed over", backup=str(backup_id), reason=error.detail)
        return None


def _newest(access: Access, server: str) -> Manifest | None:
    for backup_id in reversed(list_backups(access.repository, server)):
        manifest = _read(access, server, backup_id)
        if manifest is not None:
            return manifest
    return None


def described(plan: ServerPlan) -> str:
    """One line for people."""
    moment = (
        f"to {plan.at:%Y-%m-%d %H:%M:%S} UTC" if plan.at else f"to the end of what is stored ({lsn_text(plan.wal_end)})"
    )
    return (
        f"{plan.server}: {len(plan.chain)} backups, the last of {plan.newest.taken_at:%Y-%m-%d %H:%M:%S} UTC, {moment}"
    )
