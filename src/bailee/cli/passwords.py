"""The command that fetches the list of breached passwords."""

import asyncio
from pathlib import Path
from typing import Annotated

import cyclopts

from bailee.access.ranges import RANGE_API, RANGES, fetch_ranges
from bailee.cli.output import progress, say

passwords = cyclopts.App(name="passwords", help="The list of breached passwords, which nobody may choose.")

type Ranges = Annotated[int, cyclopts.Parameter(show=False, validator=cyclopts.validators.Number(gte=1, lte=RANGES))]


@passwords.command
def fetch(file: Path, *, url: str = RANGE_API, ranges: Ranges = RANGES) -> None:
    """Fetch the list into FILE: tens of gigabytes. An interrupted run goes on where it stopped."""
    with progress() as bar:
        task = bar.add_task("Fetching", total=ranges)
        asyncio.run(fetch_ranges(url, file, ranges=ranges, on_progress=lambda done: bar.update(task, completed=done)))
    say(f"Written to {file}. Name it in access.breached_file, and start Bailee again.")
