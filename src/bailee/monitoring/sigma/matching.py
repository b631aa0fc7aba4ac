"""Detections as predicates: a pySigma condition becomes one function over an event's fields.

An event is a flat mapping; a field that it does not have is None. Strings compare without regard to case, as Sigma
says; a condition on a field that is missing is false, and its negation true. Of a field with several values one is
enough. Regular expressions are RE2's: none of them takes longer than its text is long.
"""

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

import re2  # type: ignore[import-untyped]  # it ships no types
from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
from sigma.types import (
    Placeholder,
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaRegularExpressionFlag,
    SigmaString,
    SigmaTimestampPart,
    SigmaType,
    SpecialChars,
    TimestampPart,
)

type Fields = Mapping[str, Any]
type Predicate = Callable[[Fields], bool]
type Lists = Mapping[str, list[str]]
"""What `|expand` puts in place of a `%name%`."""
type Test = Callable[[Any], bool]

_OPERATORS: dict[Any, Callable[[float, float], bool]] = {
    SigmaCompareExpression.CompareOperators.LT: lambda value, limit: value < limit,
    SigmaCompareExpression.CompareOperators.LTE: lambda value, limit: value <= limit,
    SigmaCompareExpression.CompareOperators.GT: lambda value, limit: value > limit,
    SigmaCompareExpression.CompareOperators.GTE: lambda value, limit: value >= limit,
}
_FLAGS = {
    SigmaRegularExpressionFlag.IGNORECASE: "i",
    SigmaRegularExpressionFlag.MULTILINE: "m",
    SigmaRegularExpressionFlag.DOTALL: "s",
}
_PARTS: dict[TimestampPart, Callable[[datetime], int]] = {
    TimestampPart.MINUTE: lambda moment: moment.minute,
    TimestampPart.HOUR: lambda moment: moment.hour,
    TimestampPart.DAY: lambda moment: moment.day,
    TimestampPart.WEEK: lambda moment: int(moment.strftime("%W")),
    TimestampPart.MONTH: lambda moment: moment.month,
    TimestampPart.YEAR: lambda moment: moment.year,
}


class UnsupportedRule(ValueError):
    """A rule asks for what this evaluator does not have."""


def compile_condition(node: object, lists: Lists) -> Predicate:
    """The predicate of a parsed condition. Raises UnsupportedRule."""
    match node:
        case ConditionAND():
            return _all([compile_condition(one, lists) for one in node.args])
        case ConditionOR():
            return _any([compile_condition(one, lists) for one in node.args])
        case ConditionNOT():
            inner = compile_condition(node.args[0], lists)
            return lambda fields: not inner(fields)
        case ConditionFieldEqualsValueExpression():
            return _of_field(node.field, node.value, lists)
        case ConditionValueExpression():
            return _anywhere(node.value, lists)
    raise UnsupportedRule(f"A condition of the kind {type(node).__name__} is not supported.")


def required_values(node: object, field: str) -> frozenset[str] | None:
    """The values that `field` has to have for a condition to hold, in lower case; None where it is not bound."""
    match node:
        case ConditionAND():
            bounds = [found for one in node.args if (found := required_values(one, field)) is not None]
            return frozenset.intersection(*bounds) if bounds else None
        case ConditionOR():
            every = [required_values(one, field) for one in node.args]
            return None if None in every else frozenset().union(*(one for one in every if one is not None))
        case ConditionFieldEqualsValueExpression(field=name, value=value) if name == field:
            plain = isinstance(value, SigmaString) and not value.contains_special()
            return frozenset({str(value).lower()}) if plain else None
    return None


def _all(parts: list[Predicate]) -> Predicate:
    if len(parts) == 2:  # noqa: PLR2004  the common case, without a loop
        one, two = parts
        return lambda fields: one(fields) and two(fields)

    def every(fields: Fields) -> bool:
        for part in parts:  # noqa: SIM110  all() over a generator takes twice as long
            if not part(fields):
                return False
        return True

    return every


def _any(parts: list[Predicate]) -> Predicate:
    if len(parts) == 2:  # noqa: PLR2004  the common case, without a loop
        one, two = parts
        return lambda fields: one(fields) or two(fields)

    def some(fields: Fields) -> bool:
        for part in parts:  # noqa: SIM110  as above
            if part(fields):
                return True
        return False

    return some


# --- one field ---------------------------------------------------------------------------------------------


def _of_field(field: str, value: SigmaType, lists: Lists) -> Predicate:
    if isinstance(value, SigmaNull):
        return lambda fields: fields.get(field) is None
    if isinstance(value, SigmaExists):
        there = bool(value.exists)
        return lambda fields: (fields.get(field) is not None) is there
    if isinstance(value, SigmaFieldReference):
        return _reference(field, value)
    if isinstance(value, SigmaExpansion):
        return _any([_of_field(field, one, lists) for one in value.values])
    test = test_of(value, lists)

    def holds(fields: Fields) -> bool:
        found = fields.get(field)
        if found is None:
            return False
        if isinstance(found, list):
            return any(test(one) for one in found)
        return test(found)

    return holds


def _anywhere(value: SigmaType, lists: Lists) -> Predicate:
    """A keyword: it stands in some field's text."""
    if not isinstance(value, SigmaString):
        raise UnsupportedRule("A keyword is a text.")
    test = _pattern(SigmaString("*") + value + "*" if not _is_open(value) else value, lists)
    return lambda fields: any(isinstance(one, str) and test(one) for one in fields.values())


