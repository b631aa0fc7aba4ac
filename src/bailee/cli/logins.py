"""Where a sign-in is kept: the token in the keyring of the operating system, or, without one, in a file.

The file is the user's alone (mode 0600). It always says where and as whom; the token stands in it only when no
keyring takes it.
"""

import json
import os
from pathlib import Path

import keyring
import msgspec
from keyring.core import recommended
from keyring.errors import KeyringError

from bailee.foundation.errors import ConfigurationError

_SERVICE = "bailee"


class Login(msgspec.Struct, frozen=True):
    """A kept sign-in."""

    url: str
    token: str
    email: str
    in_keyring: bool = False
    """Whether the token lies in the keyring; then the file has none."""

    @property
    def entry(self) -> str:
        """What the keyring calls it."""
        return f"{self.email} at {self.url}"


def login_file() -> Path:
    """Where the sign-in is kept, mode 0600."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "bailee" / "login.json"


def keep_login(login: Login) -> Login:
    """Keeps it, in place of any other; answers it as it is kept."""
    kept = msgspec.structs.replace(login, in_keyring=_to_keyring(login))
    path = login_file()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    written = msgspec.to_builtins(msgspec.structs.replace(kept, token="") if kept.in_keyring else kept)
    temporary = path.with_suffix(".part")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(written, file)
    temporary.replace(path)  # the token before is dead by now: one of the two is always whole
    return kept


def find_login() -> Login | None:
    """What is kept. Raises ConfigurationError when the keyring that holds the token does not open."""
    try:
        kept = msgspec.json.decode(login_file().read_bytes(), type=Login)
    except (OSError, msgspec.DecodeError):
        return None
    if not kept.in_keyring:
        return kept
    try:
        token = keyring.get_password(_SERVICE, kept.entry)
    except KeyringError:
        raise ConfigurationError(
            "The keyring that holds your sign-in does not open. Unlock it, or sign in again with `bailee login`."
        ) from None
    return msgspec.structs.replace(kept, token=token) if token else None


def forget_login(kept: Login) -> None:
    """Deletes what is kept, wherever it lies."""
    if kept.in_keyring:
        _from_keyring(kept)
    login_file().unlink(missing_ok=True)


def _to_keyring(login: Login) -> bool:
    """Whether the keyring has taken the token. A backend that is none, or keeps secrets in clear, is not asked."""
    try:
        backend = keyring.get_keyring()
        if not recommended(backend):
            return False
        backend.set_password(_SERVICE, login.entry, login.token)
    except KeyringError:
        return False
    return True


def _from_keyring(login: Login) -> None:
    try:
        keyring.delete_password(_SERVICE, login.entry)
    except KeyringError:
        return  # gone already, or locked: the session itself has been ended on the server
