"""The break-glass account: one sealed account for the day when nobody else gets in (TOM 2.1, 2.2).

Sealing prints a password and a few codes once, to be kept in a safe; the server keeps hashes. The first sign-in
raises the alarm, ends the password and lasts an hour, with an owner's rights; then an owner seals the account anew.
Everybody in charge is told of each sealing and of each use.
"""

import secrets
from uuid import UUID

import msgspec

from bailee.access.addresses import SEALED as EMAIL
from bailee.access.factors import Factors
from bailee.access.letters import Letters
from bailee.access.model import AccountKind, AccountState
from bailee.access.store import accounts as rows
from bailee.access.store import roles as role_rows
from bailee.access.store import sessions as session_rows
from bailee.encryption.hashing import PasswordHasher
from bailee.events import Events, Object, verb
from bailee.events.catalogue import BreakGlassSealed
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database, OperatorReader, OperatorWriter
from bailee.foundation.ids import new_id
from bailee.foundation.mail import Mail
from bailee.foundation.principal import Forbidden, Principal
from bailee.foundation.revocation import announce
from bailee.foundation.secrets import Secret

_NAME = "Break-glass account"
_ROLE = "owner"
ALARMED = ["owner", "security_officer"]
"""Who is told when the account is sealed or opened."""
_CODES = 6


class SealedEnvelope(msgspec.Struct, frozen=True):
    """What goes into the safe. Shown once."""

    email: str
    password: str
    codes: list[str]


class BreakGlassState(msgspec.Struct, frozen=True):
    """Whether there is a sealed account, and whether its seal is whole."""

    exists: bool
    sealed: bool


class BreakGlass:
    """The sealed account."""

    def __init__(
        self, database: Database, events: Events, hasher: PasswordHasher, factors: Factors, mail: Mail,
        letters: Letters, clock: Clock,
    ) -> None:  # fmt: skip
        self._database = database
        self._events = events
        self._hasher = hasher
        self._factors = factors
        self._mail = mail
        self._letters = letters
        self._clock = clock

    async def seal(self, *, by: Principal) -> SealedEnvelope:
        """Makes the account, or seals it anew: whatever opened it before opens it no more.

        Raises Forbidden for the account itself, and LentOnly for somebody who is an owner for the moment only.
        """
        password = "-".join(secrets.token_hex(4) for _ in range(5))
        password_hash = await self._hasher.hash(Secret(password.encode()))
        async with self._database.operator() as tx:
            return await self.finish_seal(tx, password=password, password_hash=password_hash, by=by)

    @verb(BreakGlassSealed, permission="break_glass.seal", step_up=True, lasting=True)
    async def finish_seal(
        self, tx: OperatorWriter, *, password: str, password_hash: str, by: Principal
    ) -> SealedEnvelope:
        """The transaction of `seal`."""
        account_id = await self._account(tx)
        if by.id == str(account_id):
            raise Forbidden("An owner seals this account, from an account of their own.")
        await rows.set_password(tx, account_id, password_hash)
        await session_rows.delete_sessions(tx, account_id)
        await session_rows.delete_devices(tx, account_id)
        await self._factors.reset(tx, account_id)
        codes = await self._factors.replace_recovery_codes(tx, account_id, _CODES)
        await announce(tx)
        await self._events.record(tx, BreakGlassSealed(), by=by, on=Object("account", str(account_id)))
        for email in await rows.list_staff_emails(tx, ALARMED):
            await self._mail.queue(tx, self._letters.break_glass_sealed(email, self._clock.now()))
        return SealedEnvelope(EMAIL, password, codes)

    async def state(self, tx: OperatorReader) -> BreakGlassState:
        """Whether the account is there and unopened."""
        credentials = await rows.find_credentials(tx, email=EMAIL)
        return BreakGlassState(credentials is not None, bool(credentials and credentials.password_hash))

    async def _account(self, tx: OperatorWriter) -> UUID:
        there = await rows.find_by_email(tx, EMAIL)
        account_id = there.id if there else new_id()
        if there is None:
            await rows.insert_account(
                tx, account_id, AccountKind.STAFF, EMAIL, _NAME, AccountState.ACTIVE, None, sealed=True
            )
            await role_rows.insert_grant(tx, account_id, _ROLE, "seal")
        return account_id
