"""Files over REST: streamed both ways, with byte ranges (RFC 9110 §14)."""

import re
from collections.abc import AsyncIterator
from typing import Any

from litestar import Request, Response, delete, get, head, put
from litestar.response import Stream

from bailee.foundation.database import Database
from bailee.foundation.errors import TooLarge
from bailee.foundation.http import (
    Cursor,
    IfMatch,
    Limit,
    Page,
    decode_cursor,
    encode_cursor,
    etag,
    problems,
    requires,
    version_of,
)
from bailee.foundation.principal import Principal
from bailee.foundation.settings import Settings
from bailee.stores.errors import RangeNotSatisfiable
from bailee.stores.files import Files, OpenFile
from bailee.stores.model import StoredFile

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)
_PLAIN = "application/octet-stream"


@put("/{file:str}", summary="Store a file", operation_id="storeFile", responses=problems(409, 412),
     request_max_body_size=None, **requires("files.store"))  # fmt: skip
async def store_file(
    request: Request[Any, Principal, Any], files: Files, settings: Settings, principal: Principal, file: str,
    subject: str | None = None, if_match: IfMatch = None,
) -> Response[StoredFile]:  # fmt: skip
    limit = settings.web.max_file_bytes
    length = request.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) > limit:
        raise TooLarge(f"A file has at most {limit} bytes.", max_bytes=limit)
    stored, created = await files.store(
        principal.tenant, file, request.stream(), subject=subject,
        content_type=request.headers.get("Content-Type", _PLAIN), version=version_of(if_match), by=principal,
    )  # fmt: skip
    return Response(stored, status_code=201 if created else 200, headers={"ETag": etag(stored.version)})


@get("/{file:str}", summary="A file's content", operation_id="getFile", responses=problems(412, 416), media_type=_PLAIN,
     **requires("files.open"))  # fmt: skip
async def get_file(
    request: Request[Any, Principal, Any], database: Database, files: Files, principal: Principal, file: str,
    if_match: IfMatch = None,
) -> Response[Any]:  # fmt: skip
    opened = await _opened(database, files, principal, file, if_match)
    described = opened.file
    headers = _headers(described)
    if request.headers.get("If-None-Match") == headers["ETag"]:
        return Response(b"", status_code=304, headers={"ETag": headers["ETag"]})
    start, end, partial = _range(request, described)
    headers["Content-Length"] = str(end - start)
    if partial:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{described.size}"
    # The first bytes are read before the answer begins: what cannot be opened is a problem, not a broken download.
    content = files.content(opened, start, end)
    first = await anext(content, b"")
    return Stream(
        _with_first(first, content),
        status_code=206 if partial else 200,
        headers=headers,
        media_type=described.content_type,
    )


@head("/{file:str}", summary="A file's size and type", operation_id="headFile", responses=problems(412),
      media_type=_PLAIN, **requires("files.open"))  # fmt: skip
async def head_file(
    database: Database, files: Files, principal: Principal, file: str, if_match: IfMatch = None
) -> Response[None]:
    described = (await _opened(database, files, principal, file, if_match)).file
    headers = _headers(described) | {"Content-Length": str(described.size)}
    empty: Response[Any] = Response(b"", headers=headers, media_type=described.content_type)
    return empty


async def _opened(database: Database, files: Files, principal: Principal, file: str, if_match: str | None) -> OpenFile:
    async with database.tenant(principal.tenant) as tx:
        return await files.open(tx, file, version=version_of(if_match), by=principal)


def _headers(file: StoredFile) -> dict[str, str]:
    return {
        "ETag": etag(file.version), "Accept-Ranges": "bytes", "Content-Type": file.content_type,
        "Content-Disposition": "attachment",
    }  # fmt: skip


@delete("/{file:str}", summary="Delete a file", operation_id="deleteFile", responses=problems(412),
        **requires("files.delete"))  # fmt: skip
async def delete_file(
    database: Database, files: Files, principal: Principal, file: str, if_match: IfMatch = None
) -> None:
    async with database.tenant(principal.tenant) as tx:
        await files.delete(tx, file, version=version_of(if_match), by=principal)


@get("/", summary="Files", operation_id="listFiles", responses=problems(), **requires("files.open"))
async def list_files(
    database: Database, files: Files, principal: Principal, limit: Limit = 100, cursor: Cursor = None,
    subject: str | None = None,
) -> Page[StoredFile]:  # fmt: skip
    async with database.tenant_read(principal.tenant) as tx:
        last = decode_cursor(cursor)
        after = await files.position(tx, last) if last else None
        rows = await files.page(tx, subject=subject, after=after, limit=limit + 1)
    items = rows[:limit]
    return Page(items, encode_cursor(items[-1].id) if len(rows) > limit else None)


def _range(request: Request[Any, Principal, Any], file: StoredFile) -> tuple[int, int, bool]:
    """The bytes [start, end) to send, and whether they are a part. Raises RangeNotSatisfiable."""
    header = request.headers.get("Range")
    condition = request.headers.get("If-Range")
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or match.groups() == ("", "") or (condition and condition != etag(file.version)):
        return 0, file.size, False  # a Range that we do not understand is ignored, as RFC 9110 asks
    first, last = match.groups()
    if first:
        start, end = int(first), min(int(last) + 1 if last else file.size, file.size)
    else:
        start, end = max(0, file.size - int(last)), file.size
    if start >= file.size or start >= end:
        raise RangeNotSatisfiable(f"The file has {file.size} bytes.", size=file.size)
    return start, end, True


async def _with_first(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for block in rest:
        yield block
