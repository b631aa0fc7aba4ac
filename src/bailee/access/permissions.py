"""Who may do what: permissions, the scopes that machines are given, and the roles that people have.

A permission is `<things>.<verb>`, one for each verb of the services and one for each kind of reading; the tests hold
this file and the services' declarations against each other, so that a verb without a role, or a role without its
verb, fails the build. Two stand for several verbs: `scim.provision`, because a directory does all of it or none, and
`subjects.erase`, whose verbs are the two steps of one erasure. A scope is `<things>:read` or `<things>:write`, a
bundle for API keys and OAuth clients.
"""

from collections.abc import Iterable

import msgspec

from bailee.foundation.principal import ActorKind, Principal

SCOPES: dict[str, frozenset[str]] = {
    "collections:read": frozenset({"collections.read", "tenant.read"}),
    "collections:write": frozenset({"collections.define", "collections.delete"}),
    "records:read": frozenset({"records.read", "records.fetch", "records.search"}),
    "records:write": frozenset({
        "records.create", "records.import", "records.replace", "records.change", "records.delete",
    }),
    "subjects:read": frozenset({"subjects.view"}),
    "subjects:erase": frozenset({"subjects.erase"}),
    "files:read": frozenset({"files.open"}),
    "files:write": frozenset({"files.store", "files.delete"}),
    "events:read": frozenset({"events.read"}),
    "measures:read": frozenset({"measures.read"}),
    "keys:read": frozenset({"keys.read"}),
    "keys:write": frozenset({"keys.issue", "keys.rotate", "keys.revoke"}),
    "clients:read": frozenset({"clients.read"}),
    "clients:write": frozenset({"clients.register", "clients.change", "clients.rotate_secret", "clients.revoke"}),
    "members:read": frozenset({"members.read", "roles.read"}),
    "members:write": frozenset({
        "members.invite", "members.withdraw_invitation", "members.change_role", "members.disable", "members.enable",
        "members.remove",
    }),
    "alerts:read": frozenset({"alerts.read"}),
    "alerts:write": frozenset({
        "alerts.acknowledge", "alerts.assign", "alerts.close", "alerts.note", "alerts.suppress",
        "alerts.end_suppression",
    }),
    "event_types:read": frozenset({"event_types.read"}),
    "event_types:write": frozenset({"event_types.define", "event_types.remove"}),
    "events:write": frozenset({"events.report"}),
    "webhooks:read": frozenset({"webhooks.read"}),
    "webhooks:write": frozenset({"webhooks.remove", "webhooks.try", "webhooks.send_again"}),
    "support_cases:read": frozenset({"support_cases.read"}),
    "notices:read": frozenset({"notices.read", "notices.open", "notices.list_subjects"}),
    "scim": frozenset({"scim.provision"}),
}  # fmt: skip
"""For API keys and OAuth clients: what each scope permits within the tenant."""

TENANT_READING = frozenset({
    "collections.read", "records.read", "records.fetch", "records.search", "subjects.view", "files.open",
    "events.read", "measures.read", "keys.read", "clients.read", "members.read", "roles.read", "policy.read",
    "sso.read", "tenant.read", "alerts.read", "notices.read", "notices.open", "notices.list_subjects",
    "support_cases.read", "webhooks.read", "event_types.read", "retention.read", "holds.read",
    "tenant.export", "tenant.cancel_termination",
})  # fmt: skip
"""Reading, and taking the data along."""
TENANT_CLOSING = TENANT_READING | {"holds.extend", "holds.decide_change", "holds.look", "holds.open_file"}
"""What is left when the contract has ended: that, and keeping for longer what a claim needs."""

_ERASING = frozenset({"subjects.erase", "retention.run", "retention.set_floor", "retention.remove_floor"})
_HOLDING = frozenset({
    "holds.read", "holds.request", "holds.withdraw", "holds.approve", "holds.refuse", "holds.lift", "holds.extend",
    "holds.decide_change", "holds.look", "holds.open_file",
})  # fmt: skip
PRIVACY_DUTIES = _ERASING | _HOLDING
"""What privacy officers do, and administrators do not: erasing, and keeping from being erased."""
_ENDING = frozenset({"tenant.terminate", "tenant.cancel_termination", "tenant.export"})
"""What decides about deletion, what keeps data from it, and what ends all: not for administrators."""

