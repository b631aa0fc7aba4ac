"""A tenant's domains: added, verified by DNS, looked at again every day, removed.

The record is asked for outside any transaction. A domain counts for one tenant at most; who comes second gets the same
answer as somebody whose record is missing, so that nobody learns from it who our customers are.
"""

import re
import secrets
from datetime import timedelta
from uuid import UUID

import structlog

from bailee.access.federation import store as rows
from bailee.access.federation.dns import DomainRecords, Found, record_name, record_value
from bailee.access.federation.errors import DomainNotVerified
from bailee.access.federation.model import Domain
from bailee.access.letters import Letters
from bailee.access.members import require_feature
from bailee.access.store import members as member_rows
from bailee.events import Events, Object, verb
from bailee.events.catalogue import (
    DomainAdded,
    DomainFailing,
    DomainLost,
    DomainRemoved,
    DomainVerificationFailed,
    DomainVerified,
)
from bailee.events.model import Outcome
from bailee.events.verbs import SYSTEM
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database, OperatorWriter, TenantReader, TenantWriter
from bailee.foundation.errors import Conflict, FieldError, Invalid, NotFound
from bailee.foundation.ids import TenantId, new_id
from bailee.foundation.mail import Mail
from bailee.foundation.principal import Principal, system

log = structlog.get_logger()

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(?=.{{1,253}}\Z)(?:{_LABEL}\.)+(?![0-9]+\Z){_LABEL}", re.ASCII)
_MAX_INPUT = 300
_MAX_DOMAINS = 50
_FAILURES_TO_TELL = 3
_GRACE = timedelta(days=7)
FEATURE, CALLED = "sso", "Single sign-on is"


