from typing import Any

import msgspec
import pytest

from bailee.foundation.errors import Invalid
from bailee.stores.datamap import MAX_DEPTH, MAX_FIELDS, Definition, parse_definition, walk

NAME = {"type": "string", "category": "identity"}


def definition(**fields: Any) -> dict[str, Any]:
    return {"title": "People", "purpose": "To know them", "subject": "required", "fields": fields or {"name": NAME}}


def faults(raw: Any) -> set[str]:
    with pytest.raises(Invalid) as caught:
        parse_definition(raw)
    assert caught.value.errors
    return {error.path for error in caught.value.errors}


def nested(depth: int, innermost: dict[str, Any]) -> dict[str, Any]:
    field = innermost
    for _ in range(depth - 1):
        field = {"type": "object", "category": "identity", "properties": {"inner": field}}
    return field


def test_shorthands_become_strings_with_a_format() -> None:
    raw = definition(
        mail={"type": "email", "category": "contact"},
        born={"type": "date", "category": "identity"},
        seen={"type": "datetime", "category": "usage"},
        calls={"type": "array", "category": "contact", "items": {"type": "phone"}},
    )
    fields = parse_definition(raw).fields
    assert [(f.type, f.format) for f in fields.values()] == [
        ("string", "email"), ("string", "date"), ("string", "date-time"), ("array", ""),
    ]  # fmt: skip
    items = fields["calls"].items
    assert items is not None
    assert (items.type, items.format) == ("string", "phone")


def test_definition_is_its_own_fixed_point() -> None:
    once = parse_definition(definition(mail={"type": "email", "category": "contact", "searchable": True}))
    assert parse_definition(msgspec.to_builtins(once)) == once


@pytest.mark.parametrize(
    "field, how",
    [
        ({"type": "string"}, "text"),
        ({"type": "email"}, "email"),
        ({"type": "phone"}, "phone"),
        ({"type": "date"}, "date"),
        ({"type": "datetime"}, "text"),
        ({"type": "integer"}, "exact"),
        ({"type": "boolean"}, "exact"),
        ({"type": ["integer", "string"]}, "text"),
        ({"type": "string", "searchable": "exact"}, "exact"),
        ({"type": "string", "searchable": "phone"}, "phone"),
    ],
)
def test_how_a_searchable_field_is_compared(field: dict[str, Any], how: str) -> None:
    parsed = parse_definition(definition(f={"category": "identity", "searchable": True} | field))
    assert parsed.searchable() == {"f": how}


def test_paths_are_dotted_and_items_stand_at_their_arrays_path() -> None:
    parsed = parse_definition(
        definition(
            name={"type": "object", "category": "identity", "properties": {"last": {"type": "string"}}},
            tags={"type": "array", "category": "none", "items": {"type": "string", "searchable": True}},
            homes={
                "type": "array",
                "category": "contact",
                "items": {"type": "object", "properties": {"city": {"type": "string", "searchable": True}}},
            },
        )
    )
    assert {path for path, _ in walk(parsed.fields)} == {"name", "name.last", "tags", "homes", "homes.city"}
    assert parsed.searchable() == {"tags": "text", "homes.city": "text"}


@pytest.mark.parametrize("retention", [None, "P3Y", "P90D", "P2W", "P1Y6M", "P1Y2M3W4D"])
def test_retention_is_a_duration_of_days_or_more(retention: str | None) -> None:
    assert parse_definition(definition() | {"retention": retention}).retention == retention


@pytest.mark.parametrize("retention", ["", "P", "3Y", "PT1H", "P1DT1H", "P-1D", "P1.5Y", "p3y", "P3Y ", "P1D1Y", "P٣D"])
def test_other_retention_is_refused(retention: str) -> None:
    assert faults(definition() | {"retention": retention}) == {"retention"}