TENANT_PERMISSIONS = frozenset().union(*SCOPES.values()) | TENANT_READING | {
    "roles.define", "roles.delete", "members.reset_factors", "policy.change",
    "support_cases.grant", "support_cases.refuse", "support_cases.end", "webhooks.add",
    "sso.configure", "sso.remove", "domains.add", "domains.verify", "domains.remove",
    "retention.read", *_ERASING, *_HOLDING, *_ENDING,
}  # fmt: skip
"""Everything that can be done within a tenant."""


class Role(msgspec.Struct, frozen=True):
    """A named set of permissions. `elevation_only`: held for a time and with a second person's approval, never
    granted.
    """

    title: str
    permissions: frozenset[str]
    elevation_only: bool = False


_EVERY_STAFF_READS = frozenset({"measures.read", "elevations.request", "elevations.end", "reviews.decide"})

_HELPING = frozenset({
    "incidents.read", "incidents.open", "incidents.note", "incidents.add_task", "incidents.complete_task",
    "incidents.attach", "incidents.open_evidence",
})  # fmt: skip
"""What whoever helps with an incident does."""
_NOTIFYING = frozenset({
    "breaches.verify", "breaches.dismiss", "breaches.trace", "notices.draft", "notices.edit", "notices.discard",
    "notices.approve", "notices.send",
})  # fmt: skip
_HANDLING = _HELPING | _NOTIFYING | {
    "incidents.change", "incidents.assess", "incidents.assign", "incidents.move", "incidents.link_alert",
    "incidents.follow_playbook", "incidents.review", "incidents.set_trigger", "incidents.remove_trigger",
    "exercises.run",
}  # fmt: skip
"""What whoever answers for incidents does."""

_INFRASTRUCTURE = frozenset({
    "backups.read", "backups.take", "backups.verify", "backups.drill", "backup_releases.request",
    "tenants.read", "tenants.create", "tenants.change", "tenants.move", "tenants.rotate_key",
    "tenant_keys.read", "tenant_keys.provision", "tenant_keys.withdraw", "tenants.invite_owner",
    "clients.read", "clients.register", "clients.change", "clients.rotate_secret", "clients.revoke",
    "events.read", "measures.check", "alerts.read", *_HELPING,
})  # fmt: skip
_SECURITY = frozenset({
    "backups.read", "backups.verify", "backup_releases.request", "backup_releases.decide",
    "accounts.read", "accounts.invite", "accounts.withdraw_invitation", "accounts.disable", "accounts.enable",
    "accounts.off_board", "accounts.reset_factors", "sessions.end", "roles.grant", "roles.withdraw",
    "elevations.decide", "reviews.open", "reviews.close", "reviews.read", "privileges.report",
    "tenants.read", "tenants.move", "tenants.rotate_key", "tenant_keys.read", "tenant_keys.withdraw",
    "events.read", "measures.check", "clients.read", "provider.rotate_keys", "alerts.read", *SCOPES["alerts:write"],
    *_HANDLING, "support_cases.read", "support_cases.end", "webhooks.read", "webhooks.add", *SCOPES["webhooks:write"],
})  # fmt: skip
_DATA_PROTECTION = _HANDLING | {
    "tenants.read", "tenant_keys.read", "events.read", "tenants.terminate", "alerts.read", "support_cases.read",
    "support_cases.end", "retention.set_ceiling", "retention.remove_ceiling", "tenant_holds.read",
    "holds.approve_for", "holds.refuse_for", "holds.decide_change_for", "holds.lift_for", "holds.extend_for",
    "holds.look_for", "holds.open_file_for", "tenants.cancel_termination", "terminations.read",
    "terminations.read_certificate",
}  # fmt: skip
_SUPPORT = frozenset({
    "tenants.read", "tenant_keys.read", "clients.read", "support_cases.read", "support_cases.request",
    "support_cases.list_records", "support_cases.read_record", "support_cases.end",
})  # fmt: skip
_AUDITOR = frozenset({
    "backups.read",
    "tenants.read", "tenant_keys.read", "events.read", "accounts.read", "reviews.read", "privileges.report",
    "clients.read", "alerts.read", "incidents.read", "support_cases.read",
})  # fmt: skip
CRITICAL = frozenset({"tenants.close"})
"""What nobody holds standing: there is no way back from it."""
_OWNER = _INFRASTRUCTURE | _SECURITY | _DATA_PROTECTION | _SUPPORT | _AUDITOR | _EVERY_STAFF_READS | {
    "break_glass.seal", "backups.make_recovery_key",
}  # fmt: skip

