"""Events of a tenant's own product over REST."""

import msgspec
from litestar import Router, delete, get, post, put

from bailee.foundation.database import Database
from bailee.foundation.http import decode_json, problems, requires
from bailee.foundation.principal import Principal
from bailee.monitoring.intake import Intake
from bailee.monitoring.model import EventField, EventType, ReportedEvent


class EventSchema(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an event of a kind can carry."""

    title: str
    fields: dict[str, EventField]


class Report(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """1 to 500 events, recorded together or not at all."""

    events: list[ReportedEvent]


class Recorded(msgspec.Struct, frozen=True):
    """How many were recorded."""

    recorded: int


@get("/event-types", summary="The schemas of your product's events", operation_id="listEventTypes",
     responses=problems(), **requires("event_types.read"))  # fmt: skip
async def list_types(database: Database, intake: Intake, principal: Principal) -> list[EventType]:
    async with database.tenant_read(principal.tenant) as tx:
        return await intake.types(tx)


@put("/event-types/{name:str}", summary="Define the schema of a kind of event", operation_id="defineEventType",
     responses=problems(409), **requires("event_types.define"))  # fmt: skip
async def define_type(
    database: Database, intake: Intake, name: str, data: EventSchema, principal: Principal
) -> EventType:  # fmt: skip
    async with database.tenant(principal.tenant) as tx:
        return await intake.define(tx, name, title=data.title, fields=data.fields, by=principal)


@delete("/event-types/{name:str}", summary="Take no more events of a kind", operation_id="removeEventType",
        responses=problems(), **requires("event_types.remove"))  # fmt: skip
async def remove_type(database: Database, intake: Intake, name: str, principal: Principal) -> None:
    async with database.tenant(principal.tenant) as tx:
        await intake.remove(tx, name, by=principal)


@post("/events", summary="Report events of your product", operation_id="reportEvents", responses=problems(),
      **requires("events.report"))  # fmt: skip
async def report_events(database: Database, intake: Intake, body: bytes, principal: Principal) -> Recorded:
    # Decoded here: Litestar would take a fault in the field `events` for one of the dependency of that name.
    reported = decode_json(body, Report).events
    async with database.tenant(principal.tenant) as tx:
        return Recorded(await intake.report(tx, reported, by=principal))


router = Router("/", route_handlers=[list_types, define_type, remove_type, report_events], tags=["Events"])
