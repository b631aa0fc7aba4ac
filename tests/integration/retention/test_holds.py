"""Legal holds: into the archive and out of it, at every crash; and who may do what."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from bailee.access.permissions import TENANT_ROLES
from bailee.assembly import Services
from bailee.foundation.errors import Conflict, Error, Invalid, NotFound
from bailee.foundation.ids import TenantId, new_id
from bailee.foundation.principal import ActorKind, Forbidden, Principal, StepUpRequired
from bailee.retention.errors import PurposeRefused, SecondPersonNeeded
from bailee.retention.holds import NewHold
from bailee.retention.model import ADMITS, ArchivePage, Hold, HoldKind, HoldState, Purpose
from bailee.stores.model import ErasureReceipt
from bailee.tenants.model import Tenant
from tests.integration.rig import (
    SYSTEM,
    create_record,
    define,
    everything,
    key_principal,
    staff_principal,
    superuser,
)
from tests.integration.rig import work as work_once

DAY = timedelta(days=1)


async def work(services: Services) -> None:
    """Runs the jobs that wait, and those that they leave."""
    for _ in range(3):
        await work_once(services)


def person(tenant: TenantId, role: str = "privacy_officer", *, fresh: bool = True) -> Principal:
    return Principal(ActorKind.MEMBER, str(new_id()), TENANT_ROLES[role].permissions, tenant, stepped_up=fresh)


def wanted(services: Services, *, days: int = 30, kind: HoldKind = HoldKind.LITIGATION, **scope: Any) -> NewHold:
    return NewHold(kind, "Case 7 O 12/26", services.clock.now().date() + days * DAY, **scope)


async def ask(services: Services, tenant: TenantId, new: NewHold, by: Principal | None = None) -> Hold:
    async with services.database.tenant(tenant) as tx:
        return await services.retention.holds.request(tx, new, by=by or person(tenant))


async def approve(services: Services, tenant: TenantId, hold: UUID, by: Principal | None = None) -> None:
    async with services.database.tenant(tenant) as tx:
        await services.retention.holds.approve(tx, hold, by=by or person(tenant))


async def place(services: Services, tenant: TenantId, **scope: Any) -> UUID:
    hold = await ask(services, tenant, wanted(services, **scope))
    await approve(services, tenant, hold.id)
    await work(services)
    return hold.id


async def look(
    services: Services,
    tenant: TenantId,
    hold: UUID,
    purpose: Purpose = Purpose.LEGAL_CLAIM,
    by: Principal | None = None,
) -> ArchivePage:
    return await services.retention.holds.look(
        tenant, hold, purpose=purpose, after=None, limit=100, by=by or person(tenant)
    )


async def get(services: Services, tenant: TenantId, hold: UUID) -> Hold:
    async with services.database.tenant_read(tenant) as tx:
        return await services.retention.holds.get(tx, hold)


def sql(services: Services, query: str, *values: object) -> Any:
    with superuser(services.settings.database.main) as connection:
        cursor = connection.execute(query, values)  # type: ignore[arg-type,unused-ignore]
        return cursor.fetchall() if cursor.description else None


async def end(services: Services, tenant: TenantId, hold: UUID) -> None:
    sql(services, "UPDATE legal_holds SET ends_on = (now() AT TIME ZONE 'UTC')::date - 1 WHERE hold_id = %s", hold)
    await services.retention.archive.work(tenant, hold, by=SYSTEM)
    await work(services)


async def names(services: Services, tenant: TenantId) -> list[str]:
    return sorted(str(one.data["note"]) for one in await everything(services, tenant))


async def content(text: bytes = b"content") -> AsyncIterator[bytes]:
    yield text


@pytest.fixture
async def people(services: Services, tenant: Tenant) -> TenantId:
    """A tenant with three records: two of ada, one of bob; and a file of ada."""
    await define(services, tenant.id)
    for note, subject in (("a1", "ada"), ("a2", "ada"), ("b1", "bob")):
        await create_record(services, tenant.id, {"note": note, "email": f"{note}@example.com"}, subject)
    await services.files.store(
        tenant.id, "doc", content(), subject="ada", content_type="text/plain", version=None, by=SYSTEM
    )
    return tenant.id


async def test_while_it_is_asked_for_nothing_moves(services: Services, people: TenantId) -> None:
    hold = await ask(services, people, wanted(services, subjects=["ada"]))
    await services.retention.archive.work(people, hold.id, by=SYSTEM)
    assert await names(services, people) == ["a1", "a2", "b1"]
    assert (await get(services, people, hold.id)).state is HoldState.REQUESTED


async def test_what_is_held_leaves_every_ordinary_way_and_is_seen_in_the_archive(
    services: Services, people: TenantId
) -> None:
    hold = await place(services, people, subjects=["ada"])
    assert await names(services, people) == ["b1"]
    async with services.database.tenant(people) as tx:
        found, _ = await services.vault.search(
            tx, "people", subject=None, where={"email": "a1@example.com"}, after=None, limit=10, by=SYSTEM
        )
        assert found == []
        records, files, _ = await services.subjects.view(tx, "ada", after=None, limit=10, by=SYSTEM)
        assert (records, files) == ([], [])
        assert await services.files.page(tx, subject=None, after=None, limit=10) == []
        ids = [row[0] for row in sql(services, "SELECT record_id FROM archived_records WHERE tenant_id = %s", people)]
        assert await services.vault.read_many(tx, "people", ids, by=SYSTEM) == {}
        for one in ids:
            with pytest.raises(NotFound):
                await services.vault.read(tx, "people", one, by=SYSTEM)
    assert await services.objects.names(f"files/{people}") == []
    page = await look(services, people, hold)
    assert sorted(one.data["note"] for one in page.records) == ["a1", "a2"]
    assert [one.file.id for one in page.files] == ["doc"]
    _, blocks = await services.retention.holds.open_file(
        people, hold, page.files[0].archive_id, purpose=Purpose.LEGAL_CLAIM, by=person(people)
    )
    assert b"".join([block async for block in blocks]) == b"content"
    shown = await get(services, people, hold)
    assert (shown.items, shown.moved_at is not None, shown.subjects) == (3, True, 1)


@pytest.mark.parametrize("scope", [{"everything": True}, {"collections": ["people"]}])
async def test_a_hold_on_everything_and_on_a_collection(services: Services, people: TenantId, scope: Any) -> None:
    await place(services, people, **scope)
    assert await names(services, people) == []
    assert bool(await services.objects.names(f"files/{people}")) is ("collections" in scope)
    await create_record(services, people, {"note": "later"}, "ada")  # what comes after is not held
    assert await names(services, people) == ["later"]


async def test_a_ciphertext_of_the_archive_opens_only_under_its_hold(services: Services, people: TenantId) -> None:
    first = await place(services, people, subjects=["ada"])
    second = await place(services, people, subjects=["bob"])
    sql(
        services,
        "UPDATE archived_records SET hold_id = %s WHERE tenant_id = %s AND hold_id = %s",
        second,
        people,
        first,
    )
    sql(
        services, "INSERT INTO archive_listings SELECT tenant_id, %s, record_id FROM archived_records"
        " WHERE tenant_id = %s ON CONFLICT DO NOTHING", second, people,
    )  # fmt: skip
    with pytest.raises(Error):
        await look(services, people, second)


# --- a second person, and who may -----------------------------------------------------------------------


async def test_nobody_approves_what_they_have_asked_for(services: Services, people: TenantId) -> None:
    me = person(people)
    hold = await ask(services, people, wanted(services, subjects=["ada"]), me)
    with pytest.raises(SecondPersonNeeded):
        await approve(services, people, hold.id, me)
    with pytest.raises(Forbidden):
        await approve(services, people, hold.id, key_principal(people))
    with pytest.raises(Forbidden):
        await approve(services, people, hold.id, person(people, "administrator"))
    with pytest.raises(StepUpRequired):
        await approve(services, people, hold.id, person(people, fresh=False))


async def test_the_operator_is_the_second_person_only_of_who_has_none(services: Services, people: TenantId) -> None:
    hold = await ask(services, people, wanted(services, subjects=["ada"]))
    staff = staff_principal("data_protection")
    async with services.database.tenant(people) as tx:
        await services.retention.customer_holds.approve(tx, hold.id, by=staff)
    other = await ask(services, people, wanted(services, subjects=["bob"]))
    for email in ("one@example.com", "two@example.com"):
        account = new_id()
        sql(
            services, "INSERT INTO accounts (account_id, email, kind, state, name)"
            " VALUES (%s, %s, 'member', 'active', '')",
            account, f"{account}.{email}",
        )  # fmt: skip
        sql(
            services, "INSERT INTO memberships (tenant_id, account_id, email, name, role, state, source)"
            " VALUES (%s, %s, %s, '', 'owner', 'active', 'invitation')", people, account, f"{account}.{email}",
        )  # fmt: skip
    with pytest.raises(Forbidden):
        async with services.database.tenant(people) as tx:
            await services.retention.customer_holds.approve(tx, other.id, by=staff)


async def test_another_customer_sees_nothing(services: Services, people: TenantId, two_tenants: Any) -> None:
    hold = await place(services, people, subjects=["ada"])
    stranger = two_tenants[0].id
    with pytest.raises(NotFound):
        await look(services, stranger, hold)
    with pytest.raises(NotFound):
        await approve(services, stranger, hold)
    with pytest.raises(NotFound):
        await get(services, stranger, hold)


@pytest.mark.parametrize("kind", list(HoldKind))
async def test_the_archive_opens_for_what_its_kind_admits_and_refusals_are_on_record(
    services: Services, people: TenantId, kind: HoldKind
) -> None:
    hold = await place(services, people, subjects=["ada"], kind=kind)
    for purpose in Purpose:
        if purpose in ADMITS[kind]:
            assert len((await look(services, people, hold, purpose)).records) == 2
        else:
            with pytest.raises(PurposeRefused):
                await look(services, people, hold, purpose)
    async with services.database.tenant_read(people) as tx:
        events = await services.events.page(tx, action="archive.read", before=None, limit=10)
    by_outcome = {(one.details["purpose"], one.outcome.value, one.details["count"]) for one in events}
    assert by_outcome == {
        (one.value, "success", 3) if one in ADMITS[kind] else (one.value, "refused", 0) for one in Purpose
    }


async def test_looking_needs_its_permission_and_a_second_factor(services: Services, people: TenantId) -> None:
    hold = await place(services, people, subjects=["ada"])
    for role in ("administrator", "editor", "viewer", "auditor"):
        with pytest.raises(Forbidden):
            await look(services, people, hold, by=person(people, role))
    with pytest.raises(StepUpRequired):
        await look(services, people, hold, by=person(people, fresh=False))


@pytest.mark.parametrize(
    "change",
    [
        {"basis": ""}, {"basis": "x" * 501}, {"basis": "\u202egnol"}, {"basis": "\x1b[2J"}, {"basis": "nul\x00"},
        {"ends_on": date(2020, 1, 1)}, {"ends_on": date(2200, 1, 1)}, {"everything": True}, {"subjects": []},
        {"subjects": [" spaced "]}, {"subjects": ["x"] * 1001},
    ],
)  # fmt: skip
async def test_what_is_no_hold_is_refused(services: Services, people: TenantId, change: dict[str, Any]) -> None:
    new = msgspec.structs.replace(wanted(services, subjects=["ada"]), **change)
    with pytest.raises(Invalid):
        await ask(services, people, new)


async def test_of_thirty_approvals_and_withdrawals_at_once_one_counts(services: Services, people: TenantId) -> None:
    hold = await ask(services, people, wanted(services, subjects=["ada"]))

    async def withdraw() -> None:
        async with services.database.tenant(people) as tx:
            await services.retention.holds.withdraw(tx, hold.id, by=person(people))

    tries = [approve(services, people, hold.id) if n % 2 else withdraw() for n in range(30)]
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(one is None for one in results) == 1
    assert all(one is None or isinstance(one, Error) for one in results)


# --- crashes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dies_at", range(1, 7))
async def test_a_move_that_is_killed_anywhere_is_finished_by_the_next_run(
    services: Services, people: TenantId, dies_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bailee.retention.archive.BATCH", 1)
    hold = await ask(services, people, wanted(services, everything=True))
    await approve(services, people, hold.id)
    await _dying(services, people, hold.id, dies_at, monkeypatch)
    await work(services)
    assert await names(services, people) == []
    assert len((await look(services, people, hold.id)).records) == 3
    assert (await get(services, people, hold.id)).items == 4


@pytest.mark.parametrize("dies_at", range(1, 8))
async def test_an_end_that_is_killed_anywhere_is_finished_by_the_next_run(
    services: Services, people: TenantId, dies_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bailee.retention.archive.BATCH", 1)
    hold = await place(services, people, everything=True)
    sql(services, "UPDATE legal_holds SET ends_on = current_date - 2 WHERE hold_id = %s", hold)
    await _dying(services, people, hold, dies_at, monkeypatch)
    await services.retention.archive.work(people, hold, by=SYSTEM)
    await work(services)
    closed = await get(services, people, hold)
    assert (closed.state, closed.items, closed.deleted_records, closed.deleted_files) == (HoldState.ENDED, 0, 3, 1)
    assert await services.objects.names(f"archive/{people}") == []
    with superuser(services.settings.database.keyring) as keys:
        left = keys.execute(
            "SELECT count(*) FROM data_keys WHERE tenant_id = %s AND purpose = 'archive'", (people,)
        ).fetchone()
    assert left == (0,)


@pytest.mark.parametrize("dies_at", range(1, 8))
async def test_a_lift_that_is_killed_anywhere_brings_everything_back_once(
    services: Services, people: TenantId, dies_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bailee.retention.archive.BATCH", 1)
    hold = await place(services, people, everything=True)
    await _lift(services, people, hold)
    await _dying(services, people, hold, dies_at, monkeypatch)
    await work(services)
    assert await names(services, people) == ["a1", "a2", "b1"]
    async with services.database.tenant(people) as tx:
        assert [one.id for one in await services.files.page(tx, subject="ada", after=None, limit=10)] == ["doc"]
        found, _ = await services.vault.search(
            tx, "people", subject="ada", where={"email": "a1@example.com"}, after=None, limit=10, by=SYSTEM
        )
        assert [one.data["note"] for one in found] == ["a1"]
    closed = await get(services, people, hold)
    assert (closed.state, closed.returned_records, closed.items) == (HoldState.LIFTED, 3, 0)


async def _lift(services: Services, tenant: TenantId, hold: UUID) -> None:
    me = person(tenant)
    async with services.database.tenant(tenant) as tx:
        await services.retention.holds.ask_to_lift(tx, hold, reason="placed_in_error", by=me)
    with pytest.raises(SecondPersonNeeded):
        async with services.database.tenant(tenant) as tx:
            await services.retention.holds.decide_change(tx, hold, approved=True, by=me)
    async with services.database.tenant(tenant) as tx:
        await services.retention.holds.decide_change(tx, hold, approved=True, by=person(tenant))


async def _dying(
    services: Services, tenant: TenantId, hold: UUID, dies_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs the hold's work until the transaction that is to be its last begins; where there are fewer, to its end."""
    real, begun = services.database.tenant, 0

    def counted(owner: TenantId) -> Any:
        nonlocal begun
        begun += 1
        if begun == dies_at:
            raise ConnectionResetError
        return real(owner)

    with monkeypatch.context() as patch:
        patch.setattr(services.database, "tenant", counted)
        try:
            await services.retention.archive.work(tenant, hold, by=SYSTEM)
        except ConnectionResetError:
            return


