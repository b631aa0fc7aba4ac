"""Domains, connections to identity providers, and what those say about people: values without I/O."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from bailee.access.tokens import TokenKind
from bailee.foundation.ids import TenantId
from bailee.foundation.secrets import Secret

STATE = TokenKind("bsi_", 1, 32)
"""The `state` of a sign-in through an identity provider: an intent."""
BROWSER = TokenKind("bsb_", 1, 32)
"""What the browser that began it holds: the same intent, another secret."""

RECORD_PREFIX = "_bailee-challenge"
RECORD_KEY = "bailee-domain-verification="


class Domain(msgspec.Struct, frozen=True):
    """A domain that a tenant says is its own, and whether DNS agrees."""

    id: UUID
    domain: str
    record_name: str
    """Where to publish the TXT record."""
    record_value: str
    """What it says."""
    created_at: datetime
    verified_at: datetime | None
    checked_at: datetime | None
    failing_since: datetime | None
    """Since when the record is not found any more; after seven days the domain does not count."""


class SsoConnection(msgspec.Struct, frozen=True):
    """A tenant's identity provider. The client's secret is kept sealed, and never shown."""

    issuer: str
    client_id: str
    default_role: str
    enabled: bool
    created_at: datetime
    updated_at: datetime
    redirect_uri: str
    """What the identity provider has to know."""


class Connection(msgspec.Struct, frozen=True):
    """The same as sign-in uses it."""

    tenant_id: TenantId
    issuer: str
    client_id: str
    client_secret: bytes
    """Sealed."""
    default_role: str
    enabled: bool

    def is_same(self, other: "Connection") -> bool:
        """Whether both are one client of one provider."""
        return (self.issuer, self.client_id) == (other.issuer, other.client_id)


class Client(msgspec.Struct, frozen=True):
    """Who we are to an identity provider."""

    issuer: str
    client_id: str
    secret: Secret


class Discovered(msgspec.Struct, frozen=True):
    """What an identity provider publishes about itself (OpenID Connect Discovery 1.0 §3), examined."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    secret_in_body: bool
    """Whether it takes the client's secret in the form alone (`client_secret_post`)."""
    names_itself: bool
    """Whether it puts `iss` into its authorisation responses (RFC 9207)."""


class Vouched(msgspec.Struct, frozen=True):
    """What a verified ID token says about somebody."""

    issuer: str
    subject: str
    email: str
    """Normalised; empty where there is none."""
    email_verified: bool | None
    """None where the identity provider does not say: many leave it out."""
    name: str
    methods: frozenset[str]
    """`amr` (RFC 8176)."""
    authenticated_at: datetime | None
    """`auth_time`: when the person showed who they are."""


class SsoReport(msgspec.Struct, frozen=True):
    """What trying out a connection found, without anybody signing in."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    signing_keys: int


class Onward(msgspec.Struct, frozen=True):
    """Where to send a browser, and what it must bring back."""

    url: str
    host: str
    """Of the identity provider, for people to read."""
    browser: str
    """For a cookie."""
    seconds: int


class Returned(msgspec.Struct, frozen=True):
    """What came back with a browser."""

    state: str
    browser: str
    code: str
    issuer: str | None
    error: str | None


type Json = dict[str, Any]
