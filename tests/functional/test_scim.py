"""SCIM 2 against the running product, by a client and a tester that none of us wrote."""

import ssl
import uuid
from collections.abc import Iterator
from typing import Annotated, Any

import httpx2
import pytest
from pydantic import Field
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_models import Required, ResourceType, ScimProvider, Uniqueness
from scim2_tester import Status, check_server

from bailee.access.federation.scim.schema import Group, User
from tests.dns import DnsServer, dns_server
from tests.functional.conftest import FreshInstance
from tests.functional.instance import Instance, ask

pytestmark = pytest.mark.functional

DOMAIN = "directory.example"
SCOPES = ["scim", "members:read"]


class Employee(User):
    """The user that the product describes, with user names for the tester to choose from: it cannot know our domain."""

    user_name: Annotated[str | None, Uniqueness.server, Required.true] = Field(
        None, examples=[f"{uuid.uuid4().hex}@{DOMAIN}" for _ in range(5000)]
    )


@pytest.fixture(scope="module")
def names() -> Iterator[DnsServer]:
    with dns_server() as server:
        yield server


@pytest.fixture(scope="module")
def instance(names: DnsServer, fresh_instance: FreshInstance, tmp_path_factory: pytest.TempPathFactory) -> Instance:
    settings = tmp_path_factory.mktemp("scim") / "bailee.toml"
    settings.write_text(f'[access]\ndns_servers = ["{names.address}"]\n')
    made = fresh_instance(BAILEE_CONFIG=str(settings))
    made.set_up()
    return made


@pytest.fixture(scope="module")
def key(instance: Instance, names: DnsServer) -> str:
    """The key of a directory, in a tenant whose domain is verified."""
    with instance.http(instance.staff_token) as http:
        tenant = _json(http.post("/api/v1/tenants", json={"name": "Directory", "plan": "enterprise"}))
        asked = {"name": "directory", "permissions": SCOPES}
        token: str = _json(http.post(f"/api/v1/tenants/{tenant['id']}/keys", json=asked))["token"]
    with instance.http(instance.tenant_owner(tenant["id"]).token) as http:
        domain = _json(http.post("/api/v1/domains", json={"domain": DOMAIN}))
        names.publish(domain["record_name"], domain["record_value"])
        assert _json(http.post(f"/api/v1/domains/{domain['id']}/verify"))["verified_at"]
    return token


@pytest.fixture
def http(instance: Instance, key: str) -> Iterator[httpx2.Client]:
    trust = ssl.create_default_context(cafile=str(instance.ca_file))
    with httpx2.Client(
        base_url=f"{instance.base_url}/scim/v2", verify=trust, trust_env=False, timeout=30,
        headers={"Authorization": f"Bearer {key}"},
    ) as client:  # fmt: skip
        yield client


def _json(answer: httpx2.Response) -> Any:
    assert answer.is_success, answer.text
    return answer.json()


def test_every_check_of_the_scim_tester_succeeds(http: httpx2.Client) -> None:
    client = SyncSCIMClient(
        http,
        provider=ScimProvider(
            models=[Employee, Group],
            resource_types=[ResourceType.from_resource(Employee), ResourceType.from_resource(Group)],
        ),
    )
    results = check_server(client)
    assert [result for result in results if result.status is not Status.SUCCESS] == []
    assert len(results) > 40


def test_what_the_product_publishes_describes_it(http: httpx2.Client) -> None:
    """A client that knows nothing composes its models from the discovery endpoints, and works with them."""
    client = SyncSCIMClient(http)
    client.discover()
    user_model: Any = client.get_resource_model("User")
    assert user_model is not None
    made: Any = client.create(user_model(user_name=f"discovered@{DOMAIN}", active=True))
    assert made.user_name == f"discovered@{DOMAIN}"
    assert client.provider.config is not None
    client.delete(user_model, made.id)


def test_a_directory_as_microsofts_speaks_to_it(http: httpx2.Client) -> None:
    """Capitalised operations, extensions we do not know, addresses of their own, `active` as a word."""
    assert _json(http.get("/Users", params={"filter": f'userName eq "Grace@{DOMAIN}"'}))["totalResults"] == 0
    made = _json(
        http.post(
            "/Users",
            json={
                "schemas": [
                    "urn:ietf:params:scim:schemas:core:2.0:User",
                    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
                ],
                "userName": f"Grace@{DOMAIN}", "active": True, "displayName": "Grace Hopper", "externalId": "ext-1",
                "emails": [{"primary": True, "type": "work", "value": f"other@{DOMAIN}"}], "title": "Admiral",
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "Navy"},
                "name": {"formatted": "Grace Hopper", "familyName": "Hopper", "givenName": "Grace"},
            },
        )
    )  # fmt: skip
    assert (made["userName"], made["emails"]) == (
        f"grace@{DOMAIN}", [{"value": f"grace@{DOMAIN}", "type": "work", "primary": True}],
    )  # fmt: skip
    path = f"/Users/{made['id']}"
    found = _json(http.get("/Users", params={"filter": f'userName eq "Grace@{DOMAIN}"'}))
    assert [one["id"] for one in found["Resources"]] == [made["id"]]
    operations = [
        {"op": "Replace", "path": 'emails[type eq "work"].value', "value": f"third@{DOMAIN}"},
        {"op": "Add", "path": "name.givenName", "value": "Amazing Grace"},
        {"op": "Replace", "path": "active", "value": "False"},
        {"op": "Add", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "value": "R&D"},
    ]
    patch = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations}
    changed = _json(http.patch(path, json=patch))
    assert (changed["active"], changed["name"]["givenName"], changed["name"]["familyName"]) == (
        False, "Amazing Grace", "Hopper",
    )  # fmt: skip
    patch["Operations"] = [{"op": "replace", "value": {"active": True, "emails": [{"value": "x@y.example"}]}}]
    assert _json(http.patch(path, json=patch))["active"] is True
    assert http.delete(path).status_code == 204
    assert http.get(path).status_code == 404


