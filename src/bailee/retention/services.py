"""The services of this room, wired."""

import msgspec

from bailee.encryption.service import Keyring
from bailee.events import Events
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database
from bailee.retention.jobs import RetentionJobs
from bailee.retention.limits import Limits
from bailee.retention.rules import Rules
from bailee.retention.withholding import Withholder
from bailee.stores.vault import Vault


class RetentionServices(msgspec.Struct, frozen=True):
    """Everything that keeps and deletes by rule."""

    limits: Limits
    rules: Rules
    retention_jobs: RetentionJobs


def compose(
    database: Database, keyring: Keyring, vault: Vault, withholder: Withholder, events: Events, clock: Clock
) -> RetentionServices:
    """Builds them. The withholder is made before: the rooms below ask it."""
    rules = Rules(database, keyring, vault, withholder, events, clock)
    return RetentionServices(
        limits=Limits(events), rules=rules, retention_jobs=RetentionJobs(database, rules)
    )  # fmt: skip
