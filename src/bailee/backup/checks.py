"""Proves 6.1 (fresh, verified, apart), 6.2 (rehearsed), 6.3 (used for recovery alone) and, for backups, 3.2."""

from datetime import UTC, datetime, timedelta

import anyio.to_thread

from bailee.assurance import Facts, Finding, Verdict, check
from bailee.assurance.markers import PREFIX
from bailee.backup.backups import Backups
from bailee.backup.buckets import LockedBucket
from bailee.backup.copies import Copies
from bailee.backup.drills import Drills
from bailee.backup.errors import BackupDamaged, KeyRefused, RepositoryUnavailable
from bailee.backup.keys import BackupKeys
from bailee.backup.model import POSTGRES, Backup
from bailee.backup.probing import Probed, probe_lock, probe_wal, sample_objects
from bailee.backup.store import catalogue, evidence
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database
from bailee.foundation.errors import Error
from bailee.foundation.settings import Settings

_VERIFY_WITHIN = timedelta(hours=3)
_FULL_WITHIN = timedelta(hours=26)
_OFFSITE_WITHIN = timedelta(hours=2)
_MOST = 20


@check("backup.fresh_and_verified", measure="6.1", every=timedelta(minutes=15))
async def fresh_and_verified(
    settings: Settings, database: Database, backups: Backups, copies: Copies, keys: BackupKeys, clock: Clock
) -> Finding:
    """Writes to each server and waits until that lies in the repository: how much would be lost now. Looks whether each
    server has a backup of the last day, whether all were read again and are whole, and whether they lie apart. Where a
    repository locks objects, tries to delete one that is locked.
    """
    now = clock.now()
    async with database.operator_read() as tx:
        recovery = await keys.recovery_recipient(tx)
        found = {server: await catalogue.list_complete(tx, server) for server in backups.servers}
    if recovery is None:
        return Finding(
            Verdict.BROKEN, "There is no recovery key, and so no backup: `bailee backup init` makes one.", {}
        )
    stale = [name for name, rows in found.items() if not rows or now - _taken(rows[0].taken_at) > _FULL_WITHIN]
    every = [one for rows in found.values() for one in rows]
    damaged = [str(one.id) for one in every if one.fault][:_MOST]
    unread = [one for one in every if one.verified_at is None and now - _taken(one.taken_at) > _VERIFY_WITHIN]
    behind: dict[str, float | None] = {}
    for server in POSTGRES:
        if server in backups.place.sources:
            behind[server] = await _probe(backups, server, settings.backup.rpo_seconds)
    unlocked = await _unlocked(backups, copies, [rows[0] for rows in found.values() if rows])
    uncopied = [one for one in every if one.copied_at is None and now - _taken(one.taken_at) > _OFFSITE_WITHIN]
    facts: Facts = {
        "backups": len(every), "without_one_of_the_last_day": [str(one) for one in stale], "damaged": damaged,
        "not_read_again_yet": len(unread), "rpo_seconds": settings.backup.rpo_seconds,
        "offsite": settings.backup.offsite is not None, "not_copied_off_site": len(uncopied),
        "not_locked": [str(one) for one in unlocked],
        **{f"seconds_to_lose_of_{name}": "over the limit" if s is None else f"{s:.1f}" for name, s in behind.items()},
    }  # fmt: skip
    late = [name for name, seconds in behind.items() if seconds is None]
    missing = [server for server in POSTGRES if server not in backups.place.sources]
    if missing or stale or damaged or late or unlocked:
        what = [f"no fresh backup of {', '.join(stale)}"] * bool(stale) + [f"{len(damaged)} damaged"] * bool(damaged)
        what += [f"WAL of {', '.join(late)} is not stored in time"] * bool(late)
        what += [f"no login to back up {', '.join(missing)}"] * bool(missing)
        what += unlocked[:1]
        return Finding(Verdict.BROKEN, f"Not restorable as promised: {'; '.join(what)}.", facts)
    if unread or settings.backup.offsite is None or uncopied:
        why = f"{len(unread)} backups were not read again yet" if unread else "there is no copy apart from this system"
        return Finding(Verdict.ATTENTION, f"Fresh and whole, but {why}.", facts)
    return Finding(Verdict.HOLDS, f"{len(every)} backups, read again and whole, copied off site; RPO kept.", facts)


