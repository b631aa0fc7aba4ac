"""Ends of contracts: grace, return of data, deletion at every crash, certificates that verify offline."""

import asyncio
import hashlib
import io
import json
import zipfile
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import pytest

from bailee.access.permissions import STAFF_ROLES, TENANT_ROLES
from bailee.assembly import Services
from bailee.backup.rotation import HeldBackup, Holding
from bailee.foundation.database import OperatorReader
from bailee.foundation.errors import Conflict, Error, NotFound
from bailee.foundation.ids import TenantId, new_id
from bailee.foundation.principal import ActorKind, Forbidden, Principal, StepUpRequired, anonymous
from bailee.ledger.errors import LedgerPending, ProofInvalid
from bailee.ledger.note import parse_vkey
from bailee.retention import deletion
from bailee.retention.certificate import SignedCertificate, parse_certificate, verify_certificate
from bailee.retention.deletion import KEPT, in_order
from bailee.retention.model import Purpose, Termination, TerminationState
from bailee.retention.pdf import render_certificate
from bailee.retention.store import terminations as rows
from bailee.tenants.model import Tenant, TenantState
from tests.integration.retention.test_holds import content, end, person, place, sql, work
from tests.integration.rig import SYSTEM, create_record, define, key_principal, staff_principal, superuser

CLOSED = "SELECT state FROM tenants WHERE tenant_id = %s"


@pytest.fixture
async def full(services: Services, tenant: Tenant) -> TenantId:
    """A tenant with something of everything."""
    await define(services, tenant.id)
    for note, subject in (("a", "ada"), ("b", "bob"), ("c", None)):
        await create_record(services, tenant.id, {"note": note, "email": f"{note}@example.com"}, subject)
    await services.files.store(
        tenant.id, "doc", content(), subject="ada", content_type="text/plain", version=None, by=SYSTEM
    )
    async with services.database.tenant(tenant.id) as tx:
        await services.access.keys.issue(
            tx, name="k", permissions=["records:read"], expires_at=None, by=key_principal(tenant.id)
        )
    await member(services, tenant.id, "owner@example.com")
    return tenant.id


async def member(services: Services, tenant: TenantId, email: str, account: UUID | None = None) -> UUID:
    made = account or new_id()
    address = f"{made}.{email}"
    if account is None:
        sql(
            services, "INSERT INTO accounts (account_id, email, kind, state, name)"
            " VALUES (%s, %s, 'member', 'active', 'Ada Example')", made, address,
        )  # fmt: skip
        sql(
            services, "INSERT INTO totp_factors (account_id, secret) VALUES (%s, 'x')", made,
        )  # fmt: skip
    sql(
        services, "INSERT INTO memberships (tenant_id, account_id, email, name, role, state, source)"
        " VALUES (%s, %s, %s, 'Ada Example', 'owner', 'active', 'invitation')", tenant, made, address,
    )  # fmt: skip
    return made


async def ended(services: Services, tenant: TenantId) -> Termination:
    """A termination that the operator has asked for, without any grace."""
    async with services.database.operator() as tx:
        return await services.retention.terminations.request_for(
            tx, tenant, contract_ended_on=date(2026, 1, 1), grace_days=0, by=staff_principal("data_protection")
        )


async def delete(services: Services, tenant: TenantId) -> None:
    await services.retention.deletion.delete(tenant, by=SYSTEM)


async def state(services: Services, tenant: TenantId) -> TerminationState:
    async with services.database.operator_read() as tx:
        return (await services.retention.terminations.get(tx, tenant)).state


async def take_up(services: Services) -> None:
    """Has the ledger take everything up."""
    while await services.sequencer.step():
        """Batch by batch."""


async def certificate(services: Services, tenant: TenantId, number: int = 1) -> SignedCertificate:
    await take_up(services)
    async with services.database.operator() as tx:
        return await services.retention.certificates.open(tx, tenant, number, by=staff_principal("data_protection"))


