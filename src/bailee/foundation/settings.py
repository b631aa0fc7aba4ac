"""Settings: one frozen, typed object, read once at start and passed on from there.

Sources, later ones win: defaults, `bailee.toml`, the environment. `BAILEE_DATA` and `BAILEE_PORT`
have names of their own; every other setting is `BAILEE_<SECTION>__<NAME>`, as in `BAILEE_WEB__HOST`.
An unknown key is an error: a typing slip must not leave a default in force unseen.
"""

import ipaddress
import os
import re
import tomllib
from collections.abc import Mapping
from email.headerregistry import Address
from email.utils import getaddresses
from pathlib import Path
from typing import Any, Literal

import msgspec

from bailee.foundation.errors import ConfigurationError

EMBEDDED = "embedded"
_MAX_PORT = 65_535
_MOST_EXPORTED = 10_000
_LEAST_SECONDS, _MOST_SECONDS = 0.5, 3600
_MOST_COMPRESSION = 19
_EXPORT = re.compile(r"[a-z][a-z0-9-]{0,62}", re.ASCII)
_MOST_GRACE = 365
_LEAST_DAYS = 30
"""Rules look back, incidents are found late: no event goes earlier."""
_CLIENT_VARIABLES = frozenset({"BAILEE_URL", "BAILEE_TOKEN", "BAILEE_CA", "BAILEE_CONFIG"})
_ATOM, _LABEL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+", r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
MAILBOX = re.compile(rf"(?=.{{3,254}}\Z)(?=[^@]{{1,64}}@){_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*", re.ASCII)
"""An address that stands on an SMTP command line as it is: ASCII, with nothing quoted and nothing to escape."""
_SHORT_NAMES = {"BAILEE_DATA": ("data",), "BAILEE_PORT": ("web", "port")}


