"""Every operation, on both clients: the request that `docs` promise, and a result of the right type."""

import ast
import inspect
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

import bailee.client
from bailee.client import (
    Account,
    Alert,
    AlertDetails,
    ApiError,
    ApiKey,
    Attachment,
    Backup,
    BackupDrill,
    BackupRelease,
    BegunExercise,
    Breach,
    BreakGlassState,
    BulkResult,
    Collection,
    Definition,
    DeviceRequest,
    Domain,
    Elevation,
    Enrolled,
    ErasureReceipt,
    EventField,
    EventType,
    ExerciseResult,
    Factors,
    Incident,
    IncidentDetails,
    IncidentTask,
    IncidentTrigger,
    Invitation,
    InvitationView,
    LinkedAlert,
    Measure,
    Member,
    Notice,
    NoticeDetails,
    OAuthClient,
    PendingSignIn,
    Policy,
    Reach,
    Record,
    Report,
    Review,
    ReviewItem,
    SealedEnvelope,
    SentNotice,
    Session,
    SetupStarted,
    SsoConnection,
    SsoReport,
    SupportCase,
    Suppression,
    Tenant,
    TenantRole,
    TimelineEntry,
    TotpEnrolment,
    Webhook,
    WebhookDelivery,
)
from bailee.client.binding import Batch, Group, Operation, Paged, Streamed
from bailee.client.groups import Surface
from tests.unit.client.conftest import RigOf
from tests.unit.client.harness import Rig, record

NOW = "2026-01-02T03:04:05Z"
COLLECTION = {
    "name": "people",
    "title": "People",
    "purpose": "Contracts",
    "subject": "required",
    "retention": "P3Y",
    "fields": {"email": {"type": "email", "category": "contact", "searchable": "email"}},
    "version": 1,
    "records": 0,
    "created_at": NOW,
    "updated_at": NOW,
}
TENANT = {"id": "t1", "name": "Acme", "state": "active", "plan": "standard", "features": []}
KEY = {"id": "k1", "name": "ci", "permissions": ["records:read"], "created_at": NOW, "token": "bailee_x"}
ACCOUNT = {"id": "a1", "email": "a@example.org", "name": "Ada", "kind": "staff", "roles": ["owner"], "mfa": True}
SESSION = {"token": "bst_x", "expires_at": NOW, "account": ACCOUNT}
SETUP = {"account": ACCOUNT, "totp_secret": "S", "totp_uri": "otpauth://x", "confirmation": "c"}
RECEIPT = {"subject": "ada", "erased_at": NOW, "records": 2, "files": 1, "keys": 1, "event": "e1", "ledger_index": None}

ENROLLED = SESSION | {"recovery_codes": ["a", "b"]}
PENDING = {"pending": "bpd_x", "methods": ["totp"]}
DEVICE = {
    "device_code": "bdc_x", "user_code": "BCDF-GHJK", "verification_uri": "https://bailee.test/device",
    "expires_in": 600, "interval": 5,
}  # fmt: skip
INVITATION = {
    "id": "i1",
    "email": "a@example.org",
    "name": "Ada",
    "roles": ["owner"],
    "link": "https://x/invitation#biv_x",
}
VIEW = {"email": "a@example.org", "name": "Ada", "staff": True, "place": "the staff", "roles": [], "has_account": False}
ELEVATION = {
    "id": "e1", "account_id": "a1", "email": "a@example.org", "role": "superuser", "reason": "Because it is needed.",
    "minutes": 60, "state": "requested", "requested_at": NOW,
}  # fmt: skip
REVIEW = {"id": "r1", "title": "Q1", "state": "open", "opened_at": NOW, "due_at": NOW, "items": 3, "decided": 1}
ITEM = {
    "id": "x1", "account_id": "a1", "email": "a@example.org", "name": "Ada", "role": "owner", "reviewer_id": "a2",
    "reviewer": "Bob",
}  # fmt: skip
MEMBER = {"account_id": "a1", "email": "a@example.org", "name": "Ada", "role": "owner", "state": "active"}
ROLE = {"name": "desk", "title": "Desk", "permissions": ["records.read"], "built_in": False}
POLICY = {"require_mfa": True, "version": 3, "included": ["require_mfa"], "available_with": {"require_sso": ["big"]}}
SENT_POLICY = (
    '{"require_mfa":true,"require_sso":false,"min_password_length":8,"min_password_score":2,"session_hours":12,'
    '"idle_minutes":60,"networks":[],"version":3}'
)
CLIENT = {"id": "c1", "name": "Portal", "kind": "confidential", "scopes": ["openid"], "secret": "bcs_x"}
SENT_CLIENT = (
    '{"name":"Portal","scopes":["openid"],"kind":"confidential","redirect_uris":["https://p.example/back"],'
    '"post_logout_redirect_uris":[],"secret_expires_at":"2026-03-01T12:00:00Z"}'
)
DOMAIN = {"id": "d1", "domain": "example.com", "record_name": "_x.example.com", "record_value": "y", "created_at": NOW}
CONNECTION = {
    "issuer": "https://idp.example", "client_id": "bailee", "default_role": "viewer", "enabled": True,
    "redirect_uri": "https://bailee.test/sso/callback",
}  # fmt: skip
REPORT = {"issuer": "https://idp.example", "authorization_endpoint": "a", "token_endpoint": "t", "signing_keys": 2}
ALERT = {
    "id": "al1", "tenant_id": "t1", "rule_id": "r1", "title": "Guessing", "level": "high", "status": "open",
    "grouped_by": {"address": "192.0.2.1"},
}  # fmt: skip
SUPPRESSION = {
    "id": "su1", "rule_id": "r1", "title": "Guessing", "of_one_group": True, "reason": "Expected so.",
    "created_by": "a1",
}  # fmt: skip
INCIDENT = {"id": "i1", "number": 1, "title": "A", "phase": "identified", "severity": "low"}
TASK = {"id": "k1", "title": "Do it"}
NOTICE = {"incident_id": "i1", "tenant_id": "t1", "version": 1, "state": "draft"}
BREACH = {"verified_at": NOW, "due_at": NOW}
RESULT = {"id": "x1", "passed": True}
TRIGGER = {"id": "g1", "level": "high"}
BACKUP = {"id": "b1", "server": "main", "kind": "full", "generation": "daily", "state": "complete", "size": 7}
RELEASE = {"id": "r1", "purpose": "disaster_recovery", "state": "requested"}
DRILL = {"id": "d1", "state": "passed", "rto_seconds": 12.5, "faults": []}
CASE = {"id": "c1", "tenant_id": "t1", "state": "requested"}
HOOK = {"id": "w1", "url": "https://x.example", "topics": ["alerts"], "secret": "whsec_x"}
DELIVERY = {"id": "d1", "webhook_id": "w1", "topic": "alerts", "state": "dead"}
KIND = {"name": "sign_in", "title": "A sign-in", "fields": {"mobile": {"type": "flag"}}}
CASES = "/api/v1/support-cases"
HERE = "/api/v1/incidents/i1"
THERE = "/api/v1/incidents/i1/notices/t1"
STAFF = "/api/v1/staff/a1"
FACTORS = "/api/v1/account/factors"
MEMBERS = "/api/v1/members"

