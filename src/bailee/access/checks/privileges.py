"""Proves 2.2: rights are small, reviewed and time-boxed, and nobody holds all of them standing."""

from datetime import timedelta

from bailee.access.gates import Gates
from bailee.access.grants import REPORT_DAYS, Grants
from bailee.access.permissions import STAFF_PERMISSIONS, STAFF_ROLES, staff_permissions
from bailee.access.store import evidence
from bailee.access.store import roles as rows
from bailee.assurance import Facts, Finding, Verdict, check
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database
from bailee.foundation.principal import system
from bailee.foundation.settings import Settings

_LATE = timedelta(minutes=10)
_LOOK_BACK = timedelta(days=1)
"""Over which elevations that have ended are looked at too: several runs of the check, so that none is missed."""
_MANY_OWNERS = 3


@check("access.least_privilege", measure="2.2", every=timedelta(hours=6))
async def least_privilege(
    settings: Settings, database: Database, grants: Grants, gates: Gates, clock: Clock
) -> Finding:
    """Reads who holds what, against what the log has seen them use; looks for standing superusers and late reviews."""
    now = clock.now()
    since = now - timedelta(days=settings.access.review_days)
    async with database.operator() as tx:
        report = await grants.report(tx, by=system("probe"))
    async with database.operator_read() as reader:
        holdings = await evidence.list_holdings(reader)
        powerful = await evidence.list_powerful_logins(reader)
        lone = await evidence.count_lone_elevations(reader, now - _LOOK_BACK)
        overdue = await evidence.count_overdue_reviews(reader, now - _LATE)
        unconfirmed = await evidence.count_unconfirmed(reader, since)
        reviewed = await rows.newest_closed_review(reader)
    supreme = [one for one in holdings if _is_supreme(one.roles)]
    owners = sum(1 for one in holdings if "owner" in one.roles)
    idle = sum(1 for one in report if not one.used and one.since < now - timedelta(days=REPORT_DAYS))
    facts: Facts = {
        "staff_with_roles": len(holdings), "owners": owners, "standing_superusers": len(supreme),
        "database_roles_past_row_security": sorted(powerful), "elevations_without_second_person": lone,
        "reviews_overdue": overdue, "roles_not_confirmed_in_time": unconfirmed,
        "last_review": reviewed.isoformat() if reviewed else None, "people_who_used_nothing": idle,
        "permissions_unused": sum(len(one.unused) for one in report), "gates": gates.names,
    }  # fmt: skip
    if supreme or powerful or lone or overdue or unconfirmed:
        return Finding(Verdict.BROKEN, "Somebody holds everything, or a review or an approval is missing.", facts)
    if idle or owners > _MANY_OWNERS:
        return Finding(Verdict.ATTENTION, "There are roles that nobody uses, or many owners.", facts)
    return Finding(
        Verdict.HOLDS, f"{len(holdings)} people hold roles; nobody holds everything, none is unreviewed.", facts
    )


def _is_supreme(roles: list[str]) -> bool:
    """Whether standing roles amount to everything, or one of them may only ever be lent."""
    lent = any(STAFF_ROLES[role].elevation_only for role in roles if role in STAFF_ROLES)
    return lent or staff_permissions(roles) >= STAFF_PERMISSIONS
