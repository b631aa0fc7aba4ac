"""`make bench`: measures, prints, and writes docs/benchmarks.md."""

import asyncio
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import msgspec

from bailee.assembly import Services, open_services
from bailee.cli.processes import running_clusters
from bailee.events.catalogue import FileRead
from bailee.foundation.errors import Error
from bailee.foundation.ids import TenantId, new_id
from bailee.foundation.migrate import migrate
from bailee.foundation.principal import system
from bailee.foundation.settings import Settings
from bailee.stores.vault import NewRecord
from benchmarks import access, backup, detection, log
from benchmarks.figures import Figure

ROUNDS = 5
BATCH = 1000
SINGLE = 200
SEARCHES, FOUND = 20, 50
EVENTS = 2000
COLLECTION = "bench"
BY = system("bench")
DATA = {"name": "Sample Person", "note": "x" * 900}
DEFINITION = {
    "title": "Bench",
    "purpose": "Measuring",
    "subject": "optional",
    "fields": {
        "name": {"type": "string", "category": "identity", "searchable": True},
        "note": {"type": "string", "category": "none"},
    },
}
BACKUPS = """\
## Backups beside other tools

A table of incompressible rows, copied as it lies by restic, borg and pgBackRest, and as a server sends it by barman and
Bailee; medians of 3 rounds, of 2 above 2 GB. barman does not encrypt. What is restored is the newest full backup, with
every tool; "through an incremental" is the newest incremental after a change of 1 %: with barman and Bailee the
pg_combinebackup writes each changed file of a gigabyte anew. Before each restore the system forgets what it has of the
repository in memory, whoever's it is: that is how a restore begins on a new machine.
"""
REPORT = Path(__file__).parent.parent / "docs" / "benchmarks.md"


async def rate(count: int, work: Callable[[], Awaitable[object]]) -> float:
    """How many a second, where one call of `work` does `count`."""
    rates = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        await work()
        rates.append(count / (time.perf_counter() - start))
    return statistics.median(rates)


class Bench:
    """The work that is measured, on one tenant."""

    def __init__(self, services: Services, tenant: TenantId) -> None:
        self._services = services
        self._tenant = tenant
        self._ids: list[UUID | Error] = []

    async def plain_batch(self) -> None:
        """The baseline: the same rows, in the clear, without index, key, event or ledger."""
        body = msgspec.json.encode(DATA)
        async with self._services.database.tenant(self._tenant) as tx:
            await tx.run(
                "INSERT INTO idempotency (tenant_id, token, fingerprint) SELECT %s, t, %s FROM unnest(%s::bytea[]) t",
                (self._tenant, body, [new_id().bytes for _ in range(BATCH)]),
            )

    async def plain_single(self) -> None:
        body = msgspec.json.encode(DATA)
        for _ in range(SINGLE):
            async with self._services.database.tenant(self._tenant) as tx:
                await tx.run(
                    "INSERT INTO idempotency (tenant_id, token, fingerprint) VALUES (%s, %s, %s)",
                    (self._tenant, new_id().bytes, body),
                )

    async def batch(self) -> None:
        await self._write([NewRecord(DATA) for _ in range(BATCH)])

    async def batch_of_people(self) -> None:
        await self._write([NewRecord(DATA, f"person-{new_id()}") for _ in range(BATCH)])

    async def _write(self, lines: list[NewRecord]) -> None:
        async with self._services.database.tenant(self._tenant) as tx:
            self._ids.extend(await self._services.vault.create_many(tx, COLLECTION, lines, by=BY))

    async def single(self) -> None:
        for _ in range(SINGLE):
            async with self._services.database.tenant(self._tenant) as tx:
                await self._services.vault.create(tx, COLLECTION, NewRecord(DATA), by=BY)

    async def read(self) -> None:
        for record_id in self._ids[:SINGLE]:
            if isinstance(record_id, UUID):
                async with self._services.database.tenant(self._tenant) as tx:
                    await self._services.vault.read(tx, COLLECTION, record_id, by=BY)

    async def search(self) -> None:
        where = {"name": "sample person"}
        for _ in range(SEARCHES):
            async with self._services.database.tenant(self._tenant) as tx:
                await self._services.vault.search(
                    tx, COLLECTION, subject=None, where=where, after=None, limit=FOUND, by=BY
                )

    async def record_events(self) -> None:
        async with self._services.database.operator() as tx:
            for _ in range(EVENTS):
                await self._services.events.record(tx, FileRead(), by=BY)

    async def sequence(self) -> None:
        while await self._services.sequencer.step():
            pass


