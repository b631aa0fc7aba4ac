"""Accounts and their lives: first-run setup, disabling, off-boarding, lost factors."""

import secrets
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from bailee.access.addresses import RULE, may_be_a_persons, normalise_email
from bailee.access.errors import SetupRefused
from bailee.access.factors import ISSUER, Factors, enrolled, verify_label
from bailee.access.letters import Letters
from bailee.access.model import (
    Account,
    AccountKind,
    AccountState,
    Enrolled,
    SessionKind,
    TotpEnrolment,
)
from bailee.access.passwords import STAFF_RULES, PasswordRules, Passwords, context_of
from bailee.access.permissions import staff_permissions
from bailee.access.sessions import Sessions, Start
from bailee.access.store import accounts as rows
from bailee.access.store import factors as factor_rows
from bailee.access.store import members as member_rows
from bailee.access.store import roles as role_rows
from bailee.access.store import sessions as session_rows
from bailee.access.tokens import LINK, digest_of, same
from bailee.access.totp import matching_step, new_totp_secret, totp_text, totp_uri
from bailee.encryption.hashing import PasswordHasher
from bailee.events import Events, Object, verb
from bailee.events.catalogue import (
    AccountCreated,
    AccountDisabled,
    AccountEnabled,
    AccountOffBoarded,
    AccountRenamed,
    FactorsReset,
    MfaEnrolled,
    RoleLost,
    SetupBegun,
    SetupLinkIssued,
)
from bailee.events.verbs import ANYONE, OWN, SYSTEM, WITHIN
from bailee.foundation.clock import Clock
from bailee.foundation.database import OperatorReader, OperatorWriter
from bailee.foundation.errors import Conflict, FieldError, Invalid, NotFound
from bailee.foundation.ids import new_id
from bailee.foundation.mail import Mail
from bailee.foundation.principal import Forbidden, Principal
from bailee.foundation.revocation import announce
from bailee.foundation.secrets import Secret

_SETUP_LIFE = timedelta(hours=24)
_ENROLMENT_LIFE = timedelta(hours=24)


class SetupStarted(TotpEnrolment, frozen=True, kw_only=True):
    """What the first person needs to finish: the secret for their app, and the token for the second step."""

    account: Account
    confirmation: str


