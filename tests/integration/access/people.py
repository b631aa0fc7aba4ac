"""People for the tests of access control: made by the verbs that make them, with the codes of their apps."""

import asyncio
import base64
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import LiteralString
from uuid import UUID

import msgspec
import pyotp

from bailee.access.authentication import Caller
from bailee.access.model import Enrolled, PendingSignIn, SessionKind, StartedSession
from bailee.access.store import accounts as account_rows
from bailee.access.tokens import LINK
from bailee.assembly import Services
from bailee.foundation.ids import TenantId, new_id
from bailee.foundation.principal import Principal, Unauthenticated, anonymous
from bailee.foundation.secrets import Secret
from tests.integration.rig import SYSTEM, superuser

PASSWORD = "seventeen quiet herons at dawn"
_STEP = 30


class Person(msgspec.Struct):
    """Somebody with an account, an app and a session."""

    services: Services
    email: str
    token: str = ""
    totp: str = ""
    recovery_codes: list[str] = []
    password: str = PASSWORD
    step: int = 0

    def code(self) -> str:
        """A code that was not used yet; the drift that is allowed leaves three before somebody has to wait."""
        now = int(time.time()) // _STEP
        self.step = max(self.step + 1, now - 1)
        assert self.step <= now + 1, "more codes than three in half a minute: take a recovery code"
        return pyotp.TOTP(self.totp).at(self.step * _STEP)

    async def principal(self) -> Principal:
        """Who the person's token speaks for now."""
        return await who(self.services, self.token)

    async def id(self) -> UUID:
        """Looked up, for a person whose session has ended too."""
        async with self.services.database.operator_read() as tx:
            found: UUID = await tx.value("SELECT account_id FROM accounts WHERE email = %s", (self.email,))
        return found

    async def enrol(self) -> None:
        """Sets an app up."""
        by = await self.principal()
        async with self.services.database.operator() as tx:
            self.totp = (await self.services.access.factors.begin_totp(tx, by=by)).secret
        async with self.services.database.operator() as tx:
            done = await self.services.access.factors.confirm_totp(tx, code=self.code(), by=by)
        self.token, self.recovery_codes = done.token, done.recovery_codes

    async def sign_in(self, code: str | None = None, *, address: str = "192.0.2.1") -> StartedSession:
        """A new session: with a code of the app, where there is one."""
        code = code or (self.code() if self.totp else None)
        found = await self.services.access.sign_in.by_password(
            email=self.email, password=secret(self.password), code=code, kind=SessionKind.API, by=nobody(address)
        )
        assert isinstance(found, StartedSession)
        self.token = found.token
        return found

    async def begin(self, *, device: str | None = None, address: str = "192.0.2.1") -> PendingSignIn:
        """The first step of a sign-in in two."""
        found = await self.services.access.sign_in.by_password(
            email=self.email, password=secret(self.password), device=device, kind=SessionKind.BROWSER,
            by=nobody(address),
        )  # fmt: skip
        assert isinstance(found, PendingSignIn)
        return found

    async def step_up(self) -> None:
        """A fresh second factor, by recovery code."""
        by = await self.principal()
        found = await self.services.access.sign_in.step_up_by_code(code=self.recovery_codes.pop(), by=by)
        self.token = found.token


async def execute(services: Services, query: LiteralString, parameters: Sequence[object] = ()) -> None:
    """What time or a tamperer does, as the superuser. It announces nothing, so what `services` remember is dropped."""
    with superuser(services.settings.database.main) as connection:
        connection.execute(query, parameters)
    services.access.authenticator.forget()


async def is_refused(services: Services, token: str) -> bool:
    """Whether a token speaks for nobody."""
    try:
        await who(services, token)
    except Unauthenticated:
        return True
    return False


async def soon(holds: Callable[[], Awaitable[bool]]) -> None:
    """Another process hears of it within milliseconds; a busy machine gets two seconds, far less than memory lasts."""
    async with asyncio.timeout(2):
        while not await holds():  # noqa: ASYNC110  what is waited for tells nobody
            await asyncio.sleep(0.005)