# --- several holds, extension, erasure --------------------------------------------------------------------


async def test_what_two_holds_cover_stays_until_the_last_of_them_ends(services: Services, people: TenantId) -> None:
    first = await place(services, people, subjects=["ada"])
    second = await place(services, people, everything=True, days=60)
    assert len((await look(services, people, second)).records) == 3
    await end(services, people, first)
    page = await look(services, people, second)
    assert len(page.records) == 3
    _, blocks = await services.retention.holds.open_file(
        people, second, page.files[0].archive_id, purpose=Purpose.LEGAL_CLAIM, by=person(people)
    )
    assert b"".join([block async for block in blocks]) == b"content"
    with pytest.raises(Conflict):
        await look(services, people, first)
    await end(services, people, second)
    assert sql(services, "SELECT count(*) FROM archived_records WHERE tenant_id = %s", people) == [(0,)]
    assert await services.objects.names(f"archive/{people}") == []


async def test_the_last_day_counts_whole(services: Services, people: TenantId) -> None:
    hold = await place(services, people, subjects=["ada"])
    sql(services, "UPDATE legal_holds SET ends_on = (now() AT TIME ZONE 'UTC')::date WHERE hold_id = %s", hold)
    await services.retention.retention_jobs.holds()
    await work(services)
    assert (await get(services, people, hold)).state is HoldState.ACTIVE
    sql(services, "UPDATE legal_holds SET ends_on = ends_on - 1 WHERE hold_id = %s", hold)
    await services.retention.retention_jobs.holds()
    await work(services)
    assert (await get(services, people, hold)).state is HoldState.ENDED


