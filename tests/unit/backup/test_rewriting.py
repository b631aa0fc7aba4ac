"""The settings of a restored copy lead to no servers but its own, and say the same as before otherwise."""

import tomllib
from pathlib import Path

import pytest

from bailee.backup.errors import RestoreRefused
from bailee.backup.rewriting import rewrite_settings
from bailee.foundation.settings import load_settings

_ABROAD = r"""
# The settings of a whole instance.
[database]
main = "postgresql://bailee:secret@db.example/bailee"
keyring = "postgresql://bailee:secret@keys.example/bailee"
main_owner = "postgresql://owner:secret@db.example/bailee"
keyring_owner = "postgresql://owner:secret@keys.example/bailee"
pool_size = 7

[backup]
main_url = "postgresql://backup:secret@db.example/bailee"
keyring_url = "postgresql://backup:secret@keys.example/bailee"
wal_seconds = 2.5
scheduled = false
main = { hourly = 48, daily = 15, weekly = 5, monthly = 12, window_days = 14 }

[backup.offsite]
path = "C:\\over \"there\"/\u007f"

[access]
trusted_proxies = ["10.0.0.0/8", "2001:db8::/32"]

[[monitoring.exports]]
name = "siem"
kind = "file"
path = "/var/log/events"
"""


def test_servers_of_others_are_gone_and_all_else_is_said_again(tmp_path: Path) -> None:
    (tmp_path / "bailee.toml").write_text(_ABROAD)
    before = load_settings({"BAILEE_DATA": str(tmp_path)})
    rewrite_settings(tmp_path, "/usr/lib/postgresql/17")
    after = load_settings({"BAILEE_DATA": str(tmp_path)})
    assert (after.database.main, after.database.keyring) == ("embedded", "embedded")
    assert (after.database.main_owner, after.backup.main_url, after.backup.keyring_url) == ("", "", "")
    assert (after.database.pool_size, after.database.postgres) == (7, "/usr/lib/postgresql/17")
    assert (after.backup.main, after.backup.offsite) == (before.backup.main, before.backup.offsite)
    assert (after.backup.wal_seconds, after.backup.scheduled) == (2.5, False)
    assert (after.access, after.monitoring) == (before.access, before.monitoring)
    assert "secret" not in (tmp_path / "bailee.toml").read_text()
    assert (tmp_path / "bailee.toml.before-restore").read_text() == _ABROAD
    assert (tmp_path / "bailee.toml").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "[web]\nport = 9443 # as agreed\n"])
def test_settings_without_servers_stay_as_they_are(tmp_path: Path, text: str) -> None:
    if text:
        (tmp_path / "bailee.toml").write_text(text)
    rewrite_settings(tmp_path, "")
    assert [path.read_text() for path in tmp_path.iterdir()] == [text] * bool(text)


def test_a_copy_without_settings_learns_its_programs(tmp_path: Path) -> None:
    rewrite_settings(tmp_path, "/opt/pg17:/opt/pg16")
    assert tomllib.loads((tmp_path / "bailee.toml").read_text()) == {"database": {"postgres": "/opt/pg17:/opt/pg16"}}
    assert [path.name for path in tmp_path.iterdir()] == ["bailee.toml"]


def test_settings_that_cannot_be_read_end_the_restore(tmp_path: Path) -> None:
    (tmp_path / "bailee.toml").write_text("[database\n")
    with pytest.raises(RestoreRefused, match=r"bailee\.toml cannot be read"):
        rewrite_settings(tmp_path, "")
