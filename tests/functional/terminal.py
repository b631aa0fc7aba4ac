"""The command line at a terminal: what it asks is seen, and answered, as a person would."""

import contextlib
import fcntl
import os
import pty
import select
import subprocess
import sys
import termios
import time
from collections.abc import Mapping

_SECONDS = 60


class Terminal:
    """`bailee …` with a terminal of its own for questions and messages; what it prints goes to a pipe."""

    def __init__(self, environment: Mapping[str, str], *arguments: str) -> None:
        self._master, slave = pty.openpty()
        self.seen = ""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bailee.cli", *arguments],
            env={**environment, "TERM": "dumb", "COLUMNS": "200"}, stdin=slave, stdout=subprocess.PIPE, stderr=slave,
            start_new_session=True, text=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509  where getpass asks; one system call
        )  # fmt: skip
        os.close(slave)

    def expect(self, text: str) -> str:
        """Waits until the terminal shows `text`; answers everything that it has shown."""
        deadline = time.monotonic() + _SECONDS
        while text not in self.seen:
            assert time.monotonic() < deadline, f"no {text!r} in: {self.seen}"
            assert self._read(0.2) or self.process.poll() is None, f"it ended without {text!r}: {self.seen}"
        return self.seen

    def send(self, line: str) -> None:
        os.write(self._master, f"{line}\n".encode())

    def finish(self) -> tuple[int, str]:
        """Waits for the end; answers the exit code and what was printed."""
        assert self.process.stdout is not None
        printed = self.process.stdout.read()
        code = self.process.wait(_SECONDS)
        while self._read(0.1):
            pass
        self.process.stdout.close()
        os.close(self._master)
        return code, printed

    def end(self) -> None:
        """Ends it, if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], seconds)
        if not ready:
            return False
        with contextlib.suppress(OSError):  # the other end is closed
            part = os.read(self._master, 65536).decode("utf-8", "replace")
            self.seen += part
            return bool(part)
        return False
