"""Rules and limits of retention."""

from bailee.client.answers import json_answer, no_answer
from bailee.client.call import Call, act, api, sent_json
from bailee.client.models.retention import Executed, Outlook, RetentionLimit


def preview() -> Call[list[Outlook]]:
    """What the rules of the data map would delete, now and within 30 days."""
    return Call(method="GET", path=api("retention"), parse=json_answer(list[Outlook]))


def run() -> Call[Executed]:
    """Delete now what is due. Needs a fresh second factor."""
    return act(api("retention", "run"), json_answer(Executed))


def limits() -> Call[list[RetentionLimit]]:
    """The floors and ceilings of the caller's tenant."""
    return Call(method="GET", path=api("retention", "limits"), parse=json_answer(list[RetentionLimit]))


def set_floor(collection: str, at_least: str, basis: str) -> Call[RetentionLimit]:
    """Say that the law has a collection kept so long, `*` for all. Needs a fresh second factor.

    Raises NotFound, Invalid, Conflict while a data map keeps it for less.
    """
    document = {"collection": collection, "at_least": at_least, "basis": basis}
    return sent_json("PUT", api("retention", "floors"), document, json_answer(RetentionLimit))


def remove_floor(collection: str) -> Call[None]:
    """Let the floor go. Needs a fresh second factor. Raises NotFound."""
    return Call(method="DELETE", path=api("retention", "floors", collection), parse=no_answer)


def limits_of(tenant_id: str) -> Call[list[RetentionLimit]]:
    """A customer's floors and ceilings. For staff. Raises NotFound."""
    return Call(
        method="GET", path=api("tenants", tenant_id, "retention-limits"), parse=json_answer(list[RetentionLimit])
    )  # fmt: skip


def set_ceiling(tenant_id: str, collection: str, at_most: str, basis: str) -> Call[RetentionLimit]:
    """Say that the contract lets a collection be kept so long, `*` for all. For staff, with a fresh second factor.

    Raises NotFound, Invalid, Conflict while a data map keeps it for longer.
    """
    document = {"collection": collection, "at_most": at_most, "basis": basis}
    path = api("tenants", tenant_id, "retention-ceilings")
    return sent_json("PUT", path, document, json_answer(RetentionLimit))


def remove_ceiling(tenant_id: str, collection: str) -> Call[None]:
    """Let the ceiling go. For staff, with a fresh second factor. Raises NotFound."""
    path = api("tenants", tenant_id, "retention-ceilings", collection)
    return Call(method="DELETE", path=path, parse=no_answer)
