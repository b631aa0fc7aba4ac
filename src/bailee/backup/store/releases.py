"""Releases of the key."""

from datetime import datetime
from uuid import UUID

from bailee.backup.model import Release
from bailee.foundation.database import OperatorReader, OperatorWriter

_SELECT = """
    SELECT release_id AS id, purpose, reason, state, requested_by, requested_at, decided_by, decided_at, used_at,
           expires_at
    FROM backup_releases
"""


async def insert_release(
    tx: OperatorWriter, release_id: UUID, purpose: str, reason: str, account_id: UUID, expires_at: datetime
) -> None:
    await tx.run(
        """
        INSERT INTO backup_releases (release_id, purpose, reason, state, requested_by, expires_at)
        VALUES (%s, %s, %s, 'requested', %s, %s)
        """,
        (release_id, purpose, reason, account_id, expires_at),
    )


async def decide_release(
    tx: OperatorWriter, release_id: UUID, account_id: UUID, until: datetime, *, approved: bool
) -> bool:
    """Whether it was open. `until`: when what is approved lapses."""
    changed = await tx.run(
        """
        UPDATE backup_releases SET state = CASE WHEN %(approved)s THEN 'approved' ELSE 'refused' END,
            decided_by = %(account)s, decided_at = now(), expires_at = %(until)s
        WHERE release_id = %(id)s AND state = 'requested' AND expires_at > now() AND requested_by <> %(account)s
        """,
        {"approved": approved, "account": account_id, "until": until, "id": release_id},
    )
    return changed == 1


async def use_release(tx: OperatorWriter, release_id: UUID) -> bool:
    changed = await tx.run(
        """
        UPDATE backup_releases SET state = 'used', used_at = now()
        WHERE release_id = %s AND state = 'approved' AND expires_at > now()
        """,
        (release_id,),
    )
    return changed == 1


async def find_release(tx: OperatorReader, release_id: UUID) -> Release | None:
    return await tx.one(Release, _SELECT + " WHERE release_id = %s", (release_id,))


async def list_releases(tx: OperatorReader, *, before: UUID | None, limit: int) -> list[Release]:
    return await tx.all(
        Release,
        _SELECT + " WHERE %(before)s::uuid IS NULL OR release_id < %(before)s ORDER BY release_id DESC LIMIT %(limit)s",
        {"before": before, "limit": limit},
    )
