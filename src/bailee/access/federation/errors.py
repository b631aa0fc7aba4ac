"""What federation answers."""

from bailee.foundation.errors import Conflict, Error
from bailee.foundation.principal import Forbidden


class DomainNotVerified(Conflict):
    """The same answer for a record that is not there and for a domain that is somebody else's."""

    code = "domain_not_verified"
    title = "The domain cannot be verified"

    def __init__(self) -> None:
        super().__init__(
            "The TXT record was not found, or the domain cannot be yours. Publish the record as "
            "shown, wait until your DNS "
            "has taken it up, and try again."
        )


class SsoRefused(Forbidden):
    """Whatever was wrong with it, the answer is the same."""

    code = "sso_refused"
    title = "Sign-in through your company did not work"

    def __init__(self) -> None:
        super().__init__(
            "Begin again from the sign-in page. If it fails again, ask your administrator whether you have access here."
        )


class NoCompanySignIn(Error):
    """Nothing is set up for the address's domain, or it cannot be reached."""

    code = "no_company_sign_in"
    status = 404
    title = "Your company does not sign you in here"

    def __init__(self, *, reachable: bool = True) -> None:
        super().__init__(
            "There is no company sign-in for this address. Sign in with your password."
            if reachable
            else "Your company’s sign-in cannot be reached at the moment. Try later, or sign in with your password."
        )


class ProviderUnusable(Error):
    """An identity provider that cannot be reached, or does not do what the standards ask."""

    code = "identity_provider_unusable"
    status = 422
    title = "The identity provider cannot be used"


class NotAllowedAddress(ProviderUnusable):
    """An address that nobody outside reaches: asking it for an answer would be a way into the inside."""

    def __init__(self) -> None:
        super().__init__("The identity provider's name leads to an address that is not public. Give its public one.")


class TokenRefused(Error):
    """An ID token that proves nothing. `fault` is a name for the log."""

    code = "token_refused"
    status = 403
    title = "The ID token was refused"

    def __init__(self, fault: str) -> None:
        super().__init__(f"The ID token was refused: {fault}.")
        self.fault = fault
