"""Changing a password: with the old one, or with a mailed link. Either ends what was begun with the old one."""

from datetime import timedelta
from uuid import UUID

from bailee.access.accounts import Accounts
from bailee.access.addresses import account_digest, normalise_email
from bailee.access.errors import LinkRefused, SignInRefused, WrongPassword
from bailee.access.letters import Letters
from bailee.access.model import Account, AccountKind, AccountState, StartedSession
from bailee.access.sessions import Sessions
from bailee.access.sign_in import SignIn, rules_of, throttle_key
from bailee.access.store import accounts as rows
from bailee.access.store import members as member_rows
from bailee.access.store import sessions as session_rows
from bailee.access.tokens import LINK, Parsed, same
from bailee.encryption.hashing import PasswordHasher
from bailee.events import Events, Object, verb
from bailee.events.catalogue import AccountEnabled, PasswordChanged, PasswordLinkSent
from bailee.events.verbs import ANYONE, OWN, WITHIN
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database, OperatorReader, OperatorWriter
from bailee.foundation.errors import Invalid
from bailee.foundation.ids import new_id
from bailee.foundation.mail import Mail
from bailee.foundation.principal import Principal
from bailee.foundation.revocation import announce
from bailee.foundation.secrets import Secret

_LIFE = timedelta(hours=1)
_LINKS_PER_ADDRESS, _LINKS_PER_ACCOUNT = 20, 3
"""How many links can be asked for in 15 minutes."""
_TENANTS = 20
"""Of whose names no new password is to be made."""


