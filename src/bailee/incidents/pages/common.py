"""What the pages of this room share."""

from datetime import UTC, datetime
from uuid import UUID

from bailee.access.accounts import Accounts
from bailee.access.api.common import id_of
from bailee.access.model import Account, AccountKind, AccountState
from bailee.access.permissions import staff_permissions
from bailee.foundation.database import OperatorReader
from bailee.foundation.errors import Error, FieldError, Invalid


class People:
    """The names of staff, for the ids that are kept."""

    def __init__(self, accounts: list[Account]) -> None:
        self._names = {str(one.id): one.name or one.email for one in accounts}
        self.handlers = {
            str(one.id): one.name or one.email
            for one in accounts
            if one.state is AccountState.ACTIVE and "incidents.move" in staff_permissions(one.roles)
        }
        """Who may own an incident."""

    def __call__(self, who: object) -> str:
        return self._names.get(str(who), str(who)) if who else "nobody"


async def people(tx: OperatorReader, accounts: Accounts) -> People:
    """Everybody of staff."""
    return People(await accounts.page(tx, kind=AccountKind.STAFF, limit=100_000))


def moment_of(name: str, text: str) -> datetime | None:
    """A moment in UTC from a form, such as 2026-03-01T12:00; none for an empty field. Raises Invalid."""
    if not text.strip():
        return None
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        message = "Give a date and a time in UTC, such as 2026-03-01T12:00."
        raise Invalid("The form is not valid.", errors=[FieldError(name, message)]) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def optional_id(name: str, text: str) -> UUID | None:
    """An id from a form; none for an empty field. Raises Invalid."""
    if not text.strip():
        return None
    try:
        return id_of(text.strip())
    except Error:
        raise Invalid("The form is not valid.", errors=[FieldError(name, "Give an id as it is shown.")]) from None
