"""Playbooks: Markdown with checklists, of which each box becomes a task of the incident that follows it."""

import re
from pathlib import Path

import msgspec

from bailee.foundation.errors import ConfigurationError

_SHIPPED = Path(__file__).parent / "playbooks"
_NAME = re.compile(r"[a-z][a-z0-9-]{0,63}", re.ASCII)
_HEADING = re.compile(r"#{2,6}\s+(.+)")
_BOX = re.compile(r"\s*[-*] \[[ xX]\]\s+(.+)")
_MAX_STEPS = 200
_MAX_STEP = 500


class Step(msgspec.Struct, frozen=True):
    """One box of a playbook, and the heading that it stands under."""

    heading: str
    title: str


class Playbook(msgspec.Struct, frozen=True):
    """One playbook. `name` is its file's, without `.md`."""

    name: str
    title: str
    text: str
    steps: list[Step]


def load_playbooks(folder: str) -> dict[str, Playbook]:
    """Those that ship, and those of the operator, which take the place of one of the same name.

    Raises ConfigurationError, naming the file.
    """
    found = {path.stem: _read(path) for path in sorted(_SHIPPED.glob("*.md"))}
    if folder:
        own = Path(folder)
        if not own.is_dir():
            raise ConfigurationError(f"{folder} is named in incidents.playbooks and is no folder.")
        found |= {path.stem: _read(path) for path in sorted(own.glob("*.md"))}
    return found


def parse_playbook(name: str, text: str) -> Playbook:
    """Raises ConfigurationError for a text without a title or without a box."""
    title, heading, steps = "", "", []
    for line in text.splitlines():
        if line.startswith("# ") and not title:
            title = line[2:].strip()
        elif match := _HEADING.fullmatch(line):
            heading = match.group(1).strip()
        elif match := _BOX.fullmatch(line):
            steps.append(Step(heading[:_MAX_STEP], match.group(1).strip()[:_MAX_STEP]))
    if not title or not steps or len(steps) > _MAX_STEPS:
        raise ConfigurationError(
            f"The playbook {name} needs a first line `# Title` and 1 to {_MAX_STEPS} lines such as `- [ ] Do this`."
        )
    return Playbook(name, title, text, steps)


def _read(path: Path) -> Playbook:
    if not _NAME.fullmatch(path.stem):
        raise ConfigurationError(f"{path}: name playbooks in lower-case letters, digits and hyphens.")
    try:
        return parse_playbook(path.stem, path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError(f"{path} cannot be read as UTF-8 text.") from None
