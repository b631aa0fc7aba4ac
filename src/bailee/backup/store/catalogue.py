"""Backups and the keys that they are encrypted to."""

from datetime import datetime
from uuid import UUID

from bailee.backup.manifest import Manifest
from bailee.backup.model import Backup, RecoveryKey
from bailee.foundation.database import OperatorReader, OperatorWriter

_BACKUP = """
    SELECT backup_id AS id, server, kind, generation, state, parent_id, began_at, taken_at, expires_at, plain, size,
           manifest_sha256, verified_at, copied_at, fault, timeline, system_id, major
    FROM backups
"""


async def insert_backup(
    tx: OperatorWriter,
    backup_id: UUID,
    server: str,
    kind: str,
    generation: str,
    parent: UUID | None,
    began_at: datetime,
) -> None:
    await tx.run(
        """
        INSERT INTO backups (backup_id, server, kind, generation, state, parent_id, began_at)
        VALUES (%s, %s, %s, %s, 'running', %s, %s)
        """,
        (backup_id, server, kind, generation, parent, began_at),
    )


async def complete_backup(tx: OperatorWriter, manifest: Manifest, sha256: str) -> None:
    postgres = manifest.postgres
    await tx.run(
        """
        UPDATE backups SET state = 'complete', kind = %s, generation = %s, parent_id = %s, began_at = %s, taken_at = %s,
            expires_at = %s, plain = %s, size = %s, manifest_sha256 = %s, timeline = %s, system_id = %s, major = %s
        WHERE backup_id = %s
        """,
        (
            manifest.kind, manifest.generation, manifest.parent, manifest.began_at, manifest.taken_at,
            manifest.expires_at, manifest.plain, manifest.size, sha256,
            postgres.timeline if postgres else None, postgres.system_id if postgres else None,
            postgres.major if postgres else None, manifest.id,
        ),
    )  # fmt: skip


async def list_known(tx: OperatorReader, ids: list[UUID]) -> list[UUID]:
    """Those of them that the catalogue has, complete or expired."""
    return await tx.values(
        "SELECT backup_id FROM backups WHERE backup_id = ANY(%s) AND state IN ('complete', 'expired')", (ids,)
    )


async def insert_found(tx: OperatorWriter, manifest: Manifest) -> None:
    """One that is to be completed, with its parent if that is known."""
    await tx.run(
        """
        INSERT INTO backups (backup_id, server, kind, generation, state, parent_id, began_at)
        VALUES (%s, %s, %s, %s, 'running', (SELECT backup_id FROM backups WHERE backup_id = %s), %s)
        ON CONFLICT (backup_id) DO UPDATE SET fault = ''
        """,
        (manifest.id, manifest.server, manifest.kind, manifest.generation, manifest.parent, manifest.began_at),
    )


async def fail_backup(tx: OperatorWriter, backup_id: UUID, fault: str) -> None:
    await tx.run(
        "UPDATE backups SET state = 'failed', fault = %s WHERE backup_id = %s AND state = 'running'", (fault, backup_id)
    )


async def fail_unfinished(tx: OperatorWriter, server: str, fault: str) -> int:
    """Those whose process died; the caller holds the lock under which the server's backups run."""
    return await tx.run(
        "UPDATE backups SET state = 'failed', fault = %s WHERE state = 'running' AND server = %s", (fault, server)
    )


async def delete_unneeded(tx: OperatorWriter, backup_id: UUID) -> None:
    """One that had nothing to hold."""
    await tx.run("DELETE FROM backups WHERE backup_id = %s AND state = 'running'", (backup_id,))


async def forget_failed(tx: OperatorWriter, before: datetime) -> int:
    return await tx.run("DELETE FROM backups WHERE state = 'failed' AND began_at < %s", (before,))


async def mark_verified(tx: OperatorWriter, backup_id: UUID, fault: str) -> None:
    await tx.run("UPDATE backups SET verified_at = now(), fault = %s WHERE backup_id = %s", (fault, backup_id))


async def list_uncopied(tx: OperatorReader, ids: list[UUID]) -> list[Backup]:
    """Those of them that are not known to be in the second place."""
    return await tx.all(Backup, _BACKUP + " WHERE backup_id = ANY(%s) AND copied_at IS NULL", (ids,))


