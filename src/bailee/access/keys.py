"""API keys: issue, list, revoke."""

import unicodedata
from datetime import datetime
from uuid import UUID

import msgspec

from bailee.access import store
from bailee.access.model import ApiKey, IssuedApiKey
from bailee.access.permissions import TENANT_PERMISSIONS
from bailee.access.tokens import new_key_token
from bailee.events import Events, Object, verb
from bailee.events.catalogue import ApiKeyIssued, ApiKeyRevoked
from bailee.foundation.clock import Clock
from bailee.foundation.database import TenantReader, TenantWriter
from bailee.foundation.errors import Conflict, FieldError, Invalid, NotFound
from bailee.foundation.ids import new_id
from bailee.foundation.principal import ActorKind, Forbidden, Principal

_MAX_NAME = 100


class ApiKeys:
    """The keys of one tenant at a time."""

    def __init__(self, events: Events, clock: Clock) -> None:
        self._events = events
        self._clock = clock

    @verb(ApiKeyIssued)
    async def issue(
        self, tx: TenantWriter, *, name: str, permissions: list[str], expires_at: datetime | None, by: Principal
    ) -> IssuedApiKey:
        """A new key, with the token that is never shown again.

        Raises Invalid, and Forbidden when a key would grant what it does not hold itself.
        """
        self._verify(name, permissions, expires_at)
        if by.kind is ActorKind.KEY and not set(permissions) <= by.permissions:
            raise Forbidden("A key cannot grant permissions that it does not hold.")
        key_id = new_id()
        token, digest = new_key_token(tx.tenant, key_id)
        await store.insert_key(tx, key_id, name.strip(), digest, sorted(set(permissions)), expires_at)
        details = ApiKeyIssued(sorted(set(permissions)), expires_at is not None)
        await self._events.record(tx, details, by=by, on=Object("api_key", str(key_id)))
        key = await self.get(tx, key_id)
        return IssuedApiKey(**msgspec.structs.asdict(key), token=token)

    async def get(self, tx: TenantReader, key_id: UUID) -> ApiKey:
        """Raises NotFound."""
        key = await store.find_key(tx, key_id)
        if key is None:
            raise NotFound
        return key

    async def page(self, tx: TenantReader, *, after: UUID | None = None, limit: int = 100) -> list[ApiKey]:
        """Keys in the order they were made, revoked ones among them."""
        return await store.list_keys(tx, after=after, limit=limit)

    @verb(ApiKeyRevoked)
    async def revoke(self, tx: TenantWriter, key_id: UUID, *, by: Principal) -> None:
        """Ends a key: from the commit on no process accepts it. Raises NotFound or Conflict."""
        await self.get(tx, key_id)
        if not await store.revoke_key(tx, key_id):
            raise Conflict("That key is revoked already.")
        await self._events.record(tx, ApiKeyRevoked(), by=by, on=Object("api_key", str(key_id)))

    def _verify(self, name: str, permissions: list[str], expires_at: datetime | None) -> None:
        errors = []
        if not name.strip() or len(name) > _MAX_NAME or any(unicodedata.category(c).startswith("C") for c in name):
            errors.append(FieldError("name", f"Give a name of 1 to {_MAX_NAME} printable characters."))
        unknown = sorted(set(permissions) - TENANT_PERMISSIONS)
        if unknown or not permissions:
            errors.append(
                FieldError("permissions", f"Choose at least one of: {', '.join(sorted(TENANT_PERMISSIONS))}.")
            )
        if expires_at is not None and (expires_at.tzinfo is None or expires_at <= self._clock.now()):
            errors.append(FieldError("expires_at", "Give a moment in the future, with its time zone."))
        if errors:
            raise Invalid("The key is not valid.", errors=errors)
