from typing import Any

import pytest

from bailee.encryption.blind_index import IndexKey
from bailee.foundation.errors import Invalid
from bailee.foundation.secrets import Secret
from bailee.stores.datamap import Definition, parse_definition
from bailee.stores.search import MAX_TOKENS, as_text, field_scope, tokens_of

KEY = IndexKey(Secret(bytes(range(32))))


def of(**fields: Any) -> Definition:
    named = {name: {"category": "none", **field} for name, field in fields.items()}
    return parse_definition({"title": "T", "purpose": "P", "subject": "none", "fields": named})


TEXT = {"type": "string", "searchable": True}
PEOPLE = of(
    name={"type": "object", "properties": {"last": TEXT, "first": {"type": "string"}}},
    mail={"type": "email", "searchable": True},
    age={"type": "integer", "searchable": True},
    score={"type": "number", "searchable": True},
    active={"type": "boolean", "searchable": True},
    tags={"type": "array", "items": TEXT},
    homes={"type": "array", "items": {"type": "object", "properties": {"city": TEXT}}},
    grid={"type": "array", "items": {"type": "array", "items": TEXT}},
    secret={"type": "string"},
)


def token(path: str, normalised: str) -> tuple[str, bytes]:
    return path, KEY.token(field_scope("people", path), normalised)


def tokens(data: dict[str, Any]) -> set[tuple[str, bytes]]:
    return tokens_of(PEOPLE, "people", data, KEY)


@pytest.mark.parametrize(
    "data, expected",
    [
        ({}, []),
        ({"secret": "x"}, []),
        ({"name": {"first": "Ada"}}, []),
        ({"name": {"last": "Lovelace"}}, [("name.last", "lovelace")]),
        ({"mail": "Ada@Example.org"}, [("mail", "ada@example.org")]),
        ({"age": 42}, [("age", "42")]),
        ({"age": 0}, [("age", "0")]),
        ({"score": 1.5}, [("score", "1.5")]),
        ({"score": 2.0}, [("score", "2")]),
        ({"active": False}, [("active", "false")]),
        ({"tags": ["A", "b", "a "]}, [("tags", "a"), ("tags", "b")]),
        ({"homes": [{"city": "Paris"}, {}, {"city": "Rome"}]}, [("homes.city", "paris"), ("homes.city", "rome")]),
        ({"grid": [["a"], ["b", "c"]]}, [("grid", "a"), ("grid", "b"), ("grid", "c")]),
        ({"name": None, "tags": []}, []),
    ],
)
def test_each_searchable_value_has_its_token(data: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert tokens(data) == {token(path, value) for path, value in expected}


def test_equal_values_in_two_fields_or_collections_are_unrelated() -> None:
    both = of(a=TEXT, b=TEXT)
    made = tokens_of(both, "one", {"a": "x", "b": "x"}, KEY) | tokens_of(both, "two", {"a": "x", "b": "x"}, KEY)
    assert len({raw for _, raw in made}) == 4


def test_number_of_tokens_is_bounded() -> None:
    assert len(tokens({"tags": [str(n) for n in range(MAX_TOKENS)]})) == MAX_TOKENS
    with pytest.raises(Invalid):
        tokens({"tags": [str(n) for n in range(MAX_TOKENS + 1)]})
    assert len(tokens({"tags": ["same"] * 10_000})) == 1


@pytest.mark.parametrize(
    "value, text", [(True, "true"), (False, "false"), (1, "1"), (1.0, "1"), (-2.5, "-2.5"), ("True", "True")]
)
def test_scalar_is_searched_as_it_is_typed(value: Any, text: str) -> None:
    assert as_text(value) == text
