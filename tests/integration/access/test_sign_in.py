"""The way in, with everything real behind it, and everything that has been tried on it elsewhere."""

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator
from uuid import UUID

import pyotp
import pytest

from bailee.access.errors import SignInOver, SignInRefused, TooManyAttempts, WrongFactor
from bailee.access.model import PendingSignIn, SessionKind, StartedSession
from bailee.access.sessions import Start
from bailee.assembly import Services
from bailee.encryption.hashing import PasswordHasher
from bailee.foundation.errors import NotFound
from bailee.foundation.principal import ActorKind, Forbidden, Unauthenticated
from bailee.foundation.secrets import Secret
from bailee.tenants.model import Tenant
from tests.integration.access.people import (
    PASSWORD,
    Person,
    accept,
    actions,
    execute,
    is_refused,
    mailed_link,
    make_member,
    make_owner,
    make_staff,
    nobody,
    secret,
    who,
)

WRONG = secret("not that password")


@pytest.fixture(scope="module")
async def owner(services: Services) -> Person:
    return await make_owner(services)


async def _wrong(services: Services, email: str, password: Secret = WRONG, address: str = "198.51.100.1") -> None:
    with pytest.raises(SignInRefused):
        await services.access.sign_in.by_password(
            email=email, password=password, kind=SessionKind.API, by=nobody(address)
        )


async def _by_code(services: Services, pending: PendingSignIn, code: str, address: str = "192.0.2.1") -> StartedSession:
    return await services.access.sign_in.by_code(
        pending=pending.pending, code=code, kind=SessionKind.BROWSER, by=nobody(address)
    )


# --- who gets in ----------------------------------------------------------------------------------------


async def test_the_owner_is_staff_with_a_fresh_second_factor(owner: Person) -> None:
    by = await owner.principal()
    assert by.kind is ActorKind.STAFF
    assert by.stepped_up
    assert by.unmet == ()
    by.require("accounts.invite")
    assert not by.may("tenants.close"), "nobody holds what has no way back"
    assert not by.may("records.read"), "staff do not read what tenants store"


async def test_an_invited_colleague_can_do_nothing_before_a_factor_is_enrolled(
    services: Services, owner: Person
) -> None:
    async with services.database.operator() as tx:
        sent = await services.access.invitations.invite_staff(
            tx, email="new@bailee.example", name="New", roles=["support"], by=await owner.principal()
        )
    person = await accept(services, "new@bailee.example", sent.link)
    enrolling = person.token
    by = await who(services, enrolling)
    assert by.permissions == frozenset()
    with pytest.raises(Forbidden):
        by.require("tenants.read")
    with pytest.raises(SignInRefused):
        await person.sign_in()
    await person.enrol()
    assert len(person.recovery_codes) == 10
    (await person.principal()).require("tenants.read")
    assert await is_refused(services, enrolling)


async def test_sign_in_in_two_steps(services: Services, owner: Person) -> None:
    person = await make_staff(services, "support", by=await owner.principal())
    pending = await person.begin()
    assert pending.methods == ["totp", "recovery_code"]
    assert await is_refused(services, pending.pending), "half a sign-in is none"
    code = person.recovery_codes[0]
    started = await _by_code(services, pending, code)
    assert started.device is not None
    with pytest.raises(SignInOver):
        await _by_code(services, pending, code)


async def test_a_member_without_a_factor_signs_in_by_password(services: Services, tenant: Tenant) -> None:
    person = await make_member(services, tenant.id, "viewer", mfa=False)
    await person.sign_in()
    by = await person.principal()
    assert (by.kind, by.tenant_id) == (ActorKind.MEMBER, tenant.id)
    by.require("records.read")
    assert not by.may("records.create")


async def test_a_second_step_without_a_first_or_with_somebody_elses_is_refused(
    services: Services, owner: Person
) -> None:
    first, second = await make_staff(services, "support"), await make_staff(services, "support")
    pending = await first.begin()
    with pytest.raises(WrongFactor):
        await _by_code(services, pending, second.recovery_codes[0])
    for token in ("", "bpd_", second.token, pending.pending[:-1], pending.pending.upper()):
        with pytest.raises(SignInOver):
            await _by_code(services, PendingSignIn(token, []), first.recovery_codes[0])


