"""Every route × every role × own tenant, foreign tenant, no tenant, expired, revoked, a gate or demand not met:
as the route table predicts it.

The routes come from the program itself (`bailee authorisation`), so a new one is covered by itself.
"""

import json
import re
import ssl
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import msgspec
import pytest

from bailee.access.permissions import SCOPES, STAFF_ROLES, TENANT_ROLES, expand
from tests.functional.instance import Demo, Person, ask

PAGE = Path(__file__).parents[2] / "docs" / "authorisation.md"
UNKNOWN = "01890000-0000-7000-8000-000000000000"
PARAMETER = re.compile(r"\{[^}]+\}")
ELSEWHERE = "127.0.0.2"
BODIES = frozenset({"POST", "PUT", "PATCH"})
UNAUTHENTICATED, FORBIDDEN, NOT_FOUND = 401, 403, 404


class Caller(msgspec.Struct, frozen=True):
    """Somebody who tries: a token, and what it is predicted to permit; None for a token that is worth nothing."""

    name: str
    token: str
    permissions: frozenset[str] | None
    person: bool
    fresh: bool = True
    """Whether a second factor was shown within the last minutes."""
    meets: bool = True
    """Whether the account passes the gates, and what the tenant demands."""


@pytest.fixture(scope="module")
def routes(demo: Demo) -> list[dict[str, Any]]:
    answer = demo.cli("authorisation", "--json")
    assert answer.returncode == 0, answer.stderr
    found: list[dict[str, Any]] = json.loads(answer.stdout)["routes"]
    return found


@pytest.fixture(scope="module")
def callers(demo: Demo) -> list[Caller]:
    """One of each kind."""
    found = [_staff(demo, role) for role in STAFF_ROLES if role not in ("owner", "superuser")]
    found.append(Caller("staff owner", demo.owner.token, STAFF_ROLES["owner"].permissions, person=True))
    found.append(_superuser(demo))
    tenant, foreign = (
        demo.new_tenant(name, sorted(SCOPES), plan="enterprise") for name in ("Matrix own", "Matrix foreign")
    )
    for role, content in TENANT_ROLES.items():
        person = demo.new_member(tenant["id"], role)
        found.append(Caller(f"member {role}", person.token, content.permissions, person=True))
    found.append(Caller("key with every scope", tenant["api_key"], expand(SCOPES), person=False))
    found.append(Caller("key of another tenant", foreign["api_key"], expand(SCOPES), person=False))
    found.append(Caller("client with every scope", _client_token(demo, tenant), expand(SCOPES), person=False))
    found.append(Caller("key with one scope", _narrow_key(demo, tenant), expand(["records:read"]), person=False))
    return found + _stale(demo, tenant) + [_of_no_tenant(demo, tenant)] + _unmet(demo) + _worthless(demo, tenant)


def _client_token(demo: Demo, tenant: dict[str, str]) -> str:
    """An OAuth client's access token."""
    with demo.http(demo.tenant_owner(tenant["id"]).token) as http:
        made = (
            http.post("/api/v1/clients", json={"name": "machine", "scopes": sorted(SCOPES)}).raise_for_status().json()
        )
    with demo.http() as nobody:
        form = {"grant_type": "client_credentials"}
        answer = nobody.post("/oidc/token", data=form, auth=(made["id"], made["secret"]))
    token: str = answer.raise_for_status().json()["access_token"]
    return token


def _narrow_key(demo: Demo, tenant: dict[str, str]) -> str:
    with demo.open(tenant["api_key"]) as key:
        return key.keys.create("narrow", ["records:read"]).token or ""


def _stale(demo: Demo, tenant: dict[str, str]) -> list[Caller]:
    """An owner of each kind, who showed the second factor a while ago."""
    staff, member = demo.invite_staff(["owner"]), demo.new_member(tenant["id"], "owner")
    for person in (staff, member):
        demo.sql(
            "UPDATE sessions SET mfa_at = now() - interval '6 minutes' WHERE account_id ="
            " (SELECT account_id FROM accounts WHERE email = %s)",
            (person.email,),
        )
    return [
        Caller("staff owner, some minutes later", staff.token, STAFF_ROLES["owner"].permissions, True, fresh=False),
        Caller("member owner, some minutes later", member.token, TENANT_ROLES["owner"].permissions, True, fresh=False),
    ]


