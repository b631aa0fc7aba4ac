"""Staff roles: granted by whoever holds them, never to oneself, lent for a time by a second person."""

import asyncio
from uuid import UUID

import pytest
from psycopg import errors as pg

from bailee.access.errors import GrantRefused
from bailee.access.model import Elevation
from bailee.access.permissions import STAFF_ROLES
from bailee.access.provider.model import ClientFields, ClientKind
from bailee.assembly import Services
from bailee.foundation.errors import Conflict, Invalid, NotFound
from bailee.foundation.ids import TenantId, new_id
from bailee.foundation.principal import Forbidden, LentOnly, Principal, StepUpRequired
from tests.integration.access.people import Person, actions, execute, is_refused, make_owner, make_staff
from tests.integration.rig import create_tenant

REASON = "The backup of tonight has to be looked at."


@pytest.fixture(scope="module")
async def owner(services: Services) -> Person:
    return await make_owner(services)


@pytest.fixture(scope="module")
async def officer(services: Services, owner: Person) -> Person:
    return await make_staff(services, "security_officer")


@pytest.fixture
async def colleague(services: Services, owner: Person) -> Person:
    return await make_staff(services, "support")


async def _grant(services: Services, account_id: UUID, role: str, by: Principal) -> None:
    async with services.database.operator() as tx:
        await services.access.grants.grant(tx, account_id, role, by=by)


async def _withdraw(services: Services, account_id: UUID, role: str, by: Principal) -> None:
    async with services.database.operator() as tx:
        await services.access.grants.withdraw(tx, account_id, role, by=by)


async def _request(services: Services, person: Person, role: str = "infrastructure", minutes: int = 30) -> Elevation:
    by = await person.principal()
    async with services.database.operator() as tx:
        return await services.access.elevations.request(tx, role=role, reason=REASON, minutes=minutes, by=by)


async def _provision(services: Services, tenant: TenantId, by: Principal) -> None:
    async with services.database.tenant(tenant) as tx:
        await services.access.keys.provision(tx, name="product", permissions=["records:read"], expires_at=None, by=by)


async def _invite_owner(services: Services, tenant: TenantId, by: Principal) -> None:
    async with services.database.tenant(tenant) as tx:
        await services.access.invitations.invite_owner(tx, email="first@tenant.example", name="First", by=by)


async def _decide(services: Services, elevation: Elevation, by: Principal, *, approve: bool = True) -> Elevation:
    async with services.database.operator() as tx:
        return await services.access.elevations.decide(tx, elevation.id, approve=approve, by=by)


# --- standing roles -----------------------------------------------------------------------------------------


async def test_a_role_is_effective_with_the_next_request_and_gone_with_the_next(
    services: Services, owner: Person, colleague: Person
) -> None:
    by, account_id = await owner.principal(), await colleague.id()
    assert not (await colleague.principal()).may("tenants.create")
    await _grant(services, account_id, "infrastructure", by)
    assert await is_refused(services, colleague.token), "a new role begins with a new session"
    await colleague.sign_in()
    (await colleague.principal()).require("tenants.create")
    with pytest.raises(Conflict):
        await _grant(services, account_id, "infrastructure", by)
    await _withdraw(services, account_id, "infrastructure", by)
    assert await is_refused(services, colleague.token)
    await colleague.sign_in()
    assert not (await colleague.principal()).may("tenants.create")
    with pytest.raises(NotFound):
        await _withdraw(services, account_id, "infrastructure", by)


async def test_nobody_grants_or_takes_what_they_do_not_hold(
    services: Services, owner: Person, officer: Person, colleague: Person
) -> None:
    by, account_id = await officer.principal(), await colleague.id()
    for role in ("owner", "infrastructure", "data_protection"):
        with pytest.raises(GrantRefused):
            await _grant(services, account_id, role, by)
    with pytest.raises(GrantRefused):
        await _withdraw(services, await owner.id(), "owner", by)
    with pytest.raises(GrantRefused):
        async with services.database.operator() as tx:
            await services.access.invitations.invite_staff(
                tx, email="puppet@bailee.example", name="Puppet", roles=["security_officer", "owner"], by=by
            )
    await _grant(services, account_id, "auditor", by)


async def test_nobody_grants_to_themselves(services: Services, owner: Person, officer: Person) -> None:
    for person, role in ((owner, "support"), (officer, "support"), (owner, "owner")):
        with pytest.raises(GrantRefused):
            await _grant(services, await person.id(), role, await person.principal())


