"""OAuth clients: applications that sign people in, and programs that use the API by themselves."""

from datetime import datetime

from bailee.client.models.base import Model


class OAuthClientSecret(Model, frozen=True, kw_only=True):
    """A secret that is good at present, without itself."""

    id: str
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None


class OAuthClient(Model, frozen=True, kw_only=True):
    """A registered client; its `id` is the `client_id` that it sends. `kind`: confidential or public.

    `secret` is there only in the answer that issues it. `secrets` are those that are good at present, newest first.
    """

    hidden = frozenset({"secret"})

    id: str
    name: str
    kind: str = "confidential"
    scopes: tuple[str, ...] = ()
    redirect_uris: tuple[str, ...] = ()
    post_logout_redirect_uris: tuple[str, ...] = ()
    created_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    secrets: tuple[OAuthClientSecret, ...] = ()
    secret: str | None = None
