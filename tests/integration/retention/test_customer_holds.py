"""The operator's part in customers' holds: where there is nobody else, and nowhere beyond."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from bailee.access.permissions import STAFF_ROLES, TENANT_ROLES
from bailee.assembly import Services
from bailee.foundation.errors import Conflict, Error, Invalid, NotFound
from bailee.foundation.ids import TenantId, new_id
from bailee.foundation.principal import ActorKind, Forbidden, Principal, StepUpRequired
from bailee.retention.errors import CustomerDecides, PurposeRefused, SecondPersonNeeded
from bailee.retention.model import ArchivePage, CustomerHold, Hold, HoldState, Purpose, TerminationState
from bailee.tenants.model import Tenant
from tests.integration.retention.test_holds import approve, ask, content, get, person, place, sql, wanted, work
from tests.integration.retention.test_terminations import delete, ended, member, state
from tests.integration.rig import SYSTEM, create_record, create_tenant, define, key_principal, staff_principal

OFFICER = "data_protection"


def officer(*, fresh: bool = True) -> Principal:
    return msgspec.structs.replace(staff_principal(OFFICER), stepped_up=fresh)


async def filled(services: Services) -> TenantId:
    """A tenant with a record and a file of ada."""
    tenant = (await create_tenant(services)).id
    await define(services, tenant)
    await create_record(services, tenant, {"note": "kept"}, "ada")
    await services.files.store(
        tenant, "doc", content(), subject="ada", content_type="text/html", version=None, by=SYSTEM
    )
    return tenant


async def over(services: Services) -> tuple[TenantId, UUID]:
    """A customer whose contract has ended, and the hold that keeps its archive."""
    tenant = await filled(services)
    hold = await place(services, tenant, subjects=["ada"])
    await ended(services, tenant)
    await delete(services, tenant)
    assert await state(services, tenant) is TerminationState.HELD
    return tenant, hold


async def listed(services: Services, **of: Any) -> list[CustomerHold]:
    async with services.database.operator_read() as tx:
        return await services.retention.customer_holds.page(tx, **of)


async def look(
    services: Services, tenant: TenantId, hold: UUID, purpose: Purpose = Purpose.LEGAL_CLAIM,
    by: Principal | None = None,
) -> ArchivePage:  # fmt: skip
    return await services.retention.customer_holds.look(
        tenant, hold, purpose=purpose, after=None, limit=100, by=by or officer()
    )


async def open_file(
    services: Services, tenant: TenantId, hold: UUID, file: UUID, purpose: Purpose = Purpose.LEGAL_CLAIM,
    by: Principal | None = None,
) -> bytes:  # fmt: skip
    _, blocks = await services.retention.customer_holds.open_file(
        tenant, hold, file, purpose=purpose, by=by or officer()
    )
    return b"".join([block async for block in blocks])


async def do(services: Services, tenant: TenantId, verb: str, hold: UUID, **of: Any) -> Hold:
    """One verb of the operator's, in a transaction of its own."""
    async with services.database.tenant(tenant) as tx:
        done: Hold = await getattr(services.retention.customer_holds, verb)(tx, hold, **{"by": officer(), **of})
        return done


async def looks(services: Services, tenant: TenantId) -> list[tuple[str, str, str, int]]:
    async with services.database.tenant_read(tenant) as tx:
        events = await services.events.page(tx, action="archive.read", before=None, limit=50)
    return [(one.actor.kind, one.details["purpose"], one.outcome.value, one.details["count"]) for one in events]


# --- what waits -----------------------------------------------------------------------------------------


