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


class StepUpRequired(Forbidden):
    """The session is good, and this act asks for a second factor shown a moment ago."""

    code = "step_up_required"
    title = "Confirm with your second factor"


class LentOnly(Forbidden):
    """What the caller holds, it was lent for a time, and what this makes would outlast that."""

    code = "lent_only"
    title = "Not with what you were lent"


class ActorKind(StrEnum):
    """What kind of thing acts."""

    STAFF = "staff"
    """A person of the operator."""
    MEMBER = "member"
    """A person of a tenant."""
    KEY = "key"
    """A machine, with an API key."""
    CLIENT = "client"
    """A machine, with the credentials of an OAuth client."""
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
    device: str = ""
    """What it holds the token with, such as `Firefox on Linux`."""
    session_id: UUID | None = None
    stepped_up: bool = False
    """Whether the session showed a second factor within the last minutes."""
    lent: frozenset[str] = frozenset()
    """Those of `permissions` that are held for the moment only: nothing that lasts is made of them."""
    proof: bytes = b""
    """The digest of the session's token that this caller showed."""
    unmet: tuple[str, ...] = ()
    """The gates that the account does not pass, in words; while there is one, no permission is effective."""

    EVERYTHING: ClassVar[str] = "*"

    def may(self, permission: str) -> bool:
        """Deny by default: only what is held."""
        return permission in self.permissions or self.EVERYTHING in self.permissions

    def holds(self, permission: str) -> bool:
        """Whether it may, and not for the moment only."""
        return self.may(permission) and permission not in self.lent

    def require(self, permission: str) -> None:
        """Raises Unauthenticated or Forbidden."""
        if self.kind is ActorKind.ANONYMOUS:
            raise Unauthenticated("Send an API key or a session token: Authorization: Bearer <token>.")
        if not self.may(permission):
            raise Forbidden(" ".join(self.unmet) or f"This needs the permission {permission}.")

    def require_standing(self, permission: str) -> None:
        """Raises LentOnly for what is held for the moment only, beside what `require` raises."""
        self.require(permission)
        if not self.holds(permission):
            raise LentOnly(
                f"You were lent the permission {permission} for a time, and this would outlast it. Ask somebody who "
                "holds it by a role of their own."
            )

    def require_session(self) -> None:
        """Raises Unauthenticated for whoever is not a signed-in person."""
        if self.session_id is None or self.kind not in (ActorKind.STAFF, ActorKind.MEMBER):
            raise Unauthenticated("Sign in first: this is about your own account.")

    def require_step_up(self) -> None:
        """Raises StepUpRequired for a person whose last second factor is too old. Machines have none to show."""
        if self.kind in (ActorKind.STAFF, ActorKind.MEMBER) and not self.stepped_up:
            raise StepUpRequired("Show your second factor again, then repeat this. It counts for five minutes.")

    @property
    def account_id(self) -> UUID:
        """The account of a signed-in person. Raises Unauthenticated."""
        self.require_session()
        return UUID(self.id)

    @property
    def tenant(self) -> TenantId:
        """The tenant it belongs to. Raises NotFound for the operator's own: a tenant's things are not theirs."""
        if self.tenant_id is None:
            raise NotFound
        return self.tenant_id


def system(name: str) -> Principal:
    """Bailee itself, acting as one of its parts."""
    return Principal(ActorKind.SYSTEM, name, frozenset({Principal.EVERYTHING}))


def anonymous(address: str | None = None, request_id: UUID | None = None, device: str = "") -> Principal:
    """Nobody in particular."""
    return Principal(ActorKind.ANONYMOUS, "", address=address, request_id=request_id, device=device)
