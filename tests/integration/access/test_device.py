"""Sign-in of a program by a browser (RFC 8628), and what has been tried against such flows."""

import asyncio
from collections.abc import Awaitable
from typing import LiteralString

import msgspec
import pytest

from bailee.access.device import ALPHABET, DeviceRequest
from bailee.access.errors import (
    AccessDenied,
    AuthorizationPending,
    ExpiredToken,
    FreshSignInRequired,
    SlowDown,
    TooManyAttempts,
)
from bailee.access.model import SessionKind, StartedSession
from bailee.access.tokens import DEVICE_CODE
from bailee.assembly import Services
from bailee.foundation.errors import Conflict, Error, Invalid
from bailee.foundation.principal import Forbidden, Principal, StepUpRequired, Unauthenticated
from bailee.tenants.model import Tenant
from tests.integration.access.people import Person, make_member, make_owner, make_staff, nobody, secret, who
from tests.integration.rig import SYSTEM, superuser

PROGRAM = "198.51.100.7"


@pytest.fixture(scope="module")
async def owner(services: Services) -> Person:
    return await make_owner(services)


@pytest.fixture
async def staff(services: Services, owner: Person) -> Person:
    """Somebody of the staff in a browser, with a second factor shown just now."""
    person = await make_staff(services, "support")
    await in_browser(services, person)
    return person


async def in_browser(services: Services, person: Person) -> None:
    found = await services.access.sign_in.by_password(
        email=person.email, password=secret(person.password), code=person.code() if person.totp else None,
        kind=SessionKind.BROWSER, by=nobody(),
    )  # fmt: skip
    assert isinstance(found, StartedSession)
    person.token = found.token


async def ask(services: Services, address: str = PROGRAM, label: str = "build-box") -> DeviceRequest:
    async with services.database.operator() as tx:
        return await services.access.device_sign_in.begin(tx, label=label, by=nobody(address))


async def poll(services: Services, asked: DeviceRequest) -> StartedSession:
    return await services.access.device_sign_in.poll(device_code=asked.device_code, by=nobody(PROGRAM))


async def outcome(work: Awaitable[object]) -> str:
    """What became of one of many."""
    try:
        await work
    except Error as error:
        return error.code
    return "done"


def rewind(services: Services, statement: LiteralString) -> None:
    """Moves the clock for a test, by moving what is stored."""
    with superuser(services.settings.database.main) as connection:
        connection.execute(statement)


async def test_an_approved_program_works_as_its_person_in_a_session_of_its_own(
    services: Services, staff: Person
) -> None:
    by = await staff.principal()
    asked = await ask(services)
    assert asked.verification_uri == f"{services.settings.base_url}/device"
    with pytest.raises(AuthorizationPending):
        await poll(services, asked)
    seen = await services.access.device_sign_in.find(code=asked.user_code, by=by)
    assert (seen.label, seen.address) == ("build-box", PROGRAM)
    await services.access.device_sign_in.approve(code=asked.user_code.lower().replace("-", " "), by=by)
    started = await poll(services, asked)
    program = await who(services, started.token, PROGRAM)
    assert (program.id, program.permissions) == (by.id, by.permissions)
    assert program.stepped_up
    async with services.database.operator_read() as tx:
        sessions = {one.id: one for one in await services.access.sessions.own(tx, by=program)}
    assert by.session_id in sessions
    mine = sessions[program.session_id]  # type: ignore[index]  # it has one
    assert (mine.kind, mine.device, mine.address) == (SessionKind.CLI, "Command line on build-box", PROGRAM)
    assert set(mine.factors) == {"password", "totp", "device"}


async def test_a_user_code_is_of_the_unambiguous_alphabet(services: Services) -> None:
    code = (await ask(services, "198.51.100.8")).user_code
    assert code[4] == "-"
    assert len(code) == 9
    assert set(code) - {"-"} <= set(ALPHABET)


async def test_neither_code_is_stored_in_clear(services: Services) -> None:
    asked = await ask(services, "198.51.100.9")
    with superuser(services.settings.database.main) as connection:
        rows = repr(connection.execute("SELECT d::text FROM device_requests d").fetchall())
    assert asked.user_code not in rows
    assert asked.user_code.encode().hex() not in rows
    assert asked.device_code not in rows


async def test_of_thirty_polls_at_once_one_gets_the_session(services: Services, staff: Person) -> None:
    asked = await ask(services)
    await services.access.device_sign_in.approve(code=asked.user_code, by=await staff.principal())
    found = await asyncio.gather(*(outcome(poll(services, asked)) for _ in range(30)))
    assert sorted(set(found)) == ["done", "expired_token"]
    assert found.count("done") == 1


