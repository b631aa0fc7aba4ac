"""Commands about the ledger, and the offline verifier."""

import asyncio
from pathlib import Path
from typing import Annotated

import cyclopts
import msgspec

from bailee.assembly import open_services
from bailee.cli.context import anonymous, base_url, connect, settings
from bailee.cli.output import out, progress, say, show_json
from bailee.events.catalogue import Examined
from bailee.foundation.errors import ConfigurationError
from bailee.foundation.logs import configure_logs
from bailee.foundation.principal import system
from bailee.ledger.evidence import parse_evidence, verify_evidence
from bailee.ledger.fsck import LedgerReport, verify_ledger
from bailee.ledger.note import parse_vkey

ledger = cyclopts.App(name="ledger", help="The transparency log: verify it, take proofs from it.")

type Keys = Annotated[
    list[str] | None,
    cyclopts.Parameter(name="--key", help="A verifier key you trust, as text or file; repeat it for both signatures."),
]


@ledger.command
def fsck(*, json: bool = False) -> int:
    """Re-verify the whole log on this machine. Exit code 1 if it does not verify."""
    report = asyncio.run(_fsck())
    if json:
        show_json(report)
    else:
        say(f"{report.leaves} leaves, root {report.root or '(none)'}, {report.pending} waiting.")
        for fault in report.faults:
            say(f"  fault: {fault}")
        say("The ledger does not verify." if report.faults else "The ledger verifies.")
    return int(bool(report.faults))


@ledger.command
def checkpoint(*, json: bool = False) -> None:
    """Print the newest signed checkpoint."""
    with anonymous(base_url()) as client:
        note = client.ledger.checkpoint()
    if json:
        origin, size, root, *_ = note.split("\n")
        show_json({"origin": origin, "size": int(size), "root": root, "note": note})
    else:
        out.print(note, end="", markup=False)


@ledger.command
def keys(*, json: bool = False) -> None:
    """Print the log's verifier keys. Take them once, from a source you trust."""
    with anonymous(base_url()) as client:
        found = client.ledger.keys()
    if json:
        show_json({"keys": found.split()})
    else:
        out.print(found, end="", markup=False)


@ledger.command
def proof(event: str, *, save: Path | None = None) -> None:
    """Take the proof of one event, as an evidence bundle."""
    with connect() as client:
        _save(client.ledger.proof(event), save)


@ledger.command
def bundle(*events: str, save: Path | None = None) -> None:
    """Take an evidence bundle of several events."""
    with connect() as client:
        _save(client.ledger.bundle(list(events)), save)


def verify(file: Path, *, key: Keys = None, json: bool = False) -> int:
    """Verify an evidence bundle offline. Without --key it is held against the keys inside, which proves less."""
    try:
        evidence = parse_evidence(file.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"{file} could not be read: {error.strerror}.") from None
    given = [line for text in key or [] for line in key_lines(text)]
    proven = verify_evidence(evidence, [parse_vkey(line) for line in given or evidence.keys])
    if json:
        show_json(
            {
                "verified": True, "events": len(evidence.items), "origin": proven.origin, "size": proven.size,
                "root": proven.root.hex(), "trusted_keys": bool(given),
            }
        )  # fmt: skip
        return 0
    say(f"Verified: {len(evidence.items)} events are in the log {proven.origin} of {proven.size} leaves.")
    if not given:
        say("The keys came from the bundle itself. Give the ones you trust with --key to know who signed.")
    return 0


async def _fsck() -> LedgerReport:
    here = settings()
    configure_logs("cli", here.logs.level, here.data / "logs")
    async with open_services(here) as services:
        with progress() as bar:
            task = bar.add_task("Verifying", total=None)
            report = await verify_ledger(
                services.database, services.objects, services.signer,
                lambda done, total: bar.update(task, completed=done, total=total),
            )  # fmt: skip
        async with services.database.operator() as tx:
            await services.events.record(tx, Examined("ledger.fsck", len(report.faults)), by=system("cli"))
    return report


def key_lines(text: str) -> list[str]:
    """The keys in a text, or in the file that it names."""
    path = Path(text)
    content = path.read_text("utf-8") if len(text) < 4096 and path.is_file() else text  # noqa: PLR2004  the longest path
    return [line.strip() for line in content.splitlines() if line.strip()]


def _save(evidence: object, save: Path | None) -> None:
    if save is None:
        show_json(evidence)
    else:
        save.write_bytes(msgspec.json.format(msgspec.json.encode(evidence)))
        say(f"Written to {save}.")