type Act = Callable[[Any], Any]
type Case = tuple[str, Act, str, Any, type]

MEASURE = {"id": "1.1", "title": "Policies", "status": "holds"}

SINGLE: list[Case] = [
    (
        "PUT /api/v1/collections/people",
        lambda c: c.collections.put("people", Definition(title="People", purpose="Contracts", fields={})),
        '{"subject":"required","title":"People","purpose":"Contracts","fields":{}}',
        COLLECTION,
        Collection,
    ),
    ("GET /api/v1/collections/people", lambda c: c.collections.get("people"), "", COLLECTION, Collection),
    ("DELETE /api/v1/collections/people", lambda c: c.collections.delete("people"), "", None, type(None)),
    (
        "POST /api/v1/collections/people/records",
        lambda c: c.records.create("people", {"n": 1}, subject="ada"),
        '{"subject":"ada","data":{"n":1}}',
        record(),
        Record,
    ),
    ("GET /api/v1/collections/people/records/1", lambda c: c.records.get("people", "1"), "", record(), Record),
    (
        "PUT /api/v1/collections/people/records/1",
        lambda c: c.records.replace("people", "1", {"n": 2}, if_match=1),
        '{"data":{"n":2}}',
        record(),
        Record,
    ),
    (
        "PATCH /api/v1/collections/people/records/1",
        lambda c: c.records.patch("people", "1", {"n": 2}),
        '{"data":{"n":2}}',
        record(),
        Record,
    ),
    ("DELETE /api/v1/collections/people/records/1", lambda c: c.records.delete("people", "1"), "", None, type(None)),
    ("DELETE /api/v1/subjects/ada", lambda c: c.subjects.erase("ada"), "", RECEIPT, ErasureReceipt),
    ("DELETE /api/v1/files/a", lambda c: c.files.delete("a"), "", None, type(None)),
    ("GET /api/v1/measures/1.1", lambda c: c.measures.get("1.1"), "", MEASURE, Measure),
    ("GET /api/v1/measures", lambda c: c.measures.report(), "", {"measures": [MEASURE]}, Report),
    (
        "POST /api/v1/keys",
        lambda c: c.keys.create("ci", ["records:read"]),
        '{"name":"ci","permissions":["records:read"]}',
        KEY,
        ApiKey,
    ),
    ("DELETE /api/v1/keys/k1", lambda c: c.keys.revoke("k1"), "", None, type(None)),
    ("GET /api/v1/tenant", lambda c: c.tenants.own(), "", TENANT, Tenant),
    (
        "POST /api/v1/tenants",
        lambda c: c.tenants.create("Acme"),
        '{"name":"Acme","plan":"standard"}',
        TENANT,
        Tenant,
    ),
    ("GET /api/v1/tenants/t1", lambda c: c.tenants.get("t1"), "", TENANT, Tenant),
    ("PATCH /api/v1/tenants/t1", lambda c: c.tenants.change("t1", plan="pro"), '{"plan":"pro"}', TENANT, Tenant),
    ("POST /api/v1/tenants/t1/suspend", lambda c: c.tenants.suspend("t1"), "", TENANT, Tenant),
    ("POST /api/v1/tenants/t1/resume", lambda c: c.tenants.resume("t1"), "", TENANT, Tenant),
    ("POST /api/v1/tenants/t1/rotate-key", lambda c: c.tenants.rotate_key("t1"), "", None, type(None)),
    (
        "POST /api/v1/tenants/t1/keys",
        lambda c: c.tenants.keys.create("t1", "ci", []),
        '{"name":"ci","permissions":[]}',
        KEY,
        ApiKey,
    ),
    ("DELETE /api/v1/tenants/t1/keys/k1", lambda c: c.tenants.keys.revoke("t1", "k1"), "", None, type(None)),
    (
        "POST /api/v1/session",
        lambda c: c.session.sign_in("a@example.org", "p", "123456"),
        '{"email":"a@example.org","password":"p","code":"123456"}',
        SESSION,
        Session,
    ),
    ("GET /api/v1/session", lambda c: c.session.get(), "", SESSION, Session),
    ("DELETE /api/v1/session", lambda c: c.session.sign_out(), "", None, type(None)),
    (
        "POST /api/v1/setup",
        lambda c: c.setup.start("t", email="a@example.org", name="Ada", password="p"),
        '{"token":"t","email":"a@example.org","name":"Ada","password":"p"}',
        SETUP,
        SetupStarted,
    ),
    (
        "POST /api/v1/setup/confirm",
        lambda c: c.setup.confirm("c", "123456"),
        '{"confirmation":"c","code":"123456"}',
        SESSION,
        Session,
    ),
    ("GET /api/v1/ledger/proof?event=e1", lambda c: c.ledger.proof("e1"), "", {"items": []}, dict),
    ("POST /api/v1/ledger/bundle", lambda c: c.ledger.bundle(["e1"]), '{"events":["e1"]}', {"items": []}, dict),
    ("GET /health", lambda c: c.health(), "", {"status": "ok"}, dict),
]

