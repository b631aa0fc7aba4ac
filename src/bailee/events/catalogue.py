"""Every event there is. A class is one action; its fields are the only details it can carry.

Values are identifiers, numbers, and names from closed or patterned vocabularies: never what a customer or a
person typed.
"""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

import msgspec

type Name = Annotated[str, msgspec.Meta(pattern=r"\A[a-z][a-z0-9_.:-]{0,127}\Z")]
"""A name from the operator's or a tenant's schema: a collection, a permission, a command."""
type Hex = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{8,128}\Z")]
type Count = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]


class Reach(StrEnum):
    """What an act does to stored personal data (GDPR Art. 4(12): disclosure on one hand, alteration or loss on the
    other). Adding new data is neither.
    """

    READ = "read"
    CHANGED = "changed"


class Details(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The base: `action` names the event."""

    action: ClassVar[str] = ""
    reach: ClassVar[Reach | None] = None

    @property
    def reached(self) -> int:
        """How many records and files were read or changed; of use where `reach` says that some were."""
        return 1


# --- tenants and access -------------------------------------------------------------------------


class TenantCreated(Details, frozen=True):
    action = "tenant.created"
    plan: Name


class TenantChanged(Details, frozen=True):
    action = "tenant.changed"
    plan: Name


class TenantStateChanged(Details, frozen=True):
    action = "tenant.state_changed"
    before: Name
    after: Name


class ApiKeyIssued(Details, frozen=True):
    action = "api_key.issued"
    permissions: list[Name]
    expires: bool


class ApiKeyRotated(Details, frozen=True):
    action = "api_key.rotated"
    overlap_hours: Count


class ApiKeyRevoked(Details, frozen=True):
    action = "api_key.revoked"


class ApiKeyExpiryAnnounced(Details, frozen=True):
    action = "api_key.expiry_announced"
    days: Count


class AccountInvited(Details, frozen=True):
    action = "account.invited"
    roles: list[Name]


class InvitationWithdrawn(Details, frozen=True):
    action = "account.invitation_withdrawn"


class AccountCreated(Details, frozen=True):
    action = "account.created"
    role: Name


class AccountDisabled(Details, frozen=True):
    action = "account.disabled"
    reason: Literal["administrator", "dormant"]


class AccountEnabled(Details, frozen=True):
    action = "account.enabled"


class AccountOffBoarded(Details, frozen=True):
    action = "account.off_boarded"


class DormancyAnnounced(Details, frozen=True):
    action = "account.dormancy_announced"
    days: Count
    mailed: bool = True
    """Whether there was a mail server: without one only those who look after accounts can see it."""


class AccountRenamed(Details, frozen=True):
    action = "account.renamed"


class MfaEnrolmentBegun(Details, frozen=True):
    action = "account.mfa_enrolment_begun"
    factor: Literal["totp", "passkey", "any"]


class MfaEnrolled(Details, frozen=True):
    action = "account.mfa_enrolled"
    factor: Literal["totp", "passkey", "recovery_codes"]


class PasskeyRenamed(Details, frozen=True):
    action = "account.passkey_renamed"


class MfaRemoved(Details, frozen=True):
    action = "account.mfa_removed"
    factor: Literal["totp", "passkey"]


class FactorsReset(Details, frozen=True):
    action = "account.factors_reset"
    factors: Count


class PasswordChanged(Details, frozen=True):
    action = "account.password_changed"
    way: Literal["own", "link"]


class PasswordLinkSent(Details, frozen=True):
    action = "account.password_link_sent"


class BreakGlassSealed(Details, frozen=True):
    action = "break_glass.sealed"


class BreakGlassUsed(Details, frozen=True):
    action = "break_glass.used"


class SetupBegun(Details, frozen=True):
    action = "setup.begun"


class SetupLinkIssued(Details, frozen=True):
    action = "setup.link_issued"


type Factor = Literal["password", "totp", "passkey", "recovery_code", "sso", "device"]


class SignedIn(Details, frozen=True):
    action = "session.begun"
    factors: list[Factor]
    device: Name | None = None
    """Of which kind, such as `firefox_on_linux`; None in events from before it was kept."""


class SignInFailed(Details, frozen=True):
    action = "session.refused"
    reason: Literal["credentials", "code", "replayed_code", "passkey", "recovery_code", "sso", "device"]


class DeviceRequested(Details, frozen=True):
    action = "device.requested"


class DeviceApproved(Details, frozen=True):
    action = "device.approved"


class DeviceRefused(Details, frozen=True):
    action = "device.refused"


class SteppedUp(Details, frozen=True):
    action = "session.stepped_up"
    factors: list[Factor]


class TenantSwitched(Details, frozen=True):
    action = "session.tenant_switched"


class SignedOut(Details, frozen=True):
    action = "session.ended"


class SessionsEnded(Details, frozen=True):
    action = "session.others_ended"
    count: Count


class EverySessionEnded(Details, frozen=True):
    action = "session.everybody_ended"
    count: Count


class SessionsEndedForSomebody(Details, frozen=True):
    action = "session.ended_for_somebody"
    count: Count


# --- roles ----------------------------------------------------------------------------------------


class RoleGranted(Details, frozen=True):
    action = "role.granted"
    role: Name


class RoleWithdrawn(Details, frozen=True):
    action = "role.withdrawn"
    role: Name


class RoleLost(Details, frozen=True):
    action = "role.lost"
    role: Name
    reason: Literal["review", "off_boarding"]


class ElevationRequested(Details, frozen=True):
    action = "elevation.requested"
    role: Name
    minutes: Count


class ElevationDecided(Details, frozen=True):
    action = "elevation.decided"
    role: Name
    approved: bool


class ElevationEnded(Details, frozen=True):
    action = "elevation.ended"
    role: Name


class ReviewOpened(Details, frozen=True):
    action = "review.opened"
    items: Count


class ReviewDecided(Details, frozen=True):
    action = "review.decided"
    role: Name
    decision: Literal["confirmed", "revoked"]


class ReviewClosed(Details, frozen=True):
    action = "review.closed"
    lapsed: Count


class PrivilegesReported(Details, frozen=True):
    action = "privileges.reported"
    accounts: Count


# --- members of tenants ---------------------------------------------------------------------------


class MemberInvited(Details, frozen=True):
    action = "member.invited"
    role: Name


class MemberInvitationWithdrawn(Details, frozen=True):
    action = "member.invitation_withdrawn"


class MemberJoined(Details, frozen=True):
    action = "member.joined"
    role: Name
    source: Literal["invitation", "sso", "scim"]


class MemberRoleChanged(Details, frozen=True):
    action = "member.role_changed"
    before: Name
    after: Name


class MemberDisabled(Details, frozen=True):
    action = "member.disabled"


class MemberEnabled(Details, frozen=True):
    action = "member.enabled"


class MemberRemoved(Details, frozen=True):
    action = "member.removed"


class RoleDefined(Details, frozen=True):
    action = "role.defined"
    role: Name
    permissions: list[Name]


class RoleDeleted(Details, frozen=True):
    action = "role.deleted"
    role: Name


class PolicyChanged(Details, frozen=True):
    action = "policy.changed"
    version: Count
    require_mfa: bool
    require_sso: bool
    min_password_length: Count
    min_password_score: Count
    session_hours: Count
    idle_minutes: Count
    networks: Count
    networks_digest: Hex
    """SHA-256 over the networks, one a line: what they are concerns the tenant alone."""


# --- federation -----------------------------------------------------------------------------------


class DomainAdded(Details, frozen=True):
    action = "domain.added"


class DomainVerified(Details, frozen=True):
    action = "domain.verified"


class DomainVerificationFailed(Details, frozen=True):
    action = "domain.not_verified"
    reason: Literal["not_found", "no_answer", "taken"]
    """`taken` stands in the operator's log alone."""


class DomainFailing(Details, frozen=True):
    action = "domain.failing"
    failures: Count


class DomainLost(Details, frozen=True):
    action = "domain.lost"


class DomainRemoved(Details, frozen=True):
    action = "domain.removed"


class SsoConfigured(Details, frozen=True):
    action = "sso.configured"
    enabled: bool
    default_role: Name


class SsoRemoved(Details, frozen=True):
    action = "sso.removed"


class IdentityLinked(Details, frozen=True):
    action = "account.identity_linked"
    way: Literal["new_account", "new_member", "member"]


class MemberProvisioned(Details, frozen=True):
    action = "member.provisioned"
    fields: list[Name]
    """Which of a member's data a directory has changed."""


class GroupProvisioned(Details, frozen=True):
    action = "group.provisioned"
    members: Count


class GroupRemoved(Details, frozen=True):
    action = "group.removed"


# --- OAuth clients and the OpenID provider -----------------------------------------------------------


class ClientRegistered(Details, frozen=True):
    action = "client.registered"
    kind: Literal["confidential", "public"]
    scopes: list[Name]
    redirect_uris: Count


class ClientChanged(Details, frozen=True):
    action = "client.changed"
    scopes: list[Name]
    redirect_uris: Count


class ClientSecretRotated(Details, frozen=True):
    action = "client.secret_rotated"
    overlap_hours: Count


class ClientSecretExpiryAnnounced(Details, frozen=True):
    action = "client.secret_expiry_announced"
    days: Count


class ClientRevoked(Details, frozen=True):
    action = "client.revoked"


class ClientRefused(Details, frozen=True):
    action = "client.refused"


class ClientAuthorised(Details, frozen=True):
    action = "client.authorised"
    """A person has opened the product that the client is."""
    scopes: list[Name]


class ClientTokenIssued(Details, frozen=True):
    action = "client.token_issued"
    grant: Literal["authorization_code", "refresh_token", "client_credentials"]
    scopes: list[Name]


class ClientTokenReplayed(Details, frozen=True):
    action = "client.token_replayed"
    """What was used up came again: everything issued from the same authorisation has ended."""
    token: Literal["code", "refresh_token"]


class ClientTokenRevoked(Details, frozen=True):
    action = "client.token_revoked"
    token: Literal["access_token", "refresh_token"]


class SigningKeyMade(Details, frozen=True):
    action = "provider.keys_made"
    keys: Count


class SigningKeysRotated(Details, frozen=True):
    action = "provider.keys_rotated"
    withdrawn: bool
    """Whether what the old keys signed is void."""


class AuthorisationFailed(Details, frozen=True):
    action = "authorisation.refused"
    route: Annotated[str, msgspec.Meta(pattern=r"\A[A-Z]{3,7} /[A-Za-z0-9_./{}:-]{0,200}\Z")]
    status: int


# --- stores ---------------------------------------------------------------------------------------


class CollectionDefined(Details, frozen=True):
    action = "collection.defined"
    collection: Name
    version: Count


class CollectionDeleted(Details, frozen=True):
    action = "collection.deleted"
    collection: Name


class RecordCreated(Details, frozen=True):
    action = "record.created"
    collection: Name


class RecordChanged(Details, frozen=True):
    action = "record.changed"
    reach = Reach.CHANGED
    collection: Name
    version: Count


class RecordDeleted(Details, frozen=True):
    action = "record.deleted"
    reach = Reach.CHANGED
    collection: Name


class RecordRead(Details, frozen=True):
    action = "record.read"
    reach = Reach.READ
    collection: Name


class RecordsListed(Details, frozen=True):
    action = "records.listed"
    reach = Reach.READ
    collection: Name
    count: Count
    searched: list[Name]

    @property
    def reached(self) -> int:
        return self.count


class RecordsWritten(Details, frozen=True):
    action = "records.written"
    collection: Name
    written: Count
    refused: Count


class RecordsRead(Details, frozen=True):
    action = "records.read"
    reach = Reach.READ
    collection: Name
    count: Count

    @property
    def reached(self) -> int:
        return self.count


class FileStored(Details, frozen=True):
    action = "file.stored"
    reach = Reach.CHANGED
    size: Count
    version: Count

    @property
    def reached(self) -> int:
        return int(self.version > 1)


class FileRead(Details, frozen=True):
    action = "file.read"
    reach = Reach.READ


class FileDeleted(Details, frozen=True):
    action = "file.deleted"
    reach = Reach.CHANGED


class SubjectViewed(Details, frozen=True):
    action = "subject.viewed"
    reach = Reach.READ
    records: Count
    files: Count

    @property
    def reached(self) -> int:
        return self.records + self.files


class SubjectErasureBegun(Details, frozen=True):
    action = "subject.erasure_begun"


class SubjectErasureWaits(Details, frozen=True):
    action = "subject.erasure_waits"
    reach = Reach.CHANGED
    records: Count
    files: Count
    keys: Count
    """Erased so far; what the law keeps of the person is archived."""

    @property
    def reached(self) -> int:
        return self.records + self.files


class SubjectErased(Details, frozen=True):
    action = "subject.erased"
    reach = Reach.CHANGED
    records: Count
    files: Count
    keys: Count

    @property
    def reached(self) -> int:
        return self.records + self.files


class CollectionReindexed(Details, frozen=True):
    action = "collection.reindexed"
    collection: Name
    records: Count


# --- keys -----------------------------------------------------------------------------------------


class TenantKeyCreated(Details, frozen=True):
    action = "encryption.tenant_key_created"
    version: Count


class TenantKeyRotated(Details, frozen=True):
    action = "encryption.tenant_key_rotated"
    version: Count


class TenantKeysDestroyed(Details, frozen=True):
    action = "encryption.tenant_keys_destroyed"
    keys: Count


class KeysRewrapped(Details, frozen=True):
    action = "encryption.keys_rewrapped"
    version: Count
    count: Count


class RootKeyRotated(Details, frozen=True):
    action = "encryption.root_key_rotated"
    tenants: Count


# --- the instance ---------------------------------------------------------------------------------


class Started(Details, frozen=True):
    action = "instance.started"
    version: Annotated[str, msgspec.Meta(pattern=r"\A[0-9A-Za-z.+-]{1,40}\Z")]


class Stopped(Details, frozen=True):
    action = "instance.stopped"


class Migrated(Details, frozen=True):
    action = "instance.migrated"
    steps: Count


class Examined(Details, frozen=True):
    action = "instance.examined"
    command: Name
    faults: Count


class SystemFailed(Details, frozen=True):
    action = "system.error"
    error: Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z_][A-Za-z0-9_.]{0,127}\Z")]


