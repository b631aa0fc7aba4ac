"""One request, as a value: what to send, and how to read the answer. Nothing here does I/O."""

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from bailee.client.answers import Parse, json_answer
from bailee.client.bodies import Body
from bailee.client.downloads import PartFile
from bailee.client.models.base import Page

type Query = tuple[tuple[str, str], ...]

_IDEMPOTENT_METHODS = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?")


def _ends(_result: object) -> None:
    """Most calls are not followed by another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call[T]:
    """One request and the parser of its answer.

    `safe` marks a POST that only reads. `sink` takes the body of a success in place of memory.
    `follow` gives the call to make after this one, if the result asks for it: the next page.
    The representation leaves out all that may hold personal data or a secret.
    """

    method: str
    path: str = field(repr=False)
    parse: Parse[T] = field(repr=False)
    query: Query = field(default=(), repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | Body | None = field(default=None, repr=False)
    safe: bool = False
    sink: PartFile | None = field(default=None, repr=False)
    follow: Callable[[T], "Call[T] | None"] = field(default=_ends, repr=False)

    @property
    def target(self) -> str:
        """The path and the query, percent-encoded."""
        return f"{self.path}?{urlencode(self.query, quote_via=quote)}" if self.query else self.path

    @property
    def repeatable(self) -> bool:
        """Whether sending it twice does no more than sending it once, and is possible."""
        idempotent = self.safe or self.method in _IDEMPOTENT_METHODS or "Idempotency-Key" in self.headers
        return idempotent and (self.body is None or isinstance(self.body, bytes) or self.body.replayable)

    def request_headers(self) -> dict[str, str]:
        """The headers of the next attempt: a download asks only for what it does not have yet."""
        headers = dict(self.headers)
        if self.body is not None and not isinstance(self.body, bytes) and self.body.length is not None:
            headers["Content-Length"] = str(self.body.length)
        return headers | (self.sink.request_headers() if self.sink else {})


def segment(text: str) -> str:
    """`text` as one path segment, with every reserved character encoded (RFC 3986, 2.2).

    "." and ".." would be removed on the way as relative segments, so their dots are encoded too.
    Raises ValueError for an empty segment, which would name another resource.
    """
    if not text:
        raise ValueError("an identifier in a path must not be empty")
    return text.replace(".", "%2E") if text in {".", ".."} else quote(text, safe="")


def api(*segments: str) -> str:
    """The path of a resource of the API, from its unencoded segments."""
    return "/api/v1/" + "/".join(map(segment, segments))


def query(**parameters: str | int | None) -> Query:
    """The parameters that have a value."""
    return tuple((name, str(value)) for name, value in parameters.items() if value is not None)


def paged[T](
    answer: type[Page[T]], path: str, *, parameters: Query = (), cursor: str | None = None, limit: int | None = None
) -> Call[Page[T]]:
    """One page of a list."""
    return Call(
        method="GET", path=path, query=parameters + query(cursor=cursor, limit=limit), parse=json_answer(answer)
    )


def with_followers[T](call: Call[Page[T]]) -> Call[Page[T]]:
    """The page, followed by all pages after it."""

    def follow(page: Page[T]) -> Call[Page[T]] | None:
        return None if page.next is None else with_followers(at_cursor(call, page.next))

    return replace(call, follow=follow)


def at_cursor[T](call: Call[T], cursor: str) -> Call[T]:
    """The same call, from another place in the list."""
    others = tuple(parameter for parameter in call.query if parameter[0] != "cursor")
    return replace(call, query=(*others, ("cursor", cursor)))


def json_body(value: object) -> bytes:
    """JSON, with datetime, date, UUID and Decimal values written as strings."""
    return msgspec.json.encode(value)


def sent_json[T](method: str, path: str, value: Mapping[str, Any], parse: Parse[T]) -> Call[T]:
    """A call with a JSON body and nothing else."""
    headers = {"Content-Type": "application/json"}
    return Call(method=method, path=path, body=json_body(value), headers=headers, parse=parse)


def act[T](path: str, parse: Parse[T]) -> Call[T]:
    """A POST that says all by its path."""
    return Call(method="POST", path=path, parse=parse)


def idempotency(key: str | None) -> dict[str, str]:
    """The header that makes a mutation safe to repeat, with a fresh key unless one is given.

    Raises ValueError unless the key is 1–255 printable ASCII characters without outer spaces.
    """
    if key is None:
        key = str(uuid.uuid4())
    elif not _IDEMPOTENCY_KEY.fullmatch(key):
        raise ValueError("an idempotency key is 1–255 printable ASCII characters, without spaces at its ends")
    return {"Idempotency-Key": key}
