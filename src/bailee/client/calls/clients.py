"""OAuth clients, of the caller's tenant or (for staff) of the operator's own product."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from bailee.client.answers import json_answer, no_answer
from bailee.client.call import Call, api, paged, sent_json, with_followers
from bailee.client.models.base import Page
from bailee.client.models.clients import OAuthClient


def every(*, page_size: int | None = None) -> Call[Page[OAuthClient]]:
    """All clients in the order they were registered, revoked ones too."""
    return with_followers(paged(Page[OAuthClient], api("clients"), limit=page_size))


def get(client_id: str) -> Call[OAuthClient]:
    """One client. Raises NotFound."""
    return Call(method="GET", path=api("clients", client_id), parse=json_answer(OAuthClient))


def register(
    name: str,
    scopes: Iterable[str],
    *,
    redirect_uris: Iterable[str] = (),
    post_logout_redirect_uris: Iterable[str] = (),
    public: bool = False,
    secret_expires_at: datetime | None = None,
) -> Call[OAuthClient]:
    """A new client, with the scope `openid` to sign people in, with scopes of the API to act by itself.

    Its `secret` is shown this once; a `public` one, on people's own devices, has none. Not retried: a lost answer
    would leave a stray client. Raises ValueError when `secret_expires_at` has no time zone, Invalid, Forbidden for
    scopes that the caller does not hold, Conflict.
    """
    document: dict[str, Any] = {
        "name": name,
        "scopes": list(scopes),
        "kind": "public" if public else "confidential",
        "redirect_uris": list(redirect_uris),
        "post_logout_redirect_uris": list(post_logout_redirect_uris),
    }
    if secret_expires_at is not None:
        if secret_expires_at.tzinfo is None:
            raise ValueError("secret_expires_at needs a time zone, for example datetime.now(UTC)")
        document["secret_expires_at"] = secret_expires_at.astimezone(UTC)
    return sent_json("POST", api("clients"), document, json_answer(OAuthClient))


def change(
    client_id: str,
    *,
    name: str | None = None,
    scopes: Iterable[str] | None = None,
    redirect_uris: Iterable[str] | None = None,
    post_logout_redirect_uris: Iterable[str] | None = None,
) -> Call[OAuthClient]:
    """Change what is given; its tokens lose at once the scopes that the client loses.

    Raises NotFound, Invalid, Conflict, Forbidden for scopes that the caller does not hold.
    """
    lists = {"scopes": scopes, "redirect_uris": redirect_uris, "post_logout_redirect_uris": post_logout_redirect_uris}
    document: dict[str, Any] = {} if name is None else {"name": name}
    document |= {field: list(values) for field, values in lists.items() if values is not None}
    return sent_json("PATCH", api("clients", client_id), document, json_answer(OAuthClient))


def rotate_secret(client_id: str, *, overlap_hours: int = 24) -> Call[OAuthClient]:
    """A new secret; the one before goes on for `overlap_hours` (0 to 720). The new `secret` is shown this once.

    Raises NotFound, Invalid, Forbidden, or Conflict for a client that is revoked or public.
    """
    path = api("clients", client_id, "rotate-secret")
    return sent_json("POST", path, {"overlap_hours": overlap_hours}, json_answer(OAuthClient))


def revoke(client_id: str) -> Call[None]:
    """Revoke the client and every token of it, for good. Raises NotFound, Conflict."""
    return Call(method="DELETE", path=api("clients", client_id), parse=no_answer)
