"""How processes tell each other that what they remember of people, keys and policies is out of date."""

from bailee.foundation.database import Writer

CHANNEL = "bailee_access"


async def announce(tx: Writer) -> None:
    """At the commit every process forgets whom it knows; each request is then examined anew."""
    await tx.announce(CHANNEL)