async def test_what_waits_is_seen_across_customers_with_who_decides_it(services: Services) -> None:
    alone, settled = await filled(services), await filled(services)
    for tenant, count in ((alone, 1), (settled, 2)):
        for number in range(count):
            await member(services, tenant, f"{number}@example.com")
    asked = [await ask(services, tenant, wanted(services, subjects=["ada"])) for tenant in (alone, settled)]
    in_force = await place(services, alone, subjects=["ada"])
    closed = await ask(services, alone, wanted(services, subjects=["ada"]))
    async with services.database.tenant(alone) as tx:
        await services.retention.holds.withdraw(tx, closed.id, by=person(alone))
    waiting = {one.hold.id: one for one in await listed(services, waiting=True, limit=1000)}
    assert {asked[0].id, asked[1].id} <= waiting.keys()
    assert {in_force, closed.id}.isdisjoint(waiting)
    assert [(waiting[one.id].alone, waiting[one.id].ended) for one in asked] == [(True, False), (False, False)]
    assert waiting[asked[0].id].tenant_name == "Example"
    async with services.database.tenant(alone) as tx:
        await services.retention.holds.ask_to_lift(tx, in_force, reason="basis_ended", by=person(alone))
    mine = await listed(services, waiting=True, tenant=alone)
    assert {one.hold.id for one in mine} == {asked[0].id, in_force}
    everything = await listed(services, tenant=alone)
    assert {one.hold.id for one in everything} == {asked[0].id, in_force, closed.id}
    assert {one.hold.id for one in await listed(services, tenant=alone, state="withdrawn")} == {closed.id}


async def test_pages_of_what_waits_meet_without_a_gap(services: Services) -> None:
    tenant = await filled(services)
    ids = [(await ask(services, tenant, wanted(services, subjects=["ada"]))).id for _ in range(5)]
    seen: list[UUID] = []
    while page := await listed(services, waiting=True, tenant=tenant, before=seen[-1] if seen else None, limit=2):
        seen += [one.hold.id for one in page]
    assert seen == sorted(ids, reverse=True)


async def test_a_role_of_the_customers_own_counts_as_its_second_person(services: Services) -> None:
    tenant = await filled(services)
    await member(services, tenant, "owner@example.com")
    account = await member(services, tenant, "counsel@example.com")
    sql(services, "UPDATE memberships SET role = 'counsel' WHERE account_id = %s", account)
    hold = await ask(services, tenant, wanted(services, subjects=["ada"]))
    assert [one.alone for one in await listed(services, tenant=tenant)] == [True]
    sql(
        services, "INSERT INTO tenant_roles (tenant_id, name, title, permissions) VALUES (%s, 'counsel', 'x', %s)",
        tenant, ["holds.approve"],
    )  # fmt: skip
    assert [one.alone for one in await listed(services, tenant=tenant)] == [False]
    with pytest.raises(Forbidden, match="second person of its own"):
        await do(services, tenant, "approve", hold.id)


async def test_of_another_customer_there_is_no_such_hold(services: Services, tenant: Tenant) -> None:
    other = await filled(services)
    hold = await ask(services, other, wanted(services, subjects=["ada"]))
    async with services.database.operator_read() as tx:
        assert (await services.retention.customer_holds.get(tx, other, hold.id)).hold.id == hold.id
        for place_, id_ in ((tenant.id, hold.id), (other, new_id())):
            with pytest.raises(NotFound):
                await services.retention.customer_holds.get(tx, place_, id_)
    verbs: list[tuple[str, dict[str, Any]]] = [("approve", {}), ("refuse", {}), ("decide_change", {"approved": True})]
    for verb, of in verbs:
        with pytest.raises(NotFound):
            await do(services, tenant.id, verb, hold.id, **of)


# --- as the second person of who has none -----------------------------------------------------------------


async def test_the_operator_refuses_or_approves_only_where_the_customer_is_alone(services: Services) -> None:
    tenant = await filled(services)
    await member(services, tenant, "owner@example.com")
    first, second = [await ask(services, tenant, wanted(services, subjects=["ada"])) for _ in range(2)]
    assert (await do(services, tenant, "refuse", first.id)).state is HoldState.REFUSED
    with pytest.raises(Conflict):
        await do(services, tenant, "approve", first.id)
    await member(services, tenant, "officer@example.com")
    for verb in ("approve", "refuse"):
        with pytest.raises(Forbidden, match="second person of its own"):
            await do(services, tenant, verb, second.id)
    await approve(services, tenant, second.id)
    async with services.database.tenant(tenant) as tx:
        await services.retention.holds.ask_to_lift(tx, second.id, reason="basis_ended", by=person(tenant))
    for approved in (True, False):
        with pytest.raises(Forbidden, match="second person of its own"):
            await do(services, tenant, "decide_change", second.id, approved=approved)


