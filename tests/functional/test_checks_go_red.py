"""Each check goes red when what it proves is broken for real, and green again when that is mended."""

import json
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import LiteralString

import pytest
from argon2 import PasswordHasher

from tests.functional.conftest import FreshInstance
from tests.functional.instance import Instance

pytestmark = pytest.mark.timeout(300)  # the first of them sets everything up, a drill too

CANARY = "bailee-canary-" + "0" * 24


@pytest.fixture(scope="module")
def instance(fresh_instance: FreshInstance, tmp_path_factory: pytest.TempPathFactory) -> Instance:
    offsite = tmp_path_factory.mktemp("offsite")
    made = fresh_instance(BAILEE_BACKUP__OFFSITE__PATH=str(offsite), BAILEE_BACKUP__WAL_SECONDS="1")
    made.set_up().close()
    with made.staff_client() as staff:
        staff.backups.make_recovery_key()
    policy = {
        "require_mfa": True, "min_password_length": 14, "min_password_score": 3, "session_hours": 4,
        "idle_minutes": 15, "networks": ["127.0.0.0/8", "::1/128"], "version": 0,
    }  # fmt: skip
    for name, require_sso in (("Strict", False), ("Federated", True)):
        with made.staff_client() as staff:
            tenant = staff.tenants.create(name, plan="enterprise").id
        person = made.tenant_owner(tenant)
        if require_sso:
            _set_up_sso(made, tenant, person.email.partition("@")[2])
        with made.http(person.token) as owner:
            assert owner.put("/api/v1/policy", json={**policy, "require_sso": require_sso}).is_success
    with made.http(made.staff_token) as staff_http:  # people have exercised, however it went
        exercise = staff_http.post("/api/v1/exercises", json={}).json()["incident"]["id"]
        assert staff_http.post(f"/api/v1/incidents/{exercise}/end-exercise").is_success
    for command in (("backup", "take"), ("backup", "verify"), ("backup", "drill")):
        answer = made.cli(*command)
        assert answer.returncode == 0, answer.stderr
    return made


def _set_up_sso(instance: Instance, tenant: str, domain: str) -> None:
    """An identity provider that nobody asks: it is enough that there is one."""
    instance.sql(
        "INSERT INTO sso_connections (tenant_id, issuer, client_id, client_secret, default_role, enabled)"
        " VALUES (%s, 'https://idp.example', 'bailee', 'x', 'viewer', true)",
        (tenant,),
    )
    instance.sql(
        "INSERT INTO tenant_domains (tenant_id, domain, domain_id, token, verified_at)"
        " VALUES (%s, %s, gen_random_uuid(), 'x', now())",
        (tenant, domain),
    )


def _insert_account(
    instance: Instance, password_hash: str | None, *, name: str = "Eve", state: str = "active", seen: str = "now"
) -> Callable[[], object]:
    account = str(uuid.uuid4())
    instance.sql(
        "INSERT INTO accounts (account_id, kind, email, name, state, password_hash, seen_at)"
        " VALUES (%s, 'staff', 'eve@example.org', %s, %s, %s, %s::timestamptz)",
        (account, name, state, password_hash, seen),
    )

    def mend() -> None:
        instance.sql("DELETE FROM role_grants WHERE account_id = %s", (account,))
        instance.sql("DELETE FROM accounts WHERE account_id = %s", (account,))

    return mend


def _dormant_account(instance: Instance) -> Callable[[], object]:
    return _insert_account(instance, None, seen="2020-01-01")


def _account_of_nobody(instance: Instance) -> Callable[[], object]:
    return _insert_account(instance, None, name=" ")


def _role_outlives_its_person(instance: Instance) -> Callable[[], object]:
    mend = _insert_account(instance, None, state="off_boarded")
    instance.sql(
        "INSERT INTO role_grants (account_id, role, granted_by)"
        " SELECT account_id, 'support', 'x' FROM accounts WHERE email = 'eve@example.org'"
    )
    return mend


