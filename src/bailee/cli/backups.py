"""Commands about backups: the recovery key, taking, reading again, rehearsing, and who may open them."""

import os
import sys
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

import cyclopts
import msgspec

from bailee.assembly import Services
from bailee.backup.drills import Rehearsed, Takeover
from bailee.backup.model import Backup, Drill, Server
from bailee.backup.runbook import runbook as written_runbook
from bailee.backup.verifying import VerifyReport
from bailee.cli.context import connect, settings
from bailee.cli.local import with_services
from bailee.cli.output import Marked, out, progress, say, show_json, show_table
from bailee.cli.rehearsing import examine_copy
from bailee.foundation.errors import ConfigurationError
from bailee.foundation.principal import system

backup = cyclopts.App(name="backup", help="Backups: take, verify, rehearse; the recovery key; who may open them.")
release = cyclopts.App(name="release", help="Opening backups with the key of the instance: two people, one purpose.")
backup.command(release)

_BY = system("cli")
_COLOURS = {"complete": "green", "passed": "green", "failed": "red bold", "running": "yellow", "expired": "dim"}


@backup.command
def init(*, save: Path | None = None) -> None:
    """Make the recovery key and print the recovery kit, once. Lock it away: nobody can show it again."""
    with connect() as client:
        kit = client.backups.make_recovery_key()
    if save is None:
        out.print(kit, end="", markup=False)
        return
    _write_private(save, kit)
    say(f"The recovery kit is in {save}. Print it, lock it away, and delete the file.")


@backup.command(name="list")
def list_backups(*, server: str | None = None, limit: int = 50, json: bool = False) -> None:
    """List backups, newest first."""
    with connect() as client:
        found = list(islice(client.backups.list(server=server, page_size=min(limit, 1000)), limit))
    if json:
        show_json({"backups": found})
        return
    show_table(
        ["Id", "Of", "Kind", "Generation", "State", "Taken", "Kept until", "MB", "Read again"],
        (
            (b.id, b.server, b.kind, b.generation, _state(b.state), b.taken_at, b.expires_at, f"{b.size / 1e6:.1f}",
             b.fault or b.verified_at)
            for b in found
        ),
        empty="There are no backups. `bailee backup init` makes the recovery key; from then on they are taken.",
    )  # fmt: skip


@backup.command
def take(server: str = "", *, full: bool = False, json: bool = False) -> None:
    """Take backups now on this machine: of one server, or of all."""
    taken = with_services(lambda services: _take(services, server, full=full))
    if json:
        show_json({"backups": taken})
    else:
        show_table(
            ["Id", "Of", "Kind", "Generation", "MB", "Kept until"],
            ((b.id, b.server, b.kind, b.generation, f"{b.size / 1e6:.1f}", b.expires_at) for b in taken),
            empty="Nothing was taken: nothing has changed, or a worker is taking it just now (`bailee backup list`).",
        )


@backup.command
def verify(*, json: bool = False) -> int:
    """Read everything in the repository again, against hashes and signatures. Exit code 1 if something is wrong."""
    report = with_services(_verify)
    if json:
        show_json(report)
    else:
        say(f"{report.backups} backups, {report.objects} objects, {report.bytes / 1e6:.1f} MB read again.")
        for fault in report.faults:
            say(f"  fault: {fault}")
        say("Something is wrong with the backups." if report.faults else "Everything is as it was stored.")
    return int(bool(report.faults))


@backup.command
def drill(*, json: bool = False) -> int:
    """Rehearse a restore now: into a scratch copy, compared row by row, served, destroyed. Exit code 1 if it fails."""
    result = with_services(lambda services: services.backup.drills.run(by=_BY, say=_quiet if json else say))
    if json:
        show_json(result)
    else:
        say(
            f"The drill has {result.state}: {result.rows} rows in {result.tables} tables compared, "
            f"{result.samples} samples opened."
        )
        say(f"Serving after {result.rto_seconds} s (RTO); at most {result.rpo_seconds} s lost (RPO).")
        for fault in result.faults:
            say(f"  fault: {fault}")
    return int(result.state != "passed")


