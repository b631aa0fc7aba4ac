"""Accounts, factors, sessions, roles and API keys, as values."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

from bailee.foundation.ids import TenantId
from bailee.tenants.model import TenantState


class ApiKey(msgspec.Struct, frozen=True):
    """A tenant's key for machines. Its token is known to whoever was shown it, and to nobody else."""

    id: UUID
    name: str
    permissions: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    replaces: UUID | None = None
    """The key that this one takes over from."""


class IssuedApiKey(ApiKey, frozen=True, kw_only=True):
    """The same at the one moment when its token is shown."""

    token: str


class AccountKind(StrEnum):
    """Whose person it is. Nobody is both."""

    STAFF = "staff"
    """Of the operator."""
    MEMBER = "member"
    """Of one tenant or several."""


class AccountState(StrEnum):
    """Where an account is in its life."""

    PENDING = "pending"
    """Made, and without a second factor that it needs: cannot sign in."""
    ACTIVE = "active"
    DISABLED = "disabled"
    OFF_BOARDED = "off_boarded"
    """The person has left: credentials and roles are gone. A new invitation begins anew."""


DORMANCY_NOTICE = timedelta(days=14)
"""How long before an account is disabled for not being used its person is warned."""


class Account(msgspec.Struct, frozen=True):
    """One person's login."""

    id: UUID
    kind: AccountKind
    email: str
    name: str
    state: AccountState
    created_at: datetime
    seen_at: datetime
    roles: list[str]
    """Staff roles granted; a member's stand in the memberships."""
    mfa: bool
    """Whether a second factor is enrolled."""
    sealed: bool = False
    """The break-glass account."""
    disabled_because: str | None = None
    dormancy_warned_at: datetime | None = None

    @property
    def ends_unused_at(self) -> datetime | None:
        """When it is disabled if nobody uses it until then; None where that is not so near."""
        if self.dormancy_warned_at is None or self.state is not AccountState.ACTIVE:
            return None
        return self.dormancy_warned_at + DORMANCY_NOTICE


class Credentials(msgspec.Struct, frozen=True):
    """What sign-in compares with."""

    id: UUID
    kind: AccountKind
    email: str
    name: str
    state: AccountState
    epoch: int
    sealed: bool
    password_hash: str | None
    totp_secret: bytes | None
    totp_step: int | None
    passkeys: int
    recovery_codes: int

    @property
    def has_mfa(self) -> bool:
        return self.totp_secret is not None or self.passkeys > 0


class Passkey(msgspec.Struct, frozen=True):
    """A passkey or security key, as its owner sees it."""

    id: UUID
    name: str
    synced: bool
    """Whether its provider may copy it to other devices."""
    created_at: datetime
    used_at: datetime | None


class Factors(msgspec.Struct, frozen=True):
    """A person's second factors."""

    totp: bool
    passkeys: list[Passkey]
    recovery_codes: int
    """How many are left."""


class SessionKind(StrEnum):
    """What holds a session's token."""

    BROWSER = "browser"
    API = "api"
    CLI = "cli"
    ENROLMENT = "enrolment"
    """Not signed in: a person who has shown a password and a mailed link, and may enrol a factor, nothing else."""


class Session(msgspec.Struct, frozen=True):
    """A signed-in stay, as its owner sees it."""

    id: UUID
    kind: SessionKind
    device: str
    address: str | None
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    factors: list[str]
    current: bool = False


class TotpEnrolment(msgspec.Struct, frozen=True):
    """What an authenticator app needs. It counts once a first code has confirmed it."""

    secret: str
    uri: str


class PasskeyChallenge(msgspec.Struct, frozen=True):
    """What a browser is to answer with `navigator.credentials`; `options` is WebAuthn's JSON form."""

    challenge_id: UUID
    options: dict[str, Any]


class StartedSession(msgspec.Struct, frozen=True):
    """A session at the one moment when its token is shown."""

    token: str
    expires_at: datetime
    account: Account
    device: str | None = None
    """A browser's proof that it has signed in before: spares its owner what strangers' failures cause."""


class Enrolled(StartedSession, frozen=True, kw_only=True):
    """A factor has been added: the session under its new token, and with the first factor the recovery codes."""

    recovery_codes: list[str]


class PendingSignIn(msgspec.Struct, frozen=True):
    """The password was right, and a second factor is to come."""

    pending: str
    methods: list[str]
    """Of `totp`, `passkey` and `recovery_code`: those that the account has."""


class TenantPolicy(msgspec.Struct, frozen=True):
    """What a tenant demands of its members. The defaults are every tenant's until it changes them."""

    require_mfa: bool = False
    require_sso: bool = False
    min_password_length: int = 8
    min_password_score: int = 2
    """zxcvbn's, 0 to 4."""
    session_hours: int = 12
    idle_minutes: int = 60
    networks: list[str] = []
    """Networks in CIDR notation from which members may come; empty for any."""
    version: int = 0


class Membership(msgspec.Struct, frozen=True):
    """A person's place in a tenant."""

    account_id: UUID
    email: str
    name: str
    role: str
    state: str
    source: str
    created_at: datetime
    updated_at: datetime
    external_id: str | None = None


class OwnTenant(msgspec.Struct, frozen=True):
    """A tenant that a person belongs to, as that person sees it."""

    id: TenantId
    name: str
    role: str
    state: TenantState
    current: bool = False


class Invitation(msgspec.Struct, frozen=True):
    """Somebody is asked to join."""

    id: UUID
    email: str
    name: str
    roles: list[str]
    created_at: datetime
    expires_at: datetime
    accepted_at: datetime | None
    withdrawn_at: datetime | None


class SentInvitation(Invitation, frozen=True, kw_only=True):
    """The same when it has just been made. `link` is set only where no mail server is configured to send it."""

    link: str | None


class Grant(msgspec.Struct, frozen=True):
    """A staff role that somebody holds."""

    account_id: UUID
    email: str
    name: str
    role: str
    granted_by: str
    granted_at: datetime
    confirmed_at: datetime


class Elevation(msgspec.Struct, frozen=True):
    """A role for a time, with a reason and a second person's approval."""

    id: UUID
    account_id: UUID
    email: str
    role: str
    reason: str
    minutes: int
    state: str
    requested_at: datetime
    decided_by: UUID | None
    decided_at: datetime | None
    expires_at: datetime | None
    ended_at: datetime | None


class Review(msgspec.Struct, frozen=True):
    """A campaign in which every standing role is confirmed or revoked."""

    id: UUID
    title: str
    state: str
    opened_at: datetime
    due_at: datetime
    closed_at: datetime | None
    items: int
    decided: int


class ReviewItem(msgspec.Struct, frozen=True):
    """One role of one person, to be confirmed or revoked by another."""

    id: UUID
    account_id: UUID
    email: str
    name: str
    role: str
    reviewer_id: UUID
    reviewer: str
    decision: str | None
    decided_at: datetime | None


class TenantRole(msgspec.Struct, frozen=True):
    """A role within a tenant, built in or its own."""

    name: str
    title: str
    permissions: list[str]
    built_in: bool
