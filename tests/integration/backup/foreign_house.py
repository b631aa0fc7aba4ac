"""An instance on servers that are not Bailee's."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from bailee.foundation.settings import Settings, load_settings
from tests.foreign import BACKUP, OWNER, ForeignServer, foreign_servers
from tests.integration.backup.house import WAL_SECONDS, House, housed
from tests.postgres import data_directory

BROUGHT = 18
"""The major version of Bailee's own programs: others have to be named."""


class Abroad(msgspec.Struct, frozen=True):
    """The instance, and its servers."""

    house: House
    main: ForeignServer
    keyring: ForeignServer


@asynccontextmanager
async def open_abroad(major: int) -> AsyncIterator[Abroad]:
    """A fresh instance, set up by its `bailee.toml` alone, as everybody's is."""
    with data_directory() as place, foreign_servers(place, major) as (main, keyring):
        settings = configured(place / "instance", main, keyring)
        async with housed(settings, programs_to_name(main)) as house:
            yield Abroad(house, main, keyring)


def programs_to_name(server: ForeignServer) -> tuple[Path, ...]:
    """What whoever restores a backup of this server has to name."""
    return () if server.major == BROUGHT else (server.root,)


def configured(data: Path, main: ForeignServer, keyring: ForeignServer) -> Settings:
    """Writes the settings, and reads them."""
    data.mkdir(mode=0o711)
    programs = ":".join(map(str, programs_to_name(main)))
    (data / "bailee.toml").write_text(f"""\
[database]
main = "{main.url()}"
keyring = "{keyring.url()}"
main_owner = "{main.url(OWNER)}"
keyring_owner = "{keyring.url(OWNER)}"
postgres = "{programs}"

[backup]
wal_seconds = {WAL_SECONDS}
main_url = "{main.url(BACKUP)}"
keyring_url = "{keyring.url(BACKUP)}"
""")
    return load_settings({"BAILEE_DATA": str(data)})
