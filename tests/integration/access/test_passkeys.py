"""Passkeys and security keys, with an authenticator in software that can lie in every way."""

import asyncio
import json
import random
from typing import Any

import pytest

from bailee.access.errors import FreshSignInRequired, SignInOver, SignInRefused, WrongFactor
from bailee.access.model import Enrolled, PasskeyChallenge, SessionKind, StartedSession
from bailee.access.passkeys import RelyingParty
from bailee.assembly import Services
from bailee.foundation.errors import Conflict, Invalid, NotFound
from bailee.foundation.ids import new_id
from bailee.foundation.principal import StepUpRequired, anonymous
from bailee.tenants.model import Tenant
from tests.integration.access.authenticator import ORIGIN, Authenticator, other_challenge
from tests.integration.access.people import (
    Person,
    execute,
    is_refused,
    make_member,
    make_owner,
    make_staff,
    nobody,
    who,
)


@pytest.fixture(scope="module")
async def owner(services: Services) -> Person:
    return await make_owner(services)


@pytest.fixture(scope="module")
async def key(services: Services, owner: Person) -> Authenticator:
    """A passkey of the owner's."""
    made = Authenticator()
    await _register(services, owner, made)
    return made


def _options(challenge: PasskeyChallenge) -> dict[str, Any]:
    return challenge.options


async def _begin(services: Services, person: Person) -> PasskeyChallenge:
    by = await person.principal()
    async with services.database.operator() as tx:
        return await services.access.factors.begin_passkey(tx, by=by)


async def _confirm(services: Services, person: Person, challenge: PasskeyChallenge, answer: bytes) -> Enrolled:
    by = await person.principal()
    async with services.database.operator() as tx:
        done = await services.access.factors.confirm_passkey(
            tx, challenge_id=challenge.challenge_id, answer=answer, name="Laptop", by=by
        )
    person.token = done.token
    return done


async def _register(services: Services, person: Person, key: Authenticator, **lies: Any) -> Enrolled:
    challenge = await _begin(services, person)
    return await _confirm(services, person, challenge, key.create(_options(challenge), **lies))


async def _alone(services: Services, challenge: PasskeyChallenge, answer: bytes) -> StartedSession:
    return await services.access.sign_in.by_passkey(
        challenge_id=challenge.challenge_id, answer=answer, kind=SessionKind.BROWSER, by=nobody()
    )


async def _step_up(services: Services, person: Person, key: Authenticator, **lies: Any) -> StartedSession:
    by = await person.principal()
    challenge = await services.access.sign_in.passkey_for_step_up(by=by)
    return await services.access.sign_in.step_up_by_passkey(
        challenge_id=challenge.challenge_id, answer=key.get(_options(challenge), **lies), by=by
    )


# --- alone ----------------------------------------------------------------------------------------------


async def test_a_passkey_that_verified_its_user_signs_in_alone_and_counts_as_two_factors(
    services: Services, owner: Person, key: Authenticator
) -> None:
    challenge = await services.access.sign_in.passkey_for_anyone(by=anonymous())
    options = _options(challenge)
    assert options["userVerification"] == "required"
    assert not options.get("allowCredentials"), "nobody is told whose keys there are"
    started = await _alone(services, challenge, key.get(options))
    assert started.device is not None
    by = await who(services, started.token)
    by.require("accounts.invite")
    by.require_step_up()


