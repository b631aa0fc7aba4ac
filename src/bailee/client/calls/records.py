"""Records, one at a time. Batches are in `batches`.

Each mutation carries an idempotency key, so that it can be repeated after a lost answer: a fresh
one, unless `idempotency_key` names one that outlives the process.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from bailee.client.answers import json_answer, no_answer
from bailee.client.call import Call, Query, api, idempotency, json_body, paged, query, with_followers
from bailee.client.models.base import Page
from bailee.client.models.data import Record

type Version = int | Literal["*"]
type Scalar = str | int | float | date | datetime | UUID
type Where = Mapping[str, Scalar | list[Scalar] | tuple[Scalar, ...]]


def create(
    collection: str, data: Mapping[str, Any], *, subject: str | None = None, idempotency_key: str | None = None
) -> Call[Record]:
    """Store a new record about `subject`.

    Raises Invalid when the data breaks the collection's map, NotFound without such a collection.
    """
    document = {"data": data} if subject is None else {"subject": subject, "data": data}
    headers = {"Content-Type": "application/json"} | idempotency(idempotency_key)
    path = api("collections", collection, "records")
    return Call(method="POST", path=path, headers=headers, body=json_body(document), parse=json_answer(Record))


def get(collection: str, record_id: str) -> Call[Record]:
    """The record as it is now. Raises NotFound."""
    return Call(method="GET", path=_path(collection, record_id), parse=json_answer(Record))


def replace(
    collection: str,
    record_id: str,
    data: Mapping[str, Any],
    *,
    if_match: Version | None = None,
    idempotency_key: str | None = None,
) -> Call[Record]:
    """Put `data` in place of the record's; its subject cannot change.

    Raises VersionMismatch when the version is no longer `if_match`, Invalid, NotFound.
    Without `if_match` the last writer wins.
    """
    headers = {"Content-Type": "application/json"} | _condition(if_match) | idempotency(idempotency_key)
    path = _path(collection, record_id)
    return Call(method="PUT", path=path, headers=headers, body=json_body({"data": data}), parse=json_answer(Record))


def patch(
    collection: str,
    record_id: str,
    data: Mapping[str, Any],
    *,
    if_match: Version | None = None,
    idempotency_key: str | None = None,
) -> Call[Record]:
    """Merge `data` into the record's: None removes a member (RFC 7396).

    Raises VersionMismatch when the version is no longer `if_match`, Invalid, NotFound.
    """
    headers = {"Content-Type": "application/merge-patch+json"} | _condition(if_match) | idempotency(idempotency_key)
    path = _path(collection, record_id)
    return Call(method="PATCH", path=path, headers=headers, body=json_body({"data": data}), parse=json_answer(Record))


def delete(
    collection: str, record_id: str, *, if_match: Version | None = None, idempotency_key: str | None = None
) -> Call[None]:
    """Delete the record. Raises VersionMismatch when the version is no longer `if_match`, NotFound."""
    headers = _condition(if_match) | idempotency(idempotency_key)
    return Call(method="DELETE", path=_path(collection, record_id), headers=headers, parse=no_answer)


def page(
    collection: str,
    *,
    subject: str | None = None,
    where: Where | None = None,
    cursor: str | None = None,
    limit: int | None = None,
) -> Call[Page[Record]]:
    """One page of the records that meet all conditions; `limit` is 1–1000, 100 if not given.

    `where` maps field paths, dotted into objects, to values, or to a list of values that must all
    be met. Raises Invalid for a field that is not searchable.
    """
    path = api("collections", collection, "records")
    return paged(Page[Record], path, parameters=_conditions(subject, where), cursor=cursor, limit=limit)


def search(
    collection: str, *, subject: str | None = None, where: Where | None = None, page_size: int | None = None
) -> Call[Page[Record]]:
    """All records that meet all conditions; see `page` for `where`."""
    return with_followers(page(collection, subject=subject, where=where, limit=page_size))


def _path(collection: str, record_id: str) -> str:
    return api("collections", collection, "records", record_id)


def _condition(version: Version | None) -> dict[str, str]:
    match version:
        case None:
            return {}
        case "*":
            return {"If-Match": "*"}
        case _:
            return {"If-Match": f'"{version}"'}


def _conditions(subject: str | None, where: Where | None) -> Query:
    conditions = [
        (f"where.{path}", _text(value))
        for path, wanted in (where or {}).items()
        for value in (wanted if isinstance(wanted, list | tuple) else (wanted,))
    ]
    return (*query(subject=subject), *conditions)


def _text(value: Scalar) -> str:
    """The value as it would stand in JSON, without the quotes."""
    return json_body(value).decode() if isinstance(value, bool | int | float) else str(msgspec.to_builtins(value))
