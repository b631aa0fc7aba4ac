from pathlib import Path

import pytest

from bailee.foundation.errors import ConfigurationError
from bailee.foundation.settings import EMBEDDED, Settings, load_settings


@pytest.fixture
def data(tmp_path: Path) -> str:
    return str(tmp_path)


def test_defaults_are_embedded_local_and_encrypted(data: str) -> None:
    settings = load_settings({"BAILEE_DATA": data})
    assert settings == Settings(data=Path(data))
    assert (settings.database.main, settings.database.keyring, settings.encryption.root) == (EMBEDDED, EMBEDDED, "file")
    assert (settings.web.host, settings.base_url) == ("127.0.0.1", "https://localhost:8443")


def test_later_sources_win(data: str) -> None:
    Path(data, "bailee.toml").write_text('[web]\nport = 1111\nhost = "::1"\n[logs]\nlevel = "debug"\n')
    settings = load_settings({"BAILEE_DATA": data, "BAILEE_PORT": "2222"})
    assert (settings.web.port, settings.web.host, settings.logs.level) == (2222, "::1", "debug")
    assert settings.base_url == "https://localhost:2222"


def test_every_setting_has_a_variable(data: str) -> None:
    environment = {
        "BAILEE_DATA": data, "BAILEE_WEB__WORKERS": "3", "BAILEE_WEB__BASE_URL": "https://bailee.example/",
        "BAILEE_ENCRYPTION__CACHE_SECONDS": "5", "BAILEE_TOMS": "/etc/toms.toml",
    }  # fmt: skip
    settings = load_settings(environment)
    assert (settings.web.workers, settings.base_url) == (3, "https://bailee.example")
    assert (settings.encryption.cache_seconds, settings.toms) == (5, "/etc/toms.toml")


def test_variables_of_the_client_and_of_others_are_left_alone(data: str) -> None:
    environment = {"BAILEE_DATA": data, "BAILEE_URL": "x", "BAILEE_TOKEN": "x", "BAILEE_CA": "x", "PATH": "x"}
    assert load_settings(environment) == Settings(data=Path(data))


def test_empty_variable_is_as_good_as_none(data: str) -> None:
    assert load_settings({"BAILEE_DATA": data, "BAILEE_PORT": ""}).web.port == 8443


def test_named_file_is_read_in_place_of_the_default(data: str, tmp_path: Path) -> None:
    Path(data, "bailee.toml").write_text("[web]\nport = 1111\n")
    other = tmp_path / "other.toml"
    other.write_text(f'data = "{data}"\n')
    assert load_settings({"BAILEE_CONFIG": str(other)}).web.port == 8443


def test_data_directory_is_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings({"BAILEE_DATA": "here"}).data == tmp_path / "here"


@pytest.mark.parametrize(
    "environment, named",
    [
        ({"BAILEE_WEB__PROT": "1"}, "prot"),
        ({"BAILEE_NONSENSE": "1"}, "nonsense"),
        ({"BAILEE_PORT": "https"}, "web.port"),
        ({"BAILEE_PORT": "0"}, "web.port"),
        ({"BAILEE_PORT": "65536"}, "web.port"),
        ({"BAILEE_WEB": "x"}, "web"),
        ({"BAILEE_WEB": "x", "BAILEE_WEB__HOST": "::1"}, "web"),
        ({"BAILEE_WEB__BASE_URL": "http://bailee.example"}, "base_url"),
        ({"BAILEE_WEB__CERTIFICATE": "/c.pem"}, "private_key"),
        ({"BAILEE_WEB__PRIVATE_KEY": "/c.key"}, "certificate"),
        ({"BAILEE_DATABASE__MAIN": "postgresql://db"}, "keyring"),
        ({"BAILEE_ENCRYPTION__ROOT": "openbao"}, "openbao_url"),
        ({"BAILEE_ENCRYPTION__ROOT": "none"}, "root"),
        ({"BAILEE_LOGS__LEVEL": "loud"}, "level"),
        ({"BAILEE_CONFIG": "/absent/bailee.toml"}, "/absent/bailee.toml"),
    ],
)
def test_wrong_setting_is_named(data: str, environment: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        load_settings({"BAILEE_DATA": data, **environment})


def test_openbao_is_reached_over_tls_alone(data: str) -> None:
    environment = {
        "BAILEE_DATA": data, "BAILEE_ENCRYPTION__ROOT": "openbao", "BAILEE_ENCRYPTION__OPENBAO_TOKEN_FILE": "/t",
    }  # fmt: skip
    with pytest.raises(ConfigurationError, match="https"):
        load_settings({**environment, "BAILEE_ENCRYPTION__OPENBAO_URL": "http://bao.example"})
    load_settings({**environment, "BAILEE_ENCRYPTION__OPENBAO_URL": "https://bao.example"})


@pytest.mark.parametrize("content", [b"web = ", b"\xff", b"unknown = 1\n", b"[web]\nhosts = 1\n", b"web = 1\n"])
def test_faulty_file_is_refused(data: str, content: bytes) -> None:
    Path(data, "bailee.toml").write_bytes(content)
    with pytest.raises(ConfigurationError):
        load_settings({"BAILEE_DATA": data})


@pytest.mark.parametrize("value", ["../pg16", "/usr/lib/postgresql/17:pg16"])
def test_installations_of_postgresql_are_named_by_absolute_paths(data: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match="absolute paths"):
        load_settings({"BAILEE_DATA": data, "BAILEE_DATABASE__POSTGRES": value})