# --- asking and cancelling ------------------------------------------------------------------------------


async def test_the_owner_ends_the_contract_has_thirty_days_and_may_cancel(services: Services, full: TenantId) -> None:
    owner = person(full, "owner")
    asked = await services.retention.terminations.request_own(by=owner)
    assert asked.delete_from - asked.requested_at == timedelta(days=30)
    assert sql(services, CLOSED, full) == [("terminating",)]
    with pytest.raises(Conflict):
        await services.retention.terminations.request_own(by=owner)
    with pytest.raises(Conflict):
        await delete(services, full)
    await services.retention.terminations.cancel_own(by=owner)
    assert sql(services, CLOSED, full) == [("active",)]
    await services.retention.terminations.request_own(by=owner)  # and may ask again


async def test_only_owners_and_data_protection_end_contracts_each_their_own(
    services: Services, full: TenantId, two_tenants: Any
) -> None:
    terminations = services.retention.terminations
    for role in TENANT_ROLES.keys() - {"owner"}:
        with pytest.raises(Forbidden):
            await terminations.request_own(by=person(full, role))
    with pytest.raises(StepUpRequired):
        await terminations.request_own(by=person(full, "owner", fresh=False))
    with pytest.raises(NotFound):
        async with services.database.operator() as tx:
            await terminations.request(tx, full, by=person(two_tenants[0].id, "owner"))
    for role in ("support", "infrastructure", "security_officer", "auditor"):
        with pytest.raises(Forbidden):
            async with services.database.operator() as tx:
                await terminations.request_for(
                    tx, full, contract_ended_on=date(2026, 1, 1), grace_days=0, by=staff_principal(role)
                )
    with pytest.raises(Conflict):
        async with services.database.operator() as tx:
            await services.tenants.move(tx, full, to=TenantState.TERMINATING, by=staff_principal("owner"))


async def test_a_grace_period_that_the_customer_asked_for_is_not_shortened(services: Services, full: TenantId) -> None:
    superuser_ = Principal(ActorKind.STAFF, str(new_id()), STAFF_ROLES["superuser"].permissions, stepped_up=True)
    await services.retention.terminations.request_own(by=person(full, "owner"))
    with pytest.raises(Conflict):
        async with services.database.operator() as tx:
            await services.retention.terminations.hasten(tx, full, by=superuser_)
    await services.retention.terminations.cancel_own(by=person(full, "owner"))
    async with services.database.operator() as tx:
        await services.retention.terminations.request_for(
            tx, full, contract_ended_on=date(2026, 1, 1), grace_days=90, by=staff_principal("data_protection")
        )
    with pytest.raises(Conflict):
        await services.retention.terminations.cancel_own(by=person(full, "owner"))
    with pytest.raises(Forbidden):
        async with services.database.operator() as tx:
            await services.retention.terminations.hasten(tx, full, by=staff_principal("owner"))
    async with services.database.operator() as tx:
        hastened = await services.retention.terminations.hasten(tx, full, by=superuser_)
    assert hastened.delete_from <= services.clock.now()


async def test_of_thirty_cancels_at_once_one_counts(services: Services, full: TenantId) -> None:
    await services.retention.terminations.request_own(by=person(full, "owner"))
    tries = [services.retention.terminations.cancel_own(by=person(full, "owner")) for _ in range(30)]
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(one, Termination) for one in results) == 1
    assert all(isinstance(one, Termination | Error) for one in results)
    assert sql(services, CLOSED, full) == [("active",)]


# --- the return of data ---------------------------------------------------------------------------------


