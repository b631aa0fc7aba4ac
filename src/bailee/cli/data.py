"""Commands that act on data, through the API, as a tenant's key."""

import hashlib
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import cyclopts
import msgspec

from bailee.cli.context import connect
from bailee.cli.output import progress, say, show_json, show_table
from bailee.client import Record
from bailee.foundation.errors import ConfigurationError

map_app = cyclopts.App(name="map", help="The data map: what each collection holds.")
subject_app = cyclopts.App(name="subject", help="One person: everything held, or erasure.")

_MOST_SHOWN = 20

type MapFile = Annotated[
    Path | None, cyclopts.Parameter(name="--map", help="Define the collection from this JSON file first.")
]


def import_records(collection: str, file: Path, *, map_file: MapFile = None, json: bool = False) -> int:
    """Import NDJSON: one {"subject", "data"} a line. Repeating an import adds nothing twice (for a week).

    What a map refused is tried again once the map has changed: mend the map, and repeat.
    """
    digest = _digest(file)
    lines = _Lines(file)
    refused: dict[int, dict[str, Any]] = {}
    stored = 0
    with connect() as client, progress() as bar:
        if map_file is not None:
            client.collections.put(collection, _read_json(map_file))
        task = bar.add_task(f"Importing into {collection}", total=lines.count())
        pending: Iterable[tuple[int, dict[str, Any]]] = lines
        # One pass for each version of the map, over what the passes before refused. The same file gives the same
        # keys, so a pass that an earlier run made is answered and not made again.
        for version in range(1, client.collections.get(collection).version + 1):
            sent = _Numbered(pending)
            refused.clear()
            key = f"import/{collection}/{digest}/{version}"
            for result in client.records.batch_write(collection, sent, idempotency_key=key):
                number, line = sent.take(result.line)
                if result.error is None:
                    stored += 1
                    bar.advance(task)
                else:
                    refused[number] = {"line": line, "error": msgspec.to_builtins(result.error)}
            if not refused:
                break
            pending = [(number, fault["line"]) for number, fault in refused.items()]
    faults = [{"line": number, "error": fault["error"]} for number, fault in refused.items()] + lines.unreadable
    faults.sort(key=lambda fault: fault["line"])
    _show_import(stored, faults, json=json)
    return int(bool(faults))


def _show_import(stored: int, faults: list[dict[str, Any]], *, json: bool) -> None:
    if json:
        show_json({"stored": stored, "refused": len(faults), "errors": faults})
        return
    say(f"{stored} stored, {len(faults)} refused.")
    for fault in faults[:_MOST_SHOWN]:
        say(f"  line {fault['line']}: {_sentence(fault['error'])}")


def export_records(collection: str, *, out: Path | None = None, subject: str | None = None) -> None:
    """Export a collection as NDJSON, to a file or standard output."""
    count = 0
    with connect() as client, progress() as bar:
        known = client.collections.get(collection).records
        task = bar.add_task(f"Exporting {collection}", total=known if subject is None else None)
        temporary = out.with_name(f".{out.name}.part") if out else None
        file = temporary.open("wb") if temporary else sys.stdout.buffer
        try:
            for record in client.records.search(collection, subject=subject, page_size=1000):
                file.write(msgspec.json.encode(record) + b"\n")
                count += 1
                bar.advance(task)
        finally:
            if temporary:
                file.close()
        if temporary and out:
            temporary.replace(out)
    say(f"{count} records.")


def search(collection: str, *conditions: str, json: bool = False) -> None:
    """Find records: `bailee search people name.last=Sanders`."""
    where = {}
    for condition in conditions:
        path, separator, value = condition.partition("=")
        if not separator:
            raise ConfigurationError(f"A condition reads field=value; {path!r} does not.")
        where[path] = value
    with connect() as client:
        _show_records(list(client.records.search(collection, where=where)), json=json)


def events(*, action: str | None = None, limit: int = 50, json: bool = False) -> None:
    """List events, newest first."""
    with connect() as client:
        page = client.events.page(action=action, limit=limit)
    if json:
        show_json({"items": page.items})
        return
    rows = (
        (e.time, e.action, f"{e.actor.kind} {e.actor.id}" if e.actor else "", e.outcome, e.ledger_index, e.id)
        for e in page.items
    )
    show_table(["Time", "Action", "Actor", "Outcome", "Leaf", "Event"], rows, empty="There are no events.")


@map_app.command(name="list")
def list_collections(*, json: bool = False) -> None:
    """List the collections."""
    with connect() as client:
        found = list(client.collections.list())
    if json:
        show_json({"items": found})
        return
    show_table(
        ["Name", "Title", "Purpose", "Version", "Records"],
        ((c.name, c.title, c.purpose, c.version, c.records) for c in found),
        empty="There are no collections.",
    )


