"""The sealed account: opens once, raises the alarm, and keeps nothing of whoever opened it."""

import asyncio
from datetime import timedelta

import pytest

from bailee.access.addresses import SEALED as EMAIL
from bailee.access.break_glass import SealedEnvelope
from bailee.access.errors import GrantRefused, SignInOver, SignInRefused
from bailee.access.model import AccountKind, PendingSignIn, SessionKind, StartedSession
from bailee.assembly import Services
from bailee.foundation.errors import Invalid, NotFound
from bailee.foundation.principal import Forbidden
from bailee.tenants.model import Tenant
from tests.integration.access.people import (
    Person,
    actions,
    execute,
    is_refused,
    mailed_link,
    make_owner,
    make_staff,
    nobody,
    secret,
    who,
)
from tests.integration.rig import SYSTEM


@pytest.fixture(scope="module")
async def owner(services: Services) -> Person:
    return await make_owner(services)


@pytest.fixture
async def envelope(services: Services, owner: Person) -> SealedEnvelope:
    await execute(services, "DELETE FROM sign_in_failures")
    return await services.access.break_glass.seal(by=await owner.principal())


async def _open(services: Services, envelope: SealedEnvelope, code: int = 0) -> StartedSession:
    started = await services.access.sign_in.by_password(
        email=envelope.email, password=secret(envelope.password), code=envelope.codes[code], kind=SessionKind.API,
        by=nobody(),
    )  # fmt: skip
    assert isinstance(started, StartedSession)
    return started


async def _is_sealed(services: Services) -> bool:
    async with services.database.operator_read() as tx:
        return (await services.access.break_glass.state(tx)).sealed


async def test_it_opens_once_raises_the_alarm_and_lasts_an_hour(services: Services, envelope: SealedEnvelope) -> None:
    before = len(await actions(services, "break_glass.used"))
    assert await _is_sealed(services)
    started = await _open(services, envelope)
    assert len(await actions(services, "break_glass.used")) == before + 1
    assert timedelta(minutes=59) < started.expires_at - services.clock.now() <= timedelta(hours=1)
    by = await who(services, started.token)
    by.require("roles.grant")
    assert not by.may("tenants.close"), "what has no way back takes two people, on that day too"
    by.require_step_up()
    assert not await _is_sealed(services)
    for code in (1, 0):
        with pytest.raises(SignInRefused):
            await _open(services, envelope, code)


async def test_of_many_openings_at_once_one_succeeds(services: Services, envelope: SealedEnvelope) -> None:
    results = await asyncio.gather(*(_open(services, envelope, n) for n in range(6)), return_exceptions=True)
    assert sum(isinstance(result, StartedSession) for result in results) == 1
    assert all(isinstance(result, StartedSession | SignInOver | SignInRefused) for result in results)


async def test_the_password_alone_opens_nothing(services: Services, envelope: SealedEnvelope) -> None:
    found = await services.access.sign_in.by_password(
        email=envelope.email, password=secret(envelope.password), kind=SessionKind.API, by=nobody()
    )
    assert isinstance(found, PendingSignIn)
    assert found.methods == ["recovery_code"]
    assert await _is_sealed(services)


async def test_sealing_anew_kills_what_opened_it_before(
    services: Services, owner: Person, envelope: SealedEnvelope
) -> None:
    started = await _open(services, envelope)
    await who(services, started.token)
    again = await services.access.break_glass.seal(by=await owner.principal())
    assert await is_refused(services, started.token)
    assert again.email == envelope.email
    assert not set(again.codes) & set(envelope.codes)
    with pytest.raises(SignInRefused):
        await _open(services, envelope, 1)
    mixed = SealedEnvelope(again.email, again.password, envelope.codes)
    with pytest.raises(SignInRefused):
        await _open(services, mixed, 1)
    await _open(services, again)


async def test_whoever_opens_it_cannot_leave_a_way_to_come_again(services: Services, envelope: SealedEnvelope) -> None:
    by = await who(services, (await _open(services, envelope)).token)
    factors = services.access.factors
    for act in (factors.begin_totp, factors.begin_passkey, factors.new_recovery_codes, factors.remove_totp):
        with pytest.raises(Forbidden):
            async with services.database.operator() as tx:
                await act(tx, by=by)
    with pytest.raises(Forbidden):
        await services.access.password_change.change(
            old=secret(envelope.password), new=secret("a password of my own choosing"), by=by
        )


