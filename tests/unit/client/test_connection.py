import logging
import ssl
from pathlib import Path

import httpx2
import pytest

from bailee.client import AsyncClient, Client
from bailee.client.connection import BearerToken, Connection
from tests.unit.client.conftest import RigOf
from tests.unit.client.harness import BASE_URL, TOKEN


@pytest.mark.parametrize(
    "base_url, why",
    [
        ("http://bailee.test", "in clear"),
        ("http://127.0.0.1:8000", "in clear"),
        ("bailee.test", "https://"),
        ("https://user:secret@bailee.test", "user or password"),
        ("https://", "name a host"),
        ("https://bailee.test/?a=b", "no query"),
        ("https://bailee.test:port", "not a URL"),
    ],
)
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_unsafe_base_url_is_refused(kind: type[Client | AsyncClient], base_url: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        kind(base_url, TOKEN)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("token", ["", "bailee_x\n", "a b", "ä"])
def test_token_that_cannot_be_a_header_is_refused_without_being_quoted(token: str) -> None:
    with pytest.raises(ValueError, match="the token must be") as caught:
        Client(BASE_URL, token)
    assert "bailee_x" not in str(caught.value)


@pytest.mark.parametrize("timeout, retries", [(0, 1), (-1, 1), (1, -1)])
def test_senseless_settings_are_refused(timeout: float, retries: int) -> None:
    with pytest.raises(ValueError, match="must be"):
        Client(BASE_URL, timeout=timeout, retries=retries)


async def test_token_is_on_the_wire_and_in_no_representation(rig_of: RigOf) -> None:
    rig = rig_of(httpx2.Response(200, json={}))
    await rig.one(rig.client.health())
    assert rig.script.header("Authorization") == [f"Bearer {TOKEN}"]
    shown = [rig.client, rig.client.runner, rig.client.runner.connection, rig.client.records, BearerToken(TOKEN)]
    assert TOKEN not in " ".join(map(repr, shown))
    assert TOKEN not in repr(rig.script.requests[0].headers)


async def test_without_a_token_no_authorization_is_sent() -> None:
    seen: list[httpx2.Headers] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.headers)
        return httpx2.Response(200, json={"status": "ok"})

    with Client(f"{BASE_URL}/behind/a/prefix/", transport=httpx2.MockTransport(answer)) as client:
        assert client.health() == {"status": "ok"}
    async with AsyncClient(BASE_URL, transport=httpx2.MockTransport(answer)) as other:
        assert await other.health() == {"status": "ok"}
    assert ["Authorization" in headers for headers in seen] == [False, False]


def test_prefix_of_the_base_url_is_kept() -> None:
    assert Connection(f"{BASE_URL}/prefix/", None, None, 1, 0).url("/health") == f"{BASE_URL}/prefix/health"


def test_certificates_and_host_names_are_always_verified() -> None:
    context = Connection(BASE_URL, None, None, 1, 0).tls()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_unreadable_ca_file_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Client(BASE_URL, ca_file=tmp_path / "missing.pem")
    (tmp_path / "empty.pem").write_text("nothing")
    with pytest.raises(ssl.SSLError):
        Client(BASE_URL, ca_file=tmp_path / "empty.pem")


async def test_log_of_requests_names_no_subject(rig_of: RigOf, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    view = {"subject": "ada", "records": [], "files": []}
    rig = rig_of(httpx2.Response(200, json=view))
    await rig.one(rig.client.subjects.get("ada@example.org"))
    assert f'HTTP Request: GET {BASE_URL}/ "HTTP/1.1 200 OK"' in caplog.messages
    assert "ada" not in caplog.text


async def test_log_of_other_clients_is_left_alone_and_ours_restored(
    rig_of: RigOf, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    filters = list(logging.getLogger("httpx2").filters)
    rig = rig_of()
    with httpx2.Client(transport=httpx2.MockTransport(lambda _: httpx2.Response(200))) as other:
        other.get("https://elsewhere.test/path")
    assert "https://elsewhere.test/path" in caplog.text
    await rig.close()
    assert logging.getLogger("httpx2").filters == filters