@map_app.command(name="show")
def show_collection(name: str, *, json: bool = False) -> None:
    """Show one collection with its fields."""
    with connect() as client:
        found = client.collections.get(name)
    if json:
        show_json(found)
        return
    say(f"{found.title}. Purpose: {found.purpose}. Version {found.version}, {found.records} records.")
    rows = ((n, f.format or f.type, f.category, f.required, f.searchable) for n, f in found.fields.items())
    show_table(["Field", "Type", "Category", "Required", "Searchable"], rows, empty="It has no fields.")


@map_app.command(name="versions")
def list_versions(name: str, *, json: bool = False) -> None:
    """List the versions of a collection's map."""
    with connect() as client:
        found = list(client.collections.versions(name))
    if json:
        show_json({"items": found})
    else:
        show_table(["Version", "From"], ((v.version, v.created_at) for v in found), empty="There are no versions.")


@map_app.command
def define(name: str, file: Path) -> None:
    """Define or change a collection from a JSON file."""
    with connect() as client:
        found = client.collections.put(name, _read_json(file))
    say(f"{found.name} is at version {found.version}.")


@subject_app.command(name="show")
def show_subject(subject: str, *, json: bool = False) -> None:
    """Show everything held on one person."""
    with connect() as client:
        view = client.subjects.get(subject)
    if json:
        show_json(view)
        return
    _show_records(list(view.records), json=False)
    if view.files:
        show_table(["File", "Size", "Type"], ((f.id, f.size, f.content_type) for f in view.files), empty="")


@subject_app.command
def erase(subject: str, *, yes: bool = False, json: bool = False) -> None:
    """Erase one person: the key first, then every record and file. It cannot be undone."""
    if not yes and input("Erase everything held on this person, for good? Type the identifier: ") != subject:
        say("Nothing was done.")
        return
    with connect() as client:
        receipt = client.subjects.erase(subject)
    if json:
        show_json(receipt)
    else:
        say(
            f"{receipt.records} records, {receipt.files} files and {receipt.keys} keys are gone. "
            f"Event {receipt.event}, leaf {receipt.ledger_index}."
        )
        if receipt.state == "waiting":
            say(f"The law keeps the rest until {receipt.until} ({'; '.join(receipt.bases)}); it is erased then.")


class _Lines:
    """The readable lines of an NDJSON file, with the file's own line numbers."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.unreadable: list[dict[str, Any]] = []

    def count(self) -> int:
        """Lines that hold anything."""
        return sum(1 for _ in _raw_lines(self._file))

    def __iter__(self) -> Iterator[tuple[int, dict[str, Any]]]:
        self.unreadable = []
        for number, raw in _raw_lines(self._file):
            try:
                line = msgspec.json.decode(raw)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                line = None
            if isinstance(line, dict):
                yield number, line
            else:
                error = {"code": "malformed", "detail": "This line is not a JSON object in UTF-8."}
                self.unreadable.append({"line": number, "error": error})


class _Numbered:
    """Lines on their way out, remembered until their results are in."""

    def __init__(self, lines: Iterable[tuple[int, dict[str, Any]]]) -> None:
        self._lines = lines
        self._waiting: dict[int, tuple[int, dict[str, Any]]] = {}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for position, (number, line) in enumerate(self._lines, 1):
            self._waiting[position] = number, line
            yield line

    def take(self, position: int) -> tuple[int, dict[str, Any]]:
        """The file's line number and the line that went out in this position."""
        return self._waiting.pop(position)


def _raw_lines(file: Path) -> Iterator[tuple[int, bytes]]:
    with file.open("rb") as lines:
        for number, raw in enumerate(lines, 1):
            if raw.strip():
                yield number, raw


def _digest(file: Path) -> str:
    try:
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise ConfigurationError(f"{file} could not be read: {error.strerror}.") from None


def _read_json(file: Path) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(file.read_bytes())
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file} could not be read as JSON: {error}.") from None
    if not isinstance(found, dict):
        raise ConfigurationError(f"{file} holds no JSON object.")
    return found


def _sentence(error: dict[str, Any]) -> str:
    parts = [str(error.get("detail", "")), *(f"{e['path']}: {e['message']}" for e in error.get("errors", ()))]
    return " ".join(parts)


def _show_records(records: list[Record], *, json: bool) -> None:
    if json:
        show_json({"items": records})
        return
    rows = ((r.id, r.subject, r.version, r.updated_at, msgspec.json.encode(r.data).decode()[:100]) for r in records)
    show_table(["Id", "Subject", "Version", "Updated", "Data"], rows, empty="Nothing was found.")