async def test_sealing_takes_away_whatever_was_put_there(
    services: Services, owner: Person, envelope: SealedEnvelope
) -> None:
    await execute(
        services,
        "INSERT INTO totp_factors (account_id, secret, confirmed_at) SELECT account_id, 'x', now() FROM accounts "
        "WHERE sealed",
    )
    await services.access.break_glass.seal(by=await owner.principal())
    async with services.database.operator_read() as tx:
        left = await tx.value("SELECT count(*) FROM totp_factors JOIN accounts USING (account_id) WHERE sealed")
    assert left == 0


async def test_it_is_nobodys_account_to_list_to_manage_or_to_write_to(
    services: Services, owner: Person, envelope: SealedEnvelope
) -> None:
    async with services.database.operator_read() as reader:
        sealed = next(one for one in await services.access.accounts.everyone(reader) if one.sealed)
        staff = await services.access.accounts.page(reader, kind=AccountKind.STAFF)
        grants = await services.access.grants.all(reader)
        with pytest.raises(NotFound):
            await services.access.accounts.get_person(reader, sealed.id)
    assert sealed.id not in {one.id for one in staff} | {one.account_id for one in grants}
    by, accounts = await owner.principal(), services.access.accounts
    for act in (accounts.disable, accounts.enable, accounts.off_board):
        with pytest.raises(NotFound):
            async with services.database.operator() as tx:
                await act(tx, sealed.id, by=by)
    with pytest.raises(NotFound):
        async with services.database.operator() as tx:
            await services.access.grants.grant(tx, sealed.id, "support", by=by)
    with pytest.raises(Forbidden):
        await services.access.password_change.reset(
            token=await mailed_link(services, sealed.id), new=secret("sixteen loud herons"), by=nobody()
        )
    await services.access.password_change.ask(email=EMAIL, by=nobody())
    assert await _is_sealed(services)


@pytest.mark.parametrize("email", [EMAIL, "probe-1@probe.invalid", "x@invalid", "a@b.invalid"])
async def test_nobody_is_invited_to_a_name_that_is_ours_to_make_up(
    services: Services, owner: Person, tenant: Tenant, email: str
) -> None:
    by = await owner.principal()
    with pytest.raises(Invalid):
        async with services.database.operator() as tx:
            await services.access.invitations.invite_staff(tx, email=email, name="X", roles=["support"], by=by)
    with pytest.raises(Invalid):
        async with services.database.tenant(tenant.id) as tx:
            await services.access.invitations.invite_member(tx, email=email, name="X", role="viewer", by=SYSTEM)


async def test_sealing_takes_a_permission(services: Services, owner: Person) -> None:
    person = await make_staff(services, "infrastructure")
    with pytest.raises(Forbidden):
        await services.access.break_glass.seal(by=await person.principal())


async def test_a_session_of_it_grants_no_superuser(services: Services, owner: Person, envelope: SealedEnvelope) -> None:
    by = await who(services, (await _open(services, envelope)).token)
    with pytest.raises((Invalid, GrantRefused)):
        async with services.database.operator() as tx:
            await services.access.grants.grant(tx, await owner.id(), "superuser", by=by)


async def test_owners_alone_seal_it_and_it_does_not_seal_itself(services: Services, owner: Person) -> None:
    """Else one officer opens it, makes themselves an owner, and comes back for ever."""
    officer = await make_staff(services, "security_officer")
    with pytest.raises(Forbidden):
        await services.access.break_glass.seal(by=await officer.principal())
    envelope = await services.access.break_glass.seal(by=await owner.principal())
    by = await who(services, (await _open(services, envelope)).token)
    with pytest.raises(Forbidden):
        await services.access.break_glass.seal(by=by)


async def test_strangers_who_guess_at_it_do_not_lock_it(services: Services, envelope: SealedEnvelope) -> None:
    for number in range(12):
        with pytest.raises(SignInRefused):
            await services.access.sign_in.by_password(
                email=envelope.email, password=secret("not this one"), kind=SessionKind.API,
                by=nobody(f"198.51.100.{number}"),
            )  # fmt: skip
    await _open(services, envelope)


async def test_nobody_ends_its_session_but_a_new_seal(services: Services, envelope: SealedEnvelope) -> None:
    officer = await make_staff(services, "security_officer")
    started = await _open(services, envelope)
    with pytest.raises(Forbidden):
        async with services.database.operator() as tx:
            await services.access.sessions.end_all(tx, started.account.id, by=await officer.principal())
    assert not await is_refused(services, started.token)