ACCESS: list[Case] = [
    (
        "POST /api/v1/session",
        lambda c: c.session.sign_in("a@example.org", "p"),
        '{"email":"a@example.org","password":"p"}',
        PENDING,
        PendingSignIn,
    ),
    (
        "POST /api/v1/session/code",
        lambda c: c.session.finish("bpd_x", "123456"),
        '{"pending":"bpd_x","code":"123456"}',
        SESSION,
        Session,
    ),
    ("POST /api/v1/session/step-up", lambda c: c.session.step_up("123456"), '{"code":"123456"}', SESSION, Session),
    ("POST /api/v1/session/tenant", lambda c: c.session.switch_tenant("t1"), '{"tenant":"t1"}', SESSION, Session),
    ("DELETE /api/v1/sessions/s1", lambda c: c.sessions.end("s1"), "", None, type(None)),
    ("DELETE /api/v1/sessions", lambda c: c.sessions.end_others(), "", {"count": 2}, int),
    ("GET /api/v1/sessions", lambda c: c.sessions.list(), "", [], list),
    ("POST /api/v1/device", lambda c: c.device.start("build-box"), '{"label":"build-box"}', DEVICE, DeviceRequest),
    ("POST /api/v1/device/token", lambda c: c.device.poll("bdc_x"), '{"device_code":"bdc_x"}', SESSION, Session),
    ("GET /api/v1/account", lambda c: c.account.get(), "", ACCOUNT, Account),
    ("PATCH /api/v1/account", lambda c: c.account.rename("Ada L."), '{"name":"Ada L."}', ACCOUNT, Account),
    ("GET /api/v1/account/tenants", lambda c: c.account.tenants(), "", [], list),
    (
        "POST /api/v1/account/password",
        lambda c: c.account.change_password("p", "q"),
        '{"old":"p","new":"q"}',
        SESSION,
        Session,
    ),
    (f"GET {FACTORS}", lambda c: c.account.factors.get(), "", {"totp": True, "passkeys": []}, Factors),
    (f"POST {FACTORS}/totp", lambda c: c.account.factors.begin_totp(), "", {"secret": "S", "uri": "o"}, TotpEnrolment),
    (
        f"POST {FACTORS}/totp/confirm",
        lambda c: c.account.factors.confirm_totp("123456"),
        '{"code":"123456"}',
        ENROLLED,
        Enrolled,
    ),
    (f"DELETE {FACTORS}/totp", lambda c: c.account.factors.remove_totp(), "", None, type(None)),
    (
        f"PATCH {FACTORS}/passkeys/p1",
        lambda c: c.account.factors.rename_passkey("p1", "Key"),
        '{"name":"Key"}',
        None,
        type(None),
    ),
    (f"DELETE {FACTORS}/passkeys/p1", lambda c: c.account.factors.remove_passkey("p1"), "", None, type(None)),
    (
        f"POST {FACTORS}/recovery-codes",
        lambda c: c.account.factors.new_recovery_codes(),
        "",
        {"recovery_codes": ["a"]},
        list,
    ),
    ("POST /api/v1/password/link", lambda c: c.password.ask_link("a@x.org"), '{"email":"a@x.org"}', None, type(None)),
    (
        "POST /api/v1/password",
        lambda c: c.password.reset("bln_x", "p"),
        '{"token":"bln_x","password":"p"}',
        None,
        type(None),
    ),
    (
        "POST /api/v1/enrolment",
        lambda c: c.password.begin_enrolment("bln_x", "p"),
        '{"token":"bln_x","password":"p"}',
        SESSION,
        Session,
    ),
    ("POST /api/v1/invitation", lambda c: c.invitation.view("biv_x"), '{"token":"biv_x"}', VIEW, InvitationView),
    (
        "POST /api/v1/invitation/accept",
        lambda c: c.invitation.accept("biv_x", name="Ada", password="p"),
        '{"token":"biv_x","name":"Ada","password":"p"}',
        SESSION,
        Session,
    ),
    ("POST /api/v1/invitation/join", lambda c: c.invitation.join("biv_x"), '{"token":"biv_x"}', {"tenant": "t1"}, str),
    (f"GET {STAFF}", lambda c: c.staff.get("a1"), "", ACCOUNT, Account),
    ("GET /api/v1/alerts/al1", lambda c: c.alerts.get("al1"), "", {"alert": ALERT}, AlertDetails),
    ("POST /api/v1/alerts/al1/acknowledge", lambda c: c.alerts.acknowledge("al1"), "", ALERT, Alert),
    ("POST /api/v1/alerts/al1/assign", lambda c: c.alerts.assign("al1", "a1"), '{"assignee":"a1"}', ALERT, Alert),
    (
        "POST /api/v1/alerts/al1/close",
        lambda c: c.alerts.close("al1", "handled"),
        '{"resolution":"handled"}',
        ALERT,
        Alert,
    ),
    ("POST /api/v1/alerts/al1/notes", lambda c: c.alerts.note("al1", "Seen."), '{"note":"Seen."}', [], list),
    (
        "POST /api/v1/alerts/al1/suppress",
        lambda c: c.alerts.suppress("al1", days=7, reason="A drill this week."),
        '{"days":7,"reason":"A drill this week.","everything":false}',
        SUPPRESSION,
        Suppression,
    ),
    (
        "POST /api/v1/suppressions/su1/end",
        lambda c: c.alerts.end_suppression("su1"),
        "",
        SUPPRESSION,
        Suppression,
    ),
    ("GET /api/v1/people?email=a%40example.org", lambda c: c.staff.find_person("a@example.org"), "", ACCOUNT, Account),
    (f"POST {STAFF}/disable", lambda c: c.staff.disable("a1"), "", ACCOUNT, Account),
    (f"POST {STAFF}/enable", lambda c: c.staff.enable("a1"), "", ACCOUNT, Account),
    (f"POST {STAFF}/off-board", lambda c: c.staff.off_board("a1"), "", ACCOUNT, Account),
    (
        f"POST {STAFF}/reset-factors",
        lambda c: c.staff.reset_factors("a1", "It was lost."),
        '{"reason":"It was lost."}',
        {"link": None},
        type(None),
    ),
    (f"POST {STAFF}/end-sessions", lambda c: c.staff.end_sessions("a1"), "", {"count": 1}, int),
    (f"PUT {STAFF}/roles/auditor", lambda c: c.staff.grant("a1", "auditor"), "", None, type(None)),
    (f"DELETE {STAFF}/roles/auditor", lambda c: c.staff.withdraw("a1", "auditor"), "", None, type(None)),
    ("GET /api/v1/staff/roles", lambda c: c.staff.roles(), "", [], list),
    ("GET /api/v1/staff/privileges", lambda c: c.staff.privileges(), "", [], list),
    (
        "POST /api/v1/staff/invitations",
        lambda c: c.staff.invitations.create("a@example.org", "Ada", ["auditor"]),
        '{"email":"a@example.org","name":"Ada","roles":["auditor"]}',
        INVITATION,
        Invitation,
    ),
    ("DELETE /api/v1/staff/invitations/i1", lambda c: c.staff.invitations.withdraw("i1"), "", None, type(None)),
    (
        "POST /api/v1/tenants/t1/owner-invitation",
        lambda c: c.tenants.invite_owner("t1", email="a@example.org", name="Ada"),
        '{"email":"a@example.org","name":"Ada"}',
        INVITATION,
        Invitation,
    ),
    (
        "POST /api/v1/elevations",
        lambda c: c.elevations.request("superuser", reason="Needed.", minutes=60),
        '{"role":"superuser","reason":"Needed.","minutes":60}',
        ELEVATION,
        Elevation,
    ),
    ("POST /api/v1/elevations/e1/approve", lambda c: c.elevations.approve("e1"), "", ELEVATION, Elevation),
    ("POST /api/v1/elevations/e1/refuse", lambda c: c.elevations.refuse("e1"), "", ELEVATION, Elevation),
    ("POST /api/v1/elevations/e1/end", lambda c: c.elevations.end("e1"), "", ELEVATION, Elevation),
    (
        "POST /api/v1/reviews",
        lambda c: c.reviews.open("Q1", due_at=datetime(2026, 3, 1, 13, tzinfo=timezone(timedelta(hours=1)))),
        '{"title":"Q1","due_at":"2026-03-01T12:00:00Z"}',
        REVIEW,
        Review,
    ),
    ("GET /api/v1/reviews/r1/items", lambda c: c.reviews.items("r1"), "", [ITEM], list),
    ("POST /api/v1/reviews/r1/items/x1/confirm", lambda c: c.reviews.confirm("r1", "x1"), "", ITEM, ReviewItem),
    ("POST /api/v1/reviews/r1/items/x1/revoke", lambda c: c.reviews.revoke("r1", "x1"), "", ITEM, ReviewItem),
    ("POST /api/v1/reviews/r1/close", lambda c: c.reviews.close("r1"), "", REVIEW, Review),
    ("GET /api/v1/break-glass", lambda c: c.break_glass.state(), "", {"exists": True, "sealed": True}, BreakGlassState),
    (
        "POST /api/v1/break-glass/seal",
        lambda c: c.break_glass.seal(),
        "",
        {"email": "e", "password": "p", "codes": ["c"]},
        SealedEnvelope,
    ),
    (f"GET {MEMBERS}/a1", lambda c: c.members.get("a1"), "", MEMBER, Member),
    (f"POST {MEMBERS}/a1/role", lambda c: c.members.change_role("a1", "viewer"), '{"role":"viewer"}', MEMBER, Member),
    (f"POST {MEMBERS}/a1/disable", lambda c: c.members.disable("a1"), "", MEMBER, Member),
    (f"POST {MEMBERS}/a1/enable", lambda c: c.members.enable("a1"), "", MEMBER, Member),
    (f"DELETE {MEMBERS}/a1", lambda c: c.members.remove("a1"), "", None, type(None)),
    (
        f"POST {MEMBERS}/a1/reset-factors",
        lambda c: c.members.reset_factors("a1", "It was lost."),
        '{"reason":"It was lost."}',
        None,
        type(None),
    ),
    (
        f"POST {MEMBERS}/invitations",
        lambda c: c.members.invitations.create("a@example.org", "Ada", "viewer"),
        '{"email":"a@example.org","name":"Ada","role":"viewer"}',
        INVITATION,
        Invitation,
    ),
    (f"DELETE {MEMBERS}/invitations/i1", lambda c: c.members.invitations.withdraw("i1"), "", None, type(None)),
    ("GET /api/v1/roles", lambda c: c.roles.list(), "", [ROLE], list),
    (
        "PUT /api/v1/roles/desk",
        lambda c: c.roles.define("desk", title="Desk", permissions=["records.read"]),
        '{"title":"Desk","permissions":["records.read"]}',
        ROLE,
        TenantRole,
    ),
    ("DELETE /api/v1/roles/desk", lambda c: c.roles.delete("desk"), "", None, type(None)),
    ("GET /api/v1/policy", lambda c: c.policy.get(), "", POLICY, Policy),
    ("PUT /api/v1/policy", lambda c: c.policy.put(msgspec.convert(POLICY, Policy)), SENT_POLICY, POLICY, Policy),
    (
        "POST /api/v1/keys/k1/rotate",
        lambda c: c.keys.rotate("k1", overlap_hours=1),
        '{"overlap_hours":1}',
        KEY,
        ApiKey,
    ),
]