async def test_of_an_approval_and_a_refusal_at_once_one_counts(services: Services, staff: Person) -> None:
    asked, by = await ask(services), await staff.principal()
    device = services.access.device_sign_in
    found = await asyncio.gather(
        outcome(device.approve(code=asked.user_code, by=by)), outcome(device.refuse(code=asked.user_code, by=by))
    )
    assert sorted(found) in (["conflict", "done"], ["done", "invalid"])


async def test_a_refused_program_is_told_so_and_stays_refused(services: Services, staff: Person) -> None:
    asked, by = await ask(services), await staff.principal()
    await services.access.device_sign_in.refuse(code=asked.user_code, by=by)
    with pytest.raises(AccessDenied):
        await poll(services, asked)
    with pytest.raises(Invalid):
        await services.access.device_sign_in.approve(code=asked.user_code, by=by)
    with pytest.raises(AccessDenied):
        await poll(services, asked)


async def test_whoever_polls_too_often_has_to_slow_down(services: Services) -> None:
    asked = await ask(services, "198.51.100.10")
    with pytest.raises(AuthorizationPending):
        await poll(services, asked)
    for _ in range(2):
        with pytest.raises(SlowDown):
            await poll(services, asked)
    rewind(services, "UPDATE device_requests SET polled_at = polled_at - interval '6 s'")
    with pytest.raises(SlowDown):  # the interval has grown to fifteen seconds
        await poll(services, asked)
    rewind(services, "UPDATE device_requests SET polled_at = polled_at - interval '30 s'")
    with pytest.raises(AuthorizationPending):
        await poll(services, asked)


async def test_codes_are_worthless_after_ten_minutes(services: Services, staff: Person) -> None:
    asked, by = await ask(services), await staff.principal()
    approved = await ask(services)
    await services.access.device_sign_in.approve(code=approved.user_code, by=by)
    rewind(services, "UPDATE device_requests SET expires_at = now() - interval '1 s'")
    with pytest.raises(Invalid):
        await services.access.device_sign_in.find(code=asked.user_code, by=by)
    for one in (asked, approved):
        with pytest.raises(ExpiredToken):
            await poll(services, one)


@pytest.mark.parametrize("code", ["", "bdc_", "bdc_aaaa", "bst_" + "a" * 80, "\x00", "bdc_" + "é" * 90])
async def test_what_is_no_device_code_is_answered_like_an_old_one(services: Services, code: str) -> None:
    with pytest.raises(ExpiredToken):
        await services.access.device_sign_in.poll(device_code=code, by=nobody())


async def test_another_secret_for_the_same_request_gets_nothing(services: Services, staff: Person) -> None:
    asked = await ask(services)
    await services.access.device_sign_in.approve(code=asked.user_code, by=await staff.principal())
    parsed = DEVICE_CODE.parse(asked.device_code)
    assert parsed is not None
    forged, _ = DEVICE_CODE.new(parsed.id)
    with pytest.raises(ExpiredToken):
        await services.access.device_sign_in.poll(device_code=forged, by=nobody())
    assert (await poll(services, asked)).token


async def test_guessing_user_codes_ends_after_ten(services: Services, staff: Person) -> None:
    by = await staff.principal()
    for _ in range(10):
        with pytest.raises(Invalid):
            await services.access.device_sign_in.find(code="BBBB-BBBB", by=by)
    asked = await ask(services)
    with pytest.raises(TooManyAttempts):
        await services.access.device_sign_in.find(code=asked.user_code, by=by)
    await in_browser(services, staff)  # sign-in is counted apart: nobody locks themselves out with typing slips


async def test_one_address_opens_twenty_at_most(services: Services) -> None:
    found = await asyncio.gather(*(outcome(ask(services, "203.0.113.5")) for _ in range(25)))
    assert found.count("done") == 20
    assert (await ask(services, "203.0.113.6")).device_code


async def test_staff_approve_with_a_fresh_second_factor_only(services: Services, staff: Person) -> None:
    by = msgspec.structs.replace(await staff.principal(), stepped_up=False)
    asked = await ask(services)
    with pytest.raises(StepUpRequired):
        await services.access.device_sign_in.find(code=asked.user_code, by=by)
    with pytest.raises(StepUpRequired):
        await services.access.device_sign_in.approve(code=asked.user_code, by=by)


