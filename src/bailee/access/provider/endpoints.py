"""What programs call: metadata, keys, tokens, userinfo. Errors are those of the specifications (RFC 6749 §5.2)."""

from typing import Any

import msgspec
import structlog
from litestar import Request, Response, Router, get, post, route
from litestar.exceptions import HTTPException

from bailee.access.api.common import SMALL
from bailee.access.permissions import SCOPES
from bailee.access.provider import claims
from bailee.access.provider.client_authentication import Authenticated, ClientAuthentication, presented_by
from bailee.access.provider.errors import InvalidClient, InvalidToken, OAuthError
from bailee.access.provider.model import ACR_MFA, ACR_SINGLE, PERSON_SCOPES
from bailee.access.provider.pages import AUTHORIZE, LOGOUT
from bailee.access.provider.signing import ALGORITHM, Signing
from bailee.access.provider.tokens import Tokens
from bailee.foundation.errors import Error
from bailee.foundation.pages import Form, read_form
from bailee.foundation.principal import Principal
from bailee.foundation.settings import Settings

log = structlog.get_logger()

PROGRAM_PATHS = (
    "/.well-known/", "/oidc/token", "/oidc/userinfo", "/oidc/jwks", "/oidc/revoke", "/oidc/introspect",
)  # fmt: skip
"""Where callers show what they have to the endpoint itself, not to the product's own authentication."""
_SECRET_METHODS = ("client_secret_basic", "client_secret_post")
_NOT_KEPT = {"Cache-Control": "no-store", "Pragma": "no-cache"}
_KEPT = {"Cache-Control": "public, max-age=300"}


