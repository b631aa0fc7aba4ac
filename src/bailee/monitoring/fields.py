"""What rules see of an event: flat names for its closed fields, and what is known of its caller."""

import ipaddress
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec

from bailee.events import Event
from bailee.monitoring.baselines import Familiar, Volumes
from bailee.monitoring.countries import Countries

_PRODUCT = "product.event"
WHY = "why"
"""The field that holds a baseline's reason, in numbers."""


class Seen(msgspec.Struct, frozen=True):
    """An event as rules see it."""

    event_id: str
    tenant: str | None
    time: float
    """Unix seconds."""
    fields: dict[str, Any]


def flatten(event: Event) -> dict[str, Any]:
    """`action`, `outcome`, `tenant`, `address`, `session`, `actor.*`, `object.*`, `details.*`, `product.*`."""
    fields: dict[str, Any] = {
        "action": event.action, "outcome": event.outcome.value, "tenant": event.tenant, "address": event.address,
        "actor.kind": event.actor.kind, "actor.id": event.actor.id or None, "session": event.session,
    }  # fmt: skip
    if event.object is not None:
        fields["object.kind"], fields["object.id"] = event.object.kind, event.object.id
    for name, value in event.details.items():
        fields[f"details.{name}"] = value
    if event.action == _PRODUCT:
        for name, value in event.details["values"].items():
            fields[f"product.{name}"] = value
    return fields


class Reader:
    """Events as rules see them, with what baselines have learnt of their callers so far."""

    def __init__(self, countries: Countries, familiar: Familiar, volumes: Volumes) -> None:
        self._countries = countries
        self._familiar = familiar
        self._volumes = volumes

    def read(self, event: Event) -> Seen:
        """The next event: what is learnt of it counts from the one after it."""
        moment = datetime.fromisoformat(event.time)
        fields = flatten(event)
        if event.address:
            fields["network"] = network_of(event.address)
            fields["country"] = self._countries.find(event.address)
        fields |= self._familiar.look(fields, moment)
        fields |= self._volumes.look(fields, moment.timestamp())
        return Seen(event.id, event.tenant, moment.timestamp(), fields)


@lru_cache(maxsize=65_536)
def network_of(address: str) -> str | None:
    """The network that an address belongs to, as far as can be told without asking: a /24, or the /48 of one site."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    prefix = 24 if found.version == 4 else 48  # noqa: PLR2004  IPv4
    return str(ipaddress.ip_network((int(found) if found.version == 6 else str(found), prefix), strict=False))  # noqa: PLR2004  IPv6
