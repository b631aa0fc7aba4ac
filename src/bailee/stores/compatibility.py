"""Whether records that exist still fit a changed data map."""

from collections.abc import Iterator

from bailee.foundation.errors import FieldError
from bailee.stores.datamap import Definition, Field

_SUBJECT_CHANGES = {("required", "optional"), ("none", "optional")}


def stranding_changes(old: Definition, new: Definition) -> list[FieldError]:
    """Each change that stored records might not fit."""
    faults = list(_fields(old.fields, new.fields, "fields", additional=False))
    if old.subject != new.subject and (old.subject, new.subject) not in _SUBJECT_CHANGES:
        faults.append(FieldError("subject", f"Records were stored with subject {old.subject}."))
    return faults


def _fields(old: dict[str, Field], new: dict[str, Field], path: str, *, additional: bool) -> Iterator[FieldError]:
    for name, field in old.items():
        if name not in new:
            if not additional:
                yield FieldError(f"{path}.{name}", "Records may hold this field; it cannot be removed.")
        else:
            yield from _field(field, new[name], f"{path}.{name}")
    for name, field in new.items():
        if name not in old and field.required:
            yield FieldError(f"{path}.{name}.required", "Records lack this field; it cannot be required.")


def _field(old: Field, new: Field, path: str) -> Iterator[FieldError]:
    if not old.types <= new.types or new.format not in ("", old.format):
        yield FieldError(f"{path}.type", "Records hold this field in its former type; types can be added only.")
        return
    if new.required and not old.required:
        yield FieldError(f"{path}.required", "Records may lack this field; it cannot become required.")
    for limit, narrower in (("min_length", _raised), ("minimum", _raised), ("max_length", _cut), ("maximum", _cut)):
        if narrower(getattr(old, limit), getattr(new, limit)):
            yield FieldError(f"{path}.{limit}", "Records may lie outside this limit; it can be widened only.")
    if new.enum is not None and (old.enum is None or not set(old.enum) <= set(new.enum)):
        yield FieldError(f"{path}.enum", "Records may hold other values; values can be added only.")
    if old.properties is not None or new.properties is not None:
        yield from _properties(old, new, path)
    if old.items is not None and new.items is not None:
        yield from _field(old.items, new.items, f"{path}.items")


def _properties(old: Field, new: Field, path: str) -> Iterator[FieldError]:
    if new.properties is None:
        return  # any object fits
    if old.properties is None or (old.additional_properties and not new.additional_properties):
        yield FieldError(path, "Records may hold other properties; the object cannot become stricter.")
        return
    yield from _fields(old.properties, new.properties, f"{path}.properties", additional=new.additional_properties)
    if old.additional_properties:
        for name in new.properties.keys() - old.properties.keys():
            yield FieldError(f"{path}.properties.{name}", "Records may hold anything under this name.")


def _raised(old: float | None, new: float | None) -> bool:
    return new is not None and (old is None or new > old)


def _cut(old: float | None, new: float | None) -> bool:
    return new is not None and (old is None or new < old)
