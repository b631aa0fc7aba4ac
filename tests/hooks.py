"""A real HTTPS server on loopback that takes webhooks, or does not."""

import tempfile
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.smtp import _certified


class HookServer:
    """Keeps what it was sent. `answers` are the next statuses, 204 when there is none; 0 hangs up."""

    def __init__(self, directory: Path) -> None:
        self.ca_file = directory / "hooks.pem"
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.answers: deque[int] = deque()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                server.received.append((dict(self.headers.items()), body))
                status = server.answers.popleft() if server.answers else 204
                if status:
                    self.send_response(status)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                self.close_connection = True

            def log_message(self, *_arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = _certified(self.ca_file, ("localhost",))
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://localhost:{self._server.server_address[1]}/hook"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


@contextmanager
def hook_server() -> Iterator[HookServer]:
    with tempfile.TemporaryDirectory() as directory:
        server = HookServer(Path(directory))
        try:
            yield server
        finally:
            server.close()