class LogSilent(Details, frozen=True):
    action = "log.silent"
    minutes: Count


class CheckCompleted(Details, frozen=True):
    action = "check.completed"
    check: Name
    measure: Annotated[str, msgspec.Meta(pattern=r"\A[0-9A-Za-z.]{1,16}\Z")]
    verdict: Name
    digest: Hex
    """SHA-256 of the canonical JSON of the check's facts."""


# --- alerts -----------------------------------------------------------------------------------------

type AlertLevel = Literal["informational", "low", "medium", "high", "critical"]


class AlertOpened(Details, frozen=True):
    action = "alert.opened"
    rule: Name
    level: AlertLevel
    events: Count


class AlertAcknowledged(Details, frozen=True):
    action = "alert.acknowledged"


class AlertAssigned(Details, frozen=True):
    action = "alert.assigned"
    to_somebody: bool


class AlertClosed(Details, frozen=True):
    action = "alert.closed"
    resolution: Literal["handled", "expected", "false_alarm"]


class AlertNoted(Details, frozen=True):
    action = "alert.noted"


class AlertsSuppressed(Details, frozen=True):
    action = "alert.suppressed"
    rule: Name
    days: Count
    everything: bool


class SuppressionEnded(Details, frozen=True):
    action = "alert.suppression_ended"


