"""Collections: what kinds of records a tenant keeps, why, and for how long."""

from collections.abc import Mapping
from typing import Any

import msgspec

from bailee.client.answers import json_answer, no_answer
from bailee.client.call import Call, api, paged, sent_json, with_followers
from bailee.client.models.base import Page
from bailee.client.models.data import Collection, Definition, MapVersion


def put(name: str, definition: Definition | Mapping[str, Any]) -> Call[Collection]:
    """Create the collection, or change its map. `name` matches `^[a-z][a-z0-9_]{0,62}$`.

    Raises Invalid when the map breaks a rule, Conflict when records that exist might not fit it.
    """
    if isinstance(definition, Definition):
        document = {"subject": definition.subject, **msgspec.to_builtins(definition)}
    else:
        document = dict(definition)
    return sent_json("PUT", api("collections", name), document, json_answer(Collection))


def get(name: str) -> Call[Collection]:
    """The collection with its map of fields. Raises NotFound."""
    return Call(method="GET", path=api("collections", name), parse=json_answer(Collection))


def every(*, page_size: int | None = None) -> Call[Page[Collection]]:
    """All collections of the tenant."""
    return with_followers(paged(Page[Collection], api("collections"), limit=page_size))


def versions(name: str, *, page_size: int | None = None) -> Call[Page[MapVersion]]:
    """The versions of the collection's map, newest first. Raises NotFound."""
    return with_followers(paged(Page[MapVersion], api("collections", name, "versions"), limit=page_size))


def delete(name: str) -> Call[None]:
    """Remove an empty collection. Raises Conflict while it holds records, NotFound.

    NotFound may also mean that an earlier attempt, whose answer was lost, removed it.
    """
    return Call(method="DELETE", path=api("collections", name), parse=no_answer)
