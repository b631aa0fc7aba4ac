"""The command's entry: assembles the commands, and turns errors into one line and an exit code."""

import sys

import cyclopts
from rich.markup import escape

from bailee import __version__
from bailee.cli import data, ledger, machine, tenants
from bailee.cli.output import err
from bailee.client import ApiError, BaileeError
from bailee.foundation.errors import Error
from bailee.foundation.logs import visible

app = cyclopts.App(
    name="bailee",
    help="Holds personal data in trust, and proves what was promised about it.",
    version=__version__,
    help_format="plaintext",
)
for module in (machine, tenants, data, ledger):
    module.register(app)


def main() -> None:
    """Runs one command. Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 130 interrupted."""
    try:
        result = app(result_action="return_value")
    except (Error, BaileeError, ValueError) as error:
        _complain(error)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(0)
    if isinstance(result, int) and not isinstance(result, bool):
        sys.exit(result)


def _complain(error: Exception) -> None:
    err.print(f"[red]bailee:[/] {escape(visible(str(error)))}")
    problem = error.problem if isinstance(error, ApiError) else None
    for fault in problem.errors if problem else getattr(error, "errors", ()):
        err.print(f"  {escape(visible(fault.path))}: {escape(visible(fault.message))}")
    if problem and problem.request_id:
        err.print(f"  request {problem.request_id}")
