"""Signing in through a tenant's identity provider, and every way to abuse it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import msgspec
import pytest

from bailee.access.errors import GrantRefused, NotInPlan, TooManyAttempts
from bailee.access.federation.errors import NotAllowedAddress, ProviderUnusable, SsoRefused
from bailee.access.federation.model import Returned
from bailee.access.model import AccountKind, AccountState, StartedSession
from bailee.access.permissions import TENANT_ROLES
from bailee.foundation.errors import Invalid
from bailee.foundation.ids import TenantId
from bailee.foundation.principal import Forbidden, StepUpRequired, Unauthenticated, anonymous
from bailee.foundation.secrets import Secret
from tests import oidc_server
from tests.integration.access.federated import World, member, world_of
from tests.integration.rig import SYSTEM, superuser
from tests.oidc_server import CLIENT_SECRET, Misbehaviour
from tests.postgres import Pair


@pytest.fixture(scope="module")
async def shared(pair: Pair) -> AsyncIterator[World]:
    async with world_of(pair) as made:
        yield made


@pytest.fixture
async def world(shared: World) -> World:
    """The module's world, whose identity provider behaves again."""
    shared.provider.wrong = Misbehaviour()
    with superuser(shared.services.settings.database.main) as connection:
        connection.execute("DELETE FROM sign_in_failures")
    return shared


async def _refused(world: World, act: Callable[[], Any], tenant: TenantId | None = None) -> None:
    """The one answer, and the one event."""
    with pytest.raises(SsoRefused) as refused:
        await act()
    assert str(refused.value) == str(SsoRefused())
    assert (await world.actions(tenant))[0] == "session.refused"


# --- the way in --------------------------------------------------------------------------------------------


async def test_somebody_new_gets_an_account_and_the_default_role(world: World) -> None:
    tenant = await world.tenant("new.example")
    who = await world.principal(await world.sign_in("ann@new.example", name="Ann"))
    assert (who.tenant_id, who.permissions, who.unmet) == (tenant.id, TENANT_ROLES["editor"].permissions, ())
    assert not who.stepped_up
    async with world.services.database.tenant_read(tenant.id) as tx:
        (found,) = await world.services.access.members.page(tx)
    assert (found.email, found.name, found.role, found.source) == ("ann@new.example", "Ann", "editor", "sso")
    assert {"session.begun", "account.identity_linked", "member.joined", "account.created"} <= set(
        await world.actions(tenant.id)
    )


async def test_the_same_subject_is_the_same_person_whatever_the_address_says_now(world: World) -> None:
    await world.tenant("same.example")
    first = await world.sign_in("bob@same.example", "bob's subject")
    world.provider.wrong.claims = {"email": "robert@same.example"}
    again = await world.sign_in("bob@same.example", "bob's subject")
    assert first.account.id == again.account.id
    assert first.token != again.token


@pytest.mark.parametrize("kind", ["EC", "OKP", "RSA"])
async def test_keys_of_each_kind_are_taken_and_a_rotation_is_followed(world: World, kind: str) -> None:
    await world.tenant(f"keys-{kind.lower()}.example")
    email = f"carol@keys-{kind.lower()}.example"
    await world.sign_in(email)
    world.provider.rotate(kind)
    providers = world.services.federation.sso_sign_in._providers
    for uri, known in list(providers._keys.items()):  # as if they had been fetched a minute ago
        providers._keys[uri] = msgspec.structs.replace(known, fetched=known.fetched - 60)
    await world.sign_in(email)


async def test_unknown_keys_are_not_fetched_again_and_again(world: World) -> None:
    await world.tenant("flood.example")
    await world.sign_in("dora@flood.example")
    world.provider.wrong.header = {"kid": "nobody's"}
    world.provider.requests.clear()
    for _ in range(3):
        with pytest.raises(SsoRefused):
            await world.sign_in("dora@flood.example")
    assert world.provider.requests.count("GET /jwks") == 0


async def test_an_unknown_domain_leads_back_to_the_password_whoever_asks(world: World) -> None:
    await world.tenant("known.example")
    await world.account("has-account@unknown.example")
    for email in ("has-account@unknown.example", "nobody@unknown.example", "not an address", "a@sub.known.example"):
        assert await world.services.federation.sso_sign_in.begin(email=email, onward="/", by=anonymous()) is None


