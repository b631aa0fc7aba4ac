"""Domains: proven by DNS, held by one tenant, looked at again."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from bailee.access.errors import NotInPlan
from bailee.access.federation.errors import DomainNotVerified
from bailee.access.model import TenantPolicy
from bailee.foundation.errors import Conflict, NotFound
from bailee.foundation.ids import TenantId
from bailee.foundation.principal import Forbidden, StepUpRequired
from tests.integration.access.federated import World, member, world_of
from tests.integration.rig import SYSTEM, superuser
from tests.postgres import Pair


@pytest.fixture(scope="module")
async def world(pair: Pair) -> AsyncIterator[World]:
    async with world_of(pair) as made:
        yield made


async def _domains(world: World, tenant: TenantId) -> dict[str, bool]:
    async with world.services.database.tenant_read(tenant) as tx:
        return {one.domain: one.verified_at is not None for one in await world.services.federation.domains.all(tx)}


async def test_a_domain_counts_once_its_record_is_published(world: World) -> None:
    tenant = await world.tenant(sso=False)
    added = await world.domain(tenant.id, " Shop.Example. ")
    assert (added.domain, added.record_name) == ("shop.example", "_bailee-challenge.shop.example")
    with pytest.raises(DomainNotVerified):
        await world.services.federation.domains.verify(added.id, by=member(tenant.id))
    world.dns.publish(added.record_name, "something else", added.record_value)
    verified = await world.services.federation.domains.verify(added.id, by=member(tenant.id))
    assert verified.verified_at is not None
    assert (await world.actions(tenant.id))[:3] == ["domain.verified", "domain.not_verified", "domain.added"]


async def test_a_record_behind_an_alias_counts(world: World) -> None:
    tenant = await world.tenant(sso=False)
    added = await world.domain(tenant.id, "aliased.example")
    world.dns.aliases[added.record_name] = "proofs.elsewhere.example"
    world.dns.publish("proofs.elsewhere.example", added.record_value)
    assert (await world.services.federation.domains.verify(added.id, by=member(tenant.id))).verified_at


async def test_the_token_of_one_tenant_proves_nothing_for_another(world: World) -> None:
    one, two = await world.tenant(sso=False), await world.tenant(sso=False)
    first, second = await world.domain(one.id, "token.example"), await world.domain(two.id, "token.example")
    assert first.record_value != second.record_value
    world.dns.publish(first.record_name, first.record_value)
    with pytest.raises(DomainNotVerified):
        await world.services.federation.domains.verify(second.id, by=member(two.id))


async def test_a_domain_is_one_tenants_and_the_other_learns_nothing_of_it(world: World) -> None:
    one, two = await world.tenant("taken.example", sso=False), await world.tenant(sso=False)
    added = await world.domain(two.id, "taken.example")
    with pytest.raises(DomainNotVerified) as absent:
        await world.services.federation.domains.verify(added.id, by=member(two.id))
    world.dns.publish(added.record_name, added.record_value)
    with pytest.raises(DomainNotVerified) as taken:
        await world.services.federation.domains.verify(added.id, by=member(two.id))
    assert str(absent.value) == str(taken.value)
    assert await _domains(world, two.id) == {"taken.example": False}
    assert await _domains(world, one.id) == {"taken.example": True}
    url = world.services.settings.database.main
    with superuser(url) as connection:
        rows = connection.execute(
            "SELECT convert_from(body, 'UTF8') FROM events WHERE tenant_id = %s AND action = 'domain.not_verified'",
            (two.id,),
        ).fetchall()
    assert len(rows) == 2
    assert all('"not_found"' in str(row[0]) for row in rows)


async def test_a_removed_domain_is_free_for_another_tenant(world: World) -> None:
    one, two = await world.tenant(sso=False), await world.tenant(sso=False)
    held = await world.verified(one.id, "moved.example")
    async with world.services.database.operator() as tx:
        await world.services.federation.domains.remove(tx, one.id, held.id, by=member(one.id))
    assert await _domains(world, one.id) == {}
    await world.verified(two.id, "moved.example")
    assert await _domains(world, two.id) == {"moved.example": True}


async def test_another_tenants_domain_cannot_be_removed_or_verified(world: World) -> None:
    one, two = await world.tenant(sso=False), await world.tenant(sso=False)
    held = await world.verified(one.id, "mine.example")
    with pytest.raises(NotFound):
        async with world.services.database.operator() as tx:
            await world.services.federation.domains.remove(tx, two.id, held.id, by=member(two.id))
    with pytest.raises(NotFound):
        await world.services.federation.domains.verify(held.id, by=member(two.id))


async def test_removing_asks_for_the_permission_and_a_fresh_factor(world: World) -> None:
    tenant = await world.tenant(sso=False)
    held = await world.verified(tenant.id, "guarded.example")
    domains = world.services.federation.domains
    for who, error in (
        (member(tenant.id, "auditor"), Forbidden),
        (member(tenant.id, stepped_up=False), StepUpRequired),
    ):
        with pytest.raises(error):
            async with world.services.database.operator() as tx:
                await domains.remove(tx, tenant.id, held.id, by=who)
    with pytest.raises(Forbidden):
        await domains.verify(held.id, by=member(tenant.id, "auditor"))


async def test_the_last_domain_stays_while_the_policy_needs_it(world: World) -> None:
    tenant = await world.tenant()
    held = await world.verified(tenant.id, "needed.example")
    async with world.services.database.tenant(tenant.id) as tx:
        await world.services.access.policies.change(tx, TenantPolicy(require_sso=True), by=SYSTEM)
    with pytest.raises(Conflict):
        async with world.services.database.operator() as tx:
            await world.services.federation.domains.remove(tx, tenant.id, held.id, by=member(tenant.id))
    with pytest.raises(Conflict):
        async with world.services.database.operator() as tx:
            await world.services.federation.sso_connections.remove(tx, tenant.id, by=member(tenant.id))


async def test_a_plan_without_single_sign_on_says_which_has_it(world: World) -> None:
    tenant = await world.tenant(sso=False, plan="standard")
    with pytest.raises(NotInPlan) as refused:
        await world.domain(tenant.id, "cheap.example")
    told = "Single sign-on is available with the plan enterprise. Ask your provider to change the plan."
    assert str(refused.value) == told


async def test_the_same_domain_twice_is_refused(world: World) -> None:
    tenant = await world.tenant("twice.example", sso=False)
    with pytest.raises(Conflict):
        await world.domain(tenant.id, "twice.example")


async def test_a_record_that_is_gone_is_told_of_and_counts_no_more_after_a_week(pair: Pair) -> None:
    async with world_of(pair) as world:
        tenant = await world.tenant(sso=False)
        held = await world.verified(tenant.id, "fading.example")
        domains = world.services.federation.domains
        await domains.look_again()
        assert "domain.failing" not in await world.actions(tenant.id)
        world.dns.publish(held.record_name)
        for _ in range(3):
            await domains.look_again()
        assert (await world.actions(tenant.id)).count("domain.failing") == 1
        assert await _domains(world, tenant.id) == {"fading.example": True}
        with superuser(world.services.settings.database.main) as connection:
            connection.execute("UPDATE tenant_domains SET failing_since = now() - %s", (timedelta(days=7),))
        await domains.look_again()
        assert (await world.actions(tenant.id))[0] == "domain.lost"
        assert await _domains(world, tenant.id) == {"fading.example": False}
        other = await world.tenant(sso=False)
        await world.verified(other.id, "fading.example")


async def test_a_record_that_comes_back_begins_the_count_anew(pair: Pair) -> None:
    async with world_of(pair) as world:
        tenant = await world.tenant(sso=False)
        held = await world.verified(tenant.id, "flickering.example")
        domains = world.services.federation.domains
        for _ in range(3):
            world.dns.publish(held.record_name)
            await domains.look_again()
            await domains.look_again()
            world.dns.publish(held.record_name, held.record_value)
            await domains.look_again()
        assert "domain.failing" not in await world.actions(tenant.id)


async def test_a_failing_name_server_takes_no_domain_away(pair: Pair) -> None:
    async with world_of(pair) as world:
        tenant = await world.tenant("steady.example", sso=False)
        world.dns.fails = True
        for _ in range(4):
            await world.services.federation.domains.look_again()
        assert "domain.failing" not in await world.actions(tenant.id)
        async with world.services.database.tenant_read(tenant.id) as tx:
            (row,) = await world.services.federation.domains.all(tx)
        assert row.failing_since is None
