"""The log under load: recording, numbering, verifying, looking, and tracing an incident through ten million events."""

import asyncio
import resource
import statistics
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg

from bailee.assembly import Services
from bailee.events.catalogue import FileRead, SignInFailed
from bailee.foundation.ids import TenantId, new_id
from bailee.foundation.principal import anonymous, system
from bailee.incidents.model import Scope
from bailee.ledger.fsck import verify_ledger
from bailee.monitoring.store import stream
from benchmarks.figures import Figure

BY = system("bench")
SINGLE = 300
LEAVES = 1_000_000
TRACED = 10_000_000
OF_THE_THIEF = 50_000
TENANTS = 20
A_SECOND, SECONDS, BATCH = 1000, 20, 50
_INSERT = "INSERT INTO idempotency (tenant_id, token, fingerprint) VALUES (%s, %s, 'x')"


async def figures(services: Services, owner: str) -> list[Figure]:
    """All of it; `owner` reaches the main server as the owner, to fill it faster than any product would."""
    before = _megabytes()
    found = [await _recording(services), await _lag(services)]
    half = _megabytes()
    found += [await _sequencing(services, owner), await _verifying(services)]
    found.append(await _tracing(services, owner))
    after = _megabytes()
    found.append(
        Figure("MiB of memory after recording and looking", half, "after a million leaves more", after, "at least 0.7")
    )
    print(f"memory: {before:.0f} MiB, {half:.0f} MiB, {after:.0f} MiB")
    return found


async def _recording(services: Services) -> Figure:
    """A write with its event, beside the same write without."""
    async with services.database.operator() as operator:
        tenant = (await services.tenants.create(operator, name="Log", plan="standard", by=BY)).id

    async def write(*, event: bool) -> float:
        start = time.perf_counter()
        for _ in range(SINGLE):
            async with services.database.tenant(tenant) as tx:
                await tx.run(_INSERT, (tenant, new_id().bytes))
                if event:
                    await services.events.record(tx, FileRead(), by=BY)
        return SINGLE / (time.perf_counter() - start)

    await write(event=True)
    bare, whole = [], []
    for _ in range(5):
        bare.append(await write(event=False))
        whole.append(await write(event=True))
    return Figure(
        "writes with their event, one a transaction", statistics.median(whole), "the same writes without",
        statistics.median(bare), "at least 0.5",
    )  # fmt: skip


