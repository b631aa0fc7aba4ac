"""What access control answers."""

from bailee.foundation.errors import Error
from bailee.foundation.principal import Forbidden, Unauthenticated


class SignInRefused(Unauthenticated):
    """Whatever was wrong with it, the answer is the same."""

    code = "sign_in_refused"
    title = "Sign-in refused"

    def __init__(self) -> None:
        super().__init__("E-mail, password or code is wrong. A code works once: wait for the next one.")


class SignInOver(Unauthenticated):
    """The sign-in under way has ended."""

    code = "sign_in_over"
    title = "This sign-in is over"

    def __init__(self) -> None:
        super().__init__("It took too long, was finished elsewhere, or had too many wrong codes. Sign in again.")


class TooManyAttempts(Error):
    """Too many failures in a row."""

    code = "too_many_attempts"
    status = 429
    title = "Too many attempts"


class SetupRefused(Forbidden):
    """First-run setup is over, or the link is not valid."""

    code = "setup_refused"
    title = "Setup is not possible"


class LinkRefused(Forbidden):
    """A one-time link that is not, or no longer, good."""

    code = "link_refused"
    title = "This link is not valid"

    def __init__(self) -> None:
        super().__init__("The link was used, has expired or was replaced by a newer one. Ask for another.")


class WrongPassword(Forbidden):
    """The present password was asked for, and something else was given."""

    code = "wrong_password"
    title = "That is not your password"


class WrongFactor(Forbidden):
    """A code or passkey that is not, or no longer, good."""

    code = "wrong_factor"
    title = "That did not work"

    def __init__(self) -> None:
        super().__init__("The code or passkey was not accepted. A code works once: wait for the next one.")


class FreshSignInRequired(Forbidden):
    """The session is good, and this act asks for one begun a moment ago: the person has no second factor to show."""

    code = "fresh_sign_in_required"
    title = "Sign in again first"

    def __init__(self) -> None:
        super().__init__(
            "Sign out, sign in again, and come back within five minutes. A second factor would do as well."
        )


class AuthorizationPending(Error):
    """Nobody has decided yet (RFC 8628 §3.5)."""

    code = "authorization_pending"
    status = 400
    title = "Not approved yet"

    def __init__(self) -> None:
        super().__init__("Nobody has approved this sign-in yet. Ask again after the interval.")


class SlowDown(Error):
    """The program asks too often (RFC 8628 §3.5)."""

    code = "slow_down"
    status = 400
    title = "You ask too often"

    def __init__(self) -> None:
        super().__init__("Nobody has approved this sign-in yet. Wait five seconds more between two questions.")


class AccessDenied(Error):
    """Somebody has refused (RFC 8628 §3.5)."""

    code = "access_denied"
    status = 400
    title = "The sign-in was refused"

    def __init__(self) -> None:
        super().__init__("This sign-in was refused in the browser.")


class ExpiredToken(Error):
    """The device code is not, or no longer, good (RFC 8628 §3.5)."""

    code = "expired_token"
    status = 400
    title = "This sign-in is over"

    def __init__(self) -> None:
        super().__init__("This sign-in has expired or was used. Start it again.")


class TenantClosed(Forbidden):
    """The tenant is suspended or terminated, or what it still may do excludes this."""

    code = "tenant_closed"
    title = "The tenant is not active"


class NotInPlan(Forbidden):
    """The tenant's plan does not include this."""

    code = "not_in_plan"
    title = "Not in this plan"

    def __init__(self, what: str, plans: list[str]) -> None:
        """`what` begins the sentence, with its verb: `Single sign-on is`."""
        super().__init__(f"{what} available with the plan {' or '.join(plans)}. Ask your provider to change the plan.")


class GrantRefused(Forbidden):
    """Nobody grants what they do not hold, nor decides on their own rights."""

    code = "grant_refused"
    title = "You cannot grant this"