# --- incidents, breaches and notices ------------------------------------------------------------------

type Severity = Literal["low", "medium", "high", "critical"]


class IncidentOpened(Details, frozen=True):
    action = "incident.opened"
    severity: Severity
    exercise: bool
    by_alert: bool


class IncidentChanged(Details, frozen=True):
    action = "incident.changed"


class IncidentAssessed(Details, frozen=True):
    action = "incident.assessed"
    severity: Severity


class IncidentAssigned(Details, frozen=True):
    action = "incident.assigned"
    owner: bool
    deputy: bool


class IncidentMoved(Details, frozen=True):
    action = "incident.moved"
    before: Name
    after: Name


class IncidentNoted(Details, frozen=True):
    action = "incident.noted"
    event: bool
    """Whether the line names an event of the log."""


class IncidentTaskAdded(Details, frozen=True):
    action = "incident.task_added"
    tasks: Count
    origin: Literal["person", "playbook", "lesson"]


class IncidentTaskDone(Details, frozen=True):
    action = "incident.task_done"
    done: bool


class IncidentEvidenceAdded(Details, frozen=True):
    action = "incident.evidence_added"
    size: Count
    sha256: Hex


class IncidentEvidenceOpened(Details, frozen=True):
    action = "incident.evidence_opened"


class IncidentAlertLinked(Details, frozen=True):
    action = "incident.alert_linked"