class PasswordChange:
    """New passwords for people who have an account."""

    def __init__(
        self, database: Database, events: Events, hasher: PasswordHasher, accounts: Accounts, sign_in: SignIn,
        sessions: Sessions, mail: Mail, letters: Letters, clock: Clock,
    ) -> None:  # fmt: skip
        self._database = database
        self._events = events
        self._hasher = hasher
        self._accounts = accounts
        self._sign_in = sign_in
        self._sessions = sessions
        self._mail = mail
        self._letters = letters
        self._clock = clock

    # --- with the old one -----------------------------------------------------------------------------

    async def change(self, *, old: Secret, new: Secret, by: Principal) -> StartedSession:
        """The caller's new password; every other session ends, and no browser is known any more.

        Raises WrongPassword, Invalid, TooManyAttempts, Forbidden in a session that a tenant's identity provider began.
        """
        async with self._database.operator_read() as reader:
            await self._sessions.verify_own_way(reader, by=by)
            account = await self._accounts.get(reader, by.account_id)
        if not await self._sign_in.verify_own_password(old, by=by):
            raise WrongPassword("Enter the password that you sign in with at present.")
        if old == new or old.reveal() == new.reveal():
            raise Invalid("Nothing was changed: that is the password you have.")
        password_hash = await self._prepare(account, new)
        async with self._database.operator() as tx:
            return await self.finish_change(tx, password_hash=password_hash, by=by)

    @verb(PasswordChanged, permission=OWN)
    async def finish_change(self, tx: OperatorWriter, *, password_hash: str, by: Principal) -> StartedSession:
        """The transaction of `change`."""
        account = await self._accounts.get(tx, by.account_id)
        await self._set(tx, account, password_hash, but=by.session_id)
        if by.session_id is not None:
            await session_rows.password_is_good(tx, by.session_id)
        await self._events.record(tx, PasswordChanged("own"), by=by, on=Object("account", by.id), tenant=by.tenant_id)
        return await self._sessions.renew(tx, factors=["password"], by=by)

    # --- with a mailed link ---------------------------------------------------------------------------

    async def ask(self, *, email: str, by: Principal) -> None:
        """Mails a link to an account's address, if there is one. Run after answering: what it does tells nobody."""
        email = normalise_email(email)
        if not email:
            return
        async with self._database.operator() as tx:
            # Counted as an attempt on an account of another name, so that asking cannot close sign-in to anybody.
            attempt = await session_rows.begin_attempt(
                tx, f"link {throttle_key(by.address)}", account_digest(f"link {email}"), None,
                per_address=_LINKS_PER_ADDRESS, per_account=_LINKS_PER_ACCOUNT,
            )  # fmt: skip
            account = await rows.find_by_email(tx, email)
            if attempt is not None and account is not None and _may_reset(account):
                await self.send(tx, account, by=by)

    @verb(PasswordLinkSent, permission=WITHIN)
    async def send(self, tx: OperatorWriter, account: Account, *, by: Principal) -> None:
        """Queues the mail. The link is good for an hour, and replaces any before."""
        link_id, expires_at = new_id(), self._clock.now() + _LIFE
        token, digest = LINK.new(link_id)
        await rows.replace_link(tx, link_id, "password", account.id, digest, expires_at)
        await self._mail.queue(tx, self._letters.password_link(account.email, token, expires_at))
        await self._events.record(tx, PasswordLinkSent(), by=by, on=Object("account", str(account.id)))

    async def reset(self, *, token: str, new: Secret, by: Principal) -> None:
        """Sets the password of the link's account. Second factors stay, every session ends, and a member's account that
        was disabled because nobody used it is active again. Raises LinkRefused, Invalid, TooManyAttempts.
        """
        async with self._database.operator_read() as reader:
            parsed, account = await self._account_of(reader, token, "password")
        await self._sign_in.count_attempt(account.email, parsed.id, by=by)
        password_hash = await self._prepare(account, new)
        async with self._database.operator() as tx:
            await self.finish_reset(tx, token=token, password_hash=password_hash, by=by)

    @verb(PasswordChanged, permission=ANYONE)
    async def finish_reset(self, tx: OperatorWriter, *, token: str, password_hash: str, by: Principal) -> None:
        """The transaction of `reset`. Of many at once, one succeeds."""
        parsed, account = await self._account_of(tx, token, "password")
        if not await rows.use_link(tx, parsed.id):
            raise LinkRefused
        await self._set(tx, account, password_hash, but=None)
        await rows.mark_verified(tx, account.id)
        await session_rows.forgive_account(tx, account_digest(account.email))
        on = Object("account", str(account.id))
        await self._events.record(tx, PasswordChanged("link"), by=by, on=on)
        if await rows.set_state(tx, account.id, AccountState.DISABLED, AccountState.ACTIVE):
            await self._events.record(tx, AccountEnabled(), by=by, on=on)

    # --- a lost factor --------------------------------------------------------------------------------

    async def enrol(self, *, token: str, password: Secret, by: Principal) -> StartedSession:
        """The mailed link after a reset of factors, with the password: half an hour to enrol a new one.

        Raises LinkRefused, SignInRefused, TooManyAttempts.
        """
        async with self._database.operator() as tx:
            parsed, account = await self._account_of(tx, token, "enrol")
            credentials = await rows.find_credentials(tx, account_id=account.id)
        await self._sign_in.count_attempt(account.email, parsed.id, by=by)
        right = credentials and await self._hasher.verify(credentials.password_hash, password)
        if not right:
            raise SignInRefused
        async with self._database.operator() as tx:
            if not await rows.use_link(tx, parsed.id):
                raise LinkRefused
            return await self._sessions.start_enrolment(tx, account.id, by=by)

    # --- inside ---------------------------------------------------------------------------------------

    async def _account_of(self, tx: OperatorReader, token: str, purpose: str) -> tuple[Parsed, Account]:
        parsed = LINK.parse(token)
        link = await rows.find_link(tx, parsed.id) if parsed else None
        fits = link is not None and link.purpose == purpose and link.expires_at > self._clock.now()
        if parsed is None or link is None or not fits or not same(parsed.digest, link.digest):
            raise LinkRefused
        account = await rows.find_account(tx, link.account_id)
        if account is None or not _may_reset(account):
            raise LinkRefused
        return parsed, account

    async def _prepare(self, account: Account, new: Secret) -> str:
        async with self._database.operator_read() as reader:
            rules = rules_of(await member_rows.list_policies_of(reader, account.id))
            places = await member_rows.list_own_tenants(reader, account.id)
        staff = account.kind is AccountKind.STAFF
        return await self._accounts.prepare_password(
            new, email=account.email, name=account.name, staff=staff, rules=rules,
            tenant=" ".join(place.name for place in places[:_TENANTS]),
        )  # fmt: skip

    async def _set(self, tx: OperatorWriter, account: Account, password_hash: str, *, but: UUID | None) -> None:
        await rows.set_password(tx, account.id, password_hash)
        await session_rows.delete_sessions(tx, account.id, but=but)
        await session_rows.delete_devices(tx, account.id)
        await rows.delete_links(tx, account.id)
        await announce(tx)
        await self._mail.queue(tx, self._letters.changed(account.email, "The password"))


def _may_reset(account: Account) -> bool:
    """Whether a mailed link may give the account a new password.

    A member's account that fell asleep wakes up by it: nobody else could do that for the last owner of a tenant. Staff
    who were away for so long ask a colleague.
    """
    asleep = account.state is AccountState.DISABLED and account.disabled_because == "dormant"
    may_wake = asleep and account.kind is AccountKind.MEMBER
    return not account.sealed and (account.state in (AccountState.ACTIVE, AccountState.PENDING) or may_wake)
