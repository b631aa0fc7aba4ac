"""The services of this room, wired."""

from collections.abc import Sequence
from datetime import timedelta

import msgspec

from bailee.access.sessions import Sessions
from bailee.backup.backups import Backups, Place
from bailee.backup.buckets import open_repository
from bailee.backup.copies import Copies
from bailee.backup.discovering import Discovery
from bailee.backup.drills import Drills
from bailee.backup.journal import Journal, Replayer
from bailee.backup.keeping import WalKeeper
from bailee.backup.keys import BackupKeys
from bailee.backup.letters import Letters
from bailee.backup.releases import Releases
from bailee.backup.replay import AccessReplayer, Replay, SubjectReplayer
from bailee.backup.rotation import Rotation
from bailee.backup.tools import Source
from bailee.backup.upkeep import Upkeep
from bailee.encryption.service import Keyring
from bailee.events import Events
from bailee.foundation.clock import Clock
from bailee.foundation.cluster import embedded_conninfo
from bailee.foundation.database import Database, parts_of, verified_conninfo
from bailee.foundation.errors import ConfigurationError
from bailee.foundation.jobs import Jobs
from bailee.foundation.mail import Mail
from bailee.foundation.objects import Objects
from bailee.foundation.postgresql import programs_of
from bailee.foundation.settings import EMBEDDED, Settings
from bailee.ledger.note import Signer
from bailee.ledger.service import Ledger
from bailee.stores.subjects import Subjects
from bailee.tenants.service import Tenants


class BackupServices(msgspec.Struct, frozen=True):
    """Everything about backups."""

    keys: BackupKeys
    backups: Backups
    discovery: Discovery
    rotation: Rotation
    copies: Copies
    journal: Journal
    releases: Releases
    drills: Drills
    replay: Replay
    keeper: WalKeeper
    upkeep: Upkeep

    def learn(self, replayers: Sequence[Replayer]) -> None:
        """Has the acts of a room above outlive restores too: journalled from now on, and replayed."""
        self.journal.replayers.extend(replayers)
        self.replay.replayers.extend(replayers)


def compose(
    settings: Settings, database: Database, keyring: Keyring, objects: Objects, signer: Signer, ledger: Ledger,
    events: Events, jobs: Jobs, mail: Mail, tenants: Tenants, subjects: Subjects, sessions: Sessions, clock: Clock,
) -> BackupServices:  # fmt: skip
    """Builds them. Raises ConfigurationError."""
    repository = open_repository(settings.backup.repository, settings.data)
    offsite = open_repository(settings.backup.offsite, settings.data) if settings.backup.offsite else None
    programs = programs_of(settings.data, settings.database.postgres)
    place = Place(settings.data, sources(settings), programs, repository, signer)
    letters = Letters(settings.base_url)
    keys = BackupKeys(keyring, ledger, events, repository.place, clock)
    backups = Backups(database, place, keys, events, jobs, settings.backup, clock)
    releases = Releases(keys, events, mail, letters, clock)
    discovery = Discovery(database, backups, events)
    rotation = Rotation(database, backups, discovery, offsite, events, clock)
    copies = Copies(database, backups, offsite, clock)
    every: list[Replayer] = [SubjectReplayer(database, subjects), AccessReplayer(database)]
    longest = timedelta(days=settings.backup.main.longest_days)
    journal = Journal(database, repository, keys, signer, every, clock, longest)
    drills = Drills(database, backups, releases, events, jobs, mail, letters, settings, clock)
    return BackupServices(
        keys=keys,
        backups=backups,
        discovery=discovery,
        rotation=rotation,
        copies=copies,
        journal=journal,
        releases=releases,
        drills=drills,
        replay=Replay(database, keyring, objects, signer, subjects, tenants, sessions, events, every),
        keeper=WalKeeper(database, backups, keys),
        upkeep=Upkeep(
            settings,
            database,
            backups,
            keys,
            rotation,
            copies,
            discovery,
            journal,
            drills,
            events,
            mail,
            letters,
            clock,
        ),
    )


def sources(settings: Settings) -> dict[str, Source]:
    """How the servers are reached for backups: as superuser where they are ours, else by the logins that are set.

    Raises ConfigurationError for a URL that will not do.
    """
    if settings.database.main == EMBEDDED:
        return {name: Source(name, embedded_conninfo(settings.data / name, "postgres")) for name in ("main", "keyring")}
    given = {"main": settings.backup.main_url, "keyring": settings.backup.keyring_url}
    return {name: _foreign(name, url) for name, url in given.items() if url}


def _foreign(name: str, url: str) -> Source:
    setting = f"backup.{name}_url"
    conninfo, parts = verified_conninfo(setting, url), parts_of(setting, url)
    if not parts.get("user") or not parts.get("dbname"):
        raise ConfigurationError(f"{setting} names the user, and the database that has Bailee's tables.")
    if "sslpassword" in parts:  # it would stand in the arguments of a process
        raise ConfigurationError(f"{setting}: a client key with a passphrase cannot be used; guard its file.")
    return Source(name, conninfo, str(parts["dbname"]), foreign=True)
