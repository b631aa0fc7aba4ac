"""Clients, what they ask for, and what is known of the person behind a token, as values."""

from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

import msgspec

from bailee.access.permissions import SCOPES
from bailee.access.store.sessions import SessionCheck
from bailee.foundation.ids import OPERATOR, TenantId
from bailee.tenants.model import TenantState

PERSON_SCOPES = ("openid", "profile", "email", "offline_access")
"""What a client can ask for about a person; every other scope is the API's, for the client itself."""
ACR_MFA = "urn:bailee:acr:mfa"
"""Two factors, or a passkey that has verified its user."""
ACR_SINGLE = "urn:bailee:acr:single"

AFTER = "signed_in_after"
"""A parameter of our own, on the way back from signing in again: the sign-in before it was too old."""
CODE_LIFE = timedelta(seconds=60)
ACCESS_LIFE = timedelta(hours=1)
ID_TOKEN_LIFE = timedelta(minutes=5)


class ClientKind(StrEnum):
    """Whether a client can keep a secret (RFC 6749 §2.1)."""

    CONFIDENTIAL = "confidential"
    PUBLIC = "public"
    """On people's own devices: PKCE alone binds a code to it."""


class ClientSecret(msgspec.Struct, frozen=True):
    """A secret that is good at present, without itself."""

    id: UUID
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class Client(msgspec.Struct, frozen=True):
    """A registered client. Its `id` is what it sends as `client_id`."""

    id: UUID
    name: str
    kind: ClientKind
    redirect_uris: list[str]
    post_logout_redirect_uris: list[str]
    scopes: list[str]
    created_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None
    secrets: list[ClientSecret] = []
    """Those that are good at present; two while a rotation overlaps."""


class IssuedClient(Client, frozen=True, kw_only=True):
    """The same at the one moment when its new secret is shown; a public client has none."""

    secret: str | None


class ClientFields(msgspec.Struct, frozen=True):
    """What a registration says."""

    name: str
    redirect_uris: list[str]
    post_logout_redirect_uris: list[str]
    scopes: list[str]


class KnownClient(msgspec.Struct, frozen=True):
    """A client as the endpoints know it."""

    tenant_id: TenantId
    """The tenant that it belongs to, or the operator."""
    id: UUID
    name: str
    kind: ClientKind
    redirect_uris: list[str]
    post_logout_redirect_uris: list[str]
    scopes: list[str]
    revoked_at: datetime | None
    tenant_state: TenantState | None
    """None for the operator's own."""

    @property
    def is_operators(self) -> bool:
        return self.tenant_id == OPERATOR

    @property
    def is_open(self) -> bool:
        """Whether it may be used at all."""
        open_states = (TenantState.ACTIVE, TenantState.TERMINATING)
        return self.revoked_at is None and (self.is_operators or self.tenant_state in open_states)

    @property
    def person_scopes(self) -> list[str]:
        return [scope for scope in PERSON_SCOPES if scope in self.scopes]

    @property
    def api_scopes(self) -> list[str]:
        return sorted(scope for scope in self.scopes if scope in SCOPES)


class Standing(SessionCheck, frozen=True, kw_only=True):
    """A session as seen from one of its person's tenants, with what a token says of the person."""

    email: str
    email_verified: bool
    name: str
    epoch: int
    """Counted up whenever the password or the state of the account changes."""
    factors: list[str]
    tenant_name: str | None

    @property
    def auth_time(self) -> datetime:
        """When the person last proved who they are."""
        return max(self.created_at, self.mfa_at) if self.mfa_at else self.created_at

    @property
    def acr(self) -> str:
        return ACR_MFA if self.mfa_at else ACR_SINGLE


class Grant(msgspec.Struct, frozen=True):
    """One authorisation of a client by a person."""

    tenant_id: TenantId
    id: UUID
    client_id: UUID
    account_id: UUID
    epoch: int
    session_id: UUID
    scopes: list[str]
    nonce: str | None
    auth_time: datetime
    code_digest: bytes
    code_challenge: str
    redirect_uri: str
    code_expires_at: datetime
    code_used_at: datetime | None
    expires_at: datetime
    ended_at: datetime | None


class Refresh(msgspec.Struct, frozen=True):
    """A refresh token, as it is stored."""

    token_id: UUID
    grant_id: UUID
    digest: bytes
    created_at: datetime
    used_at: datetime | None


class Access(msgspec.Struct, frozen=True):
    """An access token, as it is stored."""

    token_id: UUID
    client_id: UUID
    grant_id: UUID | None
    scopes: list[str]
    digest: bytes
    created_at: datetime
    expires_at: datetime


class TokenAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the token endpoint answers (RFC 6749 §5.1, OpenID Connect Core §3.1.3.3)."""

    access_token: str
    token_type: str
    expires_in: int
    scope: str
    refresh_token: str | None = None
    id_token: str | None = None


class Introspection(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the introspection endpoint answers (RFC 7662 §2.2)."""

    active: bool
    scope: str | None = None
    client_id: str | None = None
    token_type: str | None = None
    exp: int | None = None
    iat: int | None = None
    sub: str | None = None
    iss: str | None = None
    tenant: str | None = None