def _of_no_tenant(demo: Demo, tenant: dict[str, str]) -> Caller:
    """Somebody whose only membership has ended."""
    person = demo.new_member(tenant["id"], "administrator")
    token = person.token
    with demo.http(demo.tenant_owner(tenant["id"]).token) as http:
        http.delete(f"/api/v1/members/{person.id}").raise_for_status()
    return Caller("member of no tenant", token, frozenset(), person=True)


def _unmet(demo: Demo) -> list[Caller]:
    """People in the widest roles who do not pass a gate, or do not meet what their tenant demands."""
    staff = demo.invite_staff(["owner"])
    demo.sql(
        "DELETE FROM totp_factors WHERE account_id = (SELECT account_id FROM accounts WHERE email = %s)", (staff.email,)
    )
    strict, walled = (
        demo.new_tenant(name, ["records:read"], plan="enterprise") for name in ("Matrix strict", "Matrix walled")
    )
    plain = demo.new_member(strict["id"], "owner", enrol=False)
    outside = {role: demo.new_member(walled["id"], role) for role in ("administrator", "owner")}
    _demand(demo, strict, require_mfa=True)
    _demand(demo, walled, networks=[f"{ELSEWHERE}/32"])
    mending = frozenset({"policy.read", "policy.change"})  # or the list of networks could shut everybody out
    return [
        Caller("staff owner without a factor", staff.token, frozenset(), person=True, meets=False),
        Caller("member owner without the factor", plain.token, frozenset(), person=True, meets=False),
        Caller("member from outside", outside["administrator"].token, frozenset(), person=True, meets=False),
        Caller("member owner from outside", outside["owner"].token, mending, person=True, meets=False),
    ]


def _demand(demo: Demo, tenant: dict[str, str], **policy: Any) -> None:
    """Sets a policy as the tenant's owner, who comes from another address than everybody else."""
    token = demo.tenant_owner(tenant["id"]).token
    transport = httpx2.HTTPTransport(
        verify=ssl.create_default_context(cafile=str(demo.ca_file)), local_address=ELSEWHERE
    )
    headers = {"Authorization": f"Bearer {token}"}
    with httpx2.Client(base_url=demo.base_url, headers=headers, transport=transport, trust_env=False) as http:
        http.put("/api/v1/policy", json={**policy, "version": 0}).raise_for_status()


def _staff(demo: Demo, role: str) -> Caller:
    return Caller(f"staff {role}", demo.invite_staff([role]).token, STAFF_ROLES[role].permissions, person=True)


def _superuser(demo: Demo) -> Caller:
    """Somebody who is lent the role, with a second person's approval."""
    person = demo.invite_staff(["support"])
    with demo.http(person.token) as http:
        body = {"role": "superuser", "reason": "trying every route", "minutes": 60}
        asked = http.post("/api/v1/elevations", json=body).json()
    with demo.http(demo.owner.token) as http:
        assert http.post(f"/api/v1/elevations/{asked['id']}/approve").is_success
    return Caller("staff superuser", person.token, STAFF_ROLES["superuser"].permissions, person=True)


