"""Commands about detection rules: what there is, what is wrong with them, and whether they find what they should."""

import sys
from pathlib import Path
from typing import Annotated

import cyclopts

from bailee.cli.context import settings
from bailee.cli.output import out, say, show_json, show_table
from bailee.foundation.errors import ConfigurationError
from bailee.monitoring.detector import load_rules, rule_folders
from bailee.monitoring.sigma.rules import RuleSet, load
from bailee.monitoring.sigma.trials import Trial, find_trials, run_trial

rules = cyclopts.App(name="rules", help="Detection rules (Sigma): list, lint and test them, on this machine.")

type Folders = Annotated[
    list[Path] | None,
    cyclopts.Parameter(help="Folders with rules; default those that ship and monitoring.rules."),
]


@rules.command(name="list")
def list_rules(folders: Folders = None, *, json: bool = False) -> None:
    """List the rules that are in use."""
    found = _load(folders)
    rows = [(one.level, one.title, "one event", one.id) for one in found.rules if one.told]
    rows += [(one.level, one.title, one.kind.replace("_", " "), one.id) for one in found.correlations]
    if json:
        show_json({"items": [dict(zip(("level", "title", "kind", "id"), row, strict=True)) for row in rows]})
        return
    show_table(["Level", "Title", "Looks at", "Id"], sorted(rows), empty="There are no rules.")


@rules.command
def lint(folders: Folders = None) -> None:
    """Say what is wrong with rules. Exit code 1 if something is."""
    found = _load(folders)
    for fault in found.faults:
        out.print(f"{fault.file}: {fault.rule or 'the file'}: {fault.message}", markup=False, soft_wrap=True)
    say(f"{len(found.rules) + len(found.correlations)} rules can be used; {len(found.faults)} faults.")
    if found.faults:
        sys.exit(1)


@rules.command(name="test")
def try_rules(folders: Folders = None) -> None:
    """Run the trials that stand beside the rules, in `*.test.yml`. Exit code 1 if one fails."""
    places = folders or rule_folders(settings().monitoring)
    found = _load(folders)
    trials = find_trials(places)
    failed = [one for one in trials if not _tell(one, found)]
    say(f"{len(trials) - len(failed)} of {len(trials)} trials passed.")
    if failed or found.faults:
        sys.exit(1)


def _tell(trial: Trial, found: RuleSet) -> bool:
    told = run_trial(trial, found)
    if told == sorted(trial.expect):
        return True
    wanted, came = ", ".join(sorted(trial.expect)) or "nothing", ", ".join(told) or "nothing"
    out.print(f"{trial.file}: {trial.name}: expected {wanted}; found {came}.", markup=False, soft_wrap=True)
    return False


def _load(folders: list[Path] | None) -> RuleSet:
    for folder in folders or ():
        if not folder.is_dir():
            raise ConfigurationError(f"{folder} is no folder.")
    here = settings()
    return load(folders, here.monitoring.lists) if folders else load_rules(here.monitoring)
