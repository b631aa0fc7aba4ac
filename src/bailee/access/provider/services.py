"""The provider's services, built together."""

import hmac

import msgspec

from bailee.access.letters import Letters
from bailee.access.provider.authorization import Authorization
from bailee.access.provider.client_authentication import ClientAuthentication
from bailee.access.provider.clients import Clients
from bailee.access.provider.jobs import ProviderUpkeep
from bailee.access.provider.logout import Logout
from bailee.access.provider.signing import Signing
from bailee.access.provider.tokens import Tokens
from bailee.encryption.envelope import DataKey
from bailee.events import Events
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database
from bailee.foundation.mail import Mail
from bailee.foundation.secrets import Secret
from bailee.foundation.settings import Settings


class ProviderServices(msgspec.Struct, frozen=True):
    """Bailee as OpenID provider."""

    clients: Clients
    client_authentication: ClientAuthentication
    authorization: Authorization
    oauth_tokens: Tokens
    signing: Signing
    logout: Logout
    provider_upkeep: ProviderUpkeep


def compose(
    settings: Settings, database: Database, events: Events, mail: Mail, letters: Letters, key: DataKey, clock: Clock
) -> ProviderServices:
    """Builds them. `key` seals the private halves of the signing keys."""
    issuer = settings.base_url
    marks = Secret(hmac.digest(key.secret.reveal(), b"bailee/access/marks", "sha256"))
    signing = Signing(database, events, key, clock)
    authentication = ClientAuthentication(database, events, clock)
    return ProviderServices(
        clients=Clients(events, clock),
        client_authentication=authentication,
        authorization=Authorization(database, events, authentication, signing, issuer, marks, settings.access, clock),
        oauth_tokens=Tokens(database, events, signing, issuer, settings.access, clock),
        signing=signing,
        logout=Logout(authentication, signing, issuer),
        provider_upkeep=ProviderUpkeep(database, events, signing, mail, letters, clock),
    )
