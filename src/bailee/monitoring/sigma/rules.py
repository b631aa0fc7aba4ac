"""Reading rules: YAML files in Sigma's format, and what is wrong with them in words."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml
from sigma.collection import SigmaCollection
from sigma.correlations import SigmaCorrelationRule, SigmaExtendedCorrelationCondition
from sigma.exceptions import SigmaError
from sigma.rule import SigmaRule

from bailee.monitoring.sigma.correlation import MEASURES, OPERATORS, Correlator
from bailee.monitoring.sigma.matching import (
    Lists,
    Predicate,
    UnsupportedRule,
    compile_condition,
    required_values,
)

ACTION = "action"
"""The field that nearly every rule binds: rules are looked up by it."""
LEVELS = ("informational", "low", "medium", "high", "critical")
_PRODUCT = "bailee"


class Fault(msgspec.Struct, frozen=True, order=True):
    """What is wrong with a rule, and where."""

    file: str
    rule: str
    message: str


class Rule(msgspec.Struct, frozen=True):
    """A rule that looks at one event. `actions` are those that it can hold for; None for any."""

    id: str
    name: str
    title: str
    level: str
    holds: Predicate
    actions: frozenset[str] | None
    product: str
    tags: list[str]
    told: bool = True
    """Whether a match is told by itself, or only counts within a correlation."""


class Correlation(msgspec.Struct, frozen=True):
    """A rule over several events: the ids of the rules it looks at, and how its state is made."""

    id: str
    name: str
    title: str
    level: str
    rules: list[str]
    tags: list[str]
    kind: str
    group_by: list[str]
    seconds: float
    operator: str
    limit: float
    field: str | None
    aliases: list[dict[str, str]]

    def begin(self) -> Correlator:
        """An empty state."""
        return Correlator(
            self.kind, slots=len(self.rules), group_by=self.group_by, seconds=self.seconds,
            holds=OPERATORS[self.operator], limit=self.limit, field=self.field, aliases=self.aliases,
        )  # fmt: skip


class RuleSet(msgspec.Struct, frozen=True):
    """Rules that were read, and what was wrong with others."""

    rules: list[Rule]
    correlations: list[Correlation]
    faults: list[Fault]

    @property
    def names(self) -> dict[str, str]:
        """Each rule's id by its name."""
        return {one.name: one.id for one in self.rules} | {one.name: one.id for one in self.correlations}


def load(folders: Iterable[Path], lists: Lists) -> RuleSet:
    """Every `*.yml` and `*.yaml` of the folders, tests aside; a rule that cannot be used is left out and named."""
    texts = {
        str(path): path.read_text(encoding="utf-8")
        for folder in folders
        for path in sorted(folder.rglob("*.y*ml"))
        if not path.stem.endswith(".test")
    }
    return parse(texts, lists)


def parse(texts: Mapping[str, str], lists: Lists) -> RuleSet:
    """Rules from the texts of files, by name. Correlations may refer to rules of other files."""
    faults: list[Fault] = []
    documents: list[tuple[str, dict[str, Any]]] = []
    for name, text in texts.items():
        try:
            found = [one for one in yaml.safe_load_all(text) if one is not None]
        except yaml.YAMLError as error:
            faults.append(Fault(name, "", f"This is no YAML: {error}"))
            continue
        for one in found:
            if isinstance(one, dict):
                documents.append((name, one))
            else:
                faults.append(Fault(name, "", "A rule is a mapping of names to values."))
    return _compiled(documents, lists, faults)


def _compiled(documents: list[tuple[str, dict[str, Any]]], lists: Lists, faults: list[Fault]) -> RuleSet:
    usable: list[tuple[str, dict[str, Any]]] = []
    seen: set[str] = set()
    for file, document in documents:
        problem = _problem(document, seen)
        if problem:
            faults.append(Fault(file, _title(document), problem))
        else:
            usable.append((file, document))
    collection, files = _collection(usable, faults)
    rules: list[Rule] = []
    correlations: list[Correlation] = []
    for one in collection.rules:
        file = files[str(one.id)]
        try:
            if isinstance(one, SigmaCorrelationRule):
                correlations.append(_correlation(one))
            elif isinstance(one, SigmaRule):
                rules.append(_rule(one, lists))
        except (SigmaError, UnsupportedRule) as error:
            faults.append(Fault(file, str(one.title), str(error)))
    known = {rule.id for rule in rules} | {rule.id for rule in correlations}
    whole = [rule for rule in correlations if known.issuperset(rule.rules)]
    faults += [
        Fault(files[rule.id], rule.title, "A rule that it refers to cannot be used.")
        for rule in correlations
        if not known.issuperset(rule.rules)
    ]
    return RuleSet(_with_told(rules, collection), whole, sorted(faults))


