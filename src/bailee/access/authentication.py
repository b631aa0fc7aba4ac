"""From a bearer token to a principal. Nothing is remembered between requests: what is revoked is out at once."""

from datetime import timedelta
from uuid import UUID

from bailee.access import store
from bailee.access.errors import TenantClosed
from bailee.access.model import AccountState
from bailee.access.permissions import STAFF_ROLES
from bailee.access.store import KeyCheck
from bailee.access.tokens import KeyToken, SessionToken, parse_key_token, parse_session_token, same
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database
from bailee.foundation.ids import TenantId
from bailee.foundation.principal import ActorKind, Principal, Unauthenticated, anonymous
from bailee.tenants.model import TenantState

_IDLE = timedelta(hours=1)
_TOUCH = timedelta(minutes=1)
_READING = frozenset({"read"})


class Authenticator:
    """Knows who a token speaks for."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def authenticate(self, token: str | None, address: str | None, request_id: UUID) -> Principal:
        """The principal of a token, or nobody without one. Raises Unauthenticated for a token that is not good."""
        if token is None:
            return anonymous(address, request_id)
        key = parse_key_token(token)
        if key is not None:
            return await self._by_key(key, address, request_id)
        session = parse_session_token(token)
        if session is not None:
            return await self._by_session(session, address, request_id)
        raise _refused()

    async def _by_key(self, token: KeyToken, address: str | None, request_id: UUID) -> Principal:
        # The tenant is the token's claim: it opens a view in which only a key of that tenant can be found.
        tenant = TenantId(token.tenant)
        async with self._database.tenant_read(tenant) as tx:
            key = await store.find_key_check(tx, token.key_id)
        now = self._clock.now()
        # An unknown key is compared too, so that it takes as long.
        matches = same(token.digest, key.digest if key else bytes(32))
        if key is None or not matches or key.revoked_at or (key.expires_at and key.expires_at <= now):
            raise _refused()
        if key.last_used_at is None or now - key.last_used_at > _TOUCH:
            async with self._database.tenant(tenant) as writer:
                await store.touch_key(writer, token.key_id)
        return Principal(
            ActorKind.KEY, str(token.key_id), _allowed(key), tenant, address=address, request_id=request_id
        )

    async def _by_session(self, token: SessionToken, address: str | None, request_id: UUID) -> Principal:
        async with self._database.operator_read() as tx:
            session = await store.find_session(tx, token.session_id)
        now = self._clock.now()
        matches = same(token.digest, session.digest if session else bytes(32))
        if session is None or not matches or session.expires_at <= now or now - session.seen_at > _IDLE:
            raise _refused()
        if session.state is not AccountState.ACTIVE:
            raise _refused()
        if now - session.seen_at > _TOUCH:
            async with self._database.operator() as writer:
                await store.touch_session(writer, token.session_id)
        permissions = STAFF_ROLES.get(session.role, frozenset())
        return Principal(
            ActorKind.STAFF, str(session.account_id), permissions,
            address=address, request_id=request_id, session_id=session.id,
        )  # fmt: skip


def _refused() -> Unauthenticated:
    return Unauthenticated("The token is not valid: unknown, expired or revoked.")


def _allowed(key: KeyCheck) -> frozenset[str]:
    """What the tenant's state leaves of a key's permissions."""
    if key.state is TenantState.ACTIVE:
        return frozenset(key.permissions)
    if key.state is TenantState.TERMINATING:
        return frozenset(p for p in key.permissions if p.partition(":")[2] in _READING)
    raise TenantClosed(f"This tenant is {key.state.value}. Ask whoever runs the service.")
