"""The search tokens of a record: a blind index for each value of each searchable field."""

from collections.abc import Iterator
from typing import Any

from bailee.encryption.blind_index import IndexKey, normalise
from bailee.foundation.errors import Invalid
from bailee.stores.datamap import Definition

MAX_TOKENS = 500


def field_scope(collection: str, path: str) -> str:
    """The blind index's scope of a field: equal values of different fields have unrelated tokens."""
    return f"field:{collection}:{path}"


def tokens_of(definition: Definition, collection: str, data: dict[str, Any], key: IndexKey) -> set[tuple[str, bytes]]:
    """(path, token) pairs, each once. Raises Invalid when there are more than MAX_TOKENS."""
    tokens: set[tuple[str, bytes]] = set()
    for path, how in definition.searchable().items():
        scope = field_scope(collection, path)
        for value in _values(data, path.split(".")):
            tokens.add((path, key.token(scope, normalise(how, as_text(value)))))
            if len(tokens) > MAX_TOKENS:
                raise Invalid(f"A record has at most {MAX_TOKENS} searchable values.")
    return tokens


def as_text(value: Any) -> str:
    """A scalar as it is typed into a search: `true`, `42`, `1.5`, text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _values(data: Any, path: list[str]) -> Iterator[Any]:
    if isinstance(data, list):
        for item in data:
            yield from _values(item, path)
    elif not path:
        if isinstance(data, str | int | float):
            yield data
    elif isinstance(data, dict) and path[0] in data:
        yield from _values(data[path[0]], path[1:])
