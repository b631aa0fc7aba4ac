"""First-run setup under attack, and the lives of accounts: disabled, enabled, off-boarded, reset."""

import asyncio

import pyotp
import pytest

from bailee.access.accounts import SetupStarted
from bailee.access.errors import LinkRefused, SetupRefused, SignInRefused
from bailee.access.model import AccountState, Enrolled, SessionKind, StartedSession
from bailee.assembly import Services
from bailee.encryption.hashing import PasswordHasher
from bailee.foundation.errors import Conflict, Invalid, NotFound
from bailee.foundation.ids import new_id
from bailee.foundation.principal import Forbidden
from bailee.tenants.model import Tenant
from tests.integration.access.people import (
    PASSWORD,
    Person,
    accept,
    is_refused,
    mailed_link,
    make_member,
    make_owner,
    make_staff,
    nobody,
    secret,
    who,
)
from tests.integration.rig import SYSTEM, create_tenant

REASON = "Lost the phone on a train."


@pytest.fixture(scope="module")
async def owner(services: Services) -> Person:
    return await make_owner(services)


@pytest.fixture(scope="module")
async def password_hash() -> str:
    hasher = PasswordHasher()
    try:
        return await hasher.hash(secret(PASSWORD))
    finally:
        hasher.close()


async def _begin(services: Services, password_hash: str, token: str | None = None) -> SetupStarted:
    accounts = services.access.accounts
    if token is None:
        async with services.database.operator() as tx:
            token = await accounts.issue_setup_token(tx, by=SYSTEM)
    async with services.database.operator() as tx:
        return await accounts.begin_setup(
            tx, token=token, email="owner@bailee.example", name="Owner", password_hash=password_hash, by=nobody()
        )


async def _confirm(services: Services, started: SetupStarted, code: str) -> Enrolled:
    async with services.database.operator() as tx:
        return await services.access.accounts.confirm_setup(
            tx, confirmation=started.confirmation, code=code, kind=SessionKind.API, by=nobody()
        )


# --- setup ------------------------------------------------------------------------------------------


async def test_of_thirty_concurrent_confirmations_one_makes_the_owner(
    own_services: Services, password_hash: str
) -> None:
    started = await _begin(own_services, password_hash)
    code = pyotp.TOTP(started.secret).now()
    results = await asyncio.gather(*(_confirm(own_services, started, code) for _ in range(30)), return_exceptions=True)
    assert sum(isinstance(result, StartedSession) for result in results) == 1
    assert all(isinstance(result, StartedSession | SetupRefused | Invalid) for result in results)
    async with own_services.database.operator_read() as tx:
        assert len(await own_services.access.accounts.everyone(tx)) == 1
    with pytest.raises(SetupRefused):
        await _begin(own_services, password_hash)


async def test_setup_with_a_wrong_token_is_refused_and_begun_again_voids_the_first(
    own_services: Services, password_hash: str
) -> None:
    with pytest.raises(SetupRefused):
        await _begin(own_services, password_hash, "guess")
    first = await _begin(own_services, password_hash)
    with pytest.raises(SetupRefused):
        await _begin(own_services, password_hash, "guess")
    second = await _begin(own_services, password_hash)
    with pytest.raises(SetupRefused):
        await _confirm(own_services, first, pyotp.TOTP(first.secret).now())
    await _confirm(own_services, second, pyotp.TOTP(second.secret).now())


# --- disabled and enabled -----------------------------------------------------------------------------


async def test_a_disabled_account_comes_back_with_the_credentials_it_had(services: Services, owner: Person) -> None:
    person, by = await make_staff(services, "support"), await owner.principal()
    account_id = await person.id()
    async with services.database.operator() as tx:
        account = await services.access.accounts.disable(tx, account_id, by=by)
    assert (account.state, account.disabled_because) == (AccountState.DISABLED, "administrator")
    with pytest.raises(SignInRefused):
        await person.sign_in(person.recovery_codes[0])
    with pytest.raises(Conflict):
        async with services.database.operator() as tx:
            await services.access.accounts.disable(tx, account_id, by=by)
    async with services.database.operator() as tx:
        await services.access.accounts.enable(tx, account_id, by=by)
    assert await is_refused(services, person.token), "what was ended stays ended"
    await person.sign_in(person.recovery_codes[0])


