"""Which PostgreSQL programs are taken for which cluster."""

from pathlib import Path

import pytest

from bailee.foundation.errors import ConfigurationError
from bailee.foundation.postgresql import Programs, major_of, programs_of


def _installed(place: Path, said: str, *missing: str) -> Path:
    """An installation as Debian lays it out, whose server says this of itself; programs of `missing` are not there."""
    (place / "bin").mkdir(parents=True)
    (place / "lib").mkdir()
    for name in {"postgres", "pg_basebackup", "pg_combinebackup"} - {*missing}:
        (place / "bin" / name).write_text(f"#!/bin/sh\necho '{said}'\n")
        (place / "bin" / name).chmod(0o755)
    return place


@pytest.mark.parametrize(
    "said, major",
    [
        ("postgres (PostgreSQL) 18.6", 18),
        ("postgres (PostgreSQL) 17.5 (Debian 17.5-1.pgdg120+1)", 17),
        ("postgres (PostgreSQL) 19beta1", 19),
    ],
)
def test_a_program_says_itself_which_version_it_is(tmp_path: Path, said: str, major: int) -> None:
    root = _installed(tmp_path / "usr" / "lib" / "postgresql" / "9", said)
    assert major_of(root) == major
    assert Programs(tmp_path, (root,)).of(major) == root


def test_what_is_no_installation_is_told(tmp_path: Path) -> None:
    for root, what in (
        (tmp_path / "nothing", "bin/postgres"),
        (_installed(tmp_path / "other", "mysqld  Ver 8"), "bin/postgres"),
        (_installed(tmp_path / "server", "postgres (PostgreSQL) 17.5", "pg_basebackup"), "bin/pg_basebackup"),
        (_installed(tmp_path / "client", "postgres (PostgreSQL) 17.5", "pg_combinebackup"), "bin/pg_combinebackup"),
    ):
        with pytest.raises(ConfigurationError, match=rf"{root.name} is no PostgreSQL installation.*{what}"):
            major_of(root)
    assert major_of(_installed(tmp_path / "older", "postgres (PostgreSQL) 16.9", "pg_combinebackup")) == 16


def test_a_version_that_is_not_there_is_told_with_what_to_set(tmp_path: Path) -> None:
    programs = programs_of(tmp_path, str(_installed(tmp_path / "17", "postgres (PostgreSQL) 17.5")))
    with pytest.raises(ConfigurationError, match=r"PostgreSQL 16, and there are those of 17, 18.*database\.postgres"):
        programs.of(16)


def test_a_directory_is_run_by_the_version_that_made_it(tmp_path: Path) -> None:
    programs = programs_of(tmp_path, "")
    assert major_of(programs.for_directory(tmp_path / "new")) == 18
    made = tmp_path / "made"
    made.mkdir()
    (made / "PG_VERSION").write_text("17\n")
    with pytest.raises(ConfigurationError, match=r"made was made by PostgreSQL 17\."):
        programs.for_directory(made)
    root = _installed(tmp_path / "17", "postgres (PostgreSQL) 17.5")
    assert programs.also([root]).for_directory(made) == root
    assert programs.also([root]).as_setting == str(root)
