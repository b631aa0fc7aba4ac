"""The resources as RFC 7643 describes them, cut down to what is kept here, and the way between them and our values.

What a directory sends beyond these attributes is ignored, not kept: nobody here has a use for it.
"""

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field
from scim2_models import (
    URN,
    AuthenticationScheme,
    Bulk,
    CaseExact,
    ChangePassword,
    ComplexAttribute,
    ETag,
    Filter,
    Meta,
    Mutability,
    Patch,
    Reference,
    Required,
    Resource,
    ResourceType,
    ScimPolicy,
    ScimProvider,
    ServiceProviderConfig,
    Sort,
    Uniqueness,
)

from bailee.access.federation.scim.model import Group as OurGroup
from bailee.access.federation.scim.model import GroupWanted, Person, Profile
from bailee.foundation.errors import FieldError, Invalid
from bailee.foundation.http import parse_uuid

MAX_RESULTS = 1000
DEFAULT_RESULTS = 100


class Name(ComplexAttribute):
    """The parts of somebody's name."""

    formatted: str | None = None
    family_name: str | None = None
    given_name: str | None = None


class Email(ComplexAttribute):
    """The address, which is the user name."""

    value: Annotated[str | None, Mutability.read_only] = None
    type: Annotated[str | None, Mutability.read_only] = None
    primary: Annotated[bool | None, Mutability.read_only] = None


class GroupMembership(ComplexAttribute):
    """A group that somebody is in."""

    value: Annotated[str | None, Mutability.read_only, CaseExact.true] = None
    ref: Annotated[Reference["Group"] | None, Mutability.read_only] = Field(
        None, serialization_alias="$ref", validation_alias="$ref"
    )
    display: Annotated[str | None, Mutability.read_only] = None


class User(Resource[Any]):
    """A member of the tenant."""

    __schema__ = URN("urn:ietf:params:scim:schemas:core:2.0:User")

    user_name: Annotated[str | None, Uniqueness.server, Required.true] = None
    name: Name | None = None
    display_name: str | None = None
    active: Annotated[bool | None, Required.true] = None
    emails: Annotated[list[Email] | None, Mutability.read_only] = None
    groups: Annotated[list[GroupMembership] | None, Mutability.read_only] = None


class GroupMember(ComplexAttribute):
    """A user in a group."""

    value: Annotated[str | None, Mutability.immutable, CaseExact.true] = None
    ref: Annotated[Reference["User"] | None, Mutability.immutable] = Field(
        None, serialization_alias="$ref", validation_alias="$ref"
    )
    type: Annotated[str | None, Mutability.immutable] = Field(None, examples=["User"])


class Group(Resource[Any]):
    """A group of members; one that is called like a role gives it."""

    __schema__ = URN("urn:ietf:params:scim:schemas:core:2.0:Group")

    display_name: Annotated[str | None, Required.true, Uniqueness.server] = None
    members: list[GroupMember] | None = None


POLICY = ScimPolicy(
    unknown=ScimPolicy.Unknown.ignore,
    remove_value_as_filter=ScimPolicy.RemoveValue.apply,
    unmatched_path_filter=ScimPolicy.UnmatchedPathFilter.create,
)
"""Lenient where directories in use are loose: Microsoft's and Okta's send more than they need, in more than one way."""
CONFIG = ServiceProviderConfig(
    patch=Patch(supported=True),
    bulk=Bulk(supported=False, max_operations=0, max_payload_size=0),
    filter=Filter(supported=True, max_results=MAX_RESULTS),
    change_password=ChangePassword(supported=False),
    sort=Sort(supported=False),
    etag=ETag(supported=False),
    authentication_schemes=[
        AuthenticationScheme(
            type=AuthenticationScheme.Type.oauthbearertoken,
            name="API key",
            description="An API key with the scope scim, as a bearer token.",
            primary=True,
        )
    ],
)
PROVIDER = ScimProvider(
    models=[User, Group],
    resource_types=[ResourceType.from_resource(User), ResourceType.from_resource(Group)],
    config=CONFIG,
    policy=POLICY,
)


def shown_person(person: Person, base: str) -> User:
    """A member as a resource; `base` is the endpoint's address."""
    profile = person.profile
    named = profile.formatted_name or profile.family_name or profile.given_name
    return User(
        id=str(person.account_id),
        external_id=profile.external_id,
        user_name=profile.user_name,
        display_name=profile.display_name,
        name=Name(
            formatted=profile.formatted_name, family_name=profile.family_name, given_name=profile.given_name
        ) if named else None,
        active=profile.active,
        emails=[Email(value=person.email, type="work", primary=True)],
        groups=[
            GroupMembership(value=str(group_id), ref=Reference(f"{base}/Groups/{group_id}"), display=name)
            for group_id, name in zip(person.group_ids, person.group_names, strict=True)
        ] or None,
        meta=Meta(
            resource_type="User", created=person.created_at, last_modified=person.updated_at,
            location=f"{base}/Users/{person.account_id}",
        ),
    )  # fmt: skip


def profile_of(user: User) -> Profile:
    """What a resource asks for."""
    name = user.name or Name()
    return Profile(
        (user.user_name or "").strip().lower(), user.external_id or None, user.display_name or None,
        name.formatted or None, name.given_name or None, name.family_name or None, user.active is not False,
    )  # fmt: skip


def shown_group(group: OurGroup, base: str) -> Group:
    """A group as a resource; `base` is the endpoint's address."""
    return Group(
        id=str(group.group_id),
        external_id=group.external_id,
        display_name=group.display_name,
        members=[
            GroupMember(value=str(one), ref=Reference(f"{base}/Users/{one}"), type="User") for one in group.members
        ] or None,
        meta=Meta(
            resource_type="Group", created=group.created_at, last_modified=group.updated_at,
            location=f"{base}/Groups/{group.group_id}",
        ),
    )  # fmt: skip


def wanted_of(group: Group) -> GroupWanted:
    """What a resource asks for. Raises Invalid for a member that is no user's id."""
    members: set[UUID] = set()
    for member in group.members or []:
        found = parse_uuid(member.value or "")
        if found is None:
            message = "Members of a group are users of this tenant, by their id."
            raise Invalid("The group is not valid.", errors=[FieldError("members", message)])
        members.add(found)
    return GroupWanted((group.display_name or "").strip(), group.external_id or None, frozenset(members))
