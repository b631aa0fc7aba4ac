"""Passwords: the same rules at every place, changed with the old one or by mail, and what ends with them."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest

from bailee.access.errors import LinkRefused, SignInRefused, TooManyAttempts, WrongPassword
from bailee.access.model import SessionKind
from bailee.assembly import Services
from bailee.encryption.hashing import PasswordHasher
from bailee.foundation.errors import Invalid
from bailee.foundation.principal import Unauthenticated
from bailee.foundation.secrets import Secret
from bailee.tenants.model import Tenant
from tests.integration.access.people import (
    PASSWORD,
    Person,
    actions,
    execute,
    is_refused,
    mailed_link,
    make_member,
    make_owner,
    make_staff,
    nobody,
    secret,
    token_in,
)
from tests.integration.rig import SYSTEM, key_principal

NEW = "sixteen loud herons at dusk"


@pytest.fixture(scope="module")
async def owner(services: Services) -> Person:
    return await make_owner(services)


# --- the rules ------------------------------------------------------------------------------------------


type Try = Callable[[Secret], Awaitable[object]]
"""Offers a new password at some place."""


async def _at_setup(services: Services, _tenant: Tenant) -> Try:
    async def offer(password: Secret) -> object:
        email, name = "herbert@bailee.example", "Herbert Sample"
        return await services.access.accounts.prepare_password(password, email=email, name=name, staff=True)

    return offer


async def _at_acceptance(services: Services, tenant: Tenant) -> Try:
    async with services.database.tenant(tenant.id) as tx:
        sent = await services.access.invitations.invite_member(
            tx, email="herbert@bailee.example", name="Herbert Sample", role="viewer", by=SYSTEM
        )
    token = token_in(sent.link)

    async def offer(password: Secret) -> object:
        return await services.access.invitations.accept(
            token=token, name="Herbert Sample", password=password, kind=SessionKind.API, by=nobody()
        )

    return offer


async def _herbert(services: Services, tenant: Tenant) -> Person:
    person = await make_member(services, tenant.id, "viewer", mfa=False)
    by = await person.principal()
    async with services.database.operator() as tx:
        await services.access.accounts.rename(tx, name="Herbert Sample", by=by)
    return person


async def _at_change(services: Services, tenant: Tenant) -> Try:
    person = await _herbert(services, tenant)

    async def offer(password: Secret) -> object:
        by = await person.principal()
        return await services.access.password_change.change(old=secret(PASSWORD), new=password, by=by)

    return offer


async def _at_reset(services: Services, tenant: Tenant) -> Try:
    person = await _herbert(services, tenant)
    link = await mailed_link(services, await person.id())

    async def offer(password: Secret) -> object:
        await services.access.password_change.reset(token=link, new=password, by=nobody())
        return None

    return offer


BAD = {
    "short": b"q7#Vx2p",
    "long": b"q7#Vx2p" * 20,
    "breached": b"password1",
    "easy": b"aaaaaaaaaaaa",
    "the own name": b"herbertsample",
    "no text": b"\xff\xfe quite long enough, this one",
    "NUL": b"quite long \x00 enough, this one",
}


@pytest.mark.parametrize("place", [_at_setup, _at_acceptance, _at_change, _at_reset])
async def test_the_rules_hold_at_every_place(
    services: Services, tenant: Tenant, place: Callable[[Services, Tenant], Awaitable[Try]]
) -> None:
    offer = await place(services, tenant)
    for why, password in BAD.items():
        with pytest.raises(Invalid) as refused:
            await offer(Secret(password))
        assert [error.path for error in refused.value.errors] == ["password"], why
        assert password.decode("utf-8", "replace") not in str(refused.value)
    await offer(secret("ünïcode fällt nicht auf ✓"))


async def test_staff_passwords_are_harder_to_guess_than_members(services: Services) -> None:
    between = secret("purplecow7")
    prepare = services.access.accounts.prepare_password
    score = await services.passwords.score(between, [])
    assert score == 2, "the test's word has to lie between the two"
    await prepare(between, email="a@tenant.example", name="A", staff=False)
    with pytest.raises(Invalid):
        await prepare(between, email="a@bailee.example", name="A", staff=True)


# --- with the old one -----------------------------------------------------------------------------------


async def test_a_change_asks_for_the_old_one_and_ends_every_other_session(services: Services, tenant: Tenant) -> None:
    person = await make_member(services, tenant.id)
    other = Person(services, person.email, totp=person.totp, step=person.step)
    await other.sign_in(person.recovery_codes.pop())
    pending = await person.begin()
    change = services.access.password_change.change
    with pytest.raises(WrongPassword):
        await change(old=secret("wrong"), new=secret(NEW), by=await person.principal())
    with pytest.raises(Invalid, match="Nothing was changed"):
        await change(old=secret(PASSWORD), new=secret(PASSWORD), by=await person.principal())
    started = await change(old=secret(PASSWORD), new=secret(NEW), by=await person.principal())
    assert await is_refused(services, other.token)
    assert await is_refused(services, person.token), "a new token for the session that goes on"
    assert not await is_refused(services, started.token)
    with pytest.raises(Unauthenticated):
        await services.access.sign_in.by_code(
            pending=pending.pending, code=person.recovery_codes[0], kind=SessionKind.API, by=nobody()
        )
    with pytest.raises(SignInRefused):
        await person.sign_in(person.recovery_codes[0])
    person.password = NEW
    await person.sign_in(person.recovery_codes[0])
    assert (await actions(services, "account.password_changed"))[-1] == "success"


async def test_guessing_the_old_password_from_a_session_is_throttled(services: Services, tenant: Tenant) -> None:
    person = await make_member(services, tenant.id, "viewer", mfa=False)
    by = await person.principal()
    change = services.access.password_change.change
    for _ in range(10):
        with pytest.raises(WrongPassword):
            await change(old=secret("wrong"), new=secret(NEW), by=by)
    with pytest.raises(TooManyAttempts):
        await change(old=secret(PASSWORD), new=secret(NEW), by=by)
    await person.sign_in()  # a thief of the session shuts nobody out
    await change(old=secret(PASSWORD), new=secret(NEW), by=await person.principal())


async def test_machines_have_no_password_to_change(services: Services, tenant: Tenant) -> None:
    for by in (SYSTEM, nobody(), key_principal(tenant.id)):
        with pytest.raises(Unauthenticated):
            await services.access.password_change.change(old=secret(PASSWORD), new=secret(NEW), by=by)


# --- by mail --------------------------------------------------------------------------------------------


async def test_a_reset_keeps_the_second_factor_and_ends_every_session(services: Services, owner: Person) -> None:
    person = await make_staff(services, "support")
    token, account_id = person.token, await person.id()
    link = await mailed_link(services, account_id)
    older = await mailed_link(services, account_id, "enrol")
    await services.access.password_change.reset(token=link, new=secret(NEW), by=nobody())
    assert await is_refused(services, token)
    person.password = NEW
    pending = await person.begin()
    assert pending.methods == ["totp", "recovery_code"]
    for spent in (link, older):
        with pytest.raises(LinkRefused):
            await services.access.password_change.reset(token=spent, new=secret(PASSWORD), by=nobody())


async def test_of_thirty_uses_of_one_reset_link_one_succeeds(services: Services, tenant: Tenant) -> None:
    person = await make_member(services, tenant.id, "viewer", mfa=False)
    token = await mailed_link(services, await person.id())
    hasher = PasswordHasher()
    password_hash = await hasher.hash(secret(NEW))
    hasher.close()

    async def use() -> str:
        async with services.database.operator() as tx:
            await services.access.password_change.finish_reset(
                tx, token=token, password_hash=password_hash, by=nobody()
            )
        return "used"

    results = await asyncio.gather(*(use() for _ in range(30)), return_exceptions=True)
    assert Counter(type(result).__name__ for result in results) == {"str": 1, "LinkRefused": 29}


async def test_a_link_ends_by_time_and_by_a_newer_one_and_serves_its_purpose_alone(
    services: Services, tenant: Tenant
) -> None:
    person = await make_member(services, tenant.id, "viewer", mfa=False)
    account_id, change = await person.id(), services.access.password_change
    first = await mailed_link(services, account_id)
    second = await mailed_link(services, account_id)
    with pytest.raises(LinkRefused):
        await change.reset(token=first, new=secret(NEW), by=nobody())
    with pytest.raises(LinkRefused):
        await change.enrol(token=second, password=secret(PASSWORD), by=nobody())
    await execute(services, "UPDATE links SET expires_at = now() WHERE account_id = %s", (account_id,))
    with pytest.raises(LinkRefused):
        await change.reset(token=second, new=secret(NEW), by=nobody())


async def test_a_disabled_account_gets_no_new_password(services: Services, owner: Person) -> None:
    person, by = await make_staff(services, "support"), await owner.principal()
    account_id = await person.id()
    async with services.database.operator() as tx:
        await services.access.accounts.disable(tx, account_id, by=by)
    with pytest.raises(LinkRefused):
        await services.access.password_change.reset(
            token=await mailed_link(services, account_id), new=secret(NEW), by=nobody()
        )


async def test_a_members_account_that_fell_asleep_wakes_up_by_mail_and_staffs_does_not(
    services: Services, owner: Person, tenant: Tenant
) -> None:
    member, staff = await make_member(services, tenant.id), await make_staff(services, "support")
    ids = [await member.id(), await staff.id()]
    await execute(services, "UPDATE accounts SET dormancy_warned_at = now() WHERE account_id = ANY(%s)", (ids,))
    for account_id in ids:
        async with services.database.operator() as tx:
            await services.access.accounts.disable_dormant(tx, account_id, by=SYSTEM)
    with pytest.raises(SignInRefused):
        await member.sign_in(member.recovery_codes[0])
    reset = services.access.password_change.reset
    with pytest.raises(LinkRefused):
        await reset(token=await mailed_link(services, ids[1]), new=secret(NEW), by=nobody())
    await reset(token=await mailed_link(services, ids[0]), new=secret(NEW), by=nobody())
    member.password = NEW
    await member.sign_in(member.recovery_codes[0])
    (await member.principal()).require("policy.change")


async def test_asking_for_a_link_tells_nothing_and_is_bounded(services: Services, tenant: Tenant) -> None:
    person = await make_member(services, tenant.id, "viewer", mfa=False)
    ask = services.access.password_change.ask
    before = len(await actions(services, "account.password_link_sent"))
    for email in ("nobody@tenant.example", "", "not an address", person.email, person.email.upper()):
        await ask(email=email, by=nobody())
    assert len(await actions(services, "account.password_link_sent")) == before + 2
    for number in range(5):
        await ask(email=person.email, by=nobody(f"198.51.100.{number}"))
    assert len(await actions(services, "account.password_link_sent")) == before + 3, "three in a quarter of an hour"
    await person.sign_in()  # asking for links closes sign-in to nobody


async def test_one_ipv6_customer_asks_as_one(services: Services, tenant: Tenant) -> None:
    ask = services.access.password_change.ask
    for number in range(25):
        await ask(email=f"nobody-{number}@tenant.example", by=nobody(f"2001:db8:7:7::{number:x}"))
    async with services.database.operator_read() as reader:
        assert await reader.value(
            "SELECT count(*) FROM sign_in_failures WHERE address = 'link 2001:db8:7:7::/64'"
        ) == 20  # fmt: skip
