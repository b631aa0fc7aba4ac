"""The check of 4.2 sees rules that were weakened."""

import msgspec
import pytest

from bailee.assembly import Services
from bailee.assurance import Verdict
from bailee.foundation.settings import Settings
from bailee.monitoring.checks import attacks_are_found
from bailee.monitoring.detector import load_rules
from bailee.monitoring.sigma.rules import Fault, RuleSet


@pytest.mark.parametrize("gone", ["content_read_by_staff", "password_spraying"])
async def test_a_rule_that_finds_nothing_more_turns_the_check_red(
    services: Services, settings: Settings, gone: str
) -> None:
    rules = load_rules(settings.monitoring)
    assert gone in rules.names
    weaker = RuleSet(
        [msgspec.structs.replace(one, holds=lambda _: False) if one.name == gone else one for one in rules.rules],
        [msgspec.structs.replace(one, limit=1e9) if one.name == gone else one for one in rules.correlations],
        [],
    )
    finding = await attacks_are_found(services.database, weaker, settings, services.clock)
    assert finding.verdict is Verdict.BROKEN
    assert finding.facts["failed_trials"]


async def test_a_rule_that_cannot_be_used_wants_attention(services: Services, settings: Settings) -> None:
    rules = msgspec.structs.replace(load_rules(settings.monitoring), faults=[Fault("own.yml", "own", "is none")])
    finding = await attacks_are_found(services.database, rules, settings, services.clock)
    assert (finding.verdict, finding.facts["rules_left_out"]) == (Verdict.ATTENTION, 1)
