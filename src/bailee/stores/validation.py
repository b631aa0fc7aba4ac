"""Records against their data map. Messages say what is wrong and never what was sent."""

import re
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Any, override

from bailee.foundation.errors import FieldError, Invalid
from bailee.stores.datamap import Definition, Field

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_PHONE = re.compile(r"[0-9+][0-9 ()./x-]{2,38}", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_MOST_ERRORS = 50
_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str, "integer": int, "number": (int, float), "boolean": bool, "object": dict, "array": list,
}  # fmt: skip


def validate(definition: Definition, data: Any) -> dict[str, Any]:
    """The record as it is stored: nulls left out. Raises Invalid, naming each field at fault."""
    if not isinstance(data, dict):
        raise Invalid("The record is not valid.", errors=[FieldError("data", "Send an object.")])
    errors = _Faults()
    try:
        cleaned = _object(data, definition.fields, "data", errors, additional=False)
    except _Enough:
        cleaned = {}
    if errors:
        raise Invalid("The record does not fit its collection.", errors=errors)
    return cleaned


class _Enough(Exception):
    """So many faults have been found that looking for more is of no use to anybody."""


class _Faults(list[FieldError]):
    """A list that is full at some point."""

    @override
    def append(self, fault: FieldError) -> None:
        super().append(fault)
        if len(self) >= _MOST_ERRORS:
            raise _Enough

    @override
    def extend(self, faults: Iterable[FieldError]) -> None:
        for fault in faults:
            self.append(fault)


def _object(
    data: dict[str, Any], fields: dict[str, Field], path: str, errors: list[FieldError], *, additional: bool
) -> dict[str, Any]:
    cleaned: dict[str, Any] = {}
    for name, value in data.items():
        field = fields.get(name)
        if field is None:
            if additional:
                cleaned[name] = value
            else:
                known = name if name.isascii() and name.isidentifier() and len(name) < 64 else "?"  # noqa: PLR2004
                errors.append(FieldError(f"{path}.{known}", "The collection has no such field."))
        elif value is not None:
            cleaned[name] = _value(value, field, f"{path}.{name}", errors)
    errors.extend(
        FieldError(f"{path}.{name}", "This field is required.")
        for name, field in fields.items()
        if field.required and cleaned.get(name) is None
    )
    return cleaned


def _value(value: Any, field: Field, path: str, errors: list[FieldError]) -> Any:
    if not any(_fits(value, kind) for kind in field.types):
        errors.append(FieldError(path, f"This must be of type {' or '.join(sorted(field.types))}."))
        return value
    if isinstance(value, dict):
        if field.properties is None:
            return value
        return _object(value, field.properties, path, errors, additional=field.additional_properties)
    if isinstance(value, list) and field.items is not None:
        errors.extend(_limits(len(value), field, path, "items"))
        items = field.items
        return [_item(inner, items, f"{path}.{i}", errors) for i, inner in enumerate(value)]
    errors.extend(_scalar_faults(value, field, path))
    return value


def _fits(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _TYPES[kind])


def _item(value: Any, field: Field, path: str, errors: list[FieldError]) -> Any:
    if value is None:
        errors.append(FieldError(path, "An array holds no null."))
        return value
    return _value(value, field, path, errors)


def _scalar_faults(value: Any, field: Field, path: str) -> Iterator[FieldError]:
    if isinstance(value, str):
        yield from _limits(len(value), field, path, "characters")
        if any("\ud800" <= c <= "\udfff" for c in value):
            yield FieldError(path, "This is not valid Unicode.")
        if field.format and not _has_format(value, field.format):
            yield FieldError(path, f"This must be a valid {field.format}.")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        if field.minimum is not None and value < field.minimum:
            yield FieldError(path, f"This must be at least {field.minimum:g}.")
        if field.maximum is not None and value > field.maximum:
            yield FieldError(path, f"This must be at most {field.maximum:g}.")
    if field.enum is not None and value not in field.enum:
        yield FieldError(path, "This must be one of the values that the collection lists.")


def _limits(length: int, field: Field, path: str, what: str) -> Iterator[FieldError]:
    if field.min_length is not None and length < field.min_length:
        yield FieldError(path, f"This needs at least {field.min_length} {what}.")
    if field.max_length is not None and length > field.max_length:
        yield FieldError(path, f"This may have at most {field.max_length} {what}.")


def _has_format(value: str, kind: str) -> bool:
    match kind:
        case "email":
            return bool(_EMAIL.fullmatch(value))
        case "phone":
            return bool(_PHONE.fullmatch(value))
        case "date":
            return bool(_DATE.fullmatch(value)) and _parses(date.fromisoformat, value)
        case _:
            return "T" in value.upper() and _parses(datetime.fromisoformat, value)


def _parses(parse: Any, value: str) -> bool:
    try:
        parse(value)
    except ValueError:
        return False
    return True
