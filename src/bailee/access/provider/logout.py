"""Logout that a product asks for (OpenID Connect RP-Initiated Logout 1.0).

The ID token of the session that the browser has is proof enough that its product asks; without it the person does.
"""

from uuid import UUID

import msgspec

from bailee.access.provider.client_authentication import ClientAuthentication
from bailee.access.provider.errors import UnknownReturn, with_query
from bailee.access.provider.redirects import is_registered
from bailee.access.provider.signing import Signing
from bailee.foundation.http import parse_uuid
from bailee.foundation.pages import Form

_MAX_STATE = 1000


class LogoutRequest(msgspec.Struct, frozen=True):
    """What is asked for: where to go on to, and which session the product knows."""

    client: str | None
    """The product's name."""
    onward: str | None
    session_id: UUID | None
    is_operators: bool = False
    """Whether the product is the operator's own."""


class Logout:
    """Examines requests to sign out."""

    def __init__(self, clients: ClientAuthentication, signing: Signing, issuer: str) -> None:
        self._clients = clients
        self._signing = signing
        self._issuer = issuer

    async def examine(self, form: Form) -> LogoutRequest:
        """Raises UnknownReturn for an address that the product has not registered: nobody is sent there."""
        if any(len(values) > 1 for values in form.values.values()) or len(form.text("state")) > _MAX_STATE:
            raise UnknownReturn
        hint, named = form.text("id_token_hint"), form.text("client_id")
        claims = await self._signing.verify(hint, issuer=self._issuer) if hint else None
        audience = str(claims.get("aud")) if claims else ""
        if named and audience and named != audience:
            raise UnknownReturn
        client = await self._clients.find(audience or named)
        uri = form.text("post_logout_redirect_uri")
        if uri and (client is None or not is_registered(uri, client.post_logout_redirect_uris)):
            raise UnknownReturn
        onward = with_query(uri, {"state": form.text("state") or None}) if uri else None
        session = parse_uuid(str(claims.get("sid"))) if claims and client else None
        return LogoutRequest(client.name if client else None, onward, session, bool(client and client.is_operators))