@pytest.mark.parametrize(
    "change, path",
    [
        ({"title": ""}, "title"),
        ({"title": " \t"}, "title"),
        ({"title": "x" * 501}, "title"),
        ({"purpose": "one\ntwo"}, "purpose"),
        ({"purpose": "\u202ereversed"}, "purpose"),
        ({"fields": {}}, "fields"),
        ({"subject": "sometimes"}, "subject"),
        ({"title": 1}, "title"),
        ({"owner": "x"}, "collection"),
        ({"fields": []}, "fields"),
    ],
)
def test_faulty_collection_is_refused_where_it_is_faulty(change: dict[str, Any], path: str) -> None:
    assert path in " ".join(faults(definition() | change))


@pytest.mark.parametrize("raw", [None, [], "people", 1, {}, {"title": "People"}])
def test_what_is_no_definition_is_refused(raw: Any) -> None:
    faults(raw)


@pytest.mark.parametrize(
    "field, path",
    [
        ({"category": ""}, "fields.f.category"),
        ({"category": "Identity"}, "fields.f.category"),
        ({"category": "a b"}, "fields.f.category"),
        ({"type": "integer", "format": "email"}, "fields.f.format"),
        ({"type": "object", "searchable": True}, "fields.f.searchable"),
        ({"type": "array", "items": NAME, "searchable": True}, "fields.f.searchable"),
        ({"properties": {"a": NAME}}, "fields.f.properties"),
        ({"type": "array"}, "fields.f.items"),
        ({"items": NAME}, "fields.f.items"),
        ({"enum": []}, "fields.f.enum"),
        ({"type": []}, "fields.f.type"),
        ({"type": ["string", "string"]}, "fields.f.type"),
        ({"type": ["email", "integer"]}, "fields.f.type"),
        ({"type": "object", "properties": {"a b": NAME}}, "fields.f.properties.a b"),
        ({"type": "object", "properties": {"": NAME}}, "fields.f.properties."),
        ({"type": "array", "items": {"type": "array"}}, "fields.f.items.items"),
    ],
)
def test_faulty_field_is_refused_where_it_is_faulty(field: dict[str, Any], path: str) -> None:
    assert faults(definition(f=NAME | field)) == {path}


@pytest.mark.parametrize("name", ["", "1st", "a.b", "a b", "é", "x" * 64, "a\n", "$where"])
def test_field_name_outside_the_rule_is_refused(name: str) -> None:
    assert faults(definition(**{name: NAME})) == {f"fields.{name}"}


@pytest.mark.parametrize(
    "field", [{"type": "text"}, {"pattern": "^(a+)+$"}, {"searchable": "fuzzy"}, {"required": "yes"}]
)
def test_unknown_attributes_and_values_are_refused(field: dict[str, Any]) -> None:
    faults(definition(f=NAME | field))


def test_fields_nest_so_deep_and_no_deeper() -> None:
    parse_definition(definition(f=nested(MAX_DEPTH, NAME)))
    assert faults(definition(f=nested(MAX_DEPTH + 1, NAME)))


@pytest.mark.parametrize("depth", [500, 900, 2000, 20_000])
def test_bottomless_definition_is_refused_cleanly(depth: int) -> None:
    faults(definition(f=nested(depth, NAME)))


def test_bottomless_array_is_refused_cleanly() -> None:
    field = NAME
    for _ in range(900):
        field = {"type": "array", "items": field}  # type: ignore[dict-item]  # JSON, not a type of ours
    faults(definition(f={"category": "identity", **field}))


def test_number_of_fields_is_bounded_nested_ones_included() -> None:
    parse_definition(definition(**{f"f{n}": NAME for n in range(MAX_FIELDS)}))
    assert faults(definition(**{f"f{n}": NAME for n in range(MAX_FIELDS + 1)})) == {"fields"}
    inner = {f"f{n}": NAME for n in range(MAX_FIELDS)}
    assert faults(definition(f={"type": "object", "category": "identity", "properties": inner})) == {"fields"}


def test_parsed_definition_is_frozen() -> None:
    parsed = parse_definition(definition())
    with pytest.raises(AttributeError):
        parsed.title = "Other"  # type: ignore[misc]  # what must not work
    assert isinstance(parsed, Definition)