async def test_nobody_acts_on_their_own_account_or_on_an_owner_above_them(services: Services, owner: Person) -> None:
    officer = await make_staff(services, "security_officer")
    own, above, by = await officer.id(), await owner.id(), await officer.principal()
    accounts = services.access.accounts
    for account_id in (own, above):
        for act in (accounts.disable, accounts.enable, accounts.off_board):
            with pytest.raises(Forbidden):
                async with services.database.operator() as tx:
                    await act(tx, account_id, by=by)
        with pytest.raises(Forbidden):
            async with services.database.operator() as tx:
                await accounts.reset_factors(tx, account_id, reason=REASON, by=by)


async def test_a_customers_person_has_no_role_of_staff_and_an_unknown_one_is_nobody(
    services: Services, owner: Person, tenant: Tenant
) -> None:
    member = await make_member(services, tenant.id, mfa=False)
    by, accounts, unknown = await owner.principal(), services.access.accounts, new_id()
    for act in (accounts.disable, accounts.enable, accounts.off_board):
        with pytest.raises(NotFound):
            async with services.database.operator() as tx:
                await act(tx, unknown, by=by)
    with pytest.raises(NotFound):
        async with services.database.operator_read() as reader:
            await accounts.get_person(reader, unknown)
    for account_id in (await member.id(), unknown):
        with pytest.raises(NotFound):
            async with services.database.operator() as tx:
                await services.access.grants.grant(tx, account_id, "support", by=by)


async def test_the_only_owner_of_a_tenant_is_helped_by_the_operator(services: Services, owner: Person) -> None:
    """Whom nobody in the tenant may help: a lost factor, with a reason; shut out, let in, and gone."""
    tenant, by, accounts = await create_tenant(services), await owner.principal(), services.access.accounts
    person = await make_member(services, tenant.id)
    async with services.database.operator_read() as reader:
        found = await accounts.find_person(reader, person.email.upper())
        for nobody_there in (owner.email, "nobody@tenant.example", "", "%"):
            with pytest.raises(NotFound):
                await accounts.find_person(reader, nobody_there)
    assert found.id == await person.id()
    with pytest.raises(Invalid):
        async with services.database.operator() as tx:
            await accounts.reset_factors(tx, found.id, reason="", by=by)
    async with services.database.operator() as tx:
        assert await accounts.reset_factors(tx, found.id, reason=REASON, by=by) is None
    assert await is_refused(services, person.token)
    person.totp = ""
    await person.sign_in()
    async with services.database.operator() as tx:
        await accounts.disable(tx, found.id, by=by)
    assert await is_refused(services, person.token)
    async with services.database.operator() as tx:
        await accounts.enable(tx, found.id, by=by)
    await person.sign_in()
    async with services.database.operator() as tx:
        await accounts.off_board(tx, found.id, by=by)
    with pytest.raises(SignInRefused):
        await person.sign_in()