def _standing_superuser(instance: Instance) -> Callable[[], object]:
    instance.sql(
        "INSERT INTO role_grants (account_id, role, granted_by)"
        " SELECT account_id, 'superuser', 'x' FROM accounts WHERE email = 'owner@bailee.example'"
    )
    return lambda: instance.sql("DELETE FROM role_grants WHERE role = 'superuser'")


def _role_past_row_security(instance: Instance) -> Callable[[], object]:
    instance.sql("ALTER ROLE bailee_operator BYPASSRLS")
    return lambda: instance.sql("ALTER ROLE bailee_operator NOBYPASSRLS")


def _elevation_without_second_person(instance: Instance) -> Callable[[], object]:
    instance.sql(
        "INSERT INTO elevations (elevation_id, account_id, role, reason, minutes, state, decided_at, expires_at)"
        " SELECT gen_random_uuid(), account_id, 'superuser', 'x', 60, 'approved', now(), now() + interval '1 hour'"
        " FROM accounts WHERE email = 'owner@bailee.example'"
    )
    return lambda: instance.sql("DELETE FROM elevations")


def _elevation_without_second_person_that_is_over(instance: Instance) -> Callable[[], object]:
    """It was held for five minutes between two runs of the check."""
    instance.sql(
        "INSERT INTO elevations"
        " (elevation_id, account_id, role, reason, minutes, state, decided_at, expires_at, ended_at)"
        " SELECT gen_random_uuid(), account_id, 'superuser', 'x', 5, 'ended', now() - interval '4 hours',"
        " now() - interval '235 minutes', now() - interval '235 minutes'"
        " FROM accounts WHERE email = 'owner@bailee.example'"
    )
    return lambda: instance.sql("DELETE FROM elevations")


def _overdue_review(instance: Instance) -> Callable[[], object]:
    instance.sql("CREATE RULE held AS ON UPDATE TO reviews DO INSTEAD NOTHING")  # or the next minute would close it
    instance.sql(
        "INSERT INTO reviews (review_id, title, state, opened_by, due_at)"
        " VALUES (gen_random_uuid(), 'Late', 'open', 'x', now() - interval '1 day')"
    )

    def mend() -> None:
        instance.sql("DROP RULE held ON reviews")
        instance.sql("DELETE FROM reviews")

    return mend


def _session_without_mfa(instance: Instance) -> Callable[[], object]:
    instance.sql("UPDATE sessions SET mfa_at = NULL")
    return lambda: instance.sql("UPDATE sessions SET mfa_at = now()")


def _sign_in_without_mfa(instance: Instance) -> Callable[[], object]:
    event = str(uuid.uuid4())
    body = {
        "id": event, "time": "2026-01-01T00:00:00.000000Z", "tenant": None, "actor": {"kind": "staff", "id": "x"},
        "action": "session.begun", "object": None, "outcome": "success", "address": None, "request_id": None,
        "details": {"factors": ["password"]},
    }  # fmt: skip
    instance.sql(
        "INSERT INTO events VALUES ('00000000-0000-0000-0000-000000000000', %s, now(), 'session.begun', 'staff', 'x',"
        " 'success', %s, '')",
        (event, json.dumps(body).encode()),
    )
    return lambda: instance.sql("DELETE FROM events WHERE event_id = %s", (event,))


def _policy_changed_behind_the_log(instance: Instance) -> Callable[[], object]:
    instance.sql("UPDATE tenant_policies SET require_mfa = false")
    return lambda: instance.sql("UPDATE tenant_policies SET require_mfa = true")


def _mfa_of_members_made_up(instance: Instance) -> Callable[[], object]:
    """The policy stands, and no sign-in meets it: what only a live attempt can see."""
    instance.sql(
        "CREATE FUNCTION forge() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN NEW.mfa_at := coalesce(NEW.mfa_at, now()); RETURN NEW; END'"
    )
    instance.sql("CREATE TRIGGER forge BEFORE INSERT ON sessions FOR EACH ROW EXECUTE FUNCTION forge()")

    def mend() -> None:
        instance.sql("DROP TRIGGER forge ON sessions")
        instance.sql("DROP FUNCTION forge()")

    return mend


