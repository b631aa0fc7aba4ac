"""Accounts and sign-in: first-run setup, sessions, and what they are worth."""

import ipaddress
import re
import secrets
import unicodedata
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from bailee.access import store
from bailee.access.errors import SetupRefused, SignInRefused, TooManyAttempts
from bailee.access.model import Account, AccountState, Credentials, StartedSession
from bailee.access.store import SetupLink
from bailee.access.tokens import digest_of, new_session_token, same
from bailee.access.totp import matching_step, new_totp_secret, totp_text, totp_uri
from bailee.encryption.envelope import DataKey, Place, seal, unseal
from bailee.encryption.hashing import PasswordHasher
from bailee.events import Events, Object, verb
from bailee.events.catalogue import (
    AccountCreated,
    MfaEnrolled,
    SetupBegun,
    SetupLinkIssued,
    SignedIn,
    SignedOut,
    SignInFailed,
)
from bailee.events.model import Outcome
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database, OperatorReader, OperatorWriter
from bailee.foundation.errors import FieldError, Invalid, NotFound
from bailee.foundation.ids import OPERATOR, new_id
from bailee.foundation.principal import ActorKind, Principal
from bailee.foundation.secrets import Secret

ISSUER = "Bailee"
SESSION_HOURS = 12
_SETUP_HOURS = 24
_MAX_FAILURES = 50
_PASSWORD_MIN, _PASSWORD_MAX, _NAME_MAX, _EMAIL_MAX = 8, 128, 200, 254
_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")


class SetupStarted(msgspec.Struct, frozen=True):
    """What the first person needs to finish: the secret for their app, and the token for the second step."""

    account: Account
    totp_secret: str
    totp_uri: str
    confirmation: str


class Accounts:
    """Staff accounts and their sessions."""

    def __init__(self, events: Events, hasher: PasswordHasher, key: DataKey, clock: Clock) -> None:
        self._events = events
        self._hasher = hasher
        self._key = key
        self._clock = clock

    # --- first-run setup --------------------------------------------------------------------------

    async def needs_setup(self, tx: OperatorReader) -> bool:
        """Whether nobody has an account yet."""
        return await store.count_staff(tx) == 0

    @verb(SetupLinkIssued)
    async def issue_setup_token(self, tx: OperatorWriter, *, by: Principal) -> str:
        """A one-time token, good for a day, in place of any before. Raises SetupRefused once there is an account."""
        if not await self.needs_setup(tx):
            raise SetupRefused("There is an owner already; sign in.")
        token = secrets.token_urlsafe(32)
        await store.replace_setup_link(tx, digest_of(token.encode()), self._clock.now() + timedelta(hours=_SETUP_HOURS))
        await self._events.record(tx, SetupLinkIssued(), by=by)
        return token

    @verb(SetupBegun)
    async def begin_setup(
        self, tx: OperatorWriter, *, token: str, email: str, name: str, password: Secret, by: Principal
    ) -> SetupStarted:
        """The owner's account, which becomes active with the first code of its app. Raises SetupRefused, Invalid."""
        link = await self._valid_link(tx)
        if not same(digest_of(token.encode()), link.digest):
            raise SetupRefused("This setup link is not valid. Take the newest one that `bailee up` printed.")
        email = normalise_email(email)
        verify_account(email, name, password)
        account_id, totp = new_id(), new_totp_secret()
        confirmation = secrets.token_urlsafe(32)
        await store.begin_setup(tx, account_id, digest_of(confirmation.encode()))
        await store.delete_pending_accounts(tx)  # somebody began before and did not finish
        await store.insert_account(
            tx,
            account_id,
            email,
            name.strip(),
            "owner",
            await self._hasher.hash(password),
            self._seal(account_id, totp),
        )
        await self._events.record(tx, SetupBegun(), by=by, on=Object("account", str(account_id)))
        return SetupStarted(
            await self.get(tx, account_id), totp_text(totp), totp_uri(totp, email, ISSUER), confirmation
        )

    @verb(AccountCreated)
    async def confirm_setup(self, tx: OperatorWriter, *, confirmation: str, code: str, by: Principal) -> StartedSession:
        """Ends setup with a first code, and signs the owner in. Works once. Raises SetupRefused, Invalid."""
        link = await self._valid_link(tx)
        if link.account_id is None or not same(digest_of(confirmation.encode()), link.confirmation_digest or b""):
            raise SetupRefused("This setup was begun again elsewhere. Start over from the setup link.")
        credentials = await store.find_credentials(tx, account_id=link.account_id)
        step = credentials and matching_step(self._unseal(credentials), code, self._clock.now(), 0)
        if not credentials or not step or not await store.activate_account(tx, link.account_id, step):
            raise Invalid("The code is wrong.", errors=[FieldError("code", "Enter the code your app shows now.")])
        await store.delete_setup_link(tx)
        on = Object("account", str(link.account_id))
        await self._events.record(tx, AccountCreated(credentials.role), by=by, on=on)
        await self._events.record(tx, MfaEnrolled("totp"), by=by, on=on)
        return await self._start_session(tx, link.account_id, by)

    # --- sign-in and sessions -----------------------------------------------------------------------

    async def sign_in(
        self, database: Database, *, email: str, password: Secret, code: str, by: Principal
    ) -> StartedSession:
        """A session, for the right password and a fresh code. Raises SignInRefused or TooManyAttempts.

        It opens its own transactions: a failure is recorded and must stay recorded, and no transaction waits
        while a password is hashed.
        """
        address = throttle_key(by.address)
        async with database.operator() as tx:
            # The attempt counts before it is examined, so that many at once are not more than many in a row.
            attempt = await store.begin_attempt(tx, address, _MAX_FAILURES)
            credentials = await store.find_credentials(tx, email=normalise_email(email))
        if attempt is None:
            raise TooManyAttempts("Too many failed sign-ins from your address. Wait 15 minutes.", retry_after=900)
        known = credentials is not None and credentials.state is AccountState.ACTIVE
        right = await self._hasher.verify(credentials.password_hash if credentials else None, password)
        if not (credentials and known and right):
            await self._refuse(database, "credentials", credentials, by)
            raise SignInRefused
        secret = self._unseal(credentials)
        step = matching_step(secret, code, self._clock.now(), credentials.totp_step)
        if step is None:
            replayed = matching_step(secret, code, self._clock.now(), 0) is not None
            await self._refuse(database, "replayed_code" if replayed else "code", credentials, by)
            raise SignInRefused
        async with database.operator() as tx:
            if await store.advance_totp(tx, credentials.id, step):
                await store.end_attempt(tx, attempt)
                if self._hasher.is_outdated(credentials.password_hash):
                    await store.update_password_hash(tx, credentials.id, await self._hasher.hash(password))
                return await self._start_session(tx, credentials.id, by)
        await self._refuse(database, "replayed_code", credentials, by)
        raise SignInRefused

    @verb(SignedOut)
    async def sign_out(self, tx: OperatorWriter, *, by: Principal) -> None:
        """Ends the caller's session. Raises NotFound."""
        if by.session_id is None or not await store.delete_session(tx, by.session_id):
            raise NotFound
        await self._events.record(tx, SignedOut(), by=by, on=Object("session", str(by.session_id)))

    async def session_end(self, tx: OperatorReader, *, by: Principal) -> datetime:
        """When the caller's session ends at the latest. Raises NotFound."""
        session = await store.find_session(tx, by.session_id) if by.session_id else None
        if session is None:
            raise NotFound
        return session.expires_at

    async def get(self, tx: OperatorReader, account_id: UUID) -> Account:
        """Raises NotFound."""
        found = await store.find_account(tx, account_id)
        if found is None:
            raise NotFound
        return found

    async def everyone(self, tx: OperatorReader) -> list[Account]:
        """Every account."""
        return await store.list_accounts(tx)

    # --- inside ---------------------------------------------------------------------------------------

    async def _valid_link(self, tx: OperatorWriter) -> SetupLink:
        link = await store.find_setup_link(tx)
        if link is None or link.expires_at < self._clock.now() or not await self.needs_setup(tx):
            raise SetupRefused(
                "Setup is over, or the link has expired. `bailee up` prints a new one while it is needed."
            )
        return link

    async def _start_session(self, tx: OperatorWriter, account_id: UUID, by: Principal) -> StartedSession:
        session_id = new_id()
        token, digest = new_session_token(session_id)
        expires_at = self._clock.now() + timedelta(hours=SESSION_HOURS)
        await store.insert_session(tx, session_id, account_id, digest, by.address, expires_at)
        actor = Principal(ActorKind.STAFF, str(account_id), address=by.address, request_id=by.request_id)
        await self._events.record(tx, SignedIn(["password", "totp"]), by=actor, on=Object("session", str(session_id)))
        return StartedSession(token, expires_at, await self.get(tx, account_id))

    async def _refuse(self, database: Database, reason: str, credentials: Credentials | None, by: Principal) -> None:
        details = msgspec.convert({"reason": reason}, SignInFailed)
        on = Object("account", str(credentials.id)) if credentials else None
        async with database.operator() as tx:
            await self._events.record(tx, details, by=by, on=on, outcome=Outcome.REFUSED)

    def _seal(self, account_id: UUID, secret: Secret) -> bytes:
        return seal(self._key, secret.reveal(), Place(OPERATOR, "totp", account_id, 1))

    def _unseal(self, credentials: Credentials) -> Secret:
        return Secret(unseal(self._key, credentials.totp_secret, Place(OPERATOR, "totp", credentials.id, 1)))