async def test_a_hash_of_weaker_parameters_is_made_anew_by_the_right_password_alone(
    services: Services, tenant: Tenant
) -> None:
    person = await make_member(services, tenant.id, "viewer", mfa=False)
    account_id, hasher = await person.id(), PasswordHasher(1)
    earlier = PasswordHasher(1, memory_cost=19 * 1024)
    weak = await earlier.hash(secret(person.password))
    earlier.close()
    await execute(services, "UPDATE accounts SET password_hash = %s WHERE account_id = %s", (weak, account_id))
    await _wrong(services, person.email)
    assert await _stored_hash(services, account_id) == weak
    await person.sign_in()
    stored = await _stored_hash(services, account_id)
    assert stored.startswith(hasher.parameters)
    assert await hasher.verify(stored, secret(person.password))
    hasher.close()
    await person.sign_in()
    assert await _stored_hash(services, account_id) == stored, "once is enough"


async def _stored_hash(services: Services, account_id: UUID) -> str:
    async with services.database.operator_read() as tx:
        found: str = await tx.value("SELECT password_hash FROM accounts WHERE account_id = %s", (account_id,))
    return found


# --- enumeration ----------------------------------------------------------------------------------------


async def test_unknown_known_disabled_and_empty_get_one_answer_in_comparable_time(
    services: Services, owner: Person, tenant: Tenant
) -> None:
    disabled = await make_staff(services, "support")
    async with services.database.operator() as tx:
        await services.access.accounts.disable(tx, await disabled.id(), by=await owner.principal())
    member = await make_member(services, tenant.id, "viewer", mfa=False)
    cases = {
        "unknown": ("nobody@bailee.example", WRONG),
        "member": (member.email, WRONG),
        "empty password": (owner.email, secret("")),
        "disabled, right password": (disabled.email, secret(PASSWORD)),
        "no address, no password": ("", secret("")),
    }
    took: dict[str, list[float]] = {name: [] for name in cases}
    answers = set()
    for round_ in range(8):
        await execute(services, "DELETE FROM sign_in_failures")
        for name, (email, password) in cases.items():
            began = time.perf_counter()
            with pytest.raises(SignInRefused) as refused:
                await services.access.sign_in.by_password(
                    email=email, password=password, kind=SessionKind.API, by=nobody(f"198.51.100.{round_}")
                )
            took[name].append(time.perf_counter() - began)
            answers.add((str(refused.value), refused.value.code, refused.value.status))
    assert len(answers) == 1
    medians = {name: statistics.median(times) for name, times in took.items()}
    reference = medians["unknown"]
    # Without the hash an answer takes a tenth of the time; three is for a machine that does other things meanwhile.
    assert all(reference / 3 < median < reference * 3 for median in medians.values()), medians


@pytest.mark.parametrize("code", ["", "0", "abcdef", "１２３４５６", "0" * 5000, "12345\x00", "\ud800"])
async def test_malformed_code_is_refused_like_a_wrong_one(services: Services, owner: Person, code: str) -> None:
    await execute(services, "DELETE FROM sign_in_failures")
    with pytest.raises(SignInRefused):
        await services.access.sign_in.by_password(
            email=owner.email, password=secret(PASSWORD), code=code, kind=SessionKind.API, by=nobody()
        )


@pytest.mark.parametrize("email", ["", "a\x00b@example.com", "\ud800@example.com", "x" * 100_000])
async def test_email_that_is_none_is_refused_like_an_unknown_one(services: Services, email: str) -> None:
    await execute(services, "DELETE FROM sign_in_failures")
    await _wrong(services, email)


# --- replay ---------------------------------------------------------------------------------------------


