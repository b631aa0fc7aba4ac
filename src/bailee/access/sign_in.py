"""Sign-in and step-up: what a person shows, and what it is worth.

Every attempt is counted before it is examined. Strangers' failures on an account close it to strangers for a while,
not to a browser that has signed in before, nor to a passkey: nobody can lock somebody else out.

These acts open their own transactions: a failure is recorded and must stay recorded, and no transaction waits while a
password is hashed.
"""

import ipaddress
from datetime import timedelta
from uuid import UUID

import msgspec
import structlog

from bailee.access.addresses import SEALED, account_digest, normalise_email
from bailee.access.break_glass import ALARMED
from bailee.access.errors import SignInOver, SignInRefused, TooManyAttempts, WrongFactor
from bailee.access.factors import Factors
from bailee.access.letters import Letters
from bailee.access.model import (
    AccountKind,
    AccountState,
    Credentials,
    PasskeyChallenge,
    PendingSignIn,
    SessionKind,
    StartedSession,
    TenantPolicy,
)
from bailee.access.passwords import PasswordRules, Passwords, context_of
from bailee.access.sessions import Sessions, Start
from bailee.access.store import accounts as account_rows
from bailee.access.store import members as member_rows
from bailee.access.store import sessions as rows
from bailee.access.tokens import DEVICE, PENDING, Parsed, same
from bailee.encryption.hashing import PasswordHasher
from bailee.events import Events, Object
from bailee.events.catalogue import BreakGlassUsed, Factor, SignInFailed
from bailee.events.model import Outcome
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database, OperatorWriter
from bailee.foundation.errors import Invalid
from bailee.foundation.ids import new_id
from bailee.foundation.mail import Mail
from bailee.foundation.principal import Principal
from bailee.foundation.secrets import Secret

log = structlog.get_logger()

_PER_ADDRESS, _PER_ACCOUNT = 50, 10
_CHALLENGES_PER_ADDRESS = 300
_PENDING_LIFE = timedelta(minutes=10)
_WRONG_FACTORS = 5


class _Shown(msgspec.Struct, frozen=True):
    """A sign-in whose password was right."""

    credentials: Credentials
    attempt: UUID
    device: UUID | None
    weak_password: bool
    kind: SessionKind