def _setup_link_left_over(instance: Instance) -> Callable[[], object]:
    instance.sql("INSERT INTO setup_links (digest, expires_at) VALUES ('x', now() + interval '1 day')")
    return lambda: instance.sql("DELETE FROM setup_links")


def _staff_and_member_at_once(instance: Instance) -> Callable[[], object]:
    instance.sql(
        "INSERT INTO memberships (tenant_id, account_id, email, name, role, state, source)"
        " SELECT t.tenant_id, a.account_id, a.email, a.name, 'viewer', 'active', 'invitation'"
        " FROM tenants t, accounts a WHERE t.name = 'Strict' AND a.email = 'owner@bailee.example'"
    )
    return lambda: instance.sql("DELETE FROM memberships WHERE email = 'owner@bailee.example'")


def _second_sealed_account(instance: Instance) -> Callable[[], object]:
    mend = _insert_account(instance, None)
    instance.sql("UPDATE accounts SET sealed = true WHERE email = 'eve@example.org'")
    return mend


def _role_never_confirmed(instance: Instance) -> Callable[[], object]:
    instance.sql("UPDATE role_grants SET confirmed_at = now() - interval '1 year'")
    return lambda: instance.sql("UPDATE role_grants SET confirmed_at = now()")


def _member_of_a_superuser(instance: Instance) -> Callable[[], object]:
    instance.sql("CREATE ROLE mighty SUPERUSER")
    instance.sql("GRANT mighty TO bailee_operator")

    def mend() -> None:
        instance.sql("REVOKE mighty FROM bailee_operator")
        instance.sql("DROP ROLE mighty")

    return mend


def _networks_widened_behind_the_log(instance: Instance) -> Callable[[], object]:
    """As many as before, and others."""
    instance.sql("UPDATE tenant_policies SET networks = '{0.0.0.0/0,::/0}'")
    return lambda: instance.sql("UPDATE tenant_policies SET networks = '{127.0.0.0/8,::1/128}'")


def _weak_hash_of_somebody_disabled(instance: Instance) -> Callable[[], object]:
    return _insert_account(instance, "5f4dcc3b5aa765d61d8327deb882cf99", state="disabled")


def _write(path: Path, content: str) -> Callable[[], object]:
    path.write_text(content)
    return path.unlink


def _readable_root_key(instance: Instance) -> Callable[[], object]:
    path = instance.data / "root.key"
    path.chmod(0o644)
    return lambda: path.chmod(0o600)


def _default_password(instance: Instance) -> Callable[[], object]:
    hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
    return _insert_account(instance, hasher.hash("password"))


def _md5_hash(instance: Instance) -> Callable[[], object]:
    return _insert_account(instance, "5f4dcc3b5aa765d61d8327deb882cf99")


def _row_security_not_forced(instance: Instance) -> Callable[[], object]:
    instance.sql("ALTER TABLE records NO FORCE ROW LEVEL SECURITY")
    return lambda: instance.sql("ALTER TABLE records FORCE ROW LEVEL SECURITY")


def _permissive_policy(instance: Instance) -> Callable[[], object]:
    instance.sql("CREATE POLICY hole ON records TO bailee_tenant USING (true)")
    return lambda: instance.sql("DROP POLICY hole ON records")


def _row_security_off(instance: Instance) -> Callable[[], object]:
    instance.sql("ALTER TABLE data_keys DISABLE ROW LEVEL SECURITY", cluster="keyring")
    return lambda: instance.sql("ALTER TABLE data_keys ENABLE ROW LEVEL SECURITY", cluster="keyring")


def _next_leaf(instance: Instance) -> int:
    """Where the detector is, once it has begun."""
    while not (found := instance.sql("SELECT next_leaf FROM detector_state")):
        time.sleep(0.2)
    leaf: int = found[0][0]
    return leaf


