"""Where a sign-in is kept."""

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import fail, null
from keyring.errors import KeyringError, KeyringLocked, PasswordDeleteError

from bailee.cli.logins import Login, find_login, forget_login, keep_login, login_file
from bailee.foundation.errors import ConfigurationError

LOGIN = Login("https://bailee.example", "bst_do-not-print-me", "ada@example.org")


class Memory(KeyringBackend):
    """A keyring that holds what it is given for as long as it lives."""

    priority = 5

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # the library has no types here
        self.entries: dict[tuple[str, str], str] = {}
        self.fault: KeyringError | None = None

    def _verify(self) -> None:
        if self.fault is not None:
            raise self.fault

    def get_password(self, service: str, username: str) -> str | None:
        self._verify()
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._verify()
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self._verify()
        if self.entries.pop((service, username), None) is None:
            raise PasswordDeleteError


class Plaintext(Memory):
    """One that keeps secrets in clear, and says so by its priority."""

    priority = 0.5  # type: ignore[assignment]  # the base has a whole number here


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    before = keyring.get_keyring()
    yield
    keyring.set_keyring(before)


@pytest.fixture
def memory() -> Memory:
    made = Memory()
    keyring.set_keyring(made)
    return made


def test_with_a_keyring_the_token_stands_in_no_file(memory: Memory) -> None:
    kept = keep_login(LOGIN)
    assert kept.in_keyring
    assert LOGIN.token not in login_file().read_text()
    assert list(memory.entries.values()) == [LOGIN.token]
    assert find_login() == kept
    forget_login(kept)
    assert memory.entries == {}
    assert find_login() is None


@pytest.mark.parametrize("backend", [fail.Keyring, null.Keyring, Plaintext])
def test_without_a_usable_keyring_the_file_is_for_its_owner_alone(backend: type[KeyringBackend]) -> None:
    made = backend()
    keyring.set_keyring(made)
    kept = keep_login(LOGIN)
    assert not kept.in_keyring
    assert stat.S_IMODE(login_file().stat().st_mode) == 0o600
    assert stat.S_IMODE(login_file().parent.stat().st_mode) == 0o700
    assert find_login() == LOGIN
    assert getattr(made, "entries", {}) == {}
    forget_login(kept)
    assert not login_file().exists()


def test_a_file_that_others_could_read_does_not_stay_readable(tmp_path: Path) -> None:
    keyring.set_keyring(fail.Keyring())  # type: ignore[no-untyped-call]  # the library has no types here
    login_file().parent.mkdir()
    login_file().write_text("{}")
    login_file().chmod(0o644)
    keep_login(LOGIN)
    assert stat.S_IMODE(login_file().stat().st_mode) == 0o600
    assert [path.name for path in login_file().parent.iterdir()] == ["login.json"]


def test_a_locked_keyring_falls_back_to_the_file_and_is_told_when_it_holds_the_token(memory: Memory) -> None:
    memory.fault = KeyringLocked()
    assert not keep_login(LOGIN).in_keyring
    memory.fault = None
    keep_login(LOGIN)
    memory.fault = KeyringLocked()
    with pytest.raises(ConfigurationError, match="Unlock it"):
        find_login()


def test_what_an_earlier_version_has_kept_is_read() -> None:
    login_file().parent.mkdir()
    login_file().write_text(json.dumps({"url": LOGIN.url, "token": LOGIN.token, "email": LOGIN.email}))
    assert find_login() == LOGIN


@pytest.mark.parametrize("content", ["", "{", "[]", '{"url": 1}'])
def test_a_file_that_is_none_of_ours_is_nobody(content: str) -> None:
    login_file().parent.mkdir()
    login_file().write_text(content)
    assert find_login() is None


def test_an_entry_that_somebody_deleted_is_nobody(memory: Memory) -> None:
    kept = keep_login(LOGIN)
    memory.entries.clear()
    assert find_login() is None
    forget_login(kept)
