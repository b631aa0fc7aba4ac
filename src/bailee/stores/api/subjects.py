"""One data subject over REST."""

from typing import Any
from urllib.parse import unquote
from uuid import UUID

import msgspec
from litestar import Request, Response, delete, get

from bailee.encryption.service import Keyring
from bailee.foundation.database import Database
from bailee.foundation.errors import Malformed, NotFound
from bailee.foundation.http import Cursor, IdempotencyKey, Limit, decode_id_cursor, encode_cursor, problems, requires
from bailee.foundation.principal import Principal
from bailee.ledger.service import Ledger
from bailee.stores.idempotency import claim, complete
from bailee.stores.model import CollectionRecord, ErasureReceipt, StoredFile
from bailee.stores.subjects import Subjects

_PREFIX = b"/api/v1/subjects/"


class SubjectView(msgspec.Struct, frozen=True):
    """Everything held on one person. Files come with the first page."""

    subject: str
    records: list[CollectionRecord]
    files: list[StoredFile]
    next: str | None


class Receipt(ErasureReceipt, frozen=True, kw_only=True):
    """The receipt for whoever asked for the erasure."""

    subject: str
    ledger_index: int | None


@get("/{subject:path}", summary="Everything held on one person", operation_id="viewSubject", responses=problems(),
     **requires("subjects.view"))  # fmt: skip
async def view_subject(
    request: Request[Any, Principal, Any], database: Database, subjects: Subjects, principal: Principal,
    limit: Limit = 100, cursor: Cursor = None,
) -> SubjectView:  # fmt: skip
    name = subject_of(request)
    async with database.tenant(principal.tenant) as tx:
        records, files, after = await subjects.view(tx, name, after=decode_id_cursor(cursor), limit=limit, by=principal)
    return SubjectView(name, records, files, encode_cursor(after) if after else None)


@delete("/{subject:path}", summary="Erase one person", operation_id="eraseSubject", status_code=200,
        responses=problems(409), **requires("subjects.erase", step_up=True))  # fmt: skip
async def erase_subject(
    request: Request[Any, Principal, Any], database: Database, subjects: Subjects, keyring: Keyring, ledger: Ledger,
    principal: Principal, idempotency_key: IdempotencyKey = None,
) -> Response[Receipt]:  # fmt: skip
    name = subject_of(request)
    async with database.tenant(principal.tenant) as tx:
        index_key = await keyring.index_key(tx.tenant)
        claimed = await claim(tx, index_key, idempotency_key, f"erase {name}".encode())
        if claimed and claimed.earlier:
            erasure_id = UUID(claimed.earlier["erasure"])
        else:
            erasure_id = await subjects.begin_erasure(tx, name, by=principal)
            await complete(tx, claimed, {"erasure": str(erasure_id)})
    receipt = await _erase(database, subjects, principal, erasure_id)
    index = await ledger.wait_for_index(database, receipt.event)
    shown = Receipt(**msgspec.structs.asdict(receipt), subject=name, ledger_index=index)
    return Response(shown, status_code=202 if receipt.state == "waiting" else 200)


async def _erase(database: Database, subjects: Subjects, principal: Principal, erasure_id: UUID) -> ErasureReceipt:
    try:
        async with database.tenant(principal.tenant) as tx:
            return await subjects.erase(tx, erasure_id, by=principal)
    except NotFound:  # the job, or a request before this one, has completed it
        async with database.tenant_read(principal.tenant) as reader:
            receipt = await subjects.find_receipt(reader, erasure_id)
        if receipt is None:
            raise
        return receipt


def subject_of(request: Request[Any, Principal, Any]) -> str:
    """The identifier as the caller encoded it: it may hold slashes and dots. Raises Malformed, NotFound."""
    raw: bytes = request.scope["raw_path"].partition(b"?")[0]
    encoded = raw.removeprefix(_PREFIX)
    if encoded == raw or not encoded:
        raise NotFound
    try:
        return unquote(encoded.decode("ascii"), errors="strict")
    except UnicodeDecodeError:
        raise Malformed("The identifier in the path is not percent-encoded UTF-8.") from None