async def once(count: int, work: Awaitable[object]) -> float:
    """How many a second, measured once."""
    start = time.perf_counter()
    await work
    return count / (time.perf_counter() - start)


async def measure(services: Services, owner: str) -> list[Figure]:
    """Every figure, each next to what it is compared with."""
    async with services.database.operator() as operator:
        tenant = (await services.tenants.create(operator, name="Bench", plan="standard", by=BY)).id
    async with services.database.tenant(tenant) as tx:
        await services.collections.define(tx, COLLECTION, DEFINITION, by=BY)
    bench = Bench(services, tenant)
    plain, single = await rate(BATCH, bench.plain_batch), await rate(SINGLE, bench.plain_single)
    rows, one = "plain rows, 1,000 a batch", "plain rows, one a transaction"
    figures = [
        Figure("records, 1,000 a batch, no subject", await rate(BATCH, bench.batch), rows, plain),
        Figure("records, 1,000 a batch, new subjects", await rate(BATCH, bench.batch_of_people), rows, plain),
        Figure("records, one a transaction", await rate(SINGLE, bench.single), one, single),
        Figure("reads, each with its event", await rate(SINGLE, bench.read), one, single),
        Figure("records found by search", await rate(SEARCHES * FOUND, bench.search), rows, plain),
    ]
    await bench.sequence()
    recorded = await once(EVENTS, bench.record_events())
    figures.append(Figure("leaves sequenced", await once(EVENTS, bench.sequence()), "events recorded", recorded))
    figures += [await access.sign_ins(services), access.permission_checks()]
    return [*figures, *await log.figures(services, owner)]


def _shown(rate: float) -> str:
    """Small numbers with their fractions."""
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2f}"


def report(figures: list[Figure]) -> str:
    """The table, as Markdown."""
    rows = [
        f"| {f.name} | {_shown(f.rate)} | {f.against} | {_shown(f.baseline)} | {f.ratio:.2f} | {f.limit} |"
        for f in figures
    ]
    return "\n".join([
        "# Benchmarks", "",
        f"Written by `make bench` on {datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, embedded PostgreSQL, "
        f"medians of {ROUNDS} rounds, one caller. Trust the ratios: each stands beside its baseline of the same run.",
        "", "| what | per second | against | per second | ratio | to be |", "|---|---:|---|---:|---:|---|", *rows, "",
        *_missed(figures), BACKUPS,
    ])  # fmt: skip


def _missed(figures: list[Figure]) -> list[str]:
    """What is behind its limit, which begins "at least"."""
    behind = [f for f in figures if f.limit and f.ratio < float(f.limit.split()[2])]
    return [f"Behind what is asked: {'; '.join(f'{f.name} ({f.ratio:.2f})' for f in behind)}.", ""] if behind else []


def main() -> None:
    """Runs everything on fresh clusters in a temporary directory."""
    data = Path(tempfile.mkdtemp(prefix="bailee-bench-"))
    data.chmod(0o711)
    settings = Settings(data=data)
    try:
        with running_clusters(settings) as clusters:
            for cluster in clusters:
                migrate(cluster.owner_conninfo, cluster.name)
            owner = clusters[0].owner_conninfo

            async def run() -> list[Figure]:
                async with open_services(settings) as services:
                    listening = asyncio.create_task(services.keyring.listen())
                    try:
                        return await measure(services, owner)
                    finally:
                        listening.cancel()

            figures = asyncio.run(run())
    finally:
        shutil.rmtree(data, ignore_errors=True)
    text = report([*figures, *detection.figures(), *access.over_https(), *backup.figures()])
    print(text)
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(text)


if __name__ == "__main__":
    main()
