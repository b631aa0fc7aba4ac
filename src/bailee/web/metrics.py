"""Metrics for Prometheus, and whether the process is ready.

Labels are routes as they are written in the program, methods and statuses: never a path that somebody has sent, an
account, a tenant or an address.
"""

import asyncio
import hmac
import time
from pathlib import Path
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.types import Scope
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from bailee.foundation.database import Database
from bailee.foundation.errors import ConfigurationError, Error, NotFound, Unavailable
from bailee.foundation.http import problems
from bailee.foundation.principal import Unauthenticated
from bailee.monitoring.health import Health, measure

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_READY_SECONDS = 3.0
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """What is counted in this process, and read from the database when it is asked for.

    Raises ConfigurationError for a token's file that cannot be read.
    """

    def __init__(self, token_file: str) -> None:
        self._token = b""
        if token_file:
            try:
                self._token = Path(token_file).read_bytes().strip()
            except OSError:
                raise ConfigurationError(
                    f"{token_file} is named in monitoring.metrics_token_file and cannot be read."
                ) from None
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "bailee_requests", "Requests answered", ["method", "route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "bailee_request_seconds", "From a request's head to the head of its answer", ["method", "route"],
            registry=self._registry, buckets=_BUCKETS,
        )  # fmt: skip
        self._gauges: dict[str, Gauge] = {}

    def verify(self, authorization: str) -> None:
        """Raises NotFound where metrics are not offered, Unauthenticated for another token."""
        if not self._token:
            raise NotFound
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(token.strip().encode(), self._token):
            raise Unauthenticated("Send the token for metrics as: Authorization: Bearer <token>.")

    def count(self, scope: Scope, status: int) -> None:
        """Counts a request that is being answered."""
        state: dict[str, Any] = dict(scope.get("state", {}))
        route, method = route_of(scope), method_of(scope)
        self._requests.labels(method, route, str(status)).inc()
        if "began" in state:
            self._seconds.labels(method, route).observe(time.monotonic() - state["began"])

    def render(self, health: Health) -> bytes:
        """In Prometheus' text format."""
        for name, value in health.values.items():
            if name not in self._gauges:
                self._gauges[name] = Gauge(f"bailee_{name}", health.help[name], registry=self._registry)
            self._gauges[name].set(value)
        return generate_latest(self._registry)


def route_of(scope: Scope) -> str:
    """The route as the program has it, whatever path was sent."""
    return str(scope.get("path_template") or "unmatched")


def method_of(scope: Scope) -> str:
    """The method, of those that there are."""
    sent = str(dict(scope).get("method"))
    return sent if sent in _METHODS else "other"


class Readiness(msgspec.Struct, frozen=True):
    """What the process needs, and whether it is there."""

    status: str
    main: bool
    keyring: bool


@get("/ready", summary="Whether requests may be sent here", operation_id="getReadiness", responses=problems(),
     tags=["Health"])  # fmt: skip
async def ready(database: Database, keyring_database: Database) -> Readiness:
    """503 while one of the database servers does not answer."""
    answers = [await _answers(one) for one in (database, keyring_database)]
    if not all(answers):
        raise Unavailable("A database server does not answer.")
    return Readiness("ready", *answers)


async def _answers(database: Database) -> bool:
    try:
        async with asyncio.timeout(_READY_SECONDS), database.operator_read() as tx:
            await tx.value("SELECT 1")
    except (Error, TimeoutError):
        return False
    return True


@get("/metrics", include_in_schema=False)
async def metrics(request: Request[Any, Any, Any], database: Database, metrics_of: Metrics) -> Response[bytes]:
    metrics_of.verify(request.headers.get("authorization", ""))
    async with database.operator_read() as tx:
        health = await measure(tx)
    return Response(metrics_of.render(health), media_type=CONTENT_TYPE_LATEST)
