"""People signed in to a product by Bailee as OpenID provider, and what attackers do about it."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from html import unescape
from urllib.parse import parse_qs

import httpx2
import pytest

from bailee.access.model import AccountState, SessionKind
from bailee.access.provider.model import ACR_MFA, ACR_SINGLE, ClientKind
from bailee.access.sessions import Start
from bailee.access.store import accounts as account_rows
from bailee.assembly import Services
from bailee.foundation.ids import OPERATOR
from bailee.tenants.model import Tenant, TenantState
from tests.integration.access.people import Person, execute, make_member, make_owner, secret
from tests.integration.access.products import (
    CALLBACK,
    GONE,
    Product,
    answer_of,
    browser_of,
    challenge_of,
    register,
    sign_in,
)
from tests.integration.rig import SYSTEM, create_tenant


@pytest.fixture(scope="module")
async def http(services: Services) -> AsyncIterator[httpx2.AsyncClient]:
    async with browser_of(services) as opened:
        yield opened


@pytest.fixture(scope="module")
async def product(services: Services, http: httpx2.AsyncClient) -> Product:
    return await register(services, http)


@pytest.fixture(scope="module")
async def home(services: Services) -> Tenant:
    return await create_tenant(services, "Home")


@pytest.fixture(scope="module")
async def ada(services: Services, home: Tenant) -> Person:
    """A member with two factors, in a browser. Tests that end her session take somebody else."""
    return await sign_in(services, await make_member(services, home.id, "editor"))


async def _somebody(services: Services, home: Tenant) -> Person:
    return await sign_in(services, await make_member(services, home.id, "viewer", mfa=False))


# --- what a product gets ------------------------------------------------------------------------------


async def test_a_person_is_signed_in_with_who_where_and_how(
    services: Services, product: Product, ada: Person, home: Tenant
) -> None:
    began = int(time.time())
    back = answer_of(await product.ask(ada))
    assert back["state"] == "the-state"
    assert back["iss"] == product.issuer
    answer = await product.exchange(back["code"])
    assert answer.headers["cache-control"] == "no-store"
    tokens = answer.json()
    assert tokens["token_type"] == "Bearer"
    assert tokens["scope"] == "openid profile email offline_access"
    claims = await product.claims(tokens["id_token"])
    assert claims["iss"] == product.issuer
    assert claims["aud"] == str(product.client.id)
    assert claims["sub"] == str(await ada.id())
    assert claims["nonce"] == "the-nonce"
    assert claims["tenant"] == str(home.id)
    assert claims["tenant_name"] == "Home"
    assert claims["roles"] == ["editor"]
    assert claims["email"] == ada.email
    assert claims["email_verified"] is False, "the link was shown, for want of a mail server"
    assert claims["name"] == "Sample Person"
    assert claims["acr"] == ACR_MFA
    assert claims["amr"] == ["mfa", "otp", "pwd"]
    assert claims["exp"] - claims["iat"] == 300
    assert began - 60 < claims["auth_time"] <= claims["iat"]
    told = (await product.userinfo(tokens["access_token"])).json()
    assert told["sub"] == claims["sub"]
    assert told["roles"] == ["editor"]


async def test_claims_follow_the_scopes(product: Product, ada: Person) -> None:
    tokens = await product.tokens(ada, scope="openid unknown")
    claims = await product.claims(tokens["id_token"])
    assert {"email", "email_verified", "name"}.isdisjoint(claims)
    assert "refresh_token" not in tokens
    assert tokens["scope"] == "openid"


async def test_discovery_names_what_there_is(product: Product, http: httpx2.AsyncClient) -> None:
    found = (await http.get("/.well-known/openid-configuration")).json()
    assert found["issuer"] == product.issuer
    assert found["code_challenge_methods_supported"] == ["S256"]
    assert found["authorization_response_iss_parameter_supported"] is True
    for name in ("authorization_endpoint", "jwks_uri", "end_session_endpoint"):
        assert (await http.get(found[name])).status_code in (200, 303, 400), name
    for name in ("token_endpoint", "revocation_endpoint", "introspection_endpoint"):
        assert (await http.post(found[name])).status_code == 400, name
    assert (await http.get(found["userinfo_endpoint"])).status_code == 401
    assert (await http.get("/.well-known/oauth-authorization-server")).json() == found


async def test_whoever_is_not_signed_in_goes_to_sign_in_and_comes_back(product: Product) -> None:
    answer = await product.ask(None)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in?next=%2Foidc%2Fauthorize%3F")


async def test_a_browser_from_another_site_comes_again_from_ours_so_that_its_cookie_is_sent(
    product: Product, ada: Person
) -> None:
    answer = await product.ask(None, came_from="cross-site")
    assert answer.status_code == 200
    assert 'content="0;url=/oidc/authorize?' in answer.text
    assert answer.headers["cache-control"] == "no-store"
    again = await product.ask(ada, came_from="same-origin")
    assert again.status_code == 200, "a form may have led here, so no redirect leaves our site"
    assert f'content="0;url={CALLBACK}?code=bac_' in again.text


async def test_the_same_request_by_form_is_asked_as_a_page(http: httpx2.AsyncClient) -> None:
    headers = {"Origin": "https://app.example.com"}
    answer = await http.post("/oidc/authorize", data={"client_id": "x", "state": "a b"}, headers=headers)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/oidc/authorize?client_id=x&state=a+b"


# --- where the answer may go --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "uri",
    [
        f"{CALLBACK}/", f"{CALLBACK}?x=1", f"{CALLBACK}#", f"{CALLBACK}#x", f"{CALLBACK}.evil.example", "https://app.example.com/",
        "https://APP.example.com/callback", "HTTPS://app.example.com/callback", "https://app.example.com:443/callback",
        "https://app.example.com@evil.example/callback", "https://user@app.example.com/callback",
        "https://app.example.com/callback/../callback", "https://app.example.com/%63allback",
        "http://app.example.com/callback", "https://evil.example/?https://app.example.com/callback",
        "//app.example.com/callback", "/toms", "javascript:alert(1)",
        "", f" {CALLBACK}", f"{CALLBACK}\n", "https://app.example.com\\@evil.example/callback",
    ],
)  # fmt: skip
async def test_an_address_that_is_not_registered_to_the_letter_is_never_followed(
    product: Product, ada: Person, uri: str
) -> None:
    answer = await product.ask(ada, redirect_uri=uri)
    assert answer.status_code == 400
    assert "location" not in answer.headers
    assert "evil" not in answer.text


@pytest.mark.parametrize("client_id", ["", "x", "01890000-0000-7000-8000-000000000000", "' OR true --"])
async def test_an_unknown_client_sends_nobody_anywhere(product: Product, ada: Person, client_id: str) -> None:
    answer = await product.ask(ada, client_id=client_id)
    assert answer.status_code == 400
    assert "location" not in answer.headers


async def test_a_revoked_client_sends_nobody_anywhere(
    services: Services, http: httpx2.AsyncClient, ada: Person
) -> None:
    gone = await register(services, http)
    tokens = await gone.tokens(ada)
    async with services.database.operator() as tx:
        await services.provider.clients.revoke(tx, gone.client.id, by=SYSTEM)
    assert (await gone.ask(ada)).status_code == 400
    assert (await gone.refresh(tokens["refresh_token"])).status_code == 401
    assert (await gone.userinfo(tokens["access_token"])).status_code == 401


async def test_two_addresses_are_none(product: Product, ada: Person) -> None:
    from_person = {"Cookie": f"__Host-bailee={ada.token}"}
    query = f"client_id={product.client.id}&redirect_uri={CALLBACK}&redirect_uri=https://evil.example"
    answer = await product.http.get(f"/oidc/authorize?{query}", headers=from_person)
    assert answer.status_code == 400


# --- what may be asked for ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes, fault",
    [
        ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_type": None}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"scope": "profile"}, "invalid_scope"),
        ({"scope": None}, "invalid_scope"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "other"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"request": "x.y.z"}, "request_not_supported"),
        ({"request_uri": "https://evil.example/r"}, "request_uri_not_supported"),
        ({"id_token_hint": "x.y.z"}, "invalid_request"),
        ({"nonce": "n" * 501}, "invalid_request"),
    ],
)  # fmt: skip
async def test_what_cannot_be_asked_for_is_told_the_product(
    product: Product, ada: Person, changes: dict[str, str | None], fault: str
) -> None:
    answer = answer_of(await product.ask(ada, **changes))
    assert answer["error"] == fault
    assert answer["state"] == "the-state"
    assert answer["iss"] == product.issuer
    assert "code" not in answer


async def test_prompt_none_shows_nothing_to_nobody(product: Product, ada: Person) -> None:
    assert answer_of(await product.ask(None, prompt="none"))["error"] == "login_required"
    assert "code" in answer_of(await product.ask(ada, prompt="none"))
    assert answer_of(await product.ask(ada, prompt="none", max_age="0"))["error"] == "login_required"


def _mark_in(answer: httpx2.Response) -> str:
    """What the page carries on, to know a later sign-in by."""
    onward = re.search(r'name="next" value="[^"?]*\?([^"]+)"', answer.text)
    assert onward is not None
    return parse_qs(unescape(onward[1]))["signed_in_after"][0]


async def test_prompt_login_asks_once_and_is_content_with_a_later_sign_in(
    services: Services, product: Product, ada: Person
) -> None:
    answer = await product.ask(ada, prompt="login")
    assert answer.status_code == 200
    assert "Sign in again" in answer.text
    mark = _mark_in(answer)
    assert "Sign in again" in (await product.ask(ada, prompt="login", signed_in_after=mark)).text
    session_id = (await ada.principal()).session_id
    await execute(
        services, "UPDATE sessions SET mfa_at = now() + interval '1 second' WHERE session_id = %s", (session_id,)
    )
    assert "code" in answer_of(await product.ask(ada, prompt="login", signed_in_after=mark))
    assert "code" in answer_of(await product.ask(ada, max_age="3600"))


async def test_nobody_writes_themselves_that_they_have_signed_in_again(product: Product, ada: Person) -> None:
    answer = await product.ask(ada, prompt="login")
    mark = _mark_in(answer)
    moment, _, mac = mark.partition(".")
    earlier = str(int(moment) - 3600)
    for forged in (earlier, f"{earlier}.{mac}", f"{earlier}.", f"{earlier}.{'0' * 64}", f".{mac}", "1.é"):
        assert "Sign in again" in (await product.ask(ada, prompt="login", signed_in_after=forged)).text
    assert "Sign in again" in (await product.ask(ada, prompt="login", signed_in_after=mark, state="another")).text


async def test_signing_in_again_ends_the_session_first(services: Services, product: Product, home: Tenant) -> None:
    person = await _somebody(services, home)
    cookie = {"Cookie": f"__Host-bailee={person.token}"}
    form = {"next": "/oidc/authorize?client_id=x"}
    foreign = await product.http.post("/oidc/again", data=form, headers={**cookie, "Origin": "https://evil.example"})
    assert foreign.status_code == 403
    answer = await product.http.post("/oidc/again", data=form, headers={**cookie, "Origin": product.issuer})
    assert answer.headers["location"] == "/sign-in?next=%2Foidc%2Fauthorize%3Fclient_id%3Dx"
    assert (await product.ask(person)).headers["location"].startswith("/sign-in")


async def test_a_second_factor_is_asked_for_where_the_product_wants_one(
    services: Services, product: Product, home: Tenant, ada: Person
) -> None:
    person = await _somebody(services, home)
    tokens = await product.tokens(person, acr_values=f"{ACR_MFA} {ACR_SINGLE}")
    claims = await product.claims(tokens["id_token"])
    assert claims["acr"] == ACR_SINGLE
    assert claims["amr"] == ["pwd"]
    assert (await product.ask(person, acr_values=ACR_MFA)).headers["location"].startswith("/step-up?next=")
    silent = answer_of(await product.ask(person, acr_values=ACR_MFA, prompt="none"))
    assert silent["error"] == "unmet_authentication_requirements"
    assert "code" in answer_of(await product.ask(ada, acr_values=ACR_MFA))


# --- who may ------------------------------------------------------------------------------------------


async def test_staff_are_no_users_of_the_product(services: Services, product: Product) -> None:
    owner = await sign_in(services, await make_owner(services))
    assert answer_of(await product.ask(owner))["error"] == "access_denied"


async def test_a_tenants_product_serves_its_members_alone(
    services: Services, http: httpx2.AsyncClient, ada: Person, home: Tenant
) -> None:
    elsewhere = await create_tenant(services, "Elsewhere")
    theirs, own = await register(services, http, elsewhere.id), await register(services, http, home.id)
    assert answer_of(await theirs.ask(ada))["error"] == "access_denied"
    assert answer_of(await theirs.ask(ada, tenant=str(home.id)))["error"] == "access_denied"
    assert (await own.claims((await own.tokens(ada))["id_token"]))["tenant"] == str(home.id)


async def test_a_person_of_two_tenants_is_where_they_say_and_nowhere_else(
    services: Services, product: Product, home: Tenant
) -> None:
    person = await _somebody(services, home)
    second = await create_tenant(services, "Second")
    async with services.database.operator() as tx:
        await services.access.members.join(
            tx, second.id, await person.id(), person.email, "Sample", "auditor", "invitation", by=SYSTEM
        )
    claims = await product.claims((await product.tokens(person, tenant=str(second.id)))["id_token"])
    assert (claims["tenant"], claims["roles"]) == (str(second.id), ["auditor"])
    claims = await product.claims((await product.tokens(person))["id_token"])
    assert (claims["tenant"], claims["roles"]) == (str(home.id), ["viewer"])
    third = await create_tenant(services, "Third")
    for named in (str(third.id), str(OPERATOR), "x"):
        assert answer_of(await product.ask(person, tenant=named))["error"] == "access_denied"


async def test_one_tenants_identity_provider_opens_nothing_in_another_tenant(
    services: Services, product: Product, home: Tenant
) -> None:
    person = await _somebody(services, home)
    second, account = await create_tenant(services, "Other"), await person.id()
    async with services.database.operator() as tx:
        await services.access.members.join(
            tx, second.id, account, person.email, "Sample", "owner", "invitation", by=SYSTEM
        )
        start = Start(account, ["sso"], SessionKind.BROWSER, tenant=home.id, via_sso=home.id)
        person.token = (await services.access.sessions.start(tx, start, by=SYSTEM)).token
    claims = await product.claims((await product.tokens(person))["id_token"])
    assert claims["tenant"] == str(home.id)
    assert "amr" not in claims, "how the other provider knew is not known here"
    assert answer_of(await product.ask(person, tenant=str(second.id)))["error"] == "access_denied"


async def test_what_the_tenant_demands_is_demanded_here_too(services: Services, product: Product) -> None:
    strict = await create_tenant(services, "Strict", plan="enterprise")
    person = await sign_in(services, await make_member(services, strict.id, "viewer", mfa=False))
    tokens = await product.tokens(person)
    async with services.database.tenant(strict.id) as tx:
        policy = await services.access.policies.get(tx, strict.id)
        wanted = type(policy)(require_mfa=True, version=policy.version)
        await services.access.policies.change(tx, wanted, by=SYSTEM)
    assert answer_of(await product.ask(person))["error"] == "access_denied"
    assert (await product.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"


# --- the code -----------------------------------------------------------------------------------------


async def test_thirty_exchanges_of_one_code_at_once_give_tokens_once_and_end_them(
    services: Services, product: Product, ada: Person
) -> None:
    code = await product.code(ada)
    answers = await asyncio.gather(*(product.exchange(code) for _ in range(30)))
    good = [answer for answer in answers if answer.status_code == 200]
    assert len(good) == 1
    assert {answer.json()["error"] for answer in answers if answer not in good} == {"invalid_grant"}
    tokens = good[0].json()
    assert (await product.userinfo(tokens["access_token"])).status_code == 401
    assert (await product.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"
    async with services.database.operator_read() as tx:
        events = await services.events.page(tx, action="client.token_replayed", before=None, limit=100)
    assert len(events) >= 29


async def test_a_code_is_bound_to_its_client_its_address_and_its_verifier(
    services: Services, http: httpx2.AsyncClient, product: Product, ada: Person
) -> None:
    thief = await register(services, http)
    code = await product.code(ada)
    assert (await thief.exchange(code)).json()["error"] == "invalid_grant"
    assert (await product.exchange(code)).status_code == 200, "a thief's try does not use the code up"
    for changes in (
        {"code_verifier": "w" * 64}, {"code_verifier": challenge_of("v" * 64)}, {"code_verifier": "v" * 42},
        {"redirect_uri": f"{CALLBACK}/"}, {"redirect_uri": GONE},
    ):  # fmt: skip
        code = await product.code(ada)
        assert (await product.exchange(code, **changes)).json()["error"] == "invalid_grant", changes
        assert (await product.exchange(code)).json()["error"] == "invalid_grant", "there is no second try"


async def test_a_code_without_a_verifier_is_worth_nothing(product: Product, ada: Person) -> None:
    assert (await product.exchange(await product.code(ada), code_verifier="")).json()["error"] == "invalid_request"


async def test_a_code_lasts_a_minute(services: Services, product: Product, ada: Person) -> None:
    code = await product.code(ada)
    async with services.database.operator() as tx:
        await tx.run("UPDATE oauth_grants SET code_expires_at = now() WHERE code_used_at IS NULL")
    assert (await product.exchange(code)).json()["error"] == "invalid_grant"


@pytest.mark.parametrize("code", ["", "x", "bac_", "bac_" + "a" * 100, "\x00", "bst_x"])
async def test_what_is_no_code_is_refused(product: Product, code: str) -> None:
    assert (await product.exchange(code)).status_code == 400


async def test_a_public_client_has_pkce_alone(services: Services, http: httpx2.AsyncClient, ada: Person) -> None:
    app = await register(
        services, http, kind=ClientKind.PUBLIC, redirect_uris=[CALLBACK, "http://127.0.0.1:8400/callback"]
    )
    assert app.client.secret is None
    code = await app.code(ada)
    assert (await app.exchange(code, client_secret="x")).json()["error"] == "invalid_client"
    assert (await app.exchange(code)).status_code == 200


# --- refreshing ---------------------------------------------------------------------------------------


async def test_refresh_tokens_rotate_and_a_used_one_ends_the_family(
    services: Services, product: Product, ada: Person
) -> None:
    first = await product.tokens(ada)
    answer = await product.refresh(first["refresh_token"])
    second = answer.json()
    assert second["refresh_token"] != first["refresh_token"]
    claims = await product.claims(second["id_token"])
    assert "nonce" not in claims
    assert claims["auth_time"] == (await product.claims(first["id_token"]))["auth_time"]
    assert (await product.refresh(first["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await product.refresh(second["refresh_token"])).json()["error"] == "invalid_grant"
    for tokens in (first, second):
        assert (await product.userinfo(tokens["access_token"])).status_code == 401
    async with services.database.operator_read() as tx:
        events = await services.events.page(tx, action="client.token_replayed", before=None, limit=1)
    assert events[0].details == {"token": "refresh_token"}


async def test_thirty_refreshes_at_once_give_tokens_at_most_once(product: Product, ada: Person) -> None:
    token = (await product.tokens(ada))["refresh_token"]
    answers = await asyncio.gather(*(product.refresh(token) for _ in range(30)))
    assert sum(answer.status_code == 200 for answer in answers) == 1


async def test_a_refresh_token_is_bound_to_its_client(
    services: Services, http: httpx2.AsyncClient, product: Product, ada: Person
) -> None:
    thief = await register(services, http)
    tokens = await product.tokens(ada)
    assert (await thief.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await product.refresh(tokens["refresh_token"])).status_code == 200


async def test_refreshing_narrows_scopes_and_never_widens_them(product: Product, ada: Person) -> None:
    tokens = await product.tokens(ada, scope="openid email offline_access")
    wider = await product.refresh(tokens["refresh_token"], scope="openid profile")
    assert wider.json()["error"] == "invalid_scope"
    narrow = (await product.refresh(tokens["refresh_token"], scope="openid")).json()
    assert narrow["scope"] == "openid"
    assert "email" not in (await product.userinfo(narrow["access_token"])).json()


async def test_sign_out_disabling_removal_password_and_idleness_end_what_a_product_holds(
    services: Services, product: Product, home: Tenant
) -> None:
    async def sign_out(person: Person) -> None:
        by = await person.principal()
        async with services.database.operator() as tx:
            await services.access.sessions.sign_out(tx, by=by)

    async def disable_member(person: Person) -> None:
        async with services.database.tenant(home.id) as tx:
            await services.access.members.disable(tx, await person.id(), by=SYSTEM)

    async def remove_member(person: Person) -> None:
        async with services.database.tenant(home.id) as tx:
            await services.access.members.remove(tx, await person.id(), by=SYSTEM)

    async def disable_account(person: Person) -> None:
        account = await person.id()
        async with services.database.operator() as tx:
            assert await account_rows.set_state(tx, account, AccountState.ACTIVE, AccountState.DISABLED)

    async def change_password(person: Person) -> None:
        await services.access.password_change.change(
            old=secret(person.password), new=secret("another quiet heron stands still"), by=await person.principal()
        )

    async def idle(person: Person) -> None:
        account = await person.id()
        async with services.database.operator() as tx:
            await tx.run(
                "UPDATE sessions SET seen_at = now() - %s WHERE account_id = %s", (timedelta(hours=2), account)
            )

    for end in (sign_out, disable_member, remove_member, disable_account, change_password, idle):
        person = await _somebody(services, home)
        tokens = await product.tokens(person)
        assert (await product.userinfo(tokens["access_token"])).status_code == 200
        await end(person)
        assert (await product.userinfo(tokens["access_token"])).status_code == 401, end.__name__
        refused = await product.refresh(tokens["refresh_token"])
        assert refused.json().get("error") == "invalid_grant", end.__name__


async def test_a_suspended_tenant_ends_what_a_product_holds(services: Services, product: Product) -> None:
    tenant = await create_tenant(services, "Suspended")
    person = await sign_in(services, await make_member(services, tenant.id, "viewer", mfa=False))
    tokens = await product.tokens(person)
    async with services.database.operator() as tx:
        await services.tenants.move(tx, tenant.id, to=TenantState.SUSPENDED, by=SYSTEM)
    assert (await product.userinfo(tokens["access_token"])).status_code == 401
    assert (await product.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"


async def test_what_ended_long_ago_is_cleared_away_whole(services: Services, product: Product, home: Tenant) -> None:
    person = await _somebody(services, home)
    account = await person.id()
    await product.tokens(person)
    kept = await product.tokens(await _somebody(services, home))
    async with services.database.operator() as tx:
        (grant,) = await tx.values("SELECT grant_id FROM oauth_grants WHERE account_id = %s", (account,))
        await tx.run("UPDATE oauth_grants SET expires_at = now() - interval '8 days' WHERE grant_id = %s", (grant,))
    await services.provider.provider_upkeep.sweep()
    async with services.database.operator_read() as reader:
        for query in (
            b"SELECT 1 FROM oauth_grants WHERE grant_id = %s", b"SELECT 1 FROM access_tokens WHERE grant_id = %s",
            b"SELECT 1 FROM oauth_refresh_tokens WHERE grant_id = %s",
        ):  # fmt: skip
            assert await (await reader.connection.execute(query, (grant,))).fetchall() == []
    assert (await product.refresh(kept["refresh_token"])).status_code == 200


async def test_tokens_for_people_open_nothing_of_the_api(
    product: Product, ada: Person, http: httpx2.AsyncClient
) -> None:
    tokens = await product.tokens(ada)
    for token in (tokens["access_token"], tokens["refresh_token"], tokens["id_token"]):
        answer = await http.get("/api/v1/collections", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 401
    assert (await product.userinfo(ada.token)).status_code == 401, "a session is no access token"


# --- signing out --------------------------------------------------------------------------------------


async def test_the_product_signs_out_with_the_sessions_own_id_token(
    services: Services, product: Product, home: Tenant
) -> None:
    person = await _somebody(services, home)
    tokens = await product.tokens(person)
    asked = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": GONE, "state": "s"}
    cookie = {"Cookie": f"__Host-bailee={person.token}"}
    answer = await product.http.get("/oidc/logout", params=asked, headers=cookie)
    assert answer.headers["location"] == f"{GONE}?state=s"
    assert '__Host-bailee=""' in answer.headers["set-cookie"] or "Max-Age=0" in answer.headers["set-cookie"]
    assert (await product.userinfo(tokens["access_token"])).status_code == 401
    assert (await product.ask(person)).headers["location"].startswith("/sign-in")


async def test_without_the_sessions_id_token_the_person_is_asked(
    services: Services, product: Product, home: Tenant, ada: Person
) -> None:
    person = await _somebody(services, home)
    foreign = (await product.tokens(ada))["id_token"]
    cookie = {"Cookie": f"__Host-bailee={person.token}"}
    for hint in ({}, {"id_token_hint": foreign}, {"id_token_hint": "x.y.z", "client_id": str(product.client.id)}):
        asked = {"post_logout_redirect_uri": GONE, "client_id": str(product.client.id), **hint}
        page = await product.http.get("/oidc/logout", params=asked, headers=cookie)
        assert page.status_code == 200
        assert "Sign out?" in page.text
        assert "code" in answer_of(await product.ask(person)), "still signed in"
    form = {"post_logout_redirect_uri": GONE, "client_id": str(product.client.id), "state": "s"}
    forged = await product.http.post(
        "/oidc/logout/confirm", data=form, headers={**cookie, "Origin": "https://evil.example"}
    )
    assert forged.status_code == 403
    answer = await product.http.post("/oidc/logout/confirm", data=form, headers={**cookie, "Origin": product.issuer})
    assert answer.headers["location"] == f"{GONE}?state=s"
    assert (await product.ask(person)).headers["location"].startswith("/sign-in")


@pytest.mark.parametrize("uri", [CALLBACK, f"{GONE}/", f"{GONE}?x", "https://evil.example", "/toms"])
async def test_logout_leads_to_registered_addresses_alone(product: Product, ada: Person, uri: str) -> None:
    asked = {"post_logout_redirect_uri": uri, "client_id": str(product.client.id)}
    for headers in ({}, {"Cookie": f"__Host-bailee={ada.token}"}):
        answer = await product.http.get("/oidc/logout", params=asked, headers=headers)
        assert answer.status_code == 400
        assert "location" not in answer.headers