def _worthless(demo: Demo, tenant: dict[str, str]) -> list[Caller]:
    """Tokens that were good once."""
    gone = demo.invite_staff(["security_officer"])
    signed_out = demo.invite_staff(["security_officer"])
    member = demo.new_member(tenant["id"], "administrator")
    with demo.open(gone.token) as mine, demo.staff_client() as owner, demo.open(signed_out.token) as other:
        gone_id = mine.account.get().id
        owner.staff.disable(gone_id)
        other.session.sign_out()
    with demo.open(tenant["api_key"]) as key:
        revoked = key.keys.create("revoked", sorted(SCOPES))
        key.keys.revoke(revoked.id)
        soon = datetime.now(UTC) + timedelta(seconds=1)
        expired = key.keys.create("expired", sorted(SCOPES), expires_at=soon)
    late = demo.new_member(tenant["id"], "administrator")
    demo.sql(
        "UPDATE sessions SET expires_at = now() - interval '1 second' WHERE account_id ="
        " (SELECT account_id FROM accounts WHERE email = %s)",
        (late.email,),
    )
    before = member.token
    with demo.http(before) as http:
        http.post("/api/v1/session/step-up", json={"code": member.recovery_codes.pop()}).raise_for_status()
    time.sleep(max(0.0, (soon - datetime.now(UTC)).total_seconds()))
    return [
        Caller("disabled", gone.token, None, person=True),
        Caller("signed out", signed_out.token, None, person=True),
        Caller("replaced at step-up", before, None, person=True),
        Caller("expired session", late.token, None, person=True),
        Caller("revoked key", revoked.token or "", None, person=False),
        Caller("expired key", expired.token or "", None, person=False),
        Caller("nonsense", "bst_nonsense", None, person=False),
    ]


def test_the_page_in_the_documentation_is_what_the_program_does(demo: Demo) -> None:
    assert demo.cli("authorisation").stdout == PAGE.read_text(encoding="utf-8"), "run: bailee authorisation"


def test_no_route_is_open_that_is_not_known_to_be(routes: list[dict[str, Any]]) -> None:
    """What anybody may call examines a password, a link, a secret or nothing. A new one is put here on purpose."""
    opened = {f"{route['method']} {route['path']}" for route in routes if route["access"] == "anyone"}
    assert opened == OPEN


def _request(route: dict[str, Any]) -> dict[str, Any]:
    path = PARAMETER.sub(UNKNOWN, route["path"].replace("{version:int}", "1"))
    body: dict[str, Any] = {"json": {}} if route["method"] in BODIES else {}
    return {"method": route["method"], "url": path, **body}


def _is_api(route: dict[str, Any]) -> bool:
    path: str = route["path"]
    return path.startswith("/api/v1/")


def _refused_for_lack(answer: httpx2.Response) -> bool:
    """Whether it was the permission that was missing, rather than a second factor or something else."""
    return answer.status_code == FORBIDDEN and answer.json()["code"] == "forbidden"


def test_every_route_of_the_api_answers_every_caller_as_predicted(
    demo: Demo, routes: list[dict[str, Any]], callers: list[Caller]
) -> None:
    guarded = [route for route in routes if _is_api(route) and route["access"] == "permissions"]
    assert len(guarded) > 80
    faults = []
    with demo.http() as http:
        for route in guarded:
            anonymous = ask(http, **_request(route))
            if anonymous.status_code != UNAUTHENTICATED:
                faults.append(f"{route}: nobody was answered {anonymous.status_code}")
            for caller in callers:
                fault = _try(http, route, caller)
                if fault:
                    faults.append(f"{route['method']} {route['path']} as {caller.name}: {fault}")
    assert not faults, "\n".join(faults)


def _try(http: httpx2.Client, route: dict[str, Any], caller: Caller) -> str:
    allowed = caller.permissions is not None and set(route["permissions"]) <= caller.permissions
    if allowed and f"{route['method']} {route['path']}" in ACTS_WITHOUT_INPUT:
        return ""
    answer = ask(http, **_request(route), headers={"Authorization": f"Bearer {caller.token}"})
    if caller.permissions is None:
        return "" if answer.status_code == UNAUTHENTICATED else f"a dead token was answered {answer.status_code}"
    if allowed and route["step_up"] and caller.person and not caller.fresh:
        asked = answer.status_code == FORBIDDEN and answer.json()["code"] == "step_up_required"
        return "" if asked else f"should be asked for a second factor, and was answered {answer.status_code}"
    if allowed:
        bad = answer.status_code == UNAUTHENTICATED or answer.status_code >= 500 or _refused_for_lack(answer)
        return f"should be let through, and was answered {answer.status_code} {answer.text[:200]}" if bad else ""
    return "" if _refused_for_lack(answer) else f"should be refused, and was answered {answer.status_code}"


