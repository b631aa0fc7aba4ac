"""Who acts: the one value that the edge makes and every verb asks for."""

from enum import StrEnum
from typing import ClassVar
from uuid import UUID

import msgspec

from bailee.foundation.errors import Error, NotFound
from bailee.foundation.ids import TenantId


class Unauthenticated(Error):
    """Nobody has proven who they are."""

    code = "unauthenticated"
    status = 401
    title = "Authentication is needed"


class Forbidden(Error):
    """The caller is known, and may not do this."""

    code = "forbidden"
    status = 403
    title = "Not permitted"


class ActorKind(StrEnum):
    """What kind of thing acts."""

    STAFF = "staff"
    KEY = "key"
    SYSTEM = "system"
    ANONYMOUS = "anonymous"


class Principal(msgspec.Struct, frozen=True):
    """An authenticated caller with what it may do. Only access control makes one for a request."""

    kind: ActorKind
    id: str
    permissions: frozenset[str] = frozenset()
    tenant_id: TenantId | None = None
    address: str | None = None
    request_id: UUID | None = None
    session_id: UUID | None = None

    EVERYTHING: ClassVar[str] = "*"

    def may(self, permission: str) -> bool:
        """Deny by default: only what is held."""
        return permission in self.permissions or self.EVERYTHING in self.permissions

    def require(self, permission: str) -> None:
        """Raises Unauthenticated or Forbidden."""
        if self.kind is ActorKind.ANONYMOUS:
            raise Unauthenticated("Send an API key or a session token: Authorization: Bearer <token>.")
        if not self.may(permission):
            raise Forbidden(f"This needs the permission {permission}.")

    @property
    def tenant(self) -> TenantId:
        """The tenant it belongs to. Raises NotFound for the operator's own: a tenant's things are not theirs."""
        if self.tenant_id is None:
            raise NotFound
        return self.tenant_id


def system(name: str) -> Principal:
    """Bailee itself, acting as one of its parts."""
    return Principal(ActorKind.SYSTEM, name, frozenset({Principal.EVERYTHING}))


def anonymous(address: str | None = None, request_id: UUID | None = None) -> Principal:
    """Nobody in particular."""
    return Principal(ActorKind.ANONYMOUS, "", address=address, request_id=request_id)
