"""Incidents, breaches and notices as values, and the rules that need nothing but them."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal
from uuid import UUID

import msgspec

from bailee.foundation.ids import TenantId

NOTICE_WITHIN = timedelta(hours=24)
"""From the verification of a breach to the customers' notice (TOM 9.2)."""
AUTHORITY_WITHIN = timedelta(hours=72)
"""From when the controller knows to its notification of the authority (GDPR Art. 33(1)); it knows when it is told."""
REMINDERS = (50, 75, 90, 100)
"""At which part of the time, in percent, people are reminded; the last says that it is over."""


class Phase(StrEnum):
    """Where an incident is in its life."""

    IDENTIFIED = "identified"
    TRIAGED = "triaged"
    """Somebody owns it, and its severity is known."""
    MITIGATED = "mitigated"
    """It does no more harm."""
    INVESTIGATED = "investigated"
    """Its cause and its extent are known."""
    CLOSED = "closed"


PHASES = tuple(Phase)

type Severity = Literal["low", "medium", "high", "critical"]
type Impact = Literal["none", "limited", "serious", "severe"]
type Extent = Literal["one", "some", "many"]

IMPACTS: dict[str, str] = {
    "none": "Nobody is harmed; at most work is disturbed.",
    "limited": "Inconvenience that passes.",
    "serious": "Real harm is possible: fraud, disclosure of what is confidential, loss of data.",
    "severe": "Harm that stays: health, identity, livelihood, special categories of data.",
}
EXTENTS: dict[str, str] = {"one": "One customer or system.", "some": "Several.", "many": "Most, or all."}
MATRIX: dict[tuple[str, str], Severity] = {
    ("none", "one"): "low", ("none", "some"): "low", ("none", "many"): "medium",
    ("limited", "one"): "low", ("limited", "some"): "medium", ("limited", "many"): "high",
    ("serious", "one"): "high", ("serious", "some"): "high", ("serious", "many"): "critical",
    ("severe", "one"): "high", ("severe", "some"): "critical", ("severe", "many"): "critical",
}  # fmt: skip
"""How grave an incident is, by what it does and to how many."""

LIMITS: dict[Severity, dict[Phase, timedelta]] = {
    "critical": {
        Phase.TRIAGED: timedelta(hours=1), Phase.MITIGATED: timedelta(hours=8),
        Phase.INVESTIGATED: timedelta(days=5), Phase.CLOSED: timedelta(days=30),
    },
    "high": {
        Phase.TRIAGED: timedelta(hours=4), Phase.MITIGATED: timedelta(hours=24),
        Phase.INVESTIGATED: timedelta(days=10), Phase.CLOSED: timedelta(days=45),
    },
    "medium": {
        Phase.TRIAGED: timedelta(hours=24), Phase.MITIGATED: timedelta(days=5),
        Phase.INVESTIGATED: timedelta(days=20), Phase.CLOSED: timedelta(days=60),
    },
    "low": {
        Phase.TRIAGED: timedelta(hours=72), Phase.MITIGATED: timedelta(days=14),
        Phase.INVESTIGATED: timedelta(days=30), Phase.CLOSED: timedelta(days=90),
    },
}  # fmt: skip
"""By when, from its opening, an incident has to have come to each phase."""

type BreachState = Literal["undecided", "verified", "dismissed"]


