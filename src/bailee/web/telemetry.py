"""OpenTelemetry, by setting: a span and a duration for each request, sent by OTLP over HTTPS.

Attributes are the route as it is written in the program, the method, the status, and the request's own random id: never
a path that somebody has sent, a query, a header, an account, a tenant or an address.
"""

import time
from pathlib import Path
from typing import Any

import requests
from litestar.types import Scope
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode

from bailee import __version__
from bailee.foundation.errors import ConfigurationError
from bailee.foundation.settings import Telemetry as TelemetrySettings
from bailee.web.metrics import method_of, route_of

_SECONDS = 10
_FAULTS = 500
_NANOSECONDS = 1_000_000_000


class Telemetry:
    """Sends what happens, in the background; does nothing without an endpoint.

    Raises ConfigurationError for a file that cannot be read, or an endpoint that is not https.
    """

    def __init__(self, settings: TelemetrySettings) -> None:
        self._tracing: TracerProvider | None = None
        self._metering: MeterProvider | None = None
        if not settings.endpoint:
            return
        if not settings.endpoint.startswith("https://"):
            raise ConfigurationError("telemetry.endpoint must begin with https://.")
        resource = Resource({"service.name": "bailee", "service.version": __version__})
        endpoint = settings.endpoint.rstrip("/")
        common: dict[str, Any] = {
            "certificate_file": settings.ca_file or None, "headers": _headers(settings.token_file), "timeout": _SECONDS,
        }  # fmt: skip
        self._tracing = TracerProvider(resource=resource, shutdown_on_exit=False)
        spans = OTLPSpanExporter(f"{endpoint}/v1/traces", session=_session(), **common)
        self._tracing.add_span_processor(BatchSpanProcessor(spans, schedule_delay_millis=settings.every_seconds * 1000))
        self._tracer = self._tracing.get_tracer("bailee")
        metrics = OTLPMetricExporter(f"{endpoint}/v1/metrics", session=_session(), **common)
        reader = PeriodicExportingMetricReader(metrics, export_interval_millis=settings.every_seconds * 1000)
        self._metering = MeterProvider([reader], resource=resource, shutdown_on_exit=False)
        self._durations = self._metering.get_meter("bailee").create_histogram(
            "http.server.request.duration", "s", "From a request's head to the head of its answer"
        )

    def count(self, scope: Scope, status: int) -> None:
        """Notes a request that is being answered."""
        if self._tracing is None:
            return
        state: dict[str, Any] = dict(scope.get("state", {}))
        seconds = time.monotonic() - state.get("began", time.monotonic())
        route, method = route_of(scope), method_of(scope)
        attributes: dict[str, str | int] = {
            "http.request.method": method,
            "http.route": route,
            "http.response.status_code": status,
        }
        self._durations.record(seconds, attributes)
        end = time.time_ns()
        span = self._tracer.start_span(
            f"{method} {route}", kind=SpanKind.SERVER, start_time=end - int(seconds * _NANOSECONDS),
            attributes={**attributes, "bailee.request_id": str(state.get("request_id", ""))},
        )  # fmt: skip
        if status >= _FAULTS:
            span.set_status(Status(StatusCode.ERROR))
        span.end(end)

    def close(self) -> None:
        """Sends what is left, for at most some seconds."""
        if self._tracing is not None:
            self._tracing.shutdown()
        if self._metering is not None:
            self._metering.shutdown(_SECONDS * 1000)


def _headers(token_file: str) -> dict[str, str]:
    if not token_file:
        return {}
    try:
        return {"authorization": f"Bearer {Path(token_file).read_text('utf-8').strip()}"}
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError(f"{token_file} is named in telemetry.token_file and cannot be read.") from None


def _session() -> requests.Session:
    """One that the environment's proxies and `.netrc` do not change."""
    session = requests.Session()
    session.trust_env = False
    return session
