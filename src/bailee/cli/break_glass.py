"""Commands about the emergency account. `--local` works when nobody can sign in: whoever runs it owns the machine."""

from typing import Annotated

import cyclopts

from bailee.cli.context import connect
from bailee.cli.local import with_services
from bailee.cli.output import out, say, show_json
from bailee.client import SealedEnvelope
from bailee.foundation.principal import system

break_glass = cyclopts.App(name="break-glass", help="The sealed account for the day when nobody else gets in.")

type Local = Annotated[
    bool, cyclopts.Parameter(negative=(), help="On the server's own machine, when nobody can sign in.")
]


@break_glass.command
def state(*, json: bool = False) -> None:
    """Say whether the emergency account is sealed."""
    with connect() as client:
        found = client.break_glass.state()
    if json:
        show_json(found)
    elif found.sealed:
        out.print("The emergency account is sealed.")
    else:
        out.print("The seal is broken: seal it anew." if found.exists else "There is none yet: seal one.")


@break_glass.command
def seal(*, local: Local = False, json: bool = False) -> None:
    """Seal the emergency account anew, and show what goes into the safe: once, and never again."""
    if local:
        made = with_services(lambda services: services.access.break_glass.seal(by=system("cli")))
        envelope = SealedEnvelope(email=made.email, password=made.password, codes=tuple(made.codes))
    else:
        with connect() as client:
            envelope = client.break_glass.seal()
    if json:
        show_json(envelope)
        return
    say("Print this, seal it, and lock it away. Nobody can show it again; its first use raises the alarm.")
    out.print(f"Address   {envelope.email}", markup=False)
    out.print(f"Password  {envelope.password}", markup=False)
    for code in envelope.codes:
        out.print(f"Code      {code}", markup=False)