class Incident(msgspec.Struct, frozen=True):
    """One incident."""

    id: UUID
    number: int
    title: str
    summary: str
    phase: Phase
    impact: Impact
    extent: Extent
    severity: Severity
    owner: UUID | None
    deputy: UUID | None
    exercise: bool
    """Played through with synthetic tenants; nothing of it leaves the house."""
    subprocessor: str
    """Who told us of it, where it happened at a subprocessor; else empty."""
    subprocessor_reference: str
    breach: BreachState
    opened_by: str
    opened_at: datetime
    triaged_at: datetime | None
    mitigated_at: datetime | None
    investigated_at: datetime | None
    closed_at: datetime | None
    cause: str
    """The post-mortem: what it came from, and what was learnt."""
    lessons: str
    version: int

    def reached_at(self, phase: Phase) -> datetime | None:
        """When it came to a phase."""
        return {
            Phase.IDENTIFIED: self.opened_at, Phase.TRIAGED: self.triaged_at, Phase.MITIGATED: self.mitigated_at,
            Phase.INVESTIGATED: self.investigated_at, Phase.CLOSED: self.closed_at,
        }[phase]  # fmt: skip

    @property
    def following(self) -> Phase | None:
        """The phase that comes next."""
        place = PHASES.index(self.phase) + 1
        return PHASES[place] if place < len(PHASES) else None

    @property
    def due_at(self) -> datetime | None:
        """By when it has to come to its next phase."""
        return self.opened_at + LIMITS[self.severity][self.following] if self.following else None


type EntryKind = Literal[
    "opened", "changed", "assessed", "owner", "phase", "note", "task", "evidence", "alert", "event", "playbook",
    "breach", "clock", "reach", "notice", "postmortem", "exercise",
]  # fmt: skip


class Entry(msgspec.Struct, frozen=True):
    """One line of an incident's timeline. Written once; a mistake is corrected by a further line."""

    id: UUID
    at: datetime
    """When it happened, which may be before it was written."""
    written_at: datetime
    kind: EntryKind
    author: str
    text: str
    reference: str
    """The id of the event, alert, task, file or notice that it is about."""


type Origin = Literal["person", "playbook", "lesson"]


class Task(msgspec.Struct, frozen=True):
    """Something to be done about an incident."""

    id: UUID
    title: str
    group: str
    """The heading that it stands under in its playbook."""
    origin: Origin
    assignee: UUID | None
    due_at: datetime | None
    done_at: datetime | None
    done_by: str | None


class Attachment(msgspec.Struct, frozen=True):
    """A file kept as evidence. `sha256` is of its content, in hex."""

    id: UUID
    name: str
    content_type: str
    size: int
    sha256: str
    added_by: str
    added_at: datetime


class LinkedAlert(msgspec.Struct, frozen=True):
    """An alert that belongs to an incident."""

    tenant_id: TenantId
    alert_id: UUID
    title: str
    level: str
    status: str


class Trigger(msgspec.Struct, frozen=True):
    """That alerts open an incident: those of one rule, or all from a level on."""

    id: UUID
    rule_id: UUID | None
    level: str | None
    playbook: str
    impact: Impact
    extent: Extent
    created_by: str
    created_at: datetime


# --- breaches ------------------------------------------------------------------------------------------


class Breach(msgspec.Struct, frozen=True):
    """A verified breach of personal data, and its clock."""

    incident_id: UUID
    verified_at: datetime
    verified_by: str
    facts: str
    due_at: datetime
    elapsed: timedelta
    """Time since the verification, whatever the machine's clock was set to meanwhile."""
    reminded: int
    """The last reminder, in percent; 0 for none."""
    told_at: datetime | None
    """When the last of the customers concerned had been sent a notice."""

    @property
    def left(self) -> timedelta:
        """What is left of the 24 hours; negative when they are over."""
        return NOTICE_WITHIN - self.elapsed

    @property
    def percent(self) -> int:
        return int(self.elapsed / NOTICE_WITHIN * 100)


type Sureness = Literal["certain", "possible"]


class ReachedCollection(msgspec.Struct, frozen=True):
    """What was reached in one collection of one tenant. `collection` is empty for files and what has no collection."""

    collection: str
    reads: int
    """Acts that read."""
    changes: int
    """Acts that changed or deleted."""
    records: int
    """Records and files in them, one counted as often as it was reached."""
    subjects_certain: int
    """Data subjects of whom a record was reached by name."""
    subjects_possible: int
    """Data subjects who may have been among those listed or searched: at most all there are."""
    sureness: Sureness
    title: str = ""
    categories: list[str] = []
    """The categories of personal data that the data map names for it."""


