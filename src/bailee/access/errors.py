"""What access control answers."""

from bailee.foundation.errors import Error
from bailee.foundation.principal import Forbidden, Unauthenticated


class SignInRefused(Unauthenticated):
    """Whatever was wrong with it, the answer is the same."""

    code = "sign_in_refused"
    title = "Sign-in refused"

    def __init__(self) -> None:
        super().__init__("E-mail, password or code is wrong. A code works once: wait for the next one.")


class TooManyAttempts(Error):
    """Too many failures in a row."""

    code = "too_many_attempts"
    status = 429
    title = "Too many attempts"


class SetupRefused(Forbidden):
    """First-run setup is over, or the link is not valid."""

    code = "setup_refused"
    title = "Setup is not possible"


class TenantClosed(Forbidden):
    """The tenant is suspended or terminated, or what it still may do excludes this."""

    code = "tenant_closed"
    title = "The tenant is not active"