class Accounts:
    """Everybody who can sign in."""

    def __init__(
        self, events: Events, hasher: PasswordHasher, passwords: Passwords, sessions: Sessions, factors: Factors,
        mail: Mail, letters: Letters, clock: Clock,
    ) -> None:  # fmt: skip
        self._events = events
        self._hasher = hasher
        self._passwords = passwords
        self._sessions = sessions
        self._factors = factors
        self._mail = mail
        self._letters = letters
        self._clock = clock

    async def prepare_password(
        self, password: Secret, *, email: str, name: str, staff: bool, rules: PasswordRules | None = None,
        tenant: str = "",
    ) -> str:  # fmt: skip
        """The hash of a new password that keeps the rules. Done before any transaction. Raises Invalid.

        `tenant` is the name of the tenant that the person belongs to, or the names of several.
        """
        context = context_of(email=email, name=name, tenant=tenant)
        await self._passwords.verify_new(
            password, context=context, rules=STAFF_RULES if staff else rules or PasswordRules()
        )
        return await self._hasher.hash(password)

    # --- first-run setup ------------------------------------------------------------------------------

    async def needs_setup(self, tx: OperatorReader) -> bool:
        """Whether nobody has an account yet."""
        return await rows.count_staff(tx) == 0

    @verb(SetupLinkIssued, permission=SYSTEM)
    async def issue_setup_token(self, tx: OperatorWriter, *, by: Principal) -> str:
        """A one-time token, good for a day, in place of any before. Raises SetupRefused once there is an account."""
        if not await self.needs_setup(tx):
            raise SetupRefused("There is an owner already; sign in.")
        token = secrets.token_urlsafe(32)
        await rows.replace_setup_link(tx, digest_of(token.encode()), self._clock.now() + _SETUP_LIFE)
        await self._events.record(tx, SetupLinkIssued(), by=by)
        return token

    async def verify_setup_token(self, tx: OperatorWriter, token: str) -> None:
        """Raises SetupRefused: nobody without the link gets as far as having a password examined."""
        link = await self._valid_link(tx)
        if not same(digest_of(token.encode()), link.digest):
            raise SetupRefused("This setup link is not valid. Take the newest one that `bailee up` printed.")

    @verb(SetupBegun, permission=ANYONE)
    async def begin_setup(
        self, tx: OperatorWriter, *, token: str, email: str, name: str, password_hash: str, by: Principal
    ) -> SetupStarted:
        """The owner's account, which becomes active with the first code of its app. Raises SetupRefused, Invalid.

        `password_hash` comes from `prepare_password`.
        """
        await self.verify_setup_token(tx, token)
        email, name = verify_person(email, name)
        account_id, totp = new_id(), new_totp_secret()
        confirmation = secrets.token_urlsafe(32)
        await rows.begin_setup(tx, account_id, digest_of(confirmation.encode()))
        await rows.delete_pending_accounts(tx)  # somebody began before and did not finish
        await rows.insert_account(tx, account_id, AccountKind.STAFF, email, name, AccountState.PENDING, password_hash)
        await factor_rows.put_totp(tx, account_id, self._factors.seal(account_id, totp))
        await self._events.record(tx, SetupBegun(), by=by, on=Object("account", str(account_id)))
        account = await self.get(tx, account_id)
        return SetupStarted(totp_text(totp), totp_uri(totp, email, ISSUER), account=account, confirmation=confirmation)

    @verb(AccountCreated, permission=ANYONE)
    async def confirm_setup(
        self, tx: OperatorWriter, *, confirmation: str, code: str, kind: SessionKind, by: Principal
    ) -> Enrolled:
        """Ends setup with a first code, and signs the owner in. Works once. Raises SetupRefused, Invalid."""
        link = await self._valid_link(tx)
        if link.account_id is None or not same(digest_of(confirmation.encode()), link.confirmation_digest or b""):
            raise SetupRefused("This setup was begun again elsewhere. Start over from the setup link.")
        totp = await factor_rows.find_totp(tx, link.account_id)
        step = totp and matching_step(self._factors.unseal(link.account_id, totp.secret), code, self._clock.now(), 0)
        if not step or not await factor_rows.confirm_totp(tx, link.account_id, step):
            raise Invalid("The code is wrong.", errors=[FieldError("code", "Enter the code your app shows now.")])
        await rows.set_state(tx, link.account_id, AccountState.PENDING, AccountState.ACTIVE)
        await role_rows.insert_grant(tx, link.account_id, "owner", "setup")
        await rows.delete_setup_link(tx)
        on = Object("account", str(link.account_id))
        await self._events.record(tx, AccountCreated("owner"), by=by, on=on)
        await self._events.record(tx, MfaEnrolled("totp"), by=by, on=on)
        codes = await self._factors.replace_recovery_codes(tx, link.account_id)
        start = Start(link.account_id, ["password", "totp"], kind, mfa=True, new_device=kind is SessionKind.BROWSER)
        return enrolled(await self._sessions.start(tx, start, by=by), codes)

    # --- looking --------------------------------------------------------------------------------------

    async def get(self, tx: OperatorReader, account_id: UUID) -> Account:
        """Raises NotFound."""
        found = await rows.find_account(tx, account_id)
        if found is None:
            raise NotFound
        return found

    async def get_person(self, tx: OperatorReader, account_id: UUID) -> Account:
        """One of the operator's people, or a customer's. Raises NotFound, as for the sealed account."""
        found = await self.get(tx, account_id)
        if found.sealed:
            raise NotFound
        return found

    async def find_person(self, tx: OperatorReader, email: str) -> Account:
        """A customer's person by address: whole, so that nobody browses them. Raises NotFound."""
        found = await rows.find_by_email(tx, normalise_email(email) or "-")
        if found is None or found.kind is not AccountKind.MEMBER:
            raise NotFound("No customer’s person has that address.")
        return found

    async def everyone(self, tx: OperatorReader) -> list[Account]:
        """Every account."""
        return await rows.list_accounts(tx)

    async def page(
        self, tx: OperatorReader, *, kind: AccountKind, search: str = "", after: UUID | None = None, limit: int = 100
    ) -> list[Account]:
        """People of a kind in the order their accounts were made, those after `after`; `search` in names and addresses.
        The sealed account is nobody's.
        """
        return await rows.list_accounts(tx, kind=kind, search=search, after=after, limit=limit)

    async def unused(self, tx: OperatorReader, account_ids: list[UUID]) -> dict[UUID, datetime]:
        """Those of some accounts that are about to be disabled because nobody uses them, each with the moment."""
        warned = await rows.list_warned(tx, account_ids)
        return {account.id: account.ends_unused_at for account in warned if account.ends_unused_at is not None}

    # --- lives ----------------------------------------------------------------------------------------

    @verb(AccountRenamed, permission=OWN)
    async def rename(self, tx: OperatorWriter, *, name: str, by: Principal) -> Account:
        """The caller's own name. Raises Invalid, or Forbidden in a session that a tenant's identity provider began."""
        await self._sessions.verify_own_way(tx, by=by)
        await rows.set_name(tx, by.account_id, verify_label(name, "name"))
        await self._events.record(tx, AccountRenamed(), by=by, on=Object("account", by.id), tenant=by.tenant_id)
        return await self.get(tx, by.account_id)

    @verb(AccountDisabled, permission="accounts.disable")
    async def disable(self, tx: OperatorWriter, account_id: UUID, *, by: Principal) -> Account:
        """Shuts an account out at once: its sessions and pending sign-ins end. Raises NotFound, Conflict, Forbidden."""
        return await self._disable(tx, await self._manageable(tx, account_id, by), "administrator", by)

    @verb(AccountDisabled, permission=SYSTEM)
    async def disable_dormant(self, tx: OperatorWriter, account_id: UUID, *, by: Principal) -> Account:
        """The same for an account that nobody has used since the warning, staff's or a member's. Raises NotFound, or
        Conflict for somebody who has come back and for the last owner.
        """
        account = await self.get(tx, account_id)
        if account.dormancy_warned_at is None:
            raise Conflict("This account is in use again.")
        return await self._disable(tx, account, "dormant", by)

    @verb(AccountEnabled, permission="accounts.enable", step_up=True)
    async def enable(self, tx: OperatorWriter, account_id: UUID, *, by: Principal) -> Account:
        """Lets a disabled account in again, with the credentials it had. Raises NotFound, Conflict, Forbidden."""
        account = await self._manageable(tx, account_id, by)
        if not await rows.set_state(tx, account_id, AccountState.DISABLED, AccountState.ACTIVE):
            raise Conflict(f"This account is {account.state.value}; only a disabled one can be enabled.")
        await announce(tx)
        await self._events.record(tx, AccountEnabled(), by=by, on=Object("account", str(account_id)))
        return await self.get(tx, account_id)

    @verb(AccountOffBoarded, permission="accounts.off_board", step_up=True)
    async def off_board(self, tx: OperatorWriter, account_id: UUID, *, by: Principal) -> Account:
        """Somebody leaves: sessions, factors, password and roles are gone; memberships are their tenants' to end.

        Raises NotFound, Conflict, Forbidden.
        """
        account = await self._manageable(tx, account_id, by)
        if account.state is AccountState.OFF_BOARDED:
            raise Conflict("This account has been off-boarded already.")
        await self._verify_owner_left(tx, account)
        if not await rows.set_state(tx, account_id, account.state, AccountState.OFF_BOARDED):
            raise Conflict("Somebody else has just changed this account. Look at it again.")
        await rows.set_password(tx, account_id, None)
        await self._factors.reset(tx, account_id)
        await role_rows.end_elevations(tx, account_id)
        on = Object("account", str(account_id))
        for role in await role_rows.delete_grants(tx, account_id):
            await self._events.record(tx, RoleLost(role, "off_boarding"), by=by, on=on)
        await self._shut_out(tx, account_id)
        await self._events.record(tx, AccountOffBoarded(), by=by, on=on)
        return await self.get(tx, account_id)

    @verb(AccountOffBoarded, permission=WITHIN)
    async def retire(self, tx: OperatorWriter, account: Account, *, by: Principal) -> None:
        """Takes the address from an account that belongs to no tenant any more: its holder vouches for somebody new.

        Whoever had the account before can do nothing with it, and the new holder finds nothing of theirs.
        """
        await rows.retire(tx, account.id)
        await self._factors.reset(tx, account.id)
        await self._shut_out(tx, account.id)
        await self._events.record(tx, AccountOffBoarded(), by=by, on=Object("account", str(account.id)))

    @verb(FactorsReset, permission="accounts.reset_factors", step_up=True)
    async def reset_factors(self, tx: OperatorWriter, account_id: UUID, *, reason: str, by: Principal) -> str | None:
        """Somebody has lost every second factor: sessions end, and a mailed link lets a colleague enrol a new one. A
        customer's person signs in with the password and enrols one then; it is for those whose tenants cannot decide
        alone, because they belong to several or nobody else is an owner.

        Also for a colleague who has accepted an invitation and let the time to enrol go by. `reason` says why, for
        whoever looks into it. Answers the link where no mail server is configured to send it.
        Raises NotFound, Conflict, Invalid, Forbidden.
        """
        reason = verify_reason(reason)
        account = await self._manageable(tx, account_id, by)
        if account.state not in (AccountState.ACTIVE, AccountState.PENDING):
            raise Conflict(f"This account is {account.state.value}; only one in use can be reset.")
        count = await self._factors.reset(tx, account_id)
        await rows.insert_reset(tx, new_id(), account_id, by.id, reason)
        await self._shut_out(tx, account_id)
        await self._events.record(tx, FactorsReset(count), by=by, on=Object("account", str(account_id)))
        if account.kind is AccountKind.MEMBER:
            await self._mail.queue(tx, self._letters.factors_reset(account.email))
            return None
        link_id, expires_at = new_id(), self._clock.now() + _ENROLMENT_LIFE
        token, digest = LINK.new(link_id)
        await rows.replace_link(tx, link_id, "enrol", account_id, digest, expires_at)
        sent = await self._mail.queue(tx, self._letters.enrolment_link(account.email, token, expires_at))
        return None if sent else self._letters.link("enrolment", token)

    # --- inside ---------------------------------------------------------------------------------------

    async def _manageable(self, tx: OperatorReader, account_id: UUID, by: Principal) -> Account:
        """An account that `by` may act on: not their own, not the sealed one, an owner's only as an owner."""
        account = await self.get(tx, account_id)
        if account.sealed:
            raise NotFound
        if by.id == str(account_id):
            raise Forbidden("Somebody else has to do this to your account.")
        if "owner" in account.roles and not all(by.may(one) for one in staff_permissions(["owner"])):
            raise Forbidden("This is an owner's account. Ask another owner.")
        return account

    async def _disable(
        self, tx: OperatorWriter, account: Account, reason: Literal["administrator", "dormant"], by: Principal
    ) -> Account:
        await self._verify_owner_left(tx, account)
        if not await rows.set_state(tx, account.id, AccountState.ACTIVE, AccountState.DISABLED, reason):
            raise Conflict(f"This account is {account.state.value}.")
        await role_rows.end_elevations(tx, account.id)
        await self._shut_out(tx, account.id)
        await self._events.record(tx, AccountDisabled(reason), by=by, on=Object("account", str(account.id)))
        return await self.get(tx, account.id)

    async def _verify_owner_left(self, tx: OperatorWriter, account: Account) -> None:
        owners = await role_rows.lock_owners(tx)
        if account.id in owners and len(owners) == 1:
            raise Conflict("This is the last owner. Make somebody else an owner first.")

    async def _shut_out(self, tx: OperatorWriter, account_id: UUID) -> None:
        await session_rows.delete_sessions(tx, account_id)
        await session_rows.delete_devices(tx, account_id)
        await rows.delete_links(tx, account_id)
        await member_rows.withdraw_all_invitations_of(tx, str(account_id))
        await announce(tx)

    async def _valid_link(self, tx: OperatorWriter) -> rows.SetupLink:
        link = await rows.find_setup_link(tx)
        if link is None or link.expires_at < self._clock.now() or not await self.needs_setup(tx):
            raise SetupRefused(
                "Setup is over, or the link has expired. `bailee up` prints a new one while it is needed."
            )
        return link


def verify_person(email: str, name: str) -> tuple[str, str]:
    """An address and a name as they are stored. Raises Invalid, naming each fault."""
    errors = []
    normal = normalise_email(email)
    if not may_be_a_persons(normal):
        errors.append(FieldError("email", RULE))
    try:
        name = verify_label(name, "name")
    except Invalid as error:
        errors += error.errors
    if errors:
        raise Invalid("The account is not valid.", errors=errors)
    return normal, name


def verify_reason(reason: str) -> str:
    """A reason that somebody can be asked about later. Raises Invalid."""
    reason = reason.strip()
    if not 10 <= len(reason) <= 500 or not reason.isprintable():  # noqa: PLR2004  the message says the same
        message = "Give a reason of 10 to 500 printable characters."
        raise Invalid("A reason is needed.", errors=[FieldError("reason", message)])
    return reason