async def test_a_domain_that_is_not_verified_leads_nowhere(world: World) -> None:
    tenant = await world.tenant()
    await world.domain(tenant.id, "claimed.example")
    found = await world.services.federation.sso_sign_in.begin(email="a@claimed.example", onward="/", by=anonymous())
    assert found is None


async def test_a_member_is_linked_and_keeps_the_role(world: World) -> None:
    tenant = await world.tenant("linked.example")
    account_id = await world.account("eve@linked.example")
    await world.join(tenant.id, account_id, "eve@linked.example", "auditor")
    started = await world.sign_in("eve@linked.example")
    assert started.account.id == account_id
    assert (await world.principal(started)).permissions == TENANT_ROLES["auditor"].permissions


# --- tokens that prove nothing -------------------------------------------------------------------------------

CLAIMS: dict[str, dict[str, Any]] = {
    "another sign-in's nonce": {"nonce": "another"},
    "no nonce": {"nonce": None},
    "another issuer": {"iss": "https://evil.example"},
    "no issuer": {"iss": None},
    "another audience": {"aud": "somebody else"},
    "several audiences and no authorised party": {"aud": ["bailee at work", "somebody else"]},
    "another authorised party": {"azp": "somebody else"},
    "expired": {"exp": 1_700_000_000},
    "no end": {"exp": None},
    "an end that is no number": {"exp": "9999999999"},
    "an end that is true": {"exp": True},
    "no beginning": {"iat": None},
    "issued tomorrow": {"iat": 4_000_000_000, "exp": 4_000_000_300},
    "not before tomorrow": {"nbf": 4_000_000_000},
    "no subject": {"sub": None},
    "an empty subject": {"sub": ""},
    "a subject with a line break": {"sub": "a\nb"},
    "a subject that is a number": {"sub": 17},
    "no address": {"email": None},
    "an unverified address": {"email_verified": False},
    "an unverified address, in words": {"email_verified": "false"},
    "an address elsewhere": {"email": "frank@elsewhere.example"},
    "an address that only looks alike": {"email": "frank@refuse\u0501.example"},
    "two addresses": {"email": ["frank@refused.example", "x@y.example"]},
}
FORGERIES = {
    "alg none": oidc_server.unsigned,
    "HS256 with the public key": oidc_server.signed_with_public_key,
    "a stranger's key": oidc_server.signed_by_stranger,
    "a key of its own": oidc_server.with_key_inside,
    "no token at all": lambda *_: "not.a.token",
    "an empty signature": lambda server, header, payload: oidc_server.unsigned(
        server, {**header, "alg": "RS256"}, payload
    ),
}


@pytest.fixture(scope="module")
async def refusing(shared: World) -> TenantId:
    return (await shared.tenant("refused.example")).id


@pytest.mark.parametrize("claims", CLAIMS.values(), ids=CLAIMS.keys())
async def test_an_id_token_with_wrong_claims_signs_nobody_in(
    world: World, refusing: TenantId, claims: dict[str, Any]
) -> None:
    world.provider.wrong.claims = claims
    await _refused(world, lambda: world.sign_in("frank@refused.example"), refusing)
    assert "session.begun" not in await world.actions(refusing)


@pytest.mark.parametrize("sign", FORGERIES.values(), ids=FORGERIES.keys())
async def test_a_forged_id_token_signs_nobody_in(world: World, refusing: TenantId, sign: Any) -> None:
    world.provider.wrong.sign = sign
    await _refused(world, lambda: world.sign_in("frank@refused.example"), refusing)


@pytest.mark.parametrize(
    "header", [{"kid": "another"}, {"crit": ["exp"]}, {"alg": "RS512"}, {"b64": False, "crit": ["b64"]}]
)
async def test_a_strange_header_signs_nobody_in(world: World, refusing: TenantId, header: dict[str, Any]) -> None:
    world.provider.wrong.header = header
    await _refused(world, lambda: world.sign_in("frank@refused.example"), refusing)


async def test_a_minute_of_skew_is_let_pass(world: World) -> None:
    await world.tenant("skewed.example")
    world.provider.wrong.claims = {"exp": int(time.time()) - 30, "iat": int(time.time()) + 30}
    await world.sign_in("gil@skewed.example")


# --- intents -------------------------------------------------------------------------------------------------


