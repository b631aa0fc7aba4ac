"""A tenant's demands: in force with the next request, as far as the plan goes, and never against whoever makes them."""

import asyncio
from typing import Any

import msgspec
import pytest

from bailee.access.errors import NotInPlan
from bailee.access.model import SessionKind, StartedSession, TenantPolicy
from bailee.access.sessions import Start
from bailee.assembly import Services
from bailee.foundation.errors import Conflict, Invalid
from bailee.foundation.ids import TenantId
from bailee.foundation.principal import Forbidden, Principal, StepUpRequired
from bailee.tenants.model import Tenant
from tests.integration.access.people import (
    Person,
    actions,
    execute,
    is_refused,
    join,
    make_member,
    nobody,
    secret,
    who,
)
from tests.integration.rig import SYSTEM, create_tenant, key_principal, staff_principal


@pytest.fixture
async def tenant(services: Services) -> Tenant:
    """A fresh tenant on the plan with everything."""
    return await create_tenant(services, plan="enterprise")


async def _demand(services: Services, tenant: TenantId, by: Principal = SYSTEM, **demands: Any) -> TenantPolicy:
    async with services.database.tenant_read(tenant) as reader:
        present = await services.access.policies.get(reader, tenant)
    async with services.database.tenant(tenant) as tx:
        return await services.access.policies.change(tx, msgspec.structs.replace(present, **demands), by=by)


async def _unmet(services: Services, person: Person, address: str = "192.0.2.1") -> str:
    """What stands in somebody's way, and that nothing is permitted while something does."""
    by = await who(services, person.token, address)
    assert bool(by.unmet) == (by.permissions == frozenset())
    if by.unmet:
        with pytest.raises(Forbidden):
            by.require("tenant.read")
    return " ".join(by.unmet)


# --- each demand ------------------------------------------------------------------------------------------------


async def test_a_second_factor_is_asked_for_with_the_next_request(services: Services, tenant: Tenant) -> None:
    person = await make_member(services, tenant.id, "viewer", mfa=False)
    assert not await _unmet(services, person)
    await _demand(services, tenant.id, require_mfa=True)
    assert "second factor" in await _unmet(services, person)
    await person.enrol()
    assert not await _unmet(services, person)
    by = await person.principal()
    with pytest.raises(Conflict, match="asks for a second factor"):
        async with services.database.operator() as tx:
            await services.access.factors.remove_totp(tx, by=by)


@pytest.mark.parametrize(
    "networks, inside, outside",
    [
        (["192.0.2.0/24"], ["192.0.2.1", "::ffff:192.0.2.1"], ["192.0.3.1", "::ffff:192.0.3.1", "2001:db8::1"]),
        (["2001:db8::/32"], ["2001:db8:ffff::1"], ["2001:db9::1", "192.0.2.1"]),
        (["::ffff:192.0.2.0/120"], ["192.0.2.200", "::ffff:192.0.2.200"], ["192.0.3.1"]),
        (["192.0.2.77/24", "198.51.100.1"], ["192.0.2.5", "198.51.100.1"], ["198.51.100.2", "", "unknown"]),
    ],
)
async def test_only_the_networks_that_are_named_get_in(
    services: Services, tenant: Tenant, networks: list[str], inside: list[str], outside: list[str]
) -> None:
    person = await make_member(services, tenant.id, "viewer", mfa=False)
    await _demand(services, tenant.id, networks=networks)
    for address in inside:
        assert not await _unmet(services, person, address), address
    for address in outside:
        assert "network" in await _unmet(services, person, address), address
    by = await who(services, person.token, "203.0.113.1")
    by.require_session()  # one's own account is not the tenant's


async def test_a_session_grows_no_older_than_the_policy_allows(services: Services, tenant: Tenant) -> None:
    person = await make_member(services, tenant.id, "viewer", mfa=False)
    session_id = (await person.principal()).session_id
    await execute(
        services, "UPDATE sessions SET created_at = now() - interval '61 minutes' WHERE session_id = %s", (session_id,)
    )
    assert not await _unmet(services, person)
    await _demand(services, tenant.id, session_hours=1)
    assert "older" in await _unmet(services, person)
    started = await person.sign_in()
    assert (started.expires_at - services.clock.now()).total_seconds() <= 3600
    assert not await _unmet(services, person)


