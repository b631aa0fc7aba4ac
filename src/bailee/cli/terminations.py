"""Commands about the end of contracts: termination, export, certificates."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import cyclopts
import msgspec

from bailee.cli.context import connect
from bailee.cli.ledger import key_lines
from bailee.cli.output import say, show_json, show_table
from bailee.client import Termination
from bailee.foundation.errors import ConfigurationError
from bailee.ledger.note import parse_vkey
from bailee.retention.certificate import parse_certificate, verify_certificate

termination = cyclopts.App(name="termination", help="The end of a contract, and what says that nothing is left.")

type Keys = Annotated[
    list[str] | None,
    cyclopts.Parameter(name="--key", help="A verifier key you trust, as text or file; repeat it for both signatures."),
]


@termination.command
def show(tenant: str | None = None, *, json: bool = False) -> None:
    """Show the end of one's own contract, or of a customer's."""
    with connect() as client:
        found = client.terminations.get(tenant) if tenant else client.terminations.get_own()
    _show([found], json=json)


@termination.command(name="list")
def list_terminations(*, json: bool = False) -> None:
    """List ends of contracts, newest first. For staff."""
    with connect() as client:
        _show(client.terminations.list(), json=json)


@termination.command
def request(tenant: str | None = None, *, ended: datetime | None = None, grace_days: int | None = None) -> None:
    """End one's own contract; or a customer's, with the day on which it ends."""
    with connect() as client:
        if tenant is None:
            found = client.terminations.request_own()
        elif ended is None:
            raise ConfigurationError("Say with --ended on which day the contract ends.")
        else:
            found = client.terminations.request(tenant, ended.date(), grace_days=grace_days)
    _show([found], json=False)


@termination.command
def cancel(tenant: str | None = None) -> None:
    """Have the contract go on."""
    with connect() as client:
        _show([client.terminations.cancel(tenant) if tenant else client.terminations.cancel_own()], json=False)


@termination.command
def close(tenant: str, *, yes: bool = False) -> None:
    """End a grace period at once that the operator has given: everything is deleted, for good."""
    if not yes and input(f"Delete everything of {tenant} now, for good? Type its id: ").strip() != tenant:
        say("Nothing was done.")
        return
    with connect() as client:
        _show([client.terminations.close(tenant)], json=False)


@termination.command
def export(out: Path) -> None:
    """Take all data along, as one ZIP."""
    temporary = out.with_name(f".{out.name}.part")
    try:
        with connect() as client, client.terminations.export() as stream, temporary.open("wb") as file:
            for block in stream:
                file.write(block)
        temporary.replace(out)
    finally:
        temporary.unlink(missing_ok=True)
    say(f"All data is in {out}. Its manifest.json has the SHA-256 of each part.")


@termination.command
def certificate(tenant: str, *, number: int = 1, pdf: Path | None = None, out: Path | None = None) -> None:
    """Take a certificate of deletion, as JSON, or as PDF into a file."""
    with connect() as client:
        if pdf is not None:
            with client.terminations.certificate_pdf(tenant, number) as stream:
                pdf.write_bytes(stream.read())
            return
        found = client.terminations.certificate(tenant, number)
    if out is None:
        show_json(found)
    else:
        out.write_bytes(msgspec.json.encode(msgspec.to_builtins(found)))


def verify(file: Path, *, key: Keys = None, json: bool = False) -> int:
    """Verify a certificate of deletion offline. Without --key it is held against the keys inside, which proves less."""
    try:
        signed = parse_certificate(file.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"{file} could not be read: {error.strerror}.") from None
    given = [line for text in key or [] for line in key_lines(text)]
    origin = verify_certificate(signed, [parse_vkey(line) for line in given or signed.evidence.get("keys", [])])
    document = signed.certificate
    if json:
        show_json({"verified": True, "origin": origin, "trusted_keys": bool(given), "certificate": document})
        return 0
    say(f"Verified: the log {origin} certifies that all of {document['customer']['name']} was deleted.")
    say(f"The last backup is gone by {document['backups']['gone_by'] or 'now: there is none'}.")
    if not given:
        say("The keys came from the certificate itself. Give the ones you trust with --key to know who signed.")
    return 0


def _show(found: list[Termination], *, json: bool) -> None:
    if json:
        show_json(found)
        return
    rows = ((t.tenant_id, t.tenant_name, t.state, t.side, t.requested_at, t.delete_from) for t in found)
    show_table(
        ["Id", "Customer", "State", "Asked by", "Asked", "Deleted from"], rows, empty="No contract ends."
    )  # fmt: skip
