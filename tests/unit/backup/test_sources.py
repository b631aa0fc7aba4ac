"""How servers are reached for backups: by URLs that will do, and with nothing secret where others can read it."""

from pathlib import Path
from urllib.parse import quote

import pytest
from psycopg.conninfo import conninfo_to_dict

from bailee.backup.services import sources
from bailee.backup.tools import _without_password
from bailee.foundation.errors import ConfigurationError
from bailee.foundation.settings import BackupSettings, DatabaseSettings, Settings

_ABROAD = DatabaseSettings(main="postgresql://a@db.example/bailee", keyring="postgresql://a@keys.example/bailee")
_PASSWORD = "pa ss'wo\"rd %41 @:/?#\\"


def _settings(main_url: str) -> Settings:
    return Settings(data=Path("/nowhere"), database=_ABROAD, backup=BackupSettings(main_url=main_url))


def test_a_servers_certificate_is_verified_whatever_the_password_holds() -> None:
    url = f"postgresql://bailee_backup:{quote(_PASSWORD, safe='')}@db.example:5433/ours"
    (source,) = sources(_settings(url)).values()
    assert (source.name, source.database, source.foreign) == ("main", "ours", True)
    parts = conninfo_to_dict(source.conninfo)
    assert parts["password"] == _PASSWORD
    assert (parts["sslmode"], parts["sslrootcert"], parts["port"]) == ("verify-full", "system", "5433")


def test_arguments_of_processes_have_no_password() -> None:
    url = f"postgresql://bailee_backup:{quote(_PASSWORD, safe='')}@db.example:5433/ours?sslmode=verify-full"
    assert conninfo_to_dict(_without_password(url)) == {
        "user": "bailee_backup", "host": "db.example", "port": "5433", "dbname": "ours", "sslmode": "verify-full",
    }  # fmt: skip


@pytest.mark.parametrize(
    "url, said",
    [
        ("postgresql://bailee_backup:100%secret@db.example/bailee", "is no PostgreSQL URL"),
        ("postgresql://bailee_backup:secret@db.example", "names the user, and the database"),
        ("postgresql://db.example/bailee?password=secret", "names the user, and the database"),
        ("postgresql://b:secret@db.example/bailee?sslmode=require", "takes sslmode=verify-full"),
        ("postgresql://b@db.example/bailee?sslpassword=secret", "a passphrase cannot be used"),
    ],
)
def test_a_url_that_will_not_do_is_told_without_what_is_secret_in_it(url: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as told:
        sources(_settings(url))
    assert "backup.main_url" in str(told.value)
    assert "secret" not in str(told.value)