async def test_an_export_holds_everything_and_the_digests_of_it(services: Services, full: TenantId) -> None:
    await place(services, full, subjects=["bob"])
    async with services.database.tenant(full) as tx:
        opened = await services.retention.export.open(tx, by=person(full, "owner"))
    raw = b"".join([block async for block in services.retention.export.content(opened)])
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        manifest = json.loads(archive.read("manifest.json"))
        assert names[-1] == "manifest.json"
        assert set(names) - {"manifest.json"} == set(manifest["entries"])
        for name, digest in manifest["entries"].items():
            assert hashlib.sha256(archive.read(name)).hexdigest() == digest
        records = [json.loads(line) for line in archive.read("collections/people/records.ndjson").splitlines()]
        assert {one["data"]["note"] for one in records} == {"a", "c"}  # what is held is listed, and not given out
        assert archive.read("files/doc") == b"content"
        assert len(archive.read("holds.ndjson").splitlines()) == 1
        assert manifest["counts"]["collections/people"] == 2
        assert manifest["counts"]["events"] == len(archive.read("events.ndjson").splitlines())
    for role in TENANT_ROLES.keys() - {"owner"}:
        with pytest.raises(Forbidden):
            async with services.database.tenant(full) as tx:
                await services.retention.export.open(tx, by=person(full, role))


# --- deletion -------------------------------------------------------------------------------------------


async def test_every_tenant_table_is_emptied_or_kept_for_a_reason(services: Services) -> None:
    """A new table with a tenant_id needs the right to be deleted from, or a reason in KEPT."""
    async with services.database.operator_read() as tx:
        tables = await rows.list_tenant_tables(tx)
    assert len(tables) > 40
    stuck = [one.name for one in tables if not (one.by_tenant or one.by_operator) and one.name not in KEPT]
    assert stuck == [], "grant DELETE to the role that has a policy on it, or say in KEPT why it stays"
    assert KEPT.keys() <= {one.name for one in tables}
    assert all(KEPT.values())
    places = {one.name: number for number, one in enumerate(in_order(tables))}
    for one in tables:
        assert all(places[one.name] < places[parent] for parent in one.parents if parent in places)


def _count(connection: psycopg.Connection[Any], table: str, tenant: TenantId) -> int:
    query = psycopg.sql.SQL("SELECT count(*) FROM {} WHERE tenant_id = %s").format(psycopg.sql.Identifier(table))
    row = connection.execute(query, (tenant,)).fetchone()
    assert row is not None
    return int(row[0])


async def _assert_gone(services: Services, tenant: TenantId) -> None:
    assert await services.retention.deletion.count_left(tenant) == {}
    with superuser(services.settings.database.main) as connection:
        tables = connection.execute(
            "SELECT table_name FROM information_schema.columns"
            " WHERE table_schema = 'bailee' AND column_name = 'tenant_id'"
        ).fetchall()
        for (name,) in tables:
            if name not in KEPT:
                assert _count(connection, str(name), tenant) == 0, name
    with superuser(services.settings.database.keyring) as keys:
        assert _count(keys, "data_keys", tenant) + _count(keys, "tenant_keys", tenant) == 0
    assert await services.objects.names(f"files/{tenant}") == []
    assert await services.objects.names(f"archive/{tenant}") == []
    assert await state(services, tenant) is TerminationState.COMPLETED


async def test_nothing_is_left_and_the_certificate_verifies_offline(services: Services, full: TenantId) -> None:
    await ended(services, full)
    await delete(services, full)
    await _assert_gone(services, full)
    signed = await certificate(services, full)
    raw = msgspec.json.encode(signed)
    keys = [parse_vkey(one) for one in services.signer.vkeys]
    assert verify_certificate(parse_certificate(raw), keys) == services.signer.origin
    document = signed.certificate
    assert (document["deleted"]["records"], document["objects"], document["accounts_closed"]) == (3, 1, 1)
    assert document["keys_destroyed"] >= 4
    assert document["kept"] == KEPT
    assert b"Ada Example" not in raw
    assert (await render_certificate(signed)).startswith(b"%PDF")
    changes: list[dict[str, Any]] = [{"objects": 0}, {"customer": {"id": str(new_id())}}, {"kept": {}}]
    for change in changes:
        altered = msgspec.structs.replace(signed, certificate={**document, **change})
        with pytest.raises(ProofInvalid):
            verify_certificate(altered, keys)
    with pytest.raises(ProofInvalid):
        verify_certificate(msgspec.structs.replace(signed, note=signed.note.replace("v1", "v2")), keys)