FEDERATION: list[Case] = [
    ("GET /api/v1/clients/c1", lambda c: c.clients.get("c1"), "", CLIENT, OAuthClient),
    (
        "POST /api/v1/clients",
        lambda c: c.clients.register(
            "Portal",
            ["openid"],
            redirect_uris=["https://p.example/back"],
            secret_expires_at=datetime(2026, 3, 1, 13, tzinfo=timezone(timedelta(hours=1))),
        ),
        SENT_CLIENT,
        CLIENT,
        OAuthClient,
    ),
    (
        "PATCH /api/v1/clients/c1",
        lambda c: c.clients.change("c1", name="Door", redirect_uris=[]),
        '{"name":"Door","redirect_uris":[]}',
        CLIENT,
        OAuthClient,
    ),
    (
        "POST /api/v1/clients/c1/rotate-secret",
        lambda c: c.clients.rotate_secret("c1", overlap_hours=0),
        '{"overlap_hours":0}',
        CLIENT,
        OAuthClient,
    ),
    ("DELETE /api/v1/clients/c1", lambda c: c.clients.revoke("c1"), "", None, type(None)),
    ("GET /api/v1/domains", lambda c: c.domains.list(), "", [DOMAIN], list),
    ("POST /api/v1/domains", lambda c: c.domains.add("example.com"), '{"domain":"example.com"}', DOMAIN, Domain),
    ("POST /api/v1/domains/d1/verify", lambda c: c.domains.verify("d1"), "", DOMAIN, Domain),
    ("DELETE /api/v1/domains/d1", lambda c: c.domains.remove("d1"), "", None, type(None)),
    ("GET /api/v1/sso", lambda c: c.sso.get(), "", CONNECTION, SsoConnection),
    (
        "PUT /api/v1/sso",
        lambda c: c.sso.configure("https://idp.example", "bailee", client_secret="s", enabled=False),
        '{"issuer":"https://idp.example","client_id":"bailee","default_role":"viewer","enabled":false,'
        '"client_secret":"s"}',
        CONNECTION,
        SsoConnection,
    ),
    ("POST /api/v1/sso/test", lambda c: c.sso.test(), "", REPORT, SsoReport),
    ("DELETE /api/v1/sso", lambda c: c.sso.remove(), "", None, type(None)),
]

