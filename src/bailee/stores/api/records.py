"""Records over REST."""

import contextlib
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from litestar import Request, Response, delete, get, patch, post, put

from bailee.encryption.service import Keyring
from bailee.foundation.database import Database, TenantWriter
from bailee.foundation.errors import FieldError, Invalid, NotFound
from bailee.foundation.http import (
    Cursor,
    IdempotencyKey,
    IfMatch,
    Limit,
    Page,
    decode_id_cursor,
    decode_json,
    encode_cursor,
    etag,
    parse_uuid,
    problems,
    requires,
    version_of,
)
from bailee.foundation.principal import Principal
from bailee.stores.idempotency import Claim, claim, complete
from bailee.stores.model import Record
from bailee.stores.vault import NewRecord, Vault

_WHERE = "where."
_OWN = {"limit", "cursor", "subject"}


class RecordBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A record to store."""

    data: dict[str, Any]
    subject: str | None = None


class DataBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A record's new data, or the patch to it."""

    data: dict[str, Any]


@post("/", summary="Store a record", operation_id="createRecord", responses=problems(409),
      **requires("records.create"))  # fmt: skip
async def create_record(
    request: Request[Any, Principal, Any], database: Database, vault: Vault, keyring: Keyring, principal: Principal,
    name: str, data: RecordBody, idempotency_key: IdempotencyKey = None,
) -> Response[Record]:  # fmt: skip
    content = await _content(request)  # before the transaction: nothing in it waits for the caller
    async with database.tenant(principal.tenant) as tx:
        claimed = await _claim(tx, keyring, content, idempotency_key)
        if claimed and claimed.earlier:
            return await _replay(tx, vault, name, claimed.earlier, principal, data.subject, data.data)
        record = await vault.create(tx, name, NewRecord(data.data, data.subject), by=principal)
        await complete(tx, claimed, _kept(record, 201))
    return _answer(record, 201, location=f"/api/v1/collections/{name}/records/{record.id}")


@get("/", summary="List or search records", operation_id="listRecords", responses=problems(409),
     description="Equality on searchable fields: `where.<field path>=<value>`, repeated for AND.",
     **requires("records.search"))  # fmt: skip
async def list_records(
    request: Request[Any, Principal, Any], database: Database, vault: Vault, principal: Principal, name: str,
    limit: Limit = 100, cursor: Cursor = None, subject: str | None = None,
) -> Page[Record]:  # fmt: skip
    where = _where(request)
    async with database.tenant(principal.tenant) as tx:
        records, following = await vault.search(
            tx, name, subject=subject, where=where, after=decode_id_cursor(cursor), limit=limit, by=principal
        )
    return Page(records, encode_cursor(following) if following else None)


@get("/{record:str}", summary="One record", operation_id="getRecord", responses=problems(),
     **requires("records.read"))  # fmt: skip
async def get_record(
    request: Request[Any, Principal, Any], database: Database, vault: Vault, principal: Principal, name: str,
    record: str,
) -> Response[Any]:  # fmt: skip
    async with database.tenant(principal.tenant) as tx:
        found = await vault.read(tx, name, _id(record), by=principal)
    if request.headers.get("If-None-Match") == etag(found.version):
        return Response(b"", status_code=304, headers={"ETag": etag(found.version)})
    return Response(found, headers={"ETag": etag(found.version)})


@put("/{record:str}", summary="Replace a record's data", operation_id="replaceRecord", responses=problems(409, 412),
     **requires("records.replace"))  # fmt: skip
async def replace_record(
    request: Request[Any, Principal, Any], database: Database, vault: Vault, keyring: Keyring, principal: Principal,
    name: str, record: str, data: DataBody, if_match: IfMatch = None, idempotency_key: IdempotencyKey = None,
) -> Response[Record]:  # fmt: skip
    version = version_of(if_match)
    content = await _content(request)
    async with database.tenant(principal.tenant) as tx:
        claimed = await _claim(tx, keyring, content, idempotency_key)
        if claimed and claimed.earlier:
            return await _replay(tx, vault, name, claimed.earlier, principal, None, data.data)
        changed = await vault.replace(tx, name, _id(record), data.data, version=version, by=principal)
        await complete(tx, claimed, _kept(changed, 200))
    return _answer(changed, 200)


