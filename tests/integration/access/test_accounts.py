"""Setup and sign-in under attack: races, replay, enumeration."""

import asyncio
import statistics
import time
from datetime import timedelta

import pyotp
import pytest

from bailee.access.accounts import SetupStarted
from bailee.access.errors import SetupRefused, SignInRefused, TooManyAttempts
from bailee.access.model import StartedSession
from bailee.assembly import Services
from bailee.foundation.errors import Error, Invalid
from bailee.foundation.ids import new_id
from bailee.foundation.principal import Unauthenticated, anonymous
from bailee.foundation.secrets import Secret
from tests.integration.rig import SYSTEM

EMAIL, PASSWORD = "owner@example.com", Secret(b"correct horse battery")


async def _begin(services: Services) -> SetupStarted:
    async with services.database.operator() as tx:
        token = await services.accounts.issue_setup_token(tx, by=SYSTEM)
    async with services.database.operator() as tx:
        return await services.accounts.begin_setup(
            tx, token=token, email=EMAIL, name="Owner", password=PASSWORD, by=anonymous()
        )


async def _confirm(services: Services, started: SetupStarted, code: str) -> StartedSession:
    async with services.database.operator() as tx:
        return await services.accounts.confirm_setup(tx, confirmation=started.confirmation, code=code, by=anonymous())


async def _owner(services: Services) -> pyotp.TOTP:
    started = await _begin(services)
    totp = pyotp.TOTP(started.totp_secret)
    # The code before the present one, so that the present one is still unused.
    await _confirm(services, started, totp.at(services.clock.now() - timedelta(seconds=30)))
    return totp


async def _sign_in(
    services: Services, code: str, *, email: str = EMAIL, password: Secret = PASSWORD, address: str = "192.0.2.1"
) -> StartedSession:
    return await services.accounts.sign_in(
        services.database, email=email, password=password, code=code, by=anonymous(address)
    )


async def test_of_thirty_concurrent_confirmations_one_makes_the_owner(own_services: Services) -> None:
    started = await _begin(own_services)
    code = pyotp.TOTP(started.totp_secret).now()
    results = await asyncio.gather(*(_confirm(own_services, started, code) for _ in range(30)), return_exceptions=True)
    assert sum(isinstance(result, StartedSession) for result in results) == 1
    assert all(isinstance(result, StartedSession | SetupRefused | Invalid) for result in results)
    async with own_services.database.operator_read() as tx:
        assert len(await own_services.accounts.everyone(tx)) == 1
    with pytest.raises(SetupRefused):
        await _begin(own_services)


async def test_setup_with_a_wrong_token_is_refused_and_begun_again_voids_the_first(own_services: Services) -> None:
    first = await _begin(own_services)
    async with own_services.database.operator() as tx:
        with pytest.raises(SetupRefused):
            await own_services.accounts.begin_setup(
                tx, token="guess", email=EMAIL, name="Owner", password=PASSWORD, by=anonymous()
            )
    second = await _begin(own_services)
    with pytest.raises(SetupRefused):
        await _confirm(own_services, first, pyotp.TOTP(first.totp_secret).now())
    await _confirm(own_services, second, pyotp.TOTP(second.totp_secret).now())


async def test_of_thirty_concurrent_uses_of_one_code_one_gets_a_session(own_services: Services) -> None:
    totp = await _owner(own_services)
    code = totp.now()
    results = await asyncio.gather(
        *(_sign_in(own_services, code, address=f"192.0.2.{n}") for n in range(30)), return_exceptions=True
    )
    assert sum(isinstance(result, StartedSession) for result in results) == 1
    assert sum(isinstance(result, SignInRefused) for result in results) == 29
    with pytest.raises(SignInRefused):
        await _sign_in(own_services, code)
    with pytest.raises(SignInRefused):
        await _sign_in(own_services, totp.at(own_services.clock.now() - timedelta(seconds=30)))


async def test_unknown_account_and_wrong_password_get_one_answer_in_comparable_time(own_services: Services) -> None:
    totp = await _owner(own_services)
    answers: dict[str, list[float]] = {"known": [], "unknown": []}
    texts = set()
    for number in range(14):
        for kind, email in (("known", EMAIL), ("unknown", "nobody@example.com")):
            began = time.perf_counter()
            with pytest.raises(SignInRefused) as refused:
                await _sign_in(
                    own_services, totp.now(), email=email, password=Secret(b"wrong password"),
                    address=f"{kind}{number}",
                )  # fmt: skip
            answers[kind].append(time.perf_counter() - began)
            texts.add((str(refused.value), refused.value.code, refused.value.status))
    assert len(texts) == 1
    known, unknown = (statistics.median(answers[kind]) for kind in ("known", "unknown"))
    assert 0.5 < known / unknown < 2


async def test_outsider_is_throttled_without_locking_the_owner_out(own_services: Services) -> None:
    totp = await _owner(own_services)
    for _ in range(50):
        with pytest.raises(SignInRefused):
            await _sign_in(own_services, "000000", password=Secret(b"wrong"), address="203.0.113.9")
    with pytest.raises(TooManyAttempts):
        await _sign_in(own_services, totp.now(), address="203.0.113.9")
    await _sign_in(own_services, totp.now(), address="192.0.2.1")


@pytest.mark.parametrize("code", ["", "0", "abcdef", "１２３４５６", "0" * 5000, "12345\x00"])
async def test_malformed_code_is_refused_like_a_wrong_one(own_services: Services, code: str) -> None:
    await _owner(own_services)
    with pytest.raises(SignInRefused):
        await _sign_in(own_services, code)


@pytest.mark.parametrize("email", ["", "a\x00b@example.com", "\ud800@example.com", "x" * 100_000])
async def test_email_that_is_none_is_refused_like_an_unknown_one(own_services: Services, email: str) -> None:
    with pytest.raises(SignInRefused):
        await _sign_in(own_services, "000000", email=email)


async def test_session_ends_with_sign_out_at_once_and_in_every_process(own_services: Services) -> None:
    totp = await _owner(own_services)
    session = await _sign_in(own_services, totp.now())
    principal = await own_services.authenticator.authenticate(session.token, None, new_id())
    async with own_services.database.operator() as tx:
        await own_services.accounts.sign_out(tx, by=principal)
    with pytest.raises(Unauthenticated):
        await own_services.authenticator.authenticate(session.token, None, new_id())


async def test_disabled_account_loses_its_sessions_at_once(own_services: Services) -> None:
    totp = await _owner(own_services)
    session = await _sign_in(own_services, totp.now())
    async with own_services.database.operator() as tx:
        await tx.run("UPDATE accounts SET state = 'disabled'")
    with pytest.raises(Error):
        await own_services.authenticator.authenticate(session.token, None, new_id())