LIES: dict[str, dict[str, Any]] = {
    "user not verified": {"verified": False},
    "user not present": {"present": False},
    "another site's origin": {"origin": "https://evil.example"},
    "a subdomain's origin": {"origin": "https://a.localhost:8443"},
    "another port": {"origin": "https://localhost:9443"},
    "no TLS": {"origin": "http://localhost:8443"},
    "no origin": {"origin": "null"},
    "another relying party": {"host": "evil.example"},
    "another challenge": {"challenge": other_challenge()},
    "an empty challenge": {"challenge": ""},
    "a registration": {"type": "webauthn.create"},
    "a signature of another": {"signature": b"0" * 70},
    "no signature": {"signature": b""},
    "a counter that stands": {"count": 0},
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
async def test_a_lie_opens_nothing(services: Services, owner: Person, key: Authenticator, lie: dict[str, Any]) -> None:
    await execute(services, "DELETE FROM sign_in_failures")
    challenge = await services.access.sign_in.passkey_for_anyone(by=anonymous())
    await _alone(services, challenge, key.get(_options(challenge)))
    challenge = await services.access.sign_in.passkey_for_anyone(by=anonymous())
    with pytest.raises(SignInRefused):
        await _alone(services, challenge, key.get(_options(challenge), **lie))


async def test_a_challenge_is_answered_once_and_in_time(services: Services, owner: Person, key: Authenticator) -> None:
    challenge = await services.access.sign_in.passkey_for_anyone(by=anonymous())
    answers = [key.get(_options(challenge)) for _ in range(3)]
    await _alone(services, challenge, answers[0])
    for answer in answers:
        with pytest.raises(SignInRefused):
            await _alone(services, challenge, answer)
    late = await services.access.sign_in.passkey_for_anyone(by=anonymous())
    await execute(services, "UPDATE challenges SET expires_at = now() WHERE challenge_id = %s", (late.challenge_id,))
    with pytest.raises(SignInRefused):
        await _alone(services, late, key.get(_options(late)))


async def test_of_thirty_uses_of_one_answer_at_once_one_succeeds(
    services: Services, owner: Person, key: Authenticator
) -> None:
    await execute(services, "DELETE FROM sign_in_failures")
    challenge = await services.access.sign_in.passkey_for_anyone(by=anonymous())
    answer = key.get(_options(challenge))
    results = await asyncio.gather(*(_alone(services, challenge, answer) for _ in range(30)), return_exceptions=True)
    assert sum(isinstance(result, StartedSession) for result in results) == 1
    assert sum(isinstance(result, SignInRefused) for result in results) == 29


async def test_a_copied_key_is_noticed_by_its_counter(services: Services, owner: Person, key: Authenticator) -> None:
    challenge = await services.access.sign_in.passkey_for_anyone(by=anonymous())
    await _alone(services, challenge, key.get(_options(challenge)))
    for count in (key.count, key.count - 1, 1, 0):
        challenge = await services.access.sign_in.passkey_for_anyone(by=anonymous())
        with pytest.raises(SignInRefused):
            await _alone(services, challenge, key.get(_options(challenge), count=count))


async def test_a_synced_passkey_counts_nothing_and_goes_on_working(services: Services, tenant: Tenant) -> None:
    person, synced = await make_member(services, tenant.id), Authenticator(counts=False, synced=True)
    await _register(services, person, synced)
    for _ in range(2):
        challenge = await services.access.sign_in.passkey_for_anyone(by=anonymous())
        await _alone(services, challenge, synced.get(_options(challenge)))
    async with services.database.operator_read() as reader:
        own = await services.access.factors.own(reader, by=await person.principal())
    assert [passkey.synced for passkey in own.passkeys] == [True]


async def test_a_challenge_for_one_purpose_is_none_for_another(
    services: Services, owner: Person, key: Authenticator
) -> None:
    by = await owner.principal()
    step_up = await services.access.sign_in.passkey_for_step_up(by=by)
    with pytest.raises(SignInRefused):
        await _alone(services, step_up, key.get(_options(step_up)))
    enrolment = await _begin(services, owner)
    with pytest.raises(SignInRefused):
        await _alone(services, enrolment, key.get(_options(enrolment)))
    anyone = await services.access.sign_in.passkey_for_anyone(by=anonymous())
    with pytest.raises(WrongFactor):
        await services.access.sign_in.step_up_by_passkey(
            challenge_id=anyone.challenge_id, answer=key.get(_options(anyone)), by=by
        )


async def test_a_disabled_accounts_passkey_opens_nothing(services: Services, owner: Person) -> None:
    person, own = await make_staff(services, "support"), Authenticator()
    await _register(services, person, own)
    account_id, by = await person.id(), await owner.principal()
    async with services.database.operator() as tx:
        await services.access.accounts.disable(tx, account_id, by=by)
    challenge = await services.access.sign_in.passkey_for_anyone(by=anonymous())
    with pytest.raises(SignInRefused):
        await _alone(services, challenge, own.get(_options(challenge)))


# --- as the second step, and as step-up -----------------------------------------------------------------


async def test_as_a_second_step_a_touch_is_enough(services: Services, owner: Person, key: Authenticator) -> None:
    pending = await owner.begin()
    assert "passkey" in pending.methods
    sign_in = services.access.sign_in
    challenge = await sign_in.passkey_for(pending=pending.pending)
    options = _options(challenge)
    assert len(options["allowCredentials"]) == 1
    started = await sign_in.by_passkey_after_password(
        pending=pending.pending, challenge_id=challenge.challenge_id, answer=key.get(options, verified=False),
        kind=SessionKind.BROWSER, by=nobody(),
    )  # fmt: skip
    (await who(services, started.token)).require_step_up()
    with pytest.raises(SignInOver):
        await sign_in.passkey_for(pending=pending.pending)


async def test_somebody_elses_key_is_no_second_factor(services: Services, owner: Person, key: Authenticator) -> None:
    thief, own = await make_staff(services, "support"), Authenticator()
    await _register(services, thief, own)
    pending = await owner.begin()
    sign_in = services.access.sign_in
    for _ in range(5):
        challenge = await sign_in.passkey_for(pending=pending.pending)
        with pytest.raises(WrongFactor):
            await sign_in.by_passkey_after_password(
                pending=pending.pending, challenge_id=challenge.challenge_id, answer=own.get(_options(challenge)),
                kind=SessionKind.BROWSER, by=nobody(),
            )  # fmt: skip
    with pytest.raises(SignInOver):
        await sign_in.passkey_for(pending=pending.pending)
    with pytest.raises(WrongFactor):
        await _step_up(services, owner, own)
    theirs = await sign_in.passkey_for_step_up(by=await thief.principal())
    with pytest.raises(WrongFactor):
        await sign_in.step_up_by_passkey(
            challenge_id=theirs.challenge_id, answer=key.get(_options(theirs)), by=await owner.principal()
        )


async def test_step_up_by_passkey_replaces_the_token(services: Services, owner: Person, key: Authenticator) -> None:
    before = owner.token
    owner.token = (await _step_up(services, owner, key)).token
    assert await is_refused(services, before)
    (await owner.principal()).require_step_up()


# --- registered, renamed, removed -------------------------------------------------------------------------


async def test_the_first_factor_may_be_a_passkey_and_brings_recovery_codes(services: Services, tenant: Tenant) -> None:
    person = await make_member(services, tenant.id, mfa=False)
    before = person.token
    done = await _register(services, person, Authenticator())
    assert len(done.recovery_codes) == 10
    assert await is_refused(services, before)
    assert (await person.begin()).methods == ["passkey", "recovery_code"]


async def test_a_factor_is_added_after_a_fresh_one_and_the_first_after_a_fresh_sign_in(
    services: Services, tenant: Tenant
) -> None:
    with_factor, without = await make_member(services, tenant.id), await make_member(services, tenant.id, mfa=False)
    await execute(
        services,
        "UPDATE sessions SET created_at = now() - interval '16 minutes', mfa_at = mfa_at - interval '16 minutes' "
        "WHERE account_id = ANY(%s)",
        ([await with_factor.id(), await without.id()],),
    )
    with pytest.raises(StepUpRequired):
        await _begin(services, with_factor)
    with pytest.raises(FreshSignInRequired):
        await _begin(services, without)
    with pytest.raises(FreshSignInRequired):
        await without.enrol()
    await without.sign_in()
    await _register(services, without, Authenticator())


@pytest.mark.parametrize(
    "lie", [LIES[name] for name in ("user not present", "another site's origin", "another relying party",
                                    "another challenge")] + [{"type": "webauthn.get"}],
)  # fmt: skip
async def test_a_lie_registers_nothing(services: Services, owner: Person, lie: dict[str, Any]) -> None:
    with pytest.raises(WrongFactor):
        await _register(services, owner, Authenticator(), **lie)


async def test_a_registration_answers_the_challenge_of_its_own_account_once(services: Services, owner: Person) -> None:
    other = await make_staff(services, "support")
    challenge = await _begin(services, other)
    with pytest.raises(WrongFactor):
        await _confirm(services, owner, challenge, Authenticator().create(_options(challenge)))
    await _confirm(services, other, challenge, Authenticator().create(_options(challenge)))
    with pytest.raises(WrongFactor):
        await _confirm(services, other, challenge, Authenticator().create(_options(challenge)))


async def test_a_key_is_registered_once_and_stays_its_owners(
    services: Services, owner: Person, key: Authenticator
) -> None:
    other = await make_staff(services, "support")
    with pytest.raises(Conflict, match="registered already"):
        await _register(services, other, key)
    owners = next(iter(await _passkeys(services, owner)))
    by = await other.principal()
    with pytest.raises(NotFound):
        async with services.database.operator() as tx:
            await services.access.factors.rename_passkey(tx, owners, name="Mine", by=by)
    with pytest.raises(NotFound):
        async with services.database.operator() as tx:
            await services.access.factors.remove_passkey(tx, owners, by=by)


async def _passkeys(services: Services, person: Person) -> list[Any]:
    async with services.database.operator_read() as reader:
        own = await services.access.factors.own(reader, by=await person.principal())
    return [passkey.id for passkey in own.passkeys]


async def test_staff_keep_one_factor_at_least_and_a_removed_key_opens_nothing(
    services: Services, owner: Person
) -> None:
    person, own = await make_staff(services, "support"), Authenticator()
    await _register(services, person, own)
    factors, by = services.access.factors, await person.principal()
    async with services.database.operator() as tx:
        await factors.remove_totp(tx, by=by)
    [passkey_id] = await _passkeys(services, person)
    with pytest.raises(Conflict, match="without a second factor"):
        async with services.database.operator() as tx:
            await factors.remove_passkey(tx, passkey_id, by=by)
    second = Authenticator()
    await _register(services, person, second)
    async with services.database.operator() as tx:
        await factors.remove_passkey(tx, passkey_id, by=await person.principal())
    challenge = await services.access.sign_in.passkey_for_anyone(by=anonymous())
    with pytest.raises(SignInRefused):
        await _alone(services, challenge, own.get(_options(challenge)))
    with pytest.raises(NotFound):
        async with services.database.operator() as tx:
            await factors.remove_passkey(tx, new_id(), by=await person.principal())


async def test_a_name_for_a_key_is_printable(services: Services, owner: Person, key: Authenticator) -> None:
    by, [passkey_id, *_] = await owner.principal(), await _passkeys(services, owner)
    for name in ("", "a\nb", "x" * 101):
        with pytest.raises(Invalid):
            async with services.database.operator() as tx:
                await services.access.factors.rename_passkey(tx, passkey_id, name=name, by=by)


# --- answers that are none ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [b"", b"{}", b"[]", b"null", b"\xff", b"[" * 100_000, b"a" * 1024 * 1024, b'{"rawId": 1}', b'{"rawId": "\xc3\xa9"}',
     b'{"id": "YQ", "rawId": "YQ", "type": "public-key", "response": {}}'],
    ids=lambda answer: str(answer[:12]),
)  # fmt: skip
async def test_an_answer_that_is_none_is_refused(services: Services, owner: Person, answer: bytes) -> None:
    await execute(services, "DELETE FROM sign_in_failures")
    challenge = await services.access.sign_in.passkey_for_anyone(by=anonymous())
    with pytest.raises(SignInRefused):
        await _alone(services, challenge, answer)
    with pytest.raises(WrongFactor):
        await _confirm(services, owner, await _begin(services, owner), answer)


