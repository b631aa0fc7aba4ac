"""Every event there is. A class is one action; its fields are the only details it can carry.

Values are identifiers, numbers, and names from closed or patterned vocabularies: never what a customer or a
person typed.
"""

from typing import Annotated, ClassVar, Literal

import msgspec

type Name = Annotated[str, msgspec.Meta(pattern=r"\A[a-z][a-z0-9_.:-]{0,127}\Z")]
"""A name from the operator's or a tenant's schema: a collection, a permission, a command."""
type Hex = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{8,128}\Z")]
type Count = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]


class Details(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The base: `action` names the event."""

    action: ClassVar[str] = ""


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


class ApiKeyRevoked(Details, frozen=True):
    action = "api_key.revoked"


class AccountCreated(Details, frozen=True):
    action = "account.created"
    role: Name


class MfaEnrolled(Details, frozen=True):
    action = "account.mfa_enrolled"
    factor: Literal["totp"]


class SetupBegun(Details, frozen=True):
    action = "setup.begun"


class SetupLinkIssued(Details, frozen=True):
    action = "setup.link_issued"


class SignedIn(Details, frozen=True):
    action = "session.begun"
    factors: list[Literal["password", "totp"]]


class SignInFailed(Details, frozen=True):
    action = "session.refused"
    reason: Literal["credentials", "code", "replayed_code"]


class SignedOut(Details, frozen=True):
    action = "session.ended"


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
    collection: Name
    version: Count


class RecordDeleted(Details, frozen=True):
    action = "record.deleted"
    collection: Name


class RecordRead(Details, frozen=True):
    action = "record.read"
    collection: Name


class RecordsListed(Details, frozen=True):
    action = "records.listed"
    collection: Name
    count: Count
    searched: list[Name]


class RecordsWritten(Details, frozen=True):
    action = "records.written"
    collection: Name
    written: Count
    refused: Count


class RecordsRead(Details, frozen=True):
    action = "records.read"
    collection: Name
    count: Count


class FileStored(Details, frozen=True):
    action = "file.stored"
    size: Count
    version: Count


class FileRead(Details, frozen=True):
    action = "file.read"


class FileDeleted(Details, frozen=True):
    action = "file.deleted"


class SubjectViewed(Details, frozen=True):
    action = "subject.viewed"
    records: Count
    files: Count


class SubjectErasureBegun(Details, frozen=True):
    action = "subject.erasure_begun"


class SubjectErased(Details, frozen=True):
    action = "subject.erased"
    records: Count
    files: Count
    keys: Count


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


class CheckCompleted(Details, frozen=True):
    action = "check.completed"
    check: Name
    measure: Annotated[str, msgspec.Meta(pattern=r"\A[0-9A-Za-z.]{1,16}\Z")]
    verdict: Name
    digest: Hex
    """SHA-256 of the canonical JSON of the check's facts."""


class EventsExported(Details, frozen=True):
    action = "events.exported"
    count: Count


def catalogue() -> dict[str, type[Details]]:
    """Every event by its action."""
    return {kind.action: kind for kind in Details.__subclasses__()}
