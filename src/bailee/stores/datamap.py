"""The data map: what a collection holds, as a subset of JSON Schema with what data protection adds to it.

A field has a `type` (string, integer, number, boolean, object, array, or a list of these) or a shorthand for a
string's format (email, phone, date, datetime), a `category` of personal data (inherited by what is nested), and may
be `required`, and `searchable`: true, or how values are normalised before they are compared.
"""

import re
from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from bailee.foundation.errors import FieldError, Invalid, fault_of
from bailee.stores.durations import Duration, parse_duration

MAX_FIELDS = 500
MAX_DEPTH = 8
MAX_ENUM = 200
_MAX_TEXT = 500
NAME = re.compile(r"[a-z][a-z0-9_]{0,62}", re.ASCII)
_FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,62}", re.ASCII)
_CATEGORY = re.compile(r"[a-z][a-z0-9_.]{0,62}", re.ASCII)
_SHORTHAND = {"email": "email", "phone": "phone", "date": "date", "datetime": "date-time"}
_NORMALISATION = {"email": "email", "phone": "phone", "date": "date"}
_NESTING = frozenset({"object", "array"})
RECORD_EVENTS = frozenset({"created", "changed"})
"""What happens to every record, and so needs no field."""

type Type = Literal["string", "integer", "number", "boolean", "object", "array", "email", "phone", "date", "datetime"]


class Field(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, rename="camel"):
    """One field of a record."""

    type: Type | list[Type]
    category: str = ""
    format: Literal["", "email", "phone", "date", "date-time"] = ""
    title: str = ""
    required: bool = False
    searchable: bool | Literal["exact", "text", "email", "phone", "date"] = False
    min_length: int | None = None
    max_length: int | None = None
    minimum: float | None = None
    maximum: float | None = None
    enum: list[str | int] | None = None
    properties: dict[str, "Field"] | None = None
    additional_properties: bool = False
    items: "Field | None" = None

    @property
    def types(self) -> frozenset[str]:
        """The types a value may have; usually one."""
        return frozenset([self.type] if isinstance(self.type, str) else self.type)

    @property
    def normalisation(self) -> str | None:
        """How its values are compared, or None when they are not searched."""
        if self.searchable is False:
            return None
        if isinstance(self.searchable, str):
            return self.searchable
        return _NORMALISATION.get(self.format, "text" if "string" in self.types else "exact")