async def test_a_code_works_once_and_none_before_it_works_after(services: Services, owner: Person) -> None:
    person = await make_staff(services, "support")
    code = person.code()
    earlier = pyotp.TOTP(person.totp).at((person.step - 1) * 30)
    await person.sign_in(code)
    for replayed in (code, earlier):
        with pytest.raises(SignInRefused):
            await person.sign_in(replayed)
    by = await person.principal()
    for replayed in (code, earlier):
        with pytest.raises(WrongFactor):
            await services.access.sign_in.step_up_by_code(code=replayed, by=by)


@pytest.mark.parametrize("factor", ["totp", "recovery_code"])
async def test_of_thirty_concurrent_uses_of_one_sign_in_and_code_one_gets_a_session(
    services: Services, owner: Person, factor: str
) -> None:
    person = await make_staff(services, "support")
    pending = await person.begin()
    code = person.code() if factor == "totp" else person.recovery_codes[0]
    results = await asyncio.gather(
        *(_by_code(services, pending, code, f"192.0.2.{n}") for n in range(30)), return_exceptions=True
    )
    counts = Counter(type(result).__name__ for result in results)
    assert counts.pop("StartedSession") == 1
    assert counts.keys() <= {"SignInOver", "WrongFactor", "TooManyAttempts"}


async def test_of_thirty_concurrent_step_ups_with_one_code_one_succeeds(services: Services, owner: Person) -> None:
    person = await make_staff(services, "support")
    by, code = await person.principal(), person.recovery_codes[0]
    results = await asyncio.gather(
        *(services.access.sign_in.step_up_by_code(code=code, by=by) for _ in range(30)), return_exceptions=True
    )
    assert sum(isinstance(result, StartedSession) for result in results) == 1


# --- throttling -----------------------------------------------------------------------------------------


async def test_five_wrong_factors_end_a_sign_in(services: Services, owner: Person) -> None:
    person = await make_staff(services, "support", by=await owner.principal())
    pending = await person.begin()
    for _ in range(5):
        with pytest.raises(WrongFactor):
            await _by_code(services, pending, "000000")
    with pytest.raises(SignInOver):
        await _by_code(services, pending, person.code())


async def test_an_address_is_throttled_without_locking_others_out(services: Services, owner: Person) -> None:
    await execute(services, "DELETE FROM sign_in_failures")
    person = await make_staff(services, "support")
    known = (await _by_code(services, await person.begin(), person.recovery_codes[0])).device
    await execute(
        services,
        "INSERT INTO sign_in_failures (address) SELECT '203.0.113.9' FROM generate_series(1, 49)",
    )
    await _wrong(services, "nobody@bailee.example", address="203.0.113.9")
    with pytest.raises(TooManyAttempts):
        await person.sign_in(person.recovery_codes[1], address="203.0.113.9")
    await person.sign_in(person.recovery_codes[1], address="203.0.113.10")
    await person.begin(device=known, address="203.0.113.9")  # a neighbour's failures do not shut out a known browser


async def test_strangers_lock_out_strangers_and_no_browser_that_is_known(services: Services, owner: Person) -> None:
    person = await make_staff(services, "support")
    first = await _by_code(services, await person.begin(), person.recovery_codes[0])
    stranger = await person.begin()
    for number in range(9):  # the stranger's own first step is the tenth: it has not come to its end
        await _wrong(services, person.email, address=f"198.51.100.{number}")
    with pytest.raises(TooManyAttempts):
        await person.begin(address="203.0.113.5")
    with pytest.raises(TooManyAttempts):
        await _by_code(services, stranger, person.recovery_codes[1])
    again = await _by_code(services, await person.begin(device=first.device), person.recovery_codes[1])
    assert again.device is None, "it is known already"
    assert not await is_refused(services, first.token)


