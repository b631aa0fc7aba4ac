"""What the pages of this room share."""

from datetime import datetime, timedelta

from bailee.access.accounts import Accounts
from bailee.access.model import AccountKind
from bailee.foundation.database import OperatorReader

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


class Names:
    """The names of staff, for the ids that are kept."""

    def __init__(self, names: dict[str, str]) -> None:
        self._names = names

    def __call__(self, who: object) -> str:
        return self._names.get(str(who), str(who)) if who else "nobody"


async def names_of(tx: OperatorReader, accounts: Accounts) -> Names:
    """Everybody of staff."""
    found = await accounts.page(tx, kind=AccountKind.STAFF, limit=100_000)
    return Names({str(one.id): one.name or one.email for one in found})


def age(moment: datetime, now: datetime) -> str:
    """How long ago that was, for people: in the largest unit that fits."""
    passed = max(now - moment, timedelta())
    for unit, name in ((_DAY, "day"), (_HOUR, "hour"), (_MINUTE, "minute")):
        if passed >= unit:
            count = passed // unit
            return f"{count} {name}{'s' * (count > 1)} ago"
    return "just now"
