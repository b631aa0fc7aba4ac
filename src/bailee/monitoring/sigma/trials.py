"""Trials of rules: sample events beside the rules, and which of them are to be told.

A file `*.test.yml` is a list of `name`, `events` and `expect`. An event is a mapping of fields; `at` says its second,
else each comes a second after the one before. `times: 8` has it come so often, with `{n}` in texts counted up.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import yaml

from bailee.foundation.errors import ConfigurationError
from bailee.monitoring.sigma.engine import Engine
from bailee.monitoring.sigma.rules import RuleSet

_START = 1_700_000_000.0
_MAX_TIMES = 100_000


class Trial(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Events, and the names of the rules that are to be told of, each once."""

    name: str
    events: list[dict[str, Any]]
    expect: list[str] = []
    file: str = ""


def find_trials(folders: Iterable[Path]) -> list[Trial]:
    """The trials of every `*.test.yml`. Raises ConfigurationError for a file that is none."""
    found: list[Trial] = []
    for folder in folders:
        for path in sorted([*folder.rglob("*.test.yml"), *folder.rglob("*.test.yaml")]):
            try:
                trials = msgspec.convert(yaml.safe_load(path.read_text(encoding="utf-8")), list[Trial])
            except (yaml.YAMLError, msgspec.ValidationError) as error:
                raise ConfigurationError(f"{path} holds no trials: {error}") from None
            found += [msgspec.structs.replace(one, file=str(path)) for one in trials]
    return found


def run_trial(trial: Trial, rules: RuleSet) -> list[str]:
    """The names of the rules that were told, sorted; those for information alone aside."""
    engine, told, at = Engine(rules), set[str](), 0.0
    names = {rule_id: name for name, rule_id in rules.names.items()}
    number = 0
    for event in trial.events:
        times = int(event.get("times", 1))
        if not 1 <= times <= _MAX_TIMES:
            raise ConfigurationError(f"{trial.file}: {trial.name}: an event comes 1 to {_MAX_TIMES} times.")
        for count in range(times):
            at = float(event["at"]) + count if "at" in event else at + 1
            number += 1
            fields = {name: _counted(value, count) for name, value in event.items() if name not in ("at", "times")}
            for match in engine.feed(f"{number}", _START + at, fields):
                if match.level != "informational":
                    told.add(names[match.rule_id])
    return sorted(told)


def _counted(value: Any, count: int) -> Any:
    return value.replace("{n}", str(count)) if isinstance(value, str) else value
