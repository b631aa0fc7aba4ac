"""What a token is worth, in this process and in others, and that nothing remembered outlives its truth."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
import pytest

from bailee.access.authentication import Authenticator, Caller
from bailee.access.gates import Gate, Gates
from bailee.access.model import SessionKind
from bailee.access.store.sessions import SessionCheck
from bailee.assembly import Services
from bailee.foundation.database import OperatorReader
from bailee.foundation.ids import new_id
from bailee.foundation.principal import Forbidden, Principal, StepUpRequired, Unauthenticated
from bailee.foundation.settings import Access
from bailee.tenants.model import Tenant, TenantState
from tests.integration.access.people import (
    PASSWORD,
    Person,
    execute,
    is_refused,
    mailed_link,
    make_member,
    make_owner,
    make_staff,
    nobody,
    secret,
    soon,
    who,
)
from tests.integration.rig import SYSTEM, create_tenant, eventually, running

REASON = "Lost the phone on a train."


@pytest.fixture(scope="module")
async def owner(services: Services) -> Person:
    return await make_owner(services)


@pytest.fixture(scope="module")
async def elsewhere(services: Services) -> AsyncIterator[Services]:
    """Another process, for the whole module."""
    async with running(services.settings) as opened:
        yield opened


# --- what ends a session ends it at once, and everywhere --------------------------------------------------


async def _disabled(services: Services, person: Person, owner: Principal) -> None:
    account_id = await person.id()
    async with services.database.operator() as tx:
        await services.access.accounts.disable(tx, account_id, by=owner)


async def _off_boarded(services: Services, person: Person, owner: Principal) -> None:
    account_id = await person.id()
    async with services.database.operator() as tx:
        await services.access.accounts.off_board(tx, account_id, by=owner)


async def _factors_reset(services: Services, person: Person, owner: Principal) -> None:
    account_id = await person.id()
    async with services.database.operator() as tx:
        await services.access.accounts.reset_factors(tx, account_id, reason=REASON, by=owner)


async def _all_ended(services: Services, person: Person, owner: Principal) -> None:
    account_id = await person.id()
    async with services.database.operator() as tx:
        await services.access.sessions.end_all(tx, account_id, by=owner)


async def _password_reset(services: Services, person: Person, owner: Principal) -> None:
    link = await mailed_link(services, await person.id())
    await services.access.password_change.reset(token=link, new=secret("sixteen loud herons"), by=nobody())


async def _password_changed(services: Services, person: Person, owner: Principal) -> None:
    other = Person(services, person.email, totp=person.totp, step=person.step)
    await other.sign_in(person.recovery_codes[0])
    await services.access.password_change.change(
        old=secret(PASSWORD), new=secret("sixteen loud herons"), by=await other.principal()
    )


async def _others_ended(services: Services, person: Person, owner: Principal) -> None:
    other = Person(services, person.email, totp=person.totp)
    await other.sign_in(person.recovery_codes[0])
    by = await other.principal()
    async with services.database.operator() as tx:
        await services.access.sessions.end_others(tx, by=by)


async def _signed_out(services: Services, person: Person, owner: Principal) -> None:
    by = await person.principal()
    async with services.database.operator() as tx:
        await services.access.sessions.sign_out(tx, by=by)


async def _stepped_up(services: Services, person: Person, owner: Principal) -> None:
    by = await person.principal()
    await services.access.sign_in.step_up_by_code(code=person.recovery_codes[0], by=by)


@pytest.mark.parametrize(
    "end",
    [
        _disabled, _off_boarded, _factors_reset, _all_ended, _password_reset, _password_changed, _others_ended,
        _signed_out, _stepped_up,
    ],
)  # fmt: skip
async def test_what_ends_a_session_ends_it_in_every_process_that_remembers_it(
    services: Services, elsewhere: Services, owner: Person, end: Callable[..., Awaitable[None]]
) -> None:
    person = await make_staff(services, "support")
    for process in (services, elsewhere, services, elsewhere):
        (await who(process, person.token)).require("tenants.read")
    await end(services, person, await owner.principal())
    assert await is_refused(services, person.token)
    await soon(lambda: is_refused(elsewhere, person.token))


async def test_a_revoked_key_is_refused_in_every_process_that_remembers_it(
    services: Services, elsewhere: Services, tenant: Tenant
) -> None:
    async with services.database.tenant(tenant.id) as tx:
        key = await services.access.keys.issue(tx, name="key", permissions=["records:read"], expires_at=None, by=SYSTEM)
    for process in (services, elsewhere, services, elsewhere):
        await who(process, key.token)
    async with services.database.tenant(tenant.id) as tx:
        await services.access.keys.revoke(tx, key.id, by=SYSTEM)
    assert await is_refused(services, key.token)
    await soon(lambda: is_refused(elsewhere, key.token))


# --- what takes permissions away takes them at once, and everywhere ---------------------------------------


async def _lost(services: Services, token: str, permission: str) -> bool:
    """Whether it is not permitted, or the session has ended altogether."""
    return await is_refused(services, token) or not (await who(services, token)).may(permission)


async def test_a_withdrawn_role_permits_nothing_in_any_process(
    services: Services, elsewhere: Services, owner: Person
) -> None:
    person = await make_staff(services, "support", "auditor")
    for process in (services, elsewhere):
        (await who(process, person.token)).require("reviews.read")
    account_id, by = await person.id(), await owner.principal()
    async with services.database.operator() as tx:
        await services.access.grants.withdraw(tx, account_id, "auditor", by=by)
    assert await is_refused(services, person.token)
    await soon(lambda: is_refused(elsewhere, person.token))
    await person.sign_in()
    (await who(elsewhere, person.token)).require("tenants.read")
    assert await _lost(elsewhere, person.token, "reviews.read")


async def _member_disabled(services: Services, tenant: Tenant, member: Person) -> None:
    account_id = await member.id()
    async with services.database.tenant(tenant.id) as tx:
        await services.access.members.disable(tx, account_id, by=SYSTEM)


async def _member_removed(services: Services, tenant: Tenant, member: Person) -> None:
    account_id = await member.id()
    async with services.database.tenant(tenant.id) as tx:
        await services.access.members.remove(tx, account_id, by=SYSTEM)


async def _role_changed(services: Services, tenant: Tenant, member: Person) -> None:
    account_id = await member.id()
    async with services.database.tenant(tenant.id) as tx:
        await services.access.members.change_role(tx, account_id, "auditor", by=SYSTEM)


async def _tenant_suspended(services: Services, tenant: Tenant, member: Person) -> None:
    async with services.database.operator() as tx:
        await services.tenants.move(tx, tenant.id, to=TenantState.SUSPENDED, by=SYSTEM)


@pytest.mark.parametrize("act", [_member_disabled, _member_removed, _role_changed, _tenant_suspended])
async def test_a_member_who_is_shut_out_may_nothing_in_any_process(
    services: Services, elsewhere: Services, act: Callable[..., Awaitable[None]]
) -> None:
    tenant = await create_tenant(services)
    member = await make_member(services, tenant.id, "viewer", mfa=False)
    for process in (services, elsewhere, services, elsewhere):
        (await who(process, member.token)).require("records.read")
    await act(services, tenant, member)
    assert await _lost(services, member.token, "records.read")
    await soon(lambda: _lost(elsewhere, member.token, "records.read"))


async def test_whoever_is_no_member_any_more_has_no_tenant(services: Services, tenant: Tenant) -> None:
    member = await make_member(services, tenant.id, "viewer", mfa=False)
    await _member_removed(services, tenant, member)
    by = await member.principal()
    assert by.tenant_id is None
    assert by.permissions == frozenset()
    async with services.database.operator() as tx:
        await services.access.accounts.rename(tx, name="Somebody Else", by=by)
    async with services.database.tenant_read(tenant.id) as reader:
        assert await reader.value("SELECT count(*) FROM events WHERE action = 'account.renamed'") == 0


# --- what is remembered never outlives its truth ----------------------------------------------------------


class _Pause:
    """A gate that a test can hold: the reading of a session stops in its middle."""

    def __init__(self) -> None:
        self.reached, self.go_on = asyncio.Event(), asyncio.Event()
        self.go_on.set()

    async def is_met(self, _tx: OperatorReader, _session: SessionCheck) -> bool:
        self.reached.set()
        await self.go_on.wait()
        return True

    def hold(self) -> None:
        self.reached.clear()
        self.go_on.clear()


@contextlib.asynccontextmanager
async def _authenticator(services: Services, *gates: Gate, **limits: Any) -> AsyncIterator[Authenticator]:
    made = Authenticator(services.database, Gates(*gates), Access(**limits), services.clock)
    listener = asyncio.create_task(made.listen())
    try:
        await eventually(lambda: made._hears)
        yield made
    finally:
        listener.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listener


def _caller(address: str = "192.0.2.1") -> Caller:
    return Caller(address, new_id())


async def test_what_was_read_before_an_announcement_is_not_remembered_after_it(
    services: Services, owner: Person
) -> None:
    person, by = await make_staff(services, "support"), await owner.principal()
    account_id = await person.id()
    pause = _Pause()
    async with _authenticator(services, Gate("pause", "", pause.is_met)) as authenticator:
        pause.hold()
        reading = asyncio.create_task(authenticator.authenticate(person.token, _caller()))
        await pause.reached.wait()
        async with services.database.operator() as tx:
            await services.access.grants.withdraw(tx, account_id, "support", by=by)
        pause.go_on.set()
        assert (await reading).may("tenants.read"), "this one had begun before"
        with pytest.raises(Unauthenticated):
            await authenticator.authenticate(person.token, _caller())


async def test_a_process_that_cannot_hear_remembers_nothing(services: Services, owner: Person) -> None:
    person = await make_staff(services, "support")
    deaf = Authenticator(services.database, Gates(), Access(), services.clock)
    for _ in range(2):
        await deaf.authenticate(person.token, _caller())
    assert not deaf._remembered
    async with _authenticator(services) as hearing:
        await hearing.authenticate(person.token, _caller())
        assert len(hearing._remembered) == 1
        await execute(
            services,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE query = 'LISTEN bailee_access' AND datname = current_database()",
        )
        await eventually(lambda: not hearing._remembered)
        await eventually(lambda: hearing._hears)


async def test_only_so_many_tokens_are_remembered(
    services: Services, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bailee.access.authentication._REMEMBERED", 2)
    people = [await make_member(services, tenant.id, "viewer", mfa=False) for _ in range(3)]
    async with _authenticator(services) as authenticator:
        for person in people:
            await authenticator.authenticate(person.token, _caller())
        assert len(authenticator._remembered) == 2


# --- time ---------------------------------------------------------------------------------------------------


async def test_a_session_ends_by_rest_and_by_age(services: Services, owner: Person) -> None:
    resting, old = await make_staff(services, "support"), await make_staff(services, "support")
    rested = (await resting.principal()).session_id
    await execute(
        services, "UPDATE sessions SET seen_at = now() - interval '59 minutes' WHERE session_id = %s", (rested,)
    )
    assert not await is_refused(services, resting.token), "and it has been seen now"
    await execute(
        services, "UPDATE sessions SET seen_at = now() - interval '61 minutes' WHERE session_id = %s", (rested,)
    )
    assert await is_refused(services, resting.token)
    aged = (await old.principal()).session_id
    await execute(services, "UPDATE sessions SET expires_at = now() WHERE session_id = %s", (aged,))
    assert await is_refused(services, old.token)


async def test_a_tenant_asks_for_less_rest_than_the_operator_and_never_for_more(
    services: Services, tenant: Tenant
) -> None:
    member = await make_member(services, tenant.id, "viewer", mfa=False)
    session_id = (await member.principal()).session_id
    await execute(
        services,
        "INSERT INTO tenant_policies (tenant_id, require_mfa, min_password_length, min_password_score, session_hours, "
        "idle_minutes, networks, require_sso, version) VALUES (%s, false, 8, 2, 12, 60, '{}', false, 1)",
        (tenant.id,),
    )
    await execute(
        services, "UPDATE sessions SET seen_at = now() - interval '20 minutes' WHERE session_id = %s", (session_id,)
    )
    async with _authenticator(services, idle_minutes=15) as strict:
        with pytest.raises(Unauthenticated):
            await strict.authenticate(member.token, _caller())
    assert not await is_refused(services, member.token)


async def test_step_up_lasts_five_minutes(services: Services, owner: Person) -> None:
    person = await make_staff(services, "support")
    session_id = (await person.principal()).session_id
    await execute(
        services, "UPDATE sessions SET mfa_at = now() - interval '301 seconds' WHERE session_id = %s", (session_id,)
    )
    by = await person.principal()
    by.require("tenants.read")
    with pytest.raises(StepUpRequired):
        by.require_step_up()
    await person.step_up()
    (await person.principal()).require_step_up()


# --- gates ------------------------------------------------------------------------------------------------


async def test_an_added_gate_makes_every_permission_ineffective_and_says_what_to_do(
    services: Services, owner: Person
) -> None:
    signed = False

    async def has_signed(_tx: OperatorReader, _session: SessionCheck) -> bool:
        return signed

    undertaking = Gate("undertaking_signed", "Sign the undertaking under your account first.", has_signed)
    async with _authenticator(services, undertaking) as authenticator:
        by = await authenticator.authenticate(owner.token, _caller())
        assert by.permissions == frozenset()
        with pytest.raises(Forbidden, match="Sign the undertaking"):
            by.require("tenants.read")
        by.require_session()
        signed = True
        authenticator.forget()
        (await authenticator.authenticate(owner.token, _caller())).require("tenants.read")
    assert Gates(undertaking).names == ["account_active", "mfa_enrolled", "undertaking_signed"]


async def test_staff_whose_factor_is_gone_may_nothing(services: Services, owner: Person) -> None:
    person = await make_staff(services, "support")
    await execute(services, "DELETE FROM totp_factors WHERE account_id = %s", (await person.id(),))
    by = await person.principal()
    assert by.permissions == frozenset()
    with pytest.raises(Forbidden, match="second factor"):
        by.require("tenants.read")


async def test_a_gate_does_not_hold_members(services: Services, tenant: Tenant) -> None:
    member = await make_member(services, tenant.id, "viewer", mfa=False)
    pause = _Pause()
    async with _authenticator(services, Gate("pause", "", pause.is_met)) as authenticator:
        (await authenticator.authenticate(member.token, _caller())).require("records.read")
    assert not pause.reached.is_set()


@pytest.mark.parametrize("state", ["disabled", "off_boarded"])
async def test_a_session_to_enrol_in_is_none_for_an_account_that_is_shut(
    services: Services, owner: Person, state: str
) -> None:
    person = await make_staff(services, "support")
    account_id = await person.id()
    async with services.database.operator() as tx:
        started = await services.access.sessions.start_enrolment(tx, account_id, by=nobody())
    assert not await is_refused(services, started.token)
    await execute(services, "UPDATE accounts SET state = %s WHERE account_id = %s", (state, account_id))
    assert await is_refused(services, started.token)


# --- persons without a session ----------------------------------------------------------------------------


async def test_a_person_without_a_session_has_shown_no_second_factor(services: Services, owner: Person) -> None:
    by = msgspec.structs.replace(await owner.principal(), session_id=None, stepped_up=False)
    with pytest.raises(StepUpRequired):
        by.require_step_up()
    with pytest.raises(Unauthenticated):
        by.require_session()


async def test_somebodys_sessions_are_listed_for_them_alone(services: Services, owner: Person) -> None:
    person = await make_staff(services, "support")
    first = person.token
    await person.sign_in(person.recovery_codes[0])
    by = await person.principal()
    async with services.database.operator_read() as tx:
        listed = await services.access.sessions.own(tx, by=by)
    assert [one.current for one in listed] == [True, False]
    assert {one.kind for one in listed} == {SessionKind.BROWSER, SessionKind.API}
    assert all(one.device == "Firefox on Linux" and one.address == "192.0.2.1" for one in listed)
    other = next(one for one in listed if not one.current)
    async with services.database.operator() as tx:
        await services.access.sessions.end(tx, other.id, by=by)
    assert await is_refused(services, first)
