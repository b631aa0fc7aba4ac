from typing import Any

import pytest

from bailee.foundation.errors import Invalid
from bailee.stores.datamap import parse_definition
from bailee.stores.validation import validate


def fields(**named: Any) -> Any:
    raw = {
        "title": "T",
        "purpose": "P",
        "subject": "none",
        "fields": {n: {"category": "none", **f} for n, f in named.items()},
    }
    return parse_definition(raw)


def faults(definition: Any, data: Any) -> set[str]:
    with pytest.raises(Invalid) as caught:
        validate(definition, data)
    return {error.path for error in caught.value.errors}


ARRAY = {"type": "array", "items": {"type": "integer"}}
OBJECT = {"type": "object", "properties": {"a": {"type": "string", "required": True}}}


@pytest.mark.parametrize(
    "field, value",
    [
        ({"type": "string"}, ""),
        ({"type": "string"}, "any text, 任意の\n"),
        ({"type": "integer"}, 10**20),
        ({"type": "number"}, 1),
        ({"type": "number"}, 1.5),
        ({"type": "boolean"}, False),
        ({"type": ["string", "integer"]}, 1),
        ({"type": ["string", "integer"]}, "1"),
        ({"type": "email"}, "ada@example.org"),
        ({"type": "phone"}, "+44 (20) 7946-0000"),
        ({"type": "date"}, "2024-02-29"),
        ({"type": "datetime"}, "2024-02-29T12:00:00Z"),
        ({"type": "datetime"}, "2024-02-29T12:00:00.5+02:00"),
        ({"type": "object"}, {"whatever": [1, None, {}]}),
        (OBJECT, {"a": "x"}),
        (OBJECT | {"additionalProperties": True}, {"a": "x", "b": 1}),
        (ARRAY, []),
        (ARRAY, [1, 2]),
        (ARRAY | {"minLength": 1, "maxLength": 2}, [1, 2]),
        ({"type": "string", "minLength": 2, "maxLength": 3}, "äöü"),
        ({"type": "integer", "minimum": 0, "maximum": 9}, 9),
        ({"type": "string", "enum": ["a", "b"]}, "b"),
        ({"type": "integer", "enum": [1, 2]}, 2),
    ],
)
def test_value_that_fits_is_kept_as_it_is(field: dict[str, Any], value: Any) -> None:
    assert validate(fields(f=field), {"f": value}) == {"f": value}


@pytest.mark.parametrize(
    "field, value, path",
    [
        ({"type": "string"}, 1, "data.f"),
        ({"type": "string"}, ["a"], "data.f"),
        ({"type": "string"}, "\ud800", "data.f"),
        ({"type": "integer"}, "1", "data.f"),
        ({"type": "integer"}, 1.0, "data.f"),
        ({"type": "integer"}, True, "data.f"),
        ({"type": "number"}, False, "data.f"),
        ({"type": "boolean"}, 0, "data.f"),
        ({"type": "object"}, [], "data.f"),
        ({"type": "array", "items": {"type": "string"}}, {}, "data.f"),
        ({"type": ["string", "integer"]}, 1.5, "data.f"),
        ({"type": "email"}, "ada", "data.f"),
        ({"type": "email"}, "ada lovelace@example.org", "data.f"),
        ({"type": "phone"}, "call me", "data.f"),
        ({"type": "phone"}, "٣٣٣٣", "data.f"),
        ({"type": "date"}, "2023-02-29", "data.f"),
        ({"type": "date"}, "20240229", "data.f"),
        ({"type": "date"}, "2024-W09-4", "data.f"),
        ({"type": "date"}, "2024-02-29T00:00:00", "data.f"),
        ({"type": "datetime"}, "2024-02-29", "data.f"),
        ({"type": "datetime"}, "2024-02-29T25:00:00Z", "data.f"),
        (OBJECT, {}, "data.f.a"),
        (OBJECT, {"a": None}, "data.f.a"),
        (OBJECT, {"a": "x", "b": 1}, "data.f.b"),
        (ARRAY, [1, "x"], "data.f.1"),
        (ARRAY, [None], "data.f.0"),
        (ARRAY | {"minLength": 1}, [], "data.f"),
        (ARRAY | {"maxLength": 1}, [1, 2], "data.f"),
        ({"type": "string", "minLength": 2}, "a", "data.f"),
        ({"type": "string", "maxLength": 2}, "abc", "data.f"),
        ({"type": "integer", "minimum": 0}, -1, "data.f"),
        ({"type": "number", "maximum": 1.5}, 1.6, "data.f"),
        ({"type": "string", "enum": ["a"]}, "A", "data.f"),
    ],
)
def test_value_that_does_not_fit_is_refused_where_it_stands(field: dict[str, Any], value: Any, path: str) -> None:
    assert faults(fields(f=field), {"f": value}) == {path}


def test_nulls_are_left_out() -> None:
    assert validate(fields(f={"type": "string"}), {"f": None}) == {}


@pytest.mark.parametrize("data", [{}, {"f": None}])
def test_required_field_is_missed(data: dict[str, Any]) -> None:
    assert faults(fields(f={"type": "string", "required": True}), data) == {"data.f"}


@pytest.mark.parametrize("data", [None, [], "x", 1])
def test_record_is_an_object(data: Any) -> None:
    assert faults(fields(f={"type": "string"}), data) == {"data"}


@pytest.mark.parametrize(
    "name, path", [("other", "data.other"), ("ada@example.org", "data.?"), ("x" * 64, "data.?"), ("é", "data.?")]
)
def test_unknown_field_is_named_only_if_it_looks_like_one(name: str, path: str) -> None:
    """A name that was meant as a value must not come back in an error that somebody logs."""
    assert faults(fields(f={"type": "string"}), {name: 1}) == {path}


def test_errors_never_repeat_what_was_sent() -> None:
    definition = fields(
        a={"type": "email"},
        b={"type": "string", "enum": ["x"]},
        c={"type": "integer"},
        d={"type": "string", "maxLength": 3},
    )
    marker = "bailee-secret"
    with pytest.raises(Invalid) as caught:
        validate(definition, {"a": marker, "b": marker, "c": marker, "d": marker, f"{marker} key": marker})
    assert len(caught.value.errors) == 5
    assert marker not in str(caught.value.errors) + caught.value.detail


def test_at_most_fifty_errors_are_told() -> None:
    definition = fields(f={"type": "array", "items": {"type": "integer"}})
    with pytest.raises(Invalid) as caught:
        validate(definition, {"f": ["x"] * 1000})
    assert len(caught.value.errors) == 50
