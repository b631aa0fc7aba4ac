"""Runs checks, keeps their evidence, and tells how each measure stands."""

import asyncio
import hashlib
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import structlog

from bailee.assurance import store
from bailee.assurance.checks import Check, Finding, Verdict
from bailee.assurance.store import Result
from bailee.assurance.toms import Measure, Toms
from bailee.events import Events, Object, verb
from bailee.events.catalogue import CheckCompleted
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database, OperatorReader, OperatorWriter
from bailee.foundation.errors import Error, Invalid, NotFound
from bailee.foundation.ids import new_id
from bailee.foundation.principal import Principal
from bailee.ledger.commitment import canonical

log = structlog.get_logger()

NOT_EVIDENCED = "not_evidenced"
_CHECK_SECONDS = 300
_HISTORY = 50
_GRACE = timedelta(minutes=5)
_WORST_FIRST = (Verdict.BROKEN, Verdict.UNKNOWN, Verdict.ATTENTION, Verdict.HOLDS)


class CheckStatus(msgspec.Struct, frozen=True):
    """How one check stands now."""

    name: str
    verdict: str
    summary: str
    checked_at: datetime | None
    due_at: datetime | None
    facts: dict[str, Any]
    event: UUID | None


class MeasureStatus(msgspec.Struct, frozen=True):
    """How one measure stands now: holds, attention, broken, unknown or not_evidenced."""

    id: str
    section: int
    title: str
    commitment: str
    status: str
    checked_at: datetime | None
    gdpr: list[str]
    iso27001: list[str]
    soc2: list[str]
    checks: list[CheckStatus]


class Assurance:
    """The TOM document, live."""

    def __init__(self, database: Database, toms: Toms, checks: list[Check], events: Events, clock: Clock) -> None:
        self.toms = toms
        self.checks = {check.name: check for check in checks}
        self._database = database
        self._events = events
        self._clock = clock

    async def report(self, tx: OperatorReader) -> list[MeasureStatus]:
        """Every measure of the document, in its order."""
        latest = {result.name: result for result in await store.latest_results(tx)}
        return [
            self._status(measure, section.number, latest)
            for section in self.toms.sections
            for measure in section.measures
        ]

    async def get(self, tx: OperatorReader, measure_id: str) -> MeasureStatus:
        """One measure. Raises NotFound."""
        for status in await self.report(tx):
            if status.id == measure_id:
                return status
        raise NotFound

    async def history(self, tx: OperatorReader, measure_id: str) -> list[Result]:
        """The last runs of a measure's checks, newest first. Raises NotFound."""
        await self.get(tx, measure_id)
        return await store.history(tx, measure_id, _HISTORY)

    def select(self, names: list[str]) -> list[Check]:
        """Checks by their own names or their measures' ids; all without any. Raises Invalid."""
        if not names:
            return list(self.checks.values())
        found = [check for check in self.checks.values() if check.name in names or check.measure in names]
        known = {check.name for check in found} | {check.measure for check in found}
        unknown = [name for name in names if name not in known]
        if unknown:
            raise Invalid(f"There is no check called {unknown[0]!r}. There are: {', '.join(sorted(self.checks))}.")
        return found

    async def due(self) -> list[Check]:
        """Checks whose last result is as old as their interval, or missing."""
        async with self._database.operator_read() as tx:
            latest = {result.name: result for result in await store.latest_results(tx)}
        now = self._clock.now()
        return [
            check
            for check in self.checks.values()
            if check.name not in latest or now - latest[check.name].checked_at >= check.every
        ]

    async def run(self, check: Check, *, by: Principal) -> Result:
        """Runs one check now and keeps what it found. A check that raises or hangs is `unknown`."""
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                finding = await check.run()
        except TimeoutError:
            finding = Finding(Verdict.UNKNOWN, f"The check did not end within {_CHECK_SECONDS} s.")
        except Error as error:
            finding = Finding(Verdict.UNKNOWN, f"The check could not run: {error}", {"error": error.code})
        except Exception as error:  # a check that fails in any way is no pass
            log.exception("check failed", check=check.name)
            finding = Finding(Verdict.UNKNOWN, "The check failed to run.", {"error": type(error).__qualname__})
        async with self._database.operator() as tx:
            return await self.keep(tx, check, finding, by=by)

    @verb(CheckCompleted, permission="measures.check")
    async def keep(self, tx: OperatorWriter, check: Check, finding: Finding, *, by: Principal) -> Result:
        """Makes a finding evidence: the facts in the database, their digest in the ledger."""
        body = canonical({"summary": finding.summary, "facts": msgspec.to_builtins(finding.facts)})
        details = CheckCompleted(check.name, check.measure, finding.verdict.value, hashlib.sha256(body).hexdigest())
        event = await self._events.record(tx, details, by=by, on=Object("measure", check.measure))
        result = Result(
            check.name,
            check.measure,
            finding.verdict.value,
            finding.summary,
            dict(finding.facts),
            self._clock.now(),
            event,
        )
        await store.insert_result(tx, new_id(), result)
        return result

    def _status(self, measure: Measure, section: int, latest: dict[str, Result]) -> MeasureStatus:
        checks = [self._check_status(name, latest.get(name)) for name in measure.checks]
        verdicts = {check.verdict for check in checks}
        status = next((verdict.value for verdict in _WORST_FIRST if verdict in verdicts), NOT_EVIDENCED)
        times = [check.checked_at for check in checks if check.checked_at]
        return MeasureStatus(
            measure.id, section, measure.title, measure.commitment, status, min(times, default=None),
            measure.gdpr, measure.iso27001, measure.soc2, checks,
        )  # fmt: skip

    def _check_status(self, name: str, result: Result | None) -> CheckStatus:
        check = self.checks.get(name)
        if check is None:
            return CheckStatus(name, Verdict.UNKNOWN, "This Bailee has no such check.", None, None, {}, None)
        if result is None:
            return CheckStatus(name, Verdict.UNKNOWN, "The check has not run yet.", None, None, {}, None)
        due = result.checked_at + check.every
        if self._clock.now() > due + check.every + _GRACE:
            return CheckStatus(
                name, Verdict.UNKNOWN, "The check is overdue.", result.checked_at, due, result.facts, result.event_id
            )
        return CheckStatus(name, result.verdict, result.summary, result.checked_at, due, result.facts, result.event_id)
