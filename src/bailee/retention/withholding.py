"""What keeps data from being deleted: the answers that the rooms below ask for."""

from bailee.foundation.database import TenantReader, TenantWriter
from bailee.foundation.errors import FieldError, Invalid
from bailee.retention.model import ALL, Limit, LimitKind
from bailee.retention.store import limits as rows
from bailee.stores.datamap import Rule
from bailee.stores.durations import Duration, parse_duration
from bailee.stores.withholding import Floor


class Withholder:
    """Answers from the limits of one tenant at a time."""

    async def verify_map(self, tx: TenantWriter, collection: str, rule: Rule | None) -> None:
        """Raises Invalid for a map that lies below the floor or above the ceiling of its collection."""
        await rows.hold_maps(tx, alone=False)
        for limit in await rows.list_limits(tx, collection):
            if not fits(rule, limit):
                raise Invalid("The collection is not valid.", errors=[FieldError("retention", _why(limit))])

    async def floor(self, tx: TenantReader, collection: str) -> Floor | None:
        """The floor of a collection; of two, that of its own and that of all, the longer."""
        floors = [
            Floor(duration_of(limit), limit.basis)
            for limit in await rows.list_limits(tx, collection)
            if limit.kind is LimitKind.FLOOR
        ]
        if len(floors) > 1 and floors[0].duration.covers(floors[1].duration):
            return floors[0]
        return floors[-1] if floors else None


def fits(rule: Rule | None, limit: Limit) -> bool:
    """Whether a rule keeps to a limit. Until instruction is long enough for every floor, and too long for a ceiling."""
    if rule is None:
        return limit.kind is LimitKind.FLOOR
    if limit.kind is LimitKind.FLOOR:
        return rule.duration.covers(duration_of(limit))
    return duration_of(limit).covers(rule.duration)


def duration_of(limit: Limit) -> Duration:
    """What was verified when the limit was set."""
    return parse_duration(limit.duration) or Duration(0, 0)


def _why(limit: Limit) -> str:
    whose = "every collection" if limit.collection == ALL else "this collection"
    if limit.kind is LimitKind.FLOOR:
        return f"The law has {whose} kept for at least {limit.duration}: {limit.basis}."
    return f"The contract lets {whose} be kept for at most {limit.duration}: {limit.basis}."
