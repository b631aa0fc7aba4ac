"""`bailee authorisation`: who may call what."""

import asyncio

from bailee.assembly import open_services
from bailee.cli.context import settings
from bailee.cli.output import out, show_json
from bailee.events.catalogue import Examined
from bailee.foundation.logs import configure_logs
from bailee.foundation.principal import system
from bailee.web.app import create_app
from bailee.web.authorisation import RouteAccess, access_table, markdown


def authorisation(*, json: bool = False) -> None:
    """Print every route of this machine's Bailee with the roles that may call it, as Markdown or JSON."""
    here = settings()
    configure_logs("cli", here.logs.level, here.data / "logs")
    routes = asyncio.run(_read())
    if json:
        show_json({"routes": routes})
    else:
        out.print(markdown(routes), end="", markup=False, soft_wrap=True, highlight=False)


async def _read() -> list[RouteAccess]:
    async with open_services(settings()) as services:
        routes = access_table(create_app(services))
        async with services.database.operator() as tx:
            await services.events.record(tx, Examined("authorisation", 0), by=system("cli"))
    return routes
