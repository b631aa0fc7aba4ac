"""Certificates of deletion: what was deleted, what stays and why, and when the last backup is gone.

The document is canonical JSON. It is proven twice: by a signed note over its digest (Ed25519, the log's key), and by
the event `tenant.deleted`, which carries the digest, with its inclusion proof and the checkpoint that both of the log's
keys have signed. `bailee verify-certificate` checks all of it offline.

The first says what was deleted, the second, issued when the last backup is gone, that nothing is left, counted again.
"""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from bailee.backup.rotation import Holding
from bailee.events import Events, Object, verb
from bailee.events.catalogue import CertificateOpened, TenantDeleted
from bailee.events.verbs import ANYONE, SYSTEM
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database, OperatorReader, OperatorWriter
from bailee.foundation.errors import NotFound
from bailee.foundation.ids import TenantId
from bailee.foundation.mail import Mail, Message
from bailee.foundation.principal import Principal
from bailee.ledger.commitment import canonical
from bailee.ledger.errors import LedgerPending
from bailee.ledger.note import Signer
from bailee.retention.certificate import FORMAT, SignedCertificate, note_text
from bailee.retention.model import Certificate, Termination, TerminationState
from bailee.retention.rotation import BackupDates
from bailee.retention.store import terminations as rows
from bailee.tenants.service import Tenants

_LINK_DAYS = 90
_NOT_ROWS = frozenset({"keys", "accounts", "objects", "jobs"})


class Certificates:
    """Issues certificates, and gives them out."""

    def __init__(
        self, database: Database, tenants: Tenants, dates: BackupDates, signer: Signer, mail: Mail,
        base_url: str, events: Events, clock: Clock,
    ) -> None:  # fmt: skip
        self._database = database
        self._tenants = tenants
        self._dates = dates
        self._signer = signer
        self._mail = mail
        self._base = base_url
        self._events = events
        self._clock = clock

    async def issue_first(self, tenant: TenantId, kept: dict[str, str], *, by: Principal) -> None:
        """Writes the first certificate and the letter with its link, and completes the termination."""
        async with self._database.operator() as tx:
            await self.complete(tx, tenant, kept, by=by)

    @verb(TenantDeleted, permission=SYSTEM)
    async def complete(self, tx: OperatorWriter, tenant: TenantId, kept: dict[str, str], *, by: Principal) -> None:
        """In one transaction. Raises NotFound for what is completed."""
        found = await rows.hold_termination(tx, tenant)
        if found is None or found.state is TerminationState.COMPLETED:
            raise NotFound
        now = self._clock.now()
        since = (await self._tenants.get(tx, tenant)).created_at
        holding = await self._dates.holding(tx, since=since, until=now)
        document = _document(1, found, since, now, kept, holding, configured=self._dates.taken)
        token = secrets.token_urlsafe(32)
        expires = now + timedelta(days=_LINK_DAYS)
        await self._keep(tx, found, 1, document, holding.gone_by, _digest(token), expires, by=by)
        for before in (TerminationState.DELETING, TerminationState.HELD):
            await rows.set_state(tx, tenant, before, TerminationState.COMPLETED, None)
        for email in (await rows.take_notify(tx, tenant))[:1]:  # a link that opens once goes to one person
            await self._mail.queue(tx, _letter(self._base, email, found.tenant_name, token, expires))

    async def issue_second(
        self, tenant: TenantId, kept: dict[str, str], left: dict[str, int], *, by: Principal
    ) -> bool:
        """Writes the second one, if no backup is left and nothing else is; whether it did."""
        async with self._database.operator() as tx:
            since = (await self._tenants.get(tx, tenant)).created_at
            first = next((one for one in await rows.list_certificates(tx, tenant) if one.number == 1), None)
            if first is None or left:
                return False
            holding = await self._dates.holding(tx, since=since, until=first.issued_at)
            if holding.backups:
                return False
            await self.complete_second(tx, tenant, kept, by=by)
        return True

    @verb(TenantDeleted, permission=SYSTEM)
    async def complete_second(
        self, tx: OperatorWriter, tenant: TenantId, kept: dict[str, str], *, by: Principal
    ) -> None:
        """In one transaction."""
        found = await rows.hold_termination(tx, tenant)
        if found is None:
            raise NotFound
        since, now = (await self._tenants.get(tx, tenant)).created_at, self._clock.now()
        document = _document(2, found, since, now, kept, Holding([], None, None), configured=self._dates.taken)
        await self._keep(tx, found, 2, document, None, None, None, by=by)

    async def _keep(
        self, tx: OperatorWriter, found: Termination, number: int, document: dict[str, Any], gone_by: datetime | None,
        digest: bytes | None, expires: datetime | None, *, by: Principal,
    ) -> None:  # fmt: skip
        raw = canonical(document)
        sha256 = hashlib.sha256(raw).hexdigest()
        counts = found.counts
        deleted = sum(count for name, count in counts.items() if name not in _NOT_ROWS)
        details = TenantDeleted(
            sha256, number, deleted, counts.get("objects", 0), counts.get("keys", 0), counts.get("accounts", 0)
        )
        on = Object("tenant", str(found.tenant_id))
        event = await self._events.record(tx, details, by=by, on=on, tenant=found.tenant_id)
        note = self._signer.sign_statement(note_text(sha256))
        certificate = Certificate(found.tenant_id, number, raw, event, note, None, self._clock.now(), gone_by)
        await rows.insert_certificate(tx, certificate, digest, expires)

    # --- giving them out ----------------------------------------------------------------------------------

    async def list(self, tx: OperatorReader, tenant: UUID) -> list[Certificate]:
        """Those there are of a tenant, the first one first."""
        return await rows.list_certificates(tx, tenant)

    @verb(CertificateOpened, permission="terminations.read_certificate")
    async def open(self, tx: OperatorWriter, tenant: UUID, number: int, *, by: Principal) -> SignedCertificate:
        """One certificate with its proof. Raises NotFound, LedgerPending."""
        found = await self._signed(tx, tenant, number)
        owner = TenantId(tenant)
        await self._events.record(tx, CertificateOpened("staff"), by=by, on=Object("tenant", str(tenant)), tenant=owner)
        return found

    @verb(CertificateOpened, permission=ANYONE)
    async def open_link(self, tx: OperatorWriter, token: str, *, by: Principal) -> SignedCertificate:
        """The newest certificate, for the link that went to the former owner: once. Raises NotFound, LedgerPending."""
        tenant = await rows.use_link(tx, _digest(token), self._clock.now())
        if tenant is None:
            raise NotFound("This link has been used, has expired, or was never one.")
        newest = (await rows.list_certificates(tx, tenant))[-1]
        found = await self._signed(tx, tenant, newest.number)
        owner = TenantId(tenant)
        await self._events.record(tx, CertificateOpened("link"), by=by, on=Object("tenant", str(tenant)), tenant=owner)
        return found

    async def _signed(self, tx: OperatorWriter, tenant: UUID, number: int) -> SignedCertificate:
        found = next((one for one in await rows.list_certificates(tx, tenant) if one.number == number), None)
        if found is None:
            raise NotFound
        evidence = found.evidence
        if evidence is None:  # once the event has its place in the ledger it is kept: events may be forgotten
            evidence = msgspec.to_builtins(await self._events.prove(tx, [found.event_id]))
            await rows.set_evidence(tx, tenant, number, evidence)
        return SignedCertificate(FORMAT, msgspec.json.decode(found.document), found.note, evidence)

    async def keep_proofs(self, tenant: TenantId) -> None:
        """Takes the proofs of certificates that have none yet."""
        async with self._database.operator() as tx:
            for one in await rows.list_certificates(tx, tenant):
                if one.evidence is None:
                    try:
                        await self._signed(tx, tenant, one.number)
                    except LedgerPending:  # the next round takes it
                        return


