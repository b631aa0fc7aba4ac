"""Events go to the SIEM in the ledger's order, each one once, whatever dies in between."""

import base64
import hmac
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any

import pytest

from bailee.assembly import Services
from bailee.events import Event, Object
from bailee.events.catalogue import (
    AccountDisabled,
    AlertOpened,
    Details,
    IncidentOpened,
    PasswordChanged,
    RecordDeleted,
    RecordRead,
    SignedIn,
    SignInFailed,
    Started,
)
from bailee.events.model import Outcome, make_event
from bailee.foundation.clock import Clock
from bailee.foundation.errors import ConfigurationError
from bailee.foundation.ids import TenantId, new_id
from bailee.foundation.principal import ActorKind, Principal, system
from bailee.foundation.settings import ExportSettings
from bailee.monitoring.export.exporter import Export
from bailee.monitoring.export.ocsf import to_ocsf
from bailee.monitoring.export.sinks import ExportFailed
from tests.hooks import hook_server
from tests.smtp import _certified


async def _record(services: Services, count: int) -> None:
    for _ in range(count):
        async with services.database.operator() as tx:
            await services.events.record(tx, Started("1.0"), by=system("test"))
    while await services.sequencer.step():
        pass


async def _drain(export: Export) -> None:
    while await export.step():
        pass


def _lines(folder: Path) -> list[int]:
    """The ledger indexes in the files, in the files' order."""
    found = []
    for file in sorted(folder.glob("*.ndjson")):
        found += [json.loads(line)["metadata"]["sequence"] for line in file.read_text().splitlines()]
    return found


def _kinds(folder: Path) -> set[tuple[str, str]]:
    """The endings and modes of the files there."""
    return {(file.suffix, oct(file.stat().st_mode & 0o777)) for file in folder.iterdir()}


def _file_export(services: Services, folder: Path, batch: int = 4) -> Export:
    return Export(services.database, ExportSettings("files", "file", path=str(folder), batch=batch))


async def test_files_hold_every_event_once_in_order(own_services: Services, tmp_path: Path) -> None:
    await _record(own_services, 10)
    await _drain(_file_export(own_services, tmp_path))
    await _record(own_services, 3)
    await _drain(_file_export(own_services, tmp_path))
    found = _lines(tmp_path)
    assert found == list(range(len(found)))
    assert len(found) >= 13
    assert _kinds(tmp_path) == {(".ndjson", "0o600")}


