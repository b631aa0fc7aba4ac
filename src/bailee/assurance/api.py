"""The TOM document over REST."""

import msgspec
from litestar import Router, get, post

from bailee.assurance.service import Assurance, MeasureStatus
from bailee.assurance.store import Result
from bailee.foundation.database import Database
from bailee.foundation.errors import Conflict
from bailee.foundation.http import problems, requires
from bailee.foundation.principal import Principal


class Measures(msgspec.Struct, frozen=True):
    """The whole document."""

    title: str
    measures: list[MeasureStatus]


class Runs(msgspec.Struct, frozen=True):
    """Runs of a measure's checks, newest first."""

    items: list[Result]


@get("/", summary="Every measure with its status", operation_id="listMeasures", responses=problems(),
     **requires("measures.read"))  # fmt: skip
async def list_measures(database: Database, assurance: Assurance) -> Measures:
    async with database.operator_read() as tx:
        return Measures(assurance.toms.title, await assurance.report(tx))


@get("/{measure:str}", summary="One measure", operation_id="getMeasure", responses=problems(),
     **requires("measures.read"))  # fmt: skip
async def get_measure(database: Database, assurance: Assurance, measure: str) -> MeasureStatus:
    async with database.operator_read() as tx:
        return await assurance.get(tx, measure)


@get("/{measure:str}/history", summary="What a measure's checks found", operation_id="getMeasureHistory",
     responses=problems(), **requires("measures.check"))  # fmt: skip
async def get_history(database: Database, assurance: Assurance, measure: str) -> Runs:
    async with database.operator_read() as tx:
        return Runs(await assurance.history(tx, measure))


@post("/{measure:str}/check", summary="Run a measure's checks now", operation_id="checkMeasure",
      responses=problems(409), status_code=200, **requires("measures.check"))  # fmt: skip
async def check_measure(database: Database, assurance: Assurance, measure: str, principal: Principal) -> MeasureStatus:
    async with database.operator_read() as tx:
        status = await assurance.get(tx, measure)
    checks = [assurance.checks[one.name] for one in status.checks if one.name in assurance.checks]
    if not checks:
        raise Conflict("This measure has no check yet.")
    for check in checks:
        await assurance.run(check, by=principal)
    async with database.operator_read() as tx:
        return await assurance.get(tx, measure)


router = Router("/measures", route_handlers=[list_measures, get_measure, get_history, check_measure], tags=["Measures"])