@get(["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"])
async def discovery(settings: Settings) -> Response[bytes]:
    """What the provider can do (OpenID Connect Discovery §3, RFC 8414)."""
    base = settings.base_url
    return _json(
        {
            "issuer": base,
            "authorization_endpoint": base + AUTHORIZE,
            "token_endpoint": f"{base}/oidc/token",
            "userinfo_endpoint": f"{base}/oidc/userinfo",
            "jwks_uri": f"{base}/oidc/jwks",
            "end_session_endpoint": base + LOGOUT,
            "revocation_endpoint": f"{base}/oidc/revoke",
            "introspection_endpoint": f"{base}/oidc/introspect",
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [ALGORITHM],
            "token_endpoint_auth_methods_supported": [*_SECRET_METHODS, "none"],
            "revocation_endpoint_auth_methods_supported": [*_SECRET_METHODS, "none"],
            "introspection_endpoint_auth_methods_supported": [*_SECRET_METHODS, "none"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
            "scopes_supported": [*PERSON_SCOPES, *sorted(SCOPES)],
            "claims_supported": list(claims.SUPPORTED),
            "acr_values_supported": [ACR_SINGLE, ACR_MFA],
            "prompt_values_supported": ["none", "login", "consent", "select_account"],
            "claims_parameter_supported": False,
            "request_parameter_supported": False,
            "request_uri_parameter_supported": False,
        },
        _KEPT,
    )


@get("/oidc/jwks")
async def jwks(signing: Signing) -> Response[bytes]:
    """The keys that ID tokens verify with."""
    return _json(await signing.published(), _KEPT)


@post("/oidc/token", status_code=200, request_max_body_size=SMALL)
async def token(
    request: Request[Any, Any, Any], client_authentication: ClientAuthentication, oauth_tokens: Tokens,
    principal: Principal,
) -> Response[bytes]:  # fmt: skip
    """Tokens for a code, for a refresh token, or for the client itself."""
    form, caller = await _caller(request, client_authentication, principal)
    match form.text("grant_type"):
        case "authorization_code":
            answer = await oauth_tokens.exchange(
                caller, code=_needed(form, "code"), redirect_uri=_needed(form, "redirect_uri"),
                verifier=_needed(form, "code_verifier"),
            )  # fmt: skip
        case "refresh_token":
            answer = await oauth_tokens.refresh(caller, token=_needed(form, "refresh_token"), scope=form.text("scope"))
        case "client_credentials":
            answer = await oauth_tokens.issue_to_client(caller, scope=form.text("scope"))
        case "":
            raise OAuthError("invalid_request", "Send grant_type.")
        case _:
            raise OAuthError("unsupported_grant_type", "Not a grant type of this provider.")
    return _json(answer, _NOT_KEPT)


@post("/oidc/revoke", status_code=200, request_max_body_size=SMALL)
async def revoke(
    request: Request[Any, Any, Any], client_authentication: ClientAuthentication, oauth_tokens: Tokens,
    principal: Principal,
) -> Response[bytes]:  # fmt: skip
    """Ends a token; the answer is the same for one that was none (RFC 7009 §2.2)."""
    form, caller = await _caller(request, client_authentication, principal)
    await oauth_tokens.revoke(caller, token=_needed(form, "token"))
    return Response(b"", headers=_NOT_KEPT)


@post("/oidc/introspect", status_code=200, request_max_body_size=SMALL)
async def introspect(
    request: Request[Any, Any, Any], client_authentication: ClientAuthentication, oauth_tokens: Tokens,
    principal: Principal,
) -> Response[bytes]:  # fmt: skip
    """What one of the client's own tokens is worth."""
    form, caller = await _caller(request, client_authentication, principal)
    return _json(await oauth_tokens.introspect(caller, token=_needed(form, "token")), _NOT_KEPT)


@route("/oidc/userinfo", http_method=["GET", "POST"], status_code=200, request_max_body_size=SMALL)
async def userinfo(request: Request[Any, Any, Any], oauth_tokens: Tokens) -> Response[bytes]:
    """The person behind an access token, as of now (OpenID Connect Core §5.3)."""
    scheme, _, found = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not found.strip():
        raise InvalidToken
    return _json(await oauth_tokens.userinfo(found.strip()), _NOT_KEPT)


async def _caller(
    request: Request[Any, Any, Any], client_authentication: ClientAuthentication, principal: Principal
) -> tuple[Form, Authenticated]:
    """The form, and the client that sent it. Raises OAuthError, Malformed, TooManyAttempts."""
    form = await read_form(request)
    if any(len(values) > 1 for values in form.values.values()):
        raise OAuthError("invalid_request", "A parameter was sent more than once.")
    presented = presented_by(form, request.headers.get("authorization"))
    return form, await client_authentication.authenticate(presented, by=principal)


def _needed(form: Form, name: str) -> str:
    if not form.text(name):
        raise OAuthError("invalid_request", f"Send {name}.")
    return form.text(name)


def _json(content: object, headers: dict[str, str]) -> Response[bytes]:
    return Response(msgspec.json.encode(content), media_type="application/json", headers=headers)


_FAULTS = {429: "slow_down", 503: "temporarily_unavailable", 507: "temporarily_unavailable"}


def refused(_request: Request[Any, Any, Any], error: Error) -> Response[bytes]:
    """One of our errors, as clients of these endpoints read it."""
    headers = dict(_NOT_KEPT)
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, InvalidClient):
        headers["WWW-Authenticate"] = 'Basic realm="bailee", charset="UTF-8"'
    elif isinstance(error, InvalidToken):
        headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
    fault = error.fault if isinstance(error, OAuthError) else _FAULTS.get(error.status, "invalid_request")
    body = {"error": fault, "error_description": error.detail}
    return Response(msgspec.json.encode(body), status_code=error.status, media_type="application/json", headers=headers)


def unreadable(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """One of the framework's."""
    if error.status_code >= 500:  # noqa: PLR2004  a server error
        log.error("request failed", route=request.scope["path"])
    body = {"error": "invalid_request", "error_description": "The request could not be read."}
    headers = {**_NOT_KEPT, **(error.headers or {})}
    status = error.status_code
    return Response(msgspec.json.encode(body), status_code=status, media_type="application/json", headers=headers)


router = Router(
    "/",
    route_handlers=[discovery, jwks, token, revoke, introspect, userinfo],
    exception_handlers={Error: refused, HTTPException: unreadable},
    include_in_schema=False,
)