async def test_an_intent_is_used_once_by_thirty_at_the_same_time(world: World) -> None:
    tenant = await world.tenant("race.example")
    world.provider.person("hal", "hal@race.example")
    returned = await world.begin("hal@race.example")
    outcomes = await asyncio.gather(*(world.finish(returned) for _ in range(30)), return_exceptions=True)
    assert sum(isinstance(one, StartedSession) for one in outcomes) == 1
    assert all(isinstance(one, StartedSession | SsoRefused) for one in outcomes)
    assert (await world.actions(tenant.id)).count("session.begun") == 1


async def test_an_answer_in_another_browser_is_login_csrf(world: World) -> None:
    tenant = await world.tenant("csrf.example")
    world.provider.person("attacker", "attacker@csrf.example")
    attackers, victims = await world.begin("attacker@csrf.example"), await world.begin("victim@csrf.example")
    for browser in ("", "bsb_nonsense", victims.browser):
        await _refused(world, partial(world.finish, msgspec.structs.replace(attackers, browser=browser)))
    assert "session.begun" not in await world.actions(tenant.id)
    await world.finish(attackers)  # none of that has used it up


async def test_an_answer_without_or_with_another_state_is_refused(world: World) -> None:
    await world.tenant("state.example")
    world.provider.person("ida", "ida@state.example")
    one, two = await world.begin("ida@state.example"), await world.begin("ida@state.example")
    for state in ("", "bsi_nonsense", two.state):
        await _refused(world, partial(world.finish, msgspec.structs.replace(one, state=state)))


async def test_an_intent_lasts_ten_minutes(world: World) -> None:
    await world.tenant("late.example")
    world.provider.person("jan", "jan@late.example")
    returned = await world.begin("jan@late.example")
    with superuser(world.services.settings.database.main) as connection:
        connection.execute("UPDATE sso_intents SET expires_at = now() - interval '1 second'")
    await _refused(world, lambda: world.finish(returned))
    await world.services.federation.federation_upkeep.sweep()
    with superuser(world.services.settings.database.main) as connection:
        assert connection.execute("SELECT count(*) FROM sso_intents").fetchone() == (0,)


@pytest.mark.parametrize("issuer", ["https://evil.example", None])
async def test_an_answer_that_names_another_provider_or_none_is_a_mix_up(world: World, issuer: str | None) -> None:
    await world.tenant(f"mixed-{issuer is None}.example".lower())
    email = f"kim@mixed-{issuer is None}.example".lower()
    world.provider.person("kim", email)
    returned = await world.begin(email)
    await _refused(world, lambda: world.finish(msgspec.structs.replace(returned, issuer=issuer)))


async def test_a_code_of_another_sign_in_is_worth_nothing(world: World) -> None:
    """The code verifier belongs to the browser that began (PKCE)."""
    await world.tenant("codes.example")
    world.provider.person("lea", "lea@codes.example")
    one, two = await world.begin("lea@codes.example"), await world.begin("lea@codes.example")
    await _refused(world, lambda: world.finish(msgspec.structs.replace(one, code=two.code)))


async def test_an_error_of_the_provider_ends_the_sign_in(world: World) -> None:
    await world.tenant("denied.example")
    world.provider.person("mia", "mia@denied.example")
    returned = await world.begin("mia@denied.example")
    await _refused(world, lambda: world.finish(msgspec.structs.replace(returned, error="access_denied")))
    await _refused(world, lambda: world.finish(returned))


async def test_an_intent_is_void_when_the_connection_has_changed(world: World) -> None:
    tenant = await world.tenant("changed.example")
    world.provider.person("ned", "ned@changed.example")
    returned = await world.begin("ned@changed.example")
    await world.configure(tenant.id, enabled=False)
    await _refused(world, lambda: world.finish(returned))


async def test_nothing_of_an_intent_is_kept_in_the_clear(world: World) -> None:
    await world.tenant("digests.example")
    world.provider.person("ole", "ole@digests.example")
    returned = await world.begin("ole@digests.example")
    with superuser(world.services.settings.database.main) as connection:
        rows = str(
            connection.execute(
                "SELECT sso_intents::text, sso_connections::text FROM sso_intents, sso_connections"
            ).fetchall()
        )
    assert returned.state not in rows
    assert returned.browser not in rows
    assert CLIENT_SECRET not in rows
    assert CLIENT_SECRET.encode().hex() not in rows