async def _lag(services: Services) -> Figure:
    """From the commit of an event to its having passed every rule, at a thousand events a second."""
    while await services.sequencer.step():
        pass
    while await services.monitoring.detector.step():
        pass
    work = [asyncio.create_task(one) for one in (services.sequencer.run(), services.monitoring.detector.run())]
    await asyncio.sleep(2)
    waiting: list[tuple[int, float]] = []
    lags: list[float] = []

    async def watch() -> None:
        while True:
            async with services.database.operator_read() as tx:
                passed = await stream.find_next(tx)
            now = time.perf_counter()
            while waiting and waiting[0][0] <= passed:
                lags.append(now - waiting.pop(0)[1])
            await asyncio.sleep(0.01)

    async with services.database.operator_read() as reader:
        base = await stream.count_leaves(reader)
    watcher = asyncio.create_task(watch())
    began = time.perf_counter()
    for number in range(A_SECOND * SECONDS // BATCH):
        async with services.database.operator() as tx:
            for _ in range(BATCH):
                await services.events.record(tx, SignInFailed("credentials"), by=anonymous(f"192.0.2.{number % 250}"))
        waiting.append((base + (number + 1) * BATCH, time.perf_counter()))
        await asyncio.sleep(max(0.0, began + (number + 1) * BATCH / A_SECOND - time.perf_counter()))
    rate = A_SECOND * SECONDS / (time.perf_counter() - began)
    with suppress(TimeoutError):
        async with asyncio.timeout(30):
            while waiting:  # noqa: ASYNC110  what is waited for tells nobody
                await asyncio.sleep(0.05)
    for task in (watcher, *work):
        task.cancel()
    await asyncio.gather(watcher, *work, return_exceptions=True)
    p99 = sorted(lags)[int(len(lags) * 0.99)] if not waiting else float("inf")
    print(f"detection lag at {rate:.0f} events a second: median {statistics.median(lags):.3f} s, p99 {p99:.3f} s")
    return Figure(
        f"1 / p99 of the lag of detection, at {rate:,.0f} events a second", 1 / p99, "1 / 2 s", 0.5, "at least 1"
    )


async def _sequencing(services: Services, owner: str) -> Figure:
    """A million commitments that wait, numbered, written to tiles and signed."""
    async with await psycopg.AsyncConnection.connect(owner, autocommit=True, options="-c search_path=bailee") as sql:
        await sql.execute("ALTER TABLE ledger_pending NO FORCE ROW LEVEL SECURITY")  # or it binds the owner too
        await sql.execute(
            "INSERT INTO ledger_pending (tenant_id, entry_id, entry)"
            " SELECT '00000000-0000-0000-0000-000000000001', gen_random_uuid(), sha256(n::text::bytea)"
            " FROM generate_series(1, %s) n",
            (LEAVES,),
        )
        await sql.execute("VACUUM ANALYZE ledger_pending")
    start = time.perf_counter()
    while await services.sequencer.step():
        pass
    rate = LEAVES / (time.perf_counter() - start)
    return Figure("leaves sequenced, a million in a row", rate, "20,000 a second", 20_000, "at least 1")


async def _verifying(services: Services) -> Figure:
    """The whole log, from its first leaf to the signed checkpoint."""
    start = time.perf_counter()
    report = await verify_ledger(services.database, services.objects, services.signer)
    seconds = time.perf_counter() - start
    print(f"{report.leaves:,} leaves verified in {seconds:.1f} s, {len(report.faults)} faults")
    return Figure("leaves verified", report.leaves / seconds, "a million in 15 s", 1_000_000 / 15, "at least 1")


async def _tracing(services: Services, owner: str) -> Figure:
    """The blast radius of one key among ten million events of twenty tenants."""
    tenants: list[TenantId] = []
    async with services.database.operator() as operator:
        for number in range(TENANTS):
            made = await services.tenants.create(operator, name=f"Traced {number}", plan="standard", by=BY)
            tenants.append(made.id)
    thief = new_id()
    await _fill(owner, tenants, thief)
    now = datetime.now(UTC)
    scope = Scope(now - timedelta(days=400), now + timedelta(days=1), keys=[thief], addresses=["192.0.2.99"])
    times = []
    for _ in range(5):
        start = time.perf_counter()
        found = await services.incidents.tracer.compute(scope, by="bench")
        times.append(time.perf_counter() - start)
        assert found.reach.events == OF_THE_THIEF, found.reach.events
    print(
        f"blast radius over {TRACED:,} events, {OF_THE_THIEF:,} of them the thief's: {statistics.median(times):.3f} s"
    )
    name = "1 / seconds to a blast radius, 10 million events"
    return Figure(name, 1 / statistics.median(times), "1 / 2 s", 0.5, "at least 1")


async def _fill(owner: str, tenants: list[TenantId], thief: UUID) -> None:
    """Ten million events. The indexes that the question does not use are left out: they only cost time here."""
    async with await psycopg.AsyncConnection.connect(owner, autocommit=True, options="-c search_path=bailee") as sql:
        for index in ("events_newest", "events_by_action", "events_of_staff", "events_by_age"):
            await sql.execute(f"DROP INDEX IF EXISTS {index}")  # type: ignore[arg-type]  # names from the line above
        await sql.execute("ALTER TABLE events NO FORCE ROW LEVEL SECURITY")
        await sql.execute(
            """
            INSERT INTO events
                (tenant_id, event_id, occurred_at, action, actor_kind, actor_id, outcome, body, salt, address,
                 object_id, collection, reached)
            SELECT
                (%(tenants)s::uuid [])[1 + n %% %(count)s], lpad(to_hex(n), 32, '0')::uuid,
                now() - n * interval '3 seconds', 'record.read', 'key',
                CASE WHEN n %% %(every)s = 0 THEN %(thief)s ELSE 'key-' || n %% 5000 END, 'success', '{}', '',
                '198.51.100.' || n %% 250, lpad(to_hex(n %% 100000), 32, '0')::uuid::text, 'people', 1
            FROM generate_series(1, %(total)s) n
            """,
            {
                "tenants": tenants, "count": len(tenants), "every": TRACED // OF_THE_THIEF, "thief": str(thief),
                "total": TRACED,
            },
        )  # fmt: skip
        await sql.execute("VACUUM ANALYZE events")


def _megabytes() -> float:
    """The most that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
