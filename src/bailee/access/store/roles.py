"""Staff roles: grants, elevations, access reviews."""

from datetime import datetime
from uuid import UUID

import msgspec

from bailee.access.model import Elevation, Grant, Review, ReviewItem
from bailee.foundation.database import OperatorReader, OperatorWriter

# --- grants -------------------------------------------------------------------------------------------


async def insert_grant(tx: OperatorWriter, account_id: UUID, role: str, granted_by: str) -> bool:
    changed = await tx.run(
        "INSERT INTO role_grants (account_id, role, granted_by) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        (account_id, role, granted_by),
    )
    return changed == 1


async def delete_grant(tx: OperatorWriter, account_id: UUID, role: str) -> bool:
    return await tx.run("DELETE FROM role_grants WHERE account_id = %s AND role = %s", (account_id, role)) == 1


async def delete_grants(tx: OperatorWriter, account_id: UUID) -> list[str]:
    return await tx.values("DELETE FROM role_grants WHERE account_id = %s RETURNING role", (account_id,))


async def confirm_grant(tx: OperatorWriter, account_id: UUID, role: str) -> bool:
    changed = await tx.run(
        "UPDATE role_grants SET confirmed_at = now() WHERE account_id = %s AND role = %s", (account_id, role)
    )
    return changed == 1


async def list_grants(tx: OperatorReader, account_id: UUID | None = None) -> list[Grant]:
    """Standing roles of accounts that are in use."""
    return await tx.all(
        Grant,
        """
        SELECT g.account_id, a.email, a.name, g.role, g.granted_by, g.granted_at, g.confirmed_at
        FROM role_grants g JOIN accounts a USING (account_id)
        WHERE (%(account)s::uuid IS NULL OR g.account_id = %(account)s) AND NOT a.sealed
        ORDER BY a.email, g.role
        """,
        {"account": account_id},
    )


async def list_roles_of(tx: OperatorReader, account_id: UUID) -> list[str]:
    return await tx.values("SELECT role FROM role_grants WHERE account_id = %s ORDER BY role", (account_id,))


async def lock_owners(tx: OperatorWriter) -> list[UUID]:
    """The active owners, held by this transaction, so that two changes cannot each leave the other's."""
    await tx.value("SELECT pg_advisory_xact_lock(hashtextextended('bailee owners', 0))")
    return await tx.values(
        """
        SELECT a.account_id FROM accounts a JOIN role_grants g USING (account_id)
        WHERE g.role = 'owner' AND a.state = 'active' AND NOT a.sealed
        """
    )


# --- elevations -----------------------------------------------------------------------------------------

_ELEVATION = """
SELECT
    e.elevation_id AS id, e.account_id, a.email, e.role, e.reason, e.minutes,
    CASE WHEN e.state = 'approved' AND e.expires_at <= now() THEN 'ended' ELSE e.state END AS state,
    e.requested_at, e.decided_by, e.decided_at, e.expires_at, e.ended_at
FROM elevations e JOIN accounts a USING (account_id)
"""


async def insert_elevation(
    tx: OperatorWriter, elevation_id: UUID, account_id: UUID, role: str, reason: str, minutes: int
) -> None:
    await tx.run(
        """
        INSERT INTO elevations (elevation_id, account_id, role, reason, minutes, state)
        VALUES (%s, %s, %s, %s, %s, 'requested')
        """,
        (elevation_id, account_id, role, reason, minutes),
    )


async def find_elevation(tx: OperatorReader, elevation_id: UUID) -> Elevation | None:
    return await tx.one(Elevation, _ELEVATION + " WHERE e.elevation_id = %s", (elevation_id,))


async def list_elevations(tx: OperatorReader, *, before: UUID | None = None, limit: int = 100) -> list[Elevation]:
    return await tx.all(
        Elevation,
        _ELEVATION
        + """
        WHERE (%(before)s::uuid IS NULL OR e.elevation_id < %(before)s) ORDER BY e.elevation_id DESC LIMIT %(limit)s
        """,
        {"before": before, "limit": limit},
    )


async def has_open_elevation(tx: OperatorReader, account_id: UUID, role: str) -> bool:
    found: bool = await tx.value(
        """
        SELECT EXISTS (
            SELECT FROM elevations
            WHERE account_id = %s AND role = %s
              AND (state = 'requested' OR (state = 'approved' AND expires_at > now()))
        )
        """,
        (account_id, role),
    )
    return found


async def decide_elevation(tx: OperatorWriter, elevation_id: UUID, decided_by: UUID, *, approved: bool) -> bool:
    """From the decision on the role is held, for as long as was asked. A request is decided once, within a day."""
    changed = await tx.run(
        """
        UPDATE elevations
        SET state = CASE WHEN %(approved)s THEN 'approved' ELSE 'refused' END, decided_by = %(by)s, decided_at = now(),
            expires_at = CASE WHEN %(approved)s THEN now() + minutes * interval '1 minute' END
        WHERE elevation_id = %(id)s AND state = 'requested' AND requested_at > now() - interval '1 day'
        """,
        {"id": elevation_id, "by": decided_by, "approved": approved},
    )
    return changed == 1


async def end_elevation(tx: OperatorWriter, elevation_id: UUID) -> bool:
    changed = await tx.run(
        """
        UPDATE elevations SET state = 'ended', ended_at = now()
        WHERE elevation_id = %s AND (state = 'requested' OR (state = 'approved' AND expires_at > now()))
        """,
        (elevation_id,),
    )
    return changed == 1


