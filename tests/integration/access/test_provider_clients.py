"""OAuth clients: registered, rotated, revoked; machines that get tokens with them; and the provider's keys."""

import asyncio
import base64
import hmac
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx2
import msgspec
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from bailee.access.permissions import SCOPES, TENANT_ROLES, expand
from bailee.access.provider import client_authentication
from bailee.access.provider.model import ClientFields, ClientKind
from bailee.access.provider.signing import ROTATE_AFTER
from bailee.assembly import Services
from bailee.foundation.errors import Conflict, Invalid, NotFound
from bailee.foundation.ids import TenantId, new_id
from bailee.foundation.principal import ActorKind, Forbidden, Principal, StepUpRequired, Unauthenticated
from bailee.tenants.model import Tenant, TenantState
from tests.integration.access.people import execute, make_member, make_staff, who
from tests.integration.access.products import CALLBACK, GONE, Product, browser_of, register
from tests.integration.rig import SYSTEM, create_tenant, eventually, staff_principal


@pytest.fixture(scope="module")
async def http(services: Services) -> AsyncIterator[httpx2.AsyncClient]:
    async with browser_of(services) as opened:
        yield opened


async def _machine(services: Services, http: httpx2.AsyncClient, tenant: TenantId, *scopes: str) -> Product:
    return await register(services, http, tenant, scopes=list(scopes) or ["records:read", "collections:read"])


async def _token(machine: Product, **form: str) -> httpx2.Response:
    return await machine.send("/oidc/token", {"grant_type": "client_credentials"} | form)


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


# --- machines -----------------------------------------------------------------------------------------


async def test_a_machine_gets_a_token_and_acts_in_its_tenant(
    services: Services, http: httpx2.AsyncClient, tenant: Tenant
) -> None:
    machine = await _machine(services, http, tenant.id)
    bearer = {}
    for basic in (True, False):
        answer = await machine.send("/oidc/token", {"grant_type": "client_credentials"}, basic=basic)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        found = answer.json()
        assert set(found) == {"access_token", "token_type", "expires_in", "scope"}
        assert found["expires_in"] == 3600
        by = await who(services, found["access_token"])
        assert (by.kind, by.id, by.tenant_id) == (ActorKind.CLIENT, str(machine.client.id), tenant.id)
        assert by.permissions == expand(["records:read", "collections:read"])
        bearer = _bearer(found["access_token"])
    assert (await http.get("/api/v1/collections", headers=bearer)).status_code == 200
    assert (await http.get("/api/v1/keys", headers=bearer)).status_code == 403
    async with services.database.tenant_read(tenant.id) as tx:
        client = await services.provider.clients.get(tx, machine.client.id)
        events = await services.events.page(tx, action="client.token_issued", before=None, limit=10)
    assert client.last_used_at is not None
    assert client.secrets[0].last_used_at is not None
    assert events[0].details["grant"] == "client_credentials"


async def test_a_machine_asks_for_less_and_never_for_more(
    services: Services, http: httpx2.AsyncClient, tenant: Tenant
) -> None:
    machine = await _machine(services, http, tenant.id)
    assert (await _token(machine, scope="records:read")).json()["scope"] == "records:read"
    for scope in ("records:write", "records:read keys:write", "openid", "*"):
        assert (await _token(machine, scope=scope)).json()["error"] == "invalid_scope"


async def test_revoking_a_client_ends_its_tokens_at_once_in_every_process(
    services: Services, other_process: Services, http: httpx2.AsyncClient, tenant: Tenant
) -> None:
    machine = await _machine(services, http, tenant.id)
    token = (await _token(machine)).json()["access_token"]
    await eventually(lambda: other_process.access.authenticator._hears)
    await who(other_process, token)
    assert other_process.access.authenticator._remembered
    async with services.database.tenant(tenant.id) as tx:
        await services.provider.clients.revoke(tx, machine.client.id, by=SYSTEM)
    with pytest.raises(Unauthenticated):
        await who(services, token)
    await eventually(lambda: not other_process.access.authenticator._remembered)
    with pytest.raises(Unauthenticated):
        await who(other_process, token)
    assert (await _token(machine)).json()["error"] == "invalid_client"


