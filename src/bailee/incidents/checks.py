"""Proves 9.1 (incidents move, exercises are held), 9.2 (customers are told in time) and 9.3 (completely)."""

from datetime import timedelta

from bailee.assurance import Facts, Finding, Verdict, check
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database
from bailee.foundation.principal import system
from bailee.foundation.settings import Settings
from bailee.incidents.exercises import Exercises
from bailee.incidents.incidents import Incidents
from bailee.incidents.model import NOTICE_WITHIN
from bailee.incidents.store import breaches as rows
from bailee.incidents.store import incidents as incident_rows

_UNDECIDED = timedelta(hours=24)
_KEPT = 1000


@check("incidents.in_time", measure="9.1", every=timedelta(minutes=15))
async def in_time(database: Database, incidents: Incidents, settings: Settings, clock: Clock) -> Finding:
    """Looks whether open incidents have come to each phase in time, and whether people have exercised lately."""
    now = clock.now()
    async with database.operator_read() as tx:
        unfinished = await incident_rows.list_unfinished(tx)
        undecided = await incident_rows.count_undecided(tx, now - _UNDECIDED)
        held = await rows.list_exercises(tx, _KEPT)
    overdue = [str(one.number) for one in unfinished if one.due_at is not None and now > one.due_at]
    by_people = [one for one in held if not one.drill]
    latest = max((one.ended_at for one in by_people), default=None)
    within = timedelta(days=settings.incidents.exercise_days)
    facts: Facts = {
        "open": len(unfinished), "overdue": overdue, "breach_undecided_over_a_day": undecided,
        "playbooks": len(incidents.playbooks), "last_exercise": latest.isoformat() if latest else None,
        "exercise_within_days": settings.incidents.exercise_days,
    }  # fmt: skip
    if overdue or undecided:
        return Finding(Verdict.BROKEN, f"{len(overdue)} incidents are past their time; {undecided} undecided.", facts)
    if latest is None or now - latest > within:
        return Finding(
            Verdict.ATTENTION, f"People have not exercised within {settings.incidents.exercise_days} days.", facts
        )
    return Finding(Verdict.HOLDS, f"{len(unfinished)} open incidents are inside their time limits.", facts)


@check("incidents.customers_told", measure="9.2", every=timedelta(minutes=5))
async def customers_told(database: Database, clock: Clock) -> Finding:
    """Looks whether every customer that a verified breach concerns was told within 24 hours, and whether it arrived."""
    now = clock.now()
    async with database.operator_read() as tx:
        told = await rows.list_told(tx)
    over = [
        str(one.number) for one in told
        if one.told_at is None and max(now - one.verified_at, one.counted) > NOTICE_WITHIN
    ]  # fmt: skip
    late = [str(one.number) for one in told if one.late]
    undelivered = [str(one.number) for one in told if one.undelivered]
    facts: Facts = {
        "breaches": len(told), "running": sum(one.told_at is None for one in told), "past_24_hours": over,
        "told_late": late, "not_delivered": undelivered, "notices": sum(one.notices for one in told),
    }  # fmt: skip
    if over:
        return Finding(Verdict.BROKEN, f"24 hours have passed, and not everybody is told: {', '.join(over)}.", facts)
    if undelivered:
        return Finding(Verdict.BROKEN, f"Notices did not arrive: {', '.join(undelivered)}.", facts)
    if late:
        return Finding(Verdict.ATTENTION, f"Customers were told late, with a reason: {', '.join(late)}.", facts)
    return Finding(Verdict.HOLDS, f"{len(told)} verified breaches, none past 24 hours without its notices.", facts)


@check("incidents.path_goes_through", measure="9.2", every=timedelta(days=1))
async def path_goes_through(exercises: Exercises) -> Finding:
    """Drills the whole path with synthetic customers: log, blast radius, verification, drafts, two persons, sending."""
    result = await exercises.drill(by=system("drill"))
    facts: Facts = {
        "customers": result.tenants, "seconds_from_verification": str(result.seconds), "faults": result.faults,
    }  # fmt: skip
    if not result.passed:
        return Finding(Verdict.BROKEN, "The path from a breach to the customers' notices is broken.", facts)
    return Finding(Verdict.HOLDS, f"From the verification to the last notice in {result.seconds} s.", facts)


@check("incidents.notices_complete", measure="9.3", every=timedelta(hours=1))
async def notices_complete(database: Database) -> Finding:
    """Looks whether any notice went out with a part missing, unread by a second person, or late without a reason."""
    async with database.operator_read() as tx:
        incomplete, sent = await rows.count_incomplete(tx), await rows.count_sent(tx)
    facts: Facts = {"sent": sent, "incomplete": incomplete}
    if incomplete:
        return Finding(Verdict.BROKEN, f"{incomplete} notices were sent incomplete, or by one person alone.", facts)
    return Finding(Verdict.HOLDS, f"All of {sent} notices say everything, and were read by a second person.", facts)