def test_every_route_of_scim_is_for_machines_alone(
    demo: Demo, routes: list[dict[str, Any]], callers: list[Caller]
) -> None:
    scim = [route for route in routes if route["path"].startswith("/scim/")]
    assert len(scim) > 15
    faults = []
    with demo.http() as http:
        for route in scim:
            assert ask(http, **_request(route)).status_code == UNAUTHENTICATED
            for caller in callers:
                answer = ask(http, **_request(route), headers={"Authorization": f"Bearer {caller.token}"})
                if caller.permissions is None:
                    fits = answer.status_code == UNAUTHENTICATED
                elif caller.person or "scim.provision" not in caller.permissions:
                    fits = answer.status_code == FORBIDDEN
                else:
                    fits = answer.status_code not in (UNAUTHENTICATED, FORBIDDEN) and answer.status_code < 500
                if not fits:
                    faults.append(f"{route['method']} {route['path']} as {caller.name}: {answer.status_code}")
    assert not faults, "\n".join(faults)


def test_ones_own_account_is_for_whoever_is_signed_in(
    demo: Demo, routes: list[dict[str, Any]], callers: list[Caller]
) -> None:
    own = [route for route in routes if _is_api(route) and route["access"] == "own account"]
    assert len(own) > 20
    faults = []
    with demo.http() as http:
        for route in own:
            for caller in callers:
                if caller.permissions is not None and caller.person:
                    continue
                answer = ask(http, **_request(route), headers={"Authorization": f"Bearer {caller.token}"})
                if answer.status_code != UNAUTHENTICATED:
                    faults.append(f"{route['method']} {route['path']} as {caller.name}: {answer.status_code}")
            if ask(http, **_request(route)).status_code != UNAUTHENTICATED:
                faults.append(f"{route['method']} {route['path']} as nobody")
    assert not faults, "\n".join(faults)


def test_who_does_not_meet_a_demand_keeps_their_own_account(
    demo: Demo, routes: list[dict[str, Any]], callers: list[Caller]
) -> None:
    own = [
        route for route in routes if _is_api(route) and route["access"] == "own account" and route["method"] == "GET"
    ]
    assert len(own) > 3
    shut = [caller for caller in callers if not caller.meets]
    assert len(shut) >= 4
    with demo.http() as http:
        for caller in shut:
            bearer = {"Authorization": f"Bearer {caller.token}"}
            for route in own:
                answer = ask(http, **_request(route), headers=bearer)
                assert answer.is_success, f"{route['path']} as {caller.name}: {answer.status_code}"
            assert http.get("/api/v1/session", headers=bearer).json()["unmet"], caller.name


def test_every_page_answers_every_caller_as_predicted(
    demo: Demo, routes: list[dict[str, Any]], callers: list[Caller]
) -> None:
    pages = [
        route for route in routes
        if route["access"] == "permissions" and not route["path"].startswith(NO_PAGES)
    ]  # fmt: skip
    assert len(pages) > 20
    faults = []
    for caller in callers:
        if not caller.person:
            continue
        with demo.http() as http:
            http.headers["Cookie"] = f"__Host-bailee={caller.token}"
            http.headers["Origin"] = demo.base_url
            faults += [fault for route in pages if (fault := _look(http, route, caller))]
    assert not faults, "\n".join(faults)


def _look(http: httpx2.Client, route: dict[str, Any], caller: Caller) -> str:
    allowed = caller.permissions is not None and set(route["permissions"]) <= caller.permissions
    if allowed and route["method"] != "GET":
        return ""  # the verb behind it is tried through the API
    path = PARAMETER.sub(UNKNOWN, route["path"].replace("{version:int}", "1"))
    form = {"x": "y"} if route["method"] == "POST" else None
    answer = http.request(route["method"], path, data=form, follow_redirects=False)
    where = f"{route['method']} {route['path']} as {caller.name}: {answer.status_code}"
    if caller.permissions is None:
        leads = answer.status_code == httpx2.codes.SEE_OTHER and answer.headers["location"].startswith("/sign-in")
        return "" if leads else where
    if allowed and route["step_up"] and not caller.fresh:
        return ""  # the page asks for it
    if allowed:
        return where if answer.status_code in (UNAUTHENTICATED, FORBIDDEN) or answer.status_code >= 500 else ""
    return "" if answer.status_code == FORBIDDEN else where