@pytest.mark.parametrize("dies_at", range(1, 14))
async def test_a_deletion_that_is_killed_anywhere_is_finished_by_the_next_round(
    services: Services, full: TenantId, dies_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ended(services, full)
    monkeypatch.setattr(deletion, "BATCH", 1)
    begun = 0

    def dying(real: Any) -> Any:
        def counted(*of: Any) -> Any:
            nonlocal begun
            begun += 1
            if begun == dies_at:
                raise ConnectionResetError
            return real(*of)

        return counted

    with monkeypatch.context() as patch:
        for name in ("tenant", "operator"):
            patch.setattr(services.database, name, dying(getattr(services.database, name)))
        patch.setattr(services.keyring, "destroy_tenant", dying(services.keyring.destroy_tenant))
        with pytest.raises(ConnectionResetError):
            await delete(services, full)
    await services.retention.deletion.round()
    await _assert_gone(services, full)


@pytest.mark.parametrize("times", [1, 2, 100])
async def test_what_a_job_adds_meanwhile_holds_nobody_elses_deletion_up(
    services: Services, full: TenantId, two_tenants: Any, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, left = rows.delete_rows, times

    async def referred_to(tx: Any, tenant: UUID, table: str, limit: int) -> int:
        nonlocal left
        if (tenant, table) == (full, "alerts") and left:
            left -= 1
            raise psycopg.errors.ForeignKeyViolation
        return await real(tx, tenant, table, limit)

    await ended(services, full)
    await ended(services, two_tenants[0].id)
    with monkeypatch.context() as patch:
        patch.setattr(rows, "delete_rows", referred_to)
        await services.retention.deletion.round()
    await _assert_gone(services, two_tenants[0].id)
    if times == 100:
        assert await state(services, full) is TerminationState.DELETING
        await services.retention.deletion.round()
    await _assert_gone(services, full)


async def test_people_who_belong_elsewhere_keep_their_account(
    services: Services, full: TenantId, two_tenants: Any
) -> None:
    other = two_tenants[0].id
    both = await member(services, full, "both@example.com")
    await member(services, other, "both@example.com", both)
    await ended(services, full)
    await delete(services, full)
    assert sql(services, "SELECT count(*) FROM accounts WHERE account_id = %s", both) == [(1,)]
    assert sql(services, "SELECT tenant_id FROM memberships WHERE account_id = %s", both) == [(other,)]
    signed = await certificate(services, full)
    assert signed.certificate["accounts_closed"] == 1


async def test_neighbours_keep_everything(services: Services, full: TenantId, two_tenants: Any) -> None:
    other = two_tenants[1].id
    await define(services, other)
    kept = await create_record(services, other, {"note": "kept"}, "ada")
    await ended(services, full)
    await delete(services, full)
    async with services.database.tenant(other) as tx:
        assert (await services.vault.read(tx, "people", kept.id, by=SYSTEM)).data == {"note": "kept"}


async def test_a_hold_keeps_its_archive_and_nothing_else_until_it_ends(services: Services, full: TenantId) -> None:
    hold = await place(services, full, subjects=["ada"])
    await ended(services, full)
    await delete(services, full)
    assert await state(services, full) is TerminationState.HELD
    left = await services.retention.deletion.count_left(full)
    assert set(left) <= deletion.ARCHIVE | {"objects", "keys"}
    assert left["archived_records"] == 1
    page = await services.retention.holds.look(
        full, hold, purpose=Purpose.LEGAL_CLAIM, after=None, limit=10, by=person(full)
    )
    assert [one.data["note"] for one in page.records] == ["a"]
    await end(services, full, hold)
    await services.retention.deletion.round()
    await work(services)
    await _assert_gone(services, full)


# --- certificates ---------------------------------------------------------------------------------------


class Calendar:
    """A rotation with one backup that holds everything until a moment."""

    taken = True

    def __init__(self, services: Services) -> None:
        self.now = services.clock.now
        self.gone_by = self.now() + timedelta(days=30)

    async def holding(self, tx: OperatorReader, *, since: Any, until: Any) -> Holding:  # noqa: ARG002  the protocol's
        if self.now() >= self.gone_by:
            return Holding([], None, None)
        held = HeldBackup(new_id(), "main", "full", since, self.gone_by)
        return Holding([held], self.gone_by - timedelta(days=20), self.gone_by)

    async def overdue(self, tx: OperatorReader) -> list[HeldBackup]:  # noqa: ARG002  the protocol's
        return []


async def test_the_second_certificate_comes_when_the_last_backup_is_gone(
    services: Services, full: TenantId, monkeypatch: pytest.MonkeyPatch
) -> None:
    rotation = Calendar(services)
    monkeypatch.setattr(services.retention.certificates, "_dates", rotation)
    await ended(services, full)
    await delete(services, full)
    first = await certificate(services, full)
    assert first.certificate["backups"]["left"] == 1
    assert first.certificate["backups"]["gone_by"] == f"{rotation.gone_by:%Y-%m-%dT%H:%M:%SZ}"
    await services.retention.deletion.certify()
    with pytest.raises(NotFound):
        await certificate(services, full, 2)
    rotation.gone_by = services.clock.now()
    sql(services, "UPDATE deletion_certificates SET backups_gone_by = now() WHERE tenant_id = %s", full)
    await services.retention.deletion.certify()
    second = await certificate(services, full, 2)
    assert second.certificate["backups"]["left"] == 0
    verify_certificate(second, [parse_vkey(one) for one in services.signer.vkeys])


async def test_a_link_opens_the_certificate_once(
    services: Services, full: TenantId, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens: list[str] = []
    monkeypatch.setattr("bailee.retention.certificates._letter", lambda *of: tokens.append(of[3]))

    async def queue(*_: Any, **__: Any) -> bool:
        return True

    monkeypatch.setattr(services.mail, "queue", queue)
    await ended(services, full)
    await delete(services, full)
    await take_up(services)
    assert sql(services, "SELECT notify FROM terminations WHERE tenant_id = %s", full) == [([],)]

    async def use(token: str) -> SignedCertificate:
        async with services.database.operator() as tx:
            return await services.retention.certificates.open_link(tx, token, by=anonymous())

    with pytest.raises(NotFound):
        await use("guessed")
    results = await asyncio.gather(*(use(tokens[0]) for _ in range(30)), return_exceptions=True)
    assert sum(isinstance(one, SignedCertificate) for one in results) == 1
    assert all(isinstance(one, SignedCertificate | NotFound | LedgerPending) for one in results)


async def test_the_calendar_tells_what_still_holds_a_tenant_or_a_person(
    services: Services, full: TenantId, monkeypatch: pytest.MonkeyPatch
) -> None:
    calendar = services.retention.calendar
    monkeypatch.setattr(calendar, "_dates", Calendar(services))
    async with services.database.operator_read() as tx:
        whole = await calendar.of_tenant(tx, full)
    assert whole.until is None
    assert len(whole.backups) == 1
    assert (await calendar.of_subject(full, "ada")).until is None
    async with services.database.tenant(full) as tx:
        erasure = await services.subjects.begin_erasure(tx, "ada", by=SYSTEM)
    async with services.database.tenant(full) as tx:
        await services.subjects.erase(tx, erasure, by=SYSTEM)
    gone = await calendar.of_subject(full, "ada")
    assert gone.until is not None
    assert gone.since < gone.until
    with pytest.raises(NotFound):
        await calendar.of_subject(full, "nobody")