class ReachedTenant(msgspec.Struct, frozen=True):
    """What was reached of one tenant."""

    tenant_id: TenantId
    name: str
    first_at: datetime | None
    last_at: datetime | None
    collections: list[ReachedCollection]
    subjects_certain: int
    subjects_possible: int

    @property
    def sureness(self) -> Sureness:
        return "certain" if all(one.sureness == "certain" for one in self.collections) else "possible"


class Scope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an incident is traced by: who acted, from where, in which session; when; or which store was open."""

    since: datetime
    until: datetime
    accounts: list[UUID] = []
    keys: list[UUID] = []
    sessions: list[UUID] = []
    addresses: list[str] = []
    store: Literal["", "vault"] = ""
    """`vault`: the store itself was open, so that everything in it may have been reached."""
    subprocessor: str = ""
    """Everything in the stores that a subprocessor holds for us."""


class Reach(msgspec.Struct, frozen=True):
    """The blast radius of an incident: which tenants, collections and data subjects were reached."""

    id: UUID
    scope: Scope
    computed_at: datetime
    computed_by: str
    events: int
    seconds: float
    tenants: list[ReachedTenant]


# --- notices -------------------------------------------------------------------------------------------


class NoticeState(StrEnum):
    """Where one version of a notice is."""

    DRAFT = "draft"
    APPROVED = "approved"
    """Read and found right by somebody else than its writers."""
    SENT = "sent"


PARTS: dict[str, str] = {
    "nature": "What happened, and whose data of which kinds it concerns",
    "impact": "What is likely to follow from it",
    "mitigation_taken": "What has been done about it",
    "mitigation_planned": "What is going to be done",
    "contact": "Who answers questions",
}
"""What a notice says (TOM 9.3, GDPR Art. 33(3)): nature, impact, mitigation in its two halves, contact."""


class Notice(msgspec.Struct, frozen=True):
    """One version of what a customer is told. The first is the notice; later ones supplement or correct it."""

    tenant_id: TenantId
    incident_id: UUID
    version: int
    number: int
    """The incident's."""
    tenant_name: str
    state: NoticeState
    exercise: bool
    nature: str
    impact: str
    mitigation_taken: str
    mitigation_planned: str
    contact: str
    late_reason: str
    verified_at: datetime
    due_at: datetime
    edited_by: list[str]
    edited_at: datetime
    approved_by: str | None
    approved_at: datetime | None
    sent_by: str | None
    sent_at: datetime | None
    first_sent_at: datetime | None
    late: bool = False
    """Whether it went out after the 24 hours, by the clock that counts."""

    @property
    def missing(self) -> list[str]:
        """The parts that say nothing yet."""
        return [part for part in PARTS if not getattr(self, part).strip()]

    @property
    def authority_by(self) -> datetime | None:
        """By when the controller notifies its authority, where it has to (GDPR Art. 33(1))."""
        return self.first_sent_at + AUTHORITY_WITHIN if self.first_sent_at else None


type Channel = Literal["mail", "webhook", "portal"]
type DeliveryState = Literal["waiting", "delivered", "failed", "exercise"]


class Delivery(msgspec.Struct, frozen=True):
    """How one version went to one place. `exercise`: it was not sent, for it was one."""

    id: UUID
    version: int
    channel: Channel
    recipient: str
    state: DeliveryState
    reason: str
    queued_at: datetime
    ended_at: datetime | None


class Reading(msgspec.Struct, frozen=True):
    """That somebody of the tenant has opened a version."""

    version: int
    account_id: UUID
    read_at: datetime


class ExerciseResult(msgspec.Struct, frozen=True):
    """How an exercise went. `seconds` runs from the verification to the last notice."""

    id: UUID
    incident_id: UUID | None
    began_at: datetime
    ended_at: datetime
    begun_by: str
    tenants: int
    seconds: float
    passed: bool
    faults: list[str]
    drill: bool
    """Whether it went by itself, without people."""