@check("backup.rehearsed", measure="6.2", every=timedelta(hours=1))
async def rehearsed(settings: Settings, database: Database, drills: Drills, clock: Clock) -> Finding:
    """Looks whether a restore was rehearsed within the interval, from a real backup to a serving copy, and passed."""
    async with database.operator_read() as tx:
        held = await drills.page(tx, limit=50)
        since = await evidence.first_backup(tx)
    ended = [one for one in held if one.state != "running"]
    passed = next((one for one in ended if one.state == "passed"), None)
    within = timedelta(days=settings.backup.drill_days)
    facts: Facts = {
        "drills": len(ended), "last_passed": passed.began_at.isoformat() if passed else None,
        "within_days": settings.backup.drill_days,
        "rto_seconds": str(passed.rto_seconds) if passed else None,
        "rpo_seconds": str(passed.rpo_seconds) if passed else None,
        "rows_compared": passed.rows if passed else 0, "faults_of_the_last": ended[0].faults if ended else [],
    }  # fmt: skip
    if ended and ended[0].state == "failed":
        return Finding(Verdict.BROKEN, "The last drill failed: a restore is not to be counted on.", facts)
    if passed is not None and clock.now() - passed.began_at <= within:
        return Finding(
            Verdict.HOLDS, f"Rehearsed: {passed.rows} rows equal, serving after {passed.rto_seconds} s.", facts
        )
    if passed is None and (since is None or clock.now() - since <= within):
        return Finding(Verdict.ATTENTION, "No restore was rehearsed yet; the first is due.", facts)
    return Finding(Verdict.BROKEN, f"No restore was rehearsed within {settings.backup.drill_days} days.", facts)


@check("backup.opened_for_recovery_alone", measure="6.3", every=timedelta(hours=6))
async def opened_for_recovery_alone(database: Database) -> Finding:
    """Looks whether every release of the key had a lawful purpose and two people, or was a drill of Bailee's own, and
    whether each restore that this instance has come from replayed the erasures before it opened.
    """
    async with database.operator_read() as tx:
        released = await evidence.count_released(tx)
        unlawful = await evidence.list_unlawful(tx)
        unreplayed = await evidence.count_unreplayed(tx)
    facts: Facts = {
        "releases": released,
        "without_two_people_or_purpose": unlawful[:_MOST],
        "restores_without_replay": unreplayed,
    }
    if unlawful or unreplayed:
        return Finding(Verdict.BROKEN, "A backup was opened as it must not be.", facts)
    return Finding(Verdict.HOLDS, f"{released} releases of the key, each with its purpose and its people.", facts)


@check("backup.no_plaintext", measure="3.2", every=timedelta(hours=6))
async def no_plaintext(database: Database, backups: Backups, keys: BackupKeys) -> Finding:
    """Looks into the newest objects of the repository for marked data and for anything that is not encrypted; proves
    with the drill key that what is inside is what it should be.
    """
    async with database.operator_read() as tx:
        newest = [
            rows[0]
            for server in backups.servers
            if server != "settings" and (rows := await catalogue.list_complete(tx, server))
        ]
    if not newest:
        return Finding(Verdict.ATTENTION, "There is no backup yet to look into.", {})
    identity = await keys.drill_identity()
    try:
        manifests = [await backups.read(one) for one in newest]
        sample = await anyio.to_thread.run_sync(
            sample_objects, backups.place.repository, manifests, identity, PREFIX.encode()
        )
    except (BackupDamaged, KeyRefused) as error:
        return Finding(Verdict.BROKEN, f"A backup cannot be opened: {error.detail}", {})
    facts: Facts = {
        "objects": sample.objects, "bytes": sample.bytes, "not_encrypted": sample.bare[:_MOST],
        "marker_found_in": sample.marked[:_MOST], "proven_with_the_drill_key": sample.proven,
    }  # fmt: skip
    if sample.bare or sample.marked:
        return Finding(Verdict.BROKEN, "Something lies in the backups in the clear.", facts)
    if not sample.proven:
        return Finding(Verdict.UNKNOWN, "What is inside the backups could not be recognised.", facts)
    return Finding(Verdict.HOLDS, f"Nothing in the clear in {sample.objects} objects of the newest backups.", facts)


async def _probe(backups: Backups, server: str, limit: float) -> float | None:
    """Seconds until a write was in the repository; None when that took longer than the limit."""
    try:
        probed: Probed = await anyio.to_thread.run_sync(
            probe_wal, backups.place.sources[server], backups.place.repository, limit, abandon_on_cancel=True
        )
    except Error:
        return None
    return probed.seconds


async def _unlocked(backups: Backups, copies: Copies, newest: list[Backup]) -> list[str]:
    """What is wrong with the locks, one line for each repository that is to lock."""
    found = []
    for repository in (backups.place.repository, copies.offsite):
        if not isinstance(repository, LockedBucket):
            continue
        there = [one for one in newest if not one.fault and (one.copied_at or repository is not copies.offsite)]
        try:
            manifests = [await backups.read(one) for one in there]
            found.append(await anyio.to_thread.run_sync(probe_lock, repository, manifests))
        except (RepositoryUnavailable, BackupDamaged) as error:
            found.append(error.detail)
    return [one for one in found if one]


def _taken(moment: datetime | None) -> datetime:
    """Complete backups have their time."""
    return moment or datetime.min.replace(tzinfo=UTC)