def throttle_key(address: str | None) -> str:
    """What attempts are counted by: an IPv4 address, or the /64 that one IPv6 customer has."""
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    if found.version == 4:  # noqa: PLR2004  IPv4
        return str(found)
    return str(ipaddress.ip_network((int(found), 64), strict=False))


def normalise_email(email: str) -> str:
    """As it is stored and compared: NFKC, lower case, trimmed. One that cannot be stored is nobody's."""
    if len(email) > _EMAIL_MAX:  # before NFKC, which takes quadratic time over a pile of combining marks
        return ""
    if not email.strip().isprintable():  # NUL and lone surrogates never reach the database
        return ""
    return unicodedata.normalize("NFKC", email).strip().lower()


def verify_account(email: str, name: str, password: Secret) -> None:
    """Raises Invalid, naming each fault."""
    errors = []
    if not _EMAIL.fullmatch(email) or len(email) > _EMAIL_MAX or not email.isascii() or not email.isprintable():
        errors.append(FieldError("email", "Give an e-mail address such as name@example.com."))
    if not name.strip() or len(name) > _NAME_MAX or not name.isprintable():
        errors.append(FieldError("name", f"Give a name of 1 to {_NAME_MAX} printable characters."))
    try:
        length = len(password.reveal().decode())
    except UnicodeDecodeError:
        length = 0
    if not _PASSWORD_MIN <= length <= _PASSWORD_MAX:
        errors.append(FieldError("password", f"Use {_PASSWORD_MIN} to {_PASSWORD_MAX} characters."))
    elif email.partition("@")[0].encode() in password.reveal().lower():
        errors.append(FieldError("password", "Do not use your e-mail address in your password."))
    if errors:
        raise Invalid("The account is not valid.", errors=errors)
