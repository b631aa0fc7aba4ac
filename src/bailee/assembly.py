"""The composition root: builds every service from the settings, once a process."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
import psycopg
import structlog

from bailee.access import checks as access_checks
from bailee.access import services as access_services
from bailee.access.breached import BreachedPasswords
from bailee.access.checks.plans import PlanProbe
from bailee.access.federation import services as federation_services
from bailee.access.federation.services import FederationServices
from bailee.access.gates import Gates
from bailee.access.jobs import Upkeep
from bailee.access.passwords import Passwords, words_of
from bailee.access.provider import services as provider_services
from bailee.access.provider.services import ProviderServices
from bailee.access.services import AccessServices
from bailee.assurance import jobs as assurance_jobs
from bailee.assurance.checks import bind_checks
from bailee.assurance.service import Assurance
from bailee.assurance.toms import load_toms
from bailee.backup import checks as backup_checks
from bailee.backup import services as backup_services
from bailee.backup.services import BackupServices
from bailee.encryption import checks as encryption_checks
from bailee.encryption import store as encryption_store
from bailee.encryption.cache import KeyCache
from bailee.encryption.envelope import KEY, DataKey, Place, seal, unseal
from bailee.encryption.hashing import PasswordHasher
from bailee.encryption.roots import open_root
from bailee.encryption.service import Keyring
from bailee.encryption.tls import Certificates, ensure_certificates
from bailee.events import Events
from bailee.events.verbs import PLACES, find_verbs
from bailee.foundation.clock import Clock
from bailee.foundation.cluster import embedded_conninfo
from bailee.foundation.database import Database, Login, verified_conninfo
from bailee.foundation.errors import ConfigurationError, Unavailable
from bailee.foundation.ids import OPERATOR
from bailee.foundation.jobs import Jobs
from bailee.foundation.mail import Mail
from bailee.foundation.objects import Objects
from bailee.foundation.settings import EMBEDDED, Settings
from bailee.incidents import checks as incidents_checks
from bailee.incidents import jobs as incidents_jobs
from bailee.incidents import services as incidents_services
from bailee.incidents.services import IncidentServices
from bailee.infrastructure import checks as infrastructure_checks
from bailee.ledger import store as ledger_store
from bailee.ledger.note import Signer
from bailee.ledger.sequencer import Sequencer
from bailee.ledger.service import Ledger
from bailee.monitoring import checks as monitoring_checks
from bailee.monitoring import services as monitoring_services
from bailee.monitoring.services import MonitoringServices
from bailee.retention import checks as retention_checks
from bailee.retention import services as retention_services
from bailee.retention.rotation import BackupDates
from bailee.retention.services import RetentionServices
from bailee.retention.withholding import Withholder
from bailee.stores import checks as stores_checks
from bailee.stores.collection import Collections
from bailee.stores.files import Files
from bailee.stores.jobs import Housekeeping
from bailee.stores.probes import Probes
from bailee.stores.reached import Reached
from bailee.stores.subjects import Subjects
from bailee.stores.vault import Vault
from bailee.tenants import jobs as tenants_jobs
from bailee.tenants.service import Tenants

log = structlog.get_logger()

_ACCOUNTS_KEY = UUID(int=1)
_MAIL_KEY = UUID(int=2)
_SSO_KEY = UUID(int=3)
_OIDC_KEY = UUID(int=4)
_EVIDENCE_KEY = UUID(int=5)
_WEBHOOK_KEY = UUID(int=6)


class Services(msgspec.Struct, frozen=True):
    """Everything a process works with."""

    settings: Settings
    clock: Clock
    database: Database
    keyring_database: Database
    objects: Objects
    certificates: Certificates
    signer: Signer
    ledger: Ledger
    sequencer: Sequencer
    events: Events
    keyring: Keyring
    jobs: Jobs
    mail: Mail
    tenants: Tenants
    hasher: PasswordHasher
    passwords: Passwords
    access: AccessServices
    provider: ProviderServices
    federation: FederationServices
    upkeep: Upkeep
    collections: Collections
    vault: Vault
    files: Files
    subjects: Subjects
    housekeeping: Housekeeping
    assurance: Assurance
    monitoring: MonitoringServices
    incidents: IncidentServices
    retention: RetentionServices
    backup: BackupServices


def logins(settings: Settings) -> tuple[Login, Login]:
    """How each role reaches the main and the keyring server. Raises ConfigurationError for a URL without TLS."""
    if settings.database.main == EMBEDDED:
        return (
            lambda role: embedded_conninfo(settings.data / "main", role),
            lambda role: embedded_conninfo(settings.data / "keyring", role),
        )
    main = verified_conninfo("database.main", settings.database.main)
    keyring = verified_conninfo("database.keyring", settings.database.keyring)
    return lambda _role: main, lambda _role: keyring


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[Services]:
    """Builds and opens the services, and closes them again. Raises ConfigurationError, Unavailable."""
    clock = Clock()
    main_login, keyring_login = logins(settings)
    database = Database(main_login, pool_size=settings.database.pool_size, name="main")
    keyring_database = Database(keyring_login, pool_size=settings.database.pool_size, name="keyring")
    jobs = Jobs(main_login("bailee_operator"))
    breached = BreachedPasswords(settings.access.breached_file)
    hasher = PasswordHasher()
    host = urlsplit(settings.base_url).hostname or ""
    passwords = Passwords(hasher, breached, words_of([host, *settings.access.password_words]))
    for login in (main_login, keyring_login):
        await _verify_reachable(login("bailee_operator"))
    await database.open()
    await keyring_database.open()
    await jobs.open()
    try:
        services = await _compose(settings, clock, database, keyring_database, jobs, hasher, passwords)
        try:
            yield services
        finally:
            await services.federation.outbound.close()
            await services.monitoring.webhooks.close()
            await services.keyring.close()
    finally:
        await jobs.close()
        await keyring_database.close()
        await database.close()
        hasher.close()
        breached.close()


async def _verify_reachable(conninfo: str) -> None:
    """One plain connection, so that a server that is not there is told at once. Raises Unavailable."""
    try:
        connection = await psycopg.AsyncConnection.connect(conninfo, connect_timeout=5)
    except psycopg.OperationalError:
        raise Unavailable("PostgreSQL cannot be reached. Is Bailee running? Start it with `bailee up`.") from None
    await connection.close()


async def _compose(
    settings: Settings,
    clock: Clock,
    database: Database,
    keyring_database: Database,
    jobs: Jobs,
    hasher: PasswordHasher,
    passwords: Passwords,
) -> Services:
    certificates = ensure_certificates(settings, clock)
    objects = Objects(settings.data / "objects")
    cache = KeyCache(settings.encryption.cache_size, settings.encryption.cache_seconds)
    async with keyring_database.operator_read() as tx:
        fresh = await encryption_store.is_fresh(tx)
    # A root key is made for a keyring that has never been used. For any other it would open nothing.
    keyring = Keyring(keyring_database, open_root(settings.encryption, settings.data, create=fresh), cache)
    signer = Signer(await _origin(settings, database), await keyring.instance_secret("ledger", Signer.SEED))
    ledger = Ledger(objects, signer)
    sequencer = Sequencer(database, objects, signer, clock)
    events = Events(ledger, clock)
    tenants = Tenants(keyring, events, jobs)
    mail = await _open_mail(settings, database, jobs, keyring)
    accounts_key = DataKey(_ACCOUNTS_KEY, await keyring.instance_secret("accounts", KEY))
    access = access_services.compose(
        settings, database, events, mail, hasher, passwords, accounts_key, Gates(), actions_of_permissions(), clock
    )
    oidc_key = DataKey(_OIDC_KEY, await keyring.instance_secret("oidc", KEY))
    provider = provider_services.compose(settings, database, events, mail, access.letters, oidc_key, clock)
    sso_key = DataKey(_SSO_KEY, await keyring.instance_secret("sso", KEY))
    federation = federation_services.compose(settings, database, events, mail, access, sso_key, clock)
    upkeep = Upkeep(
        database,
        events,
        access.accounts,
        access.elevations,
        access.reviews,
        mail,
        access.letters,
        settings.access,
        clock,
    )
    withholder = Withholder(keyring, events, clock)
    collections = Collections(withholder, events, jobs)
    vault = Vault(keyring, withholder, events, clock)
    files = Files(database, keyring, vault, objects, events, jobs, clock, settings.web.max_file_bytes)
    subjects = Subjects(keyring, vault, files, withholder, events, jobs, clock)
    probes = Probes(database, tenants, collections, vault, files)
    reached = Reached(collections, vault)
    webhook_key = DataKey(_WEBHOOK_KEY, await keyring.instance_secret("webhooks", KEY))
    monitoring = monitoring_services.compose(
        settings, database, keyring, events, jobs, mail, tenants, vault, reached, webhook_key, clock
    )
    monitoring.register(jobs)
    evidence_key = DataKey(_EVIDENCE_KEY, await keyring.instance_secret("evidence", KEY))
    incidents = incidents_services.compose(
        settings, database, events, mail, monitoring, tenants, reached, probes, vault, subjects, evidence_key, clock
    )  # fmt: skip
    incidents_jobs.register(jobs, incidents.breaches)
    backup = backup_services.compose(
        settings, database, keyring, objects, signer, ledger, events, jobs, mail, tenants, subjects, access.sessions,
        clock,
    )  # fmt: skip
    backup.upkeep.register(jobs)
    dates = BackupDates(backup.rotation, taken=settings.backup.scheduled)
    retention = retention_services.compose(
        settings, database, keyring, objects, tenants, vault, files, subjects, withholder, dates, signer, mail,
        events, jobs, clock,
    )  # fmt: skip
    retention.retention_jobs.register()
    backup.learn(retention.replayers)
    available: list[object] = [
        settings, clock, database, objects, certificates, signer, ledger, events, keyring, tenants, access.keys,
        access.accounts, access.sessions, access.members, access.grants, access.gates, access.break_glass,
        access.policies, access.sign_in, access.probe_people, access.factors,
        PlanProbe(database, access.policies, access.members, federation.domains, federation.provisioning),
        collections, vault, files, subjects, probes, hasher, monitoring.alerts, monitoring.rules,
        incidents.incidents, incidents.exercises, backup.backups, backup.rotation, backup.copies, backup.releases,
        backup.drills, backup.keys,
        retention.deletion, retention.rules, retention.dates,
    ]  # fmt: skip
    checks = bind_checks(
        [
            *access_checks.MODULES,
            encryption_checks,
            stores_checks,
            monitoring_checks,
            infrastructure_checks,
            incidents_checks,
            retention_checks,
            backup_checks,
        ],
        available,
    )
    assurance = Assurance(database, load_toms(settings.toms), checks, events, clock)
    upkeep.register(jobs)
    provider.provider_upkeep.register(jobs)
    federation.federation_upkeep.register(jobs)
    tenants_jobs.register(jobs, database, keyring, events)
    housekeeping = Housekeeping(database, objects, tenants, vault, subjects, events)
    housekeeping.register(jobs)
    assurance_jobs.register(jobs, assurance)
    return Services(
        settings=settings, clock=clock, database=database, keyring_database=keyring_database, objects=objects,
        certificates=certificates, signer=signer, ledger=ledger, sequencer=sequencer, events=events, keyring=keyring,
        jobs=jobs, mail=mail, tenants=tenants, hasher=hasher, passwords=passwords, access=access,
        provider=provider, federation=federation, upkeep=upkeep,
        collections=collections, vault=vault, files=files, subjects=subjects, housekeeping=housekeeping,
        assurance=assurance, monitoring=monitoring, incidents=incidents, backup=backup, retention=retention,
    )  # fmt: skip


async def _open_mail(settings: Settings, database: Database, jobs: Jobs, keyring: Keyring) -> Mail:
    """The outbox, whose messages lie sealed under the instance's own key, each bound to its row."""
    key = DataKey(_MAIL_KEY, await keyring.instance_secret("mail", KEY))

    def place(mail_id: UUID) -> Place:
        return Place(OPERATOR, "mail", mail_id, 1)

    mail = Mail(
        settings.mail,
        database,
        jobs,
        seal=lambda mail_id, message: seal(key, message, place(mail_id)),
        unseal=lambda mail_id, sealed: unseal(key, sealed, place(mail_id)),
    )
    mail.register()
    return mail


def actions_of_permissions() -> dict[str, frozenset[str]]:
    """For each permission the actions that its verb records, from the services themselves."""
    found: dict[str, frozenset[str]] = {}
    for name, module in list(sys.modules.items()):
        if name.startswith("bailee."):
            for spec in find_verbs(module):
                if spec.permission not in PLACES:
                    found[spec.permission] = found.get(spec.permission, frozenset()) | spec.actions
    return found


async def _origin(settings: Settings, database: Database) -> str:
    """The name the log signs under: set once, and kept when the address changes later."""
    async with database.operator() as tx:
        await ledger_store.create_state(tx, f"{settings.base_url.removeprefix('https://')}/ledger")
        state = await ledger_store.find_state(tx)
    if state is None:
        raise ConfigurationError("The ledger's state is missing; run `bailee migrate`.")
    return state.origin
