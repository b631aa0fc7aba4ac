"""Permissions, held against the verbs that ask for them: neither may have something that the other lacks."""

import re
import sys
from collections import Counter

import bailee.web.app  # noqa: F401  imported for what it imports: every service
from bailee.access.permissions import (
    SCOPES,
    STAFF_PERMISSIONS,
    STAFF_ROLES,
    TENANT_PERMISSIONS,
    TENANT_READING,
    TENANT_ROLES,
    expand,
    staff_permissions,
)
from bailee.events.verbs import PLACES, VerbSpec, find_verbs
from bailee.foundation.principal import Principal

READING = frozenset({
    "accounts.read", "alerts.read", "backups.read", "clients.read", "collections.read", "events.read", "incidents.read",
    "keys.read", "measures.read", "members.read", "notices.read",
    "policy.read", "reviews.read", "roles.read", "sso.read", "support_cases.read", "tenant.read",
    "tenant_keys.read", "tenants.read", "webhooks.read", "event_types.read", "retention.read",
    "holds.read", "tenant_holds.read", "terminations.read",
})  # fmt: skip
"""What looks and leaves no event, so that no verb stands behind it."""
STEP_UP = frozenset({
    "accounts.invite", "accounts.off_board", "accounts.reset_factors", "alerts.suppress", "backup_releases.decide",
    "backup_releases.request", "backups.make_recovery_key", "breaches.dismiss",
    "breaches.verify", "break_glass.seal", "clients.register", "elevations.decide", "elevations.request",
    "holds.approve", "holds.approve_for", "holds.decide_change", "holds.decide_change_for", "holds.extend",
    "holds.extend_for", "holds.lift", "holds.lift_for", "holds.look", "holds.look_for", "holds.open_file",
    "holds.open_file_for", "holds.refuse_for", "holds.request",
    "incidents.remove_trigger", "incidents.set_trigger", "keys.issue",
    "keys.rotate", "members.change_role", "members.invite", "members.reset_factors", "notices.approve",
    "notices.send", "policy.change", "provider.rotate_keys", "retention.remove_ceiling", "retention.remove_floor",
    "retention.run", "retention.set_ceiling", "retention.set_floor", "reviews.close", "reviews.open",
    "roles.define", "roles.delete", "roles.grant", "roles.withdraw", "sso.configure", "sso.remove",
    "subjects.erase", "support_cases.grant", "tenant.cancel_termination", "tenant.export", "tenant.terminate",
    "tenant_keys.provision", "tenants.cancel_termination", "tenants.close", "tenants.invite_owner",
    "tenants.rotate_key", "tenants.terminate", "webhooks.add",
})  # fmt: skip
"""Acts before which a person shows a second factor: keys, grants, policy, erasure, and what lets others in."""

LASTING = frozenset({
    "accounts.invite", "break_glass.seal", "clients.change", "clients.register", "clients.rotate_secret", "roles.grant",
    "roles.withdraw", "tenant_keys.provision", "tenants.invite_owner", "webhooks.add",
})  # fmt: skip
"""Acts of staff that leave behind a way in, or take one from somebody: no elevation permits them."""


def _verbs() -> list[VerbSpec]:
    modules = [module for name, module in list(sys.modules.items()) if name.startswith("bailee.")]
    return [spec for module in modules for spec in find_verbs(module) if spec.permission not in PLACES]


def test_every_verbs_permission_stands_in_a_role_or_scope() -> None:
    missing = {spec.name: spec.permission for spec in _verbs()}
    known = STAFF_PERMISSIONS | TENANT_PERMISSIONS
    assert {name: one for name, one in missing.items() if one not in known} == {}


def test_every_permission_of_a_role_or_scope_is_a_verbs_or_reads() -> None:
    asked = {spec.permission for spec in _verbs()} | READING
    assert asked == STAFF_PERMISSIONS | TENANT_PERMISSIONS