@pytest.mark.parametrize("role", ["superuser", "", "root", "Owner"])
async def test_a_superuser_is_never_standing_and_an_unknown_role_is_none(
    services: Services, owner: Person, colleague: Person, role: str
) -> None:
    by = await owner.principal()
    with pytest.raises(Invalid):
        await _grant(services, await colleague.id(), role, by)
    with pytest.raises(Invalid):
        async with services.database.operator() as tx:
            await services.access.invitations.invite_staff(
                tx, email="puppet@bailee.example", name="Puppet", roles=[role], by=by
            )


async def test_grants_ask_for_permission_and_for_a_fresh_factor(
    services: Services, owner: Person, colleague: Person
) -> None:
    with pytest.raises(Forbidden):
        await _grant(services, await owner.id(), "support", await colleague.principal())
    session_id = (await owner.principal()).session_id
    await execute(
        services, "UPDATE sessions SET mfa_at = now() - interval '1 hour' WHERE session_id = %s", (session_id,)
    )
    with pytest.raises(StepUpRequired):
        await _grant(services, await colleague.id(), "auditor", await owner.principal())
    await owner.step_up()


async def test_an_account_that_is_shut_gets_no_role(services: Services, owner: Person, colleague: Person) -> None:
    by, account_id = await owner.principal(), await colleague.id()
    async with services.database.operator() as tx:
        await services.access.accounts.disable(tx, account_id, by=by)
    with pytest.raises(Conflict):
        await _grant(services, account_id, "auditor", by)


async def test_two_owners_who_withdraw_each_other_at_once_leave_one(own_services: Services) -> None:
    first = await make_owner(own_services)
    second = await make_staff(own_services, "owner")
    pairs = [(await first.principal(), await second.id()), (await second.principal(), await first.id())]
    results = await asyncio.gather(
        *(_withdraw(own_services, other, "owner", by) for by, other in pairs), return_exceptions=True
    )
    assert sorted(type(result).__name__ for result in results) == ["Conflict", "NoneType"]
    async with own_services.database.operator_read() as tx:
        assert [one.role for one in await own_services.access.grants.all(tx)] == ["owner"]


# --- elevation --------------------------------------------------------------------------------------------


async def test_an_elevation_is_held_from_a_second_persons_approval_until_its_end_to_the_second(
    services: Services, owner: Person, colleague: Person
) -> None:
    requested = await _request(services, colleague)
    assert not (await colleague.principal()).may("tenants.create")
    with pytest.raises(Conflict):
        await _request(services, colleague)
    approved = await _decide(services, requested, await owner.principal())
    assert approved.expires_at is not None
    (await colleague.principal()).require("tenants.create")
    await execute(
        services,
        "UPDATE elevations SET expires_at = now() + interval '300 milliseconds' WHERE elevation_id = %s",
        (approved.id,),
    )
    assert (await colleague.principal()).may("tenants.create")
    await asyncio.sleep(0.35)
    assert not (await colleague.principal()).may("tenants.create"), "with nobody having noted its end"
    before = len(await actions(services, "elevation.ended"))
    await services.upkeep.keep_deadlines()
    await services.upkeep.keep_deadlines()
    assert len(await actions(services, "elevation.ended")) == before + 1
    await _request(services, colleague)


async def test_nobody_decides_on_their_own_request(services: Services, owner: Person, officer: Person) -> None:
    requested = await _request(services, officer, "owner")
    with pytest.raises(GrantRefused):
        await _decide(services, requested, await officer.principal())
    with pytest.raises(pg.CheckViolation):
        await execute(
            services, "UPDATE elevations SET decided_by = account_id WHERE elevation_id = %s", (requested.id,)
        )
    refused = await _decide(services, requested, await owner.principal(), approve=False)
    assert refused.state == "refused"
    assert not (await officer.principal()).may("tenants.create")
    with pytest.raises(Conflict):
        await _decide(services, requested, await owner.principal())


async def test_who_may_not_decide_does_not(services: Services, colleague: Person) -> None:
    other = await make_staff(services, "infrastructure", "auditor", "data_protection")
    requested = await _request(services, colleague)
    with pytest.raises(Forbidden):
        await _decide(services, requested, await other.principal())


async def test_what_has_no_way_back_is_held_by_elevation_alone(
    services: Services, owner: Person, officer: Person
) -> None:
    assert not any("tenants.close" in role.permissions for role in STAFF_ROLES.values() if not role.elevation_only)
    other = await make_staff(services, "infrastructure")
    await _decide(services, await _request(services, other, "superuser", 5), await owner.principal())
    by = await other.principal()
    by.require("tenants.close")
    with pytest.raises(Invalid):
        await _grant(services, await officer.id(), "superuser", await owner.principal())


