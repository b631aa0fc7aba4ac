"""Commands that act on this machine. Each leaves an event."""

from rich.markup import escape

from bailee.assembly import Services
from bailee.assurance.service import MeasureStatus
from bailee.assurance.store import Result
from bailee.assurance.toms import load_toms
from bailee.cli import doctor as examination
from bailee.cli.context import settings
from bailee.cli.demo import run_demo
from bailee.cli.local import with_services
from bailee.cli.output import Marked, out, progress, show_json, show_table, status_text
from bailee.cli.processes import Ready, run_migrations, run_up, run_worker, running_clusters
from bailee.events.catalogue import RootKeyRotated
from bailee.foundation.cluster import DataDirectory
from bailee.foundation.logs import configure_logs
from bailee.foundation.principal import system
from bailee.foundation.settings import EMBEDDED
from bailee.web.server import serve as run_server


def up() -> None:
    """Run everything on this machine: PostgreSQL, server and worker. Stop with Ctrl-C."""
    here = settings()
    configure_logs("up", here.logs.level, here.data / "logs")
    run_up(here, _announce)


def _announce(ready: Ready) -> None:
    out.print(f"Bailee is ready at [bold]{escape(ready.url)}[/]")
    if ready.setup_url:
        out.print("Nobody has an account yet. Make the owner's with this link; it works once, for a day:")
        out.print(escape(ready.setup_url), style="bold")
        out.print("Then sign in with `bailee login`; `bailee backup init` makes the recovery key, and backups begin.")


def serve() -> None:
    """Run the web server alone, on databases that run elsewhere."""
    run_server(settings())


def worker() -> None:
    """Run the worker alone: jobs, schedules, and the ledger's sequencer."""
    here = settings()
    configure_logs("worker", here.logs.level, here.data / "logs")
    run_worker(here)


def migrate(*, json: bool = False) -> None:
    """Bring the databases to the present schema."""
    here = settings()
    configure_logs("migrate", here.logs.level, here.data / "logs")
    if here.database.main == EMBEDDED:
        with DataDirectory(here.data), running_clusters(here):
            steps = run_migrations(here)
    else:
        steps = run_migrations(here)
    if json:
        show_json({"steps": steps})
    else:
        show_table(["Step"], ((step,) for step in steps), empty="The schema is up to date.")


def demo() -> None:
    """Run an instance with two sample customers. Sign-in data: <data>/demo-credentials.json."""
    here = settings()
    configure_logs("up", here.logs.level, here.data / "logs")
    run_demo(here)


def toms(*, json: bool = False) -> None:
    """Show the TOM document with the status of each measure."""
    here = settings()
    report = with_services(_report)
    if json:
        show_json({"measures": report})
        return
    title = load_toms(here.toms).title
    out.print(f"[bold]{escape(title)}[/]")
    rows = ((m.id, m.title, Marked(status_text(m.status)), m.checked_at) for m in report)
    show_table(["Measure", "Commitment", "Status", "Checked"], rows, empty="The document has no measures.")


def check(*names: str, json: bool = False) -> int:
    """Run checks now: all, or those named by check or measure. Exit code 1 unless all hold."""
    results = with_services(lambda services: _run_checks(services, list(names)))
    if json:
        show_json({"results": results})
    else:
        rows = ((r.measure, r.name, Marked(status_text(r.verdict)), r.summary) for r in results)
        show_table(["Measure", "Check", "Verdict", "Finding"], rows, empty="There are no checks.")
    return int(any(result.verdict != "holds" for result in results))


def doctor(*, json: bool = False) -> int:
    """Examine this installation: settings, disks, keys, schema, queue, ledger. Exit code 1 if something is wrong."""
    findings = examination.examine(settings())
    if json:
        show_json({"findings": findings})
    else:
        rows = ((Marked("[green]ok[/]" if f.ok else "[red]fault[/]"), f.what, f.detail) for f in findings)
        show_table(["", "What", "Detail"], rows, empty="Nothing was examined.")
    return int(any(not finding.ok for finding in findings))


def rotate_root() -> None:
    """Make a new root key, and put every tenant's keys under it. Data stays readable throughout."""
    count = with_services(_rotate_root)
    out.print(f"A new root key wraps the keys of {count} tenants. Keep a copy of it away from this machine.")


async def _rotate_root(services: Services) -> int:
    await services.keyring.rotate_root()
    tenants = await services.housekeeping.every_tenant()
    with progress() as bar:
        for tenant in bar.track(tenants, description="Rewrapping"):
            await services.keyring.rewrap_tenant_keys(tenant)
    async with services.database.operator() as tx:
        await services.events.record(tx, RootKeyRotated(len(tenants)), by=system("cli"))
    return len(tenants)


async def _report(services: Services) -> list[MeasureStatus]:
    async with services.database.operator_read() as tx:
        return await services.assurance.report(tx)


async def _run_checks(services: Services, names: list[str]) -> list[Result]:
    checks = services.assurance.select(names)
    results = []
    with progress() as bar:
        task = bar.add_task("Checking", total=len(checks))
        for one in checks:
            bar.update(task, description=one.name)
            results.append(await services.assurance.run(one, by=system("cli")))
            bar.advance(task)
    return results