async def test_a_client_that_loses_a_scope_loses_it_in_its_tokens(
    services: Services, http: httpx2.AsyncClient, tenant: Tenant
) -> None:
    machine = await _machine(services, http, tenant.id)
    token = (await _token(machine)).json()["access_token"]
    async with services.database.tenant(tenant.id) as tx:
        fields = ClientFields("Less", [], [], ["collections:read"])
        await services.provider.clients.change(tx, machine.client.id, fields, by=SYSTEM)
    by = await who(services, token)
    assert by.permissions == expand(["collections:read"])


async def test_a_tenant_that_is_closed_closes_its_machines(services: Services, http: httpx2.AsyncClient) -> None:
    tenant = await create_tenant(services)
    machine = await _machine(services, http, tenant.id)
    token = (await _token(machine)).json()["access_token"]
    async with services.database.operator() as tx:
        await services.tenants.move(tx, tenant.id, to=TenantState.SUSPENDED, by=SYSTEM)
    assert (await http.get("/api/v1/collections", headers=_bearer(token))).status_code == 403
    assert (await _token(machine)).json()["error"] == "invalid_client"


async def test_a_token_moved_to_another_tenant_opens_nothing(
    services: Services, http: httpx2.AsyncClient, two_tenants: tuple[Tenant, Tenant]
) -> None:
    one, two = two_tenants
    machine = await _machine(services, http, one.id)
    await _token(machine)
    async with services.database.tenant_read(two.id) as tx:
        assert await tx.values("SELECT 1 FROM access_tokens") == []
        assert await tx.values("SELECT 1 FROM oauth_clients") == []
        with pytest.raises(NotFound):
            await services.provider.clients.get(tx, machine.client.id)


async def test_neither_public_nor_the_operators_clients_are_machines(
    services: Services, http: httpx2.AsyncClient, tenant: Tenant
) -> None:
    for product in (
        await register(services, http),
        await register(services, http, tenant.id, kind=ClientKind.PUBLIC),
        await register(services, http, tenant.id),
    ):
        assert (await _token(product)).json()["error"] == "unauthorized_client"


async def test_revocation_and_introspection_are_for_ones_own_tokens(
    services: Services, http: httpx2.AsyncClient, tenant: Tenant
) -> None:
    machine, other = await _machine(services, http, tenant.id), await _machine(services, http, tenant.id)
    token = (await _token(machine)).json()["access_token"]
    seen = (await machine.send("/oidc/introspect", {"token": token})).json()
    assert seen["active"] is True
    assert seen["client_id"] == seen["sub"] == str(machine.client.id)
    assert seen["exp"] - seen["iat"] == 3600
    assert (await other.send("/oidc/introspect", {"token": token})).json() == {"active": False}
    assert (await other.send("/oidc/revoke", {"token": token})).status_code == 200
    await who(services, token)
    assert (await machine.send("/oidc/revoke", {"token": token})).status_code == 200
    with pytest.raises(Unauthenticated):
        await who(services, token)
    assert (await machine.send("/oidc/introspect", {"token": token})).json() == {"active": False}
    for nothing in ("x", "bat_", "brt_" + "a" * 90):
        assert (await machine.send("/oidc/revoke", {"token": nothing})).status_code == 200
        assert (await machine.send("/oidc/introspect", {"token": nothing})).json() == {"active": False}


# --- client authentication ----------------------------------------------------------------------------


