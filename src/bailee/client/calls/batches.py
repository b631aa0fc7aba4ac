"""Records by the thousand, as NDJSON: one JSON value per line, each with its own result."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import httpx2
import msgspec

from bailee.client.answers import ndjson_answer, unreadable
from bailee.client.call import Call, api, idempotency, json_body
from bailee.client.models.data import BatchLine, BatchResult, ReadResult

# What the server takes in one request.
MOST_LINES = 1000
MOST_BYTES = 8 * 1024 * 1024

_NDJSON = {"Content-Type": "application/x-ndjson", "Accept": "application/x-ndjson, application/problem+json"}


def write(
    collection: str, lines: Iterable[BatchLine | Mapping[str, Any]], *, idempotency_key: str | None = None
) -> Iterator[Call[list[BatchResult]]]:
    """Store a record for each line (`data`, and `subject` and `id` if wanted), in requests of up to
    1000 lines and 8 MiB. `lines` is drawn on as the results are consumed.

    A line that is refused does not stop the others. An error that stops a whole request is raised
    after the results of all earlier requests. To resume an import after that, or after a crash,
    repeat it with the same `idempotency_key` and the same lines: request n uses the key
    `<idempotency_key>/<n>`, and those that were done are answered, not done again.
    Raises ValueError for a line above 8 MiB.
    """
    path = api("collections", collection, "records", "batch")
    for number, (first, count, body) in enumerate(_chunks(lines), start=1):
        headers = _NDJSON | idempotency(None if idempotency_key is None else f"{idempotency_key}/{number}")
        yield Call(method="POST", path=path, headers=headers, body=body, parse=_results(BatchResult, first, count))


def read(collection: str, record_ids: Iterable[str]) -> Iterator[Call[list[ReadResult]]]:
    """Read many records by their identifiers; one that is not there has an error in its result."""
    path = api("collections", collection, "records", "read")
    for first, count, body in _chunks({"id": record_id} for record_id in record_ids):
        parse = _results(ReadResult, first, count)
        yield Call(method="POST", path=path, headers=_NDJSON, body=body, parse=parse, safe=True)


def _chunks(lines: Iterable[BatchLine | Mapping[str, Any]]) -> Iterator[tuple[int, int, bytes]]:
    """The number of the first line, how many lines, and the NDJSON, for each request."""
    first, count, body = 1, 0, bytearray()
    for line in lines:
        encoded = json_body(line) + b"\n"
        if count and (count == MOST_LINES or len(body) + len(encoded) > MOST_BYTES):
            yield first, count, bytes(body)
            first, count, body = first + count, 0, bytearray()
        if len(encoded) > MOST_BYTES:
            raise ValueError(f"line {first} is larger than the {MOST_BYTES} bytes that one request can hold")
        body += encoded
        count += 1
    if count:
        yield first, count, bytes(body)


def _results[R: BatchResult | ReadResult](
    kind: type[R], first: int, count: int
) -> Callable[[httpx2.Response], list[R]]:
    """A parser of the results of `count` lines, renumbered so that the first is `first`.

    Raises ApiError unless there is exactly one result for each line: a line that nobody speaks of
    must not pass for stored.
    """
    lines = ndjson_answer(kind)

    def parse(response: httpx2.Response) -> list[R]:
        results = lines(response)
        if sorted(result.line for result in results) != list(range(1, count + 1)):
            raise unreadable(response, f"it does not have one result for each of the {count} lines")
        return [msgspec.structs.replace(result, line=first - 1 + result.line) for result in results]

    return parse
