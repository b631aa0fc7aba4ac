"""How the command line speaks: tables for people, JSON for programs, one line for an error."""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from bailee.foundation.logs import visible

_PIPED_COLUMNS = 220

# What is piped is cut by nobody: a table is as wide as it needs to be.
out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else _PIPED_COLUMNS)
err = Console(stderr=True, highlight=False, soft_wrap=True)

_COLOURS = {"holds": "green", "attention": "yellow", "broken": "red bold", "unknown": "magenta", "not_evidenced": "dim"}


def show_json(value: Any) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json.dumps(msgspec.to_builtins(value, order="deterministic"), indent=2, ensure_ascii=False) + "\n")


def show_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str) -> None:
    """A table, or a sentence when there is nothing to show. What is shown cannot command the terminal."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in _WHOLE)
    count = 0
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
        count += 1
    if count:
        out.print(table)
    else:
        out.print(empty)


def status_text(status: str) -> str:
    """A status in its colour."""
    colour = _COLOURS.get(status, "")
    text = status.replace("_", " ")
    return f"[{colour}]{text}[/]" if colour else text


def say(text: str) -> None:
    """A sentence for a person, on standard error so that output can be piped."""
    err.print(escape(visible(text)))


def progress() -> Progress:
    """A progress bar on standard error; silent when nobody watches."""
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=err, transient=True, disable=not sys.stderr.isatty(),
    )  # fmt: skip


_WHOLE = {"Id", "Event", "Time", "Measure", "Status", "Verdict"}
"""Columns whose values are copied, and so are never broken."""


class Marked(str):
    """Text that brings its own markup."""

    __slots__ = ()


def _cell(value: Any) -> str:
    match value:
        case Marked():
            return str(value)
        case None:
            return ""
        case datetime():
            return value.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
        case list() | tuple():
            return escape(visible(", ".join(map(str, value)), 2000))
    return escape(visible(str(value), 2000))
