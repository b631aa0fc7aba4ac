"""The schemas of a product's own events, and their reporting."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from bailee.client.answers import json_answer, member_answer, no_answer
from bailee.client.call import Call, api, sent_json
from bailee.client.models.monitoring import EventField, EventType


def every() -> Call[list[EventType]]:
    """The schemas there are."""
    return Call(method="GET", path=api("event-types"), parse=json_answer(list[EventType]))


def define(name: str, title: str, fields: Mapping[str, EventField]) -> Call[EventType]:
    """Define the closed schema of a kind of event. Raises Invalid, Conflict."""
    document = {"title": title, "fields": msgspec.to_builtins(dict(fields))}
    return sent_json("PUT", api("event-types", name), document, json_answer(EventType))


def remove(name: str) -> Call[None]:
    """Take no more events of a kind. Raises NotFound."""
    return Call(method="DELETE", path=api("event-types", name), parse=no_answer)


def report(events: Sequence[Mapping[str, Any]]) -> Call[int]:
    """Record 1 to 500 events, all or none: `type`, and `outcome`, `user`, `address`, `values` where there are some.

    Raises Invalid. Not retried by itself: a repeated report is recorded twice.
    """
    document = {"events": [dict(one) for one in events]}
    return sent_json("POST", api("events"), document, member_answer("recorded", int))