def _mangled(document: Any, rng: random.Random) -> Any:
    """The same with one thing in it replaced by something that does not belong there."""
    junk: list[Any] = [None, 1, -1, "", "A", "é", [], {}, ["A"], True, 1e308, "A" * 3000, "__8", "eyJ9"]
    if isinstance(document, dict) and document and rng.random() < 0.8:
        name = rng.choice(sorted(document))
        return {**document, name: _mangled(document[name], rng)}
    if isinstance(document, str) and len(document) > 8 and rng.random() < 0.7:
        at = rng.randrange(len(document))
        return document[:at] + rng.choice("AZaz09-_") + document[at + rng.randrange(1, 4) :]
    return rng.choice(junk)


def test_a_mangled_answer_never_verifies_and_never_breaks() -> None:
    party, key, rng = RelyingParty(ORIGIN), Authenticator(), random.Random(7)
    challenge = bytes(32)
    options = {"challenge": "A" * 43}
    created = key.create(options)
    made = party.verify_registration(created, challenge)
    assert made is not None
    assert made.transports == ["internal"]
    asserted = key.get(options)
    assert party.verify_authentication(asserted, challenge, made.public_key, user_verified=True) == key.count
    for _ in range(1500):
        mangled = json.dumps(_mangled(json.loads(created), rng)).encode()
        party.verify_registration(mangled, challenge)
        mangled = json.dumps(_mangled(json.loads(asserted), rng)).encode()
        found = party.verify_authentication(mangled, challenge, made.public_key, user_verified=True)
        assert found in (None, key.count)