def _detector_blinded(instance: Instance) -> Callable[[], object]:
    leaf = _next_leaf(instance)
    instance.sql("UPDATE detector_state SET next_leaf = next_leaf + 1000000")
    return lambda: instance.sql("UPDATE detector_state SET next_leaf = %s", (leaf,))


def _detector_stuck(instance: Instance) -> Callable[[], object]:
    def age_first_event(seconds: int) -> None:
        instance.sql(
            "UPDATE events SET occurred_at = occurred_at - make_interval(secs => %s)"
            " WHERE event_id = (SELECT entry_id FROM ledger_leaves WHERE leaf_index = 0)",
            (seconds,),
        )

    def mend() -> None:
        age_first_event(-60)
        instance.sql("UPDATE detector_state SET next_leaf = %s", (leaf,))
        instance.sql("GRANT UPDATE ON detector_state TO bailee_operator")

    leaf = _next_leaf(instance)
    instance.sql("REVOKE UPDATE ON detector_state FROM bailee_operator")
    age_first_event(60)
    instance.sql("UPDATE detector_state SET next_leaf = 0")
    return mend


def _leaf_altered(instance: Instance) -> Callable[[], object]:
    ((entry,),) = instance.sql("SELECT entry FROM ledger_leaves WHERE leaf_index = 1")
    instance.sql("UPDATE ledger_leaves SET entry = %s WHERE leaf_index = 1", (bytes(len(entry)),))
    return lambda: instance.sql("UPDATE ledger_leaves SET entry = %s WHERE leaf_index = 1", (entry,))


def _leaf_deleted(instance: Instance) -> Callable[[], object]:
    (leaf,) = instance.sql(
        "DELETE FROM ledger_leaves WHERE leaf_index = 2 RETURNING tenant_id, entry_id, leaf_index, entry"
    )
    return lambda: instance.sql(
        "INSERT INTO ledger_leaves (tenant_id, entry_id, leaf_index, entry) VALUES (%s, %s, %s, %s)", leaf
    )


def _event_never_logged(instance: Instance) -> Callable[[], object]:
    event = str(uuid.uuid4())
    instance.sql(
        "INSERT INTO events VALUES ('00000000-0000-0000-0000-000000000000', %s, now(), 'system.started', 'system', 'x',"
        " 'success', '{}', '')",
        (event,),
    )
    return lambda: instance.sql("DELETE FROM events WHERE event_id = %s", (event,))


def _staff_reads_content(instance: Instance) -> Callable[[], object]:
    event = str(uuid.uuid4())
    instance.sql(
        "INSERT INTO events VALUES ('00000000-0000-0000-0000-000000000000', %s, now(), 'record.read', 'staff', 'x',"
        " 'success', '{}', '')",
        (event,),
    )
    return lambda: instance.sql("DELETE FROM events WHERE event_id = %s", (event,))


def _insert_incident(instance: Instance, *, breach: str = "undecided", hours: int = 1) -> str:
    incident = str(uuid.uuid4())
    instance.sql(
        "INSERT INTO incidents (incident_id, title, summary, impact, extent, severity, exercise, subprocessor,"
        " subprocessor_reference, breach, opened_by, opened_at)"
        " VALUES (%s, 'Red', 'x', 'severe', 'many', 'critical', false, '', '', %s, 'x',"
        " now() - %s * interval '1 hour')",
        (incident, breach, hours),
    )
    return incident


def _remove_incident(instance: Instance, incident: str) -> None:
    instance.sql("DELETE FROM notice_deliveries WHERE incident_id = %s", (incident,))
    instance.sql("DELETE FROM notices WHERE incident_id = %s", (incident,))
    instance.sql("DELETE FROM incident_entries WHERE incident_id = %s", (incident,))
    instance.sql("DELETE FROM breaches WHERE incident_id = %s", (incident,))
    instance.sql("DELETE FROM incidents WHERE incident_id = %s", (incident,))


def _incident_past_its_time(instance: Instance) -> Callable[[], object]:
    incident = _insert_incident(instance, breach="dismissed", hours=2)
    return lambda: _remove_incident(instance, incident)