async def test_a_session_rests_no_longer_than_the_policy_allows(services: Services, tenant: Tenant) -> None:
    person = await make_member(services, tenant.id, "viewer", mfa=False)
    session_id = (await person.principal()).session_id
    await execute(
        services, "UPDATE sessions SET seen_at = now() - interval '6 minutes' WHERE session_id = %s", (session_id,)
    )
    await _demand(services, tenant.id, idle_minutes=5)
    assert await is_refused(services, person.token)


async def test_a_weak_password_is_asked_to_be_changed_at_the_next_sign_in(services: Services, tenant: Tenant) -> None:
    person = await make_member(services, tenant.id, "viewer", mfa=False)
    await _demand(services, tenant.id, min_password_length=40)
    await person.sign_in()
    assert "stronger password" in await _unmet(services, person)
    for weak in ("thirty nine characters of uncommon plum", "password" * 6):
        with pytest.raises(Invalid):
            await services.access.password_change.change(
                old=secret(person.password), new=secret(weak), by=await person.principal()
            )
    person.token = (
        await services.access.password_change.change(
            old=secret(person.password), new=secret("forty two characters of truly uncommon plums"),
            by=await person.principal(),
        )
    ).token  # fmt: skip
    assert not await _unmet(services, person)


async def test_the_strictest_of_a_persons_tenants_decides_on_the_password(services: Services, tenant: Tenant) -> None:
    person = await make_member(services, tenant.id, "viewer", mfa=False)
    strict = await create_tenant(services, plan="business")
    await join(services, person, strict.id)
    await _demand(services, strict.id, min_password_length=40)
    with pytest.raises(Invalid, match="cannot be used"):
        await services.access.password_change.change(
            old=secret(person.password), new=secret("sixteen loud herons"), by=await person.principal()
        )


async def _by_sso(services: Services, person: Person, tenant: TenantId, *, mfa: bool = False) -> StartedSession:
    start = Start(await person.id(), ["sso"], SessionKind.BROWSER, mfa=mfa, tenant=tenant, via_sso=tenant)
    async with services.database.operator() as tx:
        return await services.access.sessions.start(tx, start, by=nobody())


async def _set_up_sso(services: Services, tenant: TenantId, domain: str) -> None:
    await execute(
        services,
        "INSERT INTO sso_connections (tenant_id, issuer, client_id, client_secret, default_role, enabled) "
        "VALUES (%s, 'https://idp.example', 'bailee', 'x', 'viewer', true)",
        (tenant,),
    )
    await execute(
        services,
        "INSERT INTO tenant_domains (tenant_id, domain, domain_id, token, verified_at) "
        "VALUES (%s, %s, gen_random_uuid(), 'x', now())",
        (tenant, domain),
    )


async def test_single_sign_on_is_asked_for_with_the_next_request_and_stands_for_a_second_factor(
    services: Services, tenant: Tenant
) -> None:
    person = await make_member(services, tenant.id, "viewer")
    await _demand(services, tenant.id, SYSTEM, require_sso=True, require_mfa=True)
    assert "identity provider" in await _unmet(services, person)
    person.token = (await _by_sso(services, person, tenant.id)).token
    assert not await _unmet(services, person)


async def test_one_tenants_identity_provider_does_not_open_another_tenant(services: Services, tenant: Tenant) -> None:
    person = await make_member(services, tenant.id, "viewer", mfa=False)
    other = await create_tenant(services, plan="enterprise")
    await join(services, person, other.id, "owner")
    account_id = await person.id()
    person.token = (await _by_sso(services, person, tenant.id, mfa=True)).token
    by = await person.principal()
    with pytest.raises(Forbidden):
        async with services.database.operator() as tx:
            await services.access.sessions.switch_tenant(tx, other.id, by=by)
    for act in (services.access.factors.begin_totp, services.access.factors.begin_passkey):
        with pytest.raises(Forbidden):
            async with services.database.operator() as tx:
                await act(tx, by=by)
    await execute(
        services, "UPDATE sessions SET acting_for = %s WHERE session_id = %s", (other.id, by.session_id)
    )  # however it came there
    assert "another tenant's identity provider" in await _unmet(services, person)
    assert (await person.principal()).account_id == account_id


