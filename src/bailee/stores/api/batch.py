"""Many records in one request: NDJSON in, NDJSON out, a line for each line."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import msgspec
from litestar import Request, Response, post

from bailee.encryption.service import Keyring
from bailee.foundation.database import Database
from bailee.foundation.errors import Error, FieldError, Invalid, Malformed, TooLarge
from bailee.foundation.http import NDJSON, IdempotencyKey, decode_json, parse_uuid, problems, requires
from bailee.foundation.principal import Principal
from bailee.stores.idempotency import claim, complete
from bailee.stores.vault import NewRecord, Vault

MAX_LINES = 1000


class BatchLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One record of a batch."""

    data: dict[str, Any]
    subject: str | None = None
    id: str | None = None


class ReadLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One record to read."""

    id: str


class UnsupportedMedia(Error):
    """The body is of another media type than the route takes."""

    code = "unsupported_media_type"
    status = 415
    title = "Unsupported media type"


@post("/batch", summary="Store up to 1,000 records", operation_id="batchWriteRecords", status_code=200,
      media_type=NDJSON, responses=problems(409, 415), **requires("records.import"))  # fmt: skip
async def batch_write(
    request: Request[Any, Principal, Any], database: Database, vault: Vault, keyring: Keyring, principal: Principal,
    name: str, body: bytes, idempotency_key: IdempotencyKey = None,
) -> Response[bytes]:  # fmt: skip
    lines = split_lines(body, request.headers.get("Content-Type"))
    parsed = [_parse(line) for line in lines]
    async with database.tenant(principal.tenant) as tx:
        content = f"batch {name}\n".encode() + body
        claimed = await claim(tx, await keyring.index_key(tx.tenant), idempotency_key, content)
        general = await keyring.general_key(tx.tenant)
        if claimed and claimed.earlier:
            return _answer(claimed.open(general, tx.tenant), replayed=True)
        results = await vault.create_many(tx, name, parsed, by=principal)
        answer = b"".join(_encoded([_line(number, result) for number, result in enumerate(results, 1)]))
        if claimed:
            await complete(tx, claimed, claimed.sealed(general, tx.tenant, answer))
    return _answer(answer)


@post("/read", summary="Read up to 1,000 records", operation_id="batchReadRecords", status_code=200,
      media_type=NDJSON, responses=problems(415), **requires("records.fetch"))  # fmt: skip
async def batch_read(
    request: Request[Any, Principal, Any], database: Database, vault: Vault, principal: Principal, name: str,
    body: bytes,
) -> Response[bytes]:  # fmt: skip
    wanted = [_parse_id(line) for line in split_lines(body, request.headers.get("Content-Type"))]
    async with database.tenant(principal.tenant) as tx:
        found = await vault.read_many(tx, name, [one for one in wanted if isinstance(one, UUID)], by=principal)
    answer: list[dict[str, Any]] = []
    for number, one in enumerate(wanted, 1):
        if isinstance(one, UUID) and one in found:
            answer.append({"line": number, "record": found[one]})
        else:
            answer.append({"line": number, "error": {"code": "not_found", "detail": "There is no such record."}})
    return _answer(b"".join(_encoded(answer)))


def split_lines(body: bytes, content_type: str | None) -> list[bytes]:
    """The lines of an NDJSON body. Raises UnsupportedMedia, Malformed or TooLarge."""
    if (content_type or "").partition(";")[0].strip().lower() != NDJSON:
        raise UnsupportedMedia(f"Send {NDJSON}: one JSON object a line.")
    if body.count(b"\n") > MAX_LINES:
        raise TooLarge(f"A batch has at most {MAX_LINES} lines; send several.", max_lines=MAX_LINES)
    lines = body.removesuffix(b"\n").split(b"\n") if body.strip() else []
    if not lines:
        raise Malformed("The batch is empty: send one JSON object a line.")
    if len(lines) > MAX_LINES:
        raise TooLarge(f"A batch has at most {MAX_LINES} lines; send several.", max_lines=MAX_LINES)
    return lines


def _parse(line: bytes) -> NewRecord | Error:
    try:
        parsed = decode_json(line, BatchLine)
        record_id = None if parsed.id is None else _chosen_id(parsed.id)
    except (Malformed, Invalid) as error:
        return error
    return NewRecord(parsed.data, parsed.subject, record_id)


def _chosen_id(text: str) -> UUID:
    found = parse_uuid(text)
    if found is None:
        raise Invalid("The record is not valid.", errors=[FieldError("id", "Choose a UUID, or leave the id out.")])
    return found


def _parse_id(line: bytes) -> UUID | None:
    try:
        return parse_uuid(decode_json(line, ReadLine).id)
    except (Malformed, Invalid):
        return None


def _line(number: int, result: UUID | Error) -> dict[str, Any]:
    if isinstance(result, UUID):
        return {"line": number, "id": str(result)}
    error: dict[str, Any] = {"code": result.code, "detail": result.detail}
    if result.errors:
        error["errors"] = msgspec.to_builtins(list(result.errors))
    return {"line": number, "error": error}


def _answer(lines: bytes, *, replayed: bool = False) -> Response[bytes]:
    headers = {"Idempotency-Replayed": "true"} if replayed else {}
    return Response(lines, media_type=NDJSON, headers=headers)


def _encoded(lines: list[dict[str, Any]]) -> Iterator[bytes]:
    encoder = msgspec.json.Encoder()
    for line in lines:
        yield encoder.encode(line) + b"\n"
