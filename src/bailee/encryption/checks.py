"""Proves 3.1: a live handshake with our own endpoint."""

import asyncio
import os
import socket
import ssl
from datetime import timedelta
from urllib.parse import urlsplit

import anyio.to_thread
from cryptography import x509

from bailee.assurance import Facts, Finding, Verdict, check
from bailee.encryption.tls import Certificates
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database
from bailee.foundation.settings import Settings

_WARNING = timedelta(days=14)
_SECONDS = 10


@check("encryption.tls_handshake", measure="3.1", every=timedelta(minutes=15))
async def tls_handshake(settings: Settings, certificates: Certificates, clock: Clock, database: Database) -> Finding:
    """Shakes hands with the running server as a customer would: chain, name, protocol, expiry; and without TLS."""
    parts = urlsplit(settings.base_url)
    host, port = parts.hostname or "localhost", parts.port or 443
    try:
        protocol, certificate = await anyio.to_thread.run_sync(_handshake, host, port, certificates)
    except ssl.SSLError as error:
        return Finding(Verdict.BROKEN, f"The handshake failed: {error.reason}.", {"host": host, "port": port})
    left = certificate.not_valid_after_utc - clock.now()
    plain, old = await asyncio.gather(
        anyio.to_thread.run_sync(_answers_plainly, host, port), anyio.to_thread.run_sync(_accepts_tls_1_1, host, port)
    )
    unencrypted = await _database_in_clear(database)
    facts: Facts = {
        "protocol": protocol, "days_left": left.days, "answers_without_tls": plain, "accepts_tls_1_1": old,
        "database_without_tls": unencrypted,
    }  # fmt: skip
    if plain or old or unencrypted or left < timedelta(0):
        return Finding(Verdict.BROKEN, "Data can travel without TLS, or with an outdated one.", facts)
    if left < _WARNING:
        return Finding(Verdict.ATTENTION, f"The certificate expires in {left.days} days.", facts)
    summary = f"{protocol}, verified chain, {left.days} days left; nothing answers in the clear."
    return Finding(Verdict.HOLDS, summary, facts)


def _handshake(host: str, port: int, certificates: Certificates) -> tuple[str, x509.Certificate]:
    context = ssl.create_default_context()
    if certificates.ca_file is not None:
        context.load_verify_locations(certificates.ca_file)
    with (
        socket.create_connection((host, port), _SECONDS) as raw,
        context.wrap_socket(raw, server_hostname=host) as tls,
    ):
        return tls.version() or "", x509.load_der_x509_certificate(tls.getpeercert(binary_form=True) or b"")


def _answers_plainly(host: str, port: int) -> bool:
    """Whether the port answers HTTP in the clear with anything but a redirect to HTTPS."""
    try:
        with socket.create_connection((host, port), _SECONDS) as raw:
            raw.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answer = raw.recv(4096)
    except OSError:
        return False
    return answer.startswith(b"HTTP/") and b"location: https://" not in answer.lower()


def _accepts_tls_1_1(host: str, port: int) -> bool:
    """Whether the server goes along with a ClientHello of TLS 1.1 (RFC 4346 §7.4.1.2): a handshake, not an alert."""
    suites = bytes.fromhex("c009 c013 c00a c014 002f 0035")
    groups = bytes.fromhex("000a 0006 0004 001d 0017  000b 0002 0100")  # x25519 and P-256, uncompressed points
    hello = b"".join((
        b"\x03\x02", os.urandom(32), b"\x00", len(suites).to_bytes(2), suites, b"\x01\x00",
        len(groups).to_bytes(2), groups,
    ))  # fmt: skip
    handshake = b"\x01" + len(hello).to_bytes(3) + hello
    try:
        with socket.create_connection((host, port), _SECONDS) as raw:
            raw.settimeout(_SECONDS)
            raw.sendall(b"\x16\x03\x01" + len(handshake).to_bytes(2) + handshake)
            return raw.recv(1) == b"\x16"
    except OSError:
        return False


async def _database_in_clear(database: Database) -> bool:
    """Whether our own connection to PostgreSQL crosses a network without TLS."""
    async with database.operator_read() as tx:
        over_network: bool = await tx.value("SELECT inet_server_addr() IS NOT NULL")
        return over_network and not tx.connection.pgconn.ssl_in_use
