"""What goes wrong with backups."""

from bailee.foundation.errors import Conflict, Error, Unavailable
from bailee.foundation.principal import Forbidden


class BackupDamaged(Error):
    """What lies in the repository is not what was put there, or not all of it."""

    code = "backup_damaged"
    status = 502
    title = "The backup is damaged"


class BackupFailed(Error):
    """A backup could not be taken; what was stored of it is swept away."""

    code = "backup_failed"
    status = 503
    title = "The backup failed"


class RepositoryUnavailable(Unavailable):
    """The place where backups lie does not answer."""

    code = "repository_unavailable"


class KeyRefused(Forbidden):
    """A key that is none, or that does not open this."""

    code = "key_refused"
    title = "The key does not fit"


class RestoreRefused(Conflict):
    """A restore that is not possible as asked; nothing was written."""

    code = "restore_refused"
    title = "This cannot be restored"
