"""From a bearer token to a principal.

What a process has learnt of a token it remembers for some seconds, as long as it hears what other processes announce:
an ended session, a disabled account or a changed role drops everything remembered at the commit's announcement. A
process that cannot hear remembers nothing.
"""

import asyncio
import time
from collections import OrderedDict
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
import structlog

from bailee.access.errors import TenantClosed
from bailee.access.gates import Gates
from bailee.access.model import AccountKind, AccountState, SessionKind
from bailee.access.networks import is_within, network_of
from bailee.access.permissions import TENANT_CLOSING, TENANT_ROLES, expand, staff_permissions
from bailee.access.provider import store as client_rows
from bailee.access.provider.store import ClientCheck
from bailee.access.store import accounts as account_rows
from bailee.access.store import keys as key_rows
from bailee.access.store import sessions as session_rows
from bailee.access.store.keys import KeyCheck
from bailee.access.store.sessions import SessionCheck
from bailee.access.tokens import ACCESS, API_KEY, SESSION, Parsed, same
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database, OperatorReader
from bailee.foundation.errors import Error
from bailee.foundation.ids import TenantId
from bailee.foundation.principal import ActorKind, Principal, Unauthenticated, anonymous
from bailee.foundation.revocation import CHANNEL
from bailee.foundation.settings import Access
from bailee.tenants.model import PLANS, TenantState

log = structlog.get_logger()

_TOUCH = timedelta(minutes=1)
_STEP_UP = timedelta(minutes=5)
_REMEMBERED_SECONDS = 20.0
_REMEMBERED = 10_000
_OTHER_NETWORK = "This tenant does not let in the network that you come from."


class Caller(msgspec.Struct, frozen=True):
    """Where a request comes from."""

    address: str | None
    request_id: UUID
    device: str = ""


class _Known(msgspec.Struct, frozen=True):
    """What a token was found to be worth, before time, address and tenant policy are looked at."""

    key: KeyCheck | None
    session: SessionCheck | None
    unmet: tuple[str, ...]
    learnt: float
    client: ClientCheck | None = None