def _breach_never_decided(instance: Instance) -> Callable[[], object]:
    incident = _insert_incident(instance, hours=25)
    instance.sql("UPDATE incidents SET phase = 'investigated' WHERE incident_id = %s", (incident,))
    return lambda: _remove_incident(instance, incident)


def _insert_breach(instance: Instance, *, hours: int) -> str:
    incident = _insert_incident(instance, breach="verified")
    instance.sql(
        "INSERT INTO breaches (incident_id, verified_at, verified_by, facts, due_at, ticked_at)"
        " VALUES (%s, now() - %s * interval '1 hour', 'x', 'x', now() + (24 - %s) * interval '1 hour', now())",
        (incident, hours, hours),
    )
    return incident


def _nobody_told(instance: Instance) -> Callable[[], object]:
    incident = _insert_breach(instance, hours=25)
    return lambda: _remove_incident(instance, incident)


def _insert_notice(instance: Instance, incident: str, *, impact: str = "x") -> None:
    instance.sql(
        "INSERT INTO notices (tenant_id, incident_id, version, number, state, exercise, nature, impact,"
        " mitigation_taken, mitigation_planned, contact, verified_at, due_at, edited_by, approved_by, sent_at, reached)"
        " SELECT tenant_id, %s, 1, 1, 'sent', false, 'x', %s, 'x', 'x', 'x', now(), now() + interval '1 day',"
        " '{writer}', 'reader', now(), '[]' FROM tenants WHERE name = 'Strict'",
        (incident, impact),
    )


def _notice_never_arrived(instance: Instance) -> Callable[[], object]:
    incident = _insert_breach(instance, hours=1)
    _insert_notice(instance, incident)
    instance.sql(
        "INSERT INTO notice_deliveries"
        " (tenant_id, delivery_id, incident_id, version, channel, recipient, state, reason)"
        " SELECT tenant_id, gen_random_uuid(), incident_id, 1, 'mail', 'gone@example.org', 'failed', '550'"
        " FROM notices WHERE incident_id = %s",
        (incident,),
    )
    return lambda: _remove_incident(instance, incident)


def _notice_incomplete(instance: Instance) -> Callable[[], object]:
    incident = _insert_breach(instance, hours=1)
    _insert_notice(instance, incident, impact=" ")
    return lambda: _remove_incident(instance, incident)


def _reading_leaves_no_trace(instance: Instance) -> Callable[[], object]:
    """What the log says of who reached what is lost, so that the drill's blast radius comes out empty."""
    instance.sql(
        "CREATE FUNCTION blind() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.reached := NULL; RETURN NEW; END'"
    )
    instance.sql("CREATE TRIGGER blind BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION blind()")

    def mend() -> None:
        instance.sql("DROP TRIGGER blind ON events")
        instance.sql("DROP FUNCTION blind()")

    return mend


def _staff_reads_after_the_case(instance: Instance) -> Callable[[], object]:
    event, case = str(uuid.uuid4()), str(uuid.uuid4())
    instance.sql(
        "INSERT INTO support_cases (tenant_id, case_id, reason, asked_by, hours, collections, holders, records, state,"
        " decided_at, expires_at) SELECT tenant_id, %s, 'x', account_id, 1, '{probe}', '{}', '{}', 'granted',"
        " now() - interval '2 hours', now() - interval '1 hour' FROM tenants t, accounts a"
        " WHERE t.name = 'Strict' AND a.email = 'owner@bailee.example'",
        (case,),
    )
    instance.sql(
        "INSERT INTO events SELECT c.tenant_id, %s, now(), 'support.record_read', 'staff', c.asked_by::text, 'success',"
        " convert_to(json_build_object('details', json_build_object('case', c.case_id))::text, 'UTF8'), ''"
        " FROM support_cases c WHERE c.case_id = %s",
        (event, case),
    )

    def mend() -> None:
        instance.sql("DELETE FROM events WHERE event_id = %s", (event,))
        instance.sql("DELETE FROM support_cases WHERE case_id = %s", (case,))

    return mend


