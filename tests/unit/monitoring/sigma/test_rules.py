"""The rules that ship: each can be used, each has a trial in which it is told, and every trial passes."""

import pytest

from bailee.foundation.settings import Monitoring
from bailee.monitoring.detector import RULES, load_rules
from bailee.monitoring.sigma.rules import parse
from bailee.monitoring.sigma.trials import Trial, find_trials, run_trial

SET = load_rules(Monitoring(lists={"canaries": ["honey"]}))
TRIALS = find_trials([RULES])


def test_every_rule_can_be_used() -> None:
    assert SET.faults == []
    assert len(SET.correlations) >= 12


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.name)
def test_trial(trial: Trial) -> None:
    assert run_trial(trial, SET) == sorted(trial.expect)


def test_every_rule_that_is_told_has_a_trial() -> None:
    told = {one.name for one in SET.rules if one.told and one.level != "informational"}
    told |= {one.name for one in SET.correlations}
    tried = {name for trial in TRIALS for name in trial.expect}
    assert told - tried == {"canary_touched"}, "which depends on the operator's list"
    touched = Trial("canary", [{"action": "record.read", "object.id": "honey"}], ["canary_touched"])
    assert run_trial(touched, SET) == ["canary_touched"]


ONE = (
    "title: One\nid: 00000000-0000-4000-8000-000000000001\nname: one\nlevel: low\nlogsource:\n  product: bailee\n"
    "detection:\n  s:\n    action: x\n  condition: s\n"
)
COUNT = (
    "title: Many\nid: 00000000-0000-4000-8000-000000000002\nname: many\nlevel: low\ncorrelation:\n  type: event_count\n"
    "  rules: [one]\n  group-by: [actor.id]\n  timespan: 5m\n  condition:\n    gte: 3\n"
)


@pytest.mark.parametrize(
    "text, fault",
    [
        ("title: [", "no YAML"),
        ("- a\n- b", "a mapping"),
        (ONE.replace("title: One\n", ""), "a title"),
        (ONE.replace("id: 00000000-0000-4000-8000-000000000001\n", ""), "an id"),
        (f"{ONE}---\n{ONE}", "already"),
        (ONE.replace("level: low", "level: dreadful"), "a level"),
        (ONE.replace("condition: s", "condition: nobody"), "nobody"),
        (ONE.replace("action: x", "action|re: '('"), "xpression"),
        (ONE.replace("action: x", "action|re: '(?=x)'"), "xpression"),
        (ONE.replace("action: x", "action|nonsense: x"), "nonsense"),
        (ONE.replace("action: x", "address|cidr: 1.2.3"), "CIDR"),
        (ONE.replace("action: x", "action|expand: '%nothing%'"), "nothing"),
        (COUNT, "one"),
        (f"{ONE}---\n{COUNT.replace('event_count', 'value_count')}", "field"),
        (f"{ONE}---\n{COUNT.replace('event_count', 'value_median')}", "field"),
        (f"{ONE}---\n{COUNT.replace('5m', '5 minutes')}", "5 minutes"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_and_the_rest_goes_on(text: str, fault: str) -> None:
    good = ONE.replace("0001", "0009").replace("name: one", "name: good")
    found = parse({"bad.yml": text, "good.yml": good}, {})
    assert fault in " ".join(one.message for one in found.faults)
    assert "good" in found.names


def test_a_list_stands_for_each_of_its_values() -> None:
    text = ONE.replace("action: x", "object.id|expand: 'id-%known%'")
    found = parse({"rule.yml": text}, {"known": ["a", "b"]})
    for value, told in (("id-a", ["one"]), ("ID-B", ["one"]), ("id-c", []), ("a", [])):
        assert run_trial(Trial("", [{"action": "x", "object.id": value}]), found) == told


def test_a_field_with_several_values_matches_by_one() -> None:
    text = ONE.replace("action: x", "details.factors: totp")
    found = parse({"rule.yml": text}, {})
    assert run_trial(Trial("", [{"details.factors": ["password", "totp"]}]), found) == ["one"]
    assert run_trial(Trial("", [{"details.factors": ["password"]}]), found) == []
