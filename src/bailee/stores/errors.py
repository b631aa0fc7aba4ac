"""What the vault answers."""

from bailee.foundation.errors import Conflict, Error, Invalid


class VersionMismatch(Error):
    """The record has changed since the caller read it."""

    code = "version_mismatch"
    status = 412
    title = "Changed in the meantime"


class CollectionChangeRefused(Conflict):
    """The new data map does not fit what is stored."""

    code = "collection_change_refused"
    title = "The change would strand data"


class RecordExists(Conflict):
    """The chosen id is taken."""

    code = "record_exists"
    title = "That id is taken"


class IdempotencyMismatch(Invalid):
    """One idempotency key, two different requests."""

    code = "idempotency_mismatch"
    title = "The idempotency key belongs to another request"


class KeptByLaw(Conflict):
    """The law has it kept for longer."""

    code = "kept_by_law"
    title = "The law has this kept"


class RangeNotSatisfiable(Error):
    """The bytes asked for are not in the file."""

    code = "range_not_satisfiable"
    status = 416
    title = "No such bytes"
