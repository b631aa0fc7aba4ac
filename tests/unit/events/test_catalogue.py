import msgspec
import pytest
from msgspec import inspect

from bailee.events.catalogue import Details, catalogue

FREE_TEXT = [
    "Ada Lovelace",
    "ada@example.org",
    "+44 20 7946 0000",
    "Königsallee 1",
    "a\nb",
    "<script>",
    "'; DROP TABLE",
]
KINDS = sorted(catalogue().items())


def test_each_class_is_one_action() -> None:
    kinds = Details.__subclasses__()
    assert len({kind.action for kind in kinds}) == len(kinds) == len(catalogue())
    assert all(kind.action for kind in kinds)


@pytest.mark.parametrize("action, kind", KINDS)
def test_action_is_named_area_and_fact(action: str, kind: type[Details]) -> None:
    area, _, fact = action.partition(".")
    assert area.replace("_", "").isalpha()
    assert fact.replace("_", "").isalpha()
    assert action == action.lower()
    assert not kind.__subclasses__(), "an event is not refined by another"


@pytest.mark.parametrize("action, kind", KINDS)
def test_no_field_holds_free_text(action: str, kind: type[Details]) -> None:
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    assert info.forbid_unknown_fields
    for field in info.fields:
        assert is_closed(field.type), f"{action}: {field.name} can hold what a person typed"


def is_closed(kind: inspect.Type) -> bool:
    match kind:
        case inspect.BoolType() | inspect.IntType() | inspect.NoneType() | inspect.LiteralType():
            return True
        case inspect.StrType(pattern=str(pattern)):
            return pattern.startswith(r"\A") and pattern.endswith(r"\Z")
        case inspect.ListType(item_type=inner) | inspect.Metadata(type=inner):
            return is_closed(inner)
        case inspect.DictType(key_type=key, value_type=value):
            return is_closed(key) and is_closed(value)
        case inspect.UnionType(types=types):
            return all(is_closed(one) for one in types)
        case _:
            return False


@pytest.mark.parametrize("action, kind", KINDS)
@pytest.mark.parametrize("text", FREE_TEXT)
def test_what_a_person_types_is_refused_everywhere(action: str, kind: type[Details], text: str) -> None:
    for field in msgspec.structs.fields(kind):
        for value in (text, [text]):
            with pytest.raises(msgspec.ValidationError):
                msgspec.convert(value, field.type)
