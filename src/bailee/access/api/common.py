"""What the routes of access control share: sizes, secrets, ids."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar.params import QueryParameter

from bailee.foundation.errors import NotFound
from bailee.foundation.http import parse_uuid
from bailee.foundation.secrets import Secret

type Email = Annotated[str, msgspec.Meta(max_length=254)]
type Password = Annotated[str, msgspec.Meta(max_length=1024)]
Address = Annotated[str, QueryParameter(name="email", max_length=254, description="The whole address.")]
type Short = Annotated[str, msgspec.Meta(max_length=200)]
type Text = Annotated[str, msgspec.Meta(max_length=500)]

SMALL = 16 * 1024
"""Bytes of a body that holds no more than a password or a passkey's answer."""


class PasskeyAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `navigator.credentials` gave, in its JSON form (`toJSON()`)."""

    challenge_id: UUID
    answer: dict[str, Any]
    pending: Short | None = None


class Links(msgspec.Struct, frozen=True):
    """A one-time link, where no mail server is configured to send it; else null."""

    link: str | None


class Count(msgspec.Struct, frozen=True):
    """How many it were."""

    count: int


def secret_of(text: str) -> Secret:
    """A password as it was sent; one that is no Unicode text fits no account."""
    return Secret(text.encode("utf-8", "surrogatepass"))


def id_of(text: str) -> UUID:
    """An id in a path. Raises NotFound: an id of another shape names nothing."""
    found = parse_uuid(text)
    if found is None:
        raise NotFound
    return found


def raw_of(answer: dict[str, Any]) -> bytes:
    """A passkey's answer as it is verified."""
    return msgspec.json.encode(answer)