class Authenticator:
    """Knows who a token speaks for."""

    def __init__(self, database: Database, gates: Gates, limits: Access, clock: Clock) -> None:
        self._database = database
        self._gates = gates
        self._limits = limits
        self._clock = clock
        self._remembered: OrderedDict[Parsed, _Known] = OrderedDict()
        self._hears = False
        self._generation = 0
        database.on_announcement(CHANNEL, self.forget)

    async def authenticate(self, token: str | None, caller: Caller) -> Principal:
        """The principal of a token, or nobody without one.

        Raises Unauthenticated for a token that is not good, TenantClosed for a key whose tenant is not active.
        """
        if token is None:
            return anonymous(caller.address, caller.request_id, caller.device)
        if parsed := API_KEY.parse(token):
            return await self._by_key(parsed, caller)
        if parsed := SESSION.parse(token):
            return await self._by_session(parsed, caller)
        if parsed := ACCESS.parse(token):
            return await self._by_client(parsed, caller)
        raise _refused()

    async def listen(self) -> None:
        """Forgets what is out of date elsewhere. Runs until cancelled; while it cannot hear, nothing is remembered."""
        while True:
            try:
                async with self._database.session() as connection:
                    await connection.execute(f"LISTEN {CHANNEL}".encode())
                    self.forget()
                    self._hears = True
                    async for _notice in connection.notifies():
                        self.forget()
            except asyncio.CancelledError:
                raise
            except Error:
                pass
            except Exception:  # whatever ended the channel, the answer is the same: remember nothing, and listen again
                log.warning("access channel lost", exc_info=True)
            finally:
                self._hears = False
                self.forget()
            await asyncio.sleep(0.5)

    # --- API keys -------------------------------------------------------------------------------------

    async def _by_key(self, token: Parsed, caller: Caller) -> Principal:
        # The tenant is the token's claim: it opens a view in which only a key of that tenant can be found.
        tenant = TenantId(token.ids[0])
        known = self._recall(token)
        key = known.key if known else None
        now = self._clock.now()
        if key is None or key.last_used_at is None or now - key.last_used_at > _TOUCH:
            generation = self._generation
            async with self._database.tenant_read(tenant) as tx:
                key = await key_rows.find_key_check(tx, token.id)
            # An unknown key is compared too, so that it takes as long.
            if not same(token.digest, key.digest if key else bytes(32)) or key is None or key.revoked_at:
                raise _refused()
            if key.last_used_at is None or now - key.last_used_at > _TOUCH:
                async with self._database.tenant(tenant) as writer:
                    await key_rows.touch_key(writer, token.id)
                key = msgspec.structs.replace(key, last_used_at=now)
            self._remember(token, _Known(key, None, (), time.monotonic()), generation)
        if key.expires_at and key.expires_at <= now:
            raise _refused()
        return Principal(
            ActorKind.KEY, str(token.id), _left(expand(key.permissions), key.state), tenant, address=caller.address,
            request_id=caller.request_id, device=caller.device,
        )  # fmt: skip

    # --- access tokens of clients ---------------------------------------------------------------------

    async def _by_client(self, token: Parsed, caller: Caller) -> Principal:
        # As with a key, the tenant is a claim that opens a view of that tenant's clients alone.
        tenant = TenantId(token.ids[0])
        known = self._recall(token)
        client = known.client if known else None
        if client is None:
            generation = self._generation
            async with self._database.tenant_read(tenant) as tx:
                client = await client_rows.find_client_check(tx, token.id)
            if not same(token.digest, client.digest if client else bytes(32)) or client is None:
                raise _refused()
            self._remember(token, _Known(None, None, (), time.monotonic(), client), generation)
        if client.expires_at <= self._clock.now():
            raise _refused()
        return Principal(
            ActorKind.CLIENT, str(client.client_id), _left(expand(client.scopes), client.state), tenant,
            address=caller.address, request_id=caller.request_id, device=caller.device,
        )  # fmt: skip

    # --- sessions -------------------------------------------------------------------------------------

    async def _by_session(self, token: Parsed, caller: Caller) -> Principal:
        known = self._recall(token)
        now = self._clock.now()
        if known is None or known.session is None or now - known.session.seen_at > _TOUCH:
            known = await self._examine(token, now)
        session = known.session
        if session is None or session.expires_at <= now:
            raise _refused()
        stepped_up = session.mfa_at is not None and now - session.mfa_at <= _STEP_UP
        if session.kind is AccountKind.STAFF:
            permissions = frozenset() if known.unmet else staff_permissions([*session.roles, *session.elevated])
            return _principal(ActorKind.STAFF, session, permissions, known.unmet, caller, stepped_up=stepped_up)
        if session.role_changed_at is not None and session.created_at < session.role_changed_at:
            raise _refused()
        unmet = (*known.unmet, *tenant_demands(session, caller.address, now, mfa=self._limits.member_mfa))
        permissions = _in_spite_of(unmet, session) if unmet else _member_permissions(session)
        return _principal(ActorKind.MEMBER, session, permissions, unmet, caller, stepped_up=stepped_up)

    async def _examine(self, token: Parsed, now: datetime) -> _Known:
        """Looks a session up. Raises Unauthenticated."""
        generation = self._generation
        async with self._database.operator_read() as tx:
            session = await session_rows.find_check(tx, token.id)
            matches = same(token.digest, session.digest if session else bytes(32))
            if session is None or not matches or session.expires_at <= now:
                raise _refused()
            if now - session.seen_at > self._idle(session):
                raise _refused()
            if not _is_open(session):
                raise _refused()
            unmet = await self._unmet(tx, session)
        if now - session.seen_at > _TOUCH:
            async with self._database.operator() as writer:
                await session_rows.touch_session(writer, token.id)
                await account_rows.touch(writer, session.account_id)
            session = msgspec.structs.replace(session, seen_at=now)
        known = _Known(None, session, unmet, time.monotonic())
        if not session.elevated:  # an elevation ends to the second
            self._remember(token, known, generation)
        return known

    def _idle(self, session: SessionCheck) -> timedelta:
        """How long a session may rest: a tenant can ask for less than the operator does, not for more."""
        ours = self._limits.idle_minutes
        return timedelta(minutes=min(ours, session.idle_minutes or ours))

    async def _unmet(self, tx: OperatorReader, session: SessionCheck) -> tuple[str, ...]:
        if session.kind is AccountKind.STAFF:
            return await self._gates.unmet(tx, session)
        return ()

    # --- what is remembered ---------------------------------------------------------------------------

    # Under the whole token: its ids are a claim, which the secret alone does not bear out.

    def _recall(self, token: Parsed) -> _Known | None:
        known = self._remembered.get(token)
        if known is None or not self._hears or time.monotonic() - known.learnt > _REMEMBERED_SECONDS:
            return None
        return known

    def _remember(self, token: Parsed, known: _Known, generation: int) -> None:
        """Keeps what was read, unless something was announced since the reading began: it may have been older."""
        if not self._hears or generation != self._generation:
            return
        self._remembered[token] = known
        if len(self._remembered) > _REMEMBERED:
            self._remembered.popitem(last=False)

    def forget(self) -> None:
        """Forgets everything remembered, and everything that is being read at this moment."""
        self._generation += 1
        self._remembered.clear()