WATCHING: list[Case] = [
    (f"GET {CASES}/c1", lambda c: c.support_cases.get("c1"), "", CASE, SupportCase),
    (
        f"POST {CASES}",
        lambda c: c.support_cases.request("t1", "Why.", hours=2, collections=["people"]),
        '{"tenant":"t1","reason":"Why.","hours":2,"collections":["people"],"subjects":[],"records":[]}',
        CASE,
        SupportCase,
    ),
    (f"POST {CASES}/c1/grant", lambda c: c.support_cases.grant("c1"), "{}", CASE, SupportCase),
    (
        f"POST {CASES}/c1/grant",
        lambda c: c.support_cases.grant("c1", hours=1, subjects=()),
        '{"hours":1,"subjects":[]}',
        CASE,
        SupportCase,
    ),
    (f"POST {CASES}/c1/refuse", lambda c: c.support_cases.refuse("c1"), "", CASE, SupportCase),
    (f"POST {CASES}/c1/end", lambda c: c.support_cases.end("c1"), "", CASE, SupportCase),
    ("GET /api/v1/webhooks", lambda c: c.webhooks.list(), "", [HOOK], list),
    (
        "POST /api/v1/webhooks",
        lambda c: c.webhooks.add("https://x.example", ["alerts"]),
        '{"url":"https://x.example","topics":["alerts"]}',
        HOOK,
        Webhook,
    ),
    ("DELETE /api/v1/webhooks/w1", lambda c: c.webhooks.remove("w1"), "", None, type(None)),
    ("POST /api/v1/webhooks/w1/try", lambda c: c.webhooks.try_out("w1"), "", {"delivery": "d1"}, str),
    ("POST /api/v1/webhook-deliveries/d1/send", lambda c: c.webhooks.send_again("d1"), "", DELIVERY, WebhookDelivery),
    ("GET /api/v1/event-types", lambda c: c.event_types.list(), "", [KIND], list),
    (
        "PUT /api/v1/event-types/sign_in",
        lambda c: c.event_types.define("sign_in", "A sign-in", {"mobile": EventField(type="flag")}),
        '{"title":"A sign-in","fields":{"mobile":{"type":"flag","values":[]}}}',
        KIND,
        EventType,
    ),
    ("DELETE /api/v1/event-types/sign_in", lambda c: c.event_types.remove("sign_in"), "", None, type(None)),
    (
        "POST /api/v1/events",
        lambda c: c.events.report([{"type": "sign_in"}]),
        '{"events":[{"type":"sign_in"}]}',
        {"recorded": 1},
        int,
    ),
]
INCIDENTS: list[Case] = [
    (f"GET {HERE}", lambda c: c.incidents.get("i1"), "", {"incident": INCIDENT}, IncidentDetails),
    (
        "POST /api/v1/incidents",
        lambda c: c.incidents.open("A", "b", impact="none", extent="one"),
        '{"title":"A","summary":"b","impact":"none","extent":"one","subprocessor":"","subprocessor_reference":""}',
        INCIDENT,
        Incident,
    ),
    (
        f"PUT {HERE}",
        lambda c: c.incidents.change("i1", "A", "b", version=2),
        '{"title":"A","summary":"b","subprocessor":"","subprocessor_reference":"","version":2}',
        INCIDENT,
        Incident,
    ),
    (
        f"PUT {HERE}/severity",
        lambda c: c.incidents.assess("i1", impact="none", extent="one"),
        '{"impact":"none","extent":"one"}',
        INCIDENT,
        Incident,
    ),
    (
        f"PUT {HERE}/people",
        lambda c: c.incidents.assign("i1", owner="a1"),
        '{"owner":"a1","deputy":null}',
        INCIDENT,
        Incident,
    ),
    (
        f"POST {HERE}/move",
        lambda c: c.incidents.move("i1", "triaged", "Looked at it."),
        '{"to":"triaged","reason":"Looked at it."}',
        INCIDENT,
        Incident,
    ),
    (
        f"POST {HERE}/timeline",
        lambda c: c.incidents.note("i1", "Seen.", event_id="e1"),
        '{"text":"Seen.","at":null,"event":"e1"}',
        {"id": "n1", "text": "Seen."},
        TimelineEntry,
    ),
    (
        f"POST {HERE}/tasks",
        lambda c: c.incidents.add_task("i1", "Do it"),
        '{"title":"Do it","assignee":null,"due_at":null}',
        TASK,
        IncidentTask,
    ),
    (f"PUT {HERE}/tasks/k1", lambda c: c.incidents.complete_task("i1", "k1"), '{"done":true}', TASK, IncidentTask),
    (f"POST {HERE}/playbook", lambda c: c.incidents.follow_playbook("i1", "x"), '{"playbook":"x"}', [TASK], list),
    (
        f"POST {HERE}/alerts",
        lambda c: c.incidents.link_alert("i1", "al1"),
        '{"alert":"al1"}',
        {"alert_id": "al1", "tenant_id": "t1", "title": "A"},
        LinkedAlert,
    ),
    (
        f"PUT {HERE}/evidence/a%20b.txt",
        lambda c: c.incidents.attach("i1", "a b.txt", b"x"),
        "x",
        {"id": "f1", "name": "a b.txt", "sha256": "00"},
        Attachment,
    ),
    (
        f"PUT {HERE}/postmortem",
        lambda c: c.incidents.review("i1", cause="a", lessons="b", tasks=["c"]),
        '{"cause":"a","lessons":"b","tasks":["c"]}',
        INCIDENT,
        Incident,
    ),
    ("GET /api/v1/playbooks", lambda c: c.incidents.playbooks(), "", [{"name": "x", "title": "X"}], list),
    (
        f"POST {HERE}/breach",
        lambda c: c.incidents.verify_breach("i1", "Seen."),
        '{"facts":"Seen.","at":null}',
        BREACH,
        Breach,
    ),
    (
        f"POST {HERE}/breach/dismiss",
        lambda c: c.incidents.dismiss_breach("i1", "A test."),
        '{"reason":"A test."}',
        INCIDENT,
        Incident,
    ),
    (
        f"POST {HERE}/reach",
        lambda c: c.incidents.trace(
            "i1", since=datetime(2026, 3, 1, tzinfo=UTC), until=datetime(2026, 3, 2, tzinfo=UTC), keys=["k"]
        ),
        '{"since":"2026-03-01T00:00:00+00:00","until":"2026-03-02T00:00:00+00:00","accounts":[],"keys":["k"],'
        '"sessions":[],"addresses":[],"store":"","subprocessor":""}',
        {"id": "r1"},
        Reach,
    ),
    ("GET /api/v1/incident-triggers", lambda c: c.incidents.triggers(), "", [TRIGGER], list),
    (
        "POST /api/v1/incident-triggers",
        lambda c: c.incidents.set_trigger(impact="none", extent="one", level="high"),
        '{"impact":"none","extent":"one","rule_id":null,"level":"high","playbook":""}',
        TRIGGER,
        IncidentTrigger,
    ),
    ("DELETE /api/v1/incident-triggers/g1", lambda c: c.incidents.remove_trigger("g1"), "", None, type(None)),
    ("GET /api/v1/exercises", lambda c: c.incidents.exercises(), "", [RESULT], list),
    (
        "POST /api/v1/exercises",
        lambda c: c.incidents.begin_exercise(drill=True),
        '{"drill":true}',
        {"result": RESULT},
        BegunExercise,
    ),
    (f"POST {HERE}/end-exercise", lambda c: c.incidents.end_exercise("i1"), "", RESULT, ExerciseResult),
    ("GET /api/v1/notices/i1", lambda c: c.notices.get("i1"), "", {"versions": [NOTICE]}, SentNotice),
    (f"GET {THERE}", lambda c: c.notices.show("i1", "t1"), "", {"versions": [NOTICE]}, NoticeDetails),
    (f"POST {THERE}", lambda c: c.notices.draft("i1", "t1"), "", NOTICE, Notice),
    (
        f"PUT {THERE}/1",
        lambda c: c.notices.edit("i1", "t1", 1, nature="It happened."),
        '{"nature":"It happened.","impact":null,"mitigation_taken":null,"mitigation_planned":null,"contact":null,'
        '"late_reason":null}',
        NOTICE,
        Notice,
    ),
    (
        f"PUT {HERE}/notices",
        lambda c: c.notices.edit_all("i1", contact="Ada"),
        '{"nature":null,"impact":null,"mitigation_taken":null,"mitigation_planned":null,"contact":"Ada",'
        '"late_reason":null}',
        {"done": 2},
        BulkResult,
    ),
    (f"POST {HERE}/approve-notices", lambda c: c.notices.approve_all("i1"), "", {"done": 2}, BulkResult),
    (f"POST {HERE}/send-notices", lambda c: c.notices.send_all("i1"), "", {"done": 2}, BulkResult),
    (f"POST {THERE}/1/approve", lambda c: c.notices.approve("i1", "t1", 1), "", NOTICE, Notice),
    (f"POST {THERE}/1/send", lambda c: c.notices.send("i1", "t1", 1), "", NOTICE, Notice),
    (
        f"POST {THERE}/1/discard",
        lambda c: c.notices.discard("i1", "t1", 1, "None."),
        '{"reason":"None."}',
        None,
        type(None),
    ),
]