STAFF_ROLES: dict[str, Role] = {
    "owner": Role("Owner", _OWNER),
    "security_officer": Role("Security officer", _SECURITY | _EVERY_STAFF_READS),
    "infrastructure": Role("Infrastructure", _INFRASTRUCTURE | _EVERY_STAFF_READS),
    "data_protection": Role("Data protection", _DATA_PROTECTION | _EVERY_STAFF_READS),
    "support": Role("Support", _SUPPORT | _EVERY_STAFF_READS),
    "auditor": Role("Auditor", _AUDITOR | _EVERY_STAFF_READS),
    "superuser": Role("Superuser", _OWNER | CRITICAL, elevation_only=True),
}
"""For staff accounts. No role reads what tenants store: that takes a case that the tenant grants. Where the contract
has ended and the law keeps an archive, there is nobody left to grant one: data protection looks into that alone.
"""

STAFF_PERMISSIONS = frozenset().union(*(role.permissions for role in STAFF_ROLES.values()))

_VIEWER = frozenset({"tenant.read", "collections.read", "records.read", "records.search", "files.open"})
_EDITOR = _VIEWER | SCOPES["records:write"] | SCOPES["files:write"] | {"records.fetch"}
_PRIVACY = frozenset({
    "tenant.read", "collections.read", "records.read", "records.search", "records.fetch", "files.open",
    "subjects.view", "subjects.erase", "events.read", "measures.read", "keys.read", "clients.read", "members.read",
    "roles.read", "policy.read", "alerts.read", *SCOPES["notices:read"],
    "support_cases.read", "support_cases.grant", "support_cases.refuse", "support_cases.end",
    "retention.read",
}) | PRIVACY_DUTIES  # fmt: skip

TENANT_ROLES: dict[str, Role] = {
    "owner": Role("Owner", TENANT_PERMISSIONS),
    "administrator": Role("Administrator", TENANT_PERMISSIONS - (PRIVACY_DUTIES - {"holds.read"}) - _ENDING),
    "privacy_officer": Role("Privacy officer", _PRIVACY),
    "editor": Role("Editor", _EDITOR),
    "viewer": Role("Viewer", _VIEWER),
    "auditor": Role("Auditor", frozenset({
        "tenant.read", "events.read", "measures.read", "keys.read", "clients.read", "members.read", "roles.read",
        "policy.read", "sso.read", "collections.read", "alerts.read", "notices.read", "notices.open",
        "support_cases.read", "webhooks.read", "retention.read", "holds.read",
    })),
}  # fmt: skip
"""For members, in each tenant; a plan with custom roles lets a tenant add its own."""


DIRECTORY = "scim.provision"
"""What a directory's key holds: it decides about every member up to an administrator."""


def may_hand_out(permissions: Iterable[str], by: Principal) -> bool:
    """Whether `by` may give others these permissions: it holds them, and not for the moment only. A person who makes a
    directory's key holds what an administrator does, for that is what the key gives and takes; a machine that holds the
    scope is a directory itself.
    """
    wanted = set(permissions)
    if DIRECTORY in wanted and by.kind is ActorKind.MEMBER:
        wanted |= TENANT_ROLES["administrator"].permissions
    return all(by.holds(one) for one in wanted)


def expand(granted: Iterable[str]) -> frozenset[str]:
    """The permissions behind scopes and permissions. What is neither, grants nothing."""
    found: set[str] = set()
    for one in granted:
        found |= SCOPES.get(one, frozenset({one}) & TENANT_PERMISSIONS)
    return frozenset(found)


def to_hold(role: str) -> frozenset[str]:
    """What somebody holds who may lend a staff role or take it away: all of it that anybody holds standing."""
    found = STAFF_ROLES.get(role)
    return found.permissions - CRITICAL if found else frozenset({Principal.EVERYTHING})


def staff_permissions(roles: Iterable[str]) -> frozenset[str]:
    """What staff roles permit together."""
    found: frozenset[str] = frozenset()
    for name in roles:
        role = STAFF_ROLES.get(name)
        found |= role.permissions if role else frozenset()
    return found