async def test_bogus_answers_are_throttled(world: World) -> None:
    bogus = Returned("", "", "", None, None)
    for _ in range(50):
        with pytest.raises(SsoRefused):
            await world.services.federation.sso_sign_in.finish(bogus, by=anonymous("198.51.100.7"))
    with pytest.raises(TooManyAttempts):
        await world.services.federation.sso_sign_in.finish(bogus, by=anonymous("198.51.100.7"))


async def test_sign_ins_that_nobody_finishes_are_bounded(world: World) -> None:
    await world.tenant("bounded.example")
    begin = world.services.federation.sso_sign_in.begin
    for _ in range(100):
        assert await begin(email="a@bounded.example", onward="/", by=anonymous("198.51.100.8"))
    with pytest.raises(TooManyAttempts):
        await begin(email="a@bounded.example", onward="/", by=anonymous("198.51.100.8"))


# --- whom a provider may speak for ---------------------------------------------------------------------------


async def test_a_recycled_subject_does_not_cross_into_another_tenant(world: World) -> None:
    await world.tenant("one.example")
    two = await world.tenant("two.example")
    first = await world.sign_in("ann@one.example", "subject 1")
    second = await world.sign_in("ben@two.example", "subject 1")
    assert first.account.id != second.account.id
    assert (await world.principal(second)).tenant_id == two.id


async def test_a_provider_does_not_speak_for_another_tenants_domain(world: World) -> None:
    await world.tenant("theirs.example")
    ours = await world.tenant("ours.example")
    world.provider.person("spy", "boss@theirs.example")
    returned = await world.begin("anybody@ours.example")
    await _refused(world, lambda: world.finish(returned), ours.id)


async def test_staff_are_not_signed_in_by_a_customers_provider(world: World) -> None:
    tenant = await world.tenant("operator.example")
    await world.account("admin@operator.example", kind=AccountKind.STAFF)
    await _refused(world, lambda: world.sign_in("admin@operator.example"), tenant.id)


@pytest.mark.parametrize("state", [AccountState.DISABLED, AccountState.PENDING, AccountState.OFF_BOARDED])
async def test_an_account_that_is_not_active_stays_out(world: World, state: AccountState) -> None:
    domain = f"{state.value.replace('_', '-')}.example"
    tenant = await world.tenant(domain)
    await world.account(f"pat@{domain}", state=state)
    await _refused(world, lambda: world.sign_in(f"pat@{domain}"), tenant.id)


async def test_a_disabled_member_stays_disabled(world: World) -> None:
    tenant = await world.tenant("shut-out.example")
    started = await world.sign_in("quinn@shut-out.example")
    async with world.services.database.tenant(tenant.id) as tx:
        await world.services.access.members.disable(tx, started.account.id, by=member(tenant.id))
    await _refused(world, lambda: world.sign_in("quinn@shut-out.example"), tenant.id)
    await _refused(world, lambda: world.sign_in("quinn@shut-out.example", "a new subject"), tenant.id)
    assert (await world.principal(started)).permissions == frozenset()


async def test_an_address_that_was_handed_on_does_not_bring_the_account_along(world: World) -> None:
    tenant = await world.tenant("handed-on.example")
    await world.sign_in("sales@handed-on.example", "the first holder")
    await _refused(world, lambda: world.sign_in("sales@handed-on.example", "the second holder"), tenant.id)


async def test_a_newcomer_gets_nothing_of_who_had_the_address_before(world: World) -> None:
    tenant = await world.tenant("recycled.example")
    first = await world.sign_in("sales@recycled.example", "the first holder")
    async with world.services.database.tenant(tenant.id) as tx:
        await world.services.access.members.remove(tx, first.account.id, by=member(tenant.id))
    second = await world.sign_in("sales@recycled.example", "the second holder")
    assert second.account.id != first.account.id
    with pytest.raises(Unauthenticated):
        await world.principal(first)


