"""The services of this room, wired."""

import msgspec

from bailee.encryption.envelope import DataKey
from bailee.events import Events
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database
from bailee.foundation.mail import Mail
from bailee.foundation.settings import Settings
from bailee.incidents.breaches import Breaches
from bailee.incidents.bulk import Bulk
from bailee.incidents.exercises import Exercises
from bailee.incidents.incidents import Incidents
from bailee.incidents.letters import Letters
from bailee.incidents.notices import Notices
from bailee.incidents.playbooks import load_playbooks
from bailee.incidents.reach import Tracer
from bailee.incidents.triggers import Triggers
from bailee.monitoring.services import MonitoringServices
from bailee.stores.probes import Probes
from bailee.stores.reached import Reached
from bailee.stores.subjects import Subjects
from bailee.stores.vault import Vault
from bailee.tenants.service import Tenants


class IncidentServices(msgspec.Struct, frozen=True):
    """Everything that handles incidents."""

    incidents: Incidents
    triggers: Triggers
    tracer: Tracer
    notices: Notices
    breaches: Breaches
    exercises: Exercises
    bulk: Bulk


def compose(
    settings: Settings, database: Database, events: Events, mail: Mail, monitoring: MonitoringServices,
    tenants: Tenants, reached: Reached, probes: Probes, vault: Vault, subjects: Subjects, key: DataKey, clock: Clock,
) -> IncidentServices:  # fmt: skip
    """Builds them. `key` seals what is kept as evidence. Raises ConfigurationError for a playbook that is none."""
    letters = Letters(settings.base_url)
    playbooks = load_playbooks(settings.incidents.playbooks)
    incidents = Incidents(events, monitoring.alerts, mail, letters, playbooks, key, clock)
    tracer = Tracer(database, tenants, reached, settings.incidents, settings.monitoring.retention, clock)
    notices = Notices(
        events, incidents, tenants, reached, mail, monitoring.webhooks, letters, settings.incidents, clock
    )
    breaches = Breaches(database, events, incidents, notices, tracer, mail, letters, clock)
    return IncidentServices(
        incidents=incidents,
        triggers=Triggers(events, incidents, monitoring.alerts, monitoring.rules),
        tracer=tracer,
        notices=notices,
        breaches=breaches,
        bulk=Bulk(database, incidents, notices),
        exercises=Exercises(database, events, incidents, breaches, notices, probes, vault, subjects, clock),
    )
