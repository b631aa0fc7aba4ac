"""Records over REST."""

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
    etag,
    page_of,
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
      **requires("records:write"))  # fmt: skip
async def create_record(
    request: Request[Any, Principal, Any], database: Database, vault: Vault, keyring: Keyring, principal: Principal,
    name: str, data: RecordBody, idempotency_key: IdempotencyKey = None,
) -> Response[Record]:  # fmt: skip
    async with database.tenant(principal.tenant) as tx:
        claimed = await _claim(tx, keyring, request, idempotency_key)
        if claimed and claimed.earlier:
            return await _replay(tx, vault, name, claimed.earlier, principal)
        record = await vault.create(tx, name, NewRecord(data.data, data.subject), by=principal)
        await complete(tx, claimed, {"status": 201, "id": str(record.id)})
    return _answer(record, 201, location=f"/api/v1/collections/{name}/records/{record.id}")


@get("/", summary="List or search records", operation_id="listRecords", responses=problems(409),
     description="Equality on searchable fields: `where.<field path>=<value>`, repeated for AND.",
     **requires("records:read"))  # fmt: skip
async def list_records(
    request: Request[Any, Principal, Any], database: Database, vault: Vault, principal: Principal, name: str,
    limit: Limit = 100, cursor: Cursor = None, subject: str | None = None,
) -> Page[Record]:  # fmt: skip
    where = _where(request)
    async with database.tenant(principal.tenant) as tx:
        rows = await vault.search(
            tx, name, subject=subject, where=where, after=decode_id_cursor(cursor), limit=limit + 1, by=principal
        )
    return page_of(rows, limit, lambda record: record.id)


@get("/{record:str}", summary="One record", operation_id="getRecord", responses=problems(),
     **requires("records:read"))  # fmt: skip
async def get_record(
    request: Request[Any, Principal, Any], database: Database, vault: Vault, principal: Principal, name: str,
    record: str,
) -> Response[Record | None]:  # fmt: skip
    async with database.tenant(principal.tenant) as tx:
        found = await vault.read(tx, name, _id(record), by=principal)
    if request.headers.get("If-None-Match") == etag(found.version):
        return Response(None, status_code=304, headers={"ETag": etag(found.version)})
    return Response(found, headers={"ETag": etag(found.version)})


@put("/{record:str}", summary="Replace a record's data", operation_id="replaceRecord", responses=problems(409, 412),
     **requires("records:write"))  # fmt: skip
async def replace_record(
    request: Request[Any, Principal, Any], database: Database, vault: Vault, keyring: Keyring, principal: Principal,
    name: str, record: str, data: DataBody, if_match: IfMatch = None, idempotency_key: IdempotencyKey = None,
) -> Response[Record]:  # fmt: skip
    version = version_of(if_match)
    async with database.tenant(principal.tenant) as tx:
        claimed = await _claim(tx, keyring, request, idempotency_key)
        if claimed and claimed.earlier:
            return await _replay(tx, vault, name, claimed.earlier, principal)
        changed = await vault.replace(tx, name, _id(record), data.data, version=version, by=principal)
        await complete(tx, claimed, {"status": 200, "id": str(changed.id)})
    return _answer(changed, 200)


@patch("/{record:str}", summary="Change some of a record's data (RFC 7396)", operation_id="patchRecord",
       responses=problems(409, 412, 415), **requires("records:write"))  # fmt: skip
async def patch_record(
    request: Request[Any, Principal, Any], database: Database, vault: Vault, keyring: Keyring, principal: Principal,
    name: str, record: str, body: bytes, if_match: IfMatch = None, idempotency_key: IdempotencyKey = None,
) -> Response[Record]:  # fmt: skip
    version = version_of(if_match)
    changes = decode_json(body, DataBody).data
    async with database.tenant(principal.tenant) as tx:
        claimed = await _claim(tx, keyring, request, idempotency_key)
        if claimed and claimed.earlier:
            return await _replay(tx, vault, name, claimed.earlier, principal)
        changed = await vault.patch(tx, name, _id(record), changes, version=version, by=principal)
        await complete(tx, claimed, {"status": 200, "id": str(changed.id)})
    return _answer(changed, 200)


@delete("/{record:str}", summary="Delete a record", operation_id="deleteRecord", responses=problems(412),
        **requires("records:write"))  # fmt: skip
async def delete_record(
    request: Request[Any, Principal, Any], database: Database, vault: Vault, keyring: Keyring, principal: Principal,
    name: str, record: str, if_match: IfMatch = None, idempotency_key: IdempotencyKey = None,
) -> None:  # fmt: skip
    version = version_of(if_match)
    async with database.tenant(principal.tenant) as tx:
        claimed = await _claim(tx, keyring, request, idempotency_key)
        if claimed and claimed.earlier:
            return
        await vault.delete(tx, name, _id(record), version=version, by=principal)
        await complete(tx, claimed, {"status": 204})


async def _claim(
    tx: TenantWriter, keyring: Keyring, request: Request[Any, Principal, Any], key: str | None
) -> Claim | None:
    if key is None:
        return None
    content = f"{request.method} {request.url.path} {request.headers.get('If-Match')}\n".encode() + await request.body()
    return await claim(tx, await keyring.index_key(tx.tenant), key, content)


async def _replay(
    tx: TenantWriter, vault: Vault, name: str, earlier: dict[str, Any], principal: Principal
) -> Response[Record]:
    record = await vault.read(tx, name, UUID(earlier["id"]), by=principal)
    answer = _answer(record, earlier["status"])
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