def _title(document: Mapping[str, Any]) -> str:
    return str(document.get("title") or document.get("name") or "")


def _problem(document: Mapping[str, Any], seen: set[str]) -> str:
    """What Sigma leaves open and we ask for: an id of its own, a title, a level, a source that is ours."""
    rule_id = str(document.get("id") or "")
    if not document.get("title"):
        return "Give it a title."
    if not rule_id:
        return "Give it an id: a UUID that no other rule has."
    if rule_id in seen:
        return f"Another rule has the id {rule_id} already."
    seen.add(rule_id)
    if document.get("level") not in LEVELS:
        return f"Give it a level: {', '.join(LEVELS)}."
    return ""


def _collection(
    usable: list[tuple[str, dict[str, Any]]], faults: list[Fault]
) -> tuple[SigmaCollection, dict[str, str]]:  # fmt: skip
    """What pySigma makes of the documents; one that it refuses is named and left out."""
    files = {str(document["id"]): file for file, document in usable}
    good = []
    for file, document in usable:
        try:
            SigmaCollection.from_dicts([document], collect_errors=False, resolve_references=False)
        except SigmaError as error:
            faults.append(Fault(file, _title(document), str(error)))
        else:
            good.append(document)
    while True:
        try:
            return SigmaCollection.from_dicts(good), files
        except SigmaError as error:
            culprit = next((one for one in good if "correlation" in one and not _resolves(one, good)), None)
            if culprit is None:
                faults.append(Fault("", "", str(error)))
                return SigmaCollection([]), files
            faults.append(Fault(files[str(culprit["id"])], _title(culprit), str(error)))
            good.remove(culprit)


def _resolves(document: dict[str, Any], among: list[dict[str, Any]]) -> bool:
    names = {str(one.get(key)) for one in among for key in ("id", "name") if one.get(key)}
    return all(str(one) in names for one in document["correlation"].get("rules") or [])


def _rule(rule: SigmaRule, lists: Lists) -> Rule:
    conditions = [one.parsed for one in rule.detection.parsed_condition]
    parts = [compile_condition(one, lists) for one in conditions]
    bounds = [required_values(one, ACTION) for one in conditions]
    holds = parts[0] if len(parts) == 1 else lambda fields: any(part(fields) for part in parts)
    actions = None if None in bounds else frozenset().union(*(one for one in bounds if one is not None))
    return Rule(
        id=str(rule.id), name=str(rule.name or rule.id), title=str(rule.title), level=str(rule.level), holds=holds,
        actions=actions, product=str(rule.logsource.product or _PRODUCT), tags=[str(tag) for tag in rule.tags],
    )  # fmt: skip


def _correlation(rule: SigmaCorrelationRule) -> Correlation:
    kind = str(rule.type)
    if kind not in MEASURES:
        raise UnsupportedRule(f"The correlation {kind} is not supported; choose one of {', '.join(sorted(MEASURES))}.")
    condition = rule.condition
    if isinstance(condition, SigmaExtendedCorrelationCondition) or condition is None:
        raise UnsupportedRule("Conditions made of rules' names are not supported; give a number.")
    field = condition.fieldref
    if isinstance(field, list):
        raise UnsupportedRule("Name one field to count.")
    if field is None and kind.startswith("value_"):
        raise UnsupportedRule(f"The correlation {kind} counts a field: name it in the condition.")
    references = rule.rules or []
    aliases = []
    for ref in references:
        names = {ref.reference, str(ref.rule.name), str(ref.rule.id)}
        aliases.append({
            alias.alias: target
            for alias in rule.aliases
            for known, target in alias.mapping.items()
            if known.reference in names
        })  # fmt: skip
    return Correlation(
        id=str(rule.id), name=str(rule.name or rule.id), title=str(rule.title), level=str(rule.level),
        rules=[str(ref.rule.id) for ref in references], tags=[str(tag) for tag in rule.tags], kind=kind,
        group_by=list(rule.group_by or []), seconds=float(rule.timespan.seconds), operator=condition.op.name.lower(),
        limit=float(condition.count), field=field, aliases=aliases,
    )  # fmt: skip


def _with_told(rules: list[Rule], collection: SigmaCollection) -> list[Rule]:
    """Rules that a correlation refers to are told by themselves only if it says so (`generate`)."""
    silent = {
        str(ref.rule.id)
        for one in collection.rules
        if isinstance(one, SigmaCorrelationRule) and not one.generate
        for ref in one.rules or []
    }
    return [msgspec.structs.replace(one, told=one.id not in silent) for one in rules]