@patch("/{record:str}", summary="Change some of a record's data (RFC 7396)", operation_id="patchRecord",
       responses=problems(409, 412, 415), **requires("records.change", "records.read"))  # fmt: skip
async def patch_record(
    request: Request[Any, Principal, Any], database: Database, vault: Vault, keyring: Keyring, principal: Principal,
    name: str, record: str, body: bytes, if_match: IfMatch = None, idempotency_key: IdempotencyKey = None,
) -> Response[Record]:  # fmt: skip
    version = version_of(if_match)
    changes = decode_json(body, DataBody).data
    content = await _content(request)
    async with database.tenant(principal.tenant) as tx:
        claimed = await _claim(tx, keyring, content, idempotency_key)
        if claimed and claimed.earlier:
            return await _replay(tx, vault, name, claimed.earlier, principal, None, changes)
        changed = await vault.patch(tx, name, _id(record), changes, version=version, by=principal)
        await complete(tx, claimed, _kept(changed, 200))
    return _answer(changed, 200)


@delete("/{record:str}", summary="Delete a record", operation_id="deleteRecord", responses=problems(412),
        **requires("records.delete"))  # fmt: skip
async def delete_record(
    request: Request[Any, Principal, Any], database: Database, vault: Vault, keyring: Keyring, principal: Principal,
    name: str, record: str, if_match: IfMatch = None, idempotency_key: IdempotencyKey = None,
) -> None:  # fmt: skip
    version = version_of(if_match)
    content = _target(request)
    async with database.tenant(principal.tenant) as tx:
        claimed = await _claim(tx, keyring, content, idempotency_key)
        if claimed and claimed.earlier:
            return
        await vault.delete(tx, name, _id(record), version=version, by=principal)
        await complete(tx, claimed, {"status": 204})


def _target(request: Request[Any, Principal, Any]) -> bytes:
    return f"{request.method} {request.url.path} {request.headers.get('If-Match')}\n".encode()


async def _content(request: Request[Any, Principal, Any]) -> bytes:
    """What makes two requests the same."""
    return _target(request) + await request.body()


async def _claim(tx: TenantWriter, keyring: Keyring, content: bytes, key: str | None) -> Claim | None:
    return None if key is None else await claim(tx, await keyring.index_key(tx.tenant), key, content)


class _Kept(msgspec.Struct, frozen=True):
    """What is kept of an answer: enough to give it again together with the request, and no content."""

    status: int
    id: UUID
    version: int
    created_at: datetime
    updated_at: datetime


def _kept(record: Record, status: int) -> dict[str, Any]:
    kept: dict[str, Any] = msgspec.to_builtins(
        _Kept(status, record.id, record.version, record.created_at, record.updated_at)
    )
    return kept


async def _replay(
    tx: TenantWriter, vault: Vault, name: str, earlier: dict[str, Any], principal: Principal, subject: str | None,
    data: dict[str, Any],
) -> Response[Record]:  # fmt: skip
    """The earlier answer: the record if it is still as it was then and may be read, else made from the request."""
    kept = msgspec.convert(earlier, _Kept)
    record = Record(kept.id, kept.version, subject, data, kept.created_at, kept.updated_at)
    if principal.may("records.read"):
        with contextlib.suppress(NotFound):
            present = await vault.read(tx, name, kept.id, by=principal)
            record = present if present.version == kept.version else record
    answer = _answer(record, kept.status)
    answer.headers["Idempotency-Replayed"] = "true"
    return answer


def _answer(record: Record, status: int, location: str | None = None) -> Response[Record]:
    headers = {"ETag": etag(record.version)}
    if location:
        headers["Location"] = location
    return Response(record, status_code=status, headers=headers)


def _where(request: Request[Any, Principal, Any]) -> dict[str, str]:
    where: dict[str, str] = {}
    for key, value in request.query_params.multi_items():
        if key.startswith(_WHERE):
            path = key.removeprefix(_WHERE)
            if path in where:
                raise Invalid("A field can be compared with one value.", errors=[FieldError("where", "Name it once.")])
            where[path] = str(value)
        elif key not in _OWN:
            raise Invalid(
                "A query parameter is not known.",
                errors=[FieldError("query", "Use limit, cursor, subject and where.<field>.")],
            )
    return where


def _id(text: str) -> UUID:
    found = parse_uuid(text)
    if found is None:
        raise NotFound
    return found
