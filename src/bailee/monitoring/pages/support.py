"""Support cases in the console and in the portal."""

from typing import Annotated, Any
from uuid import UUID

from litestar import Response, get, post
from litestar.params import QueryParameter
from litestar.response import Template

from bailee.access.api.common import id_of
from bailee.events import Events
from bailee.events.service import ListedEvent
from bailee.foundation.database import Database, Reader
from bailee.foundation.errors import Error, FieldError, Invalid
from bailee.foundation.http import Cursor, decode_id_cursor, encode_cursor, page_of, parse_uuid, requires
from bailee.foundation.pages import EMPTY, PAGE_ROWS, Form, page, see
from bailee.foundation.principal import Principal
from bailee.monitoring.api.alerts import acting
from bailee.monitoring.api.events import view
from bailee.monitoring.model import CaseState
from bailee.monitoring.support import MAX_HOURS, SupportCases

_STATES = ("", *(one.value for one in CaseState))
_SHOWN = 200
_NOTICES = {
    "asked": "The customer is asked. You can read as soon as they grant it.",
    "granted": "They can see it now. Every reading stands below, as it happens.",
    "refused": "They see nothing.",
    "ended": "It is over: nothing can be read any more.",
}
# Not called `state`: that name is the framework's own.
Which = Annotated[str, QueryParameter(name="state", max_length=20)]


@get("/support", **requires("support_cases.read"))
async def list_cases(
    database: Database, support_cases: SupportCases, principal: Principal, cursor: Cursor = None, which: Which = ""
) -> Template:
    which = which if which in _STATES else ""
    async with view(database, principal) as tx:
        rows = await support_cases.page(tx, state=which or None, before=decode_id_cursor(cursor), limit=PAGE_ROWS + 1)
    return page(
        "support_list.html", principal, form=Form({"state": [which]}), states=_STATES, later=cursor is not None,
        cases=page_of(rows, PAGE_ROWS, lambda one: one.id),
    )  # fmt: skip


@get("/support/new", **requires("support_cases.request"))
async def new_case(principal: Principal, tenant: str = "") -> Template:
    return page("support_new.html", principal, form=Form({"tenant": [tenant[:36]], "hours": ["4"]}), most=MAX_HOURS)


@post("/support", **requires("support_cases.request"))
async def request_case(
    database: Database, support_cases: SupportCases, form: Form, principal: Principal
) -> Response[Any]:  # fmt: skip
    try:
        tenant, records = parse_uuid(form.text("tenant").strip()), _ids(form.text("records"))
        if tenant is None:
            raise Invalid("The case is not opened.", errors=[FieldError("tenant", "Give the customer's id.")])
        async with database.operator() as tx:
            case = await support_cases.request(
                tx, tenant, reason=form.text("reason"), hours=_hours(form.text("hours")),
                collections=_lines(form.text("collections")), subjects=_lines(form.text("subjects")), records=records,
                by=principal,
            )  # fmt: skip
    except Error as error:
        return page("support_new.html", principal, form=form, error=error, most=MAX_HOURS)
    return see(f"/support/{case.id}?done=asked")


@get("/support/{case:str}", **requires("support_cases.read"))
async def show_case(
    database: Database, support_cases: SupportCases, events: Events, case: str, principal: Principal, done: str = ""
) -> Template:
    return await _shown(database, support_cases, events, case, principal, notice=_NOTICES.get(done, ""))


@get("/support/{case:str}/live", **requires("support_cases.read"))
async def watch(
    database: Database, support_cases: SupportCases, events: Events, case: str, principal: Principal
) -> Template:  # fmt: skip
    """The part of the page that is renewed while somebody looks at it."""
    async with view(database, principal) as tx:
        found = await support_cases.get(tx, id_of(case))
        return page("support_live.html", principal, case=found, events=await _events(tx, events, found.id))