class Retention(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How long a record is kept: `for` so long `after` it was created, last changed, or a date in it; or `until`
    somebody says so.
    """

    duration: str | None = msgspec.field(name="for", default=None)
    after: str = "created"
    until: Literal["instruction"] | None = None


class Rule(msgspec.Struct, frozen=True):
    """A retention that ends by itself. `after` is `created`, `changed`, or the path of a date in the record."""

    duration: Duration
    after: str

    @property
    def by_field(self) -> bool:
        return self.after not in RECORD_EVENTS


class Definition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a tenant declares of a collection."""

    title: str
    purpose: str
    subject: Literal["required", "optional", "none"]
    fields: dict[str, Field]
    retention: str | Retention | None = None
    """A string is `for` so long after the record was created; None is until instruction."""

    def rule(self) -> Rule | None:
        """When its records are deleted by themselves, if ever."""
        kept = Retention(self.retention) if isinstance(self.retention, str) else self.retention
        duration = parse_duration(kept.duration) if kept and kept.duration else None
        return Rule(duration, kept.after) if kept and duration else None

    def searchable(self) -> dict[str, str]:
        """Path of each searchable field → its normalisation. Paths are dotted; array items carry their array's."""
        return {path: how for path, field in walk(self.fields) if (how := field.normalisation)}


def parse_definition(raw: Any) -> Definition:
    """A definition that makes sense, shorthands resolved. Raises Invalid, naming each fault."""
    try:
        definition = msgspec.convert(raw, Definition)
        fields = {name: _resolve(field) for name, field in definition.fields.items()}
        definition = msgspec.structs.replace(definition, fields=fields)
        errors = list(_faults(definition))
    except msgspec.ValidationError as error:
        raise Invalid("The collection is not valid.", errors=[fault_of(error, "collection")]) from None
    except RecursionError:  # deeper than Python can follow, long before it is measured below
        depth = FieldError("fields", f"Fields nest at most {MAX_DEPTH} deep.")
        raise Invalid("The collection is not valid.", errors=[depth]) from None
    if errors:
        raise Invalid("The collection is not valid.", errors=errors[:50])
    return definition


def walk(fields: dict[str, Field], prefix: str = "") -> Iterator[tuple[str, Field]]:
    """Every field with its path. The items of an array stand at the array's own path."""
    for name, field in fields.items():
        path = f"{prefix}{name}"
        yield path, field
        inner = field
        while inner.items is not None:
            inner = inner.items
            yield path, inner
        if inner.properties:
            yield from walk(inner.properties, f"{path}.")


def _resolve(field: Field) -> Field:
    changes: dict[str, Any] = {}
    if isinstance(field.type, str) and field.type in _SHORTHAND:
        changes |= {"type": "string", "format": _SHORTHAND[field.type]}
    if field.properties is not None:
        changes["properties"] = {name: _resolve(inner) for name, inner in field.properties.items()}
    if field.items is not None:
        changes["items"] = _resolve(field.items)
    return msgspec.structs.replace(field, **changes)


def _faults(definition: Definition) -> Iterator[FieldError]:
    for name in ("title", "purpose"):
        text: str = getattr(definition, name)
        if not text.strip() or len(text) > 500 or not text.isprintable():  # noqa: PLR2004  room for a sentence or two
            yield FieldError(name, "Say it in 1 to 500 printable characters.")
    yield from _retention_faults(definition)
    if not definition.fields:
        yield FieldError("fields", "Name at least one field.")
    if len(list(walk(definition.fields))) > MAX_FIELDS:
        yield FieldError("fields", f"A collection has at most {MAX_FIELDS} fields, nested ones included.")
        return
    for name, field in definition.fields.items():
        if not field.category:
            yield FieldError(f"fields.{name}.category", "Name the category of personal data, or `none`.")
        yield from _field_faults(name, field, f"fields.{name}", 1)


def _retention_faults(definition: Definition) -> Iterator[FieldError]:
    kept = definition.retention
    if kept is None:
        return
    if isinstance(kept, str):
        kept = Retention(kept)
    if (kept.duration is None) == (kept.until is None):
        yield FieldError("retention", "Say either `for` how long, or `until` instruction.")
    elif kept.until is not None:
        if kept.after != "created":
            yield FieldError("retention.after", "What is kept until instruction is kept after nothing.")
    elif parse_duration(kept.duration or "") is None:
        yield FieldError(
            "retention", "Give an ISO 8601 duration in days or more, such as P3Y or P90D, or leave it out."
        )
    elif kept.after not in RECORD_EVENTS and kept.after not in _dates(definition.fields):
        yield FieldError(
            "retention.after", "Name `created`, `changed`, or the path of a date or datetime that is in no array."
        )


def _dates(fields: dict[str, Field], prefix: str = "") -> Iterator[str]:
    """Paths of dates, of which a record has one at most."""
    for name, field in fields.items():
        if field.format in ("date", "date-time"):
            yield f"{prefix}{name}"
        if field.properties:
            yield from _dates(field.properties, f"{prefix}{name}.")


def _field_faults(name: str | None, field: Field, path: str, depth: int) -> Iterator[FieldError]:
    if name is not None and not _FIELD_NAME.fullmatch(name):
        yield FieldError(path, "A field's name is a letter or _, then up to 62 letters, digits, _ or -.")
    if field.category and not _CATEGORY.fullmatch(field.category):
        yield FieldError(f"{path}.category", "A category is lower-case letters, digits, _ and dots.")
    if depth > MAX_DEPTH:
        yield FieldError(path, f"Fields nest at most {MAX_DEPTH} deep.")
        return
    yield from _shape_faults(field, path)
    for inner_name, inner in (field.properties or {}).items():
        yield from _field_faults(inner_name, inner, f"{path}.properties.{inner_name}", depth + 1)
    if field.items is not None:
        yield from _field_faults(None, field.items, f"{path}.items", depth + 1)


def _shape_faults(field: Field, path: str) -> Iterator[FieldError]:
    """Attributes that do not go with the field's type."""
    if not field.types or len(field.types) < len(field.type if isinstance(field.type, list) else field.types):
        yield FieldError(f"{path}.type", "Name each type once.")
    if field.types & _SHORTHAND.keys():
        yield FieldError(f"{path}.type", "A list of types holds basic types; give a format beside it.")
    if field.format and "string" not in field.types:
        yield FieldError(f"{path}.format", "Only a string has a format.")
    if field.searchable is not False and field.types & _NESTING:
        yield FieldError(f"{path}.searchable", "Make what is inside searchable: its items or its properties.")
    if field.properties is not None and "object" not in field.types:
        yield FieldError(f"{path}.properties", "Only an object has properties.")
    if "array" in field.types and field.items is None:
        yield FieldError(f"{path}.items", "Say what the array holds.")
    if field.items is not None and "array" not in field.types:
        yield FieldError(f"{path}.items", "Only an array has items.")
    yield from _text_faults(field, path)


def _text_faults(field: Field, path: str) -> Iterator[FieldError]:
    """A title or listed values that are too long, too many or not printable."""
    if field.enum is not None and not 1 <= len(field.enum) <= MAX_ENUM:
        yield FieldError(f"{path}.enum", f"List 1 to {MAX_ENUM} values.")
    listed = [value for value in field.enum or () if isinstance(value, str)]
    for place, texts in ((f"{path}.title", [field.title]), (f"{path}.enum", listed)):
        if any(len(text) > _MAX_TEXT or not text.isprintable() for text in texts):
            yield FieldError(place, f"Titles and listed values have at most {_MAX_TEXT} printable characters.")