async def test_two_owners_who_disable_each_other_at_once_leave_one(own_services: Services) -> None:
    first = await make_owner(own_services)
    second = await make_staff(own_services, "owner")
    pairs = [(await first.principal(), await second.id()), (await second.principal(), await first.id())]

    async def disable(by: object, account_id: object) -> None:
        async with own_services.database.operator() as tx:
            await own_services.access.accounts.disable(tx, account_id, by=by)  # type: ignore[arg-type]

    results = await asyncio.gather(*(disable(by, other) for by, other in pairs), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["Conflict", "NoneType"]


# --- off-boarded ----------------------------------------------------------------------------------------


async def test_whoever_leaves_keeps_nothing_and_comes_back_to_nothing(services: Services, owner: Person) -> None:
    person, by = await make_staff(services, "support", "auditor"), await owner.principal()
    account_id = await person.id()
    link = await mailed_link(services, account_id)
    async with services.database.operator() as tx:
        gone = await services.access.accounts.off_board(tx, account_id, by=by)
    assert (gone.state, gone.roles, gone.mfa) == (AccountState.OFF_BOARDED, [], False)
    with pytest.raises(LinkRefused):
        await services.access.password_change.reset(token=link, new=secret(PASSWORD), by=nobody())
    with pytest.raises(SignInRefused):
        await person.sign_in(person.recovery_codes[0])
    async with services.database.operator() as tx:
        sent = await services.access.invitations.invite_staff(
            tx, email=person.email, name="Again", roles=["infrastructure"], by=by
        )
    again = await accept(services, person.email, sent.link)
    back = await again.principal()
    assert back.account_id == account_id, "one person, one account"
    assert back.permissions == frozenset()
    await again.enrol()
    (await again.principal()).require("tenants.create")
    assert not (await again.principal()).may("events.prove")
    with pytest.raises(SignInRefused):
        await again.sign_in(person.recovery_codes[1])


# --- a lost factor ----------------------------------------------------------------------------------------


async def test_a_reset_of_factors_leaves_a_link_that_is_worth_an_enrolment_and_nothing_else(
    services: Services, owner: Person
) -> None:
    person, by = await make_staff(services, "support"), await owner.principal()
    async with services.database.operator() as tx:
        link = await services.access.accounts.reset_factors(tx, await person.id(), reason=REASON, by=by)
    with pytest.raises(SignInRefused):
        await Person(services, person.email).sign_in()
    token = (link or "").partition("#")[2]
    change = services.access.password_change
    with pytest.raises(LinkRefused):
        await change.reset(token=token, new=secret("another sixteen herons"), by=nobody())
    with pytest.raises(SignInRefused):
        await change.enrol(token=token, password=secret("wrong"), by=nobody())
    enrolling = await change.enrol(token=token, password=secret(PASSWORD), by=nobody())
    back = Person(services, person.email, token=enrolling.token)
    assert (await back.principal()).permissions == frozenset()
    with pytest.raises(LinkRefused):
        await change.enrol(token=token, password=secret(PASSWORD), by=nobody())
    await back.enrol()
    assert await is_refused(services, enrolling.token)
    (await back.principal()).require("tenants.read")


async def test_whoever_let_the_time_to_enrol_go_by_gets_a_new_link(services: Services, owner: Person) -> None:
    by = await owner.principal()
    async with services.database.operator() as tx:
        sent = await services.access.invitations.invite_staff(
            tx, email="late@bailee.example", name="Late", roles=["support"], by=by
        )
    late = await accept(services, "late@bailee.example", sent.link)
    account_id = await late.id()
    async with services.database.operator() as tx:
        link = await services.access.accounts.reset_factors(tx, account_id, reason=REASON, by=by)
    assert await is_refused(services, late.token)
    enrolling = await services.access.password_change.enrol(
        token=(link or "").partition("#")[2], password=secret(PASSWORD), by=nobody()
    )
    late.token = enrolling.token
    await late.enrol()
    (await who(services, late.token)).require("tenants.read")


@pytest.mark.parametrize("reason", ["", "too short", "x" * 501, "a line\nand another one"])
async def test_a_reset_of_factors_takes_a_reason(services: Services, owner: Person, reason: str) -> None:
    by = await owner.principal()
    with pytest.raises(Invalid):
        async with services.database.operator() as tx:
            await services.access.accounts.reset_factors(tx, new_id(), reason=reason, by=by)


async def test_of_thirty_uses_of_an_enrolment_link_at_once_one_succeeds(services: Services, owner: Person) -> None:
    person = await make_staff(services, "support")
    by = await owner.principal()
    async with services.database.operator() as tx:
        link = await services.access.accounts.reset_factors(tx, await person.id(), reason=REASON, by=by)
    enrol = services.access.password_change.enrol
    token = (link or "").partition("#")[2]
    results = await asyncio.gather(
        *(enrol(token=token, password=secret(PASSWORD), by=nobody(f"192.0.2.{n}")) for n in range(30)),
        return_exceptions=True,
    )
    assert sum(isinstance(result, StartedSession) for result in results) == 1
    assert {type(r).__name__ for r in results} <= {"StartedSession", "LinkRefused", "TooManyAttempts"}
