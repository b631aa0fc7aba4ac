"""What is written to people about legal holds."""

from bailee.foundation.mail import Message
from bailee.retention.model import Hold


class Letters:
    """Messages to those who may extend a hold or lift it. Its basis and its scope stay out: they may name a person."""

    def __init__(self, base_url: str) -> None:
        self._base = base_url

    def hold_ends(self, to: str, hold: Hold) -> Message:
        """To people of the customer."""
        return self._hold_ends(to, hold, f"{self._base}/holds/{hold.id}")

    def customers_hold_ends(self, to: str, hold: Hold) -> Message:
        """To the operator's staff, where the customer has nobody."""
        return self._hold_ends(to, hold, f"{self._base}/tenants/{hold.tenant_id}/holds/{hold.id}")

    def _hold_ends(self, to: str, hold: Hold, link: str) -> Message:
        kind = hold.kind.value.replace("_", " ")
        return Message(
            to=to,
            subject=f"A legal hold ends on {hold.ends_on:%Y-%m-%d}",
            text=f"The last day of a legal hold ({kind}) is {hold.ends_on:%Y-%m-%d}, in UTC. On the day after it all "
            "that it keeps is deleted, for good.\n\nIf it has to be kept for longer, extend the hold before. That "
            f"takes a second person, so ask early: {link}\n",
        )