@pytest.mark.parametrize(
    "verb, of",
    [
        ("approve", {}), ("refuse", {}), ("decide_change", {"approved": True}),
        ("ask_to_lift", {"reason": "basis_ended"}), ("ask_to_extend", {}),
        ("read", {"purpose": Purpose.LEGAL_CLAIM, "after": None, "limit": 1}),
        ("read_file", {"purpose": Purpose.LEGAL_CLAIM}),
    ],
)  # fmt: skip
async def test_each_verb_asks_for_its_role_and_a_fresh_second_factor(
    services: Services, tenant: Tenant, verb: str, of: dict[str, Any]
) -> None:
    if verb == "ask_to_extend":
        of = {"ends_on": services.clock.now().date() + timedelta(days=1)}
    ids = [new_id()] * (2 if verb == "read_file" else 1)
    refused = [
        *(staff_principal(role) for role in STAFF_ROLES.keys() - {"owner", OFFICER, "superuser"}),
        *(person(tenant.id, role) for role in TENANT_ROLES), key_principal(tenant.id),
    ]  # fmt: skip
    for by, error in [*((one, Forbidden) for one in refused), (officer(fresh=False), StepUpRequired)]:
        async with services.database.tenant(tenant.id) as tx:
            with pytest.raises(error):
                await getattr(services.retention.customer_holds, verb)(tx, *ids, by=by, **of)


# --- in the place of who has nobody any more --------------------------------------------------------------


async def test_while_a_customer_has_people_the_operator_looks_at_nothing_and_trying_is_on_record(
    services: Services,
) -> None:
    tenant = await filled(services)
    hold = await place(services, tenant, subjects=["ada"])
    with pytest.raises(CustomerDecides):
        await look(services, tenant, hold)
    with pytest.raises(CustomerDecides):
        await open_file(services, tenant, hold, new_id())
    with pytest.raises(CustomerDecides):
        await do(services, tenant, "ask_to_lift", hold, reason="basis_ended")
    day = services.clock.now().date() + timedelta(days=99)
    with pytest.raises(CustomerDecides):
        await do(services, tenant, "ask_to_extend", hold, ends_on=day)
    assert await looks(services, tenant) == [("staff", "legal_claim", "refused", 0)] * 2
    await ended(services, tenant)  # the contract ends, and nothing is deleted yet
    with pytest.raises(CustomerDecides):
        await look(services, tenant, hold)
    with pytest.raises(NotFound):
        await look(services, tenant, new_id())
    assert len(await looks(services, tenant)) == 3


async def test_the_archive_of_an_ended_customer_is_looked_into_for_its_purpose_and_on_record(
    services: Services, tenant: Tenant
) -> None:
    gone, hold = await over(services)
    page = await look(services, gone, hold)
    assert [(one.subject, one.data["note"]) for one in page.records] == [("ada", "kept")]
    (file,) = page.files
    assert await open_file(services, gone, hold, file.archive_id) == b"content"
    for purpose in (Purpose.AUDIT, Purpose.AUTHORITY_REQUEST):
        with pytest.raises(PurposeRefused):
            await look(services, gone, hold, purpose)
    with pytest.raises(PurposeRefused):
        await open_file(services, gone, hold, file.archive_id, Purpose.AUDIT)
    assert await looks(services, gone) == [
        ("staff", "audit", "refused", 0), ("staff", "authority_request", "refused", 0),
        ("staff", "audit", "refused", 0),
        ("staff", "legal_claim", "success", 1), ("staff", "legal_claim", "success", 2),
    ]  # fmt: skip
    for place_, id_ in ((tenant.id, hold), (gone, new_id())):
        with pytest.raises(NotFound):
            await look(services, place_, id_)
    with pytest.raises(NotFound):
        await open_file(services, gone, hold, new_id())
    (seen,) = await listed(services, tenant=gone)
    assert (seen.alone, seen.ended) == (True, True)


