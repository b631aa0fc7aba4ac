"""A real mail server on loopback: TLS, STARTTLS and a password are demanded, and every message is kept."""

# ruff: noqa: ARG002  aiosmtpd passes its hooks more than they use

import asyncio
import datetime as dt
import ipaddress
import ssl
import tempfile
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import msgspec
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bailee.foundation.settings import MailSettings

SENDER = "Bailee <noreply@bailee.example>"
USERNAME, PASSWORD = "bailee", "correct horse battery staple"
_PARSER = BytesParser(policy=policy.default)


class MailServer:
    """A submission server in a thread of its own, so that tests of either kind may wait for it.

    `names` are those of its certificate. `starttls=False` offers none, as a server whose offer is cut out on the way;
    `implicit=True` speaks TLS from the first byte.
    """

    def __init__(self, directory: Path, *, names: tuple[str, ...], starttls: bool, implicit: bool) -> None:
        self._implicit = implicit
        self.ca_file = directory / "mail.pem"
        self.password_file = directory / "mail-password"
        self.password_file.write_text(PASSWORD + "\n")
        self.messages: list[EmailMessage] = []
        self.raw: list[bytes] = []
        self.commands: list[str] = []
        """What clients have asked for, in order: EHLO, AUTH, MAIL, RCPT, DATA."""
        self.answers: deque[str] = deque()
        """What the next recipients are answered, in place of 250."""
        self._arrived = threading.Condition()
        self._context = _certified(self.ca_file, names) if starttls or implicit else None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="mail server", daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        self.port = int(self._server.sockets[0].getsockname()[1])

    def settings(self) -> dict[str, str]:
        """The environment variables of an instance that uses this server."""
        found: dict[str, Any] = msgspec.to_builtins(self.mail_settings())
        return {f"BAILEE_MAIL__{name.upper()}": str(value) for name, value in found.items()}

    def mail_settings(self, **changes: Any) -> MailSettings:
        """The same for services that a test opens itself, with `changes`."""
        told: dict[str, Any] = {
            "host": "localhost", "port": self.port, "username": USERNAME, "password_file": str(self.password_file),
            "security": "tls" if self._implicit else "starttls", "sender": SENDER,
            "ca_file": str(self.ca_file) if self._context else "",
        }  # fmt: skip
        return MailSettings(**(told | changes))

    def wait_for(self, *, to: str, subject: str = "", seconds: float = 20) -> EmailMessage:
        """The newest message to `to` whose subject contains `subject`, as soon as there is one."""
        found: EmailMessage | None = None

        def arrived() -> bool:
            nonlocal found
            fitting = [m for m in self.messages if to in str(m["To"]) and subject in str(m["Subject"])]
            found = fitting[-1] if fitting else None
            return found is not None

        with self._arrived:
            self._arrived.wait_for(arrived, seconds)
        known = [(str(message["To"]), str(message["Subject"])) for message in self.messages]
        assert found is not None, f"no mail to {to} about {subject!r}; there are {known}"
        return found

    def close(self) -> None:
        """Stops it; a second time does nothing."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _listen(self) -> asyncio.Server:
        context = self._context if self._implicit else None
        return await self._loop.create_server(self._protocol, "127.0.0.1", 0, ssl=context)

    async def _end(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _protocol(self) -> SMTP:
        """aiosmtpd demands a password only where it has begun TLS itself."""
        context = None if self._implicit else self._context
        demanded = context is not None
        return SMTP(
            self, hostname="localhost", tls_context=context, require_starttls=demanded, auth_required=demanded,
            auth_require_tls=not self._implicit, authenticator=self._authenticate, loop=self._loop, timeout=30,
        )  # fmt: skip

    # --- what aiosmtpd calls -------------------------------------------------------------------------

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object
    ) -> AuthResult:
        self.commands.append("AUTH")
        return AuthResult(success=data == LoginPassword(USERNAME.encode(), PASSWORD.encode()), handled=False)

    async def handle_EHLO(  # noqa: N802  aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        self.commands.append("EHLO")
        session.host_name = hostname
        return responses

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.commands.append("MAIL")
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.commands.append("RCPT")
        if self.answers:
            return self.answers.popleft()
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.commands.append("DATA")
        content = envelope.original_content or b""
        message = _PARSER.parsebytes(content)
        assert isinstance(message, EmailMessage)
        with self._arrived:
            self.raw.append(content)
            self.messages.append(message)
            self._arrived.notify_all()
        return "250 OK"


@contextmanager
def mail_server(
    *, names: tuple[str, ...] = ("localhost", "127.0.0.1"), starttls: bool = True, implicit: bool = False
) -> Iterator[MailServer]:
    """A mail server that runs for the duration."""
    with tempfile.TemporaryDirectory(prefix="bailee-mail-") as directory:
        server = MailServer(Path(directory), names=names, starttls=starttls and not implicit, implicit=implicit)
        try:
            yield server
        finally:
            server.close()


def _certified(ca_file: Path, names: tuple[str, ...]) -> ssl.SSLContext:
    """A context with a certificate of its own for `names`; `ca_file` is what a client trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail server of a test")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectAlternativeName([_general_name(each) for each in names]), critical=False)
        .sign(key, hashes.SHA256())
    )
    ca_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = ca_file.with_suffix(".key")
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ca_file, private)
    return context


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