class IncidentReviewed(Details, frozen=True):
    action = "incident.reviewed"


class IncidentTriggerSet(Details, frozen=True):
    action = "incident.trigger_set"
    of_one_rule: bool


class IncidentTriggerRemoved(Details, frozen=True):
    action = "incident.trigger_removed"


class BreachVerified(Details, frozen=True):
    action = "breach.verified"
    facts: Hex
    """SHA-256 of the facts that were known."""


class BreachDismissed(Details, frozen=True):
    action = "breach.dismissed"


class BreachReminded(Details, frozen=True):
    action = "breach.reminded"
    percent: Count
    people: Count
    escalated: bool


class ReachComputed(Details, frozen=True):
    action = "breach.reach_computed"
    tenants: Count
    subjects_certain: Count
    subjects_possible: Count


class NoticesDrafted(Details, frozen=True):
    action = "notice.drafted"
    version: Count


class NoticeEdited(Details, frozen=True):
    action = "notice.edited"
    version: Count


class NoticeDiscarded(Details, frozen=True):
    action = "notice.discarded"
    version: Count


class NoticeApproved(Details, frozen=True):
    action = "notice.approved"
    version: Count


class NoticeSent(Details, frozen=True):
    action = "notice.sent"
    version: Count
    recipients: Count
    late: bool
    exercise: bool