class SignIn:
    """The way in."""

    def __init__(
        self, database: Database, events: Events, hasher: PasswordHasher, passwords: Passwords, sessions: Sessions,
        factors: Factors, mail: Mail, letters: Letters, clock: Clock,
    ) -> None:  # fmt: skip
        self._database = database
        self._events = events
        self._hasher = hasher
        self._passwords = passwords
        self._sessions = sessions
        self._factors = factors
        self._mail = mail
        self._letters = letters
        self._clock = clock

    # --- by password ----------------------------------------------------------------------------------

    async def by_password(
        self, *, email: str, password: Secret, code: str | None = None, device: str | None = None,
        kind: SessionKind, by: Principal,
    ) -> StartedSession | PendingSignIn:  # fmt: skip
        """A session, or a pending sign-in where the account has a second factor and `code` is not given with it.

        `device` is what an earlier sign-in of this browser was given. Raises SignInRefused or TooManyAttempts.
        """
        email = normalise_email(email)
        async with self._database.operator() as tx:
            known = await self._known_device(tx, email, device)
            attempt = await self._begin(tx, by.address, email, known)
            credentials = await account_rows.find_credentials(tx, email=email) if email else None
        usable = credentials is not None and credentials.state is AccountState.ACTIVE
        right = await self._hasher.verify(credentials.password_hash if credentials else None, password)
        if not (credentials and usable and right):
            await self._refuse("credentials", credentials, by)
            raise SignInRefused
        if credentials.kind is AccountKind.STAFF and not credentials.has_mfa and not credentials.sealed:
            await self._refuse("credentials", credentials, by)
            raise SignInRefused
        await self._rehash(credentials, password)
        weak = await self._is_weak(credentials, password)
        shown = _Shown(credentials, attempt, known, weak, kind)
        needs_factor = credentials.has_mfa or credentials.sealed
        if needs_factor and code is None:
            return await self._pend(shown)
        if needs_factor:
            return await self._with_code(shown, code or "", [], by, SignInRefused())
        async with self._database.operator() as tx:
            return await self._start(tx, shown, ["password"], by, mfa=False, attempts=[attempt])

    async def by_code(self, *, pending: str, code: str, kind: SessionKind, by: Principal) -> StartedSession:
        """The second step, with a code of the app or a recovery code. Raises WrongFactor, SignInOver, TooManyAttempts.

        After five wrong factors the sign-in is over.
        """
        token, found, credentials = await self._pending(pending)
        async with self._database.operator() as tx:
            attempt = await self._begin(tx, by.address, credentials.email, found.device_id)
        shown = _Shown(credentials, found.attempt_id, found.device_id, found.weak_password, kind)
        return await self._with_code(shown, code, [attempt], by, WrongFactor(), pending=token)

    async def passkey_for(self, *, pending: str) -> PasskeyChallenge:
        """What the browser is to answer as the second step. Raises SignInOver."""
        _token, _found, credentials = await self._pending(pending)
        async with self._database.operator() as tx:
            return await self._factors.passkey_challenge(tx, "second", credentials)

    async def by_passkey_after_password(
        self, *, pending: str, challenge_id: UUID, answer: bytes, kind: SessionKind, by: Principal
    ) -> StartedSession:
        """The second step, with a passkey. Raises WrongFactor or SignInOver."""
        token, found, credentials = await self._pending(pending)
        shown = _Shown(credentials, found.attempt_id, found.device_id, found.weak_password, kind)
        async with self._database.operator() as tx:
            who = await self._factors.examine_passkey(tx, "second", challenge_id, answer, credentials.id)
            if who is not None:
                if not await rows.use_pending(tx, token.id, found.epoch):
                    raise SignInOver
                return await self._start(tx, shown, ["password", "passkey"], by, mfa=True, attempts=[found.attempt_id])
        await self._fail(token, credentials, "passkey", by)
        raise WrongFactor

    # --- by passkey alone -----------------------------------------------------------------------------

    async def passkey_for_anyone(self, *, by: Principal) -> PasskeyChallenge:
        """What a browser is to answer that has a passkey for us: it names its account. Raises TooManyAttempts."""
        async with self._database.operator() as tx:
            # On a count of its own: asking is no attempt, and closes sign-in to nobody.
            asked = await rows.begin_attempt(
                tx,
                f"challenge {throttle_key(by.address)}",
                None,
                None,
                per_address=_CHALLENGES_PER_ADDRESS,
                per_account=1,
            )
            if asked is None:
                raise TooManyAttempts("Too many sign-ins were begun. Wait 15 minutes.", retry_after=900)
            return await self._factors.passkey_challenge(tx, "first", None)

    async def by_passkey(
        self, *, challenge_id: UUID, answer: bytes, kind: SessionKind, by: Principal
    ) -> StartedSession:
        """A session for a passkey that has verified its user: it counts as two factors. Raises SignInRefused."""
        async with self._database.operator() as tx:
            attempt = await self._begin(tx, by.address, None, None)
        async with self._database.operator() as tx:
            account_id = await self._factors.examine_passkey(tx, "first", challenge_id, answer, None)
            credentials = await account_rows.find_credentials(tx, account_id=account_id) if account_id else None
            if credentials is not None and credentials.state is AccountState.ACTIVE:
                shown = _Shown(credentials, attempt, None, weak_password=False, kind=kind)
                return await self._start(tx, shown, ["passkey"], by, mfa=True, attempts=[attempt])
        await self._refuse("passkey", credentials, by)
        raise SignInRefused

    # --- step-up --------------------------------------------------------------------------------------

    async def step_up_by_code(self, *, code: str, by: Principal) -> StartedSession:
        """The caller's session under a new token, worth a fresh second factor. Raises WrongFactor, TooManyAttempts."""
        credentials = await self._mine(by)
        async with self._database.operator() as tx:
            # Counted by session, as a known browser's: the stranger at the door has no part in it.
            attempt = await self._begin(tx, by.address, credentials.email, by.session_id)
        async with self._database.operator() as tx:
            examined = await self._factors.examine_code(tx, credentials, code)
            if examined.factor is not None:
                await rows.end_attempts(tx, [attempt])
                return await self._sessions.renew(tx, factors=[examined.factor], by=by)
        await self._refuse(examined.reason, credentials, by)
        raise WrongFactor

    async def passkey_for_step_up(self, *, by: Principal) -> PasskeyChallenge:
        """What the browser is to answer. Raises WrongFactor for somebody without a passkey."""
        credentials = await self._mine(by)
        if not credentials.passkeys:
            raise WrongFactor
        async with self._database.operator() as tx:
            return await self._factors.passkey_challenge(tx, "step_up", credentials)

    async def step_up_by_passkey(self, *, challenge_id: UUID, answer: bytes, by: Principal) -> StartedSession:
        """The same with a passkey. Raises WrongFactor."""
        credentials = await self._mine(by)
        async with self._database.operator() as tx:
            if await self._factors.examine_passkey(tx, "step_up", challenge_id, answer, credentials.id):
                return await self._sessions.renew(tx, factors=["passkey"], by=by)
        await self._refuse("passkey", credentials, by)
        raise WrongFactor

    async def verify_own_password(self, password: Secret, *, by: Principal) -> bool:
        """Whether it is the caller's. Attempts are counted as those of a step-up. Raises TooManyAttempts."""
        credentials = await self._mine(by)
        async with self._database.operator() as tx:
            attempt = await self._begin(tx, by.address, credentials.email, by.session_id)
        if not await self._hasher.verify(credentials.password_hash, password):
            await self._refuse("credentials", credentials, by)
            return False
        async with self._database.operator() as tx:
            await rows.end_attempts(tx, [attempt])
        return True

    async def count_attempt(self, email: str, link: UUID, *, by: Principal) -> None:
        """Counts a password shown with a mailed link, by link: nobody's way in closes by it. Raises TooManyAttempts."""
        async with self._database.operator() as tx:
            counted = await rows.begin_attempt(
                tx, f"links {throttle_key(by.address)}", account_digest(email), link,
                per_address=_PER_ADDRESS, per_account=_PER_ACCOUNT,
            )  # fmt: skip
        if counted is None:
            raise TooManyAttempts("Too many passwords were tried with this link. Wait 15 minutes.", retry_after=900)

    # --- inside ---------------------------------------------------------------------------------------

    async def _begin(self, tx: OperatorWriter, address: str | None, email: str | None, known: UUID | None) -> UUID:
        """Counts an attempt: as one of the strangers', or as one of `known`: a browser, a session, a link."""
        # Not by account where there is none, nor for the sealed one, whose password nobody guesses and whose holder
        # has no known browser: strangers would lock the emergency out.
        counted = email if email != SEALED else None
        attempt = await rows.begin_attempt(
            tx, throttle_key(address), account_digest(counted) if counted else None, known,
            per_address=_PER_ADDRESS, per_account=_PER_ACCOUNT,
        )  # fmt: skip
        if attempt is None:
            raise TooManyAttempts(
                "Too many failed sign-ins. Wait 15 minutes, use a browser that you have signed in with before, sign in "
                "with a passkey, or choose a new password by mail.",
                retry_after=900,
            )
        return attempt

    async def _known_device(self, tx: OperatorWriter, email: str, token: str | None) -> UUID | None:
        parsed = DEVICE.parse(token) if token else None
        digest = await rows.find_device(tx, parsed.id, email) if parsed else None
        if parsed is None or digest is None or not same(parsed.digest, digest):
            return None
        await rows.touch_device(tx, parsed.id)
        return parsed.id

    async def _pend(self, shown: _Shown) -> PendingSignIn:
        pending_id = new_id()
        token, digest = PENDING.new(pending_id)
        credentials = shown.credentials
        async with self._database.operator() as tx:
            await rows.insert_pending(
                tx, pending_id, credentials.id, digest, credentials.epoch, shown.attempt,
                self._clock.now() + _PENDING_LIFE, weak_password=shown.weak_password,
            )  # fmt: skip
        offered = {
            "totp": credentials.totp_secret is not None,
            "passkey": credentials.passkeys > 0,
            "recovery_code": credentials.recovery_codes > 0,
        }
        return PendingSignIn(token, [name for name, there in offered.items() if there])

    async def _pending(self, token: str) -> tuple[Parsed, rows.Pending, Credentials]:
        """A sign-in under way. Raises SignInOver for one that is not, or whose account has changed since."""
        parsed = PENDING.parse(token)
        async with self._database.operator_read() as tx:
            found = await rows.find_pending(tx, parsed.id) if parsed else None
            if parsed is None or found is None or not same(parsed.digest, found.digest):
                raise SignInOver
            credentials = await account_rows.find_credentials(tx, account_id=found.account_id)
        if credentials is None or credentials.epoch != found.epoch or credentials.state is not AccountState.ACTIVE:
            raise SignInOver
        return parsed, found, credentials

    async def _with_code(
        self, shown: _Shown, code: str, attempts: list[UUID], by: Principal, wrong: Exception, *,
        pending: Parsed | None = None,
    ) -> StartedSession:  # fmt: skip
        credentials = shown.credentials
        async with self._database.operator() as tx:
            examined = await self._factors.examine_code(tx, credentials, code)
            if examined.factor is not None:
                if pending is not None and not await rows.use_pending(tx, pending.id, credentials.epoch):
                    raise SignInOver
                factors: list[Factor] = ["password", examined.factor]
                return await self._start(tx, shown, factors, by, mfa=True, attempts=[shown.attempt, *attempts])
        if pending is None:
            await self._refuse(examined.reason, credentials, by)
        else:
            await self._fail(pending, credentials, examined.reason, by)
        raise wrong

    async def _start(
        self,
        tx: OperatorWriter,
        shown: _Shown,
        factors: list[Factor],
        by: Principal,
        *,
        mfa: bool,
        attempts: list[UUID],
    ) -> StartedSession:
        credentials = shown.credentials
        # What was shown counts if the account is still what it was when its password was read, a slow hash ago.
        if not await account_rows.begin_use(tx, credentials.id, credentials.epoch):
            raise SignInOver
        await rows.end_attempts(tx, attempts)
        if credentials.sealed:
            await self._raise_alarm(tx, credentials, by)
        start = Start(
            credentials.id, factors, shown.kind, mfa=mfa, weak_password=shown.weak_password, sealed=credentials.sealed,
            new_device=shown.kind is SessionKind.BROWSER and shown.device is None,
        )  # fmt: skip
        return await self._sessions.start(tx, start, by=by)

    async def _raise_alarm(self, tx: OperatorWriter, credentials: Credentials, by: Principal) -> None:
        """The sealed account opens once: its password is gone with the first use, and everybody in charge is told."""
        await account_rows.set_password(tx, credentials.id, None)
        on = Object("account", str(credentials.id))
        await self._events.record(tx, BreakGlassUsed(), by=by, on=on)
        log.error("the break-glass account was used")
        for email in await account_rows.list_staff_emails(tx, ALARMED):
            try:
                await self._mail.queue(tx, self._letters.break_glass_used(email, self._clock.now()))
            except Invalid:  # an alarm that cannot be written does not keep the emergency out
                log.exception("somebody in charge cannot be told")

    async def _fail(self, pending: Parsed, credentials: Credentials, reason: str, by: Principal) -> None:
        async with self._database.operator() as tx:
            await rows.fail_pending(tx, pending.id, _WRONG_FACTORS)
        await self._refuse(reason, credentials, by)

    async def _refuse(self, reason: str, credentials: Credentials | None, by: Principal) -> None:
        details = msgspec.convert({"reason": reason}, SignInFailed)
        on = Object("account", str(credentials.id)) if credentials else None
        async with self._database.operator() as tx:
            await self._events.record(tx, details, by=by, on=on, outcome=Outcome.REFUSED)

    async def _rehash(self, credentials: Credentials, password: Secret) -> None:
        old = credentials.password_hash
        if old is None or not self._hasher.is_outdated(old):
            return
        new = await self._hasher.hash(password)
        async with self._database.operator() as tx:
            await account_rows.replace_hash(tx, credentials.id, old, new)

    async def _is_weak(self, credentials: Credentials, password: Secret) -> bool:
        """Whether the password falls short of what the person's tenants have asked for since it was chosen."""
        if credentials.kind is AccountKind.STAFF:
            return False
        async with self._database.operator_read() as tx:
            policies = await member_rows.list_policies_of(tx, credentials.id)
        rules = rules_of(policies)
        if rules == PasswordRules():
            return False
        try:
            context = context_of(email=credentials.email, name=credentials.name)
            await self._passwords.verify_new(password, context=context, rules=rules)
        except Invalid:
            return True
        return False

    async def _mine(self, by: Principal) -> Credentials:
        async with self._database.operator_read() as tx:
            credentials = await account_rows.find_credentials(tx, account_id=by.account_id)
        if credentials is None:
            raise SignInOver
        return credentials


def rules_of(policies: list[TenantPolicy]) -> PasswordRules:
    """The strictest of several tenants' rules."""
    default = PasswordRules()
    return PasswordRules(
        min_length=max([default.min_length, *(policy.min_password_length for policy in policies)]),
        min_score=max([default.min_score, *(policy.min_password_score for policy in policies)]),
    )


def throttle_key(address: str | None) -> str:
    """What attempts are counted by: an IPv4 address, or the /64 that one IPv6 customer has."""
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    if found.version == 4:  # noqa: PLR2004  IPv4
        return str(found)
    return str(ipaddress.ip_network((int(found), 64), strict=False))