def _is_open(value: SigmaString) -> bool:
    return value.startswith(SpecialChars.WILDCARD_MULTI) and value.endswith(SpecialChars.WILDCARD_MULTI)


def _reference(field: str, value: SigmaFieldReference) -> Predicate:
    other, starts, ends = value.field, value.starts_with, value.ends_with

    def holds(fields: Fields) -> bool:
        mine, theirs = fields.get(field), fields.get(other)
        if mine is None or theirs is None:
            return False
        left, right = _text(mine), _text(theirs)
        if starts and ends:
            return right in left
        if starts:
            return left.startswith(right)
        return left.endswith(right) if ends else left == right

    return holds


def test_of(value: SigmaType, lists: Lists) -> Test:
    """Whether one value of a field is what the rule says. Raises UnsupportedRule."""
    found: Test | None = None
    match value:
        case SigmaTimestampPart():
            found = partial(_is_part, _PARTS[value.timestamp_part], int(value.number))
        case SigmaBool():
            found = partial(_is_bool, bool(value.boolean))
        case SigmaNumber():
            found = partial(_compares, lambda found, wanted: found == wanted, float(value.number))
        case SigmaCompareExpression():
            found = partial(_compares, _OPERATORS[value.op], float(value.number.number))
        case SigmaCIDRExpression():
            found = partial(_is_within, value.network)
        case SigmaRegularExpression():
            found = _regular(value)
        case SigmaString():
            found = _pattern(value, lists)
    if found is None:
        raise UnsupportedRule(f"A value of the kind {type(value).__name__} is not supported.")
    return found


def _text(value: Any) -> str:
    return str(value).lower()


def _is_bool(wanted: bool, found: Any) -> bool:  # noqa: FBT001  bound by position
    return found is wanted or _text(found) == ("true" if wanted else "false")


def _compares(operator: Callable[[float, float], bool], wanted: float, found: Any) -> bool:
    number = _number(found)
    return number is not None and operator(number, wanted)


def _number(found: Any) -> float | None:
    if isinstance(found, bool):
        return None
    try:
        return float(found)
    except (TypeError, ValueError):
        return None


def _is_within(network: ipaddress.IPv4Network | ipaddress.IPv6Network, found: Any) -> bool:
    try:
        address = ipaddress.ip_address(str(found))
    except ValueError:
        return False
    return address.version == network.version and address in network


def _is_part(part: Callable[[datetime], int], wanted: int, found: Any) -> bool:
    try:
        moment = datetime.fromisoformat(str(found))
    except ValueError:
        return False
    return part(moment.astimezone(UTC) if moment.tzinfo else moment) == wanted


# --- texts -------------------------------------------------------------------------------------------------


def _regular(value: SigmaRegularExpression) -> Test:
    flags = "".join(sorted(_FLAGS[flag] for flag in value.flags))
    try:
        pattern = re2.compile(f"(?{flags}){value.regexp}" if flags else str(value.regexp))
    except re2.error as error:
        raise UnsupportedRule(f"The regular expression is not one of RE2's: {error}.") from None
    return lambda found: pattern.search(str(found)) is not None


def _pattern(value: SigmaString, lists: Lists) -> Test:
    options = list(_expanded(value, lists))
    cased = isinstance(value, SigmaCasedString)
    if len(options) == 1:
        return _one_pattern(options[0], cased=cased)
    tests = [_one_pattern(one, cased=cased) for one in options]
    return lambda found: any(test(found) for test in tests)


def _expanded(value: SigmaString, lists: Lists) -> Iterator[SigmaString]:
    """A text with its placeholders filled in, once for each value of each list."""
    if not value.contains_placeholder():
        yield value
        return

    def fill(placeholder: Placeholder) -> Iterator[str | SpecialChars | Placeholder | SigmaString]:
        if placeholder.name not in lists:
            raise UnsupportedRule(f"There is no list called {placeholder.name}.")
        yield from lists[placeholder.name]

    yield from value.replace_placeholders(fill)


def _one_pattern(value: SigmaString, *, cased: bool) -> Test:
    parts = list(value.iter_parts())
    fold: Callable[[Any], str] = str if cased else _text
    texts = [one if cased else one.lower() for one in parts if isinstance(one, str)]
    shape = tuple("*" if one is SpecialChars.WILDCARD_MULTI else "t" if isinstance(one, str) else "?" for one in parts)
    text = texts[0] if texts else ""
    match shape:
        case () | ("t",):
            return lambda found: found == text or fold(found) == text
        case ("t", "*"):
            return lambda found: fold(found).startswith(text)
        case ("*", "t"):
            return lambda found: fold(found).endswith(text)
        case ("*", "t", "*"):
            return lambda found: text in fold(found)
    whole = re.compile("".join(_regex(parts)), re.DOTALL | (0 if cased else re.IGNORECASE))
    return lambda found: whole.fullmatch(str(found)) is not None


def _regex(parts: Iterable[object]) -> Iterator[str]:
    for one in parts:
        if one is SpecialChars.WILDCARD_MULTI:
            yield ".*"
        else:
            yield "." if one is SpecialChars.WILDCARD_SINGLE else re.escape(str(one))
