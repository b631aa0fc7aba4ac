"""API keys, accounts and sessions, as values."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec


class ApiKey(msgspec.Struct, frozen=True):
    """A tenant's key for machines. Its token is known to whoever was shown it, and to nobody else."""

    id: UUID
    name: str
    permissions: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


class IssuedApiKey(ApiKey, frozen=True, kw_only=True):
    """The same at the one moment when its token is shown."""

    token: str


class AccountState(StrEnum):
    """Where an account is in its life."""

    PENDING = "pending"
    """Made, and without a second factor: cannot sign in."""
    ACTIVE = "active"
    DISABLED = "disabled"


class Account(msgspec.Struct, frozen=True):
    """One person's login."""

    id: UUID
    email: str
    name: str
    role: str
    state: AccountState
    created_at: datetime


class Credentials(msgspec.Struct, frozen=True):
    """What sign-in compares with."""

    id: UUID
    email: str
    name: str
    role: str
    state: AccountState
    created_at: datetime
    password_hash: str
    totp_secret: bytes
    totp_step: int

    def account(self) -> Account:
        fields: dict[str, Any] = {name: getattr(self, name) for name in Account.__struct_fields__}
        return Account(**fields)


class Session(msgspec.Struct, frozen=True):
    """A signed-in stay."""

    id: UUID
    account_id: UUID
    digest: bytes
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    role: str
    state: AccountState


class StartedSession(msgspec.Struct, frozen=True):
    """A session at the one moment when its token is shown."""

    token: str
    expires_at: datetime
    account: Account