async def test_approval_makes_no_second_factor_younger_than_it_is(services: Services, staff: Person) -> None:
    by = await staff.principal()
    asked = await ask(services)
    rewind(services, "UPDATE sessions SET mfa_at = mfa_at - interval '4 minutes'")
    await services.access.device_sign_in.approve(code=asked.user_code, by=by)
    program = await who(services, (await poll(services, asked)).token, PROGRAM)
    with superuser(services.settings.database.main) as connection:
        ages = connection.execute(
            "SELECT (now() - mfa_at) > interval '4 minutes' FROM sessions WHERE session_id = %s", (program.session_id,)
        ).fetchall()
    assert ages == [(True,)]


async def test_a_program_approves_no_program(services: Services, staff: Person) -> None:
    first, second = await ask(services), await ask(services)
    await services.access.device_sign_in.approve(code=first.user_code, by=await staff.principal())
    program = await who(services, (await poll(services, first)).token, PROGRAM)
    with pytest.raises(Forbidden, match="browser"):
        await services.access.device_sign_in.approve(code=second.user_code, by=program)


async def test_a_session_that_may_do_nothing_approves_nothing(services: Services, staff: Person) -> None:
    by = msgspec.structs.replace(await staff.principal(), unmet=("Enrol a second factor.",))
    asked = await ask(services)
    with pytest.raises(Forbidden, match="Enrol"):
        await services.access.device_sign_in.approve(code=asked.user_code, by=by)
    with pytest.raises(Unauthenticated):
        await services.access.device_sign_in.approve(code=asked.user_code, by=nobody())


async def test_a_member_without_second_factor_approves_right_after_signing_in(
    services: Services, owner: Person, tenant: Tenant
) -> None:
    member = await make_member(services, tenant.id, mfa=False)
    await in_browser(services, member)
    asked, late = await ask(services), await ask(services)
    by = await member.principal()
    await services.access.device_sign_in.approve(code=asked.user_code, by=by)
    program = await who(services, (await poll(services, asked)).token, PROGRAM)
    assert (program.tenant_id, program.stepped_up) == (tenant.id, False)
    rewind(services, "UPDATE sessions SET created_at = created_at - interval '6 minutes'")
    with pytest.raises(FreshSignInRequired):
        await services.access.device_sign_in.approve(code=late.user_code, by=by)


async def test_disabling_the_account_kills_an_approval_under_way(
    services: Services, owner: Person, staff: Person
) -> None:
    asked, by = await ask(services), await staff.principal()
    await services.access.device_sign_in.approve(code=asked.user_code, by=by)
    async with services.database.operator() as tx:
        await services.access.accounts.disable(tx, by.account_id, by=SYSTEM)
    with pytest.raises(ExpiredToken):
        await poll(services, asked)


async def test_ending_all_sessions_kills_an_approval_under_way(services: Services, staff: Person) -> None:
    asked, by = await ask(services), await staff.principal()
    await services.access.device_sign_in.approve(code=asked.user_code, by=by)
    async with services.database.operator() as tx:
        await services.access.sessions.end_all(tx, by.account_id, by=SYSTEM)
    with pytest.raises(ExpiredToken):
        await poll(services, asked)


async def test_a_sealed_account_approves_nothing(services: Services, owner: Person) -> None:
    envelope = await services.access.break_glass.seal(by=SYSTEM)
    started = await services.access.sign_in.by_password(
        email=envelope.email, password=secret(envelope.password), code=envelope.codes[0], kind=SessionKind.BROWSER,
        by=nobody("192.0.2.77"),
    )  # fmt: skip
    assert isinstance(started, StartedSession)
    by: Principal = await who(services, started.token, "192.0.2.77")
    asked = await ask(services)
    with pytest.raises(Forbidden, match="browser"):
        await services.access.device_sign_in.approve(code=asked.user_code, by=by)


@pytest.mark.parametrize("label", ["", " ", "a\nb", "a\x1b[31mred", "a\u202eb", "x" * 200])
async def test_a_label_that_could_deceive_is_refused(services: Services, label: str) -> None:
    with pytest.raises(Invalid):
        await ask(services, "203.0.113.9", label)


async def test_old_requests_are_swept_by_the_next(services: Services) -> None:
    await ask(services, "203.0.113.20")
    rewind(services, "UPDATE device_requests SET expires_at = now() - interval '1 s'")
    await ask(services, "203.0.113.20")
    with superuser(services.settings.database.main) as connection:
        assert connection.execute("SELECT count(*) FROM device_requests").fetchall() == [(1,)]


async def test_a_decided_request_is_not_decided_again(services: Services, staff: Person) -> None:
    asked, by = await ask(services), await staff.principal()
    seen = await services.access.device_sign_in.approve(code=asked.user_code, by=by)
    async with services.database.operator() as tx:
        with pytest.raises(Conflict):
            await services.access.device_sign_in.finish_refusal(tx, seen.id, by=by)
