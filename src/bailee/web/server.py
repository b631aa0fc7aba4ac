"""Serves the app with Granian: TLS 1.3, HTTP/1.1 and HTTP/2, stopped gracefully."""

import os
import signal
from typing import Any

import structlog
from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings, HTTP2Settings
from granian.log import LogLevels
from litestar import Litestar

from bailee.assembly import open_services
from bailee.encryption.tls import ensure_certificates
from bailee.foundation.clock import Clock
from bailee.foundation.cluster import die_with_parent
from bailee.foundation.logs import configure_logs
from bailee.foundation.settings import Settings, load_settings
from bailee.web.app import create_app

log = structlog.get_logger()

_HEADERS_MS = 15_000
_HEADER_BYTES = 64 * 1024
_STOP_SECONDS = 30


class Application:
    """The app, built when the server starts it: its services are open from startup to shutdown."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._app: Litestar | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif self._app is not None:
            await self._app(scope, receive, send)

    async def _lifespan(self, receive: Any, send: Any) -> None:
        await receive()
        try:
            async with open_services(self._settings) as services:
                app = create_app(services)
                async with app.lifespan():
                    self._app = app
                    await send({"type": "lifespan.startup.complete"})
                    await receive()
        except Exception as error:
            # Told as a failed start, or the server would go on and answer nobody. Its supervisor starts it again.
            log.exception("the server cannot start")
            await send({"type": "lifespan.startup.failed", "message": type(error).__qualname__})
            return
        await send({"type": "lifespan.shutdown.complete"})


def create() -> Application:
    """What each worker process of the server runs."""
    die_with_parent(signal.SIGKILL)
    settings = load_settings(os.environ)
    configure_logs("serve", settings.logs.level, settings.data / "logs")
    return Application(settings)


def serve(settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT; requests under way are finished."""
    certificates = ensure_certificates(settings, Clock())
    Granian(
        "bailee.web.server:create",
        address=settings.web.host,
        port=settings.web.port,
        interface=Interfaces.ASGI,
        loop=Loops.uvloop,
        workers=settings.web.workers,
        respawn_failed_workers=True,
        workers_kill_timeout=_STOP_SECONDS,
        backlog=1024,
        http=HTTPModes.auto,
        http1_settings=HTTP1Settings(header_read_timeout=_HEADERS_MS),
        http2_settings=HTTP2Settings(max_headers_size=_HEADER_BYTES),
        websockets=False,
        ssl_cert=certificates.certificate,
        ssl_key=certificates.private_key,
        log_level=LogLevels.warning,
        log_access=False,
    ).serve(target_loader=create, wrap_loader=False)