async def actions(services: Services, action: str) -> list[str]:
    """The outcomes of the events with an action, oldest first."""
    async with services.database.operator_read() as tx:
        return await tx.values("SELECT outcome FROM events WHERE action = %s ORDER BY event_id", (action,))


def secret(text: str) -> Secret:
    return Secret(text.encode())


def nobody(address: str = "192.0.2.1") -> Principal:
    """Somebody not signed in."""
    return anonymous(address, new_id(), "Firefox on Linux")


async def who(services: Services, token: str, address: str = "192.0.2.1") -> Principal:
    return await services.access.authenticator.authenticate(token, Caller(address, new_id(), "Firefox on Linux"))


async def make_owner(services: Services, email: str = "owner@bailee.example") -> Person:
    """The first account, by first-run setup."""
    accounts = services.access.accounts
    hashed = await accounts.prepare_password(secret(PASSWORD), email=email, name="Owner", staff=True)
    async with services.database.operator() as tx:
        link = await accounts.issue_setup_token(tx, by=SYSTEM)
        started = await accounts.begin_setup(
            tx, token=link, email=email, name="Owner", password_hash=hashed, by=nobody()
        )
    person = Person(services, email, totp=started.secret)
    async with services.database.operator() as tx:
        done: Enrolled = await accounts.confirm_setup(
            tx, confirmation=started.confirmation, code=person.code(), kind=SessionKind.API, by=nobody()
        )
    person.token, person.recovery_codes = done.token, done.recovery_codes
    return person


async def make_staff(services: Services, *roles: str, by: Principal = SYSTEM, email: str = "") -> Person:
    """One of the staff, by invitation, with an app."""
    email = email or f"staff-{new_id()}@bailee.example"
    async with services.database.operator() as tx:
        sent = await services.access.invitations.invite_staff(
            tx, email=email, name="Staff Sample", roles=list(roles), by=by
        )
    person = await accept(services, email, sent.link)
    await person.enrol()
    return person


async def make_member(
    services: Services, tenant: TenantId, role: str = "owner", *, email: str = "", mfa: bool = True
) -> Person:
    """A member of a tenant, by invitation."""
    email = email or f"member-{new_id()}@tenant.example"
    async with services.database.tenant(tenant) as tx:
        sent = await services.access.invitations.invite_member(
            tx, email=email, name="Member Sample", role=role, by=SYSTEM
        )
    person = await accept(services, email, sent.link)
    if mfa:
        await person.enrol()
    return person


def token_in(link: str | None) -> str:
    """The token that a link carries behind its #."""
    assert link is not None, "no mail server is configured, so the link is shown"
    return link.partition("#")[2]


async def accept(services: Services, email: str, link: str | None) -> Person:
    """An account, made with an invitation's link."""
    started = await services.access.invitations.accept(
        token=token_in(link), name="Sample Person", password=secret(PASSWORD), kind=SessionKind.API, by=nobody()
    )
    return Person(services, email, token=started.token)


async def join(services: Services, person: Person, tenant: TenantId, role: str = "viewer") -> None:
    """Somebody who has an account becomes a member of another tenant."""
    async with services.database.tenant(tenant) as tx:
        sent = await services.access.invitations.invite_member(
            tx, email=person.email, name="Member Sample", role=role, by=SYSTEM
        )
    by = await person.principal()
    async with services.database.operator() as tx:
        await services.access.invitations.join(tx, token=token_in(sent.link), by=by)


async def mailed_link(services: Services, account_id: UUID, purpose: str = "password") -> str:
    """The token of a one-time link, as the mail carries it."""
    link_id = new_id()
    token, digest = LINK.new(link_id)
    async with services.database.operator() as tx:
        await account_rows.replace_link(
            tx, link_id, purpose, account_id, digest, services.clock.now() + timedelta(hours=1)
        )
    return token


def decoded(totp: str) -> bytes:
    """An app's secret as bytes."""
    return base64.b32decode(totp)
