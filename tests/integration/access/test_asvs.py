"""What docs/asvs.md promises of accounts and sessions, where no other test tries it."""

import msgspec
import pytest

from bailee.access.errors import FreshSignInRequired
from bailee.access.factors import recovery_digest
from bailee.access.model import SessionKind, StartedSession
from bailee.access.sessions import MOST
from bailee.assembly import Services
from bailee.foundation.errors import Invalid
from bailee.foundation.ids import new_id
from bailee.foundation.principal import Principal, StepUpRequired, Unauthenticated
from bailee.tenants.model import Tenant
from tests.integration.access.people import (
    PASSWORD,
    Person,
    execute,
    is_refused,
    make_member,
    make_owner,
    make_staff,
    secret,
    who,
)
from tests.integration.access.products import browser_of, register, sign_in
from tests.integration.rig import create_tenant, open_settings, running, superuser, work
from tests.postgres import Pair
from tests.smtp import mail_server


async def _signed_in_by(person: Person, by: Principal) -> StartedSession:
    found = await person.services.access.sign_in.by_password(
        email=person.email, password=secret(PASSWORD), kind=SessionKind.BROWSER, by=by
    )
    assert isinstance(found, StartedSession)
    return found


async def _end_others(person: Person) -> int:
    by = await person.principal()
    async with person.services.database.operator() as tx:
        return await person.services.access.sessions.end_others(tx, by=by)


async def _end(person: Person, token: str) -> None:
    by, other = await person.principal(), (await who(person.services, token)).session_id
    assert other is not None
    async with person.services.database.operator() as tx:
        await person.services.access.sessions.end(tx, other, by=by)


# --- V6 ---------------------------------------------------------------------------------------------------


async def test_a_recovery_code_has_entropy_enough_for_a_plain_hash(services: Services, tenant: Tenant) -> None:
    """120 bits in base32; below 112 ASVS 6.5.2 asks for a password hash."""
    member = await make_member(services, tenant.id)
    assert len(set(member.recovery_codes)) == 10
    for code in member.recovery_codes:
        assert len(code.replace("-", "")) * 5 >= 112
    kept = recovery_digest(await member.id(), member.recovery_codes[0])
    assert member.recovery_codes[0].encode() not in kept
    assert kept != recovery_digest(new_id(), member.recovery_codes[0]), "an equal code of another account differs"


async def test_no_account_exists_before_somebody_makes_it(own_services: Services) -> None:
    with superuser(own_services.settings.database.main) as connection:
        assert connection.execute("SELECT count(*) FROM accounts").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM oauth_clients").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM api_keys").fetchone() == (0,)


@pytest.mark.parametrize("password", ["Musterpraxis1", "nordlicht-health", "console.example"])
async def test_a_password_made_of_the_instances_own_words_is_refused(pair: Pair, password: str) -> None:
    """Names of the tenant, of the operator's organisation and of the host; none of them is in any dictionary."""
    with open_settings(pair) as settings:
        access = msgspec.structs.replace(settings.access, password_words=["Nordlicht Health"])
        web = msgspec.structs.replace(settings.web, base_url="https://console.example")
        async with running(msgspec.structs.replace(settings, access=access, web=web)) as services:
            tenant = await create_tenant(services, "Musterpraxis")
            member = await make_member(services, tenant.id, mfa=False)
            by = await member.principal()
            with pytest.raises(Invalid):
                await services.access.password_change.change(old=secret(PASSWORD), new=secret(password), by=by)


async def test_an_operator_can_ask_every_member_for_a_second_factor(pair: Pair) -> None:
    with open_settings(pair) as settings:
        access = msgspec.structs.replace(settings.access, member_mfa=True)
        async with running(msgspec.structs.replace(settings, access=access)) as services:
            tenant = await create_tenant(services)
            member = await make_member(services, tenant.id, mfa=False)
            before = await member.principal()
            assert before.unmet
            assert not before.permissions
            await member.enrol()
            after = await member.principal()
            assert not after.unmet
            assert after.may("records.read")


async def test_a_change_of_factors_is_written_to_its_person(pair: Pair) -> None:
    with open_settings(pair) as settings, mail_server() as server:
        async with running(settings) as services:
            member = await make_member(services, (await create_tenant(services)).id, mfa=False)
        async with running(msgspec.structs.replace(settings, mail=server.mail_settings())) as services:
            person = msgspec.structs.replace(member, services=services)
            await person.enrol()
            await work(services)
            assert server.wait_for(to=person.email, seconds=2)["Subject"] == "A second factor was changed"
            by = await person.principal()
            async with services.database.operator() as tx:
                await services.access.factors.new_recovery_codes(tx, by=by)
            await work(services)
            told = server.wait_for(to=person.email, subject="recovery codes", seconds=2)
            assert not any(code in str(told) for code in person.recovery_codes)
            async with services.database.operator() as tx:
                await services.access.factors.remove_totp(tx, by=by)
            await work(services)


