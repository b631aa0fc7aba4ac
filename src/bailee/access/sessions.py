"""Sessions: begun, renewed under a new token, moved between tenants, listed and ended.

A session's token is opaque and stored as a hash. It is replaced whenever what the session is worth changes (at
sign-in, step-up, enrolment, change of tenant), so that a token learnt before is dead. Every process asks the database
who a token speaks for, or is told when what it remembers is out of date, so an ended session is ended everywhere.
"""

from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from bailee.access.devices import name_of
from bailee.access.errors import FreshSignInRequired, SignInOver
from bailee.access.model import AccountKind, OwnTenant, Session, SessionKind, StartedSession
from bailee.access.permissions import staff_permissions
from bailee.access.store import accounts as account_rows
from bailee.access.store import members as member_rows
from bailee.access.store import sessions as rows
from bailee.access.tokens import DEVICE, SESSION
from bailee.events import Events, Object, verb
from bailee.events.catalogue import (
    EverySessionEnded,
    Factor,
    MfaEnrolmentBegun,
    SessionsEnded,
    SessionsEndedForSomebody,
    SignedIn,
    SignedOut,
    SteppedUp,
    TenantSwitched,
)
from bailee.events.verbs import OWN, SYSTEM, WITHIN
from bailee.foundation.clock import Clock
from bailee.foundation.database import OperatorReader, OperatorWriter
from bailee.foundation.errors import NotFound
from bailee.foundation.ids import TenantId, new_id
from bailee.foundation.principal import ActorKind, Forbidden, Principal
from bailee.foundation.revocation import announce
from bailee.foundation.settings import Access
from bailee.tenants.model import TenantState

MFA_FACTORS = frozenset({"totp", "passkey", "recovery_code"})
_SEALED_LIFE = timedelta(hours=1)
_ENROLMENT_LIFE = timedelta(minutes=30)
_FRESH = timedelta(minutes=5)
"""For so long a sign-in counts as a fresh one, where there is no second factor to ask for."""
MOST = 1000
"""Sessions of one account at a time; past that those that have rested longest end."""


class Start(msgspec.Struct, frozen=True):
    """How a session begins."""

    account_id: UUID
    factors: list[Factor]
    kind: SessionKind
    mfa: bool = False
    """Whether a second factor was shown just now."""
    weak_password: bool = False
    sealed: bool = False
    tenant: TenantId | None = None
    """Where to begin; default the first tenant of a member."""
    via_sso: TenantId | None = None
    """The tenant whose identity provider vouched for the person."""
    new_device: bool = False
    epoch: int | None = None
    """The account's when what is shown was examined, if that was in another transaction or without its row."""


