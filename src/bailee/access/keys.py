"""API keys: issued, rotated with an overlap, revoked."""

import unicodedata
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from bailee.access.model import ApiKey, IssuedApiKey
from bailee.access.permissions import SCOPES, expand, may_hand_out
from bailee.access.store import keys as store
from bailee.access.store import members
from bailee.access.tokens import API_KEY
from bailee.events import Events, Object, verb
from bailee.events.catalogue import ApiKeyIssued, ApiKeyRevoked, ApiKeyRotated
from bailee.foundation.clock import Clock
from bailee.foundation.database import TenantReader, TenantWriter
from bailee.foundation.errors import Conflict, FieldError, Invalid, NotFound
from bailee.foundation.ids import new_id
from bailee.foundation.principal import Forbidden, Principal
from bailee.foundation.revocation import announce

_MAX_NAME = 100
LONGEST_LIFE = timedelta(days=3650)
EXPIRY_RULE = "Give a moment within the next ten years, with its time zone."
_LONGEST_OVERLAP = 720


class ApiKeys:
    """The keys of one tenant at a time."""

    def __init__(self, events: Events, clock: Clock) -> None:
        self._events = events
        self._clock = clock

    @verb(ApiKeyIssued, permission="keys.issue", step_up=True)
    async def issue(
        self, tx: TenantWriter, *, name: str, permissions: list[str], expires_at: datetime | None, by: Principal
    ) -> IssuedApiKey:
        """A new key, with the token that is never shown again. `permissions` are scopes, or single permissions.

        Raises Invalid, and Forbidden when it would grant what `by` does not hold.
        """
        self._verify(name, permissions, expires_at)
        if not may_hand_out(expand(permissions), by):
            raise Forbidden("A key cannot be given permissions that whoever issues it does not hold.")
        return await self._issue(tx, name, permissions, expires_at, by)

    @verb(ApiKeyIssued, permission="tenant_keys.provision", step_up=True, lasting=True)
    async def provision(
        self, tx: TenantWriter, *, name: str, permissions: list[str], expires_at: datetime | None, by: Principal
    ) -> IssuedApiKey:
        """A key that staff issue for the product of a tenant that has nobody yet. Raises Invalid, Conflict.

        Only while the tenant has no owner. The key reads what no role of staff reads; so from then on its own people
        issue keys, and see this one, its use and who issued it.
        """
        self._verify(name, permissions, expires_at)
        if await members.lock_owners(tx):
            raise Conflict("This tenant has an owner: its own people issue its keys.")
        return await self._issue(tx, name, permissions, expires_at, by)

    @verb(ApiKeyRotated, permission="keys.rotate", step_up=True)
    async def rotate(self, tx: TenantWriter, key_id: UUID, *, overlap_hours: int, by: Principal) -> IssuedApiKey:
        """A new key with the same name and permissions; the old one goes on for `overlap_hours` (0 to 720).

        The new one lasts as long as the old one was made for. Raises NotFound, Conflict, Invalid, Forbidden.
        """
        if not 0 <= overlap_hours <= _LONGEST_OVERLAP:
            message = f"Choose 0 to {_LONGEST_OVERLAP} hours."
            raise Invalid("The rotation is not valid.", errors=[FieldError("overlap_hours", message)])
        old = await self.get(tx, key_id)
        if not may_hand_out(expand(old.permissions), by):
            raise Forbidden("A key cannot be given permissions that whoever issues it does not hold.")
        now = self._clock.now()
        if not await store.end_key_at(tx, key_id, now + timedelta(hours=overlap_hours)):
            raise Conflict("That key is revoked or has expired. Issue a new one.")
        await announce(tx)
        expires_at = now + min(old.expires_at - old.created_at, LONGEST_LIFE) if old.expires_at else None
        issued = await self._issue(tx, old.name, old.permissions, expires_at, by, replaces=key_id)
        await self._events.record(tx, ApiKeyRotated(overlap_hours), by=by, on=Object("api_key", str(key_id)))
        return issued

    async def may_provision(self, tx: TenantReader, *, by: Principal) -> bool:
        """Whether `provision` is open to `by` in this tenant now."""
        return by.holds("tenant_keys.provision") and not await members.list_owners(tx)

    async def get(self, tx: TenantReader, key_id: UUID) -> ApiKey:
        """Raises NotFound."""
        key = await store.find_key(tx, key_id)
        if key is None:
            raise NotFound
        return key

    async def page(self, tx: TenantReader, *, after: UUID | None = None, limit: int = 100) -> list[ApiKey]:
        """Keys in the order they were made, revoked ones among them."""
        return await store.list_keys(tx, after=after, limit=limit)

    @verb(ApiKeyRevoked, permission="keys.revoke")
    async def revoke(self, tx: TenantWriter, key_id: UUID, *, by: Principal) -> None:
        """Ends a key: from the commit on no process accepts it. Raises NotFound or Conflict."""
        await self._revoke(tx, key_id, by)

    @verb(ApiKeyRevoked, permission="tenant_keys.withdraw")
    async def withdraw(self, tx: TenantWriter, key_id: UUID, *, by: Principal) -> None:
        """The same by staff, for a tenant. Raises NotFound or Conflict."""
        await self._revoke(tx, key_id, by)

    # --- inside ---------------------------------------------------------------------------------------

    async def _issue(
        self, tx: TenantWriter, name: str, permissions: list[str], expires_at: datetime | None, by: Principal,
        replaces: UUID | None = None,
    ) -> IssuedApiKey:  # fmt: skip
        key_id = new_id()
        token, digest = API_KEY.new(tx.tenant, key_id)
        chosen = sorted(set(permissions))
        await store.insert_key(tx, key_id, name.strip(), digest, chosen, expires_at, replaces)
        details = ApiKeyIssued(chosen, expires_at is not None)
        await self._events.record(tx, details, by=by, on=Object("api_key", str(key_id)))
        key = await self.get(tx, key_id)
        return IssuedApiKey(**msgspec.structs.asdict(key), token=token)

    async def _revoke(self, tx: TenantWriter, key_id: UUID, by: Principal) -> None:
        await self.get(tx, key_id)
        if not await store.revoke_key(tx, key_id):
            raise Conflict("That key is revoked already.")
        await announce(tx)
        await self._events.record(tx, ApiKeyRevoked(), by=by, on=Object("api_key", str(key_id)))

    def _verify(self, name: str, permissions: list[str], expires_at: datetime | None) -> None:
        errors = []
        if not name.strip() or len(name) > _MAX_NAME or any(unicodedata.category(c).startswith("C") for c in name):
            errors.append(FieldError("name", f"Give a name of 1 to {_MAX_NAME} printable characters."))
        if not permissions or not set(permissions) <= SCOPES.keys() | expand(SCOPES):
            message = f"Choose at least one of: {', '.join(sorted(SCOPES))}; or single permissions of these."
            errors.append(FieldError("permissions", message))
        if expires_at is not None and not is_expiry(expires_at, self._clock.now()):
            errors.append(FieldError("expires_at", EXPIRY_RULE))
        if errors:
            raise Invalid("The key is not valid.", errors=errors)


def is_expiry(moment: datetime, now: datetime) -> bool:
    """Whether a key or a secret may end then."""
    return moment.tzinfo is not None and now < moment <= now + LONGEST_LIFE