@pytest.fixture(scope="module")
def neighbours(demo: Demo) -> tuple[Person, dict[str, str]]:
    """The owner of one tenant, and what another one's things are called, by the parameters of the routes."""
    mine, theirs = (
        demo.new_tenant(name, sorted(SCOPES), plan="enterprise") for name in ("Neighbour one", "Neighbour two")
    )
    owner, other = demo.new_member(mine["id"], "owner"), demo.new_member(theirs["id"], "owner")
    definition = {
        "title": "Theirs", "purpose": "Trying every route.", "subject": "optional",
        "fields": {"name": {"type": "string", "category": "identity"}},
    }  # fmt: skip
    with demo.http(other.token) as http:

        def made(method: str, path: str, body: dict[str, Any]) -> Any:
            return http.request(method, f"/api/v1{path}", json=body).raise_for_status().json()

        invited = made("POST", "/members/invitations", {"email": "n@example.com", "name": "N", "role": "viewer"})
        key = made("POST", "/keys", {"name": "theirs", "permissions": ["records:read"]})
        client = made("POST", "/clients", {"name": "theirs", "scopes": ["records:read"]})
        domain = made("POST", "/domains", {"domain": "theirs.example"})
        made("PUT", "/roles/theirs", {"title": "Theirs", "permissions": ["records.read"]})
        made("PUT", "/collections/theirs", definition)
        record = made("POST", "/collections/theirs/records", {"subject": "theirs", "data": {"name": "n"}})
        http.put("/api/v1/files/theirs", content=b"x").raise_for_status()
    alert, suppression, rule, incident, case, webhook, delivery, hold = (str(uuid4()) for _ in range(8))
    demo.sql(
        "INSERT INTO legal_holds (tenant_id, hold_id, origin, kind, basis, everything, collections, holders, records,"
        " ends_on, state, requested_by, requested_at)"
        " VALUES (%s, %s, 'person', 'tax', 'x', true, '{}', '{}', '{}', '2100-01-01', 'requested', 'x', now())",
        (theirs["id"], hold),
    )
    demo.sql(
        "INSERT INTO webhooks (tenant_id, webhook_id, url, topics, secret, created_by)"
        " VALUES (%s, %s, 'https://theirs.example', '{alerts}', 'x', 'x')",
        (theirs["id"], webhook),
    )
    demo.sql(
        "INSERT INTO webhook_deliveries (tenant_id, delivery_id, webhook_id, topic, body, state)"
        " VALUES (%s, %s, %s, 'alerts', 'x', 'dead')",
        (theirs["id"], delivery, webhook),
    )
    demo.sql(
        "INSERT INTO support_cases (tenant_id, case_id, reason, asked_by, hours, collections, holders, records)"
        " VALUES (%s, %s, 'x', %s, 1, '{theirs}', '{}', '{}')",
        (theirs["id"], case, str(uuid4())),
    )
    demo.sql(
        "INSERT INTO notices (tenant_id, incident_id, version, number, state, exercise, nature, impact,"
        " mitigation_taken, mitigation_planned, contact, verified_at, due_at, edited_by, approved_by, sent_at, reached)"
        " VALUES (%s, %s, 1, 1, 'sent', false, 'x', 'x', 'x', 'x', 'x', now(), now(), '{a}', 'b', now(), '[]')",
        (theirs["id"], incident),
    )
    demo.sql(
        "INSERT INTO alerts (tenant_id, alert_id, rule_id, title, level, digest, grouped_by, reason, status, matches,"
        " first_at, last_at) VALUES (%s, %s, %s, 'Theirs', 'low', 'x', '{}', 'theirs', 'open', 1, now(), now())",
        (theirs["id"], alert, rule),
    )
    demo.sql(
        "INSERT INTO alert_suppressions (tenant_id, suppression_id, rule_id, title, reason, created_by, expires_at)"
        " VALUES (%s, %s, %s, 'Theirs', 'theirs', 'theirs', now() + interval '1 day')",
        (theirs["id"], suppression, rule),
    )
    return owner, {
        "account": other.id, "invitation": invited["id"], "key": key["id"], "client": client["id"],
        "domain": domain["id"], "role": "theirs", "collection": "theirs", "record": record["id"], "file": "theirs",
        "name": "theirs", "subject": "theirs", "tenant": theirs["id"],
        "alert": alert, "suppression": suppression, "incident": incident, "case": case,
        "webhook": webhook, "delivery": delivery, "version": "1", "hold": hold,
    }  # fmt: skip