async def test_of_an_ended_customer_one_archive_opens_no_other(services: Services) -> None:
    first, hold = await over(services)
    second, other = await over(services)
    (file,) = (await look(services, second, other)).files
    with pytest.raises(NotFound):
        await open_file(services, first, hold, file.archive_id)
    with pytest.raises(NotFound):
        await look(services, first, other)


async def test_two_people_of_the_operator_extend_the_hold_of_an_ended_customer(services: Services) -> None:
    tenant, hold = await over(services)
    me, day = officer(), services.clock.now().date() + timedelta(days=99)
    for wrong in (services.clock.now().date(), services.clock.now().date() + timedelta(days=365 * 40)):
        with pytest.raises(Invalid):
            await do(services, tenant, "ask_to_extend", hold, ends_on=wrong)
    await do(services, tenant, "ask_to_extend", hold, ends_on=day, by=me)
    with pytest.raises(Conflict):
        await do(services, tenant, "ask_to_lift", hold, reason="basis_ended")
    await services.retention.deletion.round()  # comes by each minute, and leaves alone what was asked
    assert [one.hold.change.value for one in await listed(services, waiting=True, tenant=tenant)] == ["extend"]
    with pytest.raises(SecondPersonNeeded):
        await do(services, tenant, "decide_change", hold, approved=True, by=me)
    decided = await do(services, tenant, "decide_change", hold, approved=True)
    assert (decided.ends_on, decided.change.value) == (day, "")
    with pytest.raises(Conflict):  # the same again
        await do(services, tenant, "decide_change", hold, approved=True)


async def test_what_two_people_lift_of_an_ended_customer_is_deleted_and_never_comes_back(services: Services) -> None:
    tenant, hold = await over(services)
    me = officer()
    with pytest.raises(Invalid):
        await do(services, tenant, "ask_to_lift", hold, reason="because")
    await do(services, tenant, "ask_to_lift", hold, reason="basis_ended", by=me)
    with pytest.raises(SecondPersonNeeded):
        await do(services, tenant, "decide_change", hold, approved=True, by=me)
    await do(services, tenant, "decide_change", hold, approved=True)
    with pytest.raises(Conflict):
        await look(services, tenant, hold)
    await work(services)
    closed = await get(services, tenant, hold)
    assert (closed.state, closed.deleted_records, closed.deleted_files) == (HoldState.ENDED, 1, 1)
    assert (closed.returned_records, closed.returned_files) == (0, 0)
    await services.retention.deletion.round()
    await work(services)
    assert await services.retention.deletion.count_left(tenant) == {}
    assert await state(services, tenant) is TerminationState.COMPLETED
    with pytest.raises(NotFound):
        await look(services, tenant, hold)


async def test_a_change_of_mind_leaves_the_hold_as_it_was(services: Services) -> None:
    tenant, hold = await over(services)
    me = officer()
    await do(services, tenant, "ask_to_lift", hold, reason="basis_ended", by=me)
    taken_back = await do(services, tenant, "decide_change", hold, approved=False, by=me)
    assert (taken_back.state, taken_back.change.value) == (HoldState.ACTIVE, "")
    assert len((await look(services, tenant, hold)).records) == 1


async def test_of_many_decisions_at_once_one_counts(services: Services) -> None:
    tenant, hold = await over(services)
    await do(services, tenant, "ask_to_lift", hold, reason="basis_ended")
    tries = [do(services, tenant, "decide_change", hold, approved=bool(n % 2)) for n in range(10)]
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(one, Hold) for one in results) == 1
    assert all(isinstance(one, Hold | Error) for one in results)


async def test_a_machine_asks_for_nothing(services: Services) -> None:
    tenant, hold = await over(services)
    machine = Principal(
        ActorKind.CLIENT, str(new_id()), frozenset({"holds.extend_for", "holds.lift_for"}), stepped_up=True
    )  # fmt: skip
    with pytest.raises(Forbidden):
        await do(services, tenant, "ask_to_lift", hold, reason="basis_ended", by=machine)