@post("/support/{case:str}/grant", **requires("support_cases.grant", step_up=True))
async def grant(
    database: Database, support_cases: SupportCases, events: Events, case: str, form: Form, principal: Principal
) -> Response[Any]:
    try:
        async with database.tenant(principal.tenant) as tx:
            await support_cases.grant(
                tx, id_of(case), hours=_hours(form.text("hours")), collections=form.all("collections"),
                subjects=form.all("subjects"),
                records=[UUID(one) for one in form.all("records") if parse_uuid(one)], by=principal,
            )  # fmt: skip
    except Error as error:
        return await _shown(database, support_cases, events, case, principal, form=form, error=error)
    return see(f"/support/{case}?done=granted")


@post("/support/{case:str}/refuse", **requires("support_cases.refuse"))
async def refuse(
    database: Database, support_cases: SupportCases, events: Events, case: str, principal: Principal
) -> Response[Any]:  # fmt: skip
    try:
        async with database.tenant(principal.tenant) as tx:
            await support_cases.refuse(tx, id_of(case), by=principal)
    except Error as error:
        return await _shown(database, support_cases, events, case, principal, error=error)
    return see(f"/support/{case}?done=refused")


@post("/support/{case:str}/end", **requires("support_cases.end"))
async def end(
    database: Database, support_cases: SupportCases, events: Events, case: str, principal: Principal
) -> Response[Any]:  # fmt: skip
    try:
        async with acting(database, principal) as tx:
            await support_cases.end(tx, id_of(case), by=principal)
    except Error as error:
        return await _shown(database, support_cases, events, case, principal, error=error)
    return see(f"/support/{case}?done=ended")


@get("/support/{case:str}/records", **requires("support_cases.list_records"))
async def list_records(
    database: Database, support_cases: SupportCases, case: str, principal: Principal, cursor: Cursor = None
) -> Template:
    case_id = id_of(case)
    async with database.operator_read() as reader:
        admitted = await support_cases.admit(reader, case_id, by=principal)
    async with database.tenant(admitted.tenant_id) as tx:
        records, following = await support_cases.records(
            tx, case_id, after=decode_id_cursor(cursor), limit=PAGE_ROWS, by=principal
        )
    return page(
        "support_records.html", principal, case=admitted, records=records, later=cursor is not None,
        pages={"next": encode_cursor(following) if following else None},
    )  # fmt: skip


async def _shown(
    database: Database, support_cases: SupportCases, events: Events, case: str, principal: Principal, *,
    notice: str = "", form: Form = EMPTY, error: Error | None = None,
) -> Template:  # fmt: skip
    async with view(database, principal) as tx:
        found = await support_cases.get(tx, id_of(case))
        shown = await _events(tx, events, found.id)
    subjects: list[str] = []
    if principal.tenant_id is not None and found.subjects:
        async with database.tenant_read(principal.tenant) as tenant_tx:
            subjects = await support_cases.subjects(tenant_tx, found.id)
    return page(
        "support_show.html", principal, case=found, subjects=subjects, events=shown, notice=notice,
        form=form if form.values else Form({"hours": [str(found.hours)]}), error=error,
    )  # fmt: skip


async def _events(tx: Reader, events: Events, case_id: UUID) -> list[ListedEvent]:
    """What the log says of a case, newest first."""
    found = await events.page(tx, action="support", before=None, limit=_SHOWN)
    wanted = str(case_id)
    return [
        one
        for one in found
        if (one.object is not None and one.object.id == wanted) or one.details.get("case") == wanted
    ]


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _ids(text: str) -> list[UUID]:
    """Raises Invalid."""
    found = [parse_uuid(one) for one in text.replace(",", " ").split()]
    if None in found:
        message = "Give records' ids, one a line."
        raise Invalid("The case is not opened.", errors=[FieldError("records", message)])
    return [one for one in found if one is not None]


def _hours(text: str) -> int:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 5 else 0  # noqa: PLR2004  more than any limit


routes: list[Any] = [
    list_cases, new_case, request_case, show_case, watch, grant, refuse, end, list_records,
]  # fmt: skip