class NoticeRead(Details, frozen=True):
    action = "notice.read"
    version: Count


class NoticeSubjectsListed(Details, frozen=True):
    action = "notice.subjects_listed"
    count: Count


class ExerciseEnded(Details, frozen=True):
    action = "exercise.ended"
    seconds: Count
    passed: bool


# --- support cases --------------------------------------------------------------------------------------


class SupportRequested(Details, frozen=True):
    action = "support.requested"
    collections: Count
    subjects: Count
    records: Count
    hours: Count


class SupportGranted(Details, frozen=True):
    action = "support.granted"
    collections: Count
    subjects: Count
    records: Count
    hours: Count


class SupportRefused(Details, frozen=True):
    action = "support.refused"


class SupportEnded(Details, frozen=True):
    action = "support.ended"
    because: Literal["over", "customer", "staff"]


class SupportRead(Details, frozen=True):
    action = "support.record_read"
    reach = Reach.READ
    collection: Name
    case: Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f-]{36}\Z")]


class SupportListed(Details, frozen=True):
    action = "support.records_listed"
    reach = Reach.READ
    collection: Name | None
    """Each collection on a page has its event; none for a page that is empty."""
    count: Count
    case: Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f-]{36}\Z")]

    @property
    def reached(self) -> int:
        return self.count


class EventTypeDefined(Details, frozen=True):
    action = "event_type.defined"
    type: Name
    fields: Count


class EventTypeRemoved(Details, frozen=True):
    action = "event_type.removed"


class ProductEvent(Details, frozen=True):
    action = "product.event"
    """Something in a tenant's own product, as its schema allows: numbers, yes or no, listed values, blind indexes."""
    type: Name
    values: dict[Name, int | bool | Annotated[str, msgspec.Meta(pattern=r"\A[a-z0-9][a-z0-9_.:-]{0,127}\Z")]]
    address: Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f:.]{2,45}\Z")] | None = None
    """Of whoever acted in the product; the event's own is the product's."""