BACKUPS: list[Case] = [
    ("GET /api/v1/backups/b1", lambda c: c.backups.get("b1"), "", BACKUP, Backup),
    ("POST /api/v1/backups", lambda c: c.backups.take("main"), '{"server":"main"}', None, type(None)),
    ("POST /api/v1/backups/verify", lambda c: c.backups.verify(), "", None, type(None)),
    (
        "GET /api/v1/backups/points",
        lambda c: c.backups.points(),
        "",
        [{"server": "main", "backup": "b1", "since": NOW, "until": NOW}],
        list,
    ),
    ("POST /api/v1/recovery-keys", lambda c: c.backups.make_recovery_key(), "", {"kit": "AGE-"}, str),
    ("GET /api/v1/recovery-keys", lambda c: c.backups.recovery_keys(), "", [{"id": "k1", "recipient": "age1"}], list),
    (
        "POST /api/v1/backup-releases",
        lambda c: c.backups.request_release("disaster_recovery", "The disk is gone."),
        '{"purpose":"disaster_recovery","reason":"The disk is gone."}',
        RELEASE,
        BackupRelease,
    ),
    (
        "POST /api/v1/backup-releases/r1/approve",
        lambda c: c.backups.decide_release("r1", approve=True),
        "",
        RELEASE,
        BackupRelease,
    ),
    (
        "POST /api/v1/backup-releases/r1/refuse",
        lambda c: c.backups.decide_release("r1", approve=False),
        "",
        RELEASE,
        BackupRelease,
    ),
    ("POST /api/v1/backup-drills", lambda c: c.backups.drill(), "", None, type(None)),
    ("GET /api/v1/backup-drills/d1", lambda c: c.backups.get_drill("d1"), "", DRILL, BackupDrill),
    (
        "GET /api/v1/restores",
        lambda c: c.backups.restores(),
        "",
        [{"id": "x1", "purpose": "disaster_recovery", "opened_with": "release"}],
        list,
    ),
]