@pytest.mark.parametrize("claims, lets_in", [({}, False), ({"email_verified": True}, True), ({"xms_edov": "1"}, True)])
async def test_an_address_that_nobody_calls_verified_opens_no_administrators_membership(
    world: World, claims: dict[str, Any], lets_in: bool
) -> None:
    domain = f"unsaid-{len(claims)}-{'edov' if 'xms_edov' in claims else 'plain'}.example"
    tenant = await world.tenant(domain)
    account_id = await world.account(f"boss@{domain}")
    await world.join(tenant.id, account_id, f"boss@{domain}", "owner")
    if lets_in:
        said = {"email_verified": None, **claims}
        assert (await world.sign_in(f"boss@{domain}", **said)).account.id == account_id
    else:
        await _refused(world, lambda: world.sign_in(f"boss@{domain}", email_verified=None), tenant.id)
        assert (await world.sign_in(f"new@{domain}", email_verified=None)).token, (
            "people who are new get the default role"
        )


async def test_a_plan_without_it_ends_single_sign_on_and_lets_it_be_switched_off(world: World) -> None:
    tenant = await world.tenant("smaller.example")
    await world.sign_in("una@smaller.example")
    async with world.services.database.operator() as tx:
        await world.services.tenants.change(tx, tenant.id, name=None, plan="standard", by=SYSTEM)
    with pytest.raises(AssertionError):
        await world.begin("una@smaller.example")
    with pytest.raises(NotInPlan):
        await world.services.federation.sso_connections.try_out(by=member(tenant.id))
    await world.configure(tenant.id, enabled=False)


async def test_bogus_answers_shut_nobody_else_out(world: World) -> None:
    """Any web page can have its visitors bring some."""
    await world.tenant("neighbours.example")
    bogus = Returned("", "", "", None, None)
    for _ in range(51):
        with pytest.raises((SsoRefused, TooManyAttempts)):
            await world.services.federation.sso_sign_in.finish(bogus, by=anonymous("192.0.2.1"))
    assert (await world.sign_in("vic@neighbours.example")).token


async def test_what_a_provider_began_changes_nothing_of_the_persons_own(world: World) -> None:
    started, own, other = await _in_two_tenants(world, "own-things.example")
    services, who = world.services, msgspec.structs.replace(await world.principal(started), stepped_up=True)
    async with services.database.operator_read() as reader:
        assert [one.id for one in await services.access.sessions.own_tenants(reader, by=who)] == [own]
        assert [one.id for one in await services.access.sessions.own(reader, by=who)] == [who.session_id]
    secret = Secret(b"seventeen quiet herons at dawn")
    with pytest.raises(Forbidden):
        await services.access.password_change.change(old=secret, new=secret, by=who)
    for act in (
        lambda tx: services.access.accounts.rename(tx, name="Another", by=who),
        lambda tx: services.access.sessions.end_others(tx, by=who),
        lambda tx: services.access.sessions.end(tx, other, by=who),
    ):
        with pytest.raises(Forbidden):
            async with services.database.operator() as tx:
                await act(tx)


async def _in_two_tenants(world: World, domain: str) -> tuple[StartedSession, TenantId, TenantId]:
    """Somebody of one tenant by invitation, signed in by the provider of another."""
    own, other = await world.tenant(domain), await world.tenant(sso=False)
    account_id = await world.account(f"rae@{domain}")
    await world.join(other.id, account_id, f"rae@{domain}", "owner")
    await _refused(world, lambda: world.sign_in(f"rae@{domain}"), own.id)  # before they have accepted an invitation
    await world.join(own.id, account_id, f"rae@{domain}", "editor")
    started = await world.sign_in(f"rae@{domain}")
    assert started.account.id == account_id
    return started, own.id, other.id


async def test_a_session_by_one_tenants_provider_opens_no_other_tenant(world: World) -> None:
    started, own, other = await _in_two_tenants(world, "two-places.example")
    who = await world.principal(started)
    assert who.tenant_id == own
    with pytest.raises(Forbidden):
        async with world.services.database.operator() as tx:
            await world.services.access.sessions.switch_tenant(tx, other, by=who)
    assert (await world.principal(started)).tenant_id == own


async def test_a_session_by_a_provider_leaves_no_factor_behind_and_takes_none_away(world: World) -> None:
    """Else whoever runs one tenant's provider could come back by passkey, into every tenant of the person."""
    started, _own, _other = await _in_two_tenants(world, "factors.example")
    factors = world.services.access.factors
    who = msgspec.structs.replace(await world.principal(started), stepped_up=True)
    acts: list[Callable[[Any], Any]] = [
        lambda tx: factors.begin_totp(tx, by=who),
        lambda tx: factors.begin_passkey(tx, by=who),
        lambda tx: factors.remove_totp(tx, by=who),
        lambda tx: factors.remove_passkey(tx, who.account_id, by=who),
        lambda tx: factors.new_recovery_codes(tx, by=who),
    ]
    for act in acts:
        with pytest.raises(Forbidden):
            async with world.services.database.operator() as tx:
                await act(tx)


