"""A restored copy takes over what was decided since: here it is a tenant that has not seen it yet."""

from typing import Any

from bailee.assembly import Services
from bailee.backup.journal import Entry
from bailee.foundation.ids import TenantId, new_id
from bailee.retention.model import TerminationState
from bailee.tenants.model import Tenant
from tests.integration.retention.test_holds import end, get, look, names, place, sql, work
from tests.integration.rig import create_record, create_tenant, define


async def _replay(
    services: Services, tenant: TenantId, action: str, on: object, details: dict[str, Any] | None = None
) -> None:
    entry = Entry(1, services.clock.now(), tenant, action, str(on), details or {})
    for _ in range(2):  # twice is once
        for one in services.retention.replayers:
            if action in one.actions:
                await one.replay(entry)


async def test_a_deletion_that_had_begun_is_done_again(services: Services, tenant: Tenant) -> None:
    await define(services, tenant.id)
    await create_record(services, tenant.id, {"note": "back"}, "ada")
    await _replay(services, tenant.id, "termination.deletion_begun", tenant.id)
    assert await services.retention.deletion.count_left(tenant.id) == {}
    async with services.database.operator_read() as tx:
        assert (await services.retention.terminations.get(tx, tenant.id)).state is TerminationState.COMPLETED


async def test_a_hold_moves_its_data_again_and_its_end_deletes_it_again(services: Services) -> None:
    first = await create_tenant(services)
    await define(services, first.id)
    await create_record(services, first.id, {"note": "a"}, "ada")
    hold = await place(services, first.id, subjects=["ada"])
    replayer = next(one for one in services.retention.replayers if "hold.approved" in one.actions)
    active = await replayer.describe(first.id, str(hold), "hold.approved")
    await end(services, first.id, hold)
    ended = await replayer.describe(first.id, str(hold), "hold.closed")
    # The copy is from before: the record is ordinary, and there is no hold.
    sql(services, "DELETE FROM legal_holds WHERE tenant_id = %s", first.id)
    await create_record(services, first.id, {"note": "a"}, "ada")
    await create_record(services, first.id, {"note": "b"}, "bob")
    active["decided_at"] = services.clock.now().isoformat()
    await _replay(services, first.id, "hold.approved", hold, active)
    assert await names(services, first.id) == ["b"]
    assert [one.data["note"] for one in (await look(services, first.id, hold)).records] == ["a"]
    await _replay(services, first.id, "hold.closed", hold, ended)
    await work(services)
    assert (await get(services, first.id, hold)).state.value == "ended"
    assert await names(services, first.id) == ["b"]


async def test_of_a_customer_that_the_copy_does_not_know_nothing_is_done(services: Services) -> None:
    stranger = TenantId(new_id())
    await _replay(services, stranger, "termination.deletion_begun", stranger)
    await _replay(services, stranger, "hold.approved", new_id())
