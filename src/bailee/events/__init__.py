"""The event catalogue and its recorder (TOM 4.1, 4.3).

Every security-relevant fact is a typed value from one catalogue with closed fields, written in the same
transaction as the act, and committed to in the ledger. Nothing free-form fits in, so nothing private does.
"""

from bailee.events.model import Event, Object
from bailee.events.service import Events
from bailee.events.verbs import verb

__all__ = ["Event", "Events", "Object", "verb"]
