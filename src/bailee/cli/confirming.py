"""The command line's client: when an act asks for a fresh second factor, it asks the person, and repeats the act."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import override

import httpx2
import msgspec

from bailee.cli.logins import Login, keep_login
from bailee.cli.output import err
from bailee.client import Client, Forbidden, Session
from bailee.client.call import Call
from bailee.client.calls import sessions
from bailee.client.connection import BearerToken, Connection
from bailee.client.groups import Surface
from bailee.client.models.data import FileHead
from bailee.client.sync import Download, SyncRunner
from bailee.foundation.errors import ConfigurationError

_TIMEOUT, _RETRIES = 30.0, 4


class ConfirmingRunner(SyncRunner):
    """Executes calls as a kept sign-in, and keeps the tokens that replace its own."""

    def __init__(self, connection: Connection, login: Login, transport: httpx2.BaseTransport | None = None) -> None:
        super().__init__(connection, transport)
        self._login = login

    @override
    def once[T](self, call: Call[T]) -> T:
        """The result of this call alone; after a step-up where it asks for one. Raises ConfigurationError."""
        try:
            return super().once(call)
        except Forbidden as error:
            self._confirm(call, error)
        return super().once(call)

    @override
    @contextmanager
    def stream(self, call: Call[FileHead]) -> Iterator[Download]:
        """The same for a response whose body is read by the caller."""
        with ExitStack() as opened:
            try:
                found = opened.enter_context(super().stream(call))
            except Forbidden as error:
                self._confirm(call, error)
                found = opened.enter_context(super().stream(call))
            yield found

    def _confirm[T](self, call: Call[T], error: Forbidden) -> None:
        """Shows a second factor, if that is what was missing. Raises `error` where it was something else."""
        if error.code != "step_up_required" or not _replayable(call):
            raise error
        self.keep(super().once(sessions.step_up(_ask_code())))

    def keep(self, session: Session) -> None:
        """Goes on with the token that has replaced the one before, and keeps it."""
        if session.token is not None:
            self._http.auth = BearerToken(session.token)
            self._login = keep_login(msgspec.structs.replace(self._login, token=session.token))


class CommandLineClient(Client):
    """A client for a kept sign-in; otherwise as `Client`."""

    def __init__(
        self, login: Login, *, ca_file: str | os.PathLike[str] | None, transport: httpx2.BaseTransport | None = None
    ) -> None:
        connection = Connection(login.url, login.token, ca_file, _TIMEOUT, _RETRIES)
        self.confirming = ConfirmingRunner(connection, login, transport)
        Surface.__init__(self, self.confirming)


def _replayable[T](call: Call[T]) -> bool:
    whole = call.body is None or isinstance(call.body, bytes) or call.body.replayable
    return whole and call.sink is None


def _ask_code() -> str:
    """A code from whoever sits at the terminal. Raises ConfigurationError where nobody does."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise ConfigurationError(
            "This needs your second factor again, and nobody is here to be asked for it. Run it in a terminal, or "
            "sign in again with `bailee login` and repeat it within five minutes."
        )
    err.print("This needs your second factor again: a code from your authenticator app, or a recovery code.")
    return err.input("Code: ").strip()