async def test_a_crash_at_any_step_neither_loses_nor_doubles(
    own_services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the file, between the file and its being noted; and a folder that cannot be written."""
    await _record(own_services, 9)
    for place in ("send", "advance"):
        export = _file_export(own_services, tmp_path)
        with monkeypatch.context() as patched:
            if place == "send":
                patched.setattr(export._sink, "send", _killed)
            else:
                patched.setattr("bailee.monitoring.export.exporter.rows.advance", _killed)
            with pytest.raises(KeyboardInterrupt):
                await export.step()
        await _file_export(own_services, tmp_path).step()
    await _record(own_services, 5)  # a batch that was begun stays the batch that it was
    await _drain(_file_export(own_services, tmp_path))
    found = _lines(tmp_path)
    assert found == list(range(len(found)))
    (tmp_path / "blocked").write_text("a file, no folder")
    with pytest.raises(ExportFailed):
        await Export(
            own_services.database, ExportSettings("other", "file", path=str(tmp_path / "blocked" / "x"))
        ).step()  # fmt: skip


async def _killed(*_arguments: Any, **_keywords: Any) -> None:
    raise KeyboardInterrupt


class _Syslog:
    """A TLS syslog server that reads frames by their length."""

    def __init__(self, folder: Path) -> None:
        self.ca_file = folder / "syslog.pem"
        self.messages: list[bytes] = []
        self.hang_up = False
        outer = self

        class Handler(StreamRequestHandler):
            def handle(self) -> None:
                while not outer.hang_up:
                    length = b""
                    while (byte := self.rfile.read(1)) not in (b" ", b""):
                        length += byte
                    if not byte:
                        break
                    outer.messages.append(self.rfile.read(int(length)))

            def finish(self) -> None:
                super().finish()
                if not outer.hang_up:
                    connection = self.request
                    assert isinstance(connection, ssl.SSLSocket)
                    connection.unwrap()

        context = _certified(self.ca_file, ("localhost",))

        class Server(ThreadingTCPServer):
            daemon_threads = True

            def get_request(self) -> Any:
                raw, address = super().get_request()
                return context.wrap_socket(raw, server_side=True, suppress_ragged_eofs=True), address

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = int(self.server.server_address[1])
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()


@contextmanager
def _syslog(folder: Path) -> Iterator[_Syslog]:
    made = _Syslog(folder)
    try:
        yield made
    finally:
        made.server.shutdown()
        made.server.server_close()


async def test_syslog_over_tls(own_services: Services, tmp_path: Path) -> None:
    await _record(own_services, 6)
    with _syslog(tmp_path) as server:
        settings = ExportSettings(
            "siem", "syslog", host="localhost", port=server.port, ca_file=str(server.ca_file), batch=4
        )
        await _drain(Export(own_services.database, settings))
        sent = [message.decode() for message in server.messages]
        assert [int(one.partition('seq="')[2].partition('"')[0]) for one in sent] == list(range(len(sent)))
        for one in sent:
            head, _, rest = one.partition("] ")
            assert head.startswith("<110>1 ")
            assert json.loads(rest)["metadata"]["product"]["name"] == "Bailee"
        server.hang_up = True
        await _record(own_services, 2)
        with pytest.raises(ExportFailed):
            await _drain(Export(own_services.database, settings))
        server.hang_up = False
        await _drain(Export(own_services.database, settings))
        indexes = [int(one.decode().partition('seq="')[2].partition('"')[0]) for one in server.messages]
        assert sorted(set(indexes)) == list(range(max(indexes) + 1))
        wrong = ExportSettings("stranger", "syslog", host="localhost", port=server.port)
        with pytest.raises(ExportFailed):  # the system does not trust it
            await Export(own_services.database, wrong).step()


async def test_a_webhook_is_sent_the_same_batch_under_the_same_name(own_services: Services, tmp_path: Path) -> None:
    await _record(own_services, 3)
    (tmp_path / "secret").write_bytes(b"a shared secret\n")
    with hook_server() as server:
        settings = ExportSettings(
            "hook", "webhook", url=server.url, secret_file=str(tmp_path / "secret"), ca_file=str(server.ca_file)
        )
        server.answers.append(500)
        with pytest.raises(ExportFailed):
            await Export(own_services.database, settings).step()
        await _record(own_services, 3)
        for _ in range(2):  # the batch that was begun, then what came after it
            await _drain(Export(own_services.database, settings))
        (first, body), (second, again), _third = server.received
        assert body == again
        assert first["webhook-id"] == second["webhook-id"]
        signed = f"{second['webhook-id']}.{second['webhook-timestamp']}.".encode() + again
        expected = base64.b64encode(hmac.digest(b"a shared secret", signed, "sha256")).decode()
        assert second["webhook-signature"] == f"v1,{expected}"
        lines = [line for _, sent in server.received[1:] for line in sent.splitlines()]
        sequences = [json.loads(line)["metadata"]["sequence"] for line in lines]
        assert sequences == list(range(len(sequences)))


async def test_a_new_export_may_begin_with_what_is_to_come(own_services: Services, tmp_path: Path) -> None:
    await _record(own_services, 3)
    late = Export(
        own_services.database, ExportSettings("late", "file", path=str(tmp_path), from_beginning=False)
    )  # fmt: skip
    await _drain(late)
    assert _lines(tmp_path) == []
    await _record(own_services, 2)
    await _drain(late)
    assert len(_lines(tmp_path)) == 2


@pytest.mark.parametrize(
    "settings",
    [
        ExportSettings("a", "file"), ExportSettings("a", "file", path="relative"), ExportSettings("a", "syslog"),
        ExportSettings("a", "syslog", host="x", ca_file="/nowhere"), ExportSettings("a", "webhook", url="https://x"),
    ],
)  # fmt: skip
def test_settings_that_do_not_say_where_to_are_refused(services: Services, settings: ExportSettings) -> None:
    with pytest.raises(ConfigurationError):
        Export(services.database, settings)


# --- OCSF ------------------------------------------------------------------------------------------------


def _event(details: Details, outcome: Outcome = Outcome.SUCCESS) -> Event:
    by = Principal(ActorKind.MEMBER, str(new_id()), address="192.0.2.1", request_id=new_id(), session_id=new_id())
    return make_event(
        event_id=new_id(), time=Clock().now(), tenant=TenantId(new_id()), by=by, details=details,
        object_=Object("account", str(new_id())), outcome=outcome,
    )  # fmt: skip


@pytest.mark.parametrize(
    "details, class_uid, activity",
    [
        (SignedIn(["password"]), 3002, 1), (SignInFailed("code"), 3002, 1), (PasswordChanged("own"), 3001, 3),
        (AccountDisabled("dormant"), 3001, 5), (AlertOpened("rule:x", "high", 1), 2004, 1),
        (IncidentOpened("critical", exercise=False, by_alert=True), 2005, 1), (RecordRead("people"), 6005, 1),
        (RecordDeleted("people"), 6005, 7), (Started("1.0"), 6003, 99),
    ],
)  # fmt: skip
def test_each_kind_of_event_has_its_class(details: Details, class_uid: int, activity: int) -> None:
    event = _event(details)
    found = to_ocsf(event, 7)
    assert (found["class_uid"], found["activity_id"]) == (class_uid, activity)
    assert found["type_uid"] == class_uid * 100 + activity
    assert found["category_uid"] == class_uid // 1000
    assert found["metadata"]["uid"] == event.id
    assert found["metadata"]["tenant_uid"] == event.tenant
    assert found["src_endpoint"]["ip"] == "192.0.2.1"
    assert set(found) >= {"time", "severity_id", "status_id", "metadata", "activity_id", "category_uid", "type_uid"}


def test_severity_and_status_follow_the_event() -> None:
    assert to_ocsf(_event(AlertOpened("rule:x", "critical", 1)), 1)["severity"] == "Critical"
    failed = to_ocsf(_event(SignInFailed("code"), Outcome.REFUSED), 1)
    assert (failed["status_id"], failed["status_detail"], failed["severity"]) == (2, "refused", "Low")
