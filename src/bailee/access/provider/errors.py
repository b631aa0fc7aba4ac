"""What the provider answers, in the words of its specifications."""

from collections.abc import Mapping
from typing import Literal
from urllib.parse import urlencode

from bailee.foundation.errors import Error

type TokenFault = Literal[
    "invalid_request", "invalid_client", "invalid_grant", "unauthorized_client",
    "unsupported_grant_type", "invalid_scope",
    "unsupported_token_type", "invalid_token", "insufficient_scope",
]  # fmt: skip
type AuthorizationFault = Literal[
    "invalid_request", "unauthorized_client", "access_denied", "unsupported_response_type", "invalid_scope",
    "login_required", "interaction_required", "unmet_authentication_requirements", "request_not_supported",
    "request_uri_not_supported", "registration_not_supported",
]  # fmt: skip


class OAuthError(Error):
    """A refusal of the endpoints that programs call (RFC 6749 §5.2): `fault` is its code."""

    code = "oauth"
    status = 400
    title = "The token request was refused"

    def __init__(self, fault: TokenFault, detail: str) -> None:
        super().__init__(detail)
        self.fault: TokenFault = fault


class InvalidClient(OAuthError):
    """Which part of the client's authentication was wrong is not said."""

    status = 401

    def __init__(self) -> None:
        super().__init__("invalid_client", "The client is not known, is revoked, or its secret is not good.")


class InvalidGrant(OAuthError):
    """A code or refresh token that is not, or no longer, good for this client."""

    def __init__(self) -> None:
        super().__init__(
            "invalid_grant", "The code or token was used, has expired, was revoked, or was issued to somebody else."
        )


class InvalidToken(OAuthError):
    """An access token that is not, or no longer, good (RFC 6750 §3.1)."""

    status = 401

    def __init__(self) -> None:
        super().__init__("invalid_token", "The access token is unknown, has expired or was revoked.")


class UnknownReturn(Error):
    """Nobody is sent to an address that the client has not registered: the person stays here (RFC 6749 §4.1.2.1)."""

    code = "unknown_return"
    status = 400
    title = "This link does not work"

    def __init__(self) -> None:
        super().__init__(
            "The application that sent you here is not known, or asked to send you on to an address that it has not "
            "registered. Tell whoever runs it."
        )


class AuthorizationRefused(Error):
    """A refusal that the client is told, by way of the person's browser (RFC 6749 §4.1.2.1)."""

    code = "authorization_refused"
    status = 400
    title = "The application cannot be opened"

    def __init__(self, fault: AuthorizationFault, detail: str) -> None:
        super().__init__(detail)
        self.fault: AuthorizationFault = fault


def with_query(uri: str, parameters: Mapping[str, str | None]) -> str:
    """A registered address with parameters added to its query; those that are None are left out."""
    query = urlencode({name: value for name, value in parameters.items() if value is not None})
    if not query:
        return uri
    return f"{uri}{'&' if '?' in uri else '?'}{query}"
