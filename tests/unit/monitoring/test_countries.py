"""Countries from a file on this machine."""

from pathlib import Path
from typing import Any

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet  # type: ignore[import-untyped]  # it ships no types

from bailee.foundation.errors import ConfigurationError
from bailee.monitoring.countries import Countries


def _file(folder: Path, **entries: Any) -> str:
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True)
    for network, value in entries.items():
        writer.insert_network(IPSet([network.replace("_", ".")]), value)
    path = folder / "countries.mmdb"
    writer.to_db_file(str(path))
    return str(path)


def test_countries_are_read_as_the_well_known_files_write_them(tmp_path: Path) -> None:
    entries: dict[str, Any] = {
        "192.0.2.0/24": {"country": {"iso_code": "DE"}}, "198.51.100.0/24": {"country_code": "fr"},
        "203.0.113.0/24": {"country": "JP"}, "192.88.99.0/24": {"country": {"names": {}}},
    }  # fmt: skip
    countries = Countries(_file(tmp_path, **entries))
    found = [countries.find(f"{place}.7") for place in ("192.0.2", "198.51.100", "203.0.113", "192.88.99", "10.0.0")]
    assert found == ["DE", "FR", "JP", None, None]
    assert countries.find("unix") is None
    countries.close()


def test_without_a_file_no_country_is_known() -> None:
    countries = Countries("")
    assert not countries.known
    assert countries.find("192.0.2.1") is None


def test_a_file_that_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / "x.mmdb").write_text("nonsense")
    for file in (str(tmp_path / "x.mmdb"), str(tmp_path / "missing.mmdb")):
        with pytest.raises(ConfigurationError, match="country_file"):
            Countries(file)
