"""docs/asvs.md answers every requirement once, with tests that exist; docs/access.md names the limits in force."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from bailee.access import accounts, device, factors, password_change, sessions, sign_in, tokens
from bailee.access.passwords import STAFF_RULES, PasswordRules
from bailee.access.provider import client_authentication
from bailee.foundation.ids import new_id
from bailee.foundation.settings import Access

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "asvs.md").read_text("utf-8")
ACCESS = " ".join((ROOT / "docs" / "access.md").read_text("utf-8").split())
NUMBERS = re.findall(
    r"[\d.]+",
    """
3.2.1 3.2.2 3.3.1 3.3.2 3.3.3 3.3.4 3.4.1 3.4.2 3.4.3 3.4.4 3.4.5 3.4.6 3.5.1 3.5.2 3.5.3 3.5.4 3.5.5 3.7.1 3.7.2
6.1.1 6.1.2 6.1.3 6.2.1 6.2.2 6.2.3 6.2.4 6.2.5 6.2.6 6.2.7 6.2.8 6.2.9 6.2.10 6.2.11 6.2.12 6.3.1 6.3.2 6.3.3 6.3.4
6.4.1 6.4.2 6.4.3 6.4.4 6.5.1 6.5.2 6.5.3 6.5.4 6.5.5 6.6.1 6.6.2 6.6.3 6.8.1 6.8.2 6.8.3 6.8.4
7.1.1 7.1.2 7.1.3 7.2.1 7.2.2 7.2.3 7.2.4 7.3.1 7.3.2 7.4.1 7.4.2 7.4.3 7.4.4 7.4.5 7.5.1 7.5.2 7.6.1 7.6.2
8.1.1 8.1.2 8.2.1 8.2.2 8.2.3 8.3.1 8.4.1
9.1.1 9.1.2 9.1.3 9.2.1 9.2.2 9.2.3 9.2.4
10.1.1 10.1.2 10.2.1 10.2.2 10.3.1 10.3.2 10.3.3 10.3.4 10.4.1 10.4.2 10.4.3 10.4.4 10.4.5 10.4.6 10.4.7 10.4.8 10.4.9
10.4.10 10.4.11 10.5.1 10.5.2 10.5.3 10.5.4 10.5.5 10.6.1 10.6.2 10.7.1 10.7.2 10.7.3
""",
)
"""Levels 1 and 2 of chapters V3 and V6 to V10 in ASVS 5.0.0."""
ROW = re.compile(r"^\| (\d+\.\d+\.\d+) \| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)(?:\[[^\]`]*\])?`")
SOURCE_FILE = re.compile(r"`((?:access|encryption|events|foundation|stores|web)/[\w/]+\.py)`")
FINDING = re.compile(r"\*\*(?:Open|Deviates)")


def _rows() -> dict[str, tuple[str, str]]:
    """For each number how it is met, and the tests named."""
    return {number: (met, tests) for number, _short, met, tests in ROW.findall(PAGE)}


@cache
def _functions(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def _named() -> Iterator[tuple[str, str, str]]:
    for number, (_met, tests) in _rows().items():
        for path, name in TEST.findall(tests):
            yield number, path, name


def test_every_requirement_is_answered_exactly_once() -> None:
    found = Counter(number for number, *_rest in ROW.findall(PAGE))
    assert found == Counter(NUMBERS)
    assert PAGE.count("\n| ") == len(NUMBERS) + PAGE.count("\n| number |"), "every row of a table was read"


def test_every_test_that_is_named_exists() -> None:
    gone = [f"{number}: {path}::{name}" for number, path, name in _named()
            if not (ROOT / path).is_file() or name not in _functions(path)]  # fmt: skip
    assert gone == []


def test_every_requirement_names_a_test_or_does_not_apply() -> None:
    untested = {number for number, (_met, tests) in _rows().items() if not TEST.findall(tests)}
    assert untested == {number for number in untested if _rows()[number][0].startswith("Does not apply")}
    for _met, tests in _rows().values():
        assert TEST.sub("", tests).strip() in ("", "–"), "nothing else stands in the column"


def test_every_source_file_that_is_named_exists() -> None:
    for path in SOURCE_FILE.findall(PAGE):
        assert (ROOT / "src" / "bailee" / path).is_file(), path


def test_what_is_not_met_is_listed_at_the_top() -> None:
    listed = re.findall(r"\d+\.\d+\.\d+", PAGE.partition("are said as such:")[2].partition("\n\n")[0])
    assert listed == [number for number, (met, _tests) in _rows().items() if FINDING.search(met)]


def test_the_standards_authors_and_licence_are_named() -> None:
    for words in ("OWASP Application Security Verification Standard 5.0.0", "OWASP Foundation", "CC BY-SA"):
        assert words in PAGE


def _minutes(seconds: float) -> int:
    return int(seconds // 60)


def test_documented_limits_are_those_in_force() -> None:
    limits = Access()
    rows = [
        f"| failed sign-ins of strangers on one account | {sign_in._PER_ACCOUNT} |",
        f"| failed sign-ins of one known browser, or failed step-ups of one session | {sign_in._PER_ACCOUNT} |",
        f"| failed attempts of strangers from one address (IPv6: one /64) | {sign_in._PER_ADDRESS} |",
        f"| wrong second factors in one sign-in | {sign_in._WRONG_FACTORS} |",
        f"| user codes typed by one account | {device._PER_ACCOUNT} |",
        "| password links for one account, and from one address | "
        f"{password_change._LINKS_PER_ACCOUNT}, {password_change._LINKS_PER_ADDRESS} |",
        f"| failed authentications of one OAuth client from one address | {client_authentication._PER_CLIENT} |",
        f"| at rest | {limits.idle_minutes} minutes |",
        f"| at most | {limits.session_hours} hours |",
        f"| a step-up counts | {_minutes(sessions._FRESH.total_seconds())} minutes |",
        f"| to enrol a factor | {_minutes(sessions._ENROLMENT_LIFE.total_seconds())} minutes |",
        f"| the break-glass account | {sessions._SEALED_LIFE.total_seconds() / 3600:g} hour |",
        f"| at the same time, for one account | {sessions.MOST} |",
        f"once, for {limits.invitation_hours} hours (`access.invitation_hours`)",
        f"once, for {accounts._SETUP_LIFE.total_seconds() / 3600:g} hours; then password and app",
        f"once, for {accounts._ENROLMENT_LIFE.total_seconds() / 3600:g} hours, and the password",
        f"{PasswordRules().min_length} to {PasswordRules.MAX} characters of any kind",
        f"score it {PasswordRules().min_score} of 4, {STAFF_RULES.min_score} for staff",
    ]
    assert [row for row in rows if row not in ACCESS] == []
    assert password_change._LIFE.total_seconds() == 3600, "the page says an hour"
    assert _minutes(factors._FRESH.total_seconds()) == 15, "asvs.md says a quarter of an hour"


@pytest.mark.parametrize(
    "kind", [kind for kind in vars(tokens).values() if isinstance(kind, tokens.TokenKind)], ids=lambda kind: kind.prefix
)
def test_tokens_have_entropy_enough_and_differ(kind: tokens.TokenKind) -> None:
    assert kind.secret * 8 >= 128
    ids = [new_id() for _ in range(kind.ids)]
    made = [kind.new(*ids) for _ in range(100)]
    assert len({token for token, _digest in made}) == len({digest for _token, digest in made}) == 100
    for token, digest in made:
        parsed = kind.parse(token)
        assert parsed is not None
        assert parsed.digest == digest


def test_a_change_of_factors_offers_to_end_the_other_sessions() -> None:
    templates = ROOT / "src" / "bailee" / "access" / "templates"
    assert 'action="/account/sessions/end-others"' in (templates / "account_factors.html").read_text("utf-8")
    assert 'href="/account"' in (templates / "recovery_codes.html").read_text("utf-8")
