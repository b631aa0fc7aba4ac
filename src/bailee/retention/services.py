"""The services of this room, wired."""

import msgspec

from bailee.encryption.service import Keyring
from bailee.events import Events
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database
from bailee.foundation.jobs import Jobs
from bailee.foundation.objects import Objects
from bailee.retention.archive import Archive
from bailee.retention.holds import Holds
from bailee.retention.jobs import RetentionJobs
from bailee.retention.limits import Limits
from bailee.retention.rules import Rules
from bailee.retention.withholding import Withholder
from bailee.stores.files import Files
from bailee.stores.subjects import Subjects
from bailee.stores.vault import Vault


class RetentionServices(msgspec.Struct, frozen=True):
    """Everything that keeps and deletes by rule."""

    limits: Limits
    rules: Rules
    archive: Archive
    holds: Holds
    retention_jobs: RetentionJobs


def compose(
    database: Database, keyring: Keyring, objects: Objects, vault: Vault, files: Files, subjects: Subjects,
    withholder: Withholder, events: Events, jobs: Jobs, clock: Clock,
) -> RetentionServices:  # fmt: skip
    """Builds them. The withholder is made before: the rooms below ask it."""
    rules = Rules(database, keyring, vault, withholder, events, clock)
    archive = Archive(database, keyring, vault, files, subjects, objects, events, jobs, clock)
    return RetentionServices(
        limits=Limits(events),
        rules=rules,
        archive=archive,
        holds=Holds(database, keyring, vault, archive, events, jobs, clock),
        retention_jobs=RetentionJobs(database, objects, rules, archive, jobs, clock),
    )
