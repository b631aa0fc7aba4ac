"""People: accounts, sessions, factors, invitations, and the operator's staff."""

from datetime import datetime

import msgspec

from bailee.client.models.base import Model


class Account(Model, frozen=True, kw_only=True):
    """One person's login. `kind`: staff or member; `roles` are those of staff."""

    id: str
    email: str
    name: str
    kind: str = "staff"
    state: str = "active"
    roles: tuple[str, ...] = ()
    mfa: bool = False
    sealed: bool = False
    created_at: datetime | None = None
    seen_at: datetime | None = None
    disabled_because: str | None = None
    dormancy_warned_at: datetime | None = None


class Session(Model, frozen=True, kw_only=True):
    """A session. `token` is there only in the answer that begins or renews it, and is for a new client.

    `permissions`, `unmet` (what keeps them from being effective, in words) and `stepped_up` (whether a
    second factor was shown within the last minutes) are there only in the answer to `session.get`.
    """

    hidden = frozenset({"token"})

    expires_at: datetime
    account: Account
    token: str | None = None
    tenant: str | None = None
    permissions: tuple[str, ...] = ()
    unmet: tuple[str, ...] = ()
    stepped_up: bool = False


class Enrolled(Session, frozen=True, kw_only=True):
    """A factor has been added; with the first one come the recovery codes, shown this once."""

    hidden = frozenset({"token", "recovery_codes"})

    recovery_codes: tuple[str, ...] = ()


class PendingSignIn(Model, frozen=True, kw_only=True):
    """The password was right and a second factor is to come: `session.finish` takes `pending` and a code.

    `methods`: of `totp`, `passkey` and `recovery_code`, those that the account has.
    """

    hidden = frozenset({"pending"})

    pending: str
    methods: tuple[str, ...] = ()


class OwnSession(Model, frozen=True, kw_only=True):
    """One of the caller's sessions, as a list shows it. `kind`: browser, api or cli."""

    id: str
    kind: str
    device: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    address: str | None = None
    factors: tuple[str, ...] = ()
    current: bool = False


class OwnTenant(Model, frozen=True, kw_only=True):
    """A tenant that the caller belongs to."""

    id: str
    name: str
    role: str
    state: str
    current: bool = False


class SetupStarted(Model, frozen=True, kw_only=True):
    """The first account, to be confirmed with a code from the second factor set up by `totp_uri`."""

    hidden = frozenset({"totp_secret", "totp_uri", "confirmation"})

    account: Account | str
    totp_secret: str
    totp_uri: str
    confirmation: str


class DeviceRequest(Model, frozen=True, kw_only=True):
    """A sign-in to be approved in a browser: show `user_code` and `verification_uri`, then `device.poll`.

    `expires_in` and `interval` (between two polls) are in seconds.
    """

    hidden = frozenset({"device_code", "user_code"})

    device_code: str
    user_code: str
    verification_uri: str
    expires_in: int
    interval: int


class Passkey(Model, frozen=True, kw_only=True):
    """A passkey or security key of the caller's."""

    id: str
    name: str
    synced: bool = False
    created_at: datetime | None = None
    used_at: datetime | None = None


class Factors(Model, frozen=True, kw_only=True):
    """The caller's second factors; `recovery_codes` says how many are left."""

    totp: bool
    passkeys: tuple[Passkey, ...] = ()
    recovery_codes: int = 0


class TotpEnrolment(Model, frozen=True, kw_only=True):
    """What an authenticator app needs. It counts once `factors.confirm_totp` has seen a code."""

    hidden = frozenset({"secret", "uri"})

    secret: str
    uri: str


class Invitation(Model, frozen=True, kw_only=True):
    """Somebody is asked to join. `link` is there only where no mail server is configured to send it."""

    hidden = frozenset({"link"})

    id: str
    email: str
    name: str
    roles: tuple[str, ...] = ()
    created_at: datetime | None = None
    expires_at: datetime | None = None
    accepted_at: datetime | None = None
    withdrawn_at: datetime | None = None
    link: str | None = None

    @property
    def token(self) -> str | None:
        """What the link carries: for `invitation.view`, `accept` and `join`."""
        return self.link.partition("#")[2] if self.link else None


class InvitationView(Model, frozen=True, kw_only=True):
    """What an invitation invites to. With `has_account` the person joins with the account there is."""

    email: str
    name: str
    staff: bool
    place: str
    roles: tuple[str, ...] = ()
    has_account: bool = False


class StaffRole(Model, frozen=True, kw_only=True):
    """A role of the operator's staff; one that is `elevation_only` is held for a time and never granted."""

    name: str
    title: str
    permissions: tuple[str, ...] = ()
    elevation_only: bool = False


class Privileges(Model, frozen=True, kw_only=True):
    """What one of the staff may do, and has done or not done within 90 days."""

    account_id: str
    email: str
    name: str
    roles: tuple[str, ...] = ()
    used: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()


class Elevation(Model, frozen=True, kw_only=True):
    """A role for a time. `state`: requested, approved, refused or ended."""

    id: str
    account_id: str
    email: str
    role: str
    reason: str
    minutes: int
    state: str
    requested_at: datetime
    decided_by: str | None = None
    decided_at: datetime | None = None
    expires_at: datetime | None = None
    ended_at: datetime | None = None


class Review(Model, frozen=True, kw_only=True):
    """A campaign in which every standing role is confirmed or revoked. `state`: open or closed."""

    id: str
    title: str
    state: str
    opened_at: datetime
    due_at: datetime
    closed_at: datetime | None = None
    items: int = 0
    decided: int = 0


class ReviewItem(Model, frozen=True, kw_only=True):
    """One role of one person. `decision`: confirmed, revoked, lapsed, or None while it is open."""

    id: str
    account_id: str
    email: str
    name: str
    role: str
    reviewer_id: str
    reviewer: str
    decision: str | None = None
    decided_at: datetime | None = None


class BreakGlassState(Model, frozen=True, kw_only=True):
    """Whether there is an emergency account, and whether its seal is whole."""

    exists: bool
    sealed: bool


class SealedEnvelope(Model, frozen=True, kw_only=True):
    """The emergency account's credentials, for the safe. Shown this once; each code works once."""

    hidden = frozenset({"password", "codes"})

    email: str
    password: str
    codes: tuple[str, ...] = ()


class Member(Model, frozen=True, kw_only=True):
    """A person's place in a tenant. `state`: active or disabled; `source`: invitation, sso or scim."""

    account_id: str
    email: str
    name: str
    role: str
    state: str
    source: str = "invitation"
    created_at: datetime | None = None
    updated_at: datetime | None = None
    external_id: str | None = None


class TenantRole(Model, frozen=True, kw_only=True):
    """A role within a tenant, built in or its own."""

    name: str
    title: str
    permissions: tuple[str, ...] = ()
    built_in: bool = False


class Policy(Model, frozen=True, kw_only=True):
    """What a tenant demands of its members. `version` is the one that was seen, for `policy.put`.

    `included` names the demands that the tenant's plan has; `available_with` the plans for the others.
    """

    require_mfa: bool = False
    require_sso: bool = False
    min_password_length: int = 8
    min_password_score: int = 2
    session_hours: int = 12
    idle_minutes: int = 60
    networks: tuple[str, ...] = ()
    version: int = 0
    included: tuple[str, ...] = ()
    available_with: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