def _is_open(session: SessionCheck) -> bool:
    """Whether the account may have this session: one that is being set up, nothing but a session to enrol in."""
    enrolling = session.session_kind is SessionKind.ENROLMENT and session.state is AccountState.PENDING
    return enrolling or session.state is AccountState.ACTIVE


def _refused() -> Unauthenticated:
    return Unauthenticated("The token is not valid: unknown, expired or revoked.")


def _left(permissions: frozenset[str], state: TenantState) -> frozenset[str]:
    """What the tenant's state leaves of permissions. Raises TenantClosed."""
    if state is TenantState.ACTIVE:
        return permissions
    if state is TenantState.TERMINATING:
        return permissions & TENANT_CLOSING
    raise TenantClosed(f"This tenant is {state.value}. Ask whoever runs the service.")


def tenant_demands(session: SessionCheck, address: str | None, now: datetime, *, mfa: bool) -> tuple[str, ...]:
    """What keeps a member from working in the session's tenant, in words; `mfa` is what the operator demands of all."""
    if session.tenant_id is None or session.member_state is None:
        return ("You do not belong to a tenant. Ask its administrator for an invitation.",)
    if session.member_state != "active":
        return ("Your access to this tenant is disabled. Ask its administrator.",)
    if session.tenant_state in (TenantState.SUSPENDED, TenantState.TERMINATED):
        return ("This tenant is not active. Ask whoever runs the service.",)
    found = []
    if session.networks and not is_within(address, map(network_of, session.networks)):
        found.append(_OTHER_NETWORK)
    if session.sso_tenant_id not in (None, session.tenant_id):
        found.append("You came through another tenant's identity provider. Sign in with your own password or passkey.")
    # Owners come in by themselves too, with a second factor: somebody has to when the identity provider is away.
    owner_with_mfa = session.member_role == "owner" and session.mfa_at is not None
    has_sso = "sso" in PLANS.get(session.plan or "", ())
    if session.require_sso and has_sso and session.sso_tenant_id != session.tenant_id and not owner_with_mfa:
        found.append("This tenant asks you to sign in through its identity provider.")
    elif (mfa or session.require_mfa) and session.mfa_at is None and session.sso_tenant_id != session.tenant_id:
        found.append("This tenant asks for a second factor: enrol one under your account, or sign in with it.")
    if session.weak_password:
        found.append("This tenant asks for a stronger password: choose a new one under your account.")
    if session.session_hours and now - session.created_at > timedelta(hours=session.session_hours):
        found.append("Your session is older than this tenant allows. Sign in again.")
    return tuple(found)


def _in_spite_of(unmet: tuple[str, ...], session: SessionCheck) -> frozenset[str]:
    """What is left to somebody who does not meet the demands. An owner who comes from elsewhere can mend the list of
    networks: a network changes, or was mistyped, and nobody else could let them in again.
    """
    if unmet == (_OTHER_NETWORK,) and session.member_role == "owner" and session.mfa_at is not None:
        return frozenset({"policy.read", "policy.change"})
    return frozenset()


def _member_permissions(session: SessionCheck) -> frozenset[str]:
    role = TENANT_ROLES.get(session.member_role or "")
    granted = role.permissions if role else expand(session.custom or [])
    return granted & TENANT_CLOSING if session.tenant_state is TenantState.TERMINATING else granted


def _principal(
    kind: ActorKind, session: SessionCheck, permissions: frozenset[str], unmet: tuple[str, ...], caller: Caller, *,
    stepped_up: bool,
) -> Principal:  # fmt: skip
    # Whoever is no member any more leaves nothing in the tenant's log either.
    tenant = session.tenant_id if session.member_state is not None else None
    lent = permissions - staff_permissions(session.roles) if kind is ActorKind.STAFF else frozenset()
    return Principal(
        kind, str(session.account_id), permissions, tenant, address=caller.address,
        request_id=caller.request_id, device=caller.device, session_id=session.session_id, stepped_up=stepped_up,
        lent=lent, proof=session.digest, unmet=unmet,
    )  # fmt: skip