async def end_elevations(tx: OperatorWriter, account_id: UUID) -> int:
    return await tx.run(
        """
        UPDATE elevations SET state = 'ended', ended_at = now()
        WHERE account_id = %s AND state IN ('requested', 'approved')
        """,
        (account_id,),
    )


class EndedElevation(msgspec.Struct, frozen=True):
    id: UUID
    account_id: UUID
    role: str


async def end_expired_elevations(tx: OperatorWriter) -> list[EndedElevation]:
    """Those whose time is up, or that nobody decided for a day. They had no effect any more."""
    return await tx.all(
        EndedElevation,
        """
        UPDATE elevations SET state = 'ended', ended_at = now()
        WHERE (state = 'approved' AND expires_at <= now())
           OR (state = 'requested' AND requested_at <= now() - interval '1 day')
        RETURNING elevation_id AS id, account_id, role
        """,
    )


# --- reviews ----------------------------------------------------------------------------------------------

_REVIEW = """
SELECT
    r.review_id AS id, r.title, r.state, r.opened_at, r.due_at, r.closed_at,
    count(i.item_id) AS items, count(i.decision) AS decided
FROM reviews r LEFT JOIN review_items i USING (review_id)
"""


async def insert_review(tx: OperatorWriter, review_id: UUID, title: str, opened_by: str, due_at: datetime) -> None:
    await tx.run(
        "INSERT INTO reviews (review_id, title, state, opened_by, due_at) VALUES (%s, %s, 'open', %s, %s)",
        (review_id, title, opened_by, due_at),
    )


async def insert_item(
    tx: OperatorWriter, review_id: UUID, item_id: UUID, account_id: UUID, role: str, reviewer_id: UUID
) -> None:
    await tx.run(
        """
        INSERT INTO review_items (review_id, item_id, account_id, role, reviewer_id) VALUES (%s, %s, %s, %s, %s)
        """,
        (review_id, item_id, account_id, role, reviewer_id),
    )


async def find_review(tx: OperatorReader, review_id: UUID) -> Review | None:
    return await tx.one(Review, _REVIEW + " WHERE r.review_id = %s GROUP BY r.review_id", (review_id,))


async def list_reviews(tx: OperatorReader, *, before: UUID | None = None, limit: int = 100) -> list[Review]:
    return await tx.all(
        Review,
        _REVIEW
        + """
        WHERE (%(before)s::uuid IS NULL OR r.review_id < %(before)s)
        GROUP BY r.review_id ORDER BY r.review_id DESC LIMIT %(limit)s
        """,
        {"before": before, "limit": limit},
    )


_ITEM = """
SELECT
    i.item_id AS id, i.account_id, a.email, a.name, i.role, i.reviewer_id, r.name AS reviewer, i.decision, i.decided_at
FROM review_items i
JOIN accounts a ON a.account_id = i.account_id
JOIN accounts r ON r.account_id = i.reviewer_id
"""


async def list_items(tx: OperatorReader, review_id: UUID) -> list[ReviewItem]:
    return await tx.all(ReviewItem, _ITEM + " WHERE i.review_id = %s ORDER BY a.email, i.role", (review_id,))


async def find_item(tx: OperatorReader, review_id: UUID, item_id: UUID) -> ReviewItem | None:
    return await tx.one(ReviewItem, _ITEM + " WHERE i.review_id = %s AND i.item_id = %s", (review_id, item_id))


async def decide_item(tx: OperatorWriter, review_id: UUID, item_id: UUID, decided_by: UUID, decision: str) -> bool:
    changed = await tx.run(
        """
        UPDATE review_items i SET decision = %s, decided_by = %s, decided_at = now()
        FROM reviews r
        WHERE r.review_id = i.review_id AND r.state = 'open' AND r.due_at > now()
          AND i.review_id = %s AND i.item_id = %s AND i.decision IS NULL
        """,
        (decision, decided_by, review_id, item_id),
    )
    return changed == 1


async def lapse_items(tx: OperatorWriter, review_id: UUID) -> list[UUID]:
    """Which ones nobody had decided, up to this moment."""
    return await tx.values(
        """
        UPDATE review_items SET decision = 'lapsed', decided_at = now() WHERE review_id = %s AND decision IS NULL
        RETURNING item_id
        """,
        (review_id,),
    )


async def close_review(tx: OperatorWriter, review_id: UUID) -> bool:
    changed = await tx.run(
        "UPDATE reviews SET state = 'closed', closed_at = now() WHERE review_id = %s AND state = 'open'", (review_id,)
    )
    return changed == 1


async def list_due_reviews(tx: OperatorReader) -> list[UUID]:
    return await tx.values("SELECT review_id FROM reviews WHERE state = 'open' AND due_at <= now() ORDER BY review_id")


async def newest_closed_review(tx: OperatorReader) -> datetime | None:
    found: datetime | None = await tx.value("SELECT max(closed_at) FROM reviews WHERE state = 'closed'")
    return found


# --- use ----------------------------------------------------------------------------------------------------


class Use(msgspec.Struct, frozen=True):
    """An action that an account was seen to take."""

    actor_id: str
    action: str


async def list_uses(tx: OperatorReader, since: datetime) -> list[Use]:
    return await tx.all(
        Use,
        """
        SELECT DISTINCT actor_id, action FROM events
        WHERE actor_kind = 'staff' AND outcome = 'success' AND occurred_at > %s
        """,
        (since,),
    )