class WebhookAdded(Details, frozen=True):
    action = "webhook.added"
    topics: list[Name]


class WebhookRemoved(Details, frozen=True):
    action = "webhook.removed"


class WebhookTried(Details, frozen=True):
    action = "webhook.tried"


class WebhookSentAgain(Details, frozen=True):
    action = "webhook.sent_again"


# --- retention --------------------------------------------------------------------------------------------

type Limits = Literal["floor", "ceiling"]


class RetentionLimitSet(Details, frozen=True):
    action = "retention.limit_set"
    kind: Limits
    collection: Name | None
    """None for all."""
    days: Count
    """About how long it is."""


class RetentionLimitRemoved(Details, frozen=True):
    action = "retention.limit_removed"
    kind: Limits
    collection: Name | None


class RetentionAsked(Details, frozen=True):
    action = "retention.asked"


class RetentionExecuted(Details, frozen=True):
    action = "retention.executed"
    reach = Reach.CHANGED
    collection: Name
    records: Count

    @property
    def reached(self) -> int:
        return self.records


class SubjectKeysDropped(Details, frozen=True):
    action = "retention.keys_dropped"
    keys: Count
    """Of data subjects of whom nothing was left."""


type HoldKinds = Literal["tax", "litigation", "authority", "other_law"]
type ArchivePurposes = Literal["legal_claim", "authority_request", "audit", "return_to_controller"]


class HoldRequested(Details, frozen=True):
    action = "hold.requested"
    kind: HoldKinds
    everything: bool
    collections: Count
    subjects: Count
    records: Count


class HoldImposed(Details, frozen=True):
    action = "hold.imposed"
    """By a floor, on what it keeps of a person who is erased."""
    kind: HoldKinds
    records: Count


class HoldWithdrawn(Details, frozen=True):
    action = "hold.withdrawn"


class HoldApproved(Details, frozen=True):
    action = "hold.approved"
    kind: HoldKinds


class HoldRefused(Details, frozen=True):
    action = "hold.refused"


class HoldChangeRequested(Details, frozen=True):
    action = "hold.change_requested"
    change: Literal["lift", "extend"]
    reason: Literal["placed_in_error", "basis_ended", "scope_too_wide", "basis_goes_on"]


class HoldChangeDecided(Details, frozen=True):
    action = "hold.change_decided"
    change: Literal["lift", "extend"]
    approved: bool


class HoldReminded(Details, frozen=True):
    action = "hold.reminded"
    days: Count
    """Before its last day."""
    people: Count
    to: Literal["tenant", "staff"]


class HoldArchived(Details, frozen=True):
    action = "hold.archived"
    records: Count
    files: Count


class HoldReturned(Details, frozen=True):
    action = "hold.returned"
    records: Count
    files: Count
    erased: Count
    """Records and files of people whose erasure waited: they are not put back."""


class HoldClosed(Details, frozen=True):
    action = "hold.closed"
    state: Literal["ended", "lifted"]
    records: Count
    files: Count
    keys: Count


class TerminationRequested(Details, frozen=True):
    action = "termination.requested"
    side: Literal["tenant", "operator"]
    grace_days: Count


class TerminationCancelled(Details, frozen=True):
    action = "termination.cancelled"


class TerminationHastened(Details, frozen=True):
    action = "termination.hastened"


class TerminationBegun(Details, frozen=True):
    action = "termination.deletion_begun"


class TenantExported(Details, frozen=True):
    action = "tenant.exported"
    reach = Reach.READ
    records: Count
    files: Count

    @property
    def reached(self) -> int:
        return self.records + self.files


class TenantDeleted(Details, frozen=True):
    action = "tenant.deleted"
    certificate: Hex
    """SHA-256 of the certificate in canonical JSON."""
    number: Count
    rows: Count
    files: Count
    keys: Count
    accounts: Count


class CertificateOpened(Details, frozen=True):
    action = "tenant.certificate_opened"
    way: Literal["staff", "link"]