@pytest.mark.parametrize(
    "amr,age,expected",
    [
        (["mfa"], 10, True), (["pwd", "otp"], 10, True), (["pwd"], 10, False), (["otp"], 10, False), ([], 10, False),
        (["mfa"], 600, False), (["mfa"], None, False), ("mfa", 10, False), ([["mfa"]], 10, False),
    ],
)  # fmt: skip
async def test_two_factors_count_as_a_step_up_when_they_were_shown_just_now(
    world: World, amr: Any, age: int | None, expected: bool
) -> None:
    if await world.services.federation.sso_sign_in.begin(email="a@fresh.example", onward="/", by=anonymous()) is None:
        await world.tenant("fresh.example")
    at = None if age is None else int(time.time()) - age
    who = await world.principal(await world.sign_in("sam@fresh.example", amr=amr, auth_time=at))
    assert who.stepped_up is expected


# --- the connection ------------------------------------------------------------------------------------------


async def test_the_connection_is_shown_without_its_secret(world: World) -> None:
    tenant = await world.tenant("shown.example")
    async with world.services.database.tenant_read(tenant.id) as tx:
        shown = await world.services.federation.sso_connections.get(tx)
    assert CLIENT_SECRET not in str(msgspec.to_builtins(shown))
    assert shown.redirect_uri == f"{world.services.settings.base_url}/sso/callback"
    report = await world.services.federation.sso_connections.try_out(by=member(tenant.id))
    assert (report.issuer, report.signing_keys) == (world.provider.issuer, 1)


async def test_a_kept_secret_is_not_sent_to_another_issuer(world: World) -> None:
    tenant = await world.tenant("kept.example")
    await world.configure(tenant.id, client_secret=None, default_role="viewer")
    with pytest.raises(Invalid):
        await world.configure(tenant.id, client_secret=None, client_id="another")
    world.provider.wrong.discovery = {"issuer": f"{world.provider.issuer}/"}
    with pytest.raises(Invalid):
        await world.configure(tenant.id, client_secret=None, issuer=f"{world.provider.issuer}/")


async def test_only_whoever_may_do_everything_chooses_the_provider(world: World) -> None:
    tenant = await world.tenant("chosen.example", sso=False)
    administrator = member(tenant.id, "administrator")
    with pytest.raises(GrantRefused):
        await world.configure(tenant.id, by=administrator)
    await world.configure(tenant.id)
    await world.configure(tenant.id, by=administrator, client_secret=None, default_role="viewer")
    with pytest.raises(GrantRefused):
        await world.configure(tenant.id, by=administrator, client_secret=None, default_role="privacy_officer")
    with pytest.raises(Invalid):
        await world.configure(tenant.id, default_role="owner")
    with pytest.raises(StepUpRequired):
        await world.configure(tenant.id, by=member(tenant.id, stepped_up=False))
    with pytest.raises(Forbidden):
        await world.configure(tenant.id, by=member(tenant.id, "auditor"))


async def test_switching_the_provider_off_or_away_ends_what_it_began(world: World) -> None:
    tenant = await world.tenant("ended.example")
    for end in ("off", "away"):
        started = await world.sign_in("tom@ended.example")
        if end == "off":
            await world.configure(tenant.id, enabled=False)
            await world.configure(tenant.id)
        else:
            async with world.services.database.operator() as tx:
                await world.services.federation.sso_connections.remove(tx, tenant.id, by=member(tenant.id))
        with pytest.raises(Unauthenticated):
            await world.principal(started)


async def test_a_plan_without_single_sign_on_is_told_so(world: World) -> None:
    tenant = await world.tenant(sso=False, plan="standard")
    with pytest.raises(NotInPlan):
        await world.configure(tenant.id)


