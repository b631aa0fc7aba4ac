"""OpenTelemetry: spans and durations arrive at a real OTLP receiver, and nobody is named in them."""

import contextlib
import gzip
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.functional.conftest import FreshInstance
from tests.functional.instance import eventually
from tests.smtp import _certified

pytestmark = [pytest.mark.functional, pytest.mark.timeout(180)]

MARKER = "marker-of-somebody-5678"
ALLOWED = {"http.request.method", "http.route", "http.response.status_code", "bailee.request_id"}


class Collector:
    """Takes OTLP over HTTPS, and keeps what was sent."""

    def __init__(self, folder: Path) -> None:
        self.ca_file = folder / "collector.pem"
        self.received: list[tuple[str, str, bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                outer.received.append((self.path, self.headers.get("Authorization", ""), body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = _certified(self.ca_file, ("localhost",))
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://localhost:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def bodies(self, path: str) -> list[bytes]:
        return [body for sent, _, body in self.received if sent == path]


@contextlib.contextmanager
def _collector() -> Iterator[Collector]:
    with tempfile.TemporaryDirectory() as folder:
        made = Collector(Path(folder))
        try:
            yield made
        finally:
            made.close()


def test_requests_are_told_and_nobody_is_named(fresh_instance: FreshInstance, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("a token for telemetry\n")
    with _collector() as collector:
        instance = fresh_instance(
            BAILEE_TELEMETRY__ENDPOINT=collector.url, BAILEE_TELEMETRY__CA_FILE=str(collector.ca_file),
            BAILEE_TELEMETRY__TOKEN_FILE=str(token), BAILEE_TELEMETRY__EVERY_SECONDS="1",
        )  # fmt: skip
        instance.set_up().close()
        with instance.staff_client() as staff:
            tenant = staff.tenants.create(MARKER).id
        with instance.http(instance.staff_token) as http:
            assert http.get(f"/api/v1/tenants/{tenant}").is_success
            http.get(f"/{MARKER}?q={MARKER}", headers={"User-Agent": MARKER})
        eventually(lambda: _names(collector) >= {"GET /api/v1/tenants/{tenant}", "GET unmatched"}, seconds=20,
                   what="the spans")  # fmt: skip
        eventually(lambda: bool(collector.bodies("/v1/metrics")), seconds=20, what="the durations")
        assert instance.stop() == 0
        assert {authorization for _, authorization, _ in collector.received} == {"Bearer a token for telemetry"}
        for path, _, body in collector.received:
            for hidden in (MARKER, tenant, "127.0.0.1", "owner@", instance.staff_token):
                assert hidden.encode() not in body, (path, hidden)
        assert _attributes(collector) <= ALLOWED


def _names(collector: Collector) -> set[str]:
    found = set()
    for body in collector.bodies("/v1/traces"):
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            found |= {span.name for scope in resource.scope_spans for span in scope.spans}
    return found


def _attributes(collector: Collector) -> set[str]:
    """The names of all attributes of spans and of measurements."""
    found = set()
    for body in collector.bodies("/v1/traces"):
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                found |= {one.key for span in scope.spans for one in span.attributes}
    for body in collector.bodies("/v1/metrics"):
        for measured in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            for inner in measured.scope_metrics:
                points = [point for metric in inner.metrics for point in metric.histogram.data_points]
                found |= {one.key for point in points for one in point.attributes}
    return found
