"""Events and the ledger in the console."""

import base64
import re
from typing import Annotated, Any

import msgspec
from litestar import Response, get
from litestar.params import Parameter
from litestar.response import Template

from bailee.events import Events
from bailee.foundation.database import Database
from bailee.foundation.errors import Error, FieldError, Invalid
from bailee.foundation.http import Cursor, decode_id_cursor, page_of, parse_uuid, requires
from bailee.foundation.pages import PAGE_ROWS, Form, page
from bailee.foundation.principal import Principal
from bailee.ledger.errors import LedgerPending
from bailee.ledger.service import Ledger, Published
from bailee.monitoring.api.events import view
from bailee.tenants.api import tenant_id_of

_ACTION = re.compile(r"[a-z_]+(\.[a-z_]+)?", re.ASCII)
_RECENT = 20

# A plain alias: Litestar does not look into `type` statements.
Text = Annotated[str, Parameter(max_length=100)]


@get("/events", **requires("events.read"))
async def list_events(
    database: Database, events: Events, principal: Principal, cursor: Cursor = None, action: Text = "",
    tenant: Text = "",
) -> Template:  # fmt: skip
    action, tenant = action.strip(), tenant.strip()
    error = _fault(action, tenant)
    async with view(database, principal) as tx:
        rows = [] if error else await events.page(
            tx, action=action or None, tenant=parse_uuid(tenant), before=decode_id_cursor(cursor), limit=PAGE_ROWS + 1
        )  # fmt: skip
    return page(
        "events_list.html",
        principal,
        error=error,
        form=Form({"action": [action], "tenant": [tenant]}),
        events=page_of(rows, PAGE_ROWS, lambda event: event.id),
        later=cursor is not None,
    )


@get("/events/{event:str}/proof", **requires("events.read"))
async def download_proof(database: Database, events: Events, event: str, principal: Principal) -> Response[bytes]:
    """The event's evidence bundle, to keep and to verify elsewhere with `bailee verify`."""
    event_id = tenant_id_of(event)
    async with view(database, principal) as tx:
        evidence = await events.prove(tx, [event_id])
    return Response(
        msgspec.json.format(msgspec.json.encode(evidence), indent=2),
        media_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="proof-{event_id}.json"'},
    )


@get("/ledger", **requires("events.read"))
async def show_ledger(database: Database, events: Events, ledger: Ledger, principal: Principal) -> Template:
    async with view(database, principal) as tx:
        recent = await events.page(tx, before=None, limit=_RECENT)
    published = await _published(ledger)
    return page(
        "ledger_show.html",
        principal,
        origin=ledger.origin,
        keys=ledger.vkeys,
        published=published,
        root=base64.b64encode(published.checkpoint.root).decode() if published else "",
        recent=recent,
    )


async def _published(ledger: Ledger) -> Published | None:
    try:
        return await ledger.published()
    except LedgerPending:
        return None


def _fault(action: str, tenant: str) -> Error | None:
    errors = []
    if action and not _ACTION.fullmatch(action):
        errors.append(FieldError("action", "Give an action such as record.created, or what stands before its dot."))
    if tenant and parse_uuid(tenant) is None:
        errors.append(FieldError("tenant", "Give a tenant’s id."))
    return Invalid("The filter is not valid.", errors=errors) if errors else None


routes: list[Any] = [list_events, download_proof, show_ledger]