async def test_who_approves_holds_what_they_lend(services: Services, owner: Person, officer: Person) -> None:
    """Else an officer makes an owner of a second mailbox of theirs."""
    puppet = await make_staff(services, "support")
    for role in ("owner", "superuser", "infrastructure"):
        requested = await _request(services, puppet, role)
        with pytest.raises(GrantRefused):
            await _decide(services, requested, await officer.principal())
        await _decide(services, requested, await officer.principal(), approve=False)
    await _decide(services, await _request(services, puppet, "security_officer"), await officer.principal())


async def test_with_what_is_lent_nobody_makes_what_lasts(services: Services, owner: Person) -> None:
    person, other = await make_staff(services, "support"), await make_staff(services, "support")
    await _decide(services, await _request(services, person, "owner"), await owner.principal())
    by = await person.principal()
    assert by.may("roles.grant")
    for role in ("owner", "auditor", "support"):  # the last is a role of theirs that stands
        with pytest.raises(LentOnly):
            await _grant(services, await other.id(), role, by)
        with pytest.raises(LentOnly):
            await _withdraw(services, await other.id(), role, by)
        with pytest.raises(LentOnly):
            async with services.database.operator() as tx:
                await services.access.invitations.invite_staff(
                    tx, email="puppet@bailee.example", name="Puppet", roles=[role], by=by
                )
    with pytest.raises(LentOnly):
        await services.access.break_glass.seal(by=by)
    with pytest.raises(LentOnly):
        async with services.database.operator() as tx:
            await services.monitoring.webhooks.add(tx, url="https://hooks.example/x", topics=["alerts"], by=by)
    asked = await _request(services, other, "auditor")
    with pytest.raises(GrantRefused):
        await _decide(services, asked, by)


async def test_with_what_is_lent_nobody_gets_into_a_customers_data_for_good(services: Services, owner: Person) -> None:
    tenant = await create_tenant(services)
    lent = await make_staff(services, "support")
    await _decide(services, await _request(services, lent), await owner.principal())
    by = await lent.principal()
    with pytest.raises(LentOnly, match=r"tenant_keys\.provision for a time"):
        await _provision(services, tenant.id, by)
    with pytest.raises(LentOnly):
        await _invite_owner(services, tenant.id, by)
    standing = await (await make_staff(services, "infrastructure")).principal()
    await _provision(services, tenant.id, standing)
    await _invite_owner(services, tenant.id, standing)


async def test_with_what_is_lent_nobody_gets_a_clients_secret(services: Services, owner: Person) -> None:
    lent, standing = await make_staff(services, "support"), await make_staff(services, "infrastructure")
    await _decide(services, await _request(services, lent), await owner.principal())
    by, clients = await lent.principal(), services.provider.clients
    fields = ClientFields("Portal", ["https://portal.example/back"], [], ["openid"])
    with pytest.raises(LentOnly):
        async with services.database.operator() as tx:
            await clients.register(tx, kind=ClientKind.CONFIDENTIAL, fields=fields, secret_expires_at=None, by=by)
    async with services.database.operator() as tx:
        client = await clients.register(
            tx, kind=ClientKind.CONFIDENTIAL, fields=fields, secret_expires_at=None, by=await standing.principal()
        )
    with pytest.raises(LentOnly):
        async with services.database.operator() as tx:
            await clients.change(tx, client.id, fields, by=by)
    with pytest.raises(LentOnly):
        async with services.database.operator() as tx:
            await clients.rotate_secret(tx, client.id, overlap_hours=24, by=by)
    async with services.database.operator() as tx:
        await clients.revoke(tx, client.id, by=by)  # shutting out must not wait


async def test_nobody_withdraws_a_role_of_their_own(services: Services, owner: Person) -> None:
    officer = await make_staff(services, "security_officer")
    with pytest.raises(GrantRefused):
        await _withdraw(services, await officer.id(), "security_officer", await officer.principal())


async def test_a_role_granted_while_somebody_leaves_is_not_left_behind(services: Services, owner: Person) -> None:
    person, by = await make_staff(services, "support"), await owner.principal()
    account_id = await person.id()

    async def leave() -> None:
        async with services.database.operator() as tx:
            await services.access.accounts.off_board(tx, account_id, by=by)

    await asyncio.gather(
        leave(), *(_grant(services, account_id, "auditor", by) for _ in range(5)), return_exceptions=True
    )
    async with services.database.operator_read() as reader:
        assert await services.access.grants.all(reader, account_id) == []


