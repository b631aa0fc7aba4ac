"""The TOM document in the console."""

from typing import Any

from litestar import Response, get, post
from litestar.response import Template

from bailee.assurance.service import Assurance
from bailee.foundation.database import Database
from bailee.foundation.errors import Conflict, Error
from bailee.foundation.http import requires
from bailee.foundation.pages import Form, page, see
from bailee.foundation.principal import Principal


@get("/toms", **requires("measures.read"))
async def list_measures(database: Database, assurance: Assurance, principal: Principal) -> Template:
    async with database.operator_read() as tx:
        report = await assurance.report(tx)
    sections = [
        (section, [status for status in report if status.section == section.number])
        for section in assurance.toms.sections
    ]
    return page("toms_list.html", principal, title=assurance.toms.title, sections=sections, report=report)


@get("/toms/{measure:str}", **requires("measures.read"))
async def show_measure(database: Database, assurance: Assurance, measure: str, principal: Principal) -> Template:
    return await _shown(database, assurance, measure, principal)


@post("/toms/{measure:str}/check", **requires("measures.check"))
async def check_measure(
    database: Database, assurance: Assurance, measure: str, form: Form, principal: Principal
) -> Response[Any]:
    async with database.operator_read() as tx:
        status = await assurance.get(tx, measure)
    try:
        if not status.checks:
            raise Conflict("This measure has no check yet.")
        for check in assurance.select([one.name for one in status.checks]):
            await assurance.run(check, by=principal)
    except Error as error:
        return await _shown(database, assurance, measure, principal, error)
    return see(f"/toms#m{status.id}" if form.text("back") == "list" else f"/toms/{status.id}")


async def _shown(
    database: Database, assurance: Assurance, measure: str, principal: Principal, error: Error | None = None
) -> Template:
    async with database.operator_read() as tx:
        status = await assurance.get(tx, measure)
        history = await assurance.history(tx, measure) if principal.may("measures.check") else []
    about = {check.name: check.description for check in assurance.checks.values()}
    return page("toms_show.html", principal, error=error, measure=status, history=history, about=about)


routes = [list_measures, show_measure, check_measure]
