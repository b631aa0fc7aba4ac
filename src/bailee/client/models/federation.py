"""Single sign-on: a tenant's identity provider and its domains."""

from datetime import datetime

from bailee.client.models.base import Model


class Domain(Model, frozen=True, kw_only=True):
    """A domain of the tenant's. It counts once `verified_at` is set: publish the TXT record, then `domains.verify`.

    `failing_since`: since when the record is not found any more; after seven days the domain does not count.
    """

    id: str
    domain: str
    record_name: str
    record_value: str
    created_at: datetime | None = None
    verified_at: datetime | None = None
    checked_at: datetime | None = None
    failing_since: datetime | None = None


class SsoConnection(Model, frozen=True, kw_only=True):
    """The tenant's identity provider, which has to know `redirect_uri`. The client's secret is never shown.

    `default_role` is what people get who are new.
    """

    issuer: str
    client_id: str
    default_role: str
    enabled: bool
    redirect_uri: str
    created_at: datetime | None = None
    updated_at: datetime | None = None


class SsoReport(Model, frozen=True, kw_only=True):
    """What the identity provider says about itself, and how many of its keys can be used."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    signing_keys: int
