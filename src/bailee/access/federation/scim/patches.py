"""Patches of groups as directories write them: members named by their id, added and removed (RFC 7644 §3.5.2)."""

import re
from typing import Any
from uuid import UUID

from bailee.foundation.http import parse_uuid

_ONE = re.compile(r'\s*members\s*\[\s*value\s+eq\s+"([^"]*)"\s*\]\s*', re.ASCII | re.IGNORECASE)


def changed_members(
    before: frozenset[UUID], operations: object
) -> tuple[frozenset[UUID], list[dict[str, Any]] | None]:  # fmt: skip
    """The members after a patch, and the operations that are about something else.

    None in place of those where an operation is not understood here: then the members are the ones before, and the
    whole patch goes the general way.
    """
    if not isinstance(operations, list) or not all(isinstance(one, dict) for one in operations):
        return before, None
    members, rest = before, []
    for operation in operations:
        path = operation.get("path")
        if not isinstance(path, str) or not path.strip().lower().startswith("members"):
            value = operation.get("value")
            if path is None and not (isinstance(value, dict) and all(name.lower() != "members" for name in value)):
                return before, None
            rest.append(operation)
            continue
        changed = _after(members, str(operation.get("op")).lower(), path, operation.get("value"))
        if changed is None:
            return before, None
        members = changed
    return members, rest


def _after(members: frozenset[UUID], verb: str, path: str, value: object) -> frozenset[UUID] | None:
    one = _ONE.fullmatch(path)
    if one is not None:
        named = parse_uuid(one[1])
        return members - {named} if verb == "remove" and named in members and value is None else None
    if path.strip().lower() != "members":
        return None
    ids = _ids(value)
    if ids is None:
        return None
    return {"add": members | ids, "remove": members - ids, "replace": ids}.get(verb)


def _ids(value: object) -> frozenset[UUID] | None:
    """The people that a value names, each as an object with an id; None for anything else."""
    if not isinstance(value, list) or not value:
        return None
    found = [parse_uuid(one["value"]) if _is_reference(one) else None for one in value]
    return frozenset(one for one in found if one) if all(found) else None


def _is_reference(one: object) -> bool:
    return isinstance(one, dict) and isinstance(one.get("value"), str)
