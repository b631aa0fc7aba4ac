"""A fresh second factor, asked for once and only where somebody can answer."""

import io
from pathlib import Path

import httpx2
import keyring
import pytest
from keyring.backends import fail

from bailee.cli import confirming
from bailee.cli.confirming import CommandLineClient
from bailee.cli.logins import Login, find_login, keep_login
from bailee.client import Forbidden
from bailee.foundation.errors import ConfigurationError
from tests.unit.client.harness import BASE_URL, Script, problem

LOGIN = Login(BASE_URL, "bst_old", "ada@example.org")
NOW = "2026-01-02T03:04:05Z"
SESSION = {"token": "bst_new", "expires_at": NOW, "account": {"id": "a1", "email": "ada@example.org", "name": "Ada"}}
TENANT = {"id": "t1", "name": "Acme", "state": "active", "plan": "standard"}
REFUSED = problem(403, "step_up_required")


class Terminal(io.StringIO):
    """What somebody types, with a terminal's word that somebody is there."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    keyring.set_keyring(fail.Keyring())  # type: ignore[no-untyped-call]  # the library has no types here
    keep_login(LOGIN)


def client_of(script: Script) -> CommandLineClient:
    return CommandLineClient(LOGIN, ca_file=None, transport=httpx2.MockTransport(script))


def type_in(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(text))
    monkeypatch.setattr("sys.stderr", Terminal())


def test_the_command_goes_on_with_the_new_token_and_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    type_in(monkeypatch, "123456\n")
    script = Script(REFUSED, httpx2.Response(200, json=SESSION), httpx2.Response(200, json=TENANT),
                    httpx2.Response(200, json=TENANT))  # fmt: skip
    with client_of(script) as client:
        assert client.tenants.create("Acme").id == "t1"
        client.tenants.get("t1")
    assert [request.url.path for request in script.requests] == [
        "/api/v1/tenants", "/api/v1/session/step-up", "/api/v1/tenants", "/api/v1/tenants/t1",
    ]  # fmt: skip
    assert script.requests[0].content == script.requests[2].content
    assert script.header("Authorization") == ["Bearer bst_old"] * 2 + ["Bearer bst_new"] * 2
    kept = find_login()
    assert kept is not None
    assert kept.token == "bst_new"


def test_a_download_goes_on_after_the_code_too(monkeypatch: pytest.MonkeyPatch) -> None:
    type_in(monkeypatch, "123456\n")
    script = Script(REFUSED, httpx2.Response(200, json=SESSION), httpx2.Response(200, content=b"whole"))
    with client_of(script) as client, client.terminations.export() as stream:
        assert stream.read() == b"whole"
    assert [request.url.path for request in script.requests] == [
        "/api/v1/export", "/api/v1/session/step-up", "/api/v1/export",
    ]  # fmt: skip


def test_a_second_refusal_is_not_asked_about_again(monkeypatch: pytest.MonkeyPatch) -> None:
    type_in(monkeypatch, "123456\n654321\n")
    script = Script(REFUSED, httpx2.Response(200, json=SESSION), REFUSED)
    with client_of(script) as client, pytest.raises(Forbidden, match="step_up_required"):
        client.tenants.create("Acme")
    assert script.spent


def test_a_wrong_code_ends_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    type_in(monkeypatch, "000000\n")
    script = Script(REFUSED, problem(403, "wrong_factor"))
    with client_of(script) as client, pytest.raises(Forbidden, match="wrong_factor"):
        client.tenants.create("Acme")
    assert find_login() == LOGIN


def test_without_a_terminal_it_says_what_to_do() -> None:
    script = Script(REFUSED)
    with client_of(script) as client, pytest.raises(ConfigurationError, match="bailee login"):
        client.tenants.create("Acme")


@pytest.mark.parametrize("code", ["forbidden", "tenant_closed"])
def test_another_refusal_is_passed_on(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setattr(confirming, "_ask_code", lambda: pytest.fail("nobody is to be asked"))
    with client_of(Script(problem(403, code))) as client, pytest.raises(Forbidden, match=code):
        client.tenants.create("Acme")


def test_a_stream_that_cannot_be_sent_twice_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    class Pipe(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, _buffer: object) -> int:
            return 0

    monkeypatch.setattr(confirming, "_ask_code", lambda: pytest.fail("nobody is to be asked"))
    with client_of(Script(REFUSED)) as client, pytest.raises(Forbidden, match="step_up_required"):
        client.files.put("a", io.BufferedReader(Pipe()))
