"""The services of this room, wired."""

import msgspec

from bailee.backup.journal import Replayer
from bailee.encryption.service import Keyring
from bailee.events import Events
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database
from bailee.foundation.jobs import Jobs
from bailee.foundation.mail import Mail
from bailee.foundation.objects import Objects
from bailee.foundation.settings import Settings
from bailee.ledger.note import Signer
from bailee.retention.archive import Archive
from bailee.retention.calendar import Calendar
from bailee.retention.certificates import Certificates
from bailee.retention.customers import CustomerHolds
from bailee.retention.deletion import Deletion
from bailee.retention.export import Export
from bailee.retention.holds import Holds
from bailee.retention.jobs import RetentionJobs
from bailee.retention.letters import Letters
from bailee.retention.limits import Limits
from bailee.retention.reminders import Reminders
from bailee.retention.replaying import HoldReplayer, TerminationReplayer
from bailee.retention.rotation import BackupDates
from bailee.retention.rules import Rules
from bailee.retention.terminations import Terminations
from bailee.retention.withholding import Withholder
from bailee.stores.files import Files
from bailee.stores.subjects import Subjects
from bailee.stores.vault import Vault
from bailee.tenants.service import Tenants


class RetentionServices(msgspec.Struct, frozen=True):
    """Everything that keeps and deletes by rule."""

    limits: Limits
    rules: Rules
    archive: Archive
    holds: Holds
    customer_holds: CustomerHolds
    reminders: Reminders
    terminations: Terminations
    export: Export
    deletion: Deletion
    certificates: Certificates
    calendar: Calendar
    dates: BackupDates
    retention_jobs: RetentionJobs
    replayers: list[Replayer]
    """What a restored copy takes over."""


def compose(
    settings: Settings, database: Database, keyring: Keyring, objects: Objects, tenants: Tenants, vault: Vault,
    files: Files, subjects: Subjects, withholder: Withholder, dates: BackupDates, signer: Signer, mail: Mail,
    events: Events, jobs: Jobs, clock: Clock,
) -> RetentionServices:  # fmt: skip
    """Builds them. The withholder is made before: the rooms below ask it."""
    rules = Rules(database, keyring, vault, withholder, events, clock)
    archive = Archive(database, keyring, vault, files, subjects, objects, events, jobs, clock)
    holds = Holds(database, keyring, vault, archive, events, jobs, clock)
    reminders = Reminders(database, mail, Letters(settings.base_url), events, clock)
    certificates = Certificates(
        database, tenants, dates, signer, mail, settings.base_url, events, clock
    )  # fmt: skip
    deletion = Deletion(database, keyring, objects, tenants, certificates, events, clock)
    return RetentionServices(
        limits=Limits(events),
        rules=rules,
        archive=archive,
        holds=holds,
        customer_holds=CustomerHolds(database, holds),
        reminders=reminders,
        terminations=Terminations(database, tenants, settings.retention, events, clock),
        export=Export(database, vault, files, holds, events, clock),
        deletion=deletion,
        certificates=certificates,
        calendar=Calendar(database, tenants, vault, dates, clock),
        dates=dates,
        retention_jobs=RetentionJobs(database, objects, rules, archive, reminders, deletion, jobs, clock),
        replayers=[
            HoldReplayer(database, keyring, archive, clock),
            TerminationReplayer(database, deletion),
        ],
    )