LISTS: list[tuple[str, Act, Any]] = [
    ("/api/v1/collections?limit=7", lambda c: c.collections.list(page_size=7), COLLECTION),
    ("/api/v1/keys", lambda c: c.keys.list(), KEY),
    ("/api/v1/tenants", lambda c: c.tenants.list(), TENANT),
    ("/api/v1/tenants/t1/keys", lambda c: c.tenants.keys.list("t1"), KEY),
    ("/api/v1/alerts?status=open", lambda c: c.alerts.list(status="open"), ALERT),
    ("/api/v1/suppressions", lambda c: c.alerts.suppressions(), SUPPRESSION),
    ("/api/v1/incidents?state=closed", lambda c: c.incidents.list(state="closed"), INCIDENT),
    ("/api/v1/notices", lambda c: c.notices.list(), NOTICE),
    ("/api/v1/backups?server=main&limit=7", lambda c: c.backups.list(server="main", page_size=7), BACKUP),
    ("/api/v1/backup-releases", lambda c: c.backups.releases(), RELEASE),
    ("/api/v1/backup-drills", lambda c: c.backups.drills(), DRILL),
    ("/api/v1/support-cases?state=granted", lambda c: c.support_cases.list(state="granted"), CASE),
    ("/api/v1/webhook-deliveries?state=dead", lambda c: c.webhooks.deliveries(state="dead"), DELIVERY),
    (
        "/api/v1/notices/i1/subjects?sureness=possible",
        lambda c: c.notices.subjects("i1", sureness="possible"),
        {"subject": "ada"},
    ),
    ("/api/v1/staff?search=ada", lambda c: c.staff.list(search="ada"), ACCOUNT),
    ("/api/v1/staff/invitations", lambda c: c.staff.invitations.list(), INVITATION),
    ("/api/v1/elevations?limit=7", lambda c: c.elevations.list(page_size=7), ELEVATION),
    ("/api/v1/reviews", lambda c: c.reviews.list(), REVIEW),
    ("/api/v1/members?search=ada", lambda c: c.members.list(search="ada"), MEMBER),
    ("/api/v1/members/invitations", lambda c: c.members.invitations.list(), INVITATION),
    ("/api/v1/clients?limit=7", lambda c: c.clients.list(page_size=7), CLIENT),
    ("/api/v1/tenants/t1/collections", lambda c: c.tenants.collections("t1"), {"name": "people", "records": 3}),
    (
        "/api/v1/files?subject=ada",
        lambda c: c.files.list(subject="ada"),
        {"id": "a", "version": 1, "size": 1, "created_at": NOW, "updated_at": NOW},
    ),
]