class Sessions:
    """Everybody's sessions."""

    def __init__(self, events: Events, limits: Access, clock: Clock) -> None:
        self._events = events
        self._limits = limits
        self._clock = clock

    @verb(SignedIn, permission=WITHIN)
    async def start(self, tx: OperatorWriter, start: Start, *, by: Principal) -> StartedSession:
        """A new session with a new token. Whoever calls this has verified the factors. Raises SignInOver for an account
        that is not active (any more), or has come to another epoch.
        """
        if not await account_rows.begin_use(tx, start.account_id, start.epoch):
            raise SignInOver
        account = await account_rows.find_account(tx, start.account_id)
        if account is None:
            raise SignInOver
        await self._end_earlier(tx, by)
        session_id = new_id()
        token, digest = SESSION.new(session_id)
        tenant = start.tenant or start.via_sso or await self._first_tenant(tx, start.account_id, account.kind)
        life = _SEALED_LIFE if start.sealed else timedelta(hours=self._limits.session_hours)
        policy = await member_rows.find_policy(tx, tenant) if tenant else None
        if policy is not None:
            life = min(life, timedelta(hours=policy.session_hours))
        expires_at = self._clock.now() + life
        await rows.insert_session(
            tx, session_id, start.account_id, digest, kind=start.kind.value, device=by.device, address=by.address,
            factors=list(start.factors), mfa=start.mfa, weak_password=start.weak_password, tenant=tenant,
            sso=start.via_sso, expires_at=expires_at,
        )  # fmt: skip
        device = None
        if start.new_device:
            device_id = new_id()
            device, device_digest = DEVICE.new(device_id)
            await rows.insert_device(tx, device_id, start.account_id, device_digest)
        kind = ActorKind.STAFF if account.kind is AccountKind.STAFF else ActorKind.MEMBER
        actor = Principal(kind, str(start.account_id), address=by.address, request_id=by.request_id)
        await self._events.record(
            tx,
            SignedIn(start.factors, name_of(by.device)),
            by=actor,
            on=Object("session", str(session_id)),
            tenant=tenant,
        )
        if ended := await rows.delete_resting_sessions(tx, start.account_id, MOST):
            on = Object("account", str(start.account_id))
            await self._events.record(tx, SessionsEnded(ended), by=actor, on=on, tenant=tenant)
        return StartedSession(token, expires_at, account, device)

    @verb(MfaEnrolmentBegun, permission=WITHIN)
    async def start_enrolment(self, tx: OperatorWriter, account_id: UUID, *, by: Principal) -> StartedSession:
        """Half an hour for a person who has shown a password and a mailed link: to enrol a factor, nothing else."""
        account = await account_rows.find_account(tx, account_id)
        if account is None:
            raise SignInOver
        await self._end_earlier(tx, by)
        session_id = new_id()
        token, digest = SESSION.new(session_id)
        expires_at = self._clock.now() + _ENROLMENT_LIFE
        await rows.insert_session(
            tx, session_id, account_id, digest, kind=SessionKind.ENROLMENT.value, device=by.device, address=by.address,
            factors=["password"], mfa=False, weak_password=False, tenant=None, sso=None, expires_at=expires_at,
        )  # fmt: skip
        await self._events.record(tx, MfaEnrolmentBegun("any"), by=by, on=Object("account", str(account_id)))
        return StartedSession(token, expires_at, account)

    @verb(SteppedUp, permission=OWN)
    async def renew(self, tx: OperatorWriter, *, factors: list[Factor], by: Principal) -> StartedSession:
        """The caller's session under a new token, with factors shown just now. The old token is dead.

        Raises SignInOver when the session has ended or was renewed meanwhile.
        """
        mfa = not MFA_FACTORS.isdisjoint(factors)
        started = await self._replace(tx, by, factors, mfa=mfa, tenant=by.tenant_id)
        on = Object("session", str(by.session_id))
        await self._events.record(tx, SteppedUp(factors), by=by, on=on, tenant=by.tenant_id)
        return started

    @verb(TenantSwitched, permission=OWN)
    async def switch_tenant(self, tx: OperatorWriter, tenant: UUID, *, by: Principal) -> StartedSession:
        """Moves the caller's session to another tenant that the person belongs to. Raises NotFound, or Forbidden for a
        session that a tenant's identity provider began: it speaks for the person there, and nowhere else.
        """
        stay = await rows.find_stay(tx, by.session_id) if by.session_id else None
        if stay is not None and stay.via_sso not in (None, tenant):
            raise Forbidden("Your company signed you in, for itself alone. Sign in with your password to go elsewhere.")
        for own in await member_rows.list_own_tenants(tx, by.account_id):
            if own.id == tenant:
                started = await self._replace(tx, by, [], mfa=False, tenant=own.id)
                on = Object("session", str(by.session_id))
                await self._events.record(tx, TenantSwitched(), by=by, on=on, tenant=own.id)
                return started
        raise NotFound

    async def verify_own_way(self, tx: OperatorReader, *, by: Principal) -> rows.Stay:
        """The caller's stay. Raises SignInOver, or Forbidden in a session that a tenant's identity provider began: it
        speaks for the person there, and about nothing that is theirs everywhere.
        """
        stay = await rows.find_stay(tx, by.session_id) if by.session_id else None
        if stay is None:
            raise SignInOver
        if stay.via_sso is not None:
            raise Forbidden("Your company signed you in. Sign in with your password to change your account.")
        return stay

    async def own_tenants(self, tx: OperatorReader, *, by: Principal) -> list[OwnTenant]:
        """Where the caller belongs; in a session that a tenant's identity provider began, that tenant alone."""
        stay = await rows.find_stay(tx, by.session_id) if by.session_id else None
        only = stay.via_sso if stay else None
        found = await member_rows.list_own_tenants(tx, by.account_id)
        return [msgspec.structs.replace(one, current=one.id == by.tenant_id) for one in found if only in (None, one.id)]

    async def end_of(self, tx: OperatorReader, *, by: Principal) -> datetime:
        """When the caller's session ends at the latest. Raises NotFound."""
        stay = await rows.find_stay(tx, by.session_id) if by.session_id else None
        if stay is None:
            raise NotFound
        return stay.expires_at

    async def own(self, tx: OperatorReader, *, by: Principal) -> list[Session]:
        """The caller's sessions, the last used first; in one that an identity provider began, those that it began."""
        stay = await rows.find_stay(tx, by.session_id) if by.session_id else None
        found = await rows.list_sessions(tx, by.account_id, vouched_by=stay.via_sso if stay else None)
        return [msgspec.structs.replace(one, current=one.id == by.session_id) for one in found]

    @verb(SignedOut, permission=OWN)
    async def sign_out(self, tx: OperatorWriter, *, by: Principal) -> None:
        """Ends the caller's session. Raises NotFound."""
        await self._end(tx, by.session_id, by)

    @verb(SignedOut, permission=OWN)
    async def end(self, tx: OperatorWriter, session_id: UUID, *, by: Principal) -> None:
        """Ends one of the caller's sessions. Raises NotFound, as for somebody else's; for another than the one at hand
        StepUpRequired or FreshSignInRequired, so that a stolen token does not throw its owner out.
        """
        if session_id != by.session_id:
            await self._verify_fresh(tx, by)
        await self._end(tx, session_id, by)

    @verb(SessionsEnded, permission=OWN)
    async def end_others(self, tx: OperatorWriter, *, by: Principal) -> int:
        """Ends the caller's other sessions, and answers how many. Raises StepUpRequired, FreshSignInRequired."""
        await self._verify_fresh(tx, by)
        count = await rows.delete_sessions(tx, by.account_id, but=by.session_id)
        await account_rows.touch(tx, by.account_id)
        await announce(tx)
        await self._events.record(tx, SessionsEnded(count), by=by, on=Object("account", by.id), tenant=by.tenant_id)
        return count

    @verb(SessionsEndedForSomebody, permission="sessions.end")
    async def end_all(self, tx: OperatorWriter, account_id: UUID, *, by: Principal) -> int:
        """Ends every session of somebody, known browsers too; for the suspicion that one was stolen. Raises
        NotFound, or Forbidden for an owner's and for the sealed account's.
        """
        account = await account_rows.find_account(tx, account_id)
        if account is None:
            raise NotFound
        if account.sealed:
            raise Forbidden("The emergency account's session ends by itself within the hour, or when it is sealed.")
        if "owner" in account.roles and not all(by.may(one) for one in staff_permissions(["owner"])):
            raise Forbidden("This is an owner's account. Ask another owner.")
        count = await rows.delete_sessions(tx, account_id)
        await rows.delete_devices(tx, account_id)
        await announce(tx)
        await self._events.record(tx, SessionsEndedForSomebody(count), by=by, on=Object("account", str(account_id)))
        return count

    @verb(EverySessionEnded, permission=SYSTEM)
    async def end_everybody(self, tx: OperatorWriter, *, by: Principal) -> int:
        """Ends all sessions, tokens and sign-ins under way: in a restored copy those are back that had been ended."""
        count = await rows.delete_every_session(tx)
        await announce(tx)
        await self._events.record(tx, EverySessionEnded(count), by=by)
        return count

    # --- inside ---------------------------------------------------------------------------------------

    async def _end_earlier(self, tx: OperatorWriter, by: Principal) -> None:
        """Ends the session that came with a sign-in: in the browser the new token takes its place, and nobody would
        miss the old one.
        """
        if by.session_id is not None and await rows.delete_session(tx, by.session_id):
            on = Object("session", str(by.session_id))
            await self._events.record(tx, SignedOut(), by=by, on=on, tenant=by.tenant_id)

    async def _verify_fresh(self, tx: OperatorReader, by: Principal) -> None:
        """That the caller has shown a second factor a moment ago, or has just signed in where there is none."""
        stay = await self.verify_own_way(tx, by=by)
        account = await account_rows.find_account(tx, by.account_id)
        if account is None:
            raise SignInOver
        if account.mfa:
            by.require_step_up()
        elif self._clock.now() - stay.created_at > _FRESH:
            raise FreshSignInRequired

    async def _replace(
        self, tx: OperatorWriter, by: Principal, factors: list[Factor], *, mfa: bool, tenant: TenantId | None
    ) -> StartedSession:
        stay = await rows.find_stay(tx, by.session_id) if by.session_id else None
        if stay is None or by.session_id is None:
            raise SignInOver
        token, digest = SESSION.new(by.session_id)
        # Against the token that was shown: one that was replaced meanwhile gets nothing out of the session.
        if not await rows.step_up(tx, by.session_id, by.proof, digest, list(factors), tenant=tenant, mfa=mfa):
            raise SignInOver
        await announce(tx)
        account = await account_rows.find_account(tx, stay.account_id)
        if account is None:
            raise SignInOver
        return StartedSession(token, stay.expires_at, account)

    async def _end(self, tx: OperatorWriter, session_id: UUID | None, by: Principal) -> None:
        if session_id is None or not await rows.delete_session(tx, session_id, by.account_id):
            raise NotFound
        await announce(tx)
        await self._events.record(tx, SignedOut(), by=by, on=Object("session", str(session_id)), tenant=by.tenant_id)

    async def _first_tenant(self, tx: OperatorReader, account_id: UUID, kind: AccountKind) -> TenantId | None:
        if kind is AccountKind.STAFF:
            return None
        tenants = await member_rows.list_own_tenants(tx, account_id)
        open_ones = [one for one in tenants if one.state is not TenantState.SUSPENDED] or tenants
        return open_ones[0].id if open_ones else None
