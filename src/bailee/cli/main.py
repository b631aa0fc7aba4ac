"""The command's entry: assembles the commands, and turns errors into one line and an exit code."""

import sys

import cyclopts
from rich.markup import escape

from bailee import __version__
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
# Named, not imported: a command loads what it needs, so that one that only asks the API begins at once.
_COMMANDS = {
    "machine": {
        "up": "up", "serve": "serve", "worker": "worker", "migrate": "migrate", "demo": "demo", "toms": "toms",
        "check": "check", "doctor": "doctor", "rotate-root": "rotate_root",
    },
    "signing": {"login": "login", "logout": "logout", "whoami": "whoami", "switch": "switch"},
    "tenants": {"tenant": "tenant", "key": "key"},
    "people": {"staff": "staff", "elevation": "elevation", "review": "review"},
    "break_glass": {"break-glass": "break_glass"},
    "members": {"member": "member", "role": "role_app", "policy": "policy"},
    "federation": {"sso": "sso", "domain": "domain_app"},
    "clients": {"client": "client_app"},
    "data": {
        "map": "map_app", "subject": "subject_app", "import": "import_records", "export": "export_records",
        "search": "search", "events": "events",
    },
    "ledger": {"ledger": "ledger", "verify": "verify"},
    "passwords": {"passwords": "passwords"},
    "rules": {"rules": "rules"},
    "alerts": {"alert": "alert"},
    "watching": {"support": "support", "webhook": "webhook"},
    "incidents": {"incident": "incident", "notice": "notice"},
    "retention": {"retention": "retention"},
    "holds": {"hold": "hold"},
    "terminations": {"termination": "termination", "verify-certificate": "verify"},
    "backups": {"backup": "backup"},
    "restoring": {"restore": "restore"},
    "authorisation": {"authorisation": "authorisation"},
}  # fmt: skip
for _module, _functions in _COMMANDS.items():
    for _name, _function in _functions.items():
        app.command(f"bailee.cli.{_module}:{_function}", name=_name)

_HINTS = {
    "unauthenticated": "Sign in again with `bailee login`, or set BAILEE_TOKEN to an API key.",
    "step_up_required": "With a sign-in of `bailee login` the command asks for a code; a token in BAILEE_TOKEN cannot.",
    "wrong_factor": "Nothing was done. Repeat the command with the next code.",
}


def main() -> None:
    """Runs one command. Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 130 interrupted."""
    try:
        if sys.argv[1:] in ([], ["--help"], ["-h"]):
            _load_all()
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


def _load_all() -> None:
    """For the overview, in which each command says what it is for."""
    for commands in _COMMANDS.values():
        for command in commands:
            app[command]


def _complain(error: Exception) -> None:
    err.print(f"[red]bailee:[/] {escape(visible(str(error)))}")
    problem = error.problem if isinstance(error, ApiError) else None
    for fault in problem.errors if problem else getattr(error, "errors", ()):
        err.print(f"  {escape(visible(fault.path))}: {escape(visible(fault.message))}")
    if problem and (hint := _HINTS.get(problem.code)):
        err.print(f"  {hint}")
    if problem and problem.request_id:
        err.print(f"  request {problem.request_id}")