async def test_a_request_lapses_after_a_day(services: Services, owner: Person, colleague: Person) -> None:
    requested = await _request(services, colleague)
    await execute(
        services,
        "UPDATE elevations SET requested_at = now() - interval '25 hours' WHERE elevation_id = %s",
        (requested.id,),
    )
    with pytest.raises(Conflict):
        await _decide(services, requested, await owner.principal())
    await services.upkeep.keep_deadlines()
    async with services.database.operator_read() as tx:
        assert (await services.access.elevations.get(tx, requested.id)).state == "ended"


async def test_of_many_decisions_at_once_one_counts(services: Services, owner: Person, officer: Person) -> None:
    colleague = await make_staff(services, "support")
    requested = await _request(services, colleague)
    deciders = [await owner.principal(), await officer.principal()] * 5
    results = await asyncio.gather(
        *(_decide(services, requested, by, approve=bool(n % 2)) for n, by in enumerate(deciders)),
        return_exceptions=True,
    )
    assert sum(isinstance(result, Elevation) for result in results) == 1


async def test_an_elevation_is_ended_by_its_holder_or_by_who_decides_and_by_nobody_else(
    services: Services, owner: Person, officer: Person, colleague: Person
) -> None:
    other = await make_staff(services, "support")
    held = await _decide(services, await _request(services, colleague), await owner.principal())

    async def end(by: Principal) -> None:
        async with services.database.operator() as tx:
            await services.access.elevations.end(tx, held.id, by=by)

    with pytest.raises(NotFound):
        await end(await other.principal())
    (await colleague.principal()).require("tenants.create")
    await end(await colleague.principal())
    assert not (await colleague.principal()).may("tenants.create")
    with pytest.raises(Conflict):
        await end(await officer.principal())


async def test_an_elevation_ends_with_the_account(services: Services, owner: Person) -> None:
    person = await make_staff(services, "support")
    held = await _decide(services, await _request(services, person), await owner.principal())
    account_id, by = await person.id(), await owner.principal()
    async with services.database.operator() as tx:
        await services.access.accounts.off_board(tx, account_id, by=by)
    async with services.database.operator_read() as tx:
        assert (await services.access.elevations.get(tx, held.id)).state == "ended"


@pytest.mark.parametrize(
    "role, minutes, reason",
    [
        ("nobody", 30, REASON), ("owner", 4, REASON), ("owner", 481, REASON), ("owner", 30, "because"),
        ("owner", 30, "x" * 501), ("owner", 30, "with a \x1b[31m colour"),
    ],
)  # fmt: skip
async def test_a_request_names_role_time_and_reason(
    services: Services, colleague: Person, role: str, minutes: int, reason: str
) -> None:
    by = await colleague.principal()
    with pytest.raises(Invalid):
        async with services.database.operator() as tx:
            await services.access.elevations.request(tx, role=role, reason=reason, minutes=minutes, by=by)


async def test_what_one_holds_is_not_asked_for_and_what_is_not_there_is_not_decided(
    services: Services, officer: Person, colleague: Person
) -> None:
    with pytest.raises(Conflict):
        await _request(services, colleague, "support")
    by = await officer.principal()
    with pytest.raises(NotFound):
        async with services.database.operator() as tx:
            await services.access.elevations.decide(tx, new_id(), approve=True, by=by)


# --- what is held and not used ----------------------------------------------------------------------------


async def test_the_report_names_what_was_used_and_what_was_not(services: Services, owner: Person) -> None:
    person = await make_staff(services, "support", "infrastructure")
    by = await person.principal()
    async with services.database.operator() as tx:
        await services.tenants.create(tx, name="Used", plan="standard", by=by)
    async with services.database.operator() as tx:
        report = await services.access.grants.report(tx, by=await owner.principal())
    found = next(one for one in report if one.account_id == by.account_id)
    assert found.used == ["tenants.create"]
    assert {"tenants.rotate_key", "tenants.change"} <= set(found.unused)
    assert "tenants.read" not in {*found.used, *found.unused}, "reading that leaves no event is not counted"
    await execute(
        services, "UPDATE events SET occurred_at = occurred_at - interval '91 days' WHERE actor_id = %s", (by.id,)
    )
    async with services.database.operator() as tx:
        report = await services.access.grants.report(tx, by=await owner.principal())
    assert next(one for one in report if one.account_id == by.account_id).used == []