async def test_a_known_browser_has_its_own_count_and_no_other_accounts(services: Services, owner: Person) -> None:
    mine, theirs = await make_staff(services, "support"), await make_staff(services, "support")
    device = (await _by_code(services, await mine.begin(), mine.recovery_codes[0])).device
    sign_in = services.access.sign_in
    for _ in range(10):
        with pytest.raises(SignInRefused):
            await sign_in.by_password(
                email=mine.email, password=WRONG, device=device, kind=SessionKind.BROWSER, by=nobody()
            )
    with pytest.raises(TooManyAttempts):
        await mine.begin(device=device)
    await mine.begin()  # what a stolen browser tries does not shut its owner out elsewhere
    for number in range(10):
        await _wrong(services, theirs.email, address=f"198.51.100.{number}")
    with pytest.raises(TooManyAttempts):
        await theirs.begin(device=device)


async def test_a_new_password_by_mail_opens_what_strangers_have_closed(services: Services, tenant: Tenant) -> None:
    person = await make_member(services, tenant.id, "viewer", mfa=False)
    for number in range(10):
        await _wrong(services, person.email, address=f"198.51.100.{number}")
    with pytest.raises(TooManyAttempts):
        await person.sign_in()
    person.password = "sixteen loud herons at dusk"
    link = await mailed_link(services, await person.id())
    await services.access.password_change.reset(token=link, new=secret(person.password), by=nobody())
    await person.sign_in()


# --- fixation -------------------------------------------------------------------------------------------


async def test_every_change_of_what_a_session_is_worth_replaces_its_token(services: Services, tenant: Tenant) -> None:
    person = await make_member(services, tenant.id, mfa=False)
    seen = [person.token]
    await person.sign_in()
    assert person.token not in seen
    seen.append(person.token)
    await person.enrol()
    assert await is_refused(services, seen[-1]), "enrolment"
    seen.append(person.token)
    await person.step_up()
    assert await is_refused(services, seen[-1]), "step-up"
    assert (await person.principal()).stepped_up
    seen.append(person.token)
    async with services.database.operator() as tx:
        person.token = (await services.access.sessions.switch_tenant(tx, tenant.id, by=await person.principal())).token
    assert await is_refused(services, seen[-1]), "change of tenant"
    seen.append(person.token)
    changed = await services.access.password_change.change(
        old=secret(PASSWORD), new=secret("sixteen loud herons at dusk"), by=await person.principal()
    )
    assert await is_refused(services, seen[-1]), "change of password"
    assert not await is_refused(services, changed.token)


async def test_of_two_renewals_at_once_one_token_lives(services: Services, tenant: Tenant) -> None:
    person = await make_member(services, tenant.id)
    by = await person.principal()
    step_up = services.access.sign_in.step_up_by_code
    results = await asyncio.gather(
        *(step_up(code=code, by=by) for code in person.recovery_codes[:8]), return_exceptions=True
    )
    alive = [r.token for r in results if isinstance(r, StartedSession) and not await is_refused(services, r.token)]
    assert len(alive) == 1
    assert all(isinstance(result, StartedSession | SignInOver) for result in results)


# --- what changes while a sign-in is under way ------------------------------------------------------------


class _SlowHasher(PasswordHasher):
    """A hasher whose answer is on its way for as long as a test likes."""

    def __init__(self) -> None:
        super().__init__(1)
        self.compared, self.go_on = asyncio.Event(), asyncio.Event()

    async def verify(self, stored: str | None, password: Secret) -> bool:
        right = await super().verify(stored, password)
        self.compared.set()
        await self.go_on.wait()
        return right


