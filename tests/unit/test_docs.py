"""The documents name only commands, options and pages that exist."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import cyclopts
import pytest

from bailee.assurance.toms import load_toms
from bailee.cli.main import app

ROOT = Path(__file__).parents[2]
DOCS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(bailee [^`]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
COMMAND = re.compile(r"^(?:[A-Z_]+=\S+ )*(?:\S*/)?(bailee .*)$")


def commands(text: str) -> Iterator[str]:
    """Every `bailee …` in shell blocks and in running text."""
    for language, block in FENCE.findall(text):
        if language == "sh":
            for line in block.replace("\\\n", " ").splitlines():
                if match := COMMAND.match(line):
                    yield match.group(1)
    yield from INLINE.findall(FENCE.sub("", text).replace("\n", " "))


def words_of(command: str) -> list[str]:
    """The command's own words, up to a pipe or a redirection."""
    words = shlex.split(command, comments=True)[1:]
    end = next((i for i, word in enumerate(words) if word in {"|", ">", "&&", ";", "&"}), len(words))
    return words[:end]


def verify(words: list[str]) -> None:
    """Raises for a command or an option that does not exist, and for too few or too many arguments."""
    here: cyclopts.App = app
    depth = 0
    while depth < len(words) and words[depth] in here:
        here = here[words[depth]]
        depth += 1
    assert depth, f"there is no command {words[:1]}"
    if here.default_command is None:
        assert depth == len(words), f"{' '.join(words[:depth])} has no command {words[depth:]}"
        return
    known = {name for argument in here.assemble_argument_collection() for name in argument.names}
    for word in words[depth:]:
        if word.startswith("--"):
            assert word.partition("=")[0] in known, f"{' '.join(words[:depth])} has no option {word}"


def test_there_are_documents_with_commands() -> None:
    named = {ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/operations.md")}
    assert named <= set(DOCS)
    assert sum(len(list(commands(path.read_text()))) for path in DOCS) > 30


@pytest.mark.parametrize("path", DOCS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_exists_with_its_options(path: Path) -> None:
    for command in commands(path.read_text("utf-8")):
        verify(words_of(command))


@pytest.mark.parametrize(
    "command", ["bailee subject erase x", "bailee key issue name records:read --tenant x --days 30"]
)
def test_true_command_passes(command: str) -> None:
    verify(words_of(command))


@pytest.mark.parametrize("command", ["bailee rollback", "bailee subject forget x", "bailee events --tail", "bailee"])
def test_invented_command_is_noticed(command: str) -> None:
    with pytest.raises(AssertionError):
        verify(words_of(command))


@pytest.mark.parametrize("path", DOCS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(path: Path) -> None:
    for target in LINK.findall(path.read_text("utf-8")):
        if "://" not in target and not target.startswith(("#", "mailto:")):
            assert (path.parent / target.partition("#")[0]).exists(), target


@pytest.mark.parametrize("path", DOCS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_make_target_exists(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"^make ([a-z-]+)", path.read_text("utf-8"), re.MULTILINE)) <= targets


def test_readme_tells_the_truth_about_the_measures() -> None:
    measures = load_toms().measures()
    evidenced = [measure.id for measure in measures if measure.checks]
    state = (ROOT / "README.md").read_text("utf-8").partition("## The state of the measures")[2].partition("\n## ")[0]
    assert re.findall(r"\b\d{1,2}\.\d\b", state) == evidenced
    assert f"of the {len(measures)} measures" in state
    assert f"The other {len(measures) - len(evidenced)} are" in " ".join(state.split())


def test_every_decision_has_its_three_parts_and_fits_a_page() -> None:
    decisions = sorted(ROOT.glob("docs/decisions/*.md"))
    assert [path.name[:4] for path in decisions] == [f"{n:04}" for n in range(1, len(decisions) + 1)]
    for path in decisions:
        text = path.read_text("utf-8")
        assert re.findall(r"^## (\w+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequence"]
        assert len(text.splitlines()) < 50
