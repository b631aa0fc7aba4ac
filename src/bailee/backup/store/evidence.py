"""What the checks of this section ask."""

from datetime import datetime

from bailee.foundation.database import OperatorReader


async def first_backup(tx: OperatorReader) -> datetime | None:
    """When there was first something to restore."""
    moment: datetime | None = await tx.value("SELECT min(taken_at) FROM backups WHERE manifest_sha256 IS NOT NULL")
    return moment


async def count_released(tx: OperatorReader) -> int:
    count: int = await tx.value("SELECT count(*) FROM events WHERE action = 'backup.key_released'")
    return count


async def list_unlawful(tx: OperatorReader) -> list[str]:
    """Releases of the key by people without a request that a second person approved; drills that were none; requests
    that were used without being approved.
    """
    return await tx.values(
        """
        WITH released AS (
            SELECT event_id, object_id, actor_kind,
                   convert_from(body, 'UTF8')::jsonb -> 'details' AS details
            FROM events WHERE action = 'backup.key_released'
        )
        SELECT 'event ' || r.event_id FROM released r
        LEFT JOIN backup_releases b ON b.release_id::text = r.object_id
        WHERE CASE WHEN r.details ->> 'purpose' = 'drill' THEN r.actor_kind <> 'system'
              ELSE b.decided_by IS NULL OR b.decided_by = b.requested_by OR b.state <> 'used'
                   OR b.purpose <> r.details ->> 'purpose' END
        UNION ALL
        SELECT 'release ' || b.release_id FROM backup_releases b
        WHERE b.state = 'used' AND NOT EXISTS (SELECT FROM released r WHERE r.object_id = b.release_id::text)
        """
    )


async def count_unreplayed(tx: OperatorReader) -> int:
    count: int = await tx.value("SELECT count(*) FROM restores WHERE NOT replayed")
    return count