def test_what_belongs_to_another_tenant_does_not_exist(
    demo: Demo, routes: list[dict[str, Any]], neighbours: tuple[Person, dict[str, str]]
) -> None:
    """Every route of the API with something in its path, as an owner: the foreign thing, and one that is not there."""
    owner, theirs = neighbours
    tried, faults = 0, []
    missing_ids = dict.fromkeys(theirs, UNKNOWN) | {"version": "1"}
    with demo.http(owner.token) as http:
        for route in routes:
            names = [name.partition(":")[0] for name in re.findall(r"\{([^}]+)\}", route["path"])]
            if not _is_api(route) or not names or not set(route["permissions"]) <= TENANT_ROLES["owner"].permissions:
                continue
            if f"{route['method']} {route['path']}" in MADE_BY_NAME or not route["permissions"] or "measure" in names:
                continue
            unnamed = set(names) - theirs.keys()
            assert not unnamed, f"say what {unnamed} of {route['path']} is called in the other tenant"
            tried += 1
            found, missing = (_foreign(http, route, names, ids) for ids in (theirs, missing_ids))
            same = {**found.json(), "request_id": ""} == {**missing.json(), "request_id": ""}
            if found.status_code != NOT_FOUND or not same:
                faults.append(f"{route['method']} {route['path']}: {found.status_code} {found.text[:200]}")
    assert tried > 25
    assert not faults, "\n".join(faults)


def _foreign(
    http: httpx2.Client, route: dict[str, Any], names: list[str], ids: dict[str, str]
) -> httpx2.Response:  # fmt: skip
    path = route["path"]
    for name in names:
        path = re.sub(r"\{" + name + r"[^}]*\}", ids[name], path)
    body = WELL_FORMED.get(f"{route['method']} {route['path']}")
    if path.endswith(("/records/batch", "/records/read")):
        lines = {"content": json.dumps(body).encode() + b"\n", "headers": {"Content-Type": "application/x-ndjson"}}
        return http.request(route["method"], path, **lines)  # type: ignore[arg-type]
    return http.request(route["method"], path, json=body if route["method"] in BODIES else None)


def test_nobody_switches_into_a_tenant_they_do_not_belong_to(
    demo: Demo, neighbours: tuple[Person, dict[str, str]]
) -> None:
    owner, theirs = neighbours
    with demo.http(owner.token) as http:
        assert http.post("/api/v1/session/tenant", json={"tenant": theirs["tenant"]}).status_code == NOT_FOUND