async def mark_copied(tx: OperatorWriter, ids: list[UUID]) -> None:
    await tx.run("UPDATE backups SET copied_at = coalesce(copied_at, now()) WHERE backup_id = ANY(%s)", (ids,))


async def expire(tx: OperatorWriter, ids: list[UUID]) -> None:
    await tx.run("UPDATE backups SET state = 'expired', deleted_at = now() WHERE backup_id = ANY(%s)", (ids,))


async def find_backup(tx: OperatorReader, backup_id: UUID) -> Backup | None:
    return await tx.one(Backup, _BACKUP + " WHERE backup_id = %s", (backup_id,))


async def list_backups(
    tx: OperatorReader, *, server: str | None = None, state: str | None = None, before: UUID | None = None,
    limit: int = 100, looks: bool = True,
) -> list[Backup]:  # fmt: skip
    """Newest first; `looks`: those too that stand for a minute alone."""
    return await tx.all(
        Backup,
        _BACKUP
        + """
        WHERE (%(server)s::text IS NULL OR server = %(server)s) AND (%(state)s::text IS NULL OR state = %(state)s)
          AND (%(before)s::uuid IS NULL OR backup_id < %(before)s) AND (%(looks)s OR generation <> 'recent')
        ORDER BY backup_id DESC LIMIT %(limit)s
        """,
        {"server": server, "state": state, "before": before, "limit": limit, "looks": looks},
    )


async def list_complete(tx: OperatorReader, server: str) -> list[Backup]:
    """All that can be restored, newest first."""
    return await tx.all(Backup, _BACKUP + " WHERE server = %s AND state = 'complete' ORDER BY taken_at DESC", (server,))


async def list_overdue(tx: OperatorReader, now: datetime) -> list[Backup]:
    """Those whose time is up, children before what they rest on."""
    return await tx.all(
        Backup, _BACKUP + " WHERE state = 'complete' AND expires_at <= %s ORDER BY backup_id DESC", (now,)
    )


async def list_holding(tx: OperatorReader, since: datetime, until: datetime) -> list[Backup]:
    """Backups that hold something that lived from `since` to `until`."""
    return await tx.all(
        Backup,
        _BACKUP
        + """
        WHERE state = 'complete' AND server <> 'settings' AND began_at <= %s AND taken_at >= %s
        ORDER BY expires_at DESC, backup_id
        """,
        (until, since),
    )


async def list_unverified(tx: OperatorReader, limit: int) -> list[Backup]:
    """Complete ones that were never read again, the oldest first."""
    return await tx.all(
        Backup,
        _BACKUP + " WHERE state = 'complete' AND verified_at IS NULL ORDER BY backup_id LIMIT %s",
        (limit,),
    )


async def is_awaited(tx: OperatorReader, since: datetime, jobs: list[str]) -> bool:
    """Whether a backup began since then and still runs, or one of these jobs waits to be run soon, or is."""
    found: bool = await tx.value(
        """
        SELECT EXISTS (SELECT FROM backups WHERE state = 'running' AND began_at > %(since)s)
            OR EXISTS (SELECT FROM backup_drills WHERE state = 'running' AND began_at > %(since)s)
            OR EXISTS (SELECT FROM procrastinate_jobs WHERE task_name = ANY(%(jobs)s) AND status IN ('todo', 'doing')
                         AND coalesce(scheduled_at, now()) < now() + interval '1 minute')
        """,
        {"since": since, "jobs": jobs},
    )
    return found


async def count_resting_on(tx: OperatorReader, backup_id: UUID) -> int:
    """How many complete backups are built upon one."""
    count: int = await tx.value(
        "SELECT count(*) FROM backups WHERE parent_id = %s AND state = 'complete'", (backup_id,)
    )
    return count


# --- keys ---------------------------------------------------------------------------------------------


async def insert_recovery_key(tx: OperatorWriter, key_id: UUID, recipient: str) -> None:
    await tx.run("UPDATE recovery_keys SET retired_at = now() WHERE retired_at IS NULL")
    await tx.run("INSERT INTO recovery_keys (recovery_key_id, recipient) VALUES (%s, %s)", (key_id, recipient))


async def list_recovery_keys(tx: OperatorReader) -> list[RecoveryKey]:
    return await tx.all(
        RecoveryKey,
        "SELECT recovery_key_id AS id, recipient, made_at, retired_at FROM recovery_keys ORDER BY made_at DESC",
    )