async def test_an_extension_takes_a_second_person(services: Services, people: TenantId) -> None:
    hold = await place(services, people, subjects=["ada"])
    before = (await get(services, people, hold)).ends_on
    me = person(people)
    async with services.database.tenant(people) as tx:
        await services.retention.holds.ask_to_extend(tx, hold, ends_on=before + DAY, by=me)
    assert (await get(services, people, hold)).ends_on == before
    async with services.database.tenant(people) as tx:
        await services.retention.holds.decide_change(tx, hold, approved=True, by=person(people))
    assert (await get(services, people, hold)).ends_on == before + DAY


async def _erase(services: Services, tenant: TenantId, subject: str) -> tuple[UUID, ErasureReceipt]:
    async with services.database.tenant(tenant) as tx:
        erasure = await services.subjects.begin_erasure(tx, subject, by=SYSTEM)
    async with services.database.tenant(tenant) as tx:
        return erasure, await services.subjects.erase(tx, erasure, by=SYSTEM)


async def test_an_erasure_waits_for_the_archive_and_goes_on_by_itself(services: Services, people: TenantId) -> None:
    hold = await place(services, people, subjects=["ada"])
    await create_record(services, people, {"note": "a3"}, "ada")
    erasure, receipt = await _erase(services, people, "ada")
    assert (receipt.state, receipt.records, receipt.keys) == ("waiting", 1, 1)
    assert receipt.until == (await get(services, people, hold)).ends_on
    assert receipt.bases == ["Case 7 O 12/26"]
    assert await names(services, people) == ["b1"]
    assert len((await look(services, people, hold)).records) == 2
    await create_record(services, people, {"note": "back"}, "ada")  # the person has come back
    await end(services, people, hold)
    async with services.database.tenant_read(people) as tx:
        final = await services.subjects.find_receipt(tx, erasure)
    assert final is not None
    assert (final.state, final.records) == ("completed", 1)
    assert await names(services, people) == ["b1", "back"]


