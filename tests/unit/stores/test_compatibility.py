from typing import Any

import pytest

from bailee.stores.compatibility import stranding_changes
from bailee.stores.datamap import Definition, parse_definition

TEXT = {"type": "string", "category": "none"}


def of(fields: dict[str, Any], subject: str = "optional") -> Definition:
    return parse_definition({"title": "T", "purpose": "P", "subject": subject, "fields": fields})


def strands(old: dict[str, Any], new: dict[str, Any]) -> set[str]:
    return {fault.path for fault in stranding_changes(of({"f": TEXT | old}), of({"f": TEXT | new}))}


def an_object(properties: dict[str, Any], *, more: bool = False) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": more}


ANY_OBJECT = {"type": "object"}
A, B = {"a": {"type": "string"}}, {"b": {"type": "integer"}}


@pytest.mark.parametrize(
    "old, new",
    [
        ({}, {}),
        ({}, {"title": "Name", "category": "identity", "searchable": True}),
        ({"searchable": True}, {}),
        ({"required": True}, {}),
        ({"type": "email"}, {}),
        ({}, {"type": ["string", "integer"]}),
        ({"maxLength": 5}, {"maxLength": 6}),
        ({"maxLength": 5}, {}),
        ({"minLength": 5}, {"minLength": 4}),
        ({"type": "integer", "minimum": 1, "maximum": 2}, {"type": "integer", "minimum": 0, "maximum": 3}),
        ({"enum": ["a"]}, {"enum": ["a", "b"]}),
        ({"enum": ["a"]}, {}),
        (an_object(A), an_object(A | B)),
        (an_object(A), an_object({}, more=True)),
        (an_object(A), ANY_OBJECT),
        (an_object(A, more=True), an_object({}, more=True)),
        ({"type": "array", "items": TEXT | {"maxLength": 1}}, {"type": "array", "items": TEXT}),
    ],
)
def test_wider_map_strands_nothing(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert strands(old, new) == set()


@pytest.mark.parametrize(
    "old, new, path",
    [
        ({}, {"type": "integer"}, "fields.f.type"),
        ({}, {"type": "email"}, "fields.f.type"),
        ({"type": "email"}, {"type": "phone"}, "fields.f.type"),
        ({"type": ["string", "integer"]}, {}, "fields.f.type"),
        ({}, {"required": True}, "fields.f.required"),
        ({}, {"maxLength": 5}, "fields.f.max_length"),
        ({"maxLength": 5}, {"maxLength": 4}, "fields.f.max_length"),
        ({}, {"minLength": 1}, "fields.f.min_length"),
        ({"type": "integer"}, {"type": "integer", "minimum": 0}, "fields.f.minimum"),
        ({"type": "integer", "maximum": 9}, {"type": "integer", "maximum": 8}, "fields.f.maximum"),
        ({}, {"enum": ["a"]}, "fields.f.enum"),
        ({"enum": ["a", "b"]}, {"enum": ["a"]}, "fields.f.enum"),
        (an_object(A), an_object({}), "fields.f.properties.a"),
        (an_object(A), an_object({"a": {"type": "integer"}}), "fields.f.properties.a.type"),
        (an_object({}), an_object({"a": {"type": "string", "required": True}}), "fields.f.properties.a.required"),
        (an_object({}, more=True), an_object({}), "fields.f"),
        (ANY_OBJECT, an_object({}, more=True), "fields.f"),
        (an_object(A, more=True), an_object(A | B, more=True), "fields.f.properties.b"),
        ({"type": "array", "items": TEXT}, {"type": "array", "items": {"type": "integer"}}, "fields.f.items.type"),
    ],
)
def test_narrower_map_strands_records(old: dict[str, Any], new: dict[str, Any], path: str) -> None:
    assert strands(old, new) == {path}


def test_new_optional_field_strands_nothing_and_a_removed_one_does() -> None:
    small, large = of({"f": TEXT}), of({"f": TEXT, "g": TEXT})
    assert stranding_changes(small, large) == []
    assert [fault.path for fault in stranding_changes(large, small)] == ["fields.g"]


def test_new_required_field_strands_records() -> None:
    faults = stranding_changes(of({"f": TEXT}), of({"f": TEXT, "g": TEXT | {"required": True}}))
    assert [fault.path for fault in faults] == ["fields.g.required"]


@pytest.mark.parametrize(
    "old, new, allowed",
    [
        ("required", "optional", True), ("none", "optional", True), ("optional", "optional", True),
        ("optional", "required", False), ("optional", "none", False), ("none", "required", False),
        ("required", "none", False),
    ],
)  # fmt: skip
def test_what_a_collection_says_of_subjects_can_only_widen(old: str, new: str, allowed: bool) -> None:
    faults = stranding_changes(of({"f": TEXT}, old), of({"f": TEXT}, new))
    assert [fault.path for fault in faults] == ([] if allowed else ["subject"])
