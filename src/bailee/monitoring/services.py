"""The services of this room, wired."""

import msgspec
import structlog

from bailee.encryption.envelope import DataKey
from bailee.encryption.service import Keyring
from bailee.events import Events
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database
from bailee.foundation.jobs import Jobs
from bailee.foundation.mail import Mail
from bailee.foundation.settings import Settings
from bailee.monitoring.alerts import Alerts
from bailee.monitoring.countries import Countries
from bailee.monitoring.detector import Detector, load_rules
from bailee.monitoring.export.exporter import Exporter
from bailee.monitoring.intake import Intake
from bailee.monitoring.jobs import Forgetting, Listening
from bailee.monitoring.quiet import quiet_hours
from bailee.monitoring.sigma.rules import RuleSet
from bailee.monitoring.support import SupportCases
from bailee.monitoring.webhooks import Webhooks
from bailee.stores.reached import Reached
from bailee.stores.vault import Vault
from bailee.tenants.service import Tenants

log = structlog.get_logger()


class MonitoringServices(msgspec.Struct, frozen=True):
    """Everything that watches, and tells of it."""

    rules: RuleSet
    alerts: Alerts
    detector: Detector
    webhooks: Webhooks
    support_cases: SupportCases
    forgetting: Forgetting
    listening: Listening
    exporter: Exporter
    intake: Intake

    def register(self, jobs: Jobs) -> None:
        """Puts this room's jobs on the schedule."""
        self.webhooks.register(jobs)
        self.alerts.register(jobs)
        self.forgetting.register(jobs)
        self.listening.register(jobs)
        self.support_cases.register(jobs)


def compose(
    settings: Settings, database: Database, keyring: Keyring, events: Events, jobs: Jobs, mail: Mail,
    tenants: Tenants, vault: Vault, reached: Reached, key: DataKey, clock: Clock,
) -> MonitoringServices:  # fmt: skip
    """Builds them. `key` seals the secrets of webhooks. Raises ConfigurationError."""
    rules = load_rules(settings.monitoring)
    for fault in rules.faults:
        log.warning("a rule is left out", file=fault.file, rule=fault.rule, fault=fault.message)
    webhooks = Webhooks(database, events, jobs, settings.monitoring, key, clock)
    quiet = quiet_hours(settings.monitoring)
    alerts = Alerts(database, events, mail, webhooks, quiet, settings.base_url, clock)
    return MonitoringServices(
        rules=rules,
        alerts=alerts,
        detector=Detector(database, alerts, rules, Countries(settings.monitoring.country_file), clock),
        webhooks=webhooks,
        support_cases=SupportCases(database, events, tenants, vault, reached, mail, webhooks, settings.base_url, clock),
        forgetting=Forgetting(database, events, settings.monitoring.retention, clock),
        listening=Listening(database, events, clock),
        exporter=Exporter(database, settings.monitoring.exports),
        intake=Intake(keyring, events),
    )
