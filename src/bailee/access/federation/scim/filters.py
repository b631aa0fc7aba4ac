"""Filters: what the database can look up by itself is asked of it, and what is left is compared here."""

from collections.abc import Iterable
from typing import Any

from scim2_models import ScimFilter
from scim2_models.path import AttrPath, CompareOperator, Comparison, FilterNode, LogicalExpr, LogicalOperator

from bailee.access.federation.scim.model import EVERYBODY, Narrow
from bailee.foundation.http import parse_uuid


def narrowed(scim_filter: ScimFilter[Any] | None, name: str) -> Narrow:
    """What the equalities of a filter, joined by `and`, say; `name` is the attribute that names the resource.

    It keeps at least everything that the filter matches, so that the filter itself can run over what is left.
    """
    if scim_filter is None:
        return EVERYBODY
    found: dict[str, str] = {}
    for node in _joined(scim_filter.ast):
        if isinstance(node, Comparison) and node.op is CompareOperator.eq and isinstance(node.value, str):
            found.setdefault(_plain(node.attr_path), node.value)
    identifier = found.get("id")
    return Narrow(
        parse_uuid(identifier) if identifier is not None else None, found.get(name.lower()), found.get("externalid")
    )


def _joined(node: FilterNode) -> Iterable[FilterNode]:
    if isinstance(node, LogicalExpr) and node.op is LogicalOperator.and_:
        for term in node.terms:
            yield from _joined(term)
    else:
        yield node


def _plain(path: AttrPath) -> str:
    return "" if path.sub_attr else path.attr.lower()