class Web(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The HTTPS endpoint."""

    host: str = "127.0.0.1"
    port: int = 8443
    base_url: str = ""
    """What links and probes use, never taken from a request; default `https://localhost:<port>`."""
    certificate: str = ""
    """PEM chain; with `private_key` replaces the certificate of our own CA."""
    private_key: str = ""
    ca_file: str = ""
    """Trust root for a supplied certificate, for our own probes; default the system's."""
    workers: int = 1
    max_body_bytes: int = 8 * 1024 * 1024
    max_file_bytes: int = 1024 * 1024 * 1024


class DatabaseSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`embedded`, or a PostgreSQL URL (16 or newer). The owner URLs are used by `migrate` alone."""

    main: str = EMBEDDED
    keyring: str = EMBEDDED
    main_owner: str = ""
    keyring_owner: str = ""
    pool_size: int = 12
    unprivileged_user: str = ""
    """System account that runs embedded PostgreSQL when we are root; default bailee, made when missing."""
    postgres: str = ""
    """PostgreSQL installations of your own, such as `/usr/lib/postgresql/17`, several with colons between them: their
    programs back up, restore and serve clusters of their major versions, beside the version that Bailee brings."""


class Encryption(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the root key is, and how long opened keys may stay in memory."""

    root: Literal["file", "openbao"] = "file"
    openbao_url: str = ""
    openbao_key: str = "bailee"
    openbao_token_file: str = ""
    openbao_ca_file: str = ""
    cache_seconds: int = 300
    cache_size: int = 20_000


class Access(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who gets in, and for how long. Tenants set their own limits for their members, as far as their plan goes."""

    session_hours: int = 12
    idle_minutes: int = 60
    member_mfa: bool = False
    """Whether every member needs a second factor, whatever their tenant asks for. Staff always do."""
    dormant_days: int = 90
    """An account not used for so long is disabled; its owner is warned two weeks before."""
    invitation_hours: int = 72
    review_days: int = 180
    """How long a role of staff may go without being confirmed in an access review."""
    breached_file: str = ""
    """Hashes of breached passwords as Have I Been Pwned offers them, beside the ten thousand that are built in."""
    password_words: list[str] = []
    """Names of the organisation, its products and its places: no new password is to be made of them."""
    dns_servers: list[str] = []
    """Where domains are looked up, as `address` or `address:port`; default the system's resolvers."""
    sso_ca_file: str = ""
    """Trust root for the certificates of tenants' identity providers; default the system's."""
    sso_allow_private: bool = False
    """Whether identity providers may lie at addresses that are not public; only where tenants are trusted with that."""
    trusted_proxies: list[str] = []
    """Networks whose X-Forwarded-For is believed; from anybody else the header is ignored."""


class MailSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The server that takes our mail. TLS with a verified certificate is not optional; only its beginning is."""

    host: str = ""
    """Empty for none: links are then shown to whoever asked for them, and no notice is sent."""
    port: int = 587
    security: Literal["starttls", "tls"] = "starttls"
    """`starttls` encrypts after the greeting (587), `tls` from the first byte (465)."""
    username: str = ""
    password_file: str = ""
    sender: str = ""
    """Who the mail is from, as in `Bailee <noreply@example.com>`."""
    ca_file: str = ""
    """Trust root for the mail server's certificate; default the system's."""

    def sender_address(self) -> Address:
        """`sender`, taken apart. Raises ConfigurationError."""
        (name, mailbox), *others = getaddresses([self.sender]) or [("", "")]
        if others or not self.sender.isprintable() or not MAILBOX.fullmatch(mailbox):
            raise ConfigurationError("mail.sender says who the mail is from, as in `Bailee <noreply@example.com>`.")
        return Address(name, addr_spec=mailbox)


class EventRetention(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For how many days events of each class are kept; 0 for ever. Their commitments stay in the ledger."""

    content_access: int = 400
    """Reading and changing of what tenants store."""
    authentication: int = 400
    """Sign-ins, second factors, tokens."""
    operation: int = 400
    """Of the instance itself: checks, errors, refusals, drills."""
    administration: int = 0
    """Everything else: accounts, roles, keys, policies, erasures, incidents, notices."""


class ExportSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One way of the events to a SIEM, as OCSF."""

    name: str
    kind: Literal["file", "syslog", "webhook"]
    path: str = ""
    """`file`: the folder of the NDJSON files."""
    host: str = ""
    port: int = 6514
    """`syslog`: the server, over TLS (RFC 5425)."""
    url: str = ""
    secret_file: str = ""
    """`webhook`: where to, and what signs it."""
    ca_file: str = ""
    """Trust root of the server's certificate; default the system's."""
    from_beginning: bool = True
    """Whether a new export begins with the first event, or with those to come."""
    batch: int = 2000
    """Events sent at once, at most."""


class Monitoring(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is looked for in the events."""

    rules: str = ""
    """A folder with Sigma rules of the operator's own, beside those that ship."""
    lists: dict[str, list[str]] = msgspec.field(default_factory=lambda: {"canaries": []})
    """What rules name as `%name%` with the modifier `expand`; `canaries` are ids that nobody has a reason to touch."""
    retention: EventRetention = EventRetention()
    exports: list[ExportSettings] = []
    metrics_token_file: str = ""
    """The bearer token with which Prometheus reads `/metrics`; without one there are none."""
    webhook_ca_file: str = ""
    """Trust root for the certificates of webhooks; default the system's."""
    webhook_allow_private: bool = False
    """Whether webhooks may lie at addresses that are not public; only where tenants are trusted with that."""
    quiet_from: str = ""
    """When quiet hours begin, as `22:00`; empty for none. What is critical is told all the same."""
    quiet_to: str = ""
    quiet_zone: str = "UTC"
    """The time zone of both, as `Europe/Berlin`."""
    country_file: str = ""
    """A MaxMind DB with countries, such as GeoLite2 Country or DB-IP Lite; without one no country is known."""


class IncidentSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How incidents are handled."""

    playbooks: str = ""
    """A folder with Markdown checklists of the operator's own, beside those that ship."""
    contact: str = ""
    """Who answers a customer's questions about a breach: name, address, telephone. Notices begin with it."""
    subprocessors: dict[str, list[Literal["vault"]]] = {}
    """Which stores each subprocessor holds for us, for the blast radius of an incident at one."""
    exercise_days: int = 180
    """Within so many days there is an exercise."""


class RetentionSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How contracts end."""

    grace_days: int = 30
    """For how long a customer that has ended the contract, or whose contract was ended, can take its data along."""


class RepositorySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A place for backups: a folder, or a bucket of an S3-compatible store."""

    kind: Literal["folder", "s3"] = "folder"
    path: str = ""
    """`folder`: which; default `backups` in the data directory, which no loss of the disk survives."""
    endpoint: str = ""
    """`s3`: such as `https://s3.example.com`."""
    bucket: str = ""
    prefix: str = ""
    region: str = "us-east-1"
    access_key_file: str = ""
    secret_key_file: str = ""
    ca_file: str = ""
    """Trust root of the store's certificate; default the system's."""
    lock: Literal["", "governance", "compliance"] = ""
    """`s3`, in a bucket made with object lock: keeps each object until its time, whoever asks to delete it."""


class RotationSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For how long the backups of one server are kept, by generation; 0 for a generation that is not made."""

    hourly: int
    """Hours that the backup of each hour is kept."""
    daily: int
    """Days that the backup of each day is kept."""
    weekly: int = 0
    monthly: int = 0
    """Months, of 31 days."""
    yearly: int = 0
    """Years, of 366 days."""
    window_days: int = 7
    """For how long any moment can be restored: so long WAL is kept, and a day more."""

    @property
    def longest_days(self) -> float:
        """How old anything gets before it is deleted."""
        return max(
            self.hourly / 24, self.daily, self.weekly * 7, self.monthly * 31, self.yearly * 366, self.window_days + 1
        )


class BackupSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Backups of both servers and of what lies beside them."""

    scheduled: bool = True
    repository: RepositorySettings = RepositorySettings()
    offsite: RepositorySettings | None = None
    """A second place, apart from the first, to which everything is copied as it is."""
    main: RotationSettings = RotationSettings(hourly=48, daily=15, weekly=5, monthly=12, window_days=14)
    keyring: RotationSettings = RotationSettings(hourly=24, daily=7, window_days=6)
    """Shorter than `main`: what is erased becomes unreadable when the last keyring from before is gone."""
    rpo_seconds: int = 60
    """The recovery point objective: how much may be lost, at most."""
    wal_seconds: float = 5
    """How often what the servers have written is stored."""
    drill_days: int = 7
    """Within so many days a restore is rehearsed."""
    main_url: str = ""
    keyring_url: str = ""
    """For servers that are not embedded: a login that may replicate, read and lock everything."""
    compression: int = 1
    """Of zstd: 1 is the fastest, 19 the smallest."""


class Telemetry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """OpenTelemetry: spans and durations of requests, without anything personal."""

    endpoint: str = ""
    """Where an OTLP receiver listens over HTTPS, such as `https://collector.example.com:4318`; empty for none."""
    token_file: str = ""
    ca_file: str = ""
    every_seconds: int = 10


class Logs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Diagnostics; they never hold customer content."""

    level: Literal["debug", "info", "warning", "error"] = "info"


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All settings. Paths are absolute."""

    data: Path
    web: Web = Web()
    database: DatabaseSettings = DatabaseSettings()
    encryption: Encryption = Encryption()
    access: Access = Access()
    mail: MailSettings = MailSettings()
    monitoring: Monitoring = Monitoring()
    incidents: IncidentSettings = IncidentSettings()
    retention: RetentionSettings = RetentionSettings()
    backup: BackupSettings = BackupSettings()
    telemetry: Telemetry = Telemetry()
    logs: Logs = Logs()
    toms: str = ""
    """The operator's TOM document; default the one that ships."""

    @property
    def base_url(self) -> str:
        return (self.web.base_url or f"https://localhost:{self.web.port}").rstrip("/")


def default_data_directory() -> Path:
    """Where data goes when nobody says: the system's place for root, else the user's."""
    return Path("/var/lib/bailee") if os.geteuid() == 0 else Path.home() / ".local/share/bailee"


def load_settings(environment: Mapping[str, str], config: Path | None = None) -> Settings:
    """Reads the settings. Without `config`, `BAILEE_CONFIG` or `<data>/bailee.toml` is read if it is there.

    Raises ConfigurationError, naming the key.
    """
    overrides = _from_environment(environment)
    if config is None and environment.get("BAILEE_CONFIG"):
        config = Path(environment["BAILEE_CONFIG"])
    if config is None:
        default = Path(overrides.get("data", default_data_directory())) / "bailee.toml"
        values = _read_toml(default) if default.is_file() else {}
    else:
        values = _read_toml(config)
    merged = _merge(values, overrides)
    merged["data"] = str(Path(merged.get("data", default_data_directory())).expanduser().absolute())
    try:
        settings = msgspec.convert(merged, Settings, strict=False, dec_hook=lambda kind, value: kind(value))
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"A setting is wrong: {error}.") from None
    _verify(settings)
    return settings


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{path} could not be read: {error}.") from None


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in environment.items():
        if not name.startswith("BAILEE_") or name in _CLIENT_VARIABLES or value == "":
            continue
        path = _SHORT_NAMES.get(name) or tuple(name.removeprefix("BAILEE_").lower().split("__"))
        place = found
        for part in path[:-1]:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise ConfigurationError(f"{name} sets a part of what another variable sets as a whole ({part}).")
        place[path[-1]] = value
    return found


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        mine = merged.get(key)
        merged[key] = _merge(mine, value) if isinstance(mine, dict) and isinstance(value, dict) else value
    return merged


def _verify(settings: Settings) -> None:
    if not 1 <= settings.web.port <= _MAX_PORT:
        raise ConfigurationError(f"web.port is {settings.web.port}; choose one from 1 to 65535.")
    if settings.web.base_url and not settings.web.base_url.startswith("https://"):
        raise ConfigurationError("web.base_url must begin with https://.")
    if bool(settings.web.certificate) != bool(settings.web.private_key):
        raise ConfigurationError("web.certificate and web.private_key go together; set both or neither.")
    if (settings.database.main == EMBEDDED) != (settings.database.keyring == EMBEDDED):
        raise ConfigurationError("database.main and database.keyring are both embedded, or both URLs.")
    if settings.encryption.root == "openbao" and not (
        settings.encryption.openbao_url.startswith("https://") and settings.encryption.openbao_token_file
    ):
        raise ConfigurationError("encryption.root = openbao needs openbao_url (https) and openbao_token_file.")
    if not all(Path(part).is_absolute() for part in settings.database.postgres.split(os.pathsep) if part):
        raise ConfigurationError(
            "database.postgres names directories of PostgreSQL installations by their absolute paths, such as "
            "/usr/lib/postgresql/17, with a colon between two."
        )
    for network in settings.access.trusted_proxies:
        _verify_network(network)
    if settings.mail.host:
        _verify_mail(settings.mail)
    _verify_monitoring(settings.monitoring)
    if not 0 <= settings.retention.grace_days <= _MOST_GRACE:
        raise ConfigurationError(f"retention.grace_days is {settings.retention.grace_days}; choose 0 to {_MOST_GRACE}.")
    _verify_backup(settings.backup)


def _verify_backup(backup: BackupSettings) -> None:
    for name, one in (("repository", backup.repository), ("offsite", backup.offsite)):
        if one is not None:
            _verify_repository(name, one)
    if backup.offsite is not None and backup.offsite == backup.repository:
        raise ConfigurationError("backup.offsite is the repository itself; name another place, or none.")
    if backup.offsite is not None and backup.offsite.kind == "folder" and not backup.offsite.path:
        raise ConfigurationError("backup.offsite needs a path.")
    for name, rotation in (("main", backup.main), ("keyring", backup.keyring)):
        _verify_rotation(name, rotation)
    if backup.keyring.longest_days >= backup.main.longest_days:
        raise ConfigurationError(
            "backup.keyring is kept as long as backup.main, or longer: erased data would stay readable in old backups "
            "as long as these exist. Keep the keyring for a shorter time."
        )
    if not (_LEAST_SECONDS <= backup.wal_seconds <= _MOST_SECONDS and backup.wal_seconds < backup.rpo_seconds):
        raise ConfigurationError("backup.wal_seconds is 0.5 to 3600, and shorter than backup.rpo_seconds.")
    if not 1 <= backup.compression <= _MOST_COMPRESSION or backup.drill_days < 1:
        raise ConfigurationError("backup.compression is 1 to 19, and backup.drill_days at least 1.")


def _verify_repository(name: str, one: RepositorySettings) -> None:
    if one.kind == "folder":
        if one.lock:
            raise ConfigurationError(f"backup.{name}: a folder locks nothing; leave lock out, or use a bucket.")
        return
    if not (one.endpoint.startswith("https://") and one.bucket and one.access_key_file and one.secret_key_file):
        raise ConfigurationError(f"backup.{name} needs endpoint (https), bucket, access_key_file and secret_key_file.")


def _verify_rotation(name: str, rotation: RotationSettings) -> None:
    if rotation.daily < 1 or min(msgspec.structs.astuple(rotation)) < 0 or rotation.window_days < 1:
        raise ConfigurationError(f"backup.{name}: daily and window_days are at least 1, nothing is negative.")
    if rotation.daily < rotation.hourly / 24 + 1:
        raise ConfigurationError(
            f"backup.{name}.daily: hourly backups rest on a daily one, which is kept a day longer."
        )
    if rotation.window_days + 1 > rotation.daily:
        raise ConfigurationError(f"backup.{name}.window_days: at least a day shorter than daily, on which it rests.")
    if rotation.weekly and rotation.weekly * 7 < rotation.daily + 7:
        raise ConfigurationError(f"backup.{name}.weekly: daily backups rest on a weekly one, kept a week longer.")
    if not rotation.weekly and (rotation.monthly or rotation.yearly):
        raise ConfigurationError(f"backup.{name}: monthly and yearly backups need weekly ones.")


def _verify_monitoring(monitoring: Monitoring) -> None:
    names = [one.name for one in monitoring.exports]
    if len(set(names)) != len(names) or not all(_EXPORT.fullmatch(name) for name in names):
        raise ConfigurationError("monitoring.exports: each has a name of its own, of a-z, 0-9 and hyphens.")
    if any(not 1 <= one.batch <= _MOST_EXPORTED for one in monitoring.exports):
        raise ConfigurationError(f"monitoring.exports: batch is 1 to {_MOST_EXPORTED}.")
    for name, days in msgspec.structs.asdict(monitoring.retention).items():
        if days != 0 and days < _LEAST_DAYS:
            raise ConfigurationError(f"monitoring.retention.{name} is {days}: keep events {_LEAST_DAYS} days, or 0.")


def _verify_network(text: str) -> None:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ConfigurationError(
            f"access.trusted_proxies holds {text!r}; write networks such as 192.0.2.0/24 or 2001:db8::1."
        ) from None


def _verify_mail(mail: MailSettings) -> None:
    mail.sender_address()
    if not 1 <= mail.port <= _MAX_PORT:
        raise ConfigurationError(f"mail.port is {mail.port}; choose one from 1 to 65535.")
    if bool(mail.username) != bool(mail.password_file):
        raise ConfigurationError("mail.username and mail.password_file go together; set both or neither.")
