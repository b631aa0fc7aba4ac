"""Groups as directories patch them."""

from typing import Any
from uuid import UUID

import pytest

from bailee.access.federation.scim.patches import changed_members

ONE, TWO, THREE = (UUID(int=number) for number in (1, 2, 3))


def _people(*ids: UUID) -> list[dict[str, str]]:
    return [{"value": str(one)} for one in ids]


@pytest.mark.parametrize(
    "operations, members",
    [
        ([{"op": "add", "path": "members", "value": _people(TWO, THREE)}], {ONE, TWO, THREE}),
        ([{"op": "Add", "path": "members", "value": _people(ONE)}], {ONE}),
        ([{"op": "remove", "path": f'members[value eq "{ONE}"]'}], set()),
        ([{"op": "Remove", "path": "members", "value": _people(ONE, TWO)}], set()),
        ([{"op": "replace", "path": "members", "value": _people(TWO)}], {TWO}),
        (
            [
                {"op": "add", "path": "members", "value": _people(TWO)},
                {"op": "remove", "path": f'members[value eq "{TWO}"]'},
            ],
            {ONE},
        ),
    ],
)
def test_members_are_added_and_removed_by_their_id(operations: list[dict[str, Any]], members: set[UUID]) -> None:
    assert changed_members(frozenset({ONE}), operations) == (frozenset(members), [])


def test_what_is_about_something_else_is_left() -> None:
    rename = {"op": "replace", "path": "displayName", "value": "Desk"}
    named = {"op": "replace", "value": {"displayName": "Desk"}}
    add = {"op": "add", "path": "members", "value": _people(TWO)}
    assert changed_members(frozenset({ONE}), [rename, add, named]) == (frozenset({ONE, TWO}), [rename, named])


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "members"},
        {"op": "add", "path": "members", "value": []},
        {"op": "add", "path": "members", "value": {"value": str(TWO)}},
        {"op": "add", "path": "members", "value": [{"value": "nobody"}]},
        {"op": "add", "path": "members", "value": [{"value": str(TWO)}, 7]},
        {"op": "remove", "path": f'members[value eq "{TWO}"]'},
        {"op": "remove", "path": f'members[display eq "{TWO}"]'},
        {"op": "remove", "path": f'members[value eq "{ONE}"].display'},
        {"op": "move", "path": "members", "value": _people(TWO)},
        {"op": "add", "value": {"members": _people(TWO)}},
        {"op": "add", "value": "members"},
        {"op": None, "path": "members", "value": _people(TWO)},
        "add",
    ],
)  # fmt: skip
def test_what_is_written_otherwise_goes_the_general_way(operation: object) -> None:
    add = {"op": "add", "path": "members", "value": _people(THREE)}
    assert changed_members(frozenset({ONE}), [add, operation]) == (frozenset({ONE}), None)


@pytest.mark.parametrize("operations", [None, {}, "add", 7])
def test_operations_are_a_list(operations: object) -> None:
    assert changed_members(frozenset({ONE}), operations) == (frozenset({ONE}), None)