class Domains:
    """The domains of one tenant at a time."""

    def __init__(
        self, database: Database, events: Events, records: DomainRecords, mail: Mail, letters: Letters, clock: Clock
    ) -> None:
        self._database = database
        self._events = events
        self._records = records
        self._mail = mail
        self._letters = letters
        self._clock = clock

    async def all(self, tx: TenantReader) -> list[Domain]:
        """By name, verified or not."""
        return [_shown(row) for row in await rows.list_domains(tx)]

    @verb(DomainAdded, permission="domains.add")
    async def add(self, tx: TenantWriter, domain: str, *, by: Principal) -> Domain:
        """Takes a domain down and says which record proves it. Raises Invalid, NotInPlan, or Conflict for a
        second time.
        """
        await require_feature(tx, FEATURE, CALLED)
        name = normalise_domain(domain)
        if len(await rows.list_domains(tx)) >= _MAX_DOMAINS:
            raise Conflict(f"A tenant has at most {_MAX_DOMAINS} domains. Remove one that you no longer use.")
        domain_id = new_id()
        if not await rows.insert_domain(tx, domain_id, name, secrets.token_hex(20)):
            raise Conflict("This domain is among yours already.")
        await self._events.record(tx, DomainAdded(), by=by, on=_object(domain_id))
        return _shown(await _get(tx, domain_id))

    async def verify(self, domain_id: UUID, *, by: Principal) -> Domain:
        """Asks DNS for the record now. Raises NotFound, NotInPlan, or DomainNotVerified."""
        by.require("domains.verify")
        tenant = by.tenant
        async with self._database.tenant_read(tenant) as reader:
            await require_feature(reader, FEATURE, CALLED)
            row = await _get(reader, domain_id)
        found = await self._records.holds(row.domain, row.token)
        if found is Found.YES:
            async with self._database.operator() as tx:
                shown = await self.finish_verification(tx, tenant, domain_id, by=by)
            if shown is not None:
                return shown
        async with self._database.tenant(tenant) as writer:
            await self._events.record(
                writer, DomainVerificationFailed("no_answer" if found is Found.UNKNOWN else "not_found"), by=by,
                on=_object(domain_id), outcome=Outcome.REFUSED,
            )  # fmt: skip
        raise DomainNotVerified

    @verb(DomainVerified, DomainVerificationFailed, permission="domains.verify")
    async def finish_verification(
        self, tx: OperatorWriter, tenant: TenantId, domain_id: UUID, *, by: Principal
    ) -> Domain | None:
        """The transaction of `verify`. None where the domain is another tenant's. Raises NotFound."""
        row = await rows.lock_domain(tx, tenant, domain_id)
        if row is None:
            raise NotFound
        if not await rows.claim_domain(tx, row.domain, tenant):
            await self._events.record(
                tx, DomainVerificationFailed("taken"), by=by, on=_object(domain_id), outcome=Outcome.REFUSED
            )
            return None
        await rows.mark_found(tx, tenant, domain_id)
        await self._events.record(tx, DomainVerified(), by=by, on=_object(domain_id), tenant=tenant)
        changed = await rows.lock_domain(tx, tenant, domain_id)
        return _shown(changed) if changed else None

    @verb(DomainRemoved, permission="domains.remove", step_up=True)
    async def remove(self, tx: OperatorWriter, tenant: TenantId, domain_id: UUID, *, by: Principal) -> None:
        """Lets go of a domain: nobody new signs in by it. Raises NotFound, or Conflict where the policy needs it."""
        row = await rows.lock_domain(tx, tenant, domain_id)
        if row is None:
            raise NotFound
        policy = await member_rows.find_policy(tx, tenant)
        needed = policy is not None and policy.require_sso and row.verified_at is not None
        if needed and await rows.count_verified(tx, tenant) == 1:
            raise Conflict("The policy asks members to use single sign-on, which needs a domain. Change it first.")
        await rows.release_domain(tx, row.domain, tenant)
        await rows.delete_domain(tx, tenant, domain_id)
        await self._events.record(tx, DomainRemoved(), by=by, on=_object(domain_id), tenant=tenant)

    # --- by the clock ---------------------------------------------------------------------------------

    async def look_again(self) -> None:
        """The daily round: a record that is gone is told of on the third day, and counts no more after the seventh."""
        async with self._database.operator_read() as reader:
            verified = await rows.list_verified(reader)
        for row in verified:
            found = await self._records.holds(row.domain, row.token)
            if found is Found.UNKNOWN:
                log.warning("domain not looked up", domain=str(row.domain_id))
                continue
            async with self._database.operator() as tx:
                if found is Found.YES:
                    await rows.mark_found(tx, row.tenant_id, row.domain_id)
                else:
                    await self._missing(tx, row)

    async def _missing(self, tx: OperatorWriter, seen: rows.DomainRow) -> None:
        await rows.mark_missing(tx, seen.tenant_id, seen.domain_id)
        row = await rows.lock_domain(tx, seen.tenant_id, seen.domain_id)
        if row is None or row.failing_since is None or row.verified_at is None:
            return
        if self._clock.now() - row.failing_since >= _GRACE:
            await self.lose(tx, row.tenant_id, row.domain_id, by=system("clock"))
        elif row.failures == _FAILURES_TO_TELL:
            await self._events.record(
                tx, DomainFailing(row.failures), by=system("clock"), on=_object(row.domain_id), tenant=row.tenant_id,
                outcome=Outcome.FAILURE,
            )  # fmt: skip
            for email in await rows.list_owner_emails(tx, row.tenant_id):
                letter = self._letters.domain_failing(email, row.domain, row.failing_since + _GRACE)
                await self._mail.queue(tx, letter)

    @verb(DomainLost, permission=SYSTEM)
    async def lose(self, tx: OperatorWriter, tenant: TenantId, domain_id: UUID, *, by: Principal) -> None:
        """A domain counts no more. Its row stays, to be verified again. Raises NotFound."""
        row = await rows.lock_domain(tx, tenant, domain_id)
        if row is None:
            raise NotFound
        await rows.release_domain(tx, row.domain, tenant)
        await rows.mark_unverified(tx, tenant, domain_id)
        await self._events.record(tx, DomainLost(), by=by, on=_object(domain_id), tenant=tenant)


def normalise_domain(text: str) -> str:
    """As it is stored and compared. Raises Invalid for what cannot be somebody's domain."""
    name = text.strip().lower().removesuffix(".") if len(text) <= _MAX_INPUT else ""
    if not _DOMAIN.fullmatch(name):
        message = "Give a domain such as example.com, without a path, and in its xn-- form where it goes beyond ASCII."
        raise Invalid("The domain is not valid.", errors=[FieldError("domain", message)])
    return name


async def _get(tx: TenantReader, domain_id: UUID) -> rows.DomainRow:
    row = await rows.find_domain(tx, domain_id)
    if row is None:
        raise NotFound
    return row


def _shown(row: rows.DomainRow) -> Domain:
    return Domain(
        row.domain_id, row.domain, record_name(row.domain), record_value(row.token), row.created_at, row.verified_at,
        row.checked_at, row.failing_since,
    )  # fmt: skip


def _object(domain_id: UUID) -> Object:
    return Object("domain", str(domain_id))
