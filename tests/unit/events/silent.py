"""A service with a method that changes things and does not say so: what the walk over all services must find."""

from bailee.foundation.database import Reader, Writer
from bailee.foundation.principal import Principal


class Silent:
    async def act(self, tx: Writer, *, by: Principal) -> None:
        """Changes something."""

    async def look(self, tx: Reader, *, by: Principal) -> None:
        """Changes nothing."""

    async def _help(self, tx: Writer, *, by: Principal) -> None:
        """Is called by verbs alone."""
