"""The services of access control, built together: they lean on one another more than on any other room."""

import hmac

import msgspec

from bailee.access.accounts import Accounts
from bailee.access.authentication import Authenticator
from bailee.access.break_glass import BreakGlass
from bailee.access.checks.probe import ProbePeople
from bailee.access.device import DeviceSignIn
from bailee.access.elevations import Elevations
from bailee.access.factors import Factors
from bailee.access.gates import Gates
from bailee.access.grants import Grants
from bailee.access.invitations import Invitations
from bailee.access.keys import ApiKeys
from bailee.access.letters import Letters
from bailee.access.members import Members
from bailee.access.passkeys import RelyingParty
from bailee.access.password_change import PasswordChange
from bailee.access.passwords import Passwords
from bailee.access.policy import Policies
from bailee.access.reviews import Reviews
from bailee.access.sessions import Sessions
from bailee.access.sign_in import SignIn
from bailee.encryption.envelope import DataKey
from bailee.encryption.hashing import PasswordHasher
from bailee.events import Events
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database
from bailee.foundation.mail import Mail
from bailee.foundation.secrets import Secret
from bailee.foundation.settings import Settings


class AccessServices(msgspec.Struct, frozen=True):
    """Who gets in, and what they may do."""

    keys: ApiKeys
    sessions: Sessions
    factors: Factors
    sign_in: SignIn
    accounts: Accounts
    password_change: PasswordChange
    members: Members
    invitations: Invitations
    policies: Policies
    grants: Grants
    elevations: Elevations
    reviews: Reviews
    break_glass: BreakGlass
    gates: Gates
    authenticator: Authenticator
    letters: Letters
    device_sign_in: DeviceSignIn
    probe_people: ProbePeople


def compose(
    settings: Settings, database: Database, events: Events, mail: Mail, hasher: PasswordHasher, passwords: Passwords,
    key: DataKey, gates: Gates, actions: dict[str, frozenset[str]], clock: Clock,
) -> AccessServices:  # fmt: skip
    """Builds them. `actions` names the events of each permission's verb; `key` seals what accounts keep secret."""
    letters = Letters(settings.base_url)
    sessions = Sessions(events, settings.access, clock)
    factors = Factors(events, sessions, mail, letters, key, RelyingParty(settings.base_url), clock)
    sign_in = SignIn(database, events, hasher, passwords, sessions, factors, mail, letters, clock)
    accounts = Accounts(events, hasher, passwords, sessions, factors, mail, letters, clock)
    members = Members(events, factors, mail, letters)
    grants = Grants(events, actions, clock)
    return AccessServices(
        keys=ApiKeys(events, clock),
        sessions=sessions,
        factors=factors,
        sign_in=sign_in,
        accounts=accounts,
        password_change=PasswordChange(database, events, hasher, accounts, sign_in, sessions, mail, letters, clock),
        members=members,
        invitations=Invitations(
            database, events, accounts, members, sessions, sign_in, mail, letters, settings.access, clock
        ),
        policies=Policies(events),
        grants=grants,
        elevations=Elevations(events, mail, letters),
        reviews=Reviews(events, grants, mail, letters, clock),
        break_glass=BreakGlass(database, events, hasher, factors, mail, letters, clock),
        gates=gates,
        authenticator=Authenticator(database, gates, settings.access, clock),
        letters=letters,
        device_sign_in=DeviceSignIn(
            database, events, sessions, _derived(key, b"device-codes"), settings.base_url, clock
        ),
        probe_people=ProbePeople(database, events, members, factors, hasher),
    )


def _derived(key: DataKey, purpose: bytes) -> Secret:
    """A key of its own for another purpose (HMAC-SHA-256 as a PRF, RFC 5869 §2.3)."""
    return Secret(hmac.digest(key.secret.reveal(), b"bailee/access/" + purpose, "sha256"))