@pytest.fixture
async def slow(services: Services, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[_SlowHasher]:
    hasher = _SlowHasher()
    monkeypatch.setattr(services.access.sign_in, "_hasher", hasher)
    yield hasher
    hasher.close()


async def test_a_password_that_is_changed_while_it_is_compared_opens_nothing(
    services: Services, tenant: Tenant, slow: _SlowHasher
) -> None:
    person = await make_member(services, tenant.id, "viewer", mfa=False)
    link = await mailed_link(services, await person.id())
    thief = asyncio.create_task(person.sign_in())
    await slow.compared.wait()
    await services.access.password_change.reset(token=link, new=secret("sixteen loud herons at dusk"), by=nobody())
    slow.go_on.set()
    with pytest.raises(SignInOver):
        await thief


async def test_an_account_that_is_disabled_while_its_password_is_compared_gets_no_session(
    services: Services, owner: Person, slow: _SlowHasher
) -> None:
    person, by = await make_staff(services, "support"), await owner.principal()
    account_id = await person.id()
    late = asyncio.create_task(person.sign_in(person.recovery_codes[0]))
    await slow.compared.wait()
    async with services.database.operator() as tx:
        await services.access.accounts.disable(tx, account_id, by=by)
    slow.go_on.set()
    with pytest.raises(SignInOver):
        await late
    async with services.database.operator() as tx:
        await services.access.accounts.enable(tx, account_id, by=by)
    async with services.database.operator_read() as tx:
        assert await tx.value("SELECT count(*) FROM sessions WHERE account_id = %s", (account_id,)) == 0


async def test_a_session_that_begins_while_all_are_ended_is_ended_too(services: Services, tenant: Tenant) -> None:
    person = await make_member(services, tenant.id, "viewer", mfa=False)
    account_id, sessions = await person.id(), services.access.sessions
    start = Start(account_id, ["password"], SessionKind.API)
    async with services.database.operator() as tx:
        started = await sessions.start(tx, start, by=nobody())
        reset = asyncio.create_task(
            services.access.password_change.reset(
                token=await mailed_link(services, account_id), new=secret("sixteen loud herons at dusk"), by=nobody()
            )
        )
        await asyncio.sleep(0.3)  # the reset has come to the account, which this transaction holds
        assert not reset.done()
    await reset
    assert await is_refused(services, started.token)


async def test_a_pending_sign_in_ends_with_the_password_or_the_account_it_began_with(
    services: Services, owner: Person
) -> None:
    person, by = await make_staff(services, "support"), await owner.principal()
    account_id = await person.id()
    pending = await person.begin()
    link = await mailed_link(services, account_id)
    await services.access.password_change.reset(token=link, new=secret("sixteen loud herons"), by=nobody())
    with pytest.raises(SignInOver):
        await _by_code(services, pending, person.recovery_codes[0])
    person.password = "sixteen loud herons"
    pending = await person.begin()
    async with services.database.operator() as tx:
        await services.access.accounts.disable(tx, account_id, by=by)
        await services.access.accounts.enable(tx, account_id, by=by)
    with pytest.raises(SignInOver):
        await _by_code(services, pending, person.recovery_codes[0])


async def test_a_sign_in_that_takes_too_long_is_over(services: Services, owner: Person) -> None:
    person = await make_staff(services, "support")
    pending = await person.begin()
    await execute(services, "UPDATE pending_sign_ins SET expires_at = now() - interval '1 second'")
    with pytest.raises(SignInOver):
        await _by_code(services, pending, person.recovery_codes[0])


# --- what is written down ---------------------------------------------------------------------------------


async def test_refused_sign_ins_and_wrong_codes_are_recorded_as_refused(services: Services, owner: Person) -> None:
    before = len(await actions(services, "session.refused"))
    await _wrong(services, owner.email)
    with pytest.raises(WrongFactor):
        await services.access.sign_in.step_up_by_code(code="000000", by=await owner.principal())
    assert not await services.access.sign_in.verify_own_password(WRONG, by=await owner.principal())
    assert (await actions(services, "session.refused"))[before:] == ["refused"] * 3


async def test_signing_out_ends_the_session_and_nobody_ends_anothers(services: Services, tenant: Tenant) -> None:
    mine, theirs = await make_member(services, tenant.id, mfa=False), await make_member(services, tenant.id, mfa=False)
    by = await theirs.principal()
    session_id = (await mine.principal()).session_id
    assert session_id is not None
    with pytest.raises(NotFound):
        async with services.database.operator() as tx:
            await services.access.sessions.end(tx, session_id, by=by)
    async with services.database.operator() as tx:
        await services.access.sessions.sign_out(tx, by=await mine.principal())
    with pytest.raises(Unauthenticated):
        await mine.principal()
