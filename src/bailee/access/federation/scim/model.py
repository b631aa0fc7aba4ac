"""Members and groups as a directory sees them: values without I/O."""

from datetime import datetime
from uuid import UUID

import msgspec


class Profile(msgspec.Struct, frozen=True):
    """What a directory may write about a member, and reads back as it wrote it."""

    user_name: str
    external_id: str | None = None
    display_name: str | None = None
    formatted_name: str | None = None
    given_name: str | None = None
    family_name: str | None = None
    active: bool = True

    @property
    def name(self) -> str:
        """What the member is called here."""
        parts = " ".join(part for part in (self.given_name, self.family_name) if part)
        return self.display_name or self.formatted_name or parts or self.user_name.partition("@")[0]


class Person(msgspec.Struct, frozen=True):
    """A member with what a directory has written. Fields as the tables have them."""

    account_id: UUID
    email: str
    name: str
    role: str
    state: str
    external_id: str | None
    created_at: datetime
    updated_at: datetime
    written: bool
    """Whether a directory has written about them; before it does, their own name stands."""
    display_name: str | None
    formatted_name: str | None
    given_name: str | None
    family_name: str | None
    group_ids: list[UUID]
    group_names: list[str]

    @property
    def profile(self) -> Profile:
        return Profile(
            self.email, self.external_id, self.display_name if self.written else self.name, self.formatted_name,
            self.given_name, self.family_name, self.state == "active",
        )  # fmt: skip


class GroupWanted(msgspec.Struct, frozen=True):
    """A group as a directory wants it."""

    display_name: str
    external_id: str | None
    members: frozenset[UUID]


class Group(msgspec.Struct, frozen=True):
    """A group of members. Fields as the table has them."""

    group_id: UUID
    display_name: str
    external_id: str | None
    created_at: datetime
    updated_at: datetime
    members: list[UUID]

    @property
    def wanted(self) -> GroupWanted:
        return GroupWanted(self.display_name, self.external_id, frozenset(self.members))


class Narrow(msgspec.Struct, frozen=True):
    """What of a filter the database can look up by itself; None for anything."""

    id: UUID | None = None
    name: str | None = None
    """A `userName` or a `displayName`, without regard to case."""
    external_id: str | None = None


EVERYBODY = Narrow()
