"""Support cases over REST: staff ask and read, tenants grant, refuse and watch."""

from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Router, get, post
from litestar.params import QueryParameter

from bailee.access.api.common import id_of
from bailee.foundation.database import Database
from bailee.foundation.errors import FieldError, Invalid
from bailee.foundation.http import (
    Cursor,
    Limit,
    Page,
    decode_id_cursor,
    encode_cursor,
    page_of,
    parse_uuid,
    problems,
    requires,
)
from bailee.foundation.principal import Principal
from bailee.monitoring.api.alerts import acting
from bailee.monitoring.api.events import view
from bailee.monitoring.model import SupportCase
from bailee.monitoring.support import SupportCases
from bailee.stores.model import CollectionRecord

# Not called `state`: that name is the framework's own.
Which = Annotated[
    str | None,
    QueryParameter(name="state", pattern="^(requested|granted|refused|ended)$", description="Cases in this state."),
]


class NewCase(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose data, why, for how many hours (1 to 168), and which: collections, data subjects, records."""

    tenant: UUID
    reason: str
    hours: int
    collections: list[str] = []
    subjects: list[str] = []
    records: list[UUID] = []


class CaseGrant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Leave out what is granted as it was asked for; a list that is given takes its place, and may only narrow it."""

    hours: int | None = None
    collections: list[str] | None = None
    subjects: list[str] | None = None
    records: list[UUID] | None = None


@get("/support-cases", summary="Support cases, newest first", operation_id="listSupportCases", responses=problems(),
     **requires("support_cases.read"))  # fmt: skip
async def list_cases(
    database: Database, support_cases: SupportCases, principal: Principal, limit: Limit = 100, cursor: Cursor = None,
    which: Which = None, tenant: str | None = None,
) -> Page[SupportCase]:  # fmt: skip
    concerned = parse_uuid(tenant) if tenant else None
    if tenant and concerned is None:
        raise Invalid("The query is not valid.", errors=[FieldError("tenant", "Give a tenant's id.")])
    async with view(database, principal) as tx:
        rows = await support_cases.page(
            tx, state=which, tenant=concerned, before=decode_id_cursor(cursor), limit=limit + 1
        )
    return page_of(rows, limit, lambda one: one.id)


@post("/support-cases", summary="Ask a customer to let you see something", operation_id="requestSupportCase",
      responses=problems(409), **requires("support_cases.request"))  # fmt: skip
async def request_case(
    database: Database, support_cases: SupportCases, data: NewCase, principal: Principal
) -> SupportCase:  # fmt: skip
    async with database.operator() as tx:
        return await support_cases.request(
            tx, data.tenant, reason=data.reason, hours=data.hours, collections=data.collections,
            subjects=data.subjects, records=data.records, by=principal,
        )  # fmt: skip


@get("/support-cases/{case:str}", summary="One support case", operation_id="getSupportCase", responses=problems(),
     **requires("support_cases.read"))  # fmt: skip
async def get_case(database: Database, support_cases: SupportCases, case: str, principal: Principal) -> SupportCase:
    async with view(database, principal) as tx:
        return await support_cases.get(tx, id_of(case))


@post("/support-cases/{case:str}/grant", summary="Let them see it", operation_id="grantSupportCase", status_code=200,
      responses=problems(409), **requires("support_cases.grant", step_up=True))  # fmt: skip
async def grant_case(
    database: Database, support_cases: SupportCases, case: str, data: CaseGrant, principal: Principal
) -> SupportCase:
    async with database.tenant(principal.tenant) as tx:
        return await support_cases.grant(
            tx, id_of(case), hours=data.hours, collections=data.collections, subjects=data.subjects,
            records=data.records, by=principal,
        )  # fmt: skip


@post("/support-cases/{case:str}/refuse", summary="Do not let them", operation_id="refuseSupportCase", status_code=200,
      responses=problems(409), **requires("support_cases.refuse"))  # fmt: skip
async def refuse_case(
    database: Database, support_cases: SupportCases, case: str, principal: Principal
) -> SupportCase:  # fmt: skip
    async with database.tenant(principal.tenant) as tx:
        return await support_cases.refuse(tx, id_of(case), by=principal)


@post("/support-cases/{case:str}/end", summary="End it at once", operation_id="endSupportCase", status_code=200,
      responses=problems(409), **requires("support_cases.end"))  # fmt: skip
async def end_case(database: Database, support_cases: SupportCases, case: str, principal: Principal) -> SupportCase:
    async with acting(database, principal) as tx:
        return await support_cases.end(tx, id_of(case), by=principal)


@get("/support-cases/{case:str}/records", summary="The records within a case, opened", operation_id="listCaseRecords",
     responses=problems(409), **requires("support_cases.list_records"))  # fmt: skip
async def list_records(
    database: Database, support_cases: SupportCases, case: str, principal: Principal, limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[CollectionRecord]:  # fmt: skip
    case_id = id_of(case)
    async with database.operator_read() as reader:
        admitted = await support_cases.admit(reader, case_id, by=principal)
    async with database.tenant(admitted.tenant_id) as tx:
        records, following = await support_cases.records(
            tx, case_id, after=decode_id_cursor(cursor), limit=limit, by=principal
        )
    return Page(records, encode_cursor(following) if following else None)


@get("/support-cases/{case:str}/records/{record:str}", summary="One record within a case, opened",
     operation_id="getCaseRecord", responses=problems(409), **requires("support_cases.read_record"))  # fmt: skip
async def get_record(
    database: Database, support_cases: SupportCases, case: str, record: str, principal: Principal
) -> CollectionRecord:
    case_id = id_of(case)
    async with database.operator_read() as reader:
        admitted = await support_cases.admit(reader, case_id, by=principal)
    async with database.tenant(admitted.tenant_id) as tx:
        return await support_cases.record(tx, case_id, id_of(record), by=principal)


router = Router(
    "/",
    route_handlers=[
        list_cases, request_case, get_case, grant_case, refuse_case, end_case, list_records, get_record,
    ],
    tags=["Support cases"],
)  # fmt: skip