class ArchiveRead(Details, frozen=True):
    action = "archive.read"
    reach = Reach.READ
    hold: Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f-]{36}\Z")]
    purpose: ArchivePurposes
    count: Count

    @property
    def reached(self) -> int:
        return self.count


class EventsForgotten(Details, frozen=True):
    action = "events.forgotten"
    kind: Literal["content_access", "authentication", "operation", "administration"]
    count: Count
    days: Count


class EventsExported(Details, frozen=True):
    action = "events.exported"
    count: Count


# --- backups ----------------------------------------------------------------------------------


type _BackedUp = Literal["main", "keyring", "objects", "settings"]
type _Sha256 = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
type _Purpose = Literal["disaster_recovery", "legal_retention", "drill"]


class RecoveryKeyMade(Details, frozen=True):
    action = "backup.recovery_key_made"


class BackupAsked(Details, frozen=True):
    action = "backup.asked"
    server: _BackedUp


class BackupVerificationAsked(Details, frozen=True):
    action = "backup.verification_asked"


class BackupTaken(Details, frozen=True):
    action = "backup.taken"
    server: _BackedUp
    kind: Literal["full", "incremental"]
    generation: Name
    plain: Count
    size: Count
    manifest: _Sha256
    """What the manifest is held against, years later."""


class BackupFound(Details, frozen=True):
    """A whole backup lay in the repository, and nobody knew: its process had ended, or the catalogue was restored."""

    action = "backup.found"
    server: _BackedUp
    kind: Literal["full", "incremental"]
    generation: Name
    manifest: _Sha256


class BackupFailedToRun(Details, frozen=True):
    action = "backup.failed"
    server: _BackedUp
    reason: Name


class BackupsVerified(Details, frozen=True):
    action = "backup.verified"
    backups: Count
    faults: Count


class BackupsExpired(Details, frozen=True):
    action = "backup.expired"
    server: Literal["main", "keyring", "objects", "settings", "wal"]
    count: Count


class ReleaseRequested(Details, frozen=True):
    action = "backup.release_requested"
    purpose: _Purpose


class ReleaseDecided(Details, frozen=True):
    action = "backup.release_decided"
    purpose: _Purpose
    approved: bool


class BackupKeyReleased(Details, frozen=True):
    action = "backup.key_released"
    purpose: _Purpose
    people: Count
    """Two; none where Bailee rehearses by itself, and shows nobody anything."""


class DrillAsked(Details, frozen=True):
    action = "backup.drill_asked"


class DrillEnded(Details, frozen=True):
    action = "backup.drill_ended"
    passed: bool
    rto_seconds: Count
    rpo_seconds: Count
    tables: Count
    rows: Count
    samples: Count


class InstanceRestored(Details, frozen=True):
    action = "backup.restored"
    purpose: _Purpose
    opened_with: Literal["recovery_key", "release", "drill"]
    erasures: Count
    terminations: Count
    holds: Count
    adopted_leaves: Count


_AUTHENTICATION = ("session.", "device.", "client.token_", "client.authorised", "client.refused")
_OPERATION = ("instance.", "system.", "check.", "authorisation.", "exercise.", "events.", "alert.", "log.")


def retention_classes() -> dict[str, list[str]]:
    """The actions of each class of events that are kept equally long."""
    found: dict[str, list[str]] = {
        "content_access": [], "authentication": [], "operation": [], "administration": [],
    }  # fmt: skip
    for kind in Details.__subclasses__():
        if kind.reach is not None and kind.action not in (
            "subject.erased",
            "support.record_read",
            "subject.erasure_waits",
            "archive.read",
        ):
            name = "content_access"
        elif kind.action.startswith(_AUTHENTICATION):
            name = "authentication"
        elif kind.action.startswith(_OPERATION):
            name = "operation"
        else:
            name = "administration"
        found[name].append(kind.action)
    return found


def reaching(reach: Reach) -> list[str]:
    """The actions that read stored data, or change it."""
    return [kind.action for kind in Details.__subclasses__() if kind.reach is reach]


def catalogue() -> dict[str, type[Details]]:
    """Every event by its action."""
    return {kind.action: kind for kind in Details.__subclasses__()}