def test_each_verb_has_a_permission_of_its_own() -> None:
    verbs = {spec.name: spec.permission for spec in _verbs()}
    shared = {one for one, count in Counter(verbs.values()).items() if count > 1}
    assert shared == {"scim.provision", "subjects.erase"}


def test_reading_is_what_no_verb_asks_for() -> None:
    assert READING.isdisjoint(spec.permission for spec in _verbs())
    assert all(one.endswith(".read") for one in READING)


def test_a_permission_names_things_and_what_is_done_with_them() -> None:
    pattern = re.compile(r"[a-z]+(_[a-z]+)*\.[a-z]+(_[a-z]+)*")
    assert all(pattern.fullmatch(one) or one == "scim.provision" for one in STAFF_PERMISSIONS | TENANT_PERMISSIONS)
    assert Principal.EVERYTHING not in STAFF_PERMISSIONS | TENANT_PERMISSIONS


def test_what_is_dangerous_asks_for_a_fresh_factor() -> None:
    steps = {spec.permission for spec in _verbs() if spec.step_up}
    assert steps >= STEP_UP


def test_what_outlasts_an_elevation_is_not_permitted_by_one() -> None:
    assert {spec.permission for spec in _verbs() if spec.lasting} == LASTING
    assert LASTING <= STAFF_PERMISSIONS


def test_staff_hold_nothing_of_what_tenants_store() -> None:
    content = {one for one in TENANT_PERMISSIONS if one.split(".")[0] in {"records", "files", "subjects"}}
    assert content
    for name, role in STAFF_ROLES.items():
        assert role.permissions.isdisjoint(content), name
    held_by_both = STAFF_PERMISSIONS & TENANT_PERMISSIONS
    assert held_by_both <= {
        "alerts.read", "alerts.acknowledge", "alerts.assign", "alerts.close", "alerts.note", "alerts.suppress",
        "alerts.end_suppression", "support_cases.read", "support_cases.end",
        "webhooks.read", "webhooks.add", "webhooks.remove", "webhooks.try", "webhooks.send_again",
        "events.read", "measures.read", "clients.read", "clients.register",
        "clients.change", "clients.rotate_secret",
        "clients.revoke",
    }  # fmt: skip


def test_no_standing_role_is_everything() -> None:
    standing = [name for name, role in STAFF_ROLES.items() if not role.elevation_only]
    assert staff_permissions(standing) < STAFF_PERMISSIONS
    assert "superuser" not in standing
    assert STAFF_PERMISSIONS - staff_permissions(standing) == {"tenants.close"}


def test_of_the_tenants_roles_the_owner_holds_all_and_reading_reads() -> None:
    assert TENANT_ROLES["owner"].permissions == TENANT_PERMISSIONS
    assert all(role.permissions <= TENANT_PERMISSIONS for role in TENANT_ROLES.values())
    assert "subjects.erase" not in TENANT_ROLES["administrator"].permissions
    assert not TENANT_ROLES["auditor"].permissions & {"records.read", "files.open", "subjects.view"}
    changing = {spec.permission for spec in _verbs()} - TENANT_READING
    assert TENANT_ROLES["viewer"].permissions.isdisjoint(changing)
    assert TENANT_ROLES["auditor"].permissions.isdisjoint(changing)


def test_scopes_hold_a_tenants_permissions_and_nothing_about_signing_in() -> None:
    scoped = frozenset().union(*SCOPES.values())
    assert scoped <= TENANT_PERMISSIONS
    assert scoped.isdisjoint({"policy.change", "roles.define", "roles.delete", "members.reset_factors"})
    assert not {one for one in scoped if one.startswith(("sso.", "domains."))}


def test_what_is_neither_scope_nor_permission_grants_nothing() -> None:
    assert expand(["*", "", "records", "records:*", "tenants.read", "owner"]) == frozenset()
    assert expand(["records:read", "files.open"]) == SCOPES["records:read"] | {"files.open"}
    assert staff_permissions(["", "Owner", "*", "viewer"]) == frozenset()
    assert staff_permissions(["support", "nobody"]) == STAFF_ROLES["support"].permissions
