"""Where the command line connects, and as whom: options of the environment, else the last sign-in."""

import json
import os
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from bailee.client import Client
from bailee.foundation.errors import ConfigurationError
from bailee.foundation.settings import Settings, load_settings


class Login(msgspec.Struct, frozen=True):
    """A kept sign-in."""

    url: str
    token: str
    email: str


def settings() -> Settings:
    """The settings of this machine's Bailee."""
    return load_settings(os.environ)


def login_file() -> Path:
    """Where the sign-in is kept, mode 0600."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "bailee" / "login.json"


def keep_login(login: Login) -> None:
    path = login_file()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(msgspec.to_builtins(login), file)


def find_login() -> Login | None:
    try:
        return msgspec.json.decode(login_file().read_bytes(), type=Login)
    except (OSError, msgspec.DecodeError):
        return None


def connect(*, anonymous: bool = False) -> Client:
    """A client for BAILEE_URL as BAILEE_TOKEN, or as the last sign-in. Raises ConfigurationError for nobody."""
    kept = find_login()
    local = settings()
    url = os.environ.get("BAILEE_URL") or (kept.url if kept else local.base_url)
    token = os.environ.get("BAILEE_TOKEN") or (kept.token if kept and kept.url == url else None)
    if token is None and not anonymous:
        raise ConfigurationError("Say who you are: set BAILEE_TOKEN to an API key, or sign in with `bailee login`.")
    return Client(url, None if anonymous else token, ca_file=_ca_file(url, local))


def base_url() -> str:
    """Where `connect` goes."""
    kept = find_login()
    return os.environ.get("BAILEE_URL") or (kept.url if kept else settings().base_url)


def _ca_file(url: str, local: Settings) -> Path | None:
    if os.environ.get("BAILEE_CA"):
        return Path(os.environ["BAILEE_CA"])
    own = local.data / "tls" / "ca.pem"
    return own if urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1") and own.is_file() else None