def _document(
    number: int, found: Termination, since: datetime, now: datetime, kept: dict[str, str], holding: Holding,
    *, configured: bool,
) -> dict[str, Any]:  # fmt: skip
    backups: dict[str, Any] = {
        "taken_by_us": configured,
        "left": len(holding.backups),
        "unreadable_from": _moment(holding.unreadable_from),
        "gone_by": _moment(holding.gone_by),
    }
    return {
        "format": FORMAT,
        "number": number,
        "customer": {"id": str(found.tenant_id), "name": found.tenant_name, "since": _moment(since)},
        "asked_by": found.side,
        "asked_at": _moment(found.requested_at),
        "contract_ended_on": found.contract_ended_on.isoformat() if found.contract_ended_on else None,
        "began_at": _moment(found.began_at),
        "completed_at": _moment(found.closed_at if number > 1 else now),
        "issued_at": _moment(now),
        "deleted": {name: count for name, count in sorted(found.counts.items()) if name not in _NOT_ROWS},
        "objects": found.counts.get("objects", 0),
        "keys_destroyed": found.counts.get("keys", 0),
        "accounts_closed": found.counts.get("accounts", 0),
        "counted_left": 0,
        "kept": kept,
        "backups": backups,
    }


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _digest(token: str) -> bytes:
    return hashlib.sha256(b"bailee/certificate-link/v1\n" + token.encode()).digest()


def _letter(base: str, to: str, name: str, token: str, expires: datetime) -> Message:
    return Message(
        to=to,
        subject="Your data is deleted: the certificate",
        text=f"All that we held for {name} is deleted, and its keys are destroyed.\n\nThe signed certificate says "
        "what it was, what stays and why, and when the last backup is gone: "
        f"{base}/certificate?token={token}\n\nThe link opens once, until {expires:%Y-%m-%d}. "
        "It is the last letter to this address.\n",
    )  # fmt: skip
