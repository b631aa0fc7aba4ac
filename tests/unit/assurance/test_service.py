import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from bailee.assurance import service, store
from bailee.assurance.checks import Check, Finding, Verdict
from bailee.assurance.service import Assurance, MeasureStatus
from bailee.assurance.store import Result
from bailee.assurance.toms import Measure, Section, Toms
from bailee.events import Events
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database, OperatorReader, OperatorWriter
from bailee.foundation.errors import Invalid, NotFound, Unavailable
from bailee.foundation.ids import new_id
from bailee.foundation.principal import Principal, system

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
TX = cast("OperatorReader", None)


class Stopped(Clock):
    def now(self) -> datetime:
        return NOW


class FakeDatabase:
    @asynccontextmanager
    async def operator(self) -> AsyncIterator[None]:
        yield None


class Keeping(Assurance):
    """Keeps findings in memory."""

    async def keep(self, _tx: OperatorWriter, check: Check, finding: Finding, *, by: Principal) -> Result:
        assert by == system("test")
        return result(check.name, finding.verdict, NOW, finding.summary, **finding.facts)


async def passing() -> Finding:
    return Finding(Verdict.HOLDS, "It holds.")


def a_check(name: str, run: Callable[[], Awaitable[Finding]] = passing) -> Check:
    return Check(name, "1.1", HOUR, run, "")


def result(name: str, verdict: str, when: datetime, summary: str = "", **facts: Any) -> Result:
    return Result(name, "1.1", str(verdict), summary, facts, when, new_id())


def assurance(*named: str, known: tuple[str, ...] = ("a", "b", "c", "d")) -> Keeping:
    toms = Toms("T", 1, [Section(1, "S", [Measure("1.1", "M", "C", checks=list(named)), Measure("1.2", "N", "D")])])
    checks = [a_check(name) for name in known]
    return Keeping(cast("Database", FakeDatabase()), toms, checks, cast("Events", None), Stopped())


async def status(one: Assurance, monkeypatch: pytest.MonkeyPatch, *results: Result) -> MeasureStatus:
    async def latest(_tx: OperatorReader) -> list[Result]:
        return list(results)

    monkeypatch.setattr(store, "latest_results", latest)
    return await one.get(TX, "1.1")


async def test_measure_without_a_check_is_not_evidenced(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await status(assurance(), monkeypatch)).status == "not_evidenced"


async def test_measure_whose_check_never_ran_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    found = await status(assurance("a"), monkeypatch)
    assert (found.status, found.checked_at) == ("unknown", None)


async def test_measure_whose_check_does_not_exist_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    found = await status(assurance("a", "removed"), monkeypatch, result("a", "holds", NOW))
    assert found.status == "unknown"


async def test_result_of_a_check_that_was_removed_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    found = await status(assurance("removed"), monkeypatch, result("removed", "holds", NOW))
    assert found.status == "unknown"


@pytest.mark.parametrize(
    "age, expected",
    [
        (timedelta(0), "holds"),
        (HOUR, "holds"),
        (2 * HOUR + timedelta(minutes=5), "holds"),
        (2 * HOUR + timedelta(minutes=5, microseconds=1), "unknown"),
        (timedelta(days=400), "unknown"),
    ],
)
async def test_overdue_check_is_unknown(monkeypatch: pytest.MonkeyPatch, age: timedelta, expected: str) -> None:
    found = await status(assurance("a"), monkeypatch, result("a", "holds", NOW - age))
    assert found.status == expected
    assert found.checks[0].due_at == NOW - age + HOUR


async def test_overdue_failure_does_not_become_better(monkeypatch: pytest.MonkeyPatch) -> None:
    found = await status(assurance("a"), monkeypatch, result("a", "broken", NOW - timedelta(days=2)))
    assert found.status == "unknown"


@pytest.mark.parametrize(
    "verdicts, worst",
    [
        ("holds", "holds"),
        ("holds holds", "holds"),
        ("holds attention", "attention"),
        ("attention unknown holds", "unknown"),
        ("holds broken unknown attention", "broken"),
    ],
)
async def test_worst_check_decides(monkeypatch: pytest.MonkeyPatch, verdicts: str, worst: str) -> None:
    results = [result(name, verdict, NOW) for name, verdict in zip("abcd", verdicts.split(), strict=False)]
    found = await status(assurance(*[one.name for one in results]), monkeypatch, *results)
    assert found.status == worst


async def test_measure_is_as_old_as_its_oldest_check(monkeypatch: pytest.MonkeyPatch) -> None:
    old = NOW - timedelta(minutes=30)
    found = await status(assurance("a", "b"), monkeypatch, result("a", "holds", NOW), result("b", "holds", old))
    assert found.checked_at == old


async def test_unknown_measure_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    await status(assurance(), monkeypatch)
    with pytest.raises(NotFound):
        await assurance().get(TX, "9.9")


async def test_check_that_raises_is_unknown_and_does_not_quote_its_error() -> None:
    async def raising() -> Finding:
        raise ValueError("ada@example.org")

    found = await assurance().run(a_check("a", raising), by=system("test"))
    assert (found.verdict, found.facts) == ("unknown", {"error": "ValueError"})
    assert "ada" not in found.summary


async def test_check_that_cannot_reach_what_it_needs_is_unknown() -> None:
    async def away() -> Finding:
        raise Unavailable("The database cannot be reached.")

    found = await assurance().run(a_check("a", away), by=system("test"))
    assert (found.verdict, found.facts) == ("unknown", {"error": "unavailable"})


async def test_check_that_hangs_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hanging() -> Finding:
        await asyncio.sleep(60)
        return await passing()

    monkeypatch.setattr(service, "_CHECK_SECONDS", 0.01)
    found = await assurance().run(a_check("a", hanging), by=system("test"))
    assert found.verdict == "unknown"


async def test_check_that_passes_holds() -> None:
    assert (await assurance().run(a_check("a"), by=system("test"))).verdict == "holds"


def test_checks_are_selected_by_name_or_measure() -> None:
    one = assurance("a")
    assert len(one.select([])) == 4
    assert [check.name for check in one.select(["b"])] == ["b"]
    assert len(one.select(["1.1"])) == 4
    with pytest.raises(Invalid, match="nonsense"):
        one.select(["b", "nonsense"])
