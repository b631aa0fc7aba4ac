"""What an ID token and userinfo say of a person (OpenID Connect Core §2, §5.4; RFC 8176)."""

import base64
import hashlib
from datetime import datetime
from typing import Any

from bailee.access.provider.model import ID_TOKEN_LIFE, Grant, KnownClient, Standing

SUPPORTED = (
    "iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "amr", "acr", "at_hash", "sid", "email", "email_verified",
    "name", "tenant", "tenant_name", "roles",
)  # fmt: skip
_METHODS = {
    "password": ["pwd"],
    "totp": ["otp"],
    "recovery_code": ["otp"],
    # Whether a passkey lies in hardware is its provider's secret: what is certain is a key, and somebody present.
    "passkey": ["swk", "user"],
}


def of_person(standing: Standing, scopes: list[str]) -> dict[str, Any]:
    """The claims that the scopes ask for, and where the person stands."""
    claims: dict[str, Any] = {
        "sub": str(standing.account_id),
        "tenant": str(standing.tenant_id),
        "tenant_name": standing.tenant_name,
        "roles": [standing.member_role] if standing.member_role else [],
    }
    if "email" in scopes:
        claims |= {"email": standing.email, "email_verified": standing.email_verified}
    if "profile" in scopes:
        claims |= {"name": standing.name}
    return claims


def of_id_token(
    standing: Standing, grant: Grant, client: KnownClient, scopes: list[str], *, issuer: str, access_token: str,
    nonce: str | None, now: datetime,
) -> dict[str, Any]:  # fmt: skip
    """Everything that an ID token says."""
    issued = int(now.timestamp())
    claims = of_person(standing, scopes) | {
        "iss": issuer,
        "aud": str(client.id),
        "iat": issued,
        "exp": issued + int(ID_TOKEN_LIFE.total_seconds()),
        "auth_time": int(grant.auth_time.timestamp()),
        "acr": standing.acr,
        "sid": str(standing.session_id),
        "at_hash": _left_half(access_token),
    }
    if methods := amr(standing):
        claims["amr"] = methods
    if nonce is not None:
        claims["nonce"] = nonce
    return claims


def amr(standing: Standing) -> list[str]:
    """How the person signed in, in the words of RFC 8176. Another provider's ways are not known here."""
    found = [method for factor in standing.factors for method in _METHODS.get(factor, [])]
    if standing.mfa_at is not None:
        found.append("mfa")
    return sorted(set(found))


def _left_half(token: str) -> str:
    """Binds an ID token to the access token issued with it (OpenID Connect Core §3.1.3.6)."""
    digest = hashlib.sha256(token.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()
