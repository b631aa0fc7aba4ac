"""The check of 3.1 against servers that break the promise."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import override

import pytest

from bailee.assembly import Services
from bailee.assurance import Finding, Verdict
from bailee.encryption.checks import tls_handshake
from bailee.encryption.tls import Certificates, ensure_certificates
from bailee.foundation.clock import Clock
from bailee.foundation.settings import Settings, Web

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Later(Clock):
    """A clock that is ahead."""

    def __init__(self, by: timedelta) -> None:
        super().__init__()
        self._by = by

    @override
    def _wall(self) -> datetime:
        return super()._wall() + self._by


@contextmanager
def _server(context: ssl.SSLContext | None) -> Iterator[int]:
    """Answers every connection on loopback, over TLS if there is a context for it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run() -> None:
            while True:
                try:
                    raw, _ = listener.accept()
                except OSError:
                    return
                try:
                    with context.wrap_socket(raw, server_side=True) if context else raw as connection:
                        connection.settimeout(2)
                        connection.recv(1000)
                        connection.sendall(_ANSWER)
                except (OSError, ssl.SSLError):
                    raw.close()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(5)


def _context(certificates: Certificates) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate, certificates.private_key)
    return context


def _settings(data: Path, port: int = 1) -> Settings:
    return Settings(data=data, web=Web(port=port))


async def _check(services: Services, port: int, certificates: Certificates, clock: Clock) -> Finding:
    settings = _settings(services.settings.data, port)
    return await tls_handshake(settings=settings, certificates=certificates, clock=clock, database=services.database)


async def test_good_server_holds(services: Services, tmp_path: Path) -> None:
    own = ensure_certificates(_settings(tmp_path), Clock())
    with _server(_context(own)) as port:
        found = await _check(services, port, own, Clock())
    assert found.verdict is Verdict.HOLDS, found


async def test_server_without_tls_is_broken(services: Services, tmp_path: Path) -> None:
    own = ensure_certificates(_settings(tmp_path), Clock())
    with _server(None) as port:
        assert (await _check(services, port, own, Clock())).verdict is Verdict.BROKEN


async def test_certificate_of_a_stranger_is_broken(services: Services, tmp_path: Path) -> None:
    own = ensure_certificates(_settings(tmp_path / "own"), Clock())
    foreign = ensure_certificates(_settings(tmp_path / "foreign"), Clock())
    with _server(_context(foreign)) as port:
        assert (await _check(services, port, own, Clock())).verdict is Verdict.BROKEN


@pytest.mark.parametrize("days,verdict", [(80, Verdict.ATTENTION), (95, Verdict.BROKEN)])
async def test_certificate_near_or_past_its_end_is_seen(
    services: Services, tmp_path: Path, days: int, verdict: Verdict
) -> None:
    own = ensure_certificates(_settings(tmp_path), Clock())
    with _server(_context(own)) as port:
        assert (await _check(services, port, own, Later(timedelta(days=days)))).verdict is verdict