@backup.command
def drills(*, limit: int = 20, json: bool = False) -> None:
    """List rehearsals, newest first, with the times they took."""
    with connect() as client:
        found = list(islice(client.backups.drills(page_size=min(limit, 1000)), limit))
    if json:
        show_json({"drills": found})
        return
    show_table(
        ["Id", "Began", "State", "RTO s", "RPO s", "Tables", "Rows", "Samples", "Faults"],
        (
            (d.id, d.began_at, _state(d.state), d.rto_seconds, d.rpo_seconds, d.tables, d.rows, d.samples,
             "; ".join(d.faults))
            for d in found
        ),
        empty="Nothing was rehearsed yet.",
    )  # fmt: skip


@backup.command
def runbook() -> None:
    """Print how this instance is restored, with its own places and commands, as Markdown. Keep it with the kit."""
    out.print(with_services(_runbook), end="", markup=False)


@backup.command(name="take-over", show=False)
def take_over() -> None:
    """On a restored copy: replay what must survive, and examine it. Reads and answers JSON."""
    told = msgspec.json.decode(sys.stdin.buffer.read(), type=Takeover)
    answer: Rehearsed = with_services(lambda services: examine_copy(services, told))
    sys.stdout.buffer.write(msgspec.json.encode(answer))


# --- releases -------------------------------------------------------------------------------------------


@release.command
def request(purpose: str, *, reason: str) -> None:
    """Ask for the key: disaster_recovery or legal_retention. A second person has to approve."""
    with connect() as client:
        found = client.backups.request_release(purpose, reason)
    say(f"Requested: {found.id}. A second person approves it with `bailee backup release approve {found.id}`.")


@release.command
def approve(release_id: UUID) -> None:
    """Approve somebody else's request. It can be used once, within four hours."""
    with connect() as client:
        client.backups.decide_release(str(release_id), approve=True)
    say("Approved. It is used with `bailee restore --release ID`.")


@release.command
def refuse(release_id: UUID) -> None:
    """Refuse somebody else's request."""
    with connect() as client:
        client.backups.decide_release(str(release_id), approve=False)
    say("Refused.")


@release.command(name="list")
def list_releases(*, limit: int = 50, json: bool = False) -> None:
    """List releases, newest first."""
    with connect() as client:
        found = list(islice(client.backups.releases(page_size=min(limit, 1000)), limit))
    if json:
        show_json({"releases": found})
        return
    show_table(
        ["Id", "Purpose", "State", "Requested", "Decided", "Used", "Reason"],
        ((r.id, r.purpose, r.state, r.requested_at, r.decided_at, r.used_at, r.reason) for r in found),
        empty="No backup was ever to be opened.",
    )


# --- inside ---------------------------------------------------------------------------------------------


async def _take(services: Services, server: str, *, full: bool) -> list[Backup]:
    backups = services.backup.backups
    servers: list[Server] = [one for one in backups.servers if server in ("", one)]
    if not servers:
        raise ConfigurationError(f"There is no server {server} to back up; choose one of {', '.join(backups.servers)}.")
    taken = []
    with progress() as bar:
        for one in sorted(servers, key=lambda name: name != "keyring"):
            task = bar.add_task(one, total=None)
            manifest = await backups.take(
                one, by=_BY, asked=True, full=full,
                progress=lambda count, task=task: bar.advance(task, count),  # type: ignore[misc]  # bound at once
            )  # fmt: skip
            if manifest is not None:
                taken.append(manifest.id)
    if "main" in servers and taken:
        await services.backup.upkeep.fingerprint()
    async with services.database.operator_read() as tx:
        return [await backups.get(tx, backup_id) for backup_id in taken]


async def _verify(services: Services) -> VerifyReport:
    upkeep = services.backup.upkeep
    complete = await upkeep.complete()
    reading = await upkeep.reading()
    with progress() as bar:
        task = bar.add_task("Reading", total=None)
        reading.watch(lambda count: bar.advance(task, count))
        return await upkeep.verify(complete, by=_BY, reading=reading)


async def _runbook(services: Services) -> str:
    async with services.database.operator_read() as tx:
        drills_held: list[Drill] = await services.backup.drills.page(tx, limit=1)
    return written_runbook(settings(), services.backup.backups, drills_held[0] if drills_held else None)


def _state(state: str) -> Any:
    colour = _COLOURS.get(state)
    return Marked(f"[{colour}]{state}[/]") if colour else state


def _quiet(_text: str) -> None:
    """JSON is all that is said."""


def _write_private(path: Path, text: str) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}.") from None
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
