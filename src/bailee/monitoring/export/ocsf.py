"""Events as the Open Cybersecurity Schema Framework has them (OCSF 1.3).

Sign-ins are Authentication, changes of accounts Account Change, alerts Detection Finding, incidents Incident Finding,
what reaches stored data Datastore Activity, and everything else API Activity. What has no place of its own is in
`unmapped`; `metadata.uid` is the event's id and `metadata.sequence` its place in the ledger.
"""

from datetime import datetime
from typing import Any

from bailee import __version__
from bailee.events import Event
from bailee.events.catalogue import Reach, reaching

VERSION = "1.3.0"
_IAM, _FINDINGS, _APPLICATION = (3, "Identity & Access Management"), (2, "Findings"), (6, "Application Activity")
_ACCOUNT = {
    "account.created": (1, "Create"), "member.joined": (1, "Create"), "account.enabled": (2, "Enable"),
    "member.enabled": (2, "Enable"), "account.password_changed": (3, "Password Change"),
    "account.password_link_sent": (4, "Password Reset"), "account.factors_reset": (4, "Password Reset"),
    "account.disabled": (5, "Disable"), "member.disabled": (5, "Disable"), "account.off_boarded": (6, "Delete"),
    "member.removed": (6, "Delete"), "role.granted": (7, "Attach Policy"), "role.withdrawn": (8, "Detach Policy"),
    "role.lost": (8, "Detach Policy"), "account.mfa_enrolled": (10, "MFA Factor Enable"),
    "account.mfa_removed": (11, "MFA Factor Disable"),
}  # fmt: skip
_SEVERITY = {"informational": 1, "low": 2, "medium": 3, "high": 4, "critical": 5}
_SEVERITIES = {1: "Informational", 2: "Low", 3: "Medium", 4: "High", 5: "Critical"}
_UPDATE = (2, "Update")
_LIFE = {"alert.opened": (1, "Create"), "alert.closed": (3, "Close"), "incident.opened": (1, "Create")}
_SESSION = {
    "session.begun": (1, "Logon"), "session.refused": (1, "Logon"), "session.stepped_up": (1, "Logon"),
    "session.ended": (2, "Logoff"), "session.others_ended": (2, "Logoff"), "session.ended_for_somebody": (2, "Logoff"),
}  # fmt: skip
_DATA = dict.fromkeys(reaching(Reach.READ), (1, "Read")) | {
    action: (7, "Delete") if action.endswith(("deleted", "erased")) else _UPDATE
    for action in reaching(Reach.CHANGED)
}  # fmt: skip


def to_ocsf(event: Event, sequence: int) -> dict[str, Any]:
    """One event; `sequence` is its index in the ledger."""
    (category, category_name), class_uid, class_name, activity, activity_name = _class_of(event)
    severity = _severity(event)
    found: dict[str, Any] = {
        "activity_id": activity, "activity_name": activity_name, "category_uid": category,
        "category_name": category_name, "class_uid": class_uid, "class_name": class_name,
        "type_uid": class_uid * 100 + activity, "type_name": f"{class_name}: {activity_name}",
        "time": round(datetime.fromisoformat(event.time).timestamp() * 1000),
        "severity_id": severity, "severity": _SEVERITIES[severity],
        "status_id": 1 if event.outcome == "success" else 2,
        "status": "Success" if event.outcome == "success" else "Failure", "status_detail": event.outcome.value,
        "metadata": {
            "version": VERSION, "uid": event.id, "sequence": sequence, "log_name": "bailee", "event_code": event.action,
            "original_time": event.time,
            "product": {"name": "Bailee", "vendor_name": "Bailee", "version": __version__},
        },
        "actor": {"user": {"uid": event.actor.id, "type": event.actor.kind}},
        "api": {"operation": event.action, "service": {"name": "bailee"}},
        "unmapped": {"details": event.details},
    }  # fmt: skip
    if event.tenant:
        found["metadata"]["tenant_uid"] = event.tenant
    if event.address:
        found["src_endpoint"] = {"ip": event.address}
    if event.session:
        found["actor"]["session"] = {"uid": event.session}
    if event.request_id:
        found["api"]["request"] = {"uid": event.request_id}
    if event.object:
        found["resources"] = [{"uid": event.object.id, "type": event.object.kind}]
    if class_uid in _WITH_USER:
        found["user"] = {"uid": event.object.id if event.object else event.actor.id}
    if class_uid in _FINDING:
        found["finding_info"] = {"uid": event.object.id if event.object else event.id, "title": event.action}
    return found


_AUTHENTICATION, _ACCOUNT_CHANGE, _DETECTION, _INCIDENT, _DATASTORE, _API = 3002, 3001, 2004, 2005, 6005, 6003
_WITH_USER = frozenset({_AUTHENTICATION, _ACCOUNT_CHANGE})
_FINDING = frozenset({_DETECTION, _INCIDENT})


def _class_of(event: Event) -> tuple[tuple[int, str], int, str, int, str]:
    action = event.action
    if action in _SESSION:
        return _IAM, _AUTHENTICATION, "Authentication", *_SESSION[action]
    if action in _ACCOUNT:
        return _IAM, _ACCOUNT_CHANGE, "Account Change", *_ACCOUNT[action]
    if action.startswith("alert."):
        return _FINDINGS, _DETECTION, "Detection Finding", *_LIFE.get(action, _UPDATE)
    if action.startswith(("incident.", "breach.")):
        return _FINDINGS, _INCIDENT, "Incident Finding", *_LIFE.get(action, _UPDATE)
    if action in _DATA:
        return _APPLICATION, _DATASTORE, "Datastore Activity", *_DATA[action]
    return _APPLICATION, _API, "API Activity", 99, "Other"


def _severity(event: Event) -> int:
    level = event.details.get("level") or event.details.get("severity")
    if isinstance(level, str) and level in _SEVERITY:
        return _SEVERITY[level]
    return 1 if event.outcome == "success" else 2