def _sql_and_back(broken: LiteralString, mended: LiteralString) -> "Break":
    def break_it(instance: Instance) -> Callable[[], object]:
        instance.sql(broken)
        return lambda: instance.sql(mended)

    return break_it


def _bare_object_in_a_backup(instance: Instance) -> Callable[[], object]:
    newest = max((instance.data / "backups" / "backups" / "main").iterdir())
    return _write(newest / "00009999.zst.age", "in the clear")


type Break = Callable[[Instance], Callable[[], object]]
BREAKS: list[tuple[str, Break]] = [
    ("access.no_default_secret", _readable_root_key),
    ("access.no_default_secret", _default_password),
    ("access.no_default_secret", _setup_link_left_over),
    ("access.accounts_are_people", _dormant_account),
    ("access.accounts_are_people", _staff_and_member_at_once),
    ("access.accounts_are_people", _second_sealed_account),
    ("access.accounts_are_people", _account_of_nobody),
    ("access.accounts_are_people", _role_outlives_its_person),
    ("access.least_privilege", _standing_superuser),
    ("access.least_privilege", _role_past_row_security),
    ("access.least_privilege", _member_of_a_superuser),
    ("access.least_privilege", _role_never_confirmed),
    ("access.least_privilege", _elevation_without_second_person),
    ("access.least_privilege", _elevation_without_second_person_that_is_over),
    ("access.least_privilege", _overdue_review),
    ("access.staff_use_mfa", _session_without_mfa),
    ("access.staff_use_mfa", _sign_in_without_mfa),
    ("access.tenant_policies_in_force", _policy_changed_behind_the_log),
    ("access.tenant_policies_in_force", _networks_widened_behind_the_log),
    ("access.tenant_policies_in_force", _mfa_of_members_made_up),
    ("access.no_password_in_clear", _md5_hash),
    ("access.no_password_in_clear", _weak_hash_of_somebody_disabled),
    ("access.no_password_in_clear", lambda i: _write(i.data / "logs" / "serve.log.1", f"password {CANARY}\n")),
    ("stores.no_plaintext_at_rest", lambda i: _write(i.data / "left-behind", f"x {CANARY}")),
    ("monitoring.no_content_in_logs", lambda i: _write(i.data / "logs" / "worker.log.1", f"content {CANARY}\n")),
    ("monitoring.no_content_in_logs", _staff_reads_content),
    ("monitoring.no_content_in_logs", _staff_reads_after_the_case),
    ("monitoring.attacks_are_found", _detector_blinded),
    ("monitoring.attacks_are_found", _detector_stuck),
    ("monitoring.ledger_verifies", _leaf_altered),
    ("monitoring.ledger_verifies", _leaf_deleted),
    ("monitoring.ledger_verifies", _event_never_logged),
    ("incidents.in_time", _incident_past_its_time),
    ("incidents.in_time", _breach_never_decided),
    ("incidents.customers_told", _nobody_told),
    ("incidents.customers_told", _notice_never_arrived),
    ("incidents.path_goes_through", _reading_leaves_no_trace),
    ("incidents.notices_complete", _notice_incomplete),
    (
        "backup.fresh_and_verified",
        _sql_and_back("UPDATE recovery_keys SET retired_at = now()", "UPDATE recovery_keys SET retired_at = NULL"),
    ),
    (
        "backup.fresh_and_verified",
        _sql_and_back(
            "UPDATE backups SET taken_at = taken_at - interval '2 days' WHERE server = 'main'",
            "UPDATE backups SET taken_at = taken_at + interval '2 days' WHERE server = 'main'",
        ),
    ),
    (
        "backup.rehearsed",
        _sql_and_back(
            "UPDATE backup_drills SET began_at = began_at - interval '30 days';"
            " UPDATE backups SET taken_at = taken_at - interval '30 days'",
            "UPDATE backup_drills SET began_at = began_at + interval '30 days';"
            " UPDATE backups SET taken_at = taken_at + interval '30 days'",
        ),
    ),
    (
        "backup.rehearsed",
        _sql_and_back(
            "INSERT INTO backup_drills (drill_id, began_at, ended_at, state, faults)"
            " VALUES ('ffffffff-0000-7000-8000-000000000000', now(), now(), 'failed', '{rows differ}')",
            "DELETE FROM backup_drills WHERE state = 'failed'",
        ),
    ),
    (
        "backup.opened_for_recovery_alone",
        _sql_and_back(
            "INSERT INTO restores (restore_id, purpose, opened_with) VALUES (gen_random_uuid(), 'drill', 'drill')",
            "DELETE FROM restores",
        ),
    ),
    ("backup.no_plaintext", _bare_object_in_a_backup),
    ("infrastructure.tenants_are_isolated", _row_security_not_forced),
    ("infrastructure.tenants_are_isolated", _permissive_policy),
    ("infrastructure.tenants_are_isolated", _row_security_off),
]


