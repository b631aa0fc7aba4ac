"""Federation's services, built together."""

import msgspec

from bailee.access.federation.connections import SsoConnections
from bailee.access.federation.dns import DomainRecords
from bailee.access.federation.domains import Domains
from bailee.access.federation.jobs import FederationUpkeep
from bailee.access.federation.oidc import IdentityProviders
from bailee.access.federation.outbound import Outbound
from bailee.access.federation.scim.provisioning import Provisioning
from bailee.access.federation.sign_in import SsoSignIn
from bailee.access.services import AccessServices
from bailee.encryption.envelope import DataKey
from bailee.events import Events
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database
from bailee.foundation.mail import Mail
from bailee.foundation.settings import Settings


class FederationServices(msgspec.Struct, frozen=True):
    """Other people's identity providers and directories."""

    outbound: Outbound
    domains: Domains
    sso_connections: SsoConnections
    sso_sign_in: SsoSignIn
    provisioning: Provisioning
    federation_upkeep: FederationUpkeep


def compose(
    settings: Settings, database: Database, events: Events, mail: Mail, access: AccessServices, key: DataKey,
    clock: Clock,
) -> FederationServices:  # fmt: skip
    """Builds them. `key` seals the secrets that identity providers know us by."""
    limits = settings.access
    outbound = Outbound(limits.sso_ca_file, allow_private=limits.sso_allow_private)
    providers = IdentityProviders(outbound, clock)
    domains = Domains(database, events, DomainRecords(limits.dns_servers), mail, access.letters, clock)
    connections = SsoConnections(database, events, providers, access.members, key, settings.base_url)
    return FederationServices(
        outbound=outbound,
        domains=domains,
        sso_connections=connections,
        sso_sign_in=SsoSignIn(
            database, events, providers, connections, access.sessions, access.accounts, access.members, clock
        ),
        provisioning=Provisioning(events, access.accounts, access.members, mail, access.letters),
        federation_upkeep=FederationUpkeep(database, domains),
    )
