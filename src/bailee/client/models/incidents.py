"""Incidents, breaches of personal data, and what customers are told of them."""

from datetime import datetime
from typing import Any, ClassVar

import msgspec

from bailee.client.models.base import Model


class Incident(Model, frozen=True, kw_only=True):
    """An incident. `phase`: identified, triaged, mitigated, investigated or closed; `breach`: undecided, verified or
    dismissed; `severity` follows from `impact` and `extent`.
    """

    id: str
    number: int
    title: str
    phase: str
    severity: str
    summary: str = ""
    impact: str = ""
    extent: str = ""
    owner: str | None = None
    deputy: str | None = None
    exercise: bool = False
    subprocessor: str = ""
    subprocessor_reference: str = ""
    breach: str = "undecided"
    opened_by: str = ""
    opened_at: datetime | None = None
    triaged_at: datetime | None = None
    mitigated_at: datetime | None = None
    investigated_at: datetime | None = None
    closed_at: datetime | None = None
    cause: str = ""
    lessons: str = ""
    version: int = 1


class TimelineEntry(Model, frozen=True, kw_only=True):
    """A line of an incident's timeline."""

    id: str
    text: str
    kind: str = "note"
    author: str = ""
    reference: str = ""
    at: datetime | None = None
    written_at: datetime | None = None


class IncidentTask(Model, frozen=True, kw_only=True):
    """Something to be done about an incident; `group` is the heading of its playbook."""

    id: str
    title: str
    group: str = ""
    origin: str = "person"
    assignee: str | None = None
    due_at: datetime | None = None
    done_at: datetime | None = None
    done_by: str | None = None


class Attachment(Model, frozen=True, kw_only=True):
    """A file kept as evidence; `sha256` is of its content, in hex."""

    id: str
    name: str
    sha256: str
    size: int = 0
    content_type: str = ""
    added_by: str = ""
    added_at: datetime | None = None


class LinkedAlert(Model, frozen=True, kw_only=True):
    """An alert that belongs to an incident."""

    alert_id: str
    tenant_id: str
    title: str
    level: str = ""
    status: str = ""


class Breach(Model, frozen=True, kw_only=True):
    """A verified breach and its clock, in seconds passed and left of the 24 hours."""

    verified_at: datetime
    due_at: datetime
    facts: str = ""
    verified_by: str = ""
    elapsed_seconds: int = 0
    left_seconds: int = 0
    reminded_percent: int = 0
    told_at: datetime | None = None


class ReachedCollection(Model, frozen=True, kw_only=True):
    """What was reached in a collection; an empty name stands for files."""

    collection: str
    reads: int = 0
    changes: int = 0
    records: int = 0
    subjects_certain: int = 0
    subjects_possible: int = 0
    sureness: str = "possible"
    title: str = ""
    categories: tuple[str, ...] = ()


class ReachedTenant(Model, frozen=True, kw_only=True):
    """What was reached of a tenant."""

    tenant_id: str
    name: str = ""
    subjects_certain: int = 0
    subjects_possible: int = 0
    collections: tuple[ReachedCollection, ...] = ()
    first_at: datetime | None = None
    last_at: datetime | None = None


class Reach(Model, frozen=True, kw_only=True):
    """The blast radius of an incident, as it was computed from the log."""

    id: str
    tenants: tuple[ReachedTenant, ...] = ()
    scope: dict[str, Any] = msgspec.field(default_factory=dict)
    events: int = 0
    seconds: float = 0.0
    computed_by: str = ""
    computed_at: datetime | None = None


class Notice(Model, frozen=True, kw_only=True):
    """One version of what a customer is told of a breach. `state`: draft, approved or sent."""

    incident_id: str
    tenant_id: str
    version: int
    state: str
    number: int = 0
    tenant_name: str = ""
    exercise: bool = False
    nature: str = ""
    impact: str = ""
    mitigation_taken: str = ""
    mitigation_planned: str = ""
    contact: str = ""
    late_reason: str = ""
    verified_at: datetime | None = None
    due_at: datetime | None = None
    edited_by: tuple[str, ...] = ()
    edited_at: datetime | None = None
    approved_by: str | None = None
    approved_at: datetime | None = None
    sent_by: str | None = None
    sent_at: datetime | None = None
    first_sent_at: datetime | None = None


class Refusal(Model, frozen=True, kw_only=True):
    """A notice with which it was not done, and why."""

    tenant_id: str
    tenant_name: str = ""
    reason: str = ""


class BulkResult(Model, frozen=True, kw_only=True):
    """With how many notices it was done, and with which it was not."""

    done: int
    refused: tuple[Refusal, ...] = ()


class Delivery(Model, frozen=True, kw_only=True):
    """How a version went to one place. `state`: waiting, delivered, failed or exercise."""

    id: str
    version: int
    channel: str
    state: str
    recipient: str = ""
    reason: str = ""
    queued_at: datetime | None = None
    ended_at: datetime | None = None


class Reading(Model, frozen=True, kw_only=True):
    """That somebody of the customer has opened a version."""

    version: int
    account_id: str
    read_at: datetime | None = None


class NoticeDetails(Model, frozen=True, kw_only=True):
    """Every version of a notice, oldest first; what the latest lacks; how it went out, and who has read it."""

    versions: tuple[Notice, ...]
    missing: tuple[str, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    readings: tuple[Reading, ...] = ()


class SentNotice(Model, frozen=True, kw_only=True):
    """Every version that was sent, oldest first, and what of the customer's data the latest is about."""

    versions: tuple[Notice, ...]
    reached: tuple[ReachedCollection, ...] = ()


class NoticeSubject(Model, frozen=True, kw_only=True):
    """A data subject whom a notice concerns; None when nothing is left of the person."""

    hidden: ClassVar[frozenset[str]] = frozenset({"subject"})

    subject: str | None
    sureness: str = "certain"


class IncidentDetails(Model, frozen=True, kw_only=True):
    """An incident with everything that belongs to it."""

    incident: Incident
    due_at: datetime | None = None
    breach: Breach | None = None
    timeline: tuple[TimelineEntry, ...] = ()
    tasks: tuple[IncidentTask, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    alerts: tuple[LinkedAlert, ...] = ()
    reaches: tuple[Reach, ...] = ()
    notices: tuple[Notice, ...] = ()


class Playbook(Model, frozen=True, kw_only=True):
    """A checklist in Markdown."""

    name: str
    title: str
    text: str = ""


class IncidentTrigger(Model, frozen=True, kw_only=True):
    """That alerts of a rule, or all from a level on, open an incident."""

    id: str
    rule_id: str | None = None
    level: str | None = None
    playbook: str = ""
    impact: str = ""
    extent: str = ""
    created_by: str = ""
    created_at: datetime | None = None


class ExerciseResult(Model, frozen=True, kw_only=True):
    """How an exercise went; `seconds` from the verification to the last notice."""

    id: str
    passed: bool
    seconds: float = 0.0
    tenants: int = 0
    faults: tuple[str, ...] = ()
    drill: bool = False
    incident_id: str | None = None
    begun_by: str = ""
    began_at: datetime | None = None
    ended_at: datetime | None = None


class BegunExercise(Model, frozen=True, kw_only=True):
    """The incident that people are to handle, or how the drill went."""

    incident: Incident | None = None
    result: ExerciseResult | None = None