# --- V7 ---------------------------------------------------------------------------------------------------


async def test_signing_in_anew_ends_the_session_that_the_browser_had(services: Services, tenant: Tenant) -> None:
    member = await make_member(services, tenant.id, mfa=False)
    before, beside = member.token, (await member.sign_in()).token
    after = await _signed_in_by(member, await who(services, before))
    assert await is_refused(services, before)
    assert not await is_refused(services, after.token)
    assert not await is_refused(services, beside), "another browser's goes on"


async def test_signing_in_as_somebody_else_ends_the_session_before(services: Services, tenant: Tenant) -> None:
    first, second = [await make_member(services, tenant.id, mfa=False) for _ in range(2)]
    after = await _signed_in_by(second, await first.principal())
    assert await is_refused(services, first.token)
    assert (await who(services, after.token)).account_id == await second.id()


async def test_sessions_past_the_most_end_where_they_have_rested_longest(services: Services, tenant: Tenant) -> None:
    member = await make_member(services, tenant.id, mfa=False)
    oldest = member.token
    account_id = await member.id()
    await execute(
        services, "UPDATE sessions SET seen_at = now() - interval '2 minutes' WHERE account_id = %s", (account_id,)
    )
    await execute(
        services,
        "INSERT INTO sessions (session_id, account_id, digest, kind, expires_at, acting_for) "
        "SELECT gen_random_uuid(), %s, '', 'api', now() + interval '1 hour', %s FROM generate_series(1, %s)",
        (account_id, tenant.id, MOST - 1),
    )
    await member.sign_in()
    assert await is_refused(services, oldest)
    async with services.database.operator_read() as tx:
        assert len(await services.access.sessions.own(tx, by=await member.principal())) == MOST


async def test_ending_other_sessions_takes_a_fresh_second_factor(services: Services) -> None:
    owner = await make_owner(services)
    person = await make_staff(services, "support", by=await owner.principal())
    await execute(
        services,
        "UPDATE sessions SET mfa_at = now() - interval '6 minutes' WHERE account_id = %s",
        (await person.id(),),
    )
    mine = person.token
    second, third = [(await person.sign_in(person.recovery_codes.pop())).token for _ in range(2)]
    person.token = mine
    with pytest.raises(StepUpRequired):
        await _end(person, second)
    with pytest.raises(StepUpRequired):
        await _end_others(person)
    await person.step_up()
    await _end(person, second)
    assert await is_refused(services, second)
    assert not await is_refused(services, third)
    assert await _end_others(person) == 1
    assert not await is_refused(services, person.token)


async def test_ending_other_sessions_takes_a_fresh_sign_in_where_there_is_no_factor(
    services: Services, tenant: Tenant
) -> None:
    member = await make_member(services, tenant.id, mfa=False)
    old = member.token
    await execute(
        services, "UPDATE sessions SET created_at = now() - interval '6 minutes' WHERE account_id = %s",
        (await member.id(),),
    )  # fmt: skip
    fresh = await member.sign_in()
    with pytest.raises(FreshSignInRequired):
        await _end_others(msgspec.structs.replace(member, token=old))
    with pytest.raises(FreshSignInRequired):
        await _end(msgspec.structs.replace(member, token=old), fresh.token)
    assert await _end_others(member) == 1
    assert await is_refused(services, old)


async def test_a_stale_session_may_still_sign_out(services: Services, tenant: Tenant) -> None:
    member = await make_member(services, tenant.id, mfa=False)
    await execute(
        services,
        "UPDATE sessions SET created_at = now() - interval '2 hours' WHERE account_id = %s",
        (await member.id(),),
    )
    await _end(member, member.token)
    with pytest.raises(Unauthenticated):
        await member.principal()


# --- V10 --------------------------------------------------------------------------------------------------


async def test_rotating_refresh_tokens_lengthens_no_grant(services: Services, tenant: Tenant) -> None:
    async with browser_of(services) as http:
        product = await register(services, http)
        person = await sign_in(services, await make_member(services, tenant.id, "viewer", mfa=False))
        token = (await product.tokens(person))["refresh_token"]
        for _ in range(3):
            token = (await product.refresh(token)).json()["refresh_token"]
        async with services.database.operator_read() as tx:
            ends = await tx.values(
                "SELECT g.expires_at = s.expires_at FROM oauth_grants g JOIN sessions s USING (session_id) "
                "WHERE g.client_id = %s",
                (product.client.id,),
            )
        assert ends == [True]
        await execute(services, "UPDATE oauth_grants SET expires_at = now() WHERE client_id = %s", (product.client.id,))
        assert (await product.refresh(token)).json()["error"] == "invalid_grant"
