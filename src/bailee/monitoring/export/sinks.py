"""Where events go: a folder of NDJSON files, a syslog server over TLS, a webhook.

A batch is a stretch of the ledger, fixed before it is first tried: whoever is sent it again gets the same under the
same name, and can tell. `send` returns when the other side has it for good.
"""

import asyncio
import os
import re
import socket
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import msgspec

from bailee.foundation.errors import ConfigurationError, Error
from bailee.foundation.outbound import Outbound, Unanswered
from bailee.foundation.settings import ExportSettings
from bailee.monitoring.webhooks import sign

_SECONDS = 20.0
_SUCCESS = range(200, 300)
_AUDIT = 13
"""The syslog facility for log audit (RFC 5424 §6.2.1)."""
_SYSLOG_SEVERITY = {1: 6, 2: 5, 3: 4, 4: 3, 5: 2}
_PRINTABLE = re.compile(r"[^!-~]")


class ExportFailed(Error):
    """The other side did not take a batch; it is tried again."""

    code = "export_failed"
    status = 503
    title = "Events could not be exported"


class Batch(msgspec.Struct, frozen=True):
    """The leaves from `first` to before `until`, as OCSF; without those whose events were forgotten."""

    first: int
    until: int
    events: list[dict[str, Any]]

    @property
    def name(self) -> str:
        return f"{self.first:016}-{self.until - 1:016}"

    @property
    def ndjson(self) -> bytes:
        return b"".join(msgspec.json.encode(one) + b"\n" for one in self.events)


class Sink(Protocol):
    """Takes batches."""

    async def send(self, batch: Batch) -> None: ...

    async def close(self) -> None: ...


class FileSink:
    """A file for each batch, whole or not there: written beside, made durable, and renamed."""

    def __init__(self, settings: ExportSettings) -> None:
        self._folder = Path(settings.path)
        if not settings.path or not self._folder.is_absolute():
            raise ConfigurationError(f"monitoring.exports: {settings.name} needs an absolute path of a folder.")

    async def send(self, batch: Batch) -> None:
        try:
            await asyncio.to_thread(self._write, batch)
        except OSError as error:
            raise ExportFailed(f"{self._folder} cannot be written ({error.strerror}).") from None

    async def close(self) -> None:
        pass

    def _write(self, batch: Batch) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._folder / f"events-{batch.name}.ndjson"
        if path.exists():  # a crash came between the rename and its being noted
            self._sync()
            return
        temporary = path.with_suffix(".part")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(batch.ndjson)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
        self._sync()

    def _sync(self) -> None:
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


class SyslogSink:
    """RFC 5424 messages over TLS, framed by length (RFC 5425). One connection a batch.

    Syslog knows no receipt. What there is: the closing of TLS, which the other side answers after it has read all that
    came before (RFC 5425 §4.4). A batch whose closing is not answered is sent again, whole; `seq` tells it from new.
    """

    def __init__(self, settings: ExportSettings) -> None:
        if not settings.host:
            raise ConfigurationError(f"monitoring.exports: {settings.name} needs a host.")
        self._host, self._port = settings.host, settings.port
        try:
            self._trust = ssl.create_default_context(cafile=settings.ca_file or None)
        except OSError:
            raise ConfigurationError(f"monitoring.exports: {settings.ca_file} holds no certificates.") from None
        self._trust.minimum_version = ssl.TLSVersion.TLSv1_2
        self._from = socket.gethostname()

    async def send(self, batch: Batch) -> None:
        frames = b"".join(self._frame(one) for one in batch.events)
        if not frames:
            return
        try:
            await asyncio.to_thread(self._send, frames)
        except OSError as error:  # ssl.SSLError too
            raise ExportFailed(
                f"The syslog server {self._host}:{self._port} did not take it ({type(error).__name__})."
            ) from None

    async def close(self) -> None:
        pass

    def _send(self, frames: bytes) -> None:
        with socket.create_connection((self._host, self._port), _SECONDS) as raw:
            secured = self._trust.wrap_socket(raw, server_hostname=self._host)
            try:
                secured.sendall(frames)
                secured.unwrap()
            finally:
                secured.close()

    def _frame(self, event: dict[str, Any]) -> bytes:
        about = event["metadata"]
        moment = datetime.fromtimestamp(event["time"] / 1000, UTC).isoformat(timespec="milliseconds")
        priority = _AUDIT * 8 + _SYSLOG_SEVERITY[event["severity_id"]]
        host, code = (_PRINTABLE.sub("_", text) for text in (self._from, about["event_code"]))
        head = f"<{priority}>1 {moment.replace('+00:00', 'Z')} {host} bailee - {code[:32]} "
        data = f'[bailee@32473 seq="{about["sequence"]}" id="{about["uid"]}"] '
        message = head.encode() + data.encode() + msgspec.json.encode(event)
        return f"{len(message)} ".encode() + message


class WebhookSink:
    """NDJSON to an address of the operator's, signed as Standard Webhooks says."""

    def __init__(self, settings: ExportSettings) -> None:
        self._settings = settings
        try:
            self._secret = Path(settings.secret_file).read_bytes().strip()
            self._out = Outbound(settings.ca_file, allow_private=True)  # the operator's own address
        except OSError:
            raise ConfigurationError(
                f"monitoring.exports: {settings.name} needs a secret_file, and a ca_file that can be read."
            ) from None

    async def send(self, batch: Batch) -> None:
        body, name = batch.ndjson, f"{self._settings.name}-{batch.name}"
        moment = str(int(datetime.now(UTC).timestamp()))
        headers = {
            "Content-Type": "application/x-ndjson", "webhook-id": name, "webhook-timestamp": moment,
            "webhook-signature": sign(self._secret, name, moment, body),
        }  # fmt: skip
        try:
            answer = await self._out.ask("POST", self._settings.url, headers, body)
        except Unanswered as error:
            raise ExportFailed(f"{self._settings.name} did not answer: {error.detail}") from None
        if answer.status not in _SUCCESS:
            raise ExportFailed(f"{self._settings.name} answered {answer.status}.")

    async def close(self) -> None:
        await self._out.close()


def open_sink(settings: ExportSettings) -> Sink:
    """Raises ConfigurationError for settings that do not say where to."""
    if settings.kind == "file":
        return FileSink(settings)
    return SyslogSink(settings) if settings.kind == "syslog" else WebhookSink(settings)
