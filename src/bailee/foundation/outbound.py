"""HTTPS to addresses that tenants name: a way out which must not become a way in.

1. Only https, to a host name or address, without credentials or fragment.
2. The name is resolved here, and the connection goes to an address that was looked at: a name whose answer changes
   between the look and the connection leads nowhere else.
3. An address that is not public is refused, in whatever notation it comes.
4. The certificate is verified for the name. Redirects are not followed, environment proxies not used.
5. Everything is bounded: time, the answer's size, connections.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpcore2

from bailee.foundation.errors import Error

type Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_SECONDS = 10.0
_MAX_BYTES = 512 * 1024
_MAX_URL = 2000
_MAX_CONNECTIONS = 20
_MAX_PER_HOST = 3
"""Somebody who does not answer keeps so many waiting; everybody else's go on."""
_MAX_HOSTS = 1000
_EMBEDDING = tuple(map(ipaddress.IPv6Network, ("::/96", "64:ff9b::/96", "64:ff9b:1::/48")))
"""IPv6 addresses that stand for an IPv4 address behind a translator, or once did: none is anybody's web server."""


class Unanswered(Error):
    """Nobody has answered: not there, not trusted, or not in time. `reason` is one word for a log."""

    code = "unanswered"
    status = 422
    title = "There was no answer"

    def __init__(self, detail: str, reason: str) -> None:
        super().__init__(detail)
        self.reason = reason


class NotPublic(Unanswered):
    """An address that nobody outside reaches: asking it for an answer would be a way into the inside."""

    def __init__(self) -> None:
        super().__init__("The name leads to an address that is not public. Give its public one.", "not_public")


class Answer:
    """What came back: the status, and up to 512 KiB of the body."""

    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        self.body = body


class Outbound:
    """Asks servers that others have named. Raises OSError for a trust root that cannot be read."""

    def __init__(self, ca_file: str, *, allow_private: bool) -> None:
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=_trust(ca_file), network_backend=_Guarded(allow_private=allow_private), http1=True, http2=False,
            max_connections=_MAX_CONNECTIONS, max_keepalive_connections=0,
        )  # fmt: skip
        self._places: OrderedDict[str, asyncio.Semaphore] = OrderedDict()

    async def ask(self, method: str, url: str, headers: Mapping[str, str], content: bytes | None) -> Answer:
        """One request to a URL that `is_plain_https`. Raises Unanswered."""
        told = [("Accept-Encoding", "identity"), ("User-Agent", "bailee"), *headers.items()]
        try:
            async with (
                asyncio.timeout(_SECONDS),
                self._place(urlsplit(url).netloc),
                self._pool.stream(method, url, headers=told, content=content) as answer,
            ):
                return Answer(answer.status, await _read(answer))
        except (httpcore2.ConnectError, httpcore2.NetworkError, httpcore2.ProtocolError, OSError):
            raise Unanswered(
                "It cannot be reached over HTTPS, or its certificate does not verify.", "unreachable"
            ) from None
        except (TimeoutError, httpcore2.TimeoutException):
            raise Unanswered("It took too long to answer.", "too_slow") from None

    async def close(self) -> None:
        await self._pool.aclose()

    def _place(self, host: str) -> asyncio.Semaphore:
        place = self._places.setdefault(host, asyncio.Semaphore(_MAX_PER_HOST))
        self._places.move_to_end(host)
        if len(self._places) > _MAX_HOSTS:
            self._places.popitem(last=False)
        return place


def is_plain_https(url: str) -> bool:
    """Whether it is a plain https URL (step 1)."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    plain = url.isascii() and url.isprintable() and len(url) <= _MAX_URL and " " not in url and "\\" not in url
    return bool(
        plain and parts.scheme == "https" and parts.hostname and port != 0 and "@" not in parts.netloc
        and not parts.fragment and "#" not in url
    )  # fmt: skip


def is_public(address: Address) -> bool:
    """Whether everybody reaches it. What carries an IPv4 address inside is as public as that."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.is_site_local or any(address in network for network in _EMBEDDING):
            return False
        teredo = address.teredo
        inner = address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)
        if inner is not None:
            return is_public(inner)
    return address.is_global and not address.is_multicast and not address.is_reserved and not address.is_unspecified


class _Guarded(httpcore2.AsyncNetworkBackend):
    """Connects to addresses that were looked at (steps 2 and 3)."""

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._backend = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self, host: str, port: int, timeout: float | None = None,  # noqa: ASYNC109  the interface's own
        local_address: str | None = None, socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:  # fmt: skip
        addresses = await _resolve(host, port)
        if not self._allow_private and not all(is_public(address) for address in addresses):
            raise NotPublic
        failure: Exception = httpcore2.ConnectError()
        for address in addresses[:4]:
            try:
                return await self._backend.connect_tcp(
                    str(address), port, timeout=timeout, local_address=local_address, socket_options=socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure


async def _resolve(host: str, port: int) -> list[Address]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # UnicodeError: labels that no name has
        raise httpcore2.ConnectError from None
    addresses: list[Address] = []
    for *_kind, place in found:
        address = ipaddress.ip_address(str(place[0]).partition("%")[0])
        if address not in addresses:
            addresses.append(address)
    if not addresses:
        raise httpcore2.ConnectError
    return addresses


async def _read(answer: httpcore2.Response) -> bytes:
    parts, size = [], 0
    async for part in answer.aiter_stream():
        size += len(part)
        if size > _MAX_BYTES:
            raise Unanswered("Its answer is too large.", "too_large")
        parts.append(part)
    return b"".join(parts)


def _trust(ca_file: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_file or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
