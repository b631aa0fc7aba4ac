"""The TOM document: sections, measures, wording and references. The operator owns it; a good default ships."""

import tomllib
from importlib import resources
from pathlib import Path

import msgspec

from bailee.foundation.errors import ConfigurationError


class Measure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One commitment, with the articles, controls and criteria it serves and the checks that test it."""

    id: str
    title: str
    commitment: str
    gdpr: list[str] = []
    iso27001: list[str] = []
    soc2: list[str] = []
    checks: list[str] = []


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A group of measures."""

    number: int
    title: str
    measures: list[Measure]


class Toms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The document."""

    title: str
    version: int
    sections: list[Section]

    def measures(self) -> list[Measure]:
        return [measure for section in self.sections for measure in section.measures]


def load_toms(path: str = "") -> Toms:
    """The document at `path`, or the one that ships. Raises ConfigurationError."""
    try:
        text = Path(path).read_text("utf-8") if path else _default()
        toms = msgspec.convert(tomllib.loads(text), Toms)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigurationError(f"The TOM document {path or '(default)'} could not be read: {error}.") from None
    ids = [measure.id for measure in toms.measures()]
    if len(set(ids)) != len(ids):
        raise ConfigurationError("Two measures of the TOM document share an id.")
    return toms


def _default() -> str:
    return resources.files("bailee.assurance").joinpath("default_toms.toml").read_text("utf-8")
