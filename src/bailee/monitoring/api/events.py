"""Events and ledger proofs over REST: a tenant sees its own, staff see all."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Router, get, post
from litestar.params import QueryParameter

from bailee.events import Events
from bailee.events.service import ListedEvent
from bailee.foundation.database import Database, Reader
from bailee.foundation.errors import FieldError, Invalid, NotFound
from bailee.foundation.http import (
    Cursor,
    Limit,
    Page,
    decode_id_cursor,
    decode_json,
    page_of,
    parse_uuid,
    problems,
    requires,
)
from bailee.foundation.principal import Principal
from bailee.ledger.evidence import Evidence
from bailee.ledger.service import Ledger

Action = Annotated[
    str | None,
    QueryParameter(
        name="action", max_length=64, pattern=r"^[a-z_]+(\.[a-z_]+)?$", description="`record` or `record.created`."
    ),
]


class BundleRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The events to prove: 1 to 1,000."""

    events: list[UUID]


class Consistency(msgspec.Struct, frozen=True):
    """Proof that the log of `size` leaves extends the one of `old`; hashes in base64."""

    old: int
    size: int
    proof: list[str]
    checkpoint: str


@get("/events", summary="Events, newest first", operation_id="listEvents", responses=problems(),
     **requires("events.read"))  # fmt: skip
async def list_events(
    database: Database, events: Events, principal: Principal, limit: Limit = 100, cursor: Cursor = None,
    action: Action = None, tenant: str | None = None,
) -> Page[ListedEvent]:  # fmt: skip
    concerned = parse_uuid(tenant) if tenant else None
    if tenant and concerned is None:
        raise Invalid("The query is not valid.", errors=[FieldError("tenant", "Give a tenant's id.")])
    async with view(database, principal) as tx:
        rows = await events.page(tx, action=action, tenant=concerned, before=decode_id_cursor(cursor), limit=limit + 1)
    return page_of(rows, limit, lambda event: event.id)


@get("/ledger/proof", summary="The proof of one event", operation_id="proveEvent", responses=problems(),
     **requires("events.read"))  # fmt: skip
async def prove_event(
    database: Database, events: Events, principal: Principal, event: Annotated[str, QueryParameter(name="event")]
) -> Evidence:
    event_id = parse_uuid(event)
    if event_id is None:
        raise NotFound
    async with view(database, principal) as tx:
        return await events.prove(tx, [event_id])


@post("/ledger/bundle", summary="An evidence bundle of up to 1,000 events", operation_id="bundleEvents",
      status_code=200, responses=problems(), **requires("events.read"))  # fmt: skip
async def bundle_events(database: Database, events: Events, principal: Principal, body: bytes) -> Evidence:
    # Decoded here: Litestar would take a fault in the field `events` for one of the dependency of that name.
    wanted = decode_json(body, BundleRequest).events
    async with view(database, principal) as tx:
        return await events.prove(tx, wanted)


@get("/ledger/consistency", summary="Proof that the log only grew", operation_id="proveConsistency",
     responses=problems())  # fmt: skip
async def prove_consistency(
    ledger: Ledger, old: Annotated[int, QueryParameter(name="old", ge=1, lt=2**62)]
) -> Consistency:
    published = await ledger.published()
    if old > published.checkpoint.size:
        raise Invalid(
            f"The log has {published.checkpoint.size} leaves.", errors=[FieldError("old", "Give a former size.")]
        )
    proof = await ledger.prove_consistency(old, published)
    return Consistency(old, published.checkpoint.size, proof, published.note)


@asynccontextmanager
async def view(database: Database, principal: Principal) -> AsyncIterator[Reader]:
    """What a caller may see: a tenant its own, staff everything."""
    if principal.tenant_id is not None:
        async with database.tenant_read(principal.tenant_id) as tx:
            yield tx
    else:
        async with database.operator_read() as operator:
            yield operator


router = Router("/", route_handlers=[list_events, prove_event, bundle_events, prove_consistency], tags=["Events"])
