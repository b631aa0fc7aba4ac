"""Where the server is, how it is trusted, and who calls: what both clients share."""

import logging
import os
import re
import ssl
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import override

import httpx2

from bailee.client.errors import ConnectionFailed

# What may stand in a header: anything else would be refused deep inside, in an error that quotes it.
_TOKEN = re.compile(r"[\x21-\x7e]+")

DEFAULT_HEADERS = {"Accept": "application/json, application/problem+json", "User-Agent": "bailee-client"}


@dataclass(frozen=True, slots=True)
class Connection:
    """The settings of a client, checked. Raises ValueError for those that are unusable or unsafe."""

    base_url: str
    token: str | None = field(repr=False)
    ca_file: str | os.PathLike[str] | None
    timeout: float
    retries: int

    def __post_init__(self) -> None:
        _check_url(self.base_url)
        if self.token is not None and not _TOKEN.fullmatch(self.token):
            raise ValueError("the token must be printable ASCII without spaces: is there a line end at its end?")
        if self.timeout <= 0:
            raise ValueError("timeout must be more than 0 seconds")
        if self.retries < 0:
            raise ValueError("retries must be 0 or more")

    @property
    def auth(self) -> "BearerToken | None":
        return None if self.token is None else BearerToken(self.token)

    def url(self, target: str) -> str:
        return self.base_url.rstrip("/") + target

    def tls(self) -> ssl.SSLContext:
        """Verifies certificate and host name, always: against the system's roots, and `ca_file`."""
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.ca_file is not None:
            context.load_verify_locations(cafile=self.ca_file)
        return context


def _check_url(base_url: str) -> None:
    try:
        url = httpx2.URL(base_url)
    except httpx2.InvalidURL as error:
        raise ValueError("base_url is not a URL") from error
    if url.userinfo:
        raise ValueError("base_url must not hold a user or password: pass the token as `token`")
    if url.scheme != "https":
        raise ValueError(f"base_url must start with https://, not {url.scheme}://: Bailee is never spoken to in clear")
    if not url.host or url.query or url.fragment:
        raise ValueError("base_url must name a host, and have no query or fragment")


class BearerToken(httpx2.Auth):
    """Puts the token on a request as it leaves, so that it stands nowhere else."""

    def __init__(self, token: str) -> None:
        self._token = token

    @override
    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response]:
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request

    @override
    def __repr__(self) -> str:
        return "BearerToken(…)"


class RequestLogFilter(logging.Filter):
    """Cuts URLs of one client down to their origin, in the line that httpx2 logs for each request.

    Paths and queries name data subjects, and logs carry diagnostics only.
    """

    def __init__(self, base_url: str) -> None:
        super().__init__()
        self._origin = httpx2.URL(base_url).origin

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(self._shortened(argument) for argument in record.args)
        return True

    def _shortened(self, argument: object) -> object:
        if isinstance(argument, httpx2.URL) and argument.origin == self._origin:
            return argument.copy_with(raw_path=b"/", fragment=None)
        return argument


@contextmanager
def quiet_log(base_url: str) -> Iterator[None]:
    """Keep data subjects out of the log of httpx2, for as long as the client is open."""
    log, quiet = logging.getLogger("httpx2"), RequestLogFilter(base_url)
    log.addFilter(quiet)
    try:
        yield
    finally:
        log.removeFilter(quiet)


@contextmanager
def connecting(base_url: str) -> Iterator[None]:
    """Turns what the transport raises into ConnectionFailed. Works around `await` as well."""
    try:
        yield
    except httpx2.RequestError as error:
        kind = type(error).__name__
        if _untrusted(error):
            detail = f"{base_url} has a certificate that is not trusted: pass its authority as ca_file"
            raise ConnectionFailed(detail, lasting=True) from error
        timed_out = isinstance(error, httpx2.TimeoutException)
        lasting = isinstance(error, httpx2.LocalProtocolError | httpx2.DecodingError)
        raise ConnectionFailed(
            f"no usable answer from {base_url} ({kind})", timed_out=timed_out, lasting=lasting
        ) from error


def _untrusted(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