@pytest.mark.parametrize(
    "case", SINGLE + ACCESS + FEDERATION + INCIDENTS + BACKUPS + WATCHING, ids=lambda case: case[0]
)
async def test_operation_sends_its_request_and_reads_its_answer(rig_of: RigOf, case: Case) -> None:
    request_line, act, body, answer, kind = case
    rig = rig_of(httpx2.Response(204) if answer is None else httpx2.Response(200, json=answer))
    result = await rig.one(act(rig.client))
    (request,) = rig.script.requests
    assert f"{request.method} {request.url.raw_path.decode()}" == request_line
    assert request.content.decode() == body
    assert isinstance(result, kind)


@pytest.mark.parametrize("target, act, item", LISTS, ids=[target for target, *_ in LISTS])
async def test_list_asks_for_its_items(rig_of: RigOf, target: str, act: Act, item: Any) -> None:
    rig = rig_of(httpx2.Response(200, json={"items": [item], "next": None}))
    assert len(await rig.every(act(rig.client))) == 1
    assert rig.script.requests[0].url.raw_path.decode() == target


async def test_an_answer_without_the_member_that_counts_is_unreadable(rig_of: RigOf) -> None:
    rig = rig_of(httpx2.Response(200, json={"number": 2}))
    with pytest.raises(ApiError, match="unreadable_answer"):
        await rig.one(rig.client.sessions.end_others())


async def test_a_sign_in_that_is_neither_begun_nor_pending_is_unreadable(rig_of: RigOf) -> None:
    for answer in ({"weather": "fine"}, ["pending"]):
        rig = rig_of(httpx2.Response(200, json=answer))
        with pytest.raises(ApiError, match="unreadable_answer"):
            await rig.one(rig.client.session.sign_in("a@example.org", "p"))


async def test_a_review_needs_an_end_with_a_time_zone() -> None:
    rig = Rig("blocking")
    with pytest.raises(ValueError, match="time zone"):
        rig.client.reviews.open("Q1", due_at=datetime(2026, 3, 1))  # noqa: DTZ001  what is refused
    await rig.close()


async def test_a_client_secret_ends_at_a_moment_with_a_time_zone() -> None:
    rig = Rig("blocking")
    with pytest.raises(ValueError, match="time zone"):
        rig.client.clients.register("Portal", ["openid"], secret_expires_at=datetime(2026, 3, 1))  # noqa: DTZ001
    await rig.close()


async def test_an_identity_providers_secret_is_sent_only_when_it_is_given(rig_of: RigOf) -> None:
    rig = rig_of(httpx2.Response(200, json=CONNECTION))
    await rig.one(rig.client.sso.configure("https://idp.example", "bailee"))
    assert "client_secret" not in msgspec.json.decode(rig.script.requests[0].content)


def test_a_client_secret_is_not_part_of_a_representation() -> None:
    client = msgspec.convert(CLIENT, OAuthClient)
    assert (client.secret, "bcs_x" in repr(client)) == ("bcs_x", False)


def test_the_token_of_an_invitation_is_what_its_link_carries() -> None:
    assert msgspec.convert(INVITATION, Invitation).token == "biv_x"
    assert msgspec.convert(INVITATION | {"link": None}, Invitation).token is None


async def test_checkpoint_is_text(rig_of: RigOf) -> None:
    rig = rig_of(httpx2.Response(200, text="bailee.test/ledger\n7\n"))
    assert await rig.one(rig.client.ledger.checkpoint()) == "bailee.test/ledger\n7\n"


async def test_runbook_is_text(rig_of: RigOf) -> None:
    rig = rig_of(httpx2.Response(200, text="# Restoring\n"))
    assert await rig.one(rig.client.backups.runbook()) == "# Restoring\n"
    assert rig.script.requests[0].url.path == "/api/v1/backups/runbook"


async def test_an_answer_without_the_kit_is_unreadable(rig_of: RigOf) -> None:
    rig = rig_of(httpx2.Response(201, json={"key": "x"}))
    with pytest.raises(ApiError, match="unreadable_answer"):
        await rig.one(rig.client.backups.make_recovery_key())


def _operations(surface: Surface[Any]) -> dict[str, Operation[..., Any] | Paged[..., Any] | Any]:
    found = {}
    rest: list[tuple[str, Group[Any]]] = [("", surface)]
    while rest:
        prefix, group = rest.pop()
        rest += [(f"{prefix}{name}.", value) for name, value in vars(group).items() if isinstance(value, Group)]
        for name, value in inspect.getmembers_static(type(group)):
            if isinstance(value, Operation | Paged | Batch | Streamed):
                found[prefix + name] = value
    return found


async def test_every_operation_is_documented_and_keeps_its_parameters() -> None:
    rig = Rig("blocking")
    operations = _operations(rig.client)
    assert len(operations) > 110
    for name, operation in operations.items():
        method = rig.client
        for part in name.split("."):
            method = getattr(method, part)
        assert operation.__doc__, f"{name} has no docstring"
        assert inspect.signature(method).parameters == inspect.signature(operation.build).parameters
    await rig.close()


def test_client_imports_nothing_of_the_server() -> None:
    for path in Path(bailee.client.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                assert not any(alias.name.startswith("bailee") for alias in node.names), path
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("bailee"):
                assert (node.module or "").startswith("bailee.client."), path
