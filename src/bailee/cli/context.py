"""Where the command line connects, and as whom: options of the environment, else the last sign-in."""

import os
from pathlib import Path
from urllib.parse import urlsplit

from bailee.cli.confirming import CommandLineClient
from bailee.cli.logins import find_login
from bailee.client import Client
from bailee.foundation.errors import ConfigurationError
from bailee.foundation.settings import Settings, load_settings


def settings() -> Settings:
    """The settings of this machine's Bailee."""
    return load_settings(os.environ)


def connect() -> Client:
    """A client for BAILEE_URL as BAILEE_TOKEN, or as the last sign-in. Raises ConfigurationError for nobody."""
    token = os.environ.get("BAILEE_TOKEN")
    if token is not None:
        url = base_url()
        return Client(url, token, ca_file=ca_file(url))
    kept = find_login()
    if kept is None or kept.url != os.environ.get("BAILEE_URL", kept.url):
        raise ConfigurationError("Say who you are: set BAILEE_TOKEN to an API key, or sign in with `bailee login`.")
    return CommandLineClient(kept, ca_file=ca_file(kept.url))


def anonymous(url: str) -> Client:
    """A client as nobody, to sign in with."""
    return Client(url, ca_file=ca_file(url))


def base_url() -> str:
    """Where commands go: BAILEE_URL, else where the last sign-in was, else this machine's Bailee."""
    if "BAILEE_URL" in os.environ:
        return os.environ["BAILEE_URL"]
    kept = find_login()
    return kept.url if kept else settings().base_url


def ca_file(url: str) -> Path | None:
    """What the server's certificate is verified with, beside the system's authorities."""
    if os.environ.get("BAILEE_CA"):
        return Path(os.environ["BAILEE_CA"])
    own = settings().data / "tls" / "ca.pem"
    return own if urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1") and own.is_file() else None