async def test_every_fault_of_a_clients_credentials_has_one_answer(
    services: Services, http: httpx2.AsyncClient, tenant: Tenant
) -> None:
    machine, other = await _machine(services, http, tenant.id), await _machine(services, http, tenant.id)
    assert machine.client.secret
    assert other.client.secret
    form = {"grant_type": "client_credentials"}
    answers = [
        await http.post("/oidc/token", data=form, auth=credentials)
        for credentials in (
            (str(machine.client.id), other.client.secret), (str(machine.client.id), "bcs_x"),
            (str(new_id()), machine.client.secret), ("x", "y"), (str(machine.client.id), ""),
        )
    ]  # fmt: skip
    answers.append(await http.post("/oidc/token", data=form | {"client_id": str(machine.client.id)}))
    answers.append(await http.post("/oidc/token", data=form))
    answers += [
        await http.post("/oidc/token", data=form, headers={"Authorization": value}) for value in ("Basic !", "x")
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert all(answer.headers["www-authenticate"].startswith("Basic") for answer in answers)


async def test_credentials_come_in_one_way_and_parameters_once(
    services: Services, http: httpx2.AsyncClient, tenant: Tenant
) -> None:
    machine = await _machine(services, http, tenant.id)
    assert machine.client.secret
    both = {"grant_type": "client_credentials", "client_secret": machine.client.secret}
    auth = (str(machine.client.id), machine.client.secret)
    assert (await http.post("/oidc/token", data=both, auth=auth)).json()["error"] == "invalid_request"
    for body in (b"grant_type=client_credentials&grant_type=x", b"grant_type=client_credentials&scope=a&scope=a"):
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = await http.post("/oidc/token", content=body, headers=headers, auth=auth)
        assert answer.json()["error"] == "invalid_request"
    for answer in (
        await http.post("/oidc/token", json={"grant_type": "client_credentials"}, auth=auth),
        await http.post("/oidc/token", content=b"\xff" * 20_000, auth=auth),
        await http.post("/oidc/token", data={}, auth=auth),
    ):
        assert answer.status_code in (400, 413)
        assert answer.json()["error"] == "invalid_request"
    assert (await _token(machine, grant_type="password")).json()["error"] == "unsupported_grant_type"


async def test_strangers_failures_are_bounded_and_close_nothing_to_the_right_secret(
    services: Services, http: httpx2.AsyncClient, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = await _machine(services, http, tenant.id)
    monkeypatch.setattr(client_authentication, "_PER_CLIENT", 3)
    wrong = [await machine.send("/oidc/token", {"grant_type": "x"}, secret="bcs_wrong") for _ in range(5)]
    assert [answer.status_code for answer in wrong] == [401, 401, 401, 429, 429]
    assert wrong[-1].headers["retry-after"] == "900"
    assert (await _token(machine)).status_code == 200
    async with services.database.tenant_read(tenant.id) as tx:
        events = await services.events.page(tx, action="client.refused", before=None, limit=10)
    assert len(events) == 3


# --- registration -------------------------------------------------------------------------------------


async def test_a_secret_rotates_with_an_overlap_and_at_most_two_are_good(
    services: Services, http: httpx2.AsyncClient, tenant: Tenant
) -> None:
    machine = await _machine(services, http, tenant.id)
    secrets = [machine.client.secret or ""]
    for _ in range(2):
        async with services.database.tenant(tenant.id) as tx:
            rotated = await services.provider.clients.rotate_secret(tx, machine.client.id, overlap_hours=1, by=SYSTEM)
        assert len(rotated.secrets) == 2
        secrets.append(rotated.secret or "")
    form = {"grant_type": "client_credentials"}
    statuses = [(await machine.send("/oidc/token", form, secret=secret)).status_code for secret in secrets]
    assert statuses == [401, 200, 200]
    async with services.database.tenant(tenant.id) as tx:
        last = await services.provider.clients.rotate_secret(tx, machine.client.id, overlap_hours=0, by=SYSTEM)
    statuses = [
        (await machine.send("/oidc/token", form, secret=secret)).status_code for secret in [*secrets, last.secret or ""]
    ]
    assert statuses == [401, 401, 401, 200]


async def test_what_takes_the_place_of_an_expired_secret_expires_too(
    services: Services, http: httpx2.AsyncClient, tenant: Tenant
) -> None:
    machine = await _machine(services, http, tenant.id)
    await execute(
        services,
        "UPDATE oauth_client_secrets SET created_at = now() - interval '31 days', expires_at = now() - interval '1 day'"
        " WHERE client_id = %s",
        (machine.client.id,),
    )
    async with services.database.tenant(tenant.id) as tx:
        rotated = await services.provider.clients.rotate_secret(tx, machine.client.id, overlap_hours=1, by=SYSTEM)
    (secret,) = rotated.secrets
    assert secret.expires_at is not None
    assert timedelta(days=29) < secret.expires_at - services.clock.now() <= timedelta(days=30)


@pytest.mark.parametrize(
    "kind, redirects, gone, scopes, path",
    [
        ("confidential", [], [], ["openid"], "redirect_uris"),
        ("confidential", [CALLBACK], [], ["records:read"], "redirect_uris"),
        ("confidential", [CALLBACK], [], ["profile"], "scopes"),
        ("confidential", [], [], [], "scopes"),
        ("confidential", [], [], ["everything"], "scopes"),
        ("public", [CALLBACK], [], ["openid", "records:read"], "scopes"),
        ("confidential", ["http://app.example.com/callback"], [], ["openid"], "redirect_uris"),
        ("confidential", [f"{CALLBACK}#x"], [], ["openid"], "redirect_uris"),
        ("confidential", ["https://*.example.com/"], [], ["openid"], "redirect_uris"),
        ("confidential", ["https://a@example.com/"], [], ["openid"], "redirect_uris"),
        ("confidential", ["javascript:alert(1)"], [], ["openid"], "redirect_uris"),
        ("confidential", ["com.example.app:/callback"], [], ["openid"], "redirect_uris"),
        ("confidential", [CALLBACK, CALLBACK], [], ["openid"], "redirect_uris"),
        ("confidential", [CALLBACK], ["http://example.com"], ["openid"], "post_logout_redirect_uris"),
    ],
)
async def test_what_cannot_be_registered_is_said_where_it_stands(
    services: Services, tenant: Tenant, kind: str, redirects: list[str], gone: list[str], scopes: list[str], path: str
) -> None:
    async with services.database.tenant(tenant.id) as tx:
        with pytest.raises(Invalid) as caught:
            await services.provider.clients.register(
                tx, kind=ClientKind(kind), fields=ClientFields("x", redirects, gone, scopes), secret_expires_at=None,
                by=SYSTEM,
            )  # fmt: skip
    assert path in {error.path for error in caught.value.errors}


async def test_nobody_gives_a_client_what_they_do_not_hold(services: Services, tenant: Tenant) -> None:
    administrator = Principal(
        ActorKind.MEMBER, str(new_id()), TENANT_ROLES["administrator"].permissions, tenant.id, stepped_up=True
    )
    erasing, reading = (ClientFields("x", [], [], [scope]) for scope in ("subjects:erase", "records:read"))
    clients = services.provider.clients
    async with services.database.tenant(tenant.id) as tx:
        strong = await clients.register(
            tx, kind=ClientKind.CONFIDENTIAL, fields=erasing, secret_expires_at=None, by=SYSTEM
        )
        weak = await clients.register(
            tx, kind=ClientKind.CONFIDENTIAL, fields=reading, secret_expires_at=None, by=administrator
        )
        for act in (
            clients.register(
                tx, kind=ClientKind.CONFIDENTIAL, fields=erasing, secret_expires_at=None, by=administrator
            ),
            clients.change(tx, weak.id, erasing, by=administrator),
            clients.rotate_secret(tx, strong.id, overlap_hours=0, by=administrator),
        ):
            with pytest.raises(Forbidden):
                await act


async def test_a_tenants_person_does_not_reach_the_operators_clients(services: Services, tenant: Tenant) -> None:
    owner = Principal(ActorKind.MEMBER, str(new_id()), TENANT_ROLES["owner"].permissions, tenant.id)
    fields = ClientFields("x", [CALLBACK], [], ["openid"])
    async with services.database.operator() as tx:
        with pytest.raises(Forbidden):
            await services.provider.clients.register(
                tx, kind=ClientKind.PUBLIC, fields=fields, secret_expires_at=None, by=owner
            )
        with pytest.raises(Invalid):
            await services.provider.clients.register(
                tx, kind=ClientKind.CONFIDENTIAL, fields=ClientFields("x", [], [], ["records:read"]),
                secret_expires_at=None, by=SYSTEM,
            )  # fmt: skip


async def test_secrets_and_changes_take_a_fresh_second_factor(services: Services, tenant: Tenant) -> None:
    stale = msgspec.structs.replace(staff_principal(), session_id=new_id(), stepped_up=False)
    fields = ClientFields("x", [CALLBACK], [], ["openid"])
    clients = services.provider.clients
    async with services.database.operator() as tx:
        for act in (
            clients.register(tx, kind=ClientKind.PUBLIC, fields=fields, secret_expires_at=None, by=stale),
            clients.change(tx, new_id(), fields, by=stale),
            clients.rotate_secret(tx, new_id(), overlap_hours=0, by=stale),
            services.provider.signing.finish_rotation(tx, [], withdraw=False, by=stale),
        ):
            with pytest.raises(StepUpRequired):
                await act


async def test_members_and_staff_each_see_their_own_clients_over_rest(
    services: Services, http: httpx2.AsyncClient, tenant: Tenant
) -> None:
    member, staff = await make_member(services, tenant.id), await make_staff(services, "infrastructure")
    body = {"name": "Web", "scopes": ["openid"], "redirect_uris": [CALLBACK], "post_logout_redirect_uris": [GONE]}
    made = {}
    for person in (member, staff):
        answer = await http.post("/api/v1/clients", json=body, headers=_bearer(person.token))
        assert answer.status_code == 201, answer.text
        made[person.email] = answer.json()
        assert made[person.email]["secret"].startswith("bcs_")
    mine, theirs = made[member.email]["id"], made[staff.email]["id"]
    for person, own, foreign in ((member, mine, theirs), (staff, theirs, mine)):
        bearer = _bearer(person.token)
        listed = (await http.get("/api/v1/clients", headers=bearer)).json()["items"]
        assert own in {client["id"] for client in listed}
        assert foreign not in {client["id"] for client in listed}
        assert "secret" not in listed[0]
        assert (await http.get(f"/api/v1/clients/{foreign}", headers=bearer)).status_code == 404
        assert (await http.delete(f"/api/v1/clients/{foreign}", headers=bearer)).status_code == 404
        renamed = await http.patch(f"/api/v1/clients/{own}", json={"name": "App"}, headers=bearer)
        assert renamed.json()["name"] == "App"
        assert renamed.json()["redirect_uris"] == [CALLBACK]
        rotated = await http.post(f"/api/v1/clients/{own}/rotate-secret", json={}, headers=bearer)
        assert len(rotated.json()["secrets"]) == 2
        assert (await http.delete(f"/api/v1/clients/{own}", headers=bearer)).status_code == 204
        assert (await http.delete(f"/api/v1/clients/{own}", headers=bearer)).status_code == 409
        assert (await http.patch(f"/api/v1/clients/{own}", json={}, headers=bearer)).status_code == 409


async def test_a_revoked_client_gets_no_secret_and_a_public_one_has_none(
    services: Services, http: httpx2.AsyncClient, tenant: Tenant
) -> None:
    machine = await _machine(services, http, tenant.id)
    public = await register(services, http, tenant.id, kind=ClientKind.PUBLIC)
    async with services.database.tenant(tenant.id) as tx:
        await services.provider.clients.revoke(tx, machine.client.id, by=SYSTEM)
        for client in (machine.client.id, public.client.id):
            with pytest.raises(Conflict):
                await services.provider.clients.rotate_secret(tx, client, overlap_hours=0, by=SYSTEM)


async def test_the_end_of_a_secret_is_announced_once(services: Services, tenant: Tenant) -> None:
    clients, soon = services.provider.clients, services.clock.now() + timedelta(days=10)
    fields = ClientFields("Ends", [], [], sorted(SCOPES))
    async with services.database.tenant(tenant.id) as tx:
        made = await clients.register(
            tx, kind=ClientKind.CONFIDENTIAL, fields=fields, secret_expires_at=soon, by=SYSTEM
        )
    for _ in range(2):
        await services.provider.provider_upkeep.announce_expiring_secrets()
    async with services.database.tenant(tenant.id) as tx:
        events = await services.events.page(tx, action="client.secret_expiry_announced", before=None, limit=10)
        rotated = await clients.rotate_secret(tx, made.id, overlap_hours=0, by=SYSTEM)
    assert [event.details for event in events] == [{"days": 9}]
    assert rotated.secrets[0].expires_at is not None, "the new one lasts as long as the old one was made for"


# --- the provider's keys ------------------------------------------------------------------------------


async def test_published_keys_hold_no_private_part_and_stored_ones_are_sealed(
    own_services: Services,
) -> None:
    async with browser_of(own_services) as http:
        answer = await http.get("/oidc/jwks")
    assert answer.headers["cache-control"] == "public, max-age=300"
    keys = answer.json()["keys"]
    assert len(keys) == 2, "the one that signs, and the one that will"
    for key in keys:
        assert set(key) == {"kty", "n", "e", "kid", "use", "alg"}
        assert RSAKey.import_key(key).raw_value.key_size == 3072
    async with own_services.database.operator_read() as tx:
        assert (
            await tx.values("SELECT sealed FROM signing_keys WHERE position('PRIVATE' in encode(sealed, 'escape')) > 0")
            == []
        )


async def test_processes_that_start_together_agree_on_the_keys(own_services: Services) -> None:
    signing = own_services.provider.signing
    others = [type(signing)(own_services.database, own_services.events, signing._key, signing._clock) for _ in range(3)]
    published = await asyncio.gather(*(one.published() for one in others))
    assert len({msgspec.json.encode(one) for one in published}) == 1


async def test_rotation_signs_with_the_key_that_was_published_ahead(own_services: Services) -> None:
    signing = own_services.provider.signing
    before = (await signing.published())["keys"]
    token = await signing.sign({"iss": "here", "sub": "x"})
    assert not await signing.is_due()
    current = await signing.rotate(withdraw=False, by=SYSTEM)
    after = (await signing.published())["keys"]
    assert [key["kid"] for key in before] == [key["kid"] for key in after[:2]]
    assert str(current) == before[1]["kid"]
    assert await signing.verify(token, issuer="here") is not None
    await signing.rotate(withdraw=True, by=SYSTEM)
    withdrawn = {key["kid"] for key in (await signing.published())["keys"]}
    assert withdrawn.isdisjoint({str(current), after[2]["kid"]})
    fresh = await signing.sign({"iss": "here", "sub": "x"})
    assert await signing.verify(fresh, issuer="here") is not None
    assert await signing.verify(fresh, issuer="elsewhere") is None


async def test_keys_rotate_by_the_clock_after_thirty_days(own_services: Services) -> None:
    upkeep, signing = own_services.provider.provider_upkeep, own_services.provider.signing
    await upkeep.rotate_keys()
    assert len((await signing.published())["keys"]) == 2
    async with own_services.database.operator() as tx:
        await tx.run("UPDATE signing_keys SET activated_at = activated_at - %s", (ROTATE_AFTER,))
    signing._known = None
    await upkeep.rotate_keys()
    assert len((await signing.published())["keys"]) == 3


async def test_only_tokens_that_were_signed_here_are_hints(own_services: Services) -> None:
    signing = own_services.provider.signing
    claims = {"iss": "here", "sub": "x"}
    public = (await signing.published())["keys"][0]
    stranger, pem = RSAKey.generate_key(2048), RSAKey.import_key(public).as_pem(private=False)
    good = await signing.sign(claims)
    for token in (
        jwt.encode({"alg": "RS256", "kid": public["kid"]}, claims, stranger, algorithms=["RS256"]),
        _signed_by_hand({"alg": "HS256", "kid": public["kid"]}, claims, pem),
        _signed_by_hand({"alg": "none", "kid": public["kid"]}, claims, None),
        jwt.encode({"alg": "RS256", "kid": "other"}, claims, stranger, algorithms=["RS256"]),
        jwt.encode({"alg": "RS256"}, claims, stranger, algorithms=["RS256"]),
        good[:-4], good + "x", good.rpartition(".")[0] + ".", "", "x", "x.y.z", "..", "é.é.é",
    ):  # fmt: skip
        assert await signing.verify(token, issuer="here") is None, token


def _signed_by_hand(header: dict[str, str], claims: dict[str, str], key: bytes | None) -> str:
    """A token that no careful library makes: HMAC with a public key, or no signature at all."""
    parts = [base64.urlsafe_b64encode(msgspec.json.encode(part)).rstrip(b"=") for part in (header, claims)]
    signature = hmac.digest(key, b".".join(parts), "sha256") if key else b""
    return b".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()