BAD_DISCOVERY: dict[str, dict[str, Any]] = {
    "another issuer": {"issuer": "https://evil.example"},
    "no code flow": {"response_types_supported": ["id_token"]},
    "no S256": {"code_challenge_methods_supported": ["plain"]},
    "unsigned tokens alone": {"id_token_signing_alg_values_supported": ["none", "HS256"]},
    "plain http": {"token_endpoint": "http://localhost/token"},
    "a file": {"jwks_uri": "file:///etc/passwd"},
    "credentials inside": {"token_endpoint": "https://user:password@localhost/token"},
    "a fragment": {"authorization_endpoint": "https://localhost/authorize#x"},
    "no endpoint": {"token_endpoint": None},
    "private keys alone": {"token_endpoint_auth_methods_supported": ["private_key_jwt"]},
}


@pytest.mark.parametrize("discovery", BAD_DISCOVERY.values(), ids=BAD_DISCOVERY.keys())
async def test_a_provider_that_does_not_keep_the_standard_is_refused(world: World, discovery: dict[str, Any]) -> None:
    tenant = await world.tenant(sso=False)
    world.provider.wrong.discovery = discovery
    with pytest.raises(ProviderUnusable):
        await world.configure(tenant.id)


@pytest.mark.parametrize(
    "issuer",
    ["http://localhost", "https://", "https://user@localhost", "ftp://x", "https://x y", "https://[::1", "//x"],
)
async def test_an_issuer_that_is_no_https_address_is_refused(world: World, issuer: str) -> None:
    tenant = await world.tenant(sso=False)
    with pytest.raises((ProviderUnusable, Invalid)):
        await world.configure(tenant.id, issuer=issuer)


async def test_answers_are_bounded_and_redirects_not_followed(world: World) -> None:
    tenant = await world.tenant(sso=False)
    for wrong in ({"body": b"{" + b" " * 600_000}, {"body": b"[]"}, {"body": b"\xff"}, {"body": b"[" * 100_000}):
        world.provider.wrong = Misbehaviour()
        world.provider.wrong.body = wrong["body"]
        with pytest.raises(ProviderUnusable):
            await world.configure(tenant.id)
    world.provider.wrong = Misbehaviour()
    world.provider.wrong.redirect = f"{world.provider.issuer}/elsewhere"
    world.provider.requests.clear()
    with pytest.raises(ProviderUnusable):
        await world.configure(tenant.id)
    assert world.provider.requests == ["GET /.well-known/openid-configuration"]


async def test_a_provider_with_an_unknown_certificate_is_refused(pair: Pair, world: World) -> None:
    async with world_of(pair, sso_ca_file="") as other:
        tenant = await other.tenant(sso=False)
        with pytest.raises(ProviderUnusable):
            await other.configure(tenant.id)
        assert other.provider.requests == []


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "[::1]", "127.1", "0x7f000001", "2130706433", "[::ffff:127.0.0.1]"]
)
async def test_a_private_address_is_not_asked(pair: Pair, refusing_private: World, host: str) -> None:
    world = refusing_private
    tenant = await world.tenant(sso=False)
    world.provider.requests.clear()
    with pytest.raises(NotAllowedAddress):
        await world.configure(tenant.id, issuer=f"https://{host}:{world.provider.port}")
    assert world.provider.requests == []


@pytest.fixture(scope="module")
async def refusing_private(pair: Pair) -> AsyncIterator[World]:
    async with world_of(pair, sso_allow_private=False) as made:
        yield made


async def test_the_policy_to_use_single_sign_on_is_met_by_it_alone(world: World) -> None:
    tenant = await world.tenant("demanded.example")
    started = await world.sign_in("uma@demanded.example")
    async with world.services.database.tenant(tenant.id) as tx:
        policies = world.services.access.policies
        policy = await policies.get(tx, tenant.id)
        await policies.change(tx, msgspec.structs.replace(policy, require_sso=True), by=SYSTEM)
    assert (await world.principal(started)).unmet == ()


async def test_a_provider_that_is_away_is_not_asked_without_end(world: World) -> None:
    await world.tenant("away.example")
    world.services.federation.sso_sign_in._providers._discovered.clear()
    world.provider.wrong.body = b"away"
    begin = world.services.federation.sso_sign_in.begin
    for _ in range(100):
        with pytest.raises(ProviderUnusable):
            await begin(email="a@away.example", onward="/", by=anonymous("198.51.100.9"))
    world.provider.requests.clear()
    with pytest.raises(TooManyAttempts):
        await begin(email="a@away.example", onward="/", by=anonymous("198.51.100.9"))
    assert world.provider.requests == []