async def test_a_lift_erases_whose_erasure_waits(services: Services, people: TenantId) -> None:
    hold = await place(services, people, everything=True)
    erasure, receipt = await _erase(services, people, "ada")
    assert receipt.state == "waiting"
    await _lift(services, people, hold)
    await work(services)
    assert await names(services, people) == ["b1"]
    assert await services.objects.names(f"files/{people}") == []
    async with services.database.tenant_read(people) as tx:
        assert await services.subjects.find_receipt(tx, erasure) is not None


async def test_what_a_floor_keeps_of_an_erased_person_moves_to_the_archive(
    services: Services, people: TenantId
) -> None:
    async with services.database.tenant(people) as tx:
        await services.retention.limits.set_floor(tx, collection="people", at_least="P10Y", basis="§ 147 AO", by=SYSTEM)
    erasure, receipt = await _erase(services, people, "ada")
    assert (receipt.state, receipt.records, receipt.files, receipt.bases) == ("waiting", 0, 1, ["§ 147 AO"])
    assert await names(services, people) == ["b1"]
    async with services.database.tenant_read(people) as tx:
        (hold,) = await services.retention.holds.page(tx)
    assert (hold.origin, hold.kind, hold.items) == ("floor", HoldKind.OTHER_LAW, 2)
    await end(services, people, hold.id)
    async with services.database.tenant_read(people) as tx:
        assert await services.subjects.find_receipt(tx, erasure) is not None


async def test_a_person_with_archived_records_keeps_their_key(services: Services, people: TenantId) -> None:
    await place(services, people, everything=True)
    sql(services, "UPDATE subjects SET created_at = now() - interval '9 days' WHERE tenant_id = %s", people)
    assert (await services.retention.rules.run(people, by=SYSTEM)).keys == 0
