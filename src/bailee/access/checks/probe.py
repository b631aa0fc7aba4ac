"""A person that the checks make up, sign in as over HTTPS, and take away again."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

import msgspec

from bailee.access.factors import Factors
from bailee.access.members import Members
from bailee.access.model import AccountKind, AccountState
from bailee.access.store import accounts as rows
from bailee.access.store import evidence
from bailee.access.store import factors as factor_rows
from bailee.access.totp import new_totp_secret, totp_text
from bailee.encryption.hashing import PasswordHasher
from bailee.events import Events, Object
from bailee.events.catalogue import AccountCreated, AccountOffBoarded, MemberRemoved
from bailee.foundation.database import Database
from bailee.foundation.ids import TenantId, new_id
from bailee.foundation.principal import system
from bailee.foundation.revocation import announce
from bailee.foundation.secrets import Secret

SUFFIX = "@probe.invalid"
_BY = system("probe")


class ProbePerson(msgspec.Struct, frozen=True):
    """Who the probe signs in as. The password is random, and known to nobody else."""

    account_id: UUID
    email: str
    password: str
    totp_secret: str = ""


class ProbePeople:
    """Makes them and takes them away."""

    def __init__(
        self, database: Database, events: Events, members: Members, factors: Factors, hasher: PasswordHasher
    ) -> None:  # fmt: skip
        self._database = database
        self._events = events
        self._members = members
        self._factors = factors
        self._hasher = hasher

    @asynccontextmanager
    async def staff(self, *, with_factor: bool = False, password: str = "") -> AsyncIterator[ProbePerson]:
        """Staff without a role; and, unless `with_factor`, without a second factor: nobody must be able to sign in."""
        person, password_hash = await self._person(password)
        await self._sweep()
        async with self._database.operator() as tx:
            await rows.insert_account(
                tx, person.account_id, AccountKind.STAFF, person.email, "Probe", AccountState.ACTIVE, password_hash
            )
            on = Object("account", str(person.account_id))
            await self._events.record(tx, AccountCreated("probe"), by=_BY, on=on)
            if with_factor:
                secret = new_totp_secret()
                await factor_rows.put_totp(tx, person.account_id, self._factors.seal(person.account_id, secret))
                await factor_rows.confirm_totp(tx, person.account_id, 0)
                person = msgspec.structs.replace(person, totp_secret=totp_text(secret))
        try:
            yield person
        finally:
            async with self._database.operator() as tx:
                await evidence.delete_probe(tx, person.account_id)
                await self._events.record(tx, AccountOffBoarded(), by=_BY, on=on)
                await announce(tx)

    @asynccontextmanager
    async def member(self, tenant: TenantId) -> AsyncIterator[ProbePerson]:
        """A member of a tenant, in the role that reads no content. The tenant sees it come and go in its events."""
        person, password_hash = await self._person()
        await self._sweep()
        async with self._database.operator() as tx:
            await rows.insert_account(
                tx, person.account_id, AccountKind.MEMBER, person.email, "Probe", AccountState.ACTIVE, password_hash
            )
            await self._members.join(
                tx, tenant, person.account_id, person.email, "Probe", "auditor", "invitation", by=_BY
            )
        try:
            yield person
        finally:
            async with self._database.operator() as tx:
                await evidence.delete_probe(tx, person.account_id)
                on = Object("account", str(person.account_id))
                await self._events.record(tx, MemberRemoved(), by=_BY, on=on, tenant=tenant)
                await announce(tx)

    async def age(self, person: ProbePerson, *, rest: timedelta, life: timedelta) -> None:
        """Moves the person's sessions back in time: as if they had rested for so long, and had begun so long ago."""
        async with self._database.operator() as tx:
            await evidence.age_probe(tx, person.account_id, rest, life)

    async def _person(self, password: str = "") -> tuple[ProbePerson, str]:
        password = password or secrets.token_urlsafe(60)
        person = ProbePerson(new_id(), f"probe-{secrets.token_hex(8)}{SUFFIX}", password)
        return person, await self._hasher.hash(Secret(password.encode()))

    async def _sweep(self) -> None:
        async with self._database.operator() as tx:
            for account_id in await evidence.list_left_probes(tx, SUFFIX):
                await evidence.delete_probe(tx, account_id)
