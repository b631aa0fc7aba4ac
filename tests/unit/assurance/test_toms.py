import sys
from pathlib import Path

import pytest

from bailee.assurance.checks import CheckSpec
from bailee.assurance.toms import Toms, load_toms
from bailee.foundation.errors import ConfigurationError
from bailee.web import app


@pytest.fixture(scope="module")
def toms() -> Toms:
    return load_toms()


def test_document_that_ships_has_every_commitment(toms: Toms) -> None:
    assert len(toms.sections) == 12
    assert len(toms.measures()) == 35
    assert [section.number for section in toms.sections] == list(range(1, 13))
    for section in toms.sections:
        expected = [f"{section.number}.{position}" for position in range(1, len(section.measures) + 1)]
        assert [measure.id for measure in section.measures] == expected


def test_every_measure_says_what_it_commits_to_and_why(toms: Toms) -> None:
    for measure in toms.measures():
        assert len(measure.commitment) > 40
        assert measure.gdpr
        assert all(reference.startswith("Art. ") for reference in measure.gdpr)


def test_checks_of_document_and_code_are_the_same(toms: Toms) -> None:
    assert app.__name__ == "bailee.web.app"  # imported for what it imports: every check
    specs = {
        spec.name: spec.measure
        for name, module in list(sys.modules.items())
        if name.startswith("bailee.")
        for function in vars(module).values()
        if isinstance(spec := getattr(function, "__check__", None), CheckSpec)
    }
    named = {check: measure.id for measure in toms.measures() for check in measure.checks}
    assert named == specs


MEASURE = '[[sections.measures]]\nid = "1.1"\ntitle = "T"\ncommitment = "C"\n'
DOCUMENT = f'title = "T"\nversion = 1\n[[sections]]\nnumber = 1\ntitle = "S"\n{MEASURE}'


def test_operators_own_document_is_read(tmp_path: Path) -> None:
    path = tmp_path / "toms.toml"
    path.write_text(DOCUMENT)
    assert [measure.id for measure in load_toms(str(path)).measures()] == ["1.1"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"title = ",
        b"\xff\xfe",
        DOCUMENT.encode() + MEASURE.encode(),  # the same id twice
        DOCUMENT.replace("commitment", "comitment").encode(),
        DOCUMENT.encode() + b'owner = "x"\n',
        DOCUMENT.replace("version = 1", 'version = "one"').encode(),
        DOCUMENT.encode() + b'checks = "a.b"\n',
    ],
)
def test_faulty_document_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "toms.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError):
        load_toms(str(path))


def test_missing_document_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"absent\.toml"):
        load_toms(str(tmp_path / "absent.toml"))