ACTS_WITHOUT_INPUT = frozenset({
    "POST /api/v1/break-glass/seal", "POST /api/v1/provider/rotate-keys", "POST /api/v1/exercises",
    "POST /api/v1/retention/run", "POST /api/v1/termination", "POST /api/v1/termination/cancel", "POST /api/v1/export",
})  # fmt: skip
"""They would do what they are for: tried by their own tests."""
MADE_BY_NAME = frozenset({
    "PUT /api/v1/collections/{name:str}", "PUT /api/v1/event-types/{name:str}",
    "PUT /api/v1/roles/{role:str}", "PUT /api/v1/files/{file:str}",
})  # fmt: skip
"""Names are each tenant's own: these make a thing of one's own, whatever a neighbour calls theirs."""
WELL_FORMED: dict[str, Any] = {
    "POST /api/v1/holds/{hold:str}/lift": {"reason": "placed_in_error"},
    "POST /api/v1/holds/{hold:str}/extend": {"ends_on": f"{datetime.now(UTC).date() + timedelta(days=9)}"},
    "POST /api/v1/holds/{hold:str}/decide": {"approved": True},
    "POST /api/v1/holds/{hold:str}/look": {"purpose": "audit"},
    "POST /api/v1/holds/{hold:str}/files/{file:str}/look": {"purpose": "audit"},
    "POST /api/v1/members/{account:str}/role": {"role": "viewer"},
    "POST /api/v1/members/{account:str}/reset-factors": {"reason": "somebody else’s member"},
    "POST /api/v1/keys/{key:str}/rotate": {"overlap_hours": 1},
    "POST /api/v1/clients/{client:str}/rotate-secret": {"overlap_hours": 1},
    "PATCH /api/v1/clients/{client:str}": {"name": "mine", "scopes": ["records:read"]},
    "POST /api/v1/alerts/{alert:str}/assign": {"assignee": None},
    "POST /api/v1/support-cases/{case:str}/grant": {},
    "POST /api/v1/alerts/{alert:str}/close": {"resolution": "handled"},
    "POST /api/v1/alerts/{alert:str}/notes": {"note": "mine"},
    "POST /api/v1/alerts/{alert:str}/suppress": {"days": 1, "reason": "somebody else’s alert"},
    "POST /api/v1/collections/{name:str}/records": {"data": {"name": "n"}},
    "POST /api/v1/collections/{name:str}/records/batch": {"data": {"name": "n"}},
    "POST /api/v1/collections/{name:str}/records/read": {"id": UNKNOWN},
    "PUT /api/v1/collections/{name:str}/records/{record:str}": {"data": {"name": "n"}},
    "PATCH /api/v1/collections/{name:str}/records/{record:str}": {"data": {"name": "n"}},
}
"""What gets as far as looking for the thing."""
NO_PAGES = ("/api/", "/ledger/", "/scim/", "/oidc/", "/.well-known/")
OPEN = frozenset(
    {
        "GET /",
        "GET /.well-known/oauth-authorization-server",
        "GET /.well-known/openid-configuration",
        "POST /api/v1/certificate",
        "GET /certificate",
        "POST /certificate",
        "POST /api/v1/device",
        "POST /api/v1/device/token",
        "POST /api/v1/enrolment",
        "POST /api/v1/invitation",
        "POST /api/v1/invitation/accept",
        "GET /api/v1/ledger/consistency",
        "GET /api/v1/openapi.json",
        "GET /api/v1/openapi.json/openapi.json",
        "GET /api/v1/openapi.json/{path:str}",
        "POST /api/v1/password",
        "POST /api/v1/password/link",
        "POST /api/v1/session",
        "POST /api/v1/session/code",
        "POST /api/v1/session/passkey",
        "POST /api/v1/session/passkey/options",
        "POST /api/v1/setup",
        "POST /api/v1/setup/confirm",
        "GET /enrolment",
        "POST /enrolment",
        "GET /health",
        "GET /metrics",
        "GET /ready",
        "GET /invitation",
        "POST /invitation",
        "POST /invitation/accept",
        "GET /ledger/checkpoint",
        "GET /ledger/keys",
        "GET /ledger/tile/{path:path}",
        "POST /oidc/again",
        "GET /oidc/authorize",
        "POST /oidc/authorize",
        "POST /oidc/introspect",
        "GET /oidc/jwks",
        "GET /oidc/logout",
        "POST /oidc/logout",
        "POST /oidc/logout/confirm",
        "POST /oidc/revoke",
        "POST /oidc/token",
        "GET /oidc/userinfo",
        "POST /oidc/userinfo",
        "GET /password",
        "POST /password",
        "POST /password/link",
        "GET /setup",
        "POST /setup",
        "POST /setup/confirm",
        "GET /sign-in",
        "POST /sign-in",
        "POST /sign-in/code",
        "POST /sign-in/passkey",
        "POST /sign-in/passkey/options",
        "POST /sign-out",
        "GET /sso/callback",
        "POST /sso/start",
    }
)