def test_errors_are_scims_own(http: httpx2.Client, instance: Instance) -> None:
    answers = {
        "invalidValue": http.post("/Users", json={"userName": f"a@{DOMAIN}", "active": "perhaps"}),
        "invalidSyntax": http.post("/Users", content=b"{"),
        "invalidFilter": http.get("/Users", params={"filter": "userName eq"}),
        "invalidPath": http.get("/Users", params={"sortBy": "nothing["}),
    }
    for scim_type, answer in answers.items():
        body = answer.json()
        assert (answer.status_code, body["status"], body["scimType"]) == (400, "400", scim_type), answer.text
        assert body["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
        assert answer.headers["content-type"] == "application/scim+json"
    assert http.get("/Users/nobody").json()["status"] == "404"
    assert http.put("/Users", json={}).json()["status"] == "405"
    with instance.http() as stranger:
        refused = stranger.get("/scim/v2/Users")
    assert (refused.status_code, refused.json()["status"]) == (401, "401")
    assert refused.headers["www-authenticate"] == "Bearer"


def test_a_key_without_the_scope_is_refused(instance: Instance, key: str) -> None:
    with instance.http(instance.staff_token) as http:
        assert http.get("/scim/v2/Users").status_code == 403
    with instance.http(key) as http:
        assert http.get("/scim/v2/Users").status_code == 200
        assert http.get("/api/v1/members").status_code == 200


def test_a_persons_own_session_does_not_speak_scim(instance: Instance) -> None:
    """A role that may make a directory's key is not a directory: else it would make its holder an administrator."""
    with instance.http(instance.staff_token) as http:
        tenant = _json(http.post("/api/v1/tenants", json={"name": "By hand", "plan": "enterprise"}))
    owner = instance.tenant_owner(tenant["id"])
    with instance.http(owner.token) as http:
        answer = http.post("/scim/v2/Groups", json={"displayName": "administrator", "members": [{"value": owner.id}]})
        assert answer.status_code == 403, answer.text
        assert http.get("/scim/v2/Users").status_code == 403


@pytest.mark.parametrize("text", ["x" * 3000, " or ".join(f'userName eq "{n}@x.example"' for n in range(60))])
def test_a_filter_has_bounds(http: httpx2.Client, text: str) -> None:
    """One long filter would keep every tenant waiting."""
    assert http.get("/Users", params={"filter": text[:6000]}).status_code == 400
    assert http.post("/Users/.search", json={"filter": text}).status_code == 400


def test_a_patch_has_bounds(http: httpx2.Client) -> None:
    group = http.post("/Groups", json={"displayName": "Bounded"}).json()["id"]
    patch = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"]}
    operation = {"op": "replace", "path": "displayName", "value": "Bounded"}
    assert http.patch(f"/Groups/{group}", json={**patch, "Operations": [operation] * 101}).status_code == 400
    large = ask(http, method="PATCH", url=f"/Groups/{group}", content=b" " * (1024 * 1024 + 1))
    assert large.status_code == 413
    assert ask(http, method="DELETE", url=f"/Groups/{group}").status_code == 204


def test_members_are_patched_by_the_hundred(http: httpx2.Client) -> None:
    ids = [http.post("/Users", json={"userName": f"m{n}@{DOMAIN}"}).json()["id"] for n in range(100)]
    group = http.post("/Groups", json={"displayName": "Everybody"}).json()["id"]
    patch = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"]}
    add = {"op": "add", "path": "members", "value": [{"value": one} for one in ids]}
    assert len(http.patch(f"/Groups/{group}", json={**patch, "Operations": [add]}).json()["members"]) == 100
    gone = [{"op": "remove", "path": f'members[value eq "{one}"]'} for one in ids[:99]]
    rename = {"op": "replace", "path": "displayName", "value": "Somebody"}
    after = http.patch(f"/Groups/{group}", json={**patch, "Operations": [*gone, rename]}).json()
    assert ([one["value"] for one in after["members"]], after["displayName"]) == ([ids[99]], "Somebody")
    nobody = {"op": "remove", "path": "members"}
    assert not http.patch(f"/Groups/{group}", json={**patch, "Operations": [nobody]}).json().get("members")