@pytest.mark.parametrize("number", range(len(BREAKS)), ids=lambda n: f"{BREAKS[n][0]}-{n}")
def test_check_goes_red_and_green_again(instance: Instance, number: int) -> None:
    name, break_it = BREAKS[number]
    mend = break_it(instance)
    try:
        found = instance.check(name)
    finally:
        mend()
    assert found["verdict"] == "broken", found
    assert CANARY not in json.dumps(found)
    assert instance.check(name)["verdict"] == "holds"


LOOSENED: list[tuple[LiteralString, LiteralString, str]] = [
    ("UPDATE tenant_policies SET min_password_length = 8", "UPDATE tenant_policies SET min_password_length = 14",
     "a password shorter than the policy was answered 200"),
    ("UPDATE tenant_policies SET min_password_score = 2", "UPDATE tenant_policies SET min_password_score = 3",
     "a password easier to guess than the policy was answered 200"),
    ("UPDATE tenant_policies SET session_hours = 12", "UPDATE tenant_policies SET session_hours = 4",
     "a session that has lived longer than the policy allows"),
    ("UPDATE tenant_policies SET idle_minutes = 60", "UPDATE tenant_policies SET idle_minutes = 15",
     "a session that has rested longer than the policy allows"),
    ("UPDATE tenant_policies SET require_sso = false",
     "UPDATE tenant_policies SET require_sso = tenant_id = (SELECT tenant_id FROM tenants WHERE name = 'Federated')",
     "with a second factor a member should be kept out"),
]  # fmt: skip
"""What is in force instead of what was promised, what was promised, and what the sign-in finds."""


@pytest.mark.parametrize("number", range(len(LOOSENED)), ids=lambda n: LOOSENED[n][0].split()[3])
def test_each_demand_that_is_not_made_is_met_with_at_a_sign_in(instance: Instance, number: int) -> None:
    loose, promised, fault = LOOSENED[number]
    instance.sql(loose)
    try:
        found = instance.check("access.tenant_policies_in_force")
    finally:
        instance.sql(promised)
    assert found["verdict"] == "broken"
    assert any(fault in one for one in found["facts"]["faults"]), found
    assert instance.check("access.tenant_policies_in_force")["verdict"] == "holds"


def test_all_checks_hold_on_a_sound_instance(instance: Instance) -> None:
    answer = instance.cli("check", "--json")
    results = json.loads(answer.stdout)["results"]
    assert len(results) >= 15
    assert [one for one in results if one["verdict"] != "holds"] == []
    assert answer.returncode == 0


def test_check_that_cannot_run_is_unknown_and_no_pass(fresh_instance: FreshInstance) -> None:
    other = fresh_instance()
    other.set_up().close()
    (other.data / "tls" / "ca.pem").rename(other.data / "tls" / "away.pem")
    answer = other.cli("check", "access.no_password_in_clear", "--json")
    (other.data / "tls" / "away.pem").rename(other.data / "tls" / "ca.pem")
    assert answer.returncode == 1
    assert '"holds"' not in answer.stdout
