"""API keys, of the caller's tenant or (for staff) of a named one."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from bailee.client.answers import json_answer, no_answer
from bailee.client.call import Call, api, paged, sent_json, with_followers
from bailee.client.models.admin import ApiKey
from bailee.client.models.base import Page


def every(*, page_size: int | None = None) -> Call[Page[ApiKey]]:
    """All keys of the caller's tenant, without their tokens."""
    return with_followers(paged(Page[ApiKey], api("keys"), limit=page_size))


def create(name: str, permissions: Iterable[str], *, expires_at: datetime | None = None) -> Call[ApiKey]:
    """A new key. Its `token` is shown this once. Not retried: a lost answer would leave a stray key.

    Raises ValueError when `expires_at` has no time zone.
    """
    return sent_json("POST", api("keys"), _wanted(name, permissions, expires_at), json_answer(ApiKey))


def revoke(key_id: str) -> Call[None]:
    """Revoke the key, for good. Raises NotFound."""
    return Call(method="DELETE", path=api("keys", key_id), parse=no_answer)


def rotate(key_id: str, *, overlap_hours: int = 24) -> Call[ApiKey]:
    """A new key in place of this one, which goes on for `overlap_hours`. The new `token` is shown this once.

    Raises NotFound, Invalid, Conflict.
    """
    path = api("keys", key_id, "rotate")
    return sent_json("POST", path, {"overlap_hours": overlap_hours}, json_answer(ApiKey))


def every_of(tenant_id: str, *, page_size: int | None = None) -> Call[Page[ApiKey]]:
    """All keys of the tenant, without their tokens."""
    return with_followers(paged(Page[ApiKey], api("tenants", tenant_id, "keys"), limit=page_size))


def create_for(
    tenant_id: str, name: str, permissions: Iterable[str], *, expires_at: datetime | None = None
) -> Call[ApiKey]:
    """A new key for the tenant; see `Keys.create`."""
    path = api("tenants", tenant_id, "keys")
    return sent_json("POST", path, _wanted(name, permissions, expires_at), json_answer(ApiKey))


def revoke_of(tenant_id: str, key_id: str) -> Call[None]:
    """Revoke the tenant's key, for good. Raises NotFound."""
    return Call(method="DELETE", path=api("tenants", tenant_id, "keys", key_id), parse=no_answer)


def _wanted(name: str, permissions: Iterable[str], expires_at: datetime | None) -> dict[str, Any]:
    document: dict[str, Any] = {"name": name, "permissions": list(permissions)}
    if expires_at is not None:
        if expires_at.tzinfo is None:
            raise ValueError("expires_at needs a time zone, for example datetime.now(UTC)")
        document["expires_at"] = expires_at.astimezone(UTC)
    return document