# --- what is refused --------------------------------------------------------------------------------------------


async def test_nobody_shuts_themselves_out(services: Services, tenant: Tenant) -> None:
    owner = await make_member(services, tenant.id, "owner")
    by = await who(services, owner.token, "::ffff:192.0.2.1")
    with pytest.raises(Invalid, match="not valid") as refused:
        await _demand(services, tenant.id, by, networks=["198.51.100.0/24", "2001:db8::/32"])
    assert [error.path for error in refused.value.errors] == ["networks"]
    with pytest.raises(Conflict, match="single sign-on"):
        await _demand(services, tenant.id, by, require_sso=True)
    await _set_up_sso(services, tenant.id, "elsewhere.example")
    with pytest.raises(Conflict, match="your own address"):
        await _demand(services, tenant.id, by, require_sso=True)
    await execute(services, "UPDATE tenant_domains SET domain = 'tenant.example' WHERE tenant_id = %s", (tenant.id,))
    await _demand(services, tenant.id, by, networks=["::ffff:192.0.2.0/120"], require_mfa=True)
    (await who(services, owner.token, "192.0.2.1")).require("policy.change")
    await _demand(services, tenant.id, await owner.principal(), require_sso=True)


async def test_a_policy_changes_from_the_version_that_was_seen(services: Services, tenant: Tenant) -> None:
    first = await _demand(services, tenant.id, require_mfa=True)
    assert first.version == 1
    before = len(await actions(services, "policy.changed"))

    async def change(version: int) -> None:
        async with services.database.tenant(tenant.id) as tx:
            await services.access.policies.change(tx, TenantPolicy(idle_minutes=30, version=version), by=SYSTEM)

    with pytest.raises(Conflict):
        await change(0)
    results = await asyncio.gather(*(change(1) for _ in range(10)), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["Conflict"] * 9 + ["NoneType"]
    assert len(await actions(services, "policy.changed")) == before + 1


@pytest.mark.parametrize(
    "demand",
    [
        {"min_password_length": 7}, {"min_password_length": 65}, {"min_password_score": 1}, {"min_password_score": 5},
        {"session_hours": 0}, {"session_hours": 13}, {"idle_minutes": 4}, {"idle_minutes": 61},
        {"networks": ["192.0.2.0/33"]}, {"networks": ["anywhere"]}, {"networks": ["192.0.2.0/24"] * 101},
    ],
)  # fmt: skip
async def test_a_policy_only_tightens_and_keeps_its_bounds(
    services: Services, tenant: Tenant, demand: dict[str, Any]
) -> None:
    with pytest.raises(Invalid):
        await _demand(services, tenant.id, **demand)


CALLED = {
    "require_mfa": "Asking members for a second factor is",
    "min_password_length": "Asking for stronger passwords is",
    "min_password_score": "Asking for stronger passwords is",
    "session_hours": "Limiting sessions is",
    "idle_minutes": "Limiting sessions is",
    "networks": "An allow-list of networks is",
    "require_sso": "Single sign-on is",
}
DEMANDS: list[dict[str, Any]] = [
    {"require_mfa": True}, {"min_password_length": 12}, {"min_password_score": 3}, {"session_hours": 8},
    {"idle_minutes": 15}, {"networks": ["192.0.2.0/24"]}, {"require_sso": True},
]  # fmt: skip


@pytest.mark.parametrize("demand", DEMANDS, ids=lambda demand: next(iter(demand)))
async def test_what_the_plan_lacks_is_refused_and_the_plan_that_has_it_named(
    services: Services, demand: dict[str, Any]
) -> None:
    standard = await create_tenant(services, plan="standard")
    with pytest.raises(NotInPlan) as refused:
        await _demand(services, standard.id, **demand)
    (field,) = demand
    plans = "enterprise" if field == "require_sso" else "business or enterprise"
    told = f"{CALLED[field]} available with the plan {plans}. Ask your provider to change the plan."
    assert str(refused.value) == told
    async with services.database.tenant_read(standard.id) as reader:
        assert await services.access.policies.get(reader, standard.id) == TenantPolicy()


async def test_after_a_smaller_plan_what_was_promised_stays_in_force_and_grows_no_more(
    services: Services, tenant: Tenant
) -> None:
    person = await make_member(services, tenant.id, "viewer", mfa=False)
    await _demand(services, tenant.id, require_mfa=True)
    async with services.database.operator() as tx:
        await services.tenants.change(tx, tenant.id, name=None, plan="standard", by=SYSTEM)
    assert "second factor" in await _unmet(services, person)
    with pytest.raises(NotInPlan):
        await _demand(services, tenant.id, idle_minutes=30)
    await _demand(services, tenant.id, require_mfa=False)
    assert not await _unmet(services, person)


async def test_another_plan_takes_a_fresh_factor_and_another_name_does_not(services: Services, tenant: Tenant) -> None:
    """With the plan single sign-on ends as a must."""
    fresh = staff_principal("infrastructure")
    stale = msgspec.structs.replace(fresh, stepped_up=False)

    async def change(by: Principal, name: str | None, plan: str | None) -> Tenant:
        async with services.database.operator() as tx:
            return await services.tenants.change(tx, tenant.id, name=name, plan=plan, by=by)

    with pytest.raises(StepUpRequired):
        await change(stale, "Renamed", "standard")
    assert (await change(stale, "Renamed", "enterprise")).name == "Renamed"
    assert (await change(fresh, None, "standard")).plan == "standard"


async def test_a_policy_takes_its_permission_and_a_fresh_factor(services: Services, tenant: Tenant) -> None:
    officer, owner = await make_member(services, tenant.id, "privacy_officer"), await make_member(services, tenant.id)
    with pytest.raises(Forbidden):
        await _demand(services, tenant.id, await officer.principal(), require_mfa=True)
    with pytest.raises(Forbidden):
        await _demand(services, tenant.id, key_principal(tenant.id), require_mfa=True)
    session_id = (await owner.principal()).session_id
    await execute(
        services, "UPDATE sessions SET mfa_at = now() - interval '1 hour' WHERE session_id = %s", (session_id,)
    )
    with pytest.raises(StepUpRequired):
        await _demand(services, tenant.id, await owner.principal(), require_mfa=True)


async def test_one_tenants_policy_is_not_anothers(services: Services, tenant: Tenant) -> None:
    other = await create_tenant(services)
    person = await make_member(services, other.id, "viewer", mfa=False)
    await _demand(services, tenant.id, require_mfa=True, networks=["198.51.100.0/24"])
    assert not await _unmet(services, person)


async def test_an_owner_mends_the_networks_from_anywhere(services: Services, tenant: Tenant) -> None:
    """A network changes, or was mistyped by an administrator, and nobody else could let the owners in again."""
    owner = await make_member(services, tenant.id)
    administrator = await make_member(services, tenant.id, "administrator")
    await _demand(services, tenant.id, networks=["198.51.100.0/24"])
    by = await who(services, owner.token)
    assert by.unmet
    assert by.permissions == {"policy.read", "policy.change"}
    with pytest.raises(Forbidden):
        by.require("members.read")
    assert (await who(services, administrator.token)).permissions == frozenset()
    await _demand(services, tenant.id, by, networks=[])
    assert (await who(services, administrator.token)).may("members.read")


async def test_an_owner_without_a_second_factor_comes_from_where_the_tenant_says(
    services: Services, tenant: Tenant
) -> None:
    owner = await make_member(services, tenant.id, mfa=False)
    await _demand(services, tenant.id, networks=["198.51.100.0/24"])
    assert (await who(services, owner.token)).permissions == frozenset()


async def test_a_plan_without_single_sign_on_does_not_demand_it(services: Services, tenant: Tenant) -> None:
    person = await make_member(services, tenant.id, "viewer", mfa=False)
    await _demand(services, tenant.id, session_hours=6)
    await execute(services, "UPDATE tenant_policies SET require_sso = true WHERE tenant_id = %s", (tenant.id,))
    assert "identity provider" in await _unmet(services, person)
    async with services.database.operator() as tx:
        await services.tenants.change(tx, tenant.id, name=None, plan="business", by=SYSTEM)
    assert not await _unmet(services, person)
